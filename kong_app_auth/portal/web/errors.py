"""Errors of pages are pages; errors of the API stay problem documents."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from kong_app_auth.portal.api.request_id import request_id_of
from kong_app_auth.portal.errors import NotFound, Refused, TooManyRequests
from kong_app_auth.portal.web import resuming
from kong_app_auth.portal.web.forms import WrongToken
from kong_app_auth.portal.web.rendering import render, render_bare, see_other
from kong_app_auth.portal.web.sessions import (
    OperatorAccess,
    OperatorSignInFirst,
    PageAccess,
    SignInFirst,
    path_of,
    root_of,
)
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

Handler = Callable[[Request, Any], Awaitable[Response]]

_PROGRAMS: Final = ("/api/", "/v2/", "/v3/", "/internal/", "/mailbox", "/metrics", "/healthz", "/readyz")
_HEADINGS: Final = {
    400: words("That did not work"),
    401: words("Please sign in"),
    403: words("You may not do that"),
    404: words("This page is not here"),
    405: words("This page cannot do that"),
    409: words("That is in conflict with something"),
    410: words("This was used already"),
    413: words("That is too large"),
    422: words("That cannot be done"),
    429: words("Too many tries"),
    500: words("Something went wrong on our side"),
    503: words("Not available right now"),
}
_log = structlog.get_logger()


def install(app: FastAPI) -> None:
    """Let errors of pages be told as pages. To be called after `api.problems.install`."""
    app.add_exception_handler(SignInFirst, _sign_in_first)
    for kind, handler in ((Refused, _refused), (HTTPException, _http), (Exception, _unexpected)):
        app.add_exception_handler(kind, _if_page(handler, cast(Handler, app.exception_handlers[kind])))
    app.add_exception_handler(
        RequestValidationError, _if_page(_validation, cast(Handler, app.exception_handlers[RequestValidationError]))
    )


def is_page(request: Request) -> bool:
    """Say whether somebody asks for a page: by the route, or where there is none by what a browser accepts."""
    path = request.scope["path"].removeprefix(root_of(request))
    if path.startswith(_PROGRAMS) and not path.startswith(resuming.RENEW_PATH):
        return False
    route = request.scope.get("route")
    return "Pages" in getattr(route, "tags", ()) or "text/html" in request.headers.get("accept", "")


def _if_page(handler: Handler, otherwise: Handler) -> Handler:
    async def handle(request: Request, error: Any) -> Response:
        return await (handler if is_page(request) else otherwise)(request, error)

    return handle


async def _sign_in_first(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInFirst)  # noqa: S101  for the type checkers: it is registered for these
    if isinstance(error, OperatorSignInFirst):
        if request.method in ("GET", "HEAD"):
            return see_other(request, f"/operator/sign-in?return_to={quote(path_of(request), safe='')}")
        return await resuming.ask_operator_to_sign_in(request)
    # The refresh token is shown to the account's own routes alone: the way leads through one of those.
    public = "" if error.needed else "&public=1"
    location = f"{root_of(request)}{resuming.RENEW_PATH}?return_to={quote(path_of(request), safe='')}{public}"
    status = 303 if request.method in ("GET", "HEAD") else 307
    return RedirectResponse(location, status, {"Cache-Control": "no-store"})


async def _refused(request: Request, error: Refused) -> Response:
    if isinstance(error, WrongToken):
        return await resuming.ask_again(request)
    path: str = request.scope["path"]
    if path == "/" and isinstance(error, NotFound):
        return see_other(request, "/operator")  # no portal has this host name: it is the control plane's own address
    response = _told(request, error.status, error.detail)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


async def _http(request: Request, error: HTTPException) -> Response:
    detail = "" if error.status_code in (404, 405) else str(error.detail)
    return _told(request, error.status_code, detail)


async def _validation(request: Request, _: RequestValidationError) -> Response:
    return _told(request, 400, "")


async def _unexpected(request: Request, error: Exception) -> Response:
    # The text of an exception may hold what a client sent, so only its type is logged here.
    _log.error("unexpected error", error=type(error).__name__, path=request.scope["path"], id=request_id_of(request))
    return _told(request, 500, "")


def _told(request: Request, status: int, detail: str) -> Response:
    access = getattr(request.state, "page", None)
    heading = _HEADINGS.get(status, _HEADINGS[400])
    context = {"heading": heading, "detail": detail, "request_id": request_id_of(request)}
    if isinstance(access, PageAccess | OperatorAccess):
        return render(access, site_of(access), "error.html", status, **context)
    return render_bare(request, "error.html", status, **context)
