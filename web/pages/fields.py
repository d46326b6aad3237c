"""One field with its photograph and cells, and the fields that wait for a person."""

from starlette.requests import Request
from starlette.responses import Response

from web.api import asked
from web.rendering import page

_A_PAGE = 10  # photographs


async def field(request: Request) -> Response:
    """Show one field."""
    found = await asked(request, "fields show", [("field", request.path_params["field"])])
    return page(request, "field.html", field=found)


async def review(request: Request) -> Response:
    """Show a page of the fields that wait."""
    limit = ("limit", str(_A_PAGE))
    found = (await asked(request, "fields waiting", [limit, *request.query_params.multi_items()]))["fields"]
    return page(request, "review.html", fields=found, onward=found[-1]["id"] if len(found) == _A_PAGE else 0)
