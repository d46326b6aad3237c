"""The slides, newest first: the first page; and one slide with its summary, count and signature."""

from starlette.requests import Request
from starlette.responses import Response

from web.api import asked
from web.rendering import page

_A_PAGE = 20  # slides or fields


async def slides(request: Request) -> Response:
    """Show a page of the list."""
    found = await asked(request, "slides list", request.query_params.multi_items())
    search, last = request.query_params.get("search", ""), found["slides"][-1]["id"] if found["slides"] else 0
    return page(request, "slides.html", slides=found["slides"], search=search, older=last if last > 1 else 0)


async def slide(request: Request) -> Response:
    """Show one slide: what is known of it, a page of its fields, and what may be done with it."""
    about = [("slide", request.path_params["slide"]), ("limit", str(_A_PAGE))]
    found = await asked(request, "slides show", [*about, *request.query_params.multi_items()])
    last = found["fields"][-1]["id"] if len(found["fields"]) == _A_PAGE else 0
    return page(request, "slide.html", slide=found, next_fields=last)
