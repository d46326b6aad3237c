"""Every page by its path; one with a title stands in the navigation."""

from web.guard import Page
from web.pages.slides import slides

PAGES: tuple[Page, ...] = (Page("/", slides, "Slides"),)
