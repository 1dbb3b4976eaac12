"""Paths and queries as Kong and OpenResty read them."""

import re

from kong_app_auth.devgateway.values import LuaValue

_RESERVED = frozenset(b"!*'();:@&=+$,/?%#[]")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_IN_A_PATH = re.compile(rb"[^!$&'()*+,;=:@%/A-Za-z0-9\-._~]")


def normalize(path: bytes) -> bytes:
    """Normalize a path (RFC 3986, 6) as `kong.request.get_path` does: escapes of unreserved bytes are decoded, those of
    reserved ones put in upper case, dot segments and double slashes taken out.
    """
    if b"%" in path:
        path = _ESCAPE.sub(_decode_unreserved, path)
    if b"//" not in path and b"/." not in path:
        return path or b"/"
    kept: list[bytes] = []
    segments = path.split(b"/")
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment and segment != b".":
            kept.append(segment)
    trailing = segments[-1] in {b"", b".", b".."} and kept
    return b"/" + b"/".join(kept) + (b"/" if trailing else b"")


def escape(path: bytes) -> bytes:
    """Escape what may not stand in a path; escapes that are there already stay."""
    return _NOT_IN_A_PATH.sub(lambda match: b"%%%02X" % match[0][0], path)


def unescape(text: bytes) -> bytes:
    """Decode the escapes and the plus signs of a query argument."""
    if b"+" in text:
        text = text.replace(b"+", b" ")
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), text) if b"%" in text else text


def query_arguments(query: bytes, limit: int) -> dict[bytes, LuaValue]:
    """Read at most `limit` arguments as `ngx.req.get_uri_args` does: a bare name is true, a name given twice a list."""
    found: dict[bytes, LuaValue] = {}
    count = 0
    for part in query.split(b"&"):
        if not part:
            continue
        if count >= limit:
            break
        name, equals, text = part.partition(b"=")
        key = unescape(name)
        if not key:
            continue
        count += 1
        collect(found, key, unescape(text) if equals else True)
    return found


def collect(found: dict[bytes, LuaValue], key: bytes, value: LuaValue) -> None:
    """Add a value under a key: the second one makes a list of it."""
    before = found.get(key)
    if before is None:
        found[key] = value
    elif isinstance(before, list):
        before.append(value)
    else:
        found[key] = [before, value]


def _decode_unreserved(match: "re.Match[bytes]") -> bytes:
    byte = int(match[1], 16)
    return b"%%%02X" % byte if byte in _RESERVED else bytes((byte,))
