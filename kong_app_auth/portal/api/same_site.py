"""Requests that another site makes a browser send are refused (CSRF).

The session cookie is SameSite=Lax, which is the first wall. The second: browsers say where a request comes from
(`Sec-Fetch-Site`, or `Origin`); what changes anything must come from the portal itself. Programs send neither header.
"""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from kong_app_auth.portal.errors import Forbidden

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_cross_site(request: HTTPConnection) -> None:
    """Raise Forbidden for a request that changes things and comes from another site."""
    if request.scope["method"] in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise Forbidden("Requests from other sites are refused")
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise Forbidden("Requests from other sites are refused")
