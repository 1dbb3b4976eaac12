"""The whole way: what is linked in the portal carries the plugin in Kong, and the portal hears how that went."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.apis import Api, Implementation, Publication
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.sync.kong.entities import APP_AUTH, plugin_id
from kong_app_auth.sync.kong.gateways import Gateway
from kong_app_auth.sync.kong.managed import ManagedGateways
from tests.control_plane.clients import Clients
from tests.control_plane.live import served
from tests.control_plane.region import Region
from tests.control_plane.settings import FEED_TOKEN, REGION, Clock, control_plane, sqlite
from tests.servers.faulty_admin import faulty_admin
from tests.servers.managed_kong import ManagedKong, contents, service_id
from tests.servers.process import end, start, wait_until
from tests.servers.redis import RedisServer

ROOT = Path(__file__).parents[4]


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with control_plane(sqlite(tmp_path), Clock()) as made:
        yield made


def make_service(kong: ManagedKong, one: str) -> None:
    kong("PUT", f"/services/{one}", json={"name": one, "url": "http://127.0.0.1:1"})


@pytest.fixture
def region(plane: ControlPlane, kong: ManagedKong) -> Iterator[Region]:
    """A region whose API is linked to a service of the Kong."""
    made = Region(plane)
    make_service(kong, made.service)
    yield made
    kong("DELETE", f"/plugins/{plugin_id(REGION, made.service, APP_AUTH)}")
    kong("DELETE", f"/services/{made.service}")


@pytest.fixture
def daemon(
    valkey: RedisServer, tmp_path: Path, plane: ControlPlane, kong: ManagedKong, region: Region
) -> Iterator[subprocess.Popen[bytes]]:
    file = tmp_path / "kong.yaml"
    file.write_text(f"gateways: [{{name: edge, admin_url: '{kong.admin_url}'}}]\n")
    assert region.plane is plane
    with served(plane) as url:
        settings = {"REGION": REGION, "REDIS_URL": valkey.url, "PORTAL_URL": url, "FEED_TOKEN": FEED_TOKEN}
        environment = {f"APP_AUTH_{name}": value for name, value in (settings | {"KONG_FILE": str(file)}).items()}
        command = [sys.executable, "-P", "-m", "kong_app_auth.cli", "sync"]
        process = start(command, tmp_path / "sync.log", cwd=ROOT, env={**os.environ, **environment})
        try:
            yield process
        finally:
            end(process)


def test_what_is_linked_carries_the_plugin_and_the_portal_hears_of_it(
    daemon: subprocess.Popen[bytes], kong: ManagedKong, plane: ControlPlane, region: Region, tmp_path: Path
) -> None:
    operator = Clients(plane).operator()

    def gateways() -> dict[str, Any]:
        found: dict[str, Any] = operator.get("/v3/kong-gateways")
        return found

    wait_until(lambda: region.service in kong.carried(), f"the plugin is there: {tmp_path}/sync.log")
    wait_until(lambda: gateways()["services"].get("enforced") == 1, "the portal knows")
    assert [(one["name"], one["error"], one["drift"]) for one in gateways()["gateways"]] == [("edge", None, 0)]
    # Another API is linked to a service that no Kong has.
    api, missing = new_id(), new_id()
    region.add(
        Api(id=api, region=REGION, name="Maps", version="v1", slug="maps-v1"),
        Publication(api_id=api, portal_id=region.portal, auth_strategy_id=region.strategy),
        Implementation(region=REGION, api_id=api, control_plane_id=new_id(), service_id=missing),
    )

    def error() -> Any:
        (linked,) = (one for one in operator.get("/v3/api-implementations")["data"] if one["api_id"] == api)
        return linked["service"]["auth_strategy_sync_error"]

    wait_until(error, "the error is shown")
    assert error()["control_plane_error"] == "control_plane_error_implementation_not_found"
    with region.write() as tx:
        for implementation in tx.session.query(Implementation).filter_by(service_id=region.service):
            tx.session.delete(implementation)
    wait_until(lambda: region.service not in kong.carried(), "the plugin is gone")
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(20) == 0


def test_only_the_daemon_that_leads_works_on_kong(kong: ManagedKong) -> None:
    with faulty_admin(kong.admin_url) as front:
        leader, standby = CollectorRegistry(), CollectorRegistry()
        leading = ManagedGateways((Gateway(name="edge", admin_url=kong.admin_url),), REGION, leader, check_every=0.05)
        waiting = ManagedGateways((Gateway(name="edge", admin_url=front.url),), REGION, standby, check_every=0.05)
        wanted = contents({1}, {0: 1})
        with leading.running(), waiting.running(), _led(leading):
            for one in (leading, waiting):
                one.learn(wanted, None)
            wait_until(kong.carried, "the plugin is there")
            # Drift is put back at the next look, and counted.
            kong("DELETE", f"/plugins/{plugin_id(REGION, service_id(0), APP_AUTH)}")
            count = "app_auth_sync_kong_put_back_total"
            wait_until(lambda: leader.get_sample_value(count, {"gateway": "edge"}) == 1, "it was put back")
            assert set(kong.carried()) == {service_id(0)}
            assert leader.get_sample_value("app_auth_sync_kong_up", {"gateway": "edge"}) == 1
            states = {"gateway": "edge", "state": "enforced"}
            assert leader.get_sample_value("app_auth_sync_kong_services", states) == 1
            assert front.requests == []
            # The other one takes over, and finds everything in order.
            with _led(waiting):
                wait_until(lambda: len(front.requests) > 3, "the other one looks")
            assert {method for method, _, _ in front.requests} == {"GET"}


class _led:  # noqa: N801  reads like what it is
    """The daemon's turns, for as long as the block runs."""

    def __init__(self, managed: ManagedGateways) -> None:
        self._managed = managed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick)

    def _tick(self) -> None:
        client: Any = None  # it is not used
        while not self._stop.wait(0.01):
            self._managed.tick(client)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
