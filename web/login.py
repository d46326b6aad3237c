"""Logging in and out."""

from functools import partial

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from web.guard import form_of, local_path, require_same_site
from web.rendering import page
from web.site import Site, site_of

_QUEUE = 5  # tries that may wait for the one that is being hashed


async def show_login(request: Request) -> Response:
    """Show the form."""
    return page(request, "login.html", next=local_path(request.query_params.get("next", "/")), fault="")


async def login(request: Request) -> Response:
    """Begin a session, or say why not; which of name and password is wrong is not said."""
    site = site_of(request)
    require_same_site(request)
    form = dict(await form_of(request))
    name, onward = form.get("name", ""), local_path(form.get("next", "/"))
    tried = name[:40], request.client.host if request.client else "nowhere"
    user, wait_s = None, site.attempts.wait_s(*tried)
    if not wait_s:
        if site.hashing.statistics().tasks_waiting >= _QUEUE:
            raise HTTPException(503, "too many logins at once; try again")
        async with site.hashing:
            wait_s = site.attempts.wait_s(*tried)  # again: those before this one in the queue may have been wrong
            if not wait_s:
                user = await anyio.to_thread.run_sync(site.accounts.login, name, form.get("password", ""))
                if user is None:
                    site.attempts.failed(*tried)
    if wait_s:
        fault = f"Too many wrong passwords. Try again in {wait_s:.0f} seconds."
        return page(request, "login.html", 429, next=onward, fault=fault)
    if user is None:
        return page(request, "login.html", 401, next=onward, fault="Name or password is wrong.")
    site.attempts.succeeded(*tried)
    await anyio.to_thread.run_sync(partial(site.say_where, password=""))  # the first one is used, and shown no more
    site.sessions.end(request.cookies.get(site.cookie, ""))
    answer = RedirectResponse(onward, 303)
    set_cookie(site, answer, site.sessions.begin(user))
    return answer


async def logout(request: Request) -> Response:
    """End the session."""
    site = site_of(request)
    site.sessions.end(request.cookies.get(site.cookie, ""))
    answer = RedirectResponse("/login", 303)
    set_cookie(site, answer, "")
    return answer


def set_cookie(site: Site, answer: Response, value: str) -> None:
    """Set the session's cookie, or with "" remove it; scripts cannot read it, and no other site sends it."""
    answer.set_cookie(
        site.cookie, value, max_age=None if value else 0, httponly=True, secure=site.secure, samesite="strict"
    )
