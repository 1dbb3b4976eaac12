"""The cookies of a developer's session.

HttpOnly, SameSite=Lax, Secure behind TLS, and only for the portal's own address: portals that are told apart by
`/p/<slug>` share a host. The refresh token goes to the routes of the account alone.
"""

from typing import Final

from fastapi import Response

from kong_app_auth.portal.api.security import ACCESS_COOKIE, MAX_TOKEN, REFRESH_COOKIE, PortalAccess
from kong_app_auth.portal.services.sessions import Tokens

REFRESH_PATH: Final = "/api/v3/developer"


def set_session(access: PortalAccess, response: Response, tokens: Tokens) -> None:
    """Hand a session's tokens to the browser."""
    settings = access.plane.configuration
    for name, value, path, lifetime in (
        # The token ends long before its cookie: by a stale one the pages know that there is a session to be renewed.
        (ACCESS_COOKIE, tokens.access, _root(access) or "/", settings.refresh_lifetime),
        (REFRESH_COOKIE, tokens.refresh, _root(access) + REFRESH_PATH, settings.refresh_lifetime),
    ):
        age = int(lifetime.total_seconds())
        response.set_cookie(name, value, age, path=path, secure=settings.secure, httponly=True, samesite="lax")
    response.headers["Cache-Control"] = "no-store"


def clear_session(access: PortalAccess, response: Response) -> None:
    """Let the browser forget the tokens."""
    secure = access.plane.configuration.secure
    for name, path in ((ACCESS_COOKIE, _root(access) or "/"), (REFRESH_COOKIE, _root(access) + REFRESH_PATH)):
        response.delete_cookie(name, path=path, secure=secure, httponly=True, samesite="lax")


def shown(access: PortalAccess, name: str) -> str | None:
    """Give the value of a cookie of the request; None where it is none of ours."""
    value = access.request.cookies.get(name)
    return value if value and len(value) <= MAX_TOKEN else None


def _root(access: PortalAccess) -> str:
    root: str = access.request.scope.get("root_path", "")
    return root.rstrip("/")
