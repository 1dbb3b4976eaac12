"""What a portal counts, for Prometheus."""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)


class PortalMetrics:
    """The metrics of one portal, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "app_auth_portal_requests",
            "Requests that were answered, by method and status.",
            ("method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "app_auth_portal_request_seconds",
            "Seconds from a request to the end of its answer, but for those of the feed, which wait on purpose.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.waiting = Gauge(
            "app_auth_portal_feed_waiting", "Daemons that wait for changes of the feed.", registry=self.registry
        )
        self.seq = Gauge(
            "app_auth_portal_feed_seq", "Number of a region's last change.", ("region",), registry=self.registry
        )


class Counted:
    """Middleware that counts every request of `app`."""

    def __init__(self, app: ASGIApp, metrics: PortalMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        begin = time.perf_counter()
        try:
            await self._app(scope, receive, noted)
        finally:
            # Any word may be a method; a label must not be.
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.requests.labels(method, status).inc()
            if not scope["path"].startswith("/internal/"):
                self._metrics.seconds.observe(time.perf_counter() - begin)
