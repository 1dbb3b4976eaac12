"""A receiver of webhooks: a real HTTP server that keeps what it got, and answers as it is told."""

import contextlib
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec


class Received(msgspec.Struct, frozen=True):
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """What came, and what is answered: `answers` first, one a request, then 200. `gate`: answers wait for it."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.port = 0

    def url(self, path: str = "/audit?source=portal") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, *codes: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.answers += [(code, headers or {}, body) for code in codes]


@contextlib.contextmanager
def receiver() -> Generator[Receiver]:
    """Start one, and stop it whatever happens."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            kept.received.append(Received(self.path, {name.lower(): self.headers[name] for name in self.headers}, body))
            kept.gate.wait(30)
            code, headers, text = kept.answers.pop(0) if kept.answers else (200, {}, b"")
            with contextlib.suppress(OSError):  # the client reads no body, and may be gone by then
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

        def do_GET(self) -> None:  # what a redirect that is followed would become
            self.do_POST()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield kept
    finally:
        kept.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
