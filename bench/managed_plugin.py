"""`python -m bench.managed_plugin [--quick] [--results DIRECTORY]`: what keeping the plugin in Kong costs.

Two figures: a look at a Kong with 1,000 linked services where nothing is to be done, in seconds and in requests; and
the time from the portal's answer to a link until the gateway refuses who has no key. The Kong is the development
gateway, as a process of its own with a database in memory. Nobody answers at its plugin server's socket: what is
measured is when Kong begins to ask, and without an answer it refuses too.
"""

import argparse
import contextlib
import logging
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import requests
import structlog
import yaml
from rich.console import Console
from rich.markdown import Markdown

from bench import machine
from kong_app_auth.devgateway import GatewaySettings
from kong_app_auth.sync.kong.admin_api import PAGE, Access, AdminApi
from kong_app_auth.sync.kong.plan import Policy
from kong_app_auth.sync.kong.traditional import TraditionalKong
from kong_app_auth.sync.kong.wanted import Wanted
from tests.servers.gateway import sample_upstream
from tests.servers.managed_kong import plugin_settings, service_id
from tests.servers.process import end, free_port, start, wait_until
from tests.system.portal_path import PortalPath, portal_path
from tests.system.scene import REGION

_RESULTS = Path(__file__).parent / "results"
_ROOT = Path(__file__).parents[1]
_CONTROL_PLANE = "c0000000-0000-4000-8000-000000000000"
_PATIENCE = 20.0
LOOK_BAR_S = 3.0
LINK_BAR_MS = 2000.0


class Plan(msgspec.Struct, frozen=True):
    """How much of everything."""

    name: str
    services: int
    looks: int
    links: int


FULL = Plan("full", 1_000, 10, 30)
QUICK = Plan("quick", 100, 3, 3)


class Looks(msgspec.Struct, frozen=True):
    """Looks in which nothing was to be done: median and longest, in seconds; `calls` of the last.

    `first_s`: the look that put all plugins.
    """

    services: int
    first_s: float
    median_s: float
    most_s: float
    calls: int
    pages: int


class Links(msgspec.Struct, frozen=True):
    """Milliseconds from the portal's answer to a link until the gateway refuses."""

    links: int
    p50_ms: float
    most_ms: float


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All of a run."""

    plan: str
    machine: machine.Machine
    seconds: float
    looks: Looks
    links: Links

    @property
    def within_bars(self) -> bool:
        """Whether both bars are met, and a look asked for its pages only."""
        looks = self.looks
        return looks.most_s <= LOOK_BAR_S and looks.calls == looks.pages and self.links.most_ms <= LINK_BAR_MS


class Kong(msgspec.Struct, frozen=True):
    """A running gateway."""

    proxy_url: str
    admin_url: str


@contextlib.contextmanager
def gateway(directory: Path, services: int, upstream: str) -> Generator[Kong]:
    """Run a development gateway with so many services, each with a route by its number."""
    document = {
        "_format_version": "3.0",
        "services": [
            {
                "id": service_id(number),
                "name": f"service-{number}",
                "url": upstream,
                "routes": [{"name": f"route-{number}", "paths": [f"/{number}/"]}],
            }
            for number in range(services)
        ],
    }
    declared = directory / "kong.yml"
    declared.write_text(yaml.safe_dump(document))
    settings = GatewaySettings(
        proxy_port=free_port(),
        admin_port=free_port(),
        database="memory",
        declarative_config=str(declared),
        plugin_servers=(plugin_settings(directory),),
    )
    file = directory / "gateway.json"
    file.write_bytes(msgspec.json.encode(settings))
    command = "import sys; from kong_app_auth.devgateway import serve; serve(sys.argv[1])"
    process = start([sys.executable, "-c", command, file], directory / "gateway.log", cwd=_ROOT)
    kong = Kong(f"http://127.0.0.1:{settings.proxy_port}", f"http://127.0.0.1:{settings.admin_port}")
    try:
        wait_until(lambda: _status(f"{kong.admin_url}/status") == 200, "the gateway is up")
        yield kong
    finally:
        end(process)


def _status(url: str) -> int:
    try:
        return requests.get(url, timeout=_PATIENCE).status_code
    except requests.ConnectionError:
        return 0


def measure_looks(kong: Kong, plan: Plan) -> Looks:
    """Have the plugin on every service, and look again and again."""
    api = AdminApi(Access(url=kong.admin_url))
    keeper = TraditionalKong(api, Policy(REGION))
    ids = frozenset(service_id(number) for number in range(plan.services))
    wanted = Wanted(ids, ids)
    began = time.perf_counter()
    put = keeper.bring(wanted)
    first = time.perf_counter() - began
    assert (put.changed, put.failure) == (plan.services, None)
    seconds: list[float] = []
    calls = 0
    for _ in range(plan.looks):
        before, began = api.calls, time.perf_counter()
        found = keeper.bring(wanted)
        seconds.append(time.perf_counter() - began)
        calls = api.calls - before
        assert (found.changed, found.failure) == (0, None)
    keeper.bring(Wanted())
    api.close()
    pages = math.ceil(plan.services / PAGE)
    return Looks(plan.services, first, statistics.median(seconds), max(seconds), calls, pages)


def measure_links(path: PortalPath, kong: Kong, plan: Plan, say: Callable[[str], None]) -> Links:
    """Link API after API to a service, and ask the gateway until it refuses."""
    operator = path.operator
    portal = operator.post("/v3/portals", {"name": "Bench"})
    delays: list[float] = []
    with requests.Session() as client:
        for number in range(plan.links):
            api = operator.post("/v3/apis", {"name": f"API {number}"})["id"]
            publication: dict[str, Any] = {
                "visibility": "public",
                "auth_strategy_ids": [portal["default_application_auth_strategy_id"]],
            }
            operator.put(f"/v3/apis/{api}/publications/{portal['id']}", publication)
            url = f"{kong.proxy_url}/{number}/"
            assert client.get(url, timeout=_PATIENCE).status_code == 200
            service = {"control_plane_id": _CONTROL_PLANE, "id": service_id(number)}
            operator.post(f"/v3/apis/{api}/implementations", {"service": service})
            began = time.perf_counter()
            while client.get(url, timeout=_PATIENCE).status_code == 200:
                assert time.perf_counter() - began < _PATIENCE, "the service stays open"
            delays.append(1000 * (time.perf_counter() - began))
            say(f"link {number + 1} of {plan.links}")
    return Links(len(delays), statistics.median(delays), max(delays))


@contextlib.contextmanager
def managing(path: PortalPath, directory: Path, kong: Kong) -> Generator[None]:
    """Run a sync daemon that keeps the gateway, and wait until it follows the portal."""
    file = directory / "gateways.yaml"
    file.write_text(yaml.safe_dump({"gateways": [{"name": "bench", "admin_url": kong.admin_url}]}))
    own = path._environment()  # pyright: ignore[reportPrivateUsage]  # what its own processes have
    environment = {**own, "APP_AUTH_KONG_FILE": str(file)}
    log = directory / "sync.log"
    process = start([sys.executable, "-P", "-m", "kong_app_auth.cli", "sync"], log, cwd=_ROOT, env=environment)
    try:
        wait_until(lambda: "plugins wanted" in log.read_text(), f"the daemon follows: {log}")
        yield
    finally:
        end(process)


def markdown(results: Results) -> str:
    """The page."""
    machine_, looks, links = results.machine, results.looks, results.links
    rows = [
        (
            f"a look at {looks.services:,} services, nothing to be done ≤ {LOOK_BAR_S:.0f} s",
            f"{1000 * looks.median_s:.0f} ms, at most {1000 * looks.most_s:.0f} ms",
            looks.most_s <= LOOK_BAR_S,
        ),
        ("requests of such a look = pages", f"{looks.calls} of {looks.pages}", looks.calls == looks.pages),
        (
            f"portal's answer to a link → the gateway refuses ≤ {LINK_BAR_MS / 1000:.0f} s",
            f"p50 {links.p50_ms:.0f} ms, at most {links.most_ms:.0f} ms of {links.links}",
            links.most_ms <= LINK_BAR_MS,
        ),
    ]
    table = "\n".join(f"| {bar} | {found} | {'met' if met else '**missed**'} |" for bar, found, met in rows)
    return f"""# Figures of the managed plugin

Measured {machine_.date} by `python -m bench.managed_plugin` ({results.plan} run, {results.seconds:.0f} s) at
{machine_.commit}, on {machine_.cores} cores of {machine_.cpu} (load before: {machine_.load_before}), Python
{machine_.python}; development gateway with a database in memory, as a process of its own.

| bar | measured | |
|---|---|---|
{table}

The first look, which put {looks.services:,} plugins one by one, took {looks.first_s:.1f} s; nearly all of that is the
development gateway's own.
"""


def main() -> int:
    """Measure, print, keep; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run that shows that the benchmark works")
    parser.add_argument("--results", type=Path, default=_RESULTS)
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console()
    began = time.monotonic()
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="kaa-") as temporary, sample_upstream() as upstream:
        directory = Path(temporary)
        with gateway(directory, plan.services, upstream.url) as kong:
            with console.status("looks"):
                looks = measure_looks(kong, plan)
            with (
                console.status("links") as status,
                portal_path(None, synced=False) as path,
                managing(path, directory, kong),
            ):
                links = measure_links(path, kong, plan, status.update)
    results = Results(plan=plan.name, machine=described, seconds=time.monotonic() - began, looks=looks, links=links)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "managed-plugin.md").write_text(markdown(results))
    encoded = msgspec.json.format(msgspec.json.encode(results), indent=1)
    (options.results / "managed-plugin.json").write_bytes(encoded + b"\n")
    console.print(Markdown(markdown(results)))
    return 0 if results.within_bars else 1


if __name__ == "__main__":
    raise SystemExit(main())
