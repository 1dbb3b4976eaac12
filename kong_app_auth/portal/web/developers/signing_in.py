"""`/sign-in` and `/sign-out`."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Header, Response
from sqlalchemy import select

from kong_app_auth.portal.actors import SignedIn, System
from kong_app_auth.portal.api.cookies import clear_session, set_session, shown
from kong_app_auth.portal.api.return_paths import safe_path
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import ACCESS_COOKIE, PortalAccess
from kong_app_auth.portal.api.throttle import sign_in_limits, throttle
from kong_app_auth.portal.contract.accounts import AuthenticateRequest
from kong_app_auth.portal.errors import Invalid, TooManyRequests
from kong_app_auth.portal.services import passwords, sessions, signing_in
from kong_app_auth.portal.services.oidc_sign_in import Obstacle
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.services.sessions import Tokens
from kong_app_auth.portal.store.developers import DeveloperSession
from kong_app_auth.portal.token_digest import digest_of
from kong_app_auth.portal.web.forms import Form, VisitorForm, checked, errors_of
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.resuming import carried, resume, written
from kong_app_auth.portal.web.sessions import PageAccess, Visitor
from kong_app_auth.portal.web.sites import site_of

routes = router("", "Pages")

_WRONG = "This address and password do not open an account here. It may also still wait for approval."

_OBSTACLES: dict[str, str] = {
    Obstacle.NOT_AVAILABLE: "Signing in with your organisation is not set up here at the moment.",
    Obstacle.PROVIDER_UNAVAILABLE: "Your organisation's sign-in does not answer. Try again in a moment.",
    Obstacle.EXPIRED: "That took too long, or was begun in another browser. Sign in again.",
    Obstacle.CANCELLED: "Your organisation's sign-in did not let you in.",
    Obstacle.REFUSED: "What your organisation's sign-in has answered cannot be accepted. Tell who runs this portal.",
    Obstacle.NO_EMAIL: "Your organisation's sign-in tells no e-mail address of yours, and this portal needs one.",
    Obstacle.EMAIL_TAKEN: "There is an account with your address already: sign in with its password.",
    Obstacle.NOT_APPROVED: "Your account is not approved here yet, or not any more. You get a mail when it is.",
    Obstacle.TOO_MANY: "Too many tries. Wait a moment, then sign in again.",
}


@routes.get("/sign-in", response_class=Response)
def show_sign_in(access: Visitor, return_to: str = "/", error: str = "") -> Response:
    """Ask who it is; `error`: what stood in the way at the identity provider."""
    path = safe_path(return_to)
    if access.signed_in:
        return see_other(access.request, path)
    return sign_in_page(access, return_to=path, errors={"": _OBSTACLES[error]} if error in _OBSTACLES else None)


@routes.post("/sign-in", response_class=Response)
def sign_in(access: Visitor, form: VisitorForm, user_agent: Annotated[str | None, Header()] = None) -> Response:
    """Begin a session, and lead on to where somebody was going."""
    try:
        wanted = checked(AuthenticateRequest, {"username": form.text("email"), "password": form.secret("password")})
        throttle(access, *sign_in_limits(access, wanted.username))
    except (Invalid, TooManyRequests) as wrong:
        errors = {"email" if name == "username" else name: told for name, told in errors_of(wrong).items()}
        return sign_in_page(access, 429 if isinstance(wrong, TooManyRequests) else 422, form=form, errors=errors)
    tokens = _tokens(access, wanted, user_agent)
    if tokens is None:
        return sign_in_page(access, 422, form=form, errors={"": _WRONG})
    kept = carried(form)
    if kept is None:
        response = see_other(access.request, safe_path(form.text("return_to")))
    else:
        response = resume(_signed_in(access, tokens), *kept)
    set_session(access, response, tokens)
    return response


@routes.post("/sign-out", response_class=Response)
def sign_out(access: Visitor, form: VisitorForm) -> Response:  # noqa: ARG001  the form is known to be ours
    """End the session."""
    token = shown(access, ACCESS_COOKIE)
    if token is not None:
        with access.write() as tx:
            sessions.end_by_tokens(tx, access.portal.id, token, None)
    response = see_other(access.request, "/", "signed-out")
    clear_session(access, response)
    return response


def sign_in_page(
    access: PageAccess,
    status: int = 200,
    *,
    return_to: str = "/",
    form: Form | None = None,
    errors: dict[str, str] | None = None,
    kept: tuple[str, list[tuple[str, str]]] | None = None,
) -> Response:
    """Ask who it is; `kept`: what was typed into the form that is to be sent afterwards."""
    given = form or Form()
    kept = kept or carried(given)
    path = safe_path(given.text("return_to", return_to))
    with access.read() as tx:
        ways = the_portal(tx, access.portal.id).authentication
        by_password, by_oidc = ways.basic_auth_enabled, ways.oidc_auth_enabled
    return render(
        access,
        site_of(access),
        "developers/sign_in.html",
        status,
        email=given.text("email"),
        errors=errors or {},
        return_to=path,
        by_password=by_password,
        oidc=f"/api/v3/authenticate/oidc?return_to={quote(path, safe='')}" if by_oidc else None,
        kept_path=None if kept is None else kept[0],
        kept_fields=None if kept is None else written(kept[1]),
    )


def _tokens(access: PortalAccess, wanted: AuthenticateRequest, device: str | None) -> Tokens | None:
    with access.read() as tx:
        who = signing_in.candidate(tx, access.portal.id, wanted.username)
    matched = passwords.matches(who.password_hash, wanted.password)
    renewed = None
    if matched and who.password_hash is not None and passwords.is_outdated(who.password_hash):
        renewed = passwords.hashed(wanted.password)
    with access.write() as tx:
        return signing_in.sign_in(tx, who, matched=matched, renewed_hash=renewed, device=device)


def _signed_in(access: PageAccess, tokens: Tokens) -> PageAccess:
    """The same request, as the one who has just signed in."""
    portal = access.portal
    with access.plane.read(System(region="")) as tx:
        session = tx.session.execute(
            select(DeveloperSession.id, DeveloperSession.developer_id).where(
                DeveloperSession.access_digest == digest_of(tokens.access)
            )
        ).one()
    who = SignedIn(session[1], session[0], portal.id, portal.region)
    return PageAccess(PortalAccess(access.request, access.plane, who, portal))
