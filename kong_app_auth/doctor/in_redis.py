"""The region's registry in Redis: reachable, readable, complete, and with a writer that is alive."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from redis.cluster import RedisCluster
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from kong_app_auth.doctor.check import Check, good, told, wrong
from kong_app_auth.domain.freshness import OUT_OF_TOUCH_AFTER
from kong_app_auth.registry.acl import gateway_acl
from kong_app_auth.registry.connection import CLIENT_ERRORS, Client, server_time
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.position import NewerSchema, Position
from kong_app_auth.registry.reading import decode_entry, read_meta, scan
from kong_app_auth.registry.records import SCHEMA_VERSION, CorruptRecord
from kong_app_auth.registry.url import parse, redact
from kong_app_auth.reports.codec import MAX_STREAM
from kong_app_auth.settings import Settings

_REACH: Final = "redis"
_RIGHTS: Final = "redis user"
_REGISTRY: Final = "registry"
_DAEMON: Final = "sync daemon"
_START_SYNC: Final = "Start `kong-app-auth sync` for this region; its log says what it is missing."


class Registry(msgspec.Struct):
    """What other parts are compared with: the position and the ids of the linked services, None where unknown."""

    position: Position | None = None
    services: list[str] | None = None


def look_at_redis(
    settings: Settings, region: str, connect: Callable[[], Client], registry: Registry
) -> Iterator[Check]:
    """Look at Redis, and note in `registry` what other parts are compared with."""
    url = settings.redis_url.get_secret_value()
    shown, keys = redact(url), Keys(region)
    try:
        client = connect()
    except (*CLIENT_ERRORS, ValueError) as error:
        yield _unreachable(shown, error)
        return
    try:
        try:
            client.ping()
        except NoPermissionError:
            pass  # a user that may not even do this is told about below
        except CLIENT_ERRORS as error:
            yield _unreachable(shown, error)
            return
        yield good(_REACH, f"{shown} answers: {_version(client, keys)}")
        yield from _rights(client, keys, settings)
        yield from _contents(client, keys, registry)
        yield from _writer(client, keys)
    finally:
        client.close()


def _unreachable(shown: str, error: Exception) -> Check:
    if isinstance(error, AuthenticationError):
        return wrong(
            _REACH,
            f"{shown} does not take this user and password",
            "Set redis_username and APP_AUTH_REDIS_PASSWORD to a user that `ACL LIST` shows as on.",
        )
    return wrong(
        _REACH,
        f"{shown} cannot be reached: {told(error)}",
        "Check redis_url, that the server runs, and that this machine may connect to it.",
        "For rediss:// (TLS) check redis_ca_file, redis_cert_file and redis_key_file too.",
    )


def _version(client: Client, keys: Keys) -> str:
    try:
        answer = _command(client, keys, "HELLO", "2")
    except CLIENT_ERRORS:
        return "of a version that it does not tell"
    pairs: list[tuple[Any, Any]] = list(zip(answer[::2], answer[1::2], strict=False))
    plain = {_text(name): _text(value) for name, value in pairs}
    return f"{plain.get('server', 'unknown')} {plain.get('version', '')}".strip()


def _rights(client: Client, keys: Keys, settings: Settings) -> Iterator[Check]:
    """See what the user may do, by commands that change nothing whether or not they are allowed."""
    user = settings.redis_username or parse(settings.redis_url.get_secret_value()).username or "default"
    rules = " ".join(gateway_acl(keys.region))
    remedy = (f"ACL SETUSER {user} on '>PASSWORD' {rules}", "and the same in the server's ACL file.")
    needs = [
        ("HMGET", keys.meta, "seq"),
        ("HSCAN", keys.table(Table.SERVICES), "0", "COUNT", "1"),
        ("XREAD", "COUNT", "1", "STREAMS", keys.changes, "$"),
        ("XRANGE", keys.changes, "+", "+", "COUNT", "1"),
        ("XREVRANGE", keys.changes, "+", "-", "COUNT", "1"),
        ("TIME",),
        # An id that is none: an error, after the rights were looked at.
        ("XADD", keys.reports, "MAXLEN", "~", str(MAX_STREAM), "no-id", "-", "-"),
    ]
    refused = [command[0] for command in needs if not _may(client, keys, *command)]
    if refused:
        yield wrong(
            _RIGHTS, f"{user} may not {', '.join(refused)}, which a gateway needs", "As an administrator:", *remedy
        )
        return
    writes = [
        ("HDEL", keys.meta, "no such field"),
        ("DEL", f"{keys.prefix}no-such-key"),
        ("SET", keys.lease, "-", "NX", "XX"),  # contradicts itself: a syntax error, after the rights were looked at
        ("XADD", keys.changes, "no-id", "-", "-"),
        ("EVAL", "return 0", "1", keys.meta),
    ]
    allowed = [command[0] for command in writes if _may(client, keys, *command)]
    if not allowed:
        yield good(_RIGHTS, f"{user} may read the registry, append to its reports, and change nothing")
    elif user == "default" or settings.apps_file.exists():
        yield good(
            _RIGHTS,
            f"{user} may read and write the registry",
            "A sync daemon needs that. A gateway should have a user of its own that cannot:",
            f"ACL SETUSER gateway on '>PASSWORD' {rules}",
        )
    else:
        yield wrong(
            _RIGHTS,
            f"{user} may change the registry ({', '.join(allowed)}): whoever has this node can let anybody in",
            "A gateway's user is to read and no more. As an administrator:",
            *remedy,
        )


def _may(client: Client, keys: Keys, *command: str) -> bool:
    try:
        _command(client, keys, *command)
    except NoPermissionError:
        return False
    except ResponseError:
        pass  # allowed, and refused for another reason
    return True


def _contents(client: Client, keys: Keys, registry: Registry) -> Iterator[Check]:
    try:
        meta = read_meta(client, keys)
        if meta is None:
            yield wrong(
                _REGISTRY, f"there is no complete registry of the region {keys.region} in this Redis", _START_SYNC
            )
            return
        registry.position = meta.position
        registry.services = sorted(_text(field) for piece in scan(client, keys, Table.SERVICES) for field in piece)
    except NewerSchema as newer:
        yield wrong(
            _REGISTRY, str(newer), "Install the version of kong-app-auth on this node that the sync daemon has."
        )
    except CorruptRecord as corrupt:
        yield wrong(
            _REGISTRY,
            f"it is damaged: {corrupt}",
            f"Restart the sync daemon; if that does not help, delete the keys {keys.prefix}* and it fills them anew.",
        )
    except NoPermissionError:
        yield wrong(_REGISTRY, "this user may not read it", "Give it the rights named above.")
    else:
        counted = _counted(client, keys)
        at = f"batch {meta.position.seq} of epoch {meta.position.epoch}, schema version {SCHEMA_VERSION}"
        yield good(_REGISTRY, f"complete, at {at}; {counted}")


def _counted(client: Client, keys: Keys) -> str:
    try:
        return ", ".join(f"{int(_command(client, keys, 'HLEN', keys.table(one)))} {one.value}" for one in Table)
    except CLIENT_ERRORS:
        return "this user may not count its records"


def _writer(client: Client, keys: Keys) -> Iterator[Check]:
    try:
        newest = client.xrevrange(keys.changes, count=1)
        if not newest:
            yield wrong(_DAEMON, "the stream of changes is empty: no daemon has spoken yet", _START_SYNC)
            return
        age = server_time(client, keys.meta) - decode_entry(newest[0]).at
    except (NewerSchema, CorruptRecord):
        yield wrong(_DAEMON, "its last word cannot be read", "Run the same version of kong-app-auth everywhere.")
        return
    except NoPermissionError:
        return  # said above
    holder = _holder(client, keys)
    if age > OUT_OF_TOUCH_AFTER:
        yield wrong(_DAEMON, f"last heard of {age:.0f} s ago, by the clock of Redis; {holder}", _START_SYNC)
    else:
        yield good(_DAEMON, f"last heard of {max(age, 0.0):.1f} s ago; {holder}")


def _holder(client: Client, keys: Keys) -> str:
    try:
        token = _command(client, keys, "GET", keys.lease)
    except CLIENT_ERRORS:
        return "this user may not see who holds the lease"
    if token is None:
        return "nobody holds the lease"
    name, _, _ = _text(token).rpartition(":")  # what follows is the holder's own
    return f"the lease is held by {name or 'a writer'}"


def _command(client: Client, keys: Keys, *command: str) -> Any:
    """Run any command, in a cluster on the node that has the region's keys."""
    plain: Any = client
    if not isinstance(plain, RedisCluster):
        return plain.execute_command(*command)
    cluster: Any = plain
    answer: Any = cluster.execute_command(*command, target_nodes=cluster.get_node_from_key(keys.meta))
    return answer


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
