"""Who may come in: every route but the login and the style sheets is behind this."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from secrets import compare_digest
from urllib.parse import parse_qsl, quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from device.actions.base import Role
from web.site import site_of

API = "/api/"
_FIELDS = 500  # of a form

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One route behind the login."""

    path: str
    endpoint: Endpoint
    title: str = ""  # in the navigation; "": not there
    role: Role = Role.VIEWER
    method: str = "GET"

    def route(self) -> Route:
        """Return the route, guarded."""
        return Route(self.path, guarded(self.endpoint, self.role), methods=[self.method])


def guarded(endpoint: Endpoint, role: Role) -> Endpoint:
    """Return `endpoint` for those who are known, have at least `role`, and whose browser was not sent by another site.

    Others get 401 where they are programs, and the login where they may be people.
    """

    async def entered(request: Request) -> Response:
        person = site_of(request).person(request)
        if person is None:
            if request.url.path.startswith(API) or "authorization" in request.headers:
                raise HTTPException(401, "log in, or send a token", {"WWW-Authenticate": "Bearer"})
            return RedirectResponse(f"/login?next={quote(request.url.path, safe='')}", 303)
        request.state.person = person
        if not person.role.may(role):
            raise HTTPException(403, f"this needs the role {role}, and you are {person.role}")
        if request.method not in {"GET", "HEAD"} and person.csrf is not None:
            require_same_site(request)
            given = request.headers.get("x-csrf-token") or dict(await form_of(request)).get("csrf_token", "")
            if not compare_digest(given.encode(), person.csrf.encode()):
                raise HTTPException(403, "the page is out of date; load it again")
        return await endpoint(request)

    return entered


def require_same_site(request: Request) -> None:
    """Let a change through that a page of this site asks for, or a program.

    Raises:
        HTTPException: a browser was sent by another site.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
    if site not in {"same-origin", "none"} or (origin and origin.partition("://")[2] != request.headers.get("host")):
        raise HTTPException(403, "this was sent by another site")


async def form_of(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a form, which is empty where none was sent.

    Raises:
        HTTPException: it has too many fields.
    """
    if request.headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded":
        return []
    try:
        return parse_qsl((await request.body()).decode("utf-8", "replace"), True, max_num_fields=_FIELDS)
    except ValueError:
        raise HTTPException(400, f"a form has at most {_FIELDS} fields") from None


def local_path(text: str) -> str:
    """Return `text` where it is a path on this site, as to go on to after the login; else the first page."""
    plain = text.isprintable() and text.isascii() and "\\" not in text
    return text if plain and text.startswith("/") and not text.startswith("//") else "/"
