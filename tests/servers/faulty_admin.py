"""Something between a client and an Admin API that hangs, breaks off, or answers for it, as a test says."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from tests.servers.process import PATIENCE

HANG = "hang"
"""Answers nothing, until the server ends."""
CUT = "cut"
"""Sends half of an answer."""

Fault = str | tuple[int, bytes] | None
"""What happens to a request: HANG, CUT, an answer of its own (status, body), or nothing out of the ordinary."""


class FaultyAdmin:
    """A server in front of the Admin API at `behind`. `requests` are those that came, `fault` judges each."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.fault: Callable[[str, str], Fault] = lambda _method, _path: None
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.ended = threading.Event()
        self.scheme = "http"
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                front.requests.append((self.command, self.path, dict(self.headers)))
                fault = front.fault(self.command, self.path)
                if fault == HANG:
                    front.ended.wait(PATIENCE)
                    self.close_connection = True
                elif fault == CUT:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
                    self.close_connection = True
                elif isinstance(fault, tuple):
                    self._answer(*fault)
                else:
                    with requests.request(
                        self.command, front.behind + self.path, data=body, headers=dict(self.headers), timeout=PATIENCE
                    ) as answer:
                        self._answer(answer.status_code, answer.content)

            do_GET = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815  as http.server calls them

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Say nothing: clients break off, and some are no clients of ours."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        host, port = self.server.server_address[:2]
        return f"{self.scheme}://{host!s}:{port}"

    def asked(self, method: str, path: str = "") -> int:
        """How often this was asked for."""
        return sum(1 for one, where, _ in self.requests if one == method and where.startswith(path))


@contextlib.contextmanager
def faulty_admin(behind: str, tls: ssl.SSLContext | None = None) -> Iterator[FaultyAdmin]:
    """Run one for the length of the block, over TLS where a context is given."""
    front = FaultyAdmin(behind)
    if tls is not None:
        front.scheme = "https"
        front.server.socket = tls.wrap_socket(front.server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=front.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        front.ended.set()
        front.server.shutdown()
        front.server.server_close()
        thread.join(PATIENCE)
