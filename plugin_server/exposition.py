"""What the server tells the outside: `/metrics` in Prometheus' format and `/ready`, over HTTP on a local address."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from plugin_server.metrics import Definition, Key


class Report(msgspec.Struct, frozen=True):
    """The server as it is now. `waiting_for` is None when it is ready."""

    counts: dict[Key, float]
    definitions: dict[str, Definition]
    workers: int
    connections: int
    waiting_for: str | None


class _Counts(Collector):
    """Counters from the workers, gauges from the supervisor."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        report = self._report
        families = {
            name: CounterMetricFamily(name, definition.help, labels=definition.labels)
            for name, definition in report.definitions.items()
        }
        for (name, *labels), value in sorted(report.counts.items()):
            if name in families:
                families[name].add_metric(labels, value)
        yield from families.values()
        yield GaugeMetricFamily("plugin_server_workers", "Workers that answer.", value=report.workers)
        yield GaugeMetricFamily("plugin_server_connections", "Open connections of Kong.", value=report.connections)
        yield GaugeMetricFamily(
            "plugin_server_ready", "1 when requests can be served.", value=float(report.waiting_for is None)
        )


def render(report: Report) -> bytes:
    """Write a report in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counts(report))
    return generate_latest(registry)


class Exposition:
    """The HTTP server, in threads of its own. It listens from the beginning and answers from `start` on."""

    def __init__(self, address: str, report: Callable[[], Report]) -> None:
        host, _, port = address.rpartition(":")
        handler = type("Handler", (_Handler,), {"report": staticmethod(report)})
        self._server = _Server(host.strip("[]") or "127.0.0.1", int(port), handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="exposition", daemon=True)

    def start(self) -> None:
        """Answer: `report` is called from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the DNS for the name of this machine.
        socketserver.TCPServer.server_bind(self)


class _Handler(BaseHTTPRequestHandler):
    report: Callable[[], Report]
    timeout = 5.0
    server_version = "plugin-server"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, render(self.report()))
        elif self.path == "/ready":
            waiting_for = self.report().waiting_for
            body = msgspec.json.encode({"ready": waiting_for is None, "waiting_for": waiting_for})
            self._answer(200 if waiting_for is None else 503, "application/json", body)
        else:
            self._answer(404, "application/json", b'{"message":"Not found"}')

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a probe every second is not worth a line."""

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
