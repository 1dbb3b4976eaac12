"""The one guarded HTTP client: every request to an identity provider goes through it.

Addresses of providers are typed by people who may not be ours, and providers may be broken into. So a request goes to
public addresses by https only (RFC 9700 section 4.11, OWASP's rules on server-side request forgery); the name is
resolved here and the connection made to the very address that was checked; redirects are not followed; neither proxies
nor passwords of the environment are used; and both time and size have an end. It is made with the standard library's
client, for that lets us give a socket that knows when all has to be over: a limit for each read alone would let a
server that sends a byte a second hold us for hours.
"""

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from kong_app_auth.oidc.addresses import is_loopback, is_permitted

MAX_URL: Final = 2048
MAX_ADDRESSES: Final = 4
"""How many addresses of a name are tried."""
MAX_LOOKUPS: Final = 16
"""Names that are looked up at the same time: a resolver that hangs cannot be told to end."""
IDLE_SECONDS: Final = 4.0
"""How long a connection is kept for the next request: less than the five seconds after which Node's servers close it,
for a request that meets the closing of its connection cannot always be made again.
"""
MAX_IDLE: Final = 32
MAX_IDLE_OF_ORIGIN: Final = 8

Resolver = Callable[[str, int], list[str]]
"""Gives the addresses of a name, for a port. Raises OSError."""


class Unreachable(Exception):  # noqa: N818  says what it is
    """The provider did not give an answer that can be used. `detail` says why, and quotes nothing that was sent.

    `may_have_arrived`: the request was sent, at least in part, so that the provider may have done what it asks.
    """

    def __init__(self, detail: str, *, may_have_arrived: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.may_have_arrived = may_have_arrived


class ForbiddenAddress(Unreachable):
    """The URL leads where no request may go. Nothing was sent."""


class Answer(msgspec.Struct, frozen=True):
    """What the provider answered, a redirect or an error included. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Leave headers and body out: tokens and secrets are in them."""
        return f"Answer({self.status}, {len(self.body)} bytes)"


class _Origin(msgspec.Struct, frozen=True):
    secure: bool
    host: str
    port: int


class _Target(msgspec.Struct, frozen=True):
    origin: _Origin
    path: str


class _Request(msgspec.Struct, frozen=True):
    """What is asked; `until`: when all has to be over, by the monotonic clock."""

    target: _Target
    method: str
    body: bytes | None
    headers: Mapping[str, str]
    until: float
    max_bytes: int


class Outgoing:
    """A client for several threads at once. To be made after a fork, or not used before it.

    `allow_private`: providers may be in a private network or on this machine. `allow_http_loopback`: one on this
    machine may be spoken to by http. `ca_file`: the authorities to trust instead of the system's (PEM). Raises OSError
    (`ssl.SSLError` too) where that file holds none.
    """

    def __init__(
        self,
        allow_private: bool = False,
        allow_http_loopback: bool = False,
        ca_file: Path | None = None,
        *,
        resolve: Resolver | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._allow_http_loopback = allow_http_loopback
        self._resolve = resolve or _addresses
        self._context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.sslsocket_class = _TlsSocket
        self._idle = _Idle()
        self._lookups = threading.BoundedSemaphore(MAX_LOOKUPS)

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float,
        max_bytes: int,
        once: bool = False,
    ) -> Answer:
        """Make a request and read the whole answer. Raises Unreachable, and ForbiddenAddress which is one.

        `timeout`: seconds for all of it, the name's look-up included. `max_bytes`: a longer body is no answer. `once`:
        even a GET changes something there, and must not be made again where its connection was closed.
        """
        target = self._target(url)
        wanted = _Request(target, method, body, headers or {}, time.monotonic() + timeout, max_bytes)
        kept = self._idle.take(target.origin)
        if kept is not None:
            try:
                return self._exchange(kept, wanted)
            except _ClosedBefore:
                # The provider closed it meanwhile. What may be asked twice, is; the rest is the caller's to judge.
                if once or method not in ("GET", "HEAD"):
                    raise
        return self._exchange(self._connected(target.origin, wanted.until), wanted)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._idle.clear()

    def _target(self, url: str) -> _Target:
        """Read a URL. Raises ForbiddenAddress."""
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise ForbiddenAddress("its address is no URL")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ForbiddenAddress("its address is no URL") from None
        if parts.scheme != "https" and not (parts.scheme == "http" and self._allow_http_loopback):
            raise ForbiddenAddress("its address is not https")
        host = parts.hostname
        if not host or "%" in host or "\\" in parts.netloc or "@" in parts.netloc or port == 0:
            raise ForbiddenAddress("its address has no host, or more than a host")
        secure = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return _Target(_Origin(secure, host, port or (443 if secure else 80)), path)

    def _connected(self, origin: _Origin, until: float) -> "_Connection":
        """Connect to a permitted address of the origin. Raises Unreachable."""
        addresses = self._permitted(origin, until)
        problem = ""
        for number, address in enumerate(addresses):
            try:
                # None of them may use up the time of those after it.
                share = _left(until) / (len(addresses) - number)
                return _Connection(origin, address, self._context, time.monotonic() + share)
            except OSError as error:
                problem = problem or _problem(error)
        raise Unreachable(problem)

    def _permitted(self, origin: _Origin, until: float) -> list[str]:
        found = [origin.host] if _is_address(origin.host) else self._look_up(origin, until)
        permitted = [
            address
            for address in found
            if is_permitted(
                address, private=self._allow_private, loopback=self._allow_private or self._allow_http_loopback
            )
            and (origin.secure or is_loopback(address))
        ]
        if not permitted:
            raise ForbiddenAddress("its name leads to an address that is not permitted")
        return permitted[:MAX_ADDRESSES]

    def _look_up(self, origin: _Origin, until: float) -> list[str]:
        if not self._lookups.acquire(blocking=False):
            raise Unreachable("too many names are being looked up")
        found: list[str] = []
        problems: list[str] = []
        done = threading.Event()

        def look_up() -> None:
            try:
                found.extend(self._resolve(origin.host, origin.port))
            except (OSError, UnicodeError):
                problems.append("its name cannot be resolved")
            finally:
                self._lookups.release()
                done.set()

        threading.Thread(target=look_up, name="name look-up", daemon=True).start()
        if not done.wait(max(0.0, until - time.monotonic())):
            raise Unreachable("its name cannot be resolved in time")
        if problems or not found:
            raise Unreachable("its name cannot be resolved")
        return found

    def _exchange(self, connection: "_Connection", wanted: "_Request") -> Answer:
        """Ask and hear. Raises Unreachable; then the connection is closed."""
        connection.ends(wanted.until)
        reusable = False
        begun = False
        try:
            headers = {**_HEADERS, **wanted.headers, **_FIXED_HEADERS}
            connection.request(wanted.method, wanted.target.path, wanted.body, headers)
            with contextlib.closing(connection.getresponse()) as response:
                begun = True
                answer = _read(response, wanted.max_bytes)
                reusable = not response.will_close
                return answer
        except (HTTPException, OSError, ValueError) as error:
            kind = _ClosedBefore if isinstance(error, _CLOSED) and not begun else Unreachable
            raise kind(_problem(error), may_have_arrived=True) from None
        finally:
            if reusable:
                self._idle.keep(wanted.target.origin, connection)
            else:
                connection.close()


_CLOSED: Final = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_HEADERS: Final = {"User-Agent": "kong-app-auth", "Accept": "application/json"}
_FIXED_HEADERS: Final = {"Accept-Encoding": "identity", "Connection": "keep-alive"}


def from_environment() -> Outgoing:
    """Make a client by APP_AUTH_IDP_ALLOW_PRIVATE, APP_AUTH_IDP_ALLOW_HTTP_LOOPBACK and APP_AUTH_IDP_CA_FILE.

    For processes that Kong starts. Raises ValueError for a wrong setting, OSError for a file of no authorities.
    """
    ca_file = os.environ.get("APP_AUTH_IDP_CA_FILE")
    return Outgoing(
        allow_private=_switch("APP_AUTH_IDP_ALLOW_PRIVATE"),
        allow_http_loopback=_switch("APP_AUTH_IDP_ALLOW_HTTP_LOOPBACK"),
        ca_file=Path(ca_file) if ca_file else None,
    )


def _switch(name: str) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if text in ("", "0", "false", "no", "off"):
        return False
    if text in ("1", "true", "yes", "on"):
        return True
    raise ValueError(f"{name} is true or false")


class _ClosedBefore(Unreachable):
    """The connection was closed before a byte of the answer came."""


def _read(response: HTTPResponse, max_bytes: int) -> Answer:
    """Read an answer of at most so many bytes. Raises Unreachable."""
    if response.getheader("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise Unreachable("its answer is encoded in a way that was not asked for", may_have_arrived=True)
    if response.getheader("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise Unreachable("its answer is compressed, which was not asked for", may_have_arrived=True)
    too_long = Unreachable(f"its answer is longer than {max_bytes} bytes", may_have_arrived=True)
    if response.length is not None and response.length > max_bytes:
        raise too_long
    body = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise too_long
    if response.length:  # a part of what was announced: `read` with a limit does not complain
        raise Unreachable("its answer was cut off", may_have_arrived=True)
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Answer(response.status, headers, body)


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ip_address(host)
        return True
    return False


def _addresses(host: str, port: int) -> list[str]:
    """Ask the system's resolver; each address once, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # Without the zone: a link-local address is refused, not connected to by one interface.
    return list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))


def _problem(error: Exception) -> str:
    """Say what went wrong, without the error's own text: it may quote what was sent."""
    match error:
        case ssl.SSLCertVerificationError():
            return "its certificate cannot be trusted"
        case TimeoutError():
            return "it does not answer in time"
        case ssl.SSLError():
            return "it does not speak TLS as it should"
        case ConnectionRefusedError():
            return "it refuses the connection"
        case ConnectionError():  # http.client.RemoteDisconnected too
            return "it broke the connection"
        case OSError():
            return "it cannot be connected to"
        case _:
            return "its answer is no HTTP"


def _left(until: float) -> float:
    """Give the seconds that are left. Raises TimeoutError where none are."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Timed:
    """A socket whose every operation ends when all has to be over."""

    until: float = 0.0

    def recv_into(self, buffer: Any, nbytes: Any = 0, flags: int = 0) -> int:
        self.settimeout(_left(self.until))  # type: ignore[attr-defined]
        return super().recv_into(buffer, nbytes, flags)  # type: ignore[misc,no-any-return]

    def send(self, data: Any, flags: int = 0) -> int:
        self.settimeout(_left(self.until))  # type: ignore[attr-defined]
        return super().send(data, flags)  # type: ignore[misc,no-any-return]

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(_left(self.until))  # type: ignore[attr-defined]
        super().sendall(data, flags)  # type: ignore[misc]


class _PlainSocket(_Timed, socket.socket):
    pass


class _TlsSocket(_Timed, ssl.SSLSocket):
    pass


class _Connection(HTTPConnection):
    """A connection to one address of an origin. It is never made again by name. Raises OSError."""

    auto_open = 0

    def __init__(self, origin: _Origin, address: str, context: ssl.SSLContext, until: float) -> None:
        super().__init__(origin.host, origin.port)
        self.default_port = 443 if origin.secure else 80  # the header Host leaves that out
        self._opened: _PlainSocket | _TlsSocket
        plain = _PlainSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            plain.settimeout(_left(until))
            plain.connect((address, origin.port))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._opened = self._secured(plain, origin, context, until) if origin.secure else plain
        except BaseException:
            plain.close()
            raise
        self.sock = self._opened

    @staticmethod
    def _secured(plain: "_PlainSocket", origin: _Origin, context: ssl.SSLContext, until: float) -> "_TlsSocket":
        secured = context.wrap_socket(
            plain, server_hostname=origin.host.rstrip("."), do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        assert isinstance(secured, _TlsSocket)  # noqa: S101  for the type checkers: the context makes no others
        try:
            secured.settimeout(_left(until))
            secured.do_handshake()  # the time-out is for all of it
        except BaseException:
            secured.close()
            raise
        return secured

    def ends(self, until: float) -> None:
        """Set when all has to be over, by the monotonic clock."""
        self._opened.until = until

    def is_quiet(self) -> bool:
        """Say whether neither an end nor anything that nobody asked for has come from the other side."""
        poll = select.poll()
        poll.register(self._opened, select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0)


class _Idle:
    """Connections that wait for the next request of their origin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[tuple[float, _Origin, _Connection]] = []

    def take(self, origin: _Origin) -> _Connection | None:
        """Give the one that was used last, if there is one that can be used."""
        self._drop_old()
        while True:
            with self._lock:
                place = next((i for i in reversed(range(len(self._kept))) if self._kept[i][1] == origin), None)
                if place is None:
                    return None
                _, _, connection = self._kept.pop(place)
            if connection.is_quiet():
                return connection
            connection.close()

    def keep(self, origin: _Origin, connection: _Connection) -> None:
        """Keep one, in the place of the oldest where there are enough."""
        self._drop_old()
        dropped: list[_Connection] = []
        with self._lock:
            self._kept.append((time.monotonic(), origin, connection))
            of_origin = [i for i, one in enumerate(self._kept) if one[1] == origin]
            if len(of_origin) > MAX_IDLE_OF_ORIGIN:
                dropped.append(self._kept.pop(of_origin[0])[2])
            elif len(self._kept) > MAX_IDLE:
                dropped.append(self._kept.pop(0)[2])
        for one in dropped:
            one.close()

    def clear(self) -> None:
        """Close all."""
        with self._lock:
            kept, self._kept = self._kept, []
        for _, _, connection in kept:
            connection.close()

    def _drop_old(self) -> None:
        oldest = time.monotonic() - IDLE_SECONDS
        with self._lock:
            old = [one for at, _, one in self._kept if at < oldest]
            self._kept = [entry for entry in self._kept if entry[0] >= oldest]
        for one in old:
            one.close()
