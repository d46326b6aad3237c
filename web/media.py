"""Photographs, pictures of cells and reports: by number, and nothing of an address reaches a file's name."""

import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from device.reporting.cell_pictures import PhotographGoneError, picture_of_cell
from device.store import Store
from device.store.photographs import is_photograph
from smear.images import encode
from web.site import Site, site_of

_LARGEST = 2**53  # a record's number
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">')


async def photograph(request: Request) -> Response:
    """Return the photograph of a field."""
    number = _number(request, "field")

    def look(store: Store) -> bytes | None:
        image = store.field(number).image
        return store.photographs.read(image) if image is not None and is_photograph(image) else None

    found = await site_of(request).read(look)
    if found is None:
        raise HTTPException(404, "the photograph was removed, to make room or by its age")
    return Response(found, media_type="image/jpeg")


async def cell_picture(request: Request) -> Response:
    """Return the picture of a cell with its outline."""
    place = _number(request, "field"), _number(request, "number")
    try:
        found = await site_of(request).read(
            lambda store: encode(picture_of_cell(store, store.cell(*place)), ".jpg", 85)
        )
    except PhotographGoneError as error:
        raise HTTPException(404, str(error)) from error
    return Response(found, media_type="image/jpeg")


async def report(request: Request) -> Response:
    """Return the report of a slide: a page that asks for nothing, under the policy that it brings."""
    site, number = site_of(request), _number(request, "slide")
    page = await site.read(lambda store: _report(site, store, number))
    policy = _POLICY.search(page)
    assert policy is not None
    headers = {"content-security-policy": f"{policy[1]}; frame-ancestors 'none'; sandbox"}
    return Response(page, media_type="text/html", headers=headers)


def _report(site: Site, store: Store, number: int) -> str:
    from device.slide_report.report import slide_report  # here: it takes memory that most servers never need

    return slide_report(store, number, site.settings)


def _number(request: Request, name: str) -> int:
    number = int(request.path_params[name])
    if number >= _LARGEST:
        raise HTTPException(404, "there is no such record")
    return number
