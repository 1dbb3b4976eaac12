"""Style, script and pictures: few, small, compressed once, and kept by browsers for a year under a name of their own.

A file's address carries a digest of its content, so a new version has a new address.
"""

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec
from fastapi import Request, Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.errors import NotFound

routes = router("/static", "Pages")

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class StaticFile(msgspec.Struct, frozen=True):
    """A file as it is sent: plain and compressed."""

    plain: bytes
    compressed: bytes
    media_type: str
    version: str


@cache
def static_files() -> dict[str, StaticFile]:
    """All files by name."""
    found: dict[str, StaticFile] = {}
    for one in files("kong_app_auth.portal.web").joinpath("static").iterdir():
        plain = one.read_bytes()
        version = hashlib.sha256(plain).hexdigest()[:16]
        kind = one.name.rpartition(".")[2]
        found[one.name] = StaticFile(plain, gzip.compress(plain, 9, mtime=0), _TYPES[kind], version)
    return found


@routes.get("/{name}")
def get_static_file(request: Request, name: str) -> Response:
    """One file."""
    known = static_files().get(name)
    if known is None:
        raise NotFound
    compressed = "gzip" in request.headers.get("accept-encoding", "")
    current = request.query_params.get("v") == known.version
    headers = {
        "Cache-Control": _FOR_EVER if current else "no-cache",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return Response(known.compressed if compressed else known.plain, media_type=known.media_type, headers=headers)
