"""Every page by its path; one with a title stands in the navigation."""

from device.actions.base import Role
from web.guard import Page
from web.pages.cells import cells
from web.pages.device import change_settings, health, help_, logs, model, settings
from web.pages.fields import field, review
from web.pages.live import live
from web.pages.qc import qc, qc_chart
from web.pages.screen import screen
from web.pages.slides import slide, slides

PAGES: tuple[Page, ...] = (
    Page("/live", live, "Live"),
    Page("/screen", screen, "Screen"),
    Page("/", slides, "Slides"),
    Page("/slides/{slide}", slide),
    Page("/slides/{slide}/cells", cells),
    Page("/fields/{field}", field),
    Page("/review", review, "Review"),
    Page("/qc", qc, "Quality control"),
    Page("/qc/chart.svg", qc_chart),
    Page("/health", health, "Health"),
    Page("/logs", logs, "Logs", Role.OPERATOR),
    Page("/model", model, "Model"),
    Page("/settings", settings, "Settings"),
    Page("/settings", change_settings, role=Role.ADMIN, method="POST"),
    Page("/help", help_, "Help"),
)
