"""What a daemon counts of its portal, for Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge


class PortalMetrics:
    """The metrics of one portal, in the registry of the daemon's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._in_step = time.monotonic()
        self.up = Gauge(
            "app_auth_sync_portal_up", "1 where the last exchange with the portal went well.", registry=registry
        )
        self.lag = Gauge(
            "app_auth_sync_portal_lag_seconds",
            "Since when changes of the portal may be missing: seconds since it last said that there were no more. "
            "In health at most about as long as the daemon lets itself be kept waiting.",
            registry=registry,
        )
        self.lag.set_function(lambda: time.monotonic() - self._in_step)
        self.snapshots = Counter(
            "app_auth_sync_portal_snapshots", "Snapshots that were taken of the portal.", registry=registry
        )

    def in_step(self) -> None:
        """Note that the portal answered, and that its answer was taken over."""
        self.up.set(1)
        self._in_step = time.monotonic()
