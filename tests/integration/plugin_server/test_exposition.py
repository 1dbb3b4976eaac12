"""The metrics server of a supervisor that is being made."""

import contextlib
import socket

from plugin_server.exposition import Exposition, Report
from tests.servers.process import PATIENCE


def test_early_scraper_waits_until_there_is_something_to_report() -> None:
    made = False

    def report() -> Report:
        assert made
        return Report(counts={}, definitions={}, workers=0, connections=0, waiting_for="the first worker")

    with contextlib.closing(Exposition("127.0.0.1:0", report)) as exposition:
        with socket.create_connection(("127.0.0.1", exposition.port), PATIENCE) as scraper:
            scraper.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            made = True
            exposition.start()
            received = b""
            while chunk := scraper.recv(65536):
                received += chunk
        assert received.startswith(b"HTTP/1.0 200")
        assert b"plugin_server_ready 0.0" in received


def test_metrics_server_that_never_started_can_be_closed() -> None:
    Exposition("127.0.0.1:0", lambda: None).close()  # type: ignore[arg-type,return-value]  # never called
