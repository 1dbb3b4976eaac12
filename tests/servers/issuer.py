"""An identity provider that behaves as badly as it is told: a real HTTP or HTTPS server of ours.

It publishes a discovery document and keys, and answers each path as its `Conduct` says. How a well-kept provider
behaves is tested with `identity_provider`, which is npm's.
"""

import base64
import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key

from tests.servers.process import PATIENCE
from tests.servers.tls import Certificates

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/jwks"
HUNDRED_MB = 100 * 1024 * 1024
_PIECE = b"x" * 65536


class Conduct(msgspec.Struct, frozen=True):
    """How a path is answered: at once with these, unless one of the switches says otherwise.

    `hang`: nothing at all. `drip`: a byte now and then; `drip_head`: in the midst of the headers. `endless`:
    so many bytes. `announce`: what Content-Length says instead of the truth. `close_after`: the connection is closed
    without a word of it. Hanging and dripping end when a test has lost its patience.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = {}
    hang: bool = False
    drip: bool = False
    drip_head: bool = False
    endless: int = 0
    announce: int | None = None
    close_after: bool = False


class Asked(msgspec.Struct, frozen=True):
    """A request as it came, and the number of the connection that it came by."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


class IssuerServer:
    """What it was asked, and how it answers by path; what is not in `conduct` is answered with 404."""

    def __init__(self, port: int, secure: bool) -> None:
        self.port = port
        self.issuer = f"{'https' if secure else 'http'}://{'localhost' if secure else '127.0.0.1'}:{port}"
        self.asked: list[Asked] = []
        self.connections = 0
        self.sent = 0
        self.ended = threading.Event()
        self.conduct: dict[str, Conduct] = {}
        self.publish(new_key("first"))

    def url(self, path: str) -> str:
        return self.issuer + path

    def answer(self, path: str, body: object = b"", /, **conduct: Any) -> None:
        """Answer a path so from now on; what is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.conduct[path] = Conduct(body=data, **conduct)

    def publish(self, *keys: dict[str, Any], **conduct: Any) -> None:
        """Answer as an issuer of these JWKs does."""
        self.answer(DISCOVERY, self.document())
        self.answer(JWKS, {"keys": list(keys)}, **conduct)

    def document(self, **changed: object) -> dict[str, object]:
        """The discovery document."""
        return {
            "issuer": self.issuer,
            "jwks_uri": self.url(JWKS),
            "token_endpoint": self.url("/token"),
            "introspection_endpoint": self.url("/introspect"),
            **changed,
        }

    def times(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(one.path == path for one in list(self.asked))


def new_key(kid: str, **more: object) -> dict[str, Any]:
    """A public JWK for ES256, of a fresh key."""
    return public_jwk(generate_private_key(SECP256R1()), kid=kid, alg="ES256", use="sig", **more)


def public_jwk(key: EllipticCurvePrivateKey, **more: object) -> dict[str, Any]:
    """The public half of a key for P-256 as a JWK."""
    point = key.public_key().public_numbers()
    coordinates = {name: base64url(getattr(point, name).to_bytes(32, "big")) for name in ("x", "y")}
    return {"kty": "EC", "crv": "P-256", **coordinates, **more}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def setup(self) -> None:
        self.server.kept.connections += 1
        self.number = self.server.kept.connections
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def _answer(self) -> None:
        kept = self.server.kept
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        headers = {name.lower(): self.headers[name] for name in self.headers}
        kept.asked.append(Asked(self.command, self.path, headers, body, self.number))
        conduct = kept.conduct.get(self.path, Conduct(status=404))
        if conduct.hang:
            kept.ended.wait(PATIENCE)
            self.close_connection = True
            return
        if conduct.drip_head:
            self.connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            self._drip()
            return
        self.send_response(conduct.status)
        for name, value in conduct.headers.items():
            self.send_header(name, value)
        length = conduct.endless or len(conduct.body)
        if conduct.drip:
            length = 1_000_000
        if "Transfer-Encoding" not in conduct.headers:
            self.send_header("Content-Length", str(length if conduct.announce is None else conduct.announce))
        self.end_headers()
        if conduct.drip:
            self._drip()
        elif conduct.endless:
            for _ in range(conduct.endless // len(_PIECE)):
                self.wfile.write(_PIECE)
                kept.sent += len(_PIECE)
        else:
            self.wfile.write(conduct.body)
        if conduct.close_after or conduct.announce is not None:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  the names are of http.server

    def _drip(self) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self.server.kept.ended.wait(0.02):
            self.connection.sendall(b" ")

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    kept: IssuerServer

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.open: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, address = super().get_request()
        self.open.append(accepted)
        return accepted, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what is tested."""


@contextlib.contextmanager
def issuer_server(certificates: Certificates | None = None) -> Generator[IssuerServer]:
    """Start one, and stop it whatever happens. `certificates`: it speaks HTTPS, as `localhost`."""
    server = _Server()
    if certificates is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.certificate, certificates.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.kept = IssuerServer(server.server_address[1], certificates is not None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.kept
    finally:
        server.kept.ended.set()
        server.shutdown()
        thread.join()
        for one in server.open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)
        server.server_close()
