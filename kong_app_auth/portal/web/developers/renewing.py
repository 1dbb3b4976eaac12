"""`/api/v3/developer/renew`: the way from a page with a stale session to the same page with a fresh one.

It stands among the account's routes, because the refresh token is shown to those alone. A page is led here by 303, a
form by 307, which a browser follows with the form; and back in the same way.
"""

from urllib.parse import quote

from fastapi import Response
from starlette.responses import RedirectResponse

from kong_app_auth.portal.api.cookies import clear_session, set_session, shown
from kong_app_auth.portal.api.return_paths import safe_path
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import REFRESH_COOKIE, Guest
from kong_app_auth.portal.services import sessions
from kong_app_auth.portal.web.developers.signing_in import sign_in_page
from kong_app_auth.portal.web.forms import SentForm
from kong_app_auth.portal.web.rendering import see_other
from kong_app_auth.portal.web.resuming import RENEW_PATH
from kong_app_auth.portal.web.sessions import NOT_RENEWED_COOKIE, NOT_RENEWED_FOR, PageAccess, root_of

routes = router(RENEW_PATH, "Pages")


@routes.get("", response_class=Response)
def renew_for_page(access: Guest, return_to: str = "/", public: str = "") -> Response:
    """Lead back to a page, or to signing in."""
    path = safe_path(return_to)
    renewed = _renewed(access, path, 303)
    if renewed is not None:
        return renewed
    to = path if public else f"/sign-in?return_to={quote(path, safe='')}"
    response = see_other(access.request, to)
    _given_up(access, response)
    return response


@routes.post("", response_class=Response)
def renew_for_form(access: Guest, form: SentForm, return_to: str = "/") -> Response:
    """Lead a form back to where it was going, or keep it while its sender signs in."""
    path = safe_path(return_to)
    renewed = _renewed(access, path, 307)
    if renewed is not None:
        return renewed
    response = sign_in_page(PageAccess(access), 401, return_to="/", kept=(path, form.kept()))
    _given_up(access, response)
    return response


def _given_up(access: Guest, response: Response) -> None:
    clear_session(access, response)
    response.set_cookie(
        NOT_RENEWED_COOKIE,
        "1",
        NOT_RENEWED_FOR,
        path=root_of(access.request) or "/",
        secure=access.plane.configuration.secure,
        httponly=True,
        samesite="lax",
    )


def _renewed(access: Guest, path: str, status: int) -> Response | None:
    token = shown(access, REFRESH_COOKIE)
    if token is None:
        return None
    with access.read() as tx:
        if not sessions.can_be_refreshed(tx, access.portal.id, token):
            return None
    with access.write() as tx:
        tokens = sessions.refresh(tx, access.portal.id, token)
        goes_on = tokens is not None or sessions.can_be_refreshed(tx, access.portal.id, token)
    if not goes_on:
        return None
    response = RedirectResponse(root_of(access.request) + path, status, {"Cache-Control": "no-store"})
    # Without tokens another tab was quicker: the browser has its new ones by now.
    if tokens is not None:
        set_session(access, response, tokens)
    return response
