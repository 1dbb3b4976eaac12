"""A bridge for dynamic client registration, as an operator may write one to Konnect's API: a real HTTP server."""

import contextlib
import json
import secrets
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API_KEY = "bridge_key_of_the_tests"


class Bridge:
    """The clients that it has made, by id, and what it heard. `trouble`: what happens to the next requests, in turn.

    `refuse`: 400. `break`: 500. `nonsense`: 200 with no JSON. `cut`: it is done, and the connection ends unanswered.
    """

    def __init__(self) -> None:
        self.clients: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.trouble: list[str] = []
        self.lock = threading.Lock()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def heard(self, *names: str) -> list[tuple[Any, ...]]:
        """The events, each as the fields `names`."""
        return [tuple(event.get(name) for name in names) for event in self.events]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Do what the API says."""
        client_id, _, action = path.strip("/").partition("/")
        with self.lock:
            if (method, path) == ("POST", "/"):
                made = {"client_id": f"client-{secrets.token_hex(8)}", "client_secret": secrets.token_urlsafe(16)}
                self.clients[made["client_id"]] = {**body, **made, "more": {}}
                return 201, made
            client = self.clients.get(client_id)
            if client is None:
                return 404, {"message": "there is no such client"}
            match method, action.split("/"):
                case "DELETE", [""]:
                    del self.clients[client_id]
                    return 204, None
                case "POST", ["new-secret"]:
                    client["client_secret"] = secrets.token_urlsafe(16)
                    return 200, {"client_id": client_id, "client_secret": client["client_secret"]}
                case "POST", ["event-hook"]:
                    self.events.append({**body, "client_id": client_id})
                    return 200, {}
                case "POST", ["credentials"]:
                    more = {"id": secrets.token_hex(4), "client_secret": secrets.token_urlsafe(16)}
                    client["more"][more["id"]] = more["client_secret"]
                    return 201, {**more, "client_id": client_id}
                case "DELETE", ["credentials", secret_id]:
                    return (204, None) if client["more"].pop(secret_id, None) else (404, {"message": "no such secret"})
                case _:
                    return 404, {"message": "there is no such operation"}


@contextlib.contextmanager
def dcr_bridge(special: Bridge | None = None) -> Generator[Bridge]:
    """Start one on a free port, and stop it whatever happens. `special`: one that behaves otherwise."""
    bridge = special or Bridge()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("X-API-KEY") != API_KEY:
                return self._send(401, {"message": "wrong key"})
            trouble = bridge.trouble.pop(0) if bridge.trouble else ""
            if trouble in ("refuse", "break"):
                return self._send(400 if trouble == "refuse" else 500, {"error": "invalid_client_metadata"})
            status, body = bridge.answer(self.command, self.path, json.loads(text) if text else None)
            if trouble == "cut":
                self.close_connection = True
                return None
            return self._send(status, b"<html>" if trouble == "nonsense" else body)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815  the library's names

        def _send(self, status: int, body: Any) -> None:
            data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    bridge.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield bridge
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
