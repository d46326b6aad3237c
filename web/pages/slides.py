"""The slides, newest first: the first page."""

from starlette.requests import Request
from starlette.responses import Response

from device.actions.registry import action_called
from web.api import values_of
from web.rendering import page
from web.site import person_of, site_of


async def slides(request: Request) -> Response:
    """Show a page of the list."""
    listing = action_called("slides list")
    values = values_of(listing, request.query_params.multi_items())
    found = await site_of(request).perform(listing, person_of(request), values)
    return page(request, "slides.html", slides=found["slides"], search=values.get("search", ""))
