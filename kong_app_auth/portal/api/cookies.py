"""The cookies of a developer's session, and of an attempt to sign in at an identity provider.

HttpOnly, SameSite=Lax, Secure behind TLS, and only for the portal's own address: portals that are told apart by
`/p/<slug>` share a host. The refresh token goes to the routes of the account alone, an attempt to those that end it.
"""

from typing import Final

from fastapi import Response

from kong_app_auth.portal.api.security import ACCESS_COOKIE, MAX_TOKEN, REFRESH_COOKIE, PortalAccess
from kong_app_auth.portal.services.oidc_attempts import LIFETIME
from kong_app_auth.portal.services.sessions import Tokens

REFRESH_PATH: Final = "/api/v3/developer"
ATTEMPT_COOKIE: Final = "portalsigninattempt"
ATTEMPT_PATH: Final = "/api/v3/authenticate/oidc"


def set_session(access: PortalAccess, response: Response, tokens: Tokens) -> None:
    """Hand a session's tokens to the browser."""
    settings = access.plane.configuration
    for name, value, path, lifetime in (
        # The token ends long before its cookie: by a stale one the pages know that there is a session to be renewed.
        (ACCESS_COOKIE, tokens.access, root(access) or "/", settings.refresh_lifetime),
        (REFRESH_COOKIE, tokens.refresh, root(access) + REFRESH_PATH, settings.refresh_lifetime),
    ):
        age = int(lifetime.total_seconds())
        response.set_cookie(name, value, age, path=path, secure=settings.secure, httponly=True, samesite="lax")
    response.headers["Cache-Control"] = "no-store"


def clear_session(access: PortalAccess, response: Response) -> None:
    """Let the browser forget the tokens."""
    secure = access.plane.configuration.secure
    for name, path in ((ACCESS_COOKIE, root(access) or "/"), (REFRESH_COOKIE, root(access) + REFRESH_PATH)):
        response.delete_cookie(name, path=path, secure=secure, httponly=True, samesite="lax")


def set_attempt(access: PortalAccess, response: Response, sealed: str) -> None:
    """Let the browser keep an attempt. A later one takes its place."""
    age = int(LIFETIME.total_seconds())
    secure = access.plane.configuration.secure
    path = root(access) + ATTEMPT_PATH
    response.set_cookie(ATTEMPT_COOKIE, sealed, age, path=path, secure=secure, httponly=True, samesite="lax")


def clear_attempt(access: PortalAccess, response: Response) -> None:
    """Let the browser forget it."""
    secure = access.plane.configuration.secure
    path = root(access) + ATTEMPT_PATH
    response.delete_cookie(ATTEMPT_COOKIE, path=path, secure=secure, httponly=True, samesite="lax")


def shown(access: PortalAccess, name: str) -> str | None:
    """Give the value of a cookie of the request; None where it is none of ours."""
    value = access.request.cookies.get(name)
    return value if value and len(value) <= MAX_TOKEN else None


def root(access: PortalAccess) -> str:
    """The path before the portal's own paths: `/p/<slug>`, or nothing."""
    root: str = access.request.scope.get("root_path", "")
    return root.rstrip("/")
