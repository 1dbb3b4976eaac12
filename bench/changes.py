"""From a change to the first refusal: by the writer, and from an edit of `apps.yaml` through the sync daemon."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from bench.kong import ALLOWED, Connection
from bench.servers import Server
from tests.servers.process import wait_until

_PROBES = 4
"""Connections that ask: they spread over the workers, and a change counts when all of them are refused."""
_PATIENCE = 20.0


class Delay(msgspec.Struct, frozen=True):
    """Milliseconds from just before the change was made until every probe was refused."""

    way: str
    changes: int
    p50_ms: float
    p99_ms: float
    most_ms: float


class Probes:
    """Requests over several connections, one after another without pause."""

    def __init__(self, server: Server, service_id: str) -> None:
        self._server = server
        target = server.target(service_id, Path())
        self._instance = target.instance
        self._connections = [Connection(target.socket, target.protocol) for _ in range(_PROBES)]

    def statuses(self, key: str) -> list[int]:
        """What each connection is answered."""
        headers = self._server.headers_with(key)
        return [connection.event(self._instance, headers) for connection in self._connections]

    def all_let_in(self, key: str) -> bool:
        """Say whether the key is good on every connection."""
        return all(status == ALLOWED for status in self.statuses(key))

    def until_refused(self, key: str) -> float:
        """Ask until all are refused; gives the time (`perf_counter`) at which the last of them was."""
        give_up = time.monotonic() + _PATIENCE
        while any(status == ALLOWED for status in self.statuses(key)):
            if time.monotonic() > give_up:
                raise RuntimeError(f"a revoked key was not refused within {_PATIENCE} s")
        return time.perf_counter()

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


def measure_delays(
    way: str,
    probes: Probes,
    keys: Sequence[str],
    revoke: Callable[[str], None],
    progress: Callable[[str], None],
) -> Delay:
    """Revoke one key after another."""
    delays: list[float] = []
    for number, key in enumerate(keys):
        progress(f"change {number + 1} of {len(keys)}, {way}")
        wait_until(partial(probes.all_let_in, key), "the key is let in", _PATIENCE)
        began = time.perf_counter()
        revoke(key)
        delays.append(1e3 * (probes.until_refused(key) - began))
    delays.sort()
    return Delay(way, len(delays), _quantile(delays, 0.5), _quantile(delays, 0.99), delays[-1])


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank quantile."""
    return ordered[max(0, -(-len(ordered) * round(100 * share) // 100) - 1)]


class AppsFile:
    """An `apps.yaml` whose every application has one key."""

    def __init__(self, path: Path, region: str, service_id: str, keys: Sequence[str]) -> None:
        self._path = path
        self._region = region
        self._service_id = service_id
        self._active = dict.fromkeys(keys, True)
        self.save()

    def revoke(self, key: str) -> None:
        """Mark the key as revoked and put the file in place in one step."""
        self._active[key] = False
        self.save()

    def save(self) -> None:
        """Write it."""
        lines = [
            '_format_version: "1.0"',
            f"region: {self._region}",
            "auth_strategies:",
            "  - {name: keys, strategy_type: key_auth}",
            "apis:",
            "  - name: Weather API",
            "    version: v1",
            f"    implementations: [{{service: {{id: {self._service_id}}}}}]",
            "portals:",
            "  - name: Production",
            "    default_auth_strategy: keys",
            "    publications: [{api: Weather API v1}]",
            "    teams: [{name: all}]",
            "    applications:",
        ]
        for number, (key, active) in enumerate(self._active.items()):
            status = "active" if active else "revoked"
            lines.append(
                f"      - {{name: app-{number}, team: all, registrations: [{{api: Weather API v1, status: approved}}],"
                f" credentials: [{{name: k, key: {key}, status: {status}}}]}}"
            )
        new = self._path.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        new.replace(self._path)
