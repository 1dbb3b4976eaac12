"""What the daemon counts, for Prometheus."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server


class SyncMetrics:
    """The metrics of one daemon, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.leader = Gauge(
            "app_auth_sync_leader", "1 where this daemon is the one that writes.", registry=self.registry
        )
        self.redis_up = Gauge(
            "app_auth_sync_redis_up", "1 where the last exchange with Redis went well.", registry=self.registry
        )
        self.seq = Gauge(
            "app_auth_sync_registry_seq", "Number of the last batch in the registry.", registry=self.registry
        )
        self.changes = Counter(
            "app_auth_sync_changes", "Changes that this daemon wrote to the registry.", registry=self.registry
        )
        self.refused_edits = Counter(
            "app_auth_sync_refused_edits", "Versions of the source that were refused.", registry=self.registry
        )
        self.source_good = Gauge(
            "app_auth_sync_source_good", "1 where the newest version of the source is in force.", registry=self.registry
        )
        self.last_success = Gauge(
            "app_auth_sync_last_success_timestamp_seconds",
            "When this daemon last wrote to the registry, a heartbeat counted, as Unix time.",
            registry=self.registry,
        )

    def succeeded(self) -> None:
        """Note that a write or a heartbeat went well, now."""
        self.last_success.set(time.time())


@contextmanager
def exposed(metrics: SyncMetrics, address: tuple[str, int] | None) -> Generator[None]:
    """Serve the metrics over HTTP on host and port while the block runs; None: nowhere. Raises OSError."""
    if address is None:
        yield
        return
    host, port = address
    server, thread = start_http_server(port, host, registry=metrics.registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
