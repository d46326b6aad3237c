"""Pages from templates, with what every page has."""

from starlette.requests import Request
from starlette.responses import HTMLResponse

from device.actions.base import Role
from device.reporting.tables import local_time
from smear.classes import FIELD_CLASSES
from smear.templating import render
from web.site import Person

_TITLES = {each.name: each.title for each in FIELD_CLASSES}


def page(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """Return `template` of `web/templates` as a page; it knows `shared` as below and every one of `values`."""
    person = getattr(request.state, "person", None)
    assert person is None or isinstance(person, Person)
    query = f"?{request.url.query}" if request.url.query else ""
    shared = {
        "person": person,
        "may_change": person is not None and person.role.may(Role.OPERATOR),
        "nav": [each for each in request.app.state.nav if person and person.role.may(each.role)],
        "path": request.url.path,
        "here": request.url.path + query,  # where a form comes back to
        "titles": _TITLES,  # of the classes of fields
        "local_time": lambda unix_s: local_time(unix_s)[:16],
    }
    return HTMLResponse(render("web", template, **shared, **values), status)
