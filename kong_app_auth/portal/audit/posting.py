"""One POST to an address that an operator gave, with an end to it.

It is made with the standard library's client, for that lets us close the connection under a server that keeps it open
byte by byte: a limit for each read alone would let such a server hold us for hours. Redirects are not followed, proxies
of the environment are not used, no credentials are sent, and of the answer only the status line and headers are read.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

import msgspec

CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 10.0
MAX_MESSAGE: Final = 255
MAX_DIGITS: Final = 10


class Answer(msgspec.Struct, frozen=True):
    """What came of a POST. `code` None: no answer; `message` says why, or is the answer's reason phrase.

    `retry_after`: seconds that the receiver asks us to wait (RFC 9110, 10.2.3); its other form, a date, is not read.
    """

    code: int | None
    message: str
    retry_after: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether the receiver has taken it."""
        return self.code is not None and 200 <= self.code < 300


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    context: ssl.SSLContext | None = None,
    total: float = TOTAL_SECONDS,
) -> Answer:
    """Send `body`; never raises for what the other side does. `total`: seconds for all of it. Of `context`: for TLS."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with contextlib.closing(_Connection(parts.scheme, parts.hostname or "", parts.port, context)) as connection:
            guard = threading.Timer(total, connection.cut)
            guard.daemon = True
            guard.start()
            try:
                connection.request("POST", target, body, dict(headers))
                response = connection.getresponse()
                with contextlib.closing(response):
                    if connection.was_cut:  # in the midst of the headers, which reads as their end
                        raise TimeoutError
                    return Answer(
                        response.status, _printable(response.reason), _seconds(response.getheader("Retry-After"))
                    )
            finally:
                guard.cancel()
    except (OSError, HTTPException, ValueError) as error:
        # Not the error's text: it may hold the address, and with it what somebody hid in there.
        return Answer(None, f"no answer ({type(error).__name__})")


def _seconds(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < MAX_DIGITS else None


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:MAX_MESSAGE]


class _Connection(HTTPConnection):
    """A connection that another thread may cut, while TLS is being agreed on too."""

    def __init__(self, scheme: str, host: str, port: int | None, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port or (443 if scheme == "https" else 80), timeout=CONNECT_SECONDS)
        self._context = (context or ssl.create_default_context()) if scheme == "https" else None
        self._open: socket.socket | None = None
        self.was_cut = False

    def connect(self) -> None:
        self.sock = opened = socket.create_connection((self.host, self.port), CONNECT_SECONDS)
        if self._context is not None:
            opened = self._context.wrap_socket(opened, server_hostname=self.host, do_handshake_on_connect=False)
        self._open = self.sock = opened
        if self.was_cut:
            raise TimeoutError
        opened.settimeout(TOTAL_SECONDS)
        if isinstance(opened, ssl.SSLSocket):
            opened.do_handshake()

    def cut(self) -> None:
        """End whatever the connection is waiting for."""
        self.was_cut = True
        if self._open is not None:
            with contextlib.suppress(OSError):
                # The plain socket's: that of TLS takes its own state away, which the other thread is using.
                socket.socket.shutdown(self._open, socket.SHUT_RDWR)
