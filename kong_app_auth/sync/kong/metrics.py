"""What a daemon counts of the Kongs that it manages, for Prometheus."""

import time
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge

from kong_app_auth.sync.kong.outcome import Pass, State

_SHOWN = (State.ENFORCED, State.BLOCKED, State.PENDING, State.FAILED)


class KongMetrics:
    """The metrics of all gateways of a daemon, in its registry; each has the label `gateway`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["gateway"]
        self.up = Gauge(
            "app_auth_sync_kong_up", "1 where the last look at a gateway came to its end.", labels, registry=registry
        )
        self.services = Gauge(
            "app_auth_sync_kong_services",
            "Gateway Services of a gateway, by how they stand.",
            [*labels, "state"],
            registry=registry,
        )
        self.changes = Counter(
            "app_auth_sync_kong_changes",
            "Plugins and configurations that were put or removed.",
            labels,
            registry=registry,
        )
        self.put_back = Counter(
            "app_auth_sync_kong_put_back",
            "Changes by another hand that were undone, of those the daemon saw while it ran.",
            labels,
            registry=registry,
        )
        self.failures = Counter(
            "app_auth_sync_kong_failures",
            "Looks at a gateway that did not come to their end.",
            labels,
            registry=registry,
        )
        self.checked = Gauge(
            "app_auth_sync_kong_checked_timestamp_seconds",
            "When a look at a gateway last came to its end, as Unix time.",
            labels,
            registry=registry,
        )

    def passed(self, gateway: str, found: Pass) -> None:
        """Note what a look at a gateway came to."""
        self.up.labels(gateway).set(found.failure is None)
        if found.failure is None:
            self.checked.labels(gateway).set(time.time())
        self.failures.labels(gateway).inc(found.failure is not None)
        self.changes.labels(gateway).inc(found.changed)
        self.put_back.labels(gateway).inc(len(found.put_back))
        for state in _SHOWN:
            count = sum(1 for one in found.services.values() if one.state is state)
            self.services.labels(gateway, state.value).set(count)

    def left(self, gateway: str) -> None:
        """Note that another daemon looks after a gateway: what is known of it here grows old."""
        with suppress(KeyError):
            self.up.remove(gateway)
        for state in _SHOWN:
            with suppress(KeyError):
                self.services.remove(gateway, state.value)
