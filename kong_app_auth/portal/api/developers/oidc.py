"""`/api/v3/authenticate/oidc`: signing in at the portal's identity provider (beyond the contract, but for one route).

A browser is sent to the provider and comes back to `/callback`. Whoever fails gets a problem document; somebody who
asks for a page is led to the sign-in page with `error=<obstacle>` instead.
"""

from typing import Annotated, Final
from urllib.parse import urlencode

import structlog
from fastapi import Header, Query, Response
from starlette.responses import RedirectResponse

from kong_app_auth.oidc import sign_in as protocol
from kong_app_auth.oidc.endpoints import Unavailable
from kong_app_auth.oidc.sign_in import Rejected
from kong_app_auth.oidc.sign_in_providers import SignInProviders
from kong_app_auth.portal.api.cookies import (
    ATTEMPT_COOKIE,
    ATTEMPT_PATH,
    clear_attempt,
    root,
    set_attempt,
    set_session,
)
from kong_app_auth.portal.api.return_paths import safe_path
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Guest, PortalAccess
from kong_app_auth.portal.api.throttle import oidc_limits, throttle
from kong_app_auth.portal.contract.accounts import AuthorizationResponse
from kong_app_auth.portal.errors import Conflict, Refused, TooManyRequests, Unauthorized, invalid
from kong_app_auth.portal.errors import Unavailable as ProviderUnavailable
from kong_app_auth.portal.services import oidc_attempts, oidc_sign_in
from kong_app_auth.portal.services.oidc_attempts import Attempt
from kong_app_auth.portal.services.oidc_person import Person, person
from kong_app_auth.portal.services.oidc_sign_in import Obstacle, WayIn
from kong_app_auth.portal.services.sessions import Tokens

routes = router(ATTEMPT_PATH, "Developer")

MAX_RETURN_PATH: Final = 1000
"""Characters that are carried along in a cookie."""
_TOLD: Final = {
    Obstacle.EXPIRED: "This sign-in is not this browser's, or took too long, or was used already: sign in again",
    Obstacle.CANCELLED: "The identity provider did not let you in",
    Obstacle.REFUSED: "The identity provider's answer cannot be accepted",
    Obstacle.NO_EMAIL: "The identity provider tells no e-mail address of yours",
}
_FOR_OPERATORS: Final = frozenset({Obstacle.PROVIDER_UNAVAILABLE, Obstacle.REFUSED, Obstacle.NO_EMAIL})
"""What the one who signs in can do nothing about."""
_CANCELLED: Final = frozenset({"access_denied", "login_required", "consent_required", "interaction_required"})
_log = structlog.get_logger()


class Returned(Exception):  # noqa: N818  says what it is
    """A sign-in that ends here. `detail` is for logs, and quotes nothing that was sent."""

    def __init__(self, obstacle: Obstacle, detail: str = "") -> None:
        super().__init__(obstacle)
        self.obstacle = obstacle
        self.detail = detail


@routes.get("", status_code=302, response_class=Response)
def begin(access: Guest, return_to: str = "/") -> Response:
    """Send a browser to the portal's identity provider; `return_to` is a path of this site (beyond the contract)."""
    return set_out(access, return_to)


@routes.get("/callback", status_code=303, response_class=Response)
def finish(
    access: Guest,
    told: Annotated[AuthorizationResponse, Query()],
    user_agent: Annotated[str | None, Header()] = None,
) -> Response:
    """Take a browser back from the identity provider, signed in, and lead it on (beyond the contract)."""
    attempt: Attempt | None = None
    try:
        attempt, way = _come_back(access, told.state)
        tokens = _tokens(access, _who(access, attempt, way, told), user_agent)
    except (Returned, TooManyRequests) as ended:
        response = _failed(access, ended, "/" if attempt is None else attempt.return_to, 303)
        # Another one may be under way in this browser: a link from elsewhere does not end it.
        if attempt is not None:
            clear_attempt(access, response)
        return response
    response = RedirectResponse(root(access) + attempt.return_to, 303)
    set_session(access, response, tokens)
    clear_attempt(access, response)
    return response


def set_out(access: PortalAccess, return_to: str) -> Response:
    """Send a browser to the portal's identity provider. Raises Refused."""
    path = safe_path(return_to if len(return_to) <= MAX_RETURN_PATH else None)
    try:
        address, sealed = _addressed(access, path)
    except Returned as ended:
        return _failed(access, ended, path, 302)
    response = RedirectResponse(address, 302, {"Cache-Control": "no-store"})
    set_attempt(access, response, sealed)
    return response


def _addressed(access: PortalAccess, return_to: str) -> tuple[str, str]:
    """Give the provider's address, and the attempt for the browser to keep. Raises Returned."""
    with access.read() as tx:
        way = oidc_sign_in.way_in(tx, access.portal.id)
    if not isinstance(way, WayIn):
        raise Returned(way)
    provider = _providers(access).get(way.client.issuer)
    if isinstance(provider, Unavailable):
        raise Returned(Obstacle.PROVIDER_UNAVAILABLE, provider.detail)
    request = protocol.new_request()
    client_id = way.client.client_id
    address = protocol.authorization_url(provider.discovery, client_id, _callback(access), way.scopes, request)
    if address is None:
        raise Returned(Obstacle.REFUSED, "no_authorization_endpoint")
    with access.read() as tx:
        return address, oidc_attempts.begin(tx, access.portal.id, way.client, request, return_to)


def _come_back(access: PortalAccess, state: str | None) -> tuple[Attempt, WayIn]:
    """Find what the browser set out for, and use it up. Raises Returned, TooManyRequests."""
    with access.read() as tx:
        attempt = oidc_attempts.come_back(tx, access.portal.id, access.request.cookies.get(ATTEMPT_COOKIE), state)
        way = oidc_sign_in.way_in(tx, access.portal.id)
    if attempt is None:
        raise Returned(Obstacle.EXPIRED, "no_attempt")
    if not isinstance(way, WayIn):
        raise Returned(way)
    throttle(access, *oidc_limits(access))
    with access.write() as tx:
        unused = oidc_attempts.use(tx, attempt)
    if not unused or oidc_attempts.named(way.client) != attempt.client:
        raise Returned(Obstacle.EXPIRED, "used" if not unused else "other_settings")
    return attempt, way


def _who(access: PortalAccess, attempt: Attempt, way: WayIn, told: AuthorizationResponse) -> Person:
    """Have the provider say who it is. Raises Returned."""
    providers = _providers(access)
    provider = providers.get(way.client.issuer)
    if isinstance(provider, Unavailable):
        raise Returned(Obstacle.PROVIDER_UNAVAILABLE, provider.detail)
    if not protocol.is_from(provider.discovery, told.iss):
        raise Returned(Obstacle.REFUSED, "other_issuer")
    if told.error is not None or told.code is None:
        raise Returned(Obstacle.CANCELLED if told.error in _CANCELLED else Obstacle.REFUSED, "error_response")
    claims = providers.redeem(way.client, told.code, _callback(access), attempt.request, way.wanted)
    if isinstance(claims, Unavailable):
        raise Returned(Obstacle.PROVIDER_UNAVAILABLE, claims.detail)
    if isinstance(claims, Rejected):
        raise Returned(Obstacle.REFUSED, claims.detail)
    return person(claims, way.mappings)


def _tokens(access: PortalAccess, who: Person, device: str | None) -> Tokens:
    """Begin a session. Raises Returned."""
    with access.write() as tx:
        found = oidc_sign_in.sign_in(tx, access.portal.id, who, device)
    if not isinstance(found, Tokens):
        raise Returned(found)
    return found


def _failed(access: PortalAccess, ended: Returned | TooManyRequests, return_to: str, status: int) -> Response:
    """Lead a browser to the sign-in page. Raises Refused for others."""
    obstacle = ended.obstacle if isinstance(ended, Returned) else Obstacle.TOO_MANY
    log = _log.warning if obstacle in _FOR_OPERATORS else _log.info
    log("sign-in by openid connect failed", portal=access.portal.id, obstacle=obstacle.value, detail=ended.detail)
    if "text/html" in access.request.headers.get("accept", ""):
        query = urlencode({"error": obstacle.value, "return_to": return_to})
        return RedirectResponse(f"{root(access)}/sign-in?{query}", status, {"Cache-Control": "no-store"})
    raise ended if isinstance(ended, TooManyRequests) else _refusal(obstacle)


def _refusal(obstacle: Obstacle) -> Refused:
    match obstacle:
        case Obstacle.NOT_AVAILABLE:
            return invalid("sso", "This portal has no identity provider to sign in with", source="path")
        case Obstacle.PROVIDER_UNAVAILABLE:
            return ProviderUnavailable("The identity provider does not answer, try again later")
        case Obstacle.EMAIL_TAKEN:
            return Conflict("Another account has this e-mail address")
        case _:
            # Whether an account waits, or was revoked, is told no more than after a wrong password.
            return Unauthorized(_TOLD.get(obstacle))


def _callback(access: PortalAccess) -> str:
    """Give the address to come back to. It is what operators register at the provider, by the portal's own names.

    Where the path tells the portal the host is that of the settings; else it is one of the portal's, or the portal
    would not have been found.
    """
    settings = access.plane.configuration
    url = access.request.url
    by_path = access.request.scope.get("state", {}).get("portal_slug")
    origin = settings.public_url if by_path else f"{'https' if settings.secure else 'http'}://{url.netloc}"
    return f"{origin}{root(access)}{ATTEMPT_PATH}/callback"


def _providers(access: PortalAccess) -> SignInProviders:
    found: SignInProviders = access.request.app.state.sign_in_providers
    return found
