"""Kong's Plugin Development Kit, as far as plugin servers can call it in the phase `access`.

A method takes the exchange and Lua's arguments, and gives Lua's result. What raises in Lua raises `LuaError` here.
"""

from collections.abc import Awaitable, Callable
from inspect import isawaitable

import structlog

from kong_app_auth.devgateway.entities import Entity
from kong_app_auth.devgateway.exchange import Exchange
from kong_app_auth.devgateway.outcomes import ExitArgs, ExitRequest, LuaError
from kong_app_auth.devgateway.uri import normalize, query_arguments
from kong_app_auth.devgateway.values import LuaValue, tostring

_log = structlog.get_logger()
_MAX_LOGGED = 2048
_SINGLE_VALUED = frozenset(
    (
        b"www-authenticate",
        b"content-type",
        b"content-length",
        b"location",
        b"etag",
        b"last-modified",
        b"server",
        b"date",
        b"content-range",
        b"refresh",
        b"accept-ranges",
    )
)
_HTTP_METHODS = frozenset(
    b"GET HEAD PUT POST DELETE OPTIONS MKCOL COPY MOVE PROPFIND PROPPATCH LOCK UNLOCK PATCH TRACE".split()
)
_CONTROL = {byte: f"%{byte:02X}" for byte in (*range(0x09), *range(0x0A, 0x20), 0x7F)}

Result = LuaValue | Entity | Awaitable[LuaValue]
Read = Callable[[Exchange], LuaValue | Entity]
Find = Callable[[str, bool], Entity | None]


class Pdk:
    """The methods by their names on the wire. `find_consumer` looks one up by id and, where asked to, by user name."""

    def __init__(self, node_id: str, find_consumer: Find) -> None:
        self._node_id = node_id.encode()
        self._find_consumer = find_consumer
        self._reads: dict[bytes, Read] = {**_READS, b"kong.node.get_id": lambda _: self._node_id}
        self._methods: dict[bytes, Callable[..., Result]] = {
            **_METHODS,
            b"kong.client.load_consumer": self._load_consumer,
        }

    def __contains__(self, method: bytes) -> bool:
        """Say whether Kong would know the method."""
        return method in self._methods or method in self._reads

    async def call(self, exchange: Exchange, method: bytes, *arguments: LuaValue) -> LuaValue | Entity:
        """Run a method. Raise LuaError for one that is unknown or raises, and ExitRequest for `kong.response.exit`."""
        read = self._reads.get(method)
        if read is not None:
            return read(exchange)
        function = self._methods.get(method)
        if function is None:
            raise LuaError(f"method {method[:100]!r} not found")
        try:
            result = function(exchange, *arguments)
            return await result if isawaitable(result) else result
        except TypeError as error:  # a wrong number of arguments, which Lua would let pass or trip over
            raise LuaError(f"bad arguments for {method.decode('latin-1')}") from error

    def _load_consumer(self, _exchange: Exchange, key: LuaValue, by_username: LuaValue = None) -> Entity | None:
        name = _string(key).decode("utf-8", "replace")
        return self._find_consumer(name, bool(by_username))


def _string(value: LuaValue) -> bytes:
    if not isinstance(value, bytes):
        raise LuaError("a string was expected")
    return value


def _limit(most: LuaValue) -> int:
    if most is None:
        return 100
    if isinstance(most, bool) or not isinstance(most, int | float) or not 1 <= most <= 1000:
        raise LuaError("max must be a number from 1 to 1000")
    return int(most)


def _authenticate(exchange: Exchange, consumer: LuaValue, credential: LuaValue = None) -> None:
    if consumer is None and credential is None:
        raise LuaError("either credential or consumer must be provided")
    if not isinstance(consumer, dict | None) or not isinstance(credential, dict | None):
        raise LuaError("consumer and credential must be tables or nil")
    exchange.consumer = consumer
    exchange.credential = credential


def _set_shared(exchange: Exchange, key: LuaValue, value: LuaValue = None) -> None:
    exchange.shared[_string(key)] = value


def _nginx_var(exchange: Exchange, name: LuaValue) -> LuaValue:
    wanted = _string(name)
    if wanted.startswith(b"http_"):
        return exchange.header(wanted[5:].replace(b"_", b"-"))
    values: dict[bytes, LuaValue] = {
        b"request_id": exchange.request_id.encode(),
        b"kong_request_id": exchange.kong_request_id.encode(),
        b"remote_addr": exchange.client_ip.encode(),
        b"realip_remote_addr": exchange.client_ip.encode(),
        b"remote_port": b"%d" % exchange.client_port,
        b"server_port": b"%d" % exchange.server_port,
        b"scheme": b"http",
        b"host": exchange.host,
        b"request_method": exchange.method,
        b"request_uri": exchange.target,
        b"uri": normalize(exchange.raw_path),
        b"args": exchange.raw_query or None,
        b"query_string": exchange.raw_query or None,
    }
    return values.get(wanted)


def _query_arg(exchange: Exchange, name: LuaValue) -> LuaValue:
    value = query_arguments(exchange.raw_query, 100).get(_string(name))
    return value[0] if isinstance(value, list) else value


def _exit(_exchange: Exchange, status: LuaValue, body: LuaValue = None, headers: LuaValue = None) -> None:
    if isinstance(status, bool) or not isinstance(status, int | float) or not 100 <= status <= 599:
        raise LuaError("code must be a number from 100 to 599")
    if not isinstance(body, bytes | None):
        raise LuaError("body must be a string or nil")
    checked = {} if headers is None else _headers(headers)
    raise ExitRequest(ExitArgs(int(status), body or b"", dict(checked)))


def response_lines(name: bytes, value: LuaValue) -> list[tuple[bytes, bytes]]:
    """Lay out a response header. Of several values of a header that nginx knows as single, only the last is sent."""
    values = _values(value)
    if name.lower() in _SINGLE_VALUED:
        values = values[-1:]
    return [(name, each) for each in values]


def _set_response_header(exchange: Exchange, name: LuaValue, value: LuaValue) -> None:
    key = _header_name(name)
    _clear_response_header(exchange, key)
    exchange.response_headers.extend(response_lines(key, value))


def _add_response_header(exchange: Exchange, name: LuaValue, value: LuaValue) -> None:
    exchange.response_headers.extend(response_lines(_header_name(name), value))


def _clear_response_header(exchange: Exchange, name: LuaValue) -> None:
    lower = _string(name).lower()
    exchange.response_headers = [line for line in exchange.response_headers if line[0].lower() != lower]


def _set_response_headers(exchange: Exchange, headers: LuaValue) -> None:
    for name, value in _headers(headers).items():
        _set_response_header(exchange, name, value)


def _set_method(exchange: Exchange, method: LuaValue) -> None:
    if method not in _HTTP_METHODS:
        raise LuaError("invalid method")
    exchange.upstream_method = _string(method)


def _set_path(exchange: Exchange, path: LuaValue) -> None:
    if not _string(path).startswith(b"/"):
        raise LuaError("path must start with /")
    exchange.upstream_path = _string(path)


def _set_raw_query(exchange: Exchange, query: LuaValue) -> None:
    exchange.raw_query = _string(query)


def _set_header(exchange: Exchange, name: LuaValue, value: LuaValue) -> None:
    exchange.set_header(_header_name(name), _values(value))


def _add_header(exchange: Exchange, name: LuaValue, value: LuaValue) -> None:
    key = _header_name(name)
    exchange.headers.extend((key.lower(), key, each) for each in _values(value))


def _set_headers(exchange: Exchange, headers: LuaValue) -> None:
    for name, value in _headers(headers).items():
        exchange.set_header(name, _values(value))


def _header_name(name: LuaValue) -> bytes:
    return _string(name).decode("latin-1").translate(_CONTROL).encode("latin-1")


def _headers(headers: LuaValue) -> dict[bytes, LuaValue]:
    """Check a table of headers before any of it is used."""
    if not isinstance(headers, dict):
        raise LuaError("headers must be a table")
    for value in headers.values():
        _values(value)
    return {_header_name(name): value for name, value in headers.items()}


def _values(value: LuaValue) -> list[bytes]:
    """Lay out a header's value. An empty one becomes a space, as in Kong; control characters are escaped, as in
    nginx.
    """
    if isinstance(value, list):
        if not all(isinstance(each, bytes) for each in value):
            raise LuaError("invalid header value in array: expected string")
        return [_value(_string(each)) for each in value]
    if value is None or isinstance(value, dict):
        raise LuaError("invalid header value: expected string, number, boolean or array of strings")
    return [_value(tostring(value))]


def _value(value: bytes) -> bytes:
    if not value:
        return b" "
    return value.decode("latin-1").translate(_CONTROL).encode("latin-1")


def _logger(level: str) -> Callable[..., None]:
    method = {"alert": "critical", "crit": "critical", "err": "error", "warn": "warning", "notice": "info"}.get(
        level, level
    )

    def write(exchange: Exchange, *words: LuaValue) -> None:
        text = b"".join(tostring(word) for word in words)[:_MAX_LOGGED].decode("utf-8", "replace")
        getattr(_log, method)("plugin says", text=text, level_of_kong=level, request_id=exchange.kong_request_id)

    return write


def _is_trusted(_exchange: Exchange, _address: LuaValue) -> LuaValue:
    """No address is trusted: `trusted_ips` is empty, Kong's default."""
    return False


def _protocol(_exchange: Exchange, _allow_terminated: LuaValue = None) -> LuaValue:
    return b"http"


def _get_shared(exchange: Exchange, key: LuaValue) -> LuaValue:
    return exchange.shared.get(_string(key))


def _get_query(exchange: Exchange, most: LuaValue = None) -> LuaValue:
    return query_arguments(exchange.raw_query, _limit(most))


def _get_header(exchange: Exchange, name: LuaValue) -> LuaValue:
    return exchange.header(_string(name).lower().replace(b"_", b"-"))


def _get_headers(exchange: Exchange, most: LuaValue = None) -> LuaValue:
    return exchange.header_table(_limit(most))


async def _get_raw_body(exchange: Exchange) -> LuaValue:
    return await exchange.read_body()


def _clear_header(exchange: Exchange, name: LuaValue) -> None:
    exchange.clear_header(_string(name))


_READS: dict[bytes, Read] = {
    b"kong.client.get_ip": lambda x: x.client_ip.encode(),
    b"kong.client.get_forwarded_ip": lambda x: x.client_ip.encode(),
    b"kong.client.get_port": lambda x: x.client_port,
    b"kong.client.get_forwarded_port": lambda x: x.client_port,
    b"kong.client.get_credential": lambda x: x.credential,
    b"kong.client.get_consumer": lambda x: x.consumer,
    b"kong.nginx.get_subsystem": lambda _: b"http",
    b"kong.nginx.req_start_time": lambda x: x.started,
    b"kong.request.get_scheme": lambda _: b"http",
    b"kong.request.get_host": lambda x: x.host,
    b"kong.request.get_port": lambda x: x.server_port,
    b"kong.request.get_forwarded_scheme": lambda _: b"http",
    b"kong.request.get_forwarded_host": lambda x: x.host,
    b"kong.request.get_forwarded_port": lambda x: x.server_port,
    b"kong.request.get_http_version": lambda x: x.version,
    b"kong.request.get_method": lambda x: x.upstream_method,
    b"kong.request.get_path": lambda x: normalize(x.raw_path),
    b"kong.request.get_raw_path": lambda x: x.raw_path,
    b"kong.request.get_path_with_query": lambda x: x.target,
    b"kong.request.get_raw_query": lambda x: x.raw_query,
    b"kong.router.get_route": lambda x: x.route,
    b"kong.router.get_service": lambda x: x.service,
}
"""Methods without arguments; what is given nevertheless is ignored, as in Lua."""

_METHODS: dict[bytes, Callable[..., Result]] = {
    b"kong.client.get_protocol": _protocol,
    b"kong.client.authenticate": _authenticate,
    b"kong.ctx.shared.set": _set_shared,
    b"kong.ctx.shared.get": _get_shared,
    b"kong.ip.is_trusted": _is_trusted,
    b"kong.nginx.get_var": _nginx_var,
    b"kong.request.get_query_arg": _query_arg,
    b"kong.request.get_query": _get_query,
    b"kong.request.get_header": _get_header,
    b"kong.request.get_headers": _get_headers,
    b"kong.request.get_raw_body": _get_raw_body,
    b"kong.response.exit": _exit,
    b"kong.response.set_header": _set_response_header,
    b"kong.response.add_header": _add_response_header,
    b"kong.response.clear_header": _clear_response_header,
    b"kong.response.set_headers": _set_response_headers,
    b"kong.service.request.set_method": _set_method,
    b"kong.service.request.set_path": _set_path,
    b"kong.service.request.set_raw_query": _set_raw_query,
    b"kong.service.request.set_header": _set_header,
    b"kong.service.request.add_header": _add_header,
    b"kong.service.request.set_headers": _set_headers,
    b"kong.service.request.clear_header": _clear_header,
    **{
        f"kong.log.{level}".encode(): _logger(level)
        for level in ("alert", "crit", "err", "warn", "notice", "info", "debug")
    },
}
