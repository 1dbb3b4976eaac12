"""The traffic of fault tests: known applications, and everybody who must never get through, each tagged."""

from collections.abc import Sequence

from tests.system.client import request
from tests.system.data_path import DataPath
from tests.system.load import Caller

ALLOWED = "allowed"
HOSTILE = ("anonymous", "garbage", "revoked", "unapproved")
"""Tags of requests that must not reach the upstream, whatever has failed."""


def allowed(path: DataPath, clients: int = 4, *, key: str = "dashboard", tag: str = ALLOWED) -> Caller:
    """Clients with a good key."""
    return Caller(tag, [request(headers=[("apikey", path.scene.keys[key]), ("X-Tag", tag)])], clients)


def hostile(path: DataPath, clients: int = 1) -> Sequence[Caller]:
    """For each tag of HOSTILE, clients that try everything of that sort in turn."""
    keys = path.scene.keys

    def with_key(tag: str, *values: bytes | str, target: bytes = b"/weather") -> list[bytes]:
        return [request(target, [("apikey", value), ("X-Tag", tag)]) for value in values]

    anonymous = [
        request(headers=[("X-Tag", "anonymous")]),
        request(headers=[("X-Tag", "anonymous"), ("X-Consumer-ID", "x"), ("X-Application-ID", "x")]),
        request("/maps", headers=[("X-Tag", "anonymous")]),
        request("/preflight", headers=[("X-Tag", "anonymous")]),
        request(f"/weather?apikey={keys['dashboard']}", headers=[("X-Tag", "anonymous")]),
        request(headers=[("X-Tag", "anonymous"), (b"X-Bytes", b"\xff\xfe")]),
        request(headers=[("X-Tag", "anonymous")], method="OPTIONS"),
    ]
    garbage = with_key("garbage", "", "short", b"\xff" * 40, "x" * 4000, keys["mistyped"], keys["unknown"])
    garbage += with_key("garbage", keys["unknown"], keys["other-region"], target=b"/query?apikey=" + b"\xff" * 30)
    revoked = with_key("revoked", keys["leaked"], keys["expired"], keys["bobs"], keys["revoked"])
    unapproved = with_key("unapproved", keys["pending"], keys["rejected"], keys["elsewhere"])
    sorts = (anonymous, garbage, revoked, unapproved)
    return [Caller(tag, requests, clients) for tag, requests in zip(HOSTILE, sorts, strict=True)]
