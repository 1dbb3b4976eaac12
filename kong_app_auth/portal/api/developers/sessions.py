"""`/api/v3/developer`: signing in and out."""

from typing import Annotated

from fastapi import Header, Response

from kong_app_auth.portal.actors import SignedIn
from kong_app_auth.portal.api.cookies import clear_session, set_session, shown
from kong_app_auth.portal.api.developers.oidc import set_out
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import ACCESS_COOKIE, REFRESH_COOKIE, Guest, Member
from kong_app_auth.portal.api.throttle import sign_in_limits, throttle
from kong_app_auth.portal.contract.accounts import AuthenticateRequest, SessionList
from kong_app_auth.portal.errors import Unauthorized
from kong_app_auth.portal.services import passwords, sessions, signing_in
from kong_app_auth.portal.services.departures import end_sessions
from kong_app_auth.portal.views.accounts import session_list

routes = router("/api/v3/developer", "Developer")


@routes.post("/authenticate", status_code=204)
def authenticate(
    access: Guest,
    wanted: AuthenticateRequest,
    response: Response,
    user_agent: Annotated[str | None, Header()] = None,
) -> None:
    """`authenticate`."""
    throttle(access, *sign_in_limits(access, wanted.username))
    with access.read() as tx:
        who = signing_in.candidate(tx, access.portal.id, wanted.username)
    matched = passwords.matches(who.password_hash, wanted.password)
    renewed = None
    if matched and who.password_hash is not None and passwords.is_outdated(who.password_hash):
        renewed = passwords.hashed(wanted.password)
    with access.write() as tx:
        tokens = signing_in.sign_in(tx, who, matched=matched, renewed_hash=renewed, device=user_agent)
    if tokens is None:
        raise Unauthorized
    set_session(access, response, tokens)


@routes.get("/authenticate/sso", status_code=302, response_class=Response)
def authenticate_sso(access: Guest, return_to: str = "/") -> Response:
    """`authenticate-sso`. `return_to`: a path of this site (beyond the contract)."""
    return set_out(access, return_to)


@routes.post("/refresh", status_code=204)
def refresh(access: Guest, response: Response) -> None:
    """`refresh`."""
    token = shown(access, REFRESH_COOKIE)
    if token is None:
        raise Unauthorized
    with access.read() as tx:
        known = sessions.can_be_refreshed(tx, access.portal.id, token)
    if not known:
        raise Unauthorized
    with access.write() as tx:
        tokens = sessions.refresh(tx, access.portal.id, token)
    if tokens is None:
        raise Unauthorized
    set_session(access, response, tokens)


@routes.post("/logout", status_code=204)
def logout(access: Guest, response: Response) -> None:
    """`logout`."""
    access_token, refresh_token = shown(access, ACCESS_COOKIE), shown(access, REFRESH_COOKIE)
    if access_token is not None or refresh_token is not None:
        with access.write() as tx:
            sessions.end_by_tokens(tx, access.portal.id, access_token, refresh_token)
    clear_session(access, response)


@routes.get("/sessions")
def list_sessions(access: Member) -> SessionList:
    """List the own sessions, at most twenty (beyond the contract)."""
    current = access.actor.session_id if isinstance(access.actor, SignedIn) else None
    with access.read() as tx:
        return session_list(sessions.own(tx, access.developer_id), current)


@routes.delete("/sessions/{session_id}", status_code=204)
def end_session(access: Member, session_id: str) -> None:
    """End one of the own sessions (beyond the contract)."""
    with access.write() as tx:
        sessions.end(tx, access.developer_id, session_id)


@routes.delete("/sessions", status_code=204)
def end_other_sessions(access: Member) -> None:
    """End all own sessions but this one (beyond the contract)."""
    current = access.actor.session_id if isinstance(access.actor, SignedIn) else None
    with access.write() as tx:
        end_sessions(tx, access.developer_id, but=current)
