"""The plugin over a real replica, with the time standing still."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from kong_app_auth import plugin
from kong_app_auth.admission.consumers import Consumers
from kong_app_auth.replica.reader import Replica
from plugin_server.channel import EventEndedError
from tests.servers.copies import make_replica
from tests.servers.samples import SERVICE
from tests.unit.plugin.stage import NOW, PEOPLE, FakeKong, Outcome, contents

Ask = Callable[..., Outcome]


@pytest.fixture(scope="session")
def replica_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("plugin") / "replica"
    make_replica(directory, contents(), heard=NOW)
    return directory


@pytest.fixture
def use_replica(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Replica]]:
    """Have the plugin read from another directory."""
    used: list[Replica] = []

    def use(directory: Path) -> Replica:
        for one in used:
            one.close()
        replica = Replica(directory)
        used.append(replica)
        monkeypatch.setattr(plugin, "_replica", replica)
        monkeypatch.setattr(plugin, "_oauth", plugin._oauth_admission(replica))
        return replica

    yield use
    for one in used:
        one.close()


@pytest.fixture
def set_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass since the region was last heard of."""
    return lambda since: monkeypatch.setattr(plugin, "time", lambda: NOW + since)


@pytest.fixture
def unknown_keys() -> list[str]:
    """The issuers that were reported to the daemon."""
    return []


@pytest.fixture
def ask(
    replica_directory: Path,
    use_replica: Callable[[Path], Replica],
    set_time: Callable[[float], None],
    unknown_keys: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Ask:
    """`ask(headers, config…, kong=…, instance=…)` puts a request through the plugin."""
    set_time(0)
    monkeypatch.setattr(plugin, "_consumers", Consumers())
    log: list[Any] = []
    reported: list[Any] = []

    class Log:
        def add(self, at: float, refusal: Any) -> None:
            log.append(refusal)

    monkeypatch.setattr(plugin, "_refusals", Log())
    reports = SimpleNamespace(allowed=reported.append, refused=reported.append, unknown_key=unknown_keys.append)
    monkeypatch.setattr(plugin, "_reports", reports)
    use_replica(replica_directory)

    def asked(
        headers: Mapping[str, Any] | None = None,
        *,
        kong: FakeKong | None = None,
        instance: plugin.Plugin | None = None,
        **config: Any,
    ) -> Outcome:
        kong = kong or FakeKong(headers)
        made = instance or plugin.Plugin({"region": "eu", "service_id": SERVICE, **config})
        log.clear()
        reported.clear()
        try:
            made.access(kong)
        except EventEndedError:
            assert kong.names[-1] == "response.exit"
        status, body, answer_headers = (
            kong.arguments("response.exit") if "response.exit" in kong.names else (None, b"null", {})
        )
        upstream = (
            kong.arguments("service.request.set_headers")[0] if "service.request.set_headers" in kong.names else {}
        )
        return Outcome(
            kong,
            status,
            msgspec.json.decode(body),
            answer_headers,
            upstream,
            [msgspec.structs.asdict(one) for one in log],
            list(reported),
        )

    return asked


@pytest.fixture
def key() -> Callable[[str], dict[str, str]]:
    """The header with the key of one of PEOPLE."""
    return lambda name: {"apikey": PEOPLE[name].key}
