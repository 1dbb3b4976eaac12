"""What the servers have in common: HTTP, requests that were asked, and failing on command."""

import contextlib
import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

HUGE = (1 << 20) + 1
"""Bytes of an answer that is too long."""
RETRY_AFTER = 17


class Refused(Exception):  # noqa: N818  says what it is
    """The answer of a server that does not do what it was asked: a status and a body."""

    def __init__(self, status: int, body: Any, **headers: str) -> None:
        super().__init__(status)
        self.reply = Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class Reply(msgspec.Struct, frozen=True):
    """`body` is sent as JSON, bytes as they are, None not at all."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}


class Request(msgspec.Struct, frozen=True):
    """A request as it came; names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def json(self) -> Any:
        """The JSON in it. Raises ValueError where it is none, or its type says that it is none."""
        if self.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise ValueError("no JSON")
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """The form in it. Raises ValueError."""
        if self.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise ValueError("no form")
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))

    def bearer(self) -> str:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else ""


class Fault(msgspec.Struct, frozen=True):
    """What happens to the next request whose method and path hold these.

    `throttle`: 429. `refuse`: 400. `break`: 500, and it is not done. `nonsense`: it is done, and answered with HTML.
    `cut`: it is done, and the connection ends unanswered. `mute`: it is done, and never answered. `huge`: an answer of
    more than a megabyte. `redirect`: 302. `echo`: 400 with all that was sent in the error. `empty`: done, answered {}.
    """

    kind: str
    method: str
    path: str


class Server(Protocol):
    """What a provider is: it answers requests. `error` gives the body of an error as this provider writes them."""

    url: str

    def answer(self, request: Request) -> Reply: ...

    def error(self, status: int, text: str) -> Any: ...


S = TypeVar("S", bound=Server)


class Front:
    """The HTTP in front of a provider: what was asked, and what goes wrong next."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.asked: list[Request] = []
        self.faults: list[Fault] = []
        self.ended = threading.Event()
        self.lock = threading.RLock()

    def fail(self, kind: str, method: str = "", path: str = "") -> None:
        """Let the next request of this kind go wrong."""
        self.faults.append(Fault(kind, method, path))

    def fault(self, request: Request) -> str:
        """Take the fault that is meant for a request; "" where there is none."""
        with self.lock:
            for fault in self.faults:
                if fault.method in ("", request.method) and fault.path in request.target:
                    self.faults.remove(fault)
                    return fault.kind
            return ""

    def answer(self, request: Request) -> Reply:
        with self.lock:
            self.asked.append(request)
            try:
                return self.server.answer(request)
            except Refused as refused:
                return refused.reply

    def conduct(self, request: Request) -> Reply | None:
        """Answer a request, or do what was commanded; None: the connection ends without a word."""
        error = self.server.error
        match self.fault(request):
            case "throttle":
                return Reply(429, error(429, "too many requests"), {"Retry-After": str(RETRY_AFTER)})
            case "refuse":
                return Reply(400, error(400, "not as it should be"))
            case "break":
                return Reply(500, error(500, "something broke"))
            case "echo":
                sent = json.dumps(request.headers) + request.body.decode()
                return Reply(400, error(400, sent))
            case "huge":
                return Reply(200, b" " * HUGE)
            case "redirect":
                return Reply(302, None, {"Location": self.server.url + "/elsewhere"})
            case "nonsense":
                self.answer(request)
                return Reply(200, b"<html>")
            case "empty":
                self.answer(request)
                return Reply(200, {})
            case "cut":
                self.answer(request)
                return None
            case "mute":
                self.answer(request)
                self.ended.wait(30)
                return None
            case _:
                return self.answer(request)


@contextlib.contextmanager
def serving(server: S) -> Generator[tuple[S, Front]]:
    """Start a provider on a free port, set its `url`, and stop it whatever happens."""
    front = Front(server)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = front.conduct(Request(self.command, self.path, headers, body))
            if reply is None:
                self.close_connection = True
                return
            data = b"" if reply.body is None else reply.body if isinstance(reply.body, bytes) else _json(reply.body)
            with contextlib.suppress(OSError):
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  the library's names

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True  # connections that are kept open end with their clients
    http.block_on_close = False
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server, front
    finally:
        front.ended.set()
        http.shutdown()
        thread.join()
        http.server_close()


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()
