"""A portal's own address is its host name, or the path `/p/<slug>` on any host of this server."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_PREFIX = re.compile(r"(?P<prefix>/p/(?P<slug>[a-z0-9-]{1,63}))(?=/|$)", re.ASCII)


class PortalPaths:
    """Middleware that takes `/p/<slug>` off the path, as if a portal's pages and API were at the root."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and (found := _PREFIX.match(scope["path"])):
            # Starlette's router leaves out what stands in root_path, and writes it into the URLs that it makes.
            scope = {**scope, "root_path": scope.get("root_path", "") + found["prefix"]}
            scope["state"] = {**scope.get("state", {}), "portal_slug": found["slug"]}
        await self._app(scope, receive, send)
