"""A client that sends exactly the bytes it is told to, and says what came back."""

import contextlib
import json
import socket
from collections.abc import Iterable
from typing import Any

import msgspec

from tests.servers.process import PATIENCE

REASON = "x-app-auth-reason"
Header = tuple[str | bytes, str | bytes]


class Answer(msgspec.Struct, frozen=True):
    """An answer. Header names are in lower case, in the order that they came in.

    `last`: the server closes the connection after it.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    last: bool = False

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]

    def one(self, name: str) -> str | None:
        """The value of a header that must not be there twice."""
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def reason(self) -> str | None:
        """The reason code that the plugin reveals."""
        return self.one(REASON)

    @property
    def by_upstream(self) -> bool:
        """Whether the upstream gave it."""
        return self.one("x-upstream") is not None

    def json(self) -> Any:
        return json.loads(self.body)

    def seen(self) -> list[tuple[str, str]]:
        """The headers that the upstream saw, names in lower case."""
        assert self.by_upstream, f"not the upstream's answer: {self.status} {self.body[:200]!r}"
        return [(name.lower(), value) for name, value in self.json()["headers"]]


class ClosedError(Exception):
    """The connection ended before an answer was complete. `received`: the bytes that came."""

    def __init__(self, received: bytes = b"") -> None:
        super().__init__(f"closed after {received[:200]!r}")
        self.received = received


class Connection:
    """One connection to a gateway, kept alive until it is closed."""

    def __init__(self, address: tuple[str, int], patience: float = PATIENCE) -> None:
        self.socket = socket.create_connection(address, patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ahead = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, raw: bytes) -> Answer:
        """Send and read one answer. Raises ClosedError, TimeoutError."""
        # A server that has answered early may not read the rest: the answer counts, not that the rest could be sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(raw)
        return self.read()

    def read(self) -> Answer:
        """Read one answer."""
        data = self._ahead
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more(data)
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        status = int(lines[0].split()[1])
        known = dict(headers)
        start = end + 4
        if "content-length" in known:
            stop = start + int(known["content-length"])
            while len(data) < stop:
                data += self._more(data)
            body, self._ahead = data[start:stop], data[stop:]
        elif known.get("transfer-encoding") == "chunked":
            body, self._ahead = self._chunks(data[start:])
        else:
            body, self._ahead = b"", data[start:]
        last = known.get("connection", "close" if lines[0].startswith("HTTP/1.0") else "") == "close"
        return Answer(status, headers, body, last)

    def _chunks(self, data: bytes) -> tuple[bytes, bytes]:
        body = b""
        while True:
            while b"\r\n" not in data:
                data += self._more(data)
            size, _, data = data.partition(b"\r\n")
            length = int(size, 16)
            while len(data) < length + 2:
                data += self._more(data)
            body += data[:length]
            data = data[length + 2 :]
            if not length:
                return body, data

    def _more(self, received: bytes) -> bytes:
        try:
            chunk = self.socket.recv(65536)
        except ConnectionError as error:
            raise ClosedError(received) from error
        if not chunk:
            raise ClosedError(received)
        return chunk


def request(
    target: str | bytes = "/weather", headers: Iterable[Header] = (), *, method: str = "GET", body: bytes = b""
) -> bytes:
    """A request of these very bytes, with a Host header and, where there is a body, its length."""
    lines = [(b"Host", b"gateway.test"), *((_raw(name), _raw(value)) for name, value in headers)]
    if body:
        lines.append((b"Content-Length", b"%d" % len(body)))
    head = method.encode() + b" " + _raw(target) + b" HTTP/1.1\r\n"
    return head + b"".join(name + b": " + value + b"\r\n" for name, value in lines) + b"\r\n" + body


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
