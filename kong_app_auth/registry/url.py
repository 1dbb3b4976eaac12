"""The URLs of Redis and Valkey servers.

| URL | server |
|---|---|
| `redis://[[user]:password@]host[:port][/db]`, `rediss://…` (TLS) | one server |
| `unix://[[user]:password@]/path/of/socket[?db=n]` | one server on this machine |
| `redis+sentinel://[[user]:password@]host[:port],…/master-name[/db]`, `rediss+sentinel://…` | found through Sentinel |
| `redis+cluster://[[user]:password@]host[:port],…`, `rediss+cluster://…` | a Redis Cluster |

`valkey` may be written for `redis` everywhere. User and password are those of the data nodes; Sentinels that want their
own take them from the query: `?sentinel_username=…&sentinel_password=…`.
"""

import re
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

MAX_URL: Final = 4096

_URL = re.compile(
    r"(?P<scheme>(?:redis|valkey)s?(?:\+sentinel|\+cluster)?|unix)://"
    r"(?:(?P<user>[^@]*)@)?(?P<hosts>[^/?@]*)(?P<path>/[^?@]*)?(?:\?(?P<query>.*))?",
    re.ASCII,
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,5}", re.ASCII)
_QUERY: Final = {"db", "sentinel_username", "sentinel_password"}


class Kind(Enum):
    """What is at the URL."""

    SERVER = "server"
    SOCKET = "socket"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A URL taken apart. `sentinel` holds `username` and `password` for the Sentinels themselves."""

    kind: Kind
    tls: bool
    hosts: list[tuple[str, int]] = []
    path: str = ""
    db: int = 0
    master: str = ""
    username: str | None = None
    password: str | None = None
    sentinel: dict[str, str] = {}

    def __repr__(self) -> str:
        """Say nothing: there may be a password in it."""
        return f"Address({self.kind.value})"


def redact(url: str) -> str:
    """Give the URL for a log: without user, password and query. What is no URL of ours is not shown at all."""
    found = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if found is None:
        return "(not a URL of Redis)"
    # Where the @ was forgotten a password stands in the place of a host or a port.
    hosts = found["hosts"] if all(map(_HOST.fullmatch, found["hosts"].split(","))) or not found["hosts"] else "…"
    return f"{found['scheme']}://{hosts}{found['path'] or ''}"


def parse(url: str) -> Address:
    """Take a URL apart. Raises ValueError with one line that holds no password."""
    try:
        return _parse(url)
    except ValueError as wrong:
        raise ValueError(f"{wrong}: {redact(url)}") from None


def _parse(url: str) -> Address:
    found = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if found is None:
        raise ValueError("a URL begins with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")
    scheme, path = found["scheme"].replace("valkey", "redis", 1), unquote(found["path"] or "")
    query = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    if not set(query) <= _QUERY:
        raise ValueError("the query of the URL may hold db, sentinel_username and sentinel_password")
    user, colon, secret = (found["user"] or "").partition(":")
    kind = Kind.SOCKET if scheme == "unix" else Kind(scheme.partition("+")[2] or "server")
    sentinel = {key.removeprefix("sentinel_"): value for key, value in query.items() if key.startswith("sentinel_")}
    if sentinel and kind is not Kind.SENTINEL:
        raise ValueError("only a redis+sentinel:// URL takes sentinel_username and sentinel_password")
    parts = [] if kind is Kind.SOCKET else [part for part in path.split("/") if part]
    master = parts.pop(0) if kind is Kind.SENTINEL and parts else ""
    hosts = [] if kind is Kind.SOCKET else _hosts(found["hosts"], kind)
    if kind is Kind.SOCKET and (found["hosts"] or len(path) < 2):
        raise ValueError("a unix:// URL names the path of a socket")
    if kind is Kind.SENTINEL and not master:
        raise ValueError("a redis+sentinel:// URL ends with /<name of the master>")
    if kind is Kind.SERVER and len(hosts) != 1:
        raise ValueError("several hosts need redis+sentinel:// or redis+cluster://")
    db = "/".join(parts) or query.get("db") or "0"
    if not _NUMBER.fullmatch(db):
        raise ValueError("the database is a number")
    if kind is Kind.CLUSTER and int(db):
        raise ValueError("a cluster has only database 0")
    return Address(
        kind=kind,
        tls=scheme.startswith("rediss"),
        hosts=hosts,
        path=path if kind is Kind.SOCKET else "",
        db=int(db),
        master=master,
        username=unquote(user) or None,
        password=unquote(secret) if colon else None,
        sentinel=sentinel,
    )


def _hosts(text: str, kind: Kind) -> list[tuple[str, int]]:
    hosts: list[tuple[str, int]] = []
    for one in text.split(","):
        found = _HOST.fullmatch(one)
        port = int(found["port"] or (26379 if kind is Kind.SENTINEL else 6379)) if found else 0
        if found is None or not 0 < port < 65536:
            raise ValueError("a host is written host or host:port")
        hosts.append((found["host"].strip("[]"), port))
    return hosts
