"""Pages from templates, with what every page has."""

from starlette.requests import Request
from starlette.responses import HTMLResponse

from smear.templating import render
from web.site import Person


def page(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """Return `template` of `web/templates` as a page; it knows `person`, `nav`, `path` and every one of `values`."""
    person = getattr(request.state, "person", None)
    assert person is None or isinstance(person, Person)
    shared = {"person": person, "nav": request.app.state.nav if person else (), "path": request.url.path}
    return HTMLResponse(render("web", template, **shared, **values), status)
