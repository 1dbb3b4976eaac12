"""A sample upstream: answers every request with what it was sent, so that one sees what the gateway adds.

`upstream.py HOST:PORT`. For trying out only.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    """Answers with method, path and headers."""

    protocol_version = "HTTP/1.1"
    timeout = 60.0

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        while length > 0 and (piece := self.rfile.read(min(length, 65536))):
            length -= len(piece)
        body = json.dumps(
            {"method": self.command, "path": self.path, "headers": dict(self.headers.items())}, indent=1
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  the names are http.server's

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what is sent here may be anything."""


def main() -> None:
    """Serve until the process is ended."""
    host, _, port = sys.argv[1].rpartition(":")
    ThreadingHTTPServer((host, int(port)), Echo).serve_forever()


if __name__ == "__main__":
    main()
