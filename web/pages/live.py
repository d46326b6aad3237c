"""What the microscope sees now: picture, verdict and meters, and the slide that is recorded."""

from starlette.requests import Request
from starlette.responses import Response

from web.rendering import page


async def live(request: Request) -> Response:
    """Show the page; its script asks for what moves, and without it there is one picture."""
    return page(request, "live.html")
