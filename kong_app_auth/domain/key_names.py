"""The names of headers that may carry an API key: which can be set, in the portal as in apps.yaml."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from kong_app_auth.domain.identity_headers import spoofed

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# A key there would be read as something else: a token, a cookie of the upstream, the frame of the request. And hiding
# the key takes the header away, which the upstream then misses.
_NOT_FOR_KEYS: Final = frozenset(
    {
        *("authorization", "cookie", "proxy-authorization"),
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("accept", "accept-encoding", "expect", "host", "origin", "range", "user-agent", "via", "forwarded"),
        *("content-encoding", "content-length", "content-type"),
        *("x-forwarded-for", "x-forwarded-host", "x-forwarded-path", "x-forwarded-port", "x-forwarded-prefix"),
        *("x-forwarded-proto", "x-real-ip"),
    }
)


class Fault(StrEnum):
    """What is wrong with a name."""

    NO_HEADER = "must be names of headers: letters, digits, - and _, at most 64"
    TWICE = "names the same header twice"
    IDENTITY = "names a header that carries the caller's identity to the upstream"
    MEANING = "names a header that has a meaning of its own in HTTP"


class WrongName(msgspec.Struct, frozen=True):
    """A name that cannot be set, by its place in the list (from 0)."""

    entry: int
    fault: Fault


def wrong_name(names: Sequence[str]) -> WrongName | None:
    """Find the first name that cannot be set. Case makes no difference, nor does `_` for `-` in a header's meaning."""
    known: set[str] = set()
    for entry, name in enumerate(names):
        lower = name.lower()
        folded = lower.replace("_", "-")
        if not _HEADER_NAME.fullmatch(name):
            return WrongName(entry, Fault.NO_HEADER)
        if lower in known:
            return WrongName(entry, Fault.TWICE)
        if spoofed((folded,)):
            return WrongName(entry, Fault.IDENTITY)
        if folded in _NOT_FOR_KEYS:
            return WrongName(entry, Fault.MEANING)
        known.add(lower)
    return None
