"""Every page by its path; one with a title stands in the navigation."""

from web.guard import Page
from web.pages.cells import cells
from web.pages.slides import slide, slides

PAGES: tuple[Page, ...] = (
    Page("/", slides, "Slides"),
    Page("/slides/{slide}", slide),
    Page("/slides/{slide}/cells", cells),
)
