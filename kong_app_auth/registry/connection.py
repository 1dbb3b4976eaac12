"""From a URL to a client of Redis or Valkey, and the little of that client that this package uses."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, cast

import redis
import redis.cluster
import redis.sentinel
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry

from kong_app_auth.registry.url import Kind, parse

CONNECT_TIMEOUT: Final = 2.0
READ_TIMEOUT: Final = 5.0
"""Seconds for one answer; a blocking read must ask for less."""

CLIENT_ERRORS: Final = (RedisError, RedisClusterException, OSError)
"""Whatever a client raises when the server is away, slow, changing roles or refuses; a cluster has its own."""

StreamEntry: TypeAlias = tuple[bytes, dict[bytes, bytes]]


_cluster: Any = redis.cluster  # redis-py's own annotations stop short of these two modules
_sentinel: Any = redis.sentinel


class Client(Protocol):
    """The commands that the registry needs, as redis-py's two clients have them (answers in RESP 2, as bytes)."""

    # ruff: noqa: D102 – each is the command of its name
    def ping(self) -> bool: ...
    def close(self) -> None: ...
    def hmget(self, name: str, keys: Sequence[str]) -> list[bytes | None]: ...
    def hscan(self, name: str, cursor: int = 0, *, count: int | None = None) -> tuple[int, dict[bytes, bytes]]: ...
    def xrange(self, name: str, min: str = "-", max: str = "+", count: int | None = None) -> list[StreamEntry]: ...
    def xrevrange(self, name: str, max: str = "+", min: str = "-", count: int | None = None) -> list[StreamEntry]: ...
    def xread(
        self, streams: Mapping[str, str], count: int | None = None, block: int | None = None
    ) -> list[tuple[bytes, list[StreamEntry]]]: ...
    def xadd(
        self, name: str, fields: Mapping[str, bytes], *, maxlen: int | None = None, approximate: bool = True
    ) -> bytes | None: ...
    def xtrim(self, name: str, *, minid: str | None = None, approximate: bool = True) -> int: ...
    def evalsha(self, sha: str, numkeys: int, *keys_and_args: str | bytes | int) -> Any: ...
    def eval(self, script: str, numkeys: int, *keys_and_args: str | bytes | int) -> Any: ...


def connect(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    ca_file: Path | None = None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
    timeout: float = READ_TIMEOUT,
) -> Client:
    """Make a client for `url`. The arguments go before what the URL says; `timeout` is in seconds, for one answer.

    Only a cluster is spoken to already here (its layout is asked for); any other client connects at its first command.
    But for a cluster nothing is tried twice: who calls knows whether that is safe. Raises ValueError for a wrong URL;
    for a cluster CLIENT_ERRORS too.
    """
    address = parse(url)
    options: dict[str, Any] = {
        "username": username if username is not None else address.username,
        "password": password if password is not None else address.password,
        "socket_timeout": timeout,
        "socket_connect_timeout": min(CONNECT_TIMEOUT, timeout),
        "socket_keepalive": True,
        "protocol": 2,
    }
    tls: dict[str, Any] = {}
    if address.tls:
        tls = {
            "ssl": True,
            "ssl_ca_certs": str(ca_file) if ca_file else None,
            "ssl_certfile": str(cert_file) if cert_file else None,
            "ssl_keyfile": str(key_file) if key_file else None,
        }
    once = Retry(NoBackoff(), 0)
    client: Any
    match address.kind:
        case Kind.SOCKET:
            options.pop("socket_keepalive")
            client = redis.Redis(unix_socket_path=address.path, db=address.db, retry=once, **options)
        case Kind.SENTINEL:
            asked = {**options, "username": None, "password": None, "retry": once, **tls, **address.sentinel}
            sentinel: Any = _sentinel.Sentinel(address.hosts, sentinel_kwargs=asked)
            client = sentinel.master_for(address.master, db=address.db, retry=once, **options, **tls)
        case Kind.CLUSTER:
            nodes = [_cluster.ClusterNode(host, port) for host, port in address.hosts]
            # A cluster says by an error where a slot has moved to, so its client must try again. For the writer's
            # script that is safe: it checks the position, and a second run of what was already done is refused.
            moved = Retry(ExponentialBackoff(cap=0.5, base=0.05), 3)
            client = _cluster.RedisCluster(
                startup_nodes=nodes, require_full_coverage=False, retry=moved, **options, **tls
            )
        case Kind.SERVER:
            host, port = address.hosts[0]
            client = redis.Redis(host=host, port=port, db=address.db, retry=once, **options, **tls)
    return cast("Client", client)


def server_time(client: Client, key: str) -> float:
    """Ask for the time of the server that holds `key`: Unix time in seconds by its clock."""
    plain: Any = client
    if isinstance(plain, _cluster.RedisCluster):
        node = plain.get_node_from_key(key)
        answer: Any = plain.execute_command("TIME", target_nodes=node)
    else:
        answer = plain.time()
    if isinstance(answer, dict):  # a cluster's client answers by node where it was asked for nodes
        (answer,) = cast("dict[str, Any]", answer).values()
    seconds, microseconds = cast("tuple[int, int]", answer)
    return seconds + microseconds / 1e6
