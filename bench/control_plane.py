"""`python -m bench.control_plane [--quick] [--results DIRECTORY]`: what the portal costs, and how fast it is obeyed.

Three figures: CPU of every list page with 10,000 applications of 10 registrations each; the snapshot of a million
credentials; and the time from the portal's answer to the first refusal at the gateway.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
import msgspec
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import track
from sqlalchemy import Insert, insert

from bench import machine
from bench.processes import cpu, memory
from kong_app_auth.portal.store.apis import Api, Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.base import Base, new_id
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.database import Database
from kong_app_auth.portal.store.developers import Developer
from tests.system.portal_path import PortalPath, portal_path
from tests.system.scene import REGION, service_id

_RESULTS = Path(__file__).parent / "results"
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_BATCH = 5_000
_PATIENCE = 20.0
LIST_BAR_MS = 50.0
REFUSAL_BAR_MS = 1000.0


class Plan(msgspec.Struct, frozen=True):
    """How much of everything. `apis` is also the registrations of an application."""

    name: str
    applications: int
    apis: int
    credentials: int
    requests: int
    revocations: int


FULL = Plan("full", 10_000, 10, 1_000_000, 20, 200)
QUICK = Plan("quick", 1_000, 10, 50_000, 5, 20)


class ListPage(msgspec.Struct, frozen=True):
    """Mean milliseconds of one request of a list of 100 items: CPU in the portal, and as the client saw it."""

    path: str
    total: int
    cpu_ms: float
    wall_ms: float


class Snapshot(msgspec.Struct, frozen=True):
    """One snapshot of the feed. `grown`: bytes by which the portal's resident memory rose at most."""

    records: int
    bytes: int
    seconds: float
    resident_before: int
    grown: int


class Obeyed(msgspec.Struct, frozen=True):
    """Milliseconds from the portal's answer to the first refusal at the gateway."""

    revocations: int
    p50_ms: float
    p99_ms: float
    most_ms: float


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All of a run."""

    plan: str
    machine: machine.Machine
    seconds: float
    lists: list[ListPage]
    snapshot: Snapshot
    obeyed: Obeyed


class Filled(msgspec.Struct, frozen=True):
    """The ids that the list pages name."""

    portal: str
    application: str
    api: str
    developer: str


def fill(path: PortalPath, plan: Plan, console: Console) -> Filled:
    """Put everything into the portal's database, past its API: a million keys over HTTP would take an hour."""
    operator = path.operator
    portal = operator.post("/v3/portals", {"name": "Bench"})
    strategy = portal["default_application_auth_strategy_id"]
    times = {"created_at": _MOMENT, "updated_at": _MOMENT}
    apis = [new_id() for _ in range(plan.apis)]
    developers = [new_id() for _ in range(max(1, plan.applications // 100))]
    applications = [new_id() for _ in range(plan.applications)]

    def rows() -> Iterator[tuple[type[Base], dict[str, Any]]]:
        for number, api in enumerate(apis):
            name = {
                "name": f"API {number}",
                "version": "v1",
                "slug": f"api-{number}-v1",
                "labels": {},
                "attributes": {},
            }
            yield Api, {"id": api, **times, "region": REGION, **name}
        for api in apis:
            settings = {"visibility": "public", "auto_approve_registrations": False, "auth_strategy_id": strategy}
            yield Publication, {"id": new_id(), **times, "api_id": api, "portal_id": portal["id"], **settings}
        for number, developer in enumerate(developers):
            email = f"dev-{number}@example.com"
            who = {"email": email, "email_key": email, "full_name": f"Developer {number}", "status": "approved"}
            yield Developer, {"id": developer, **times, "portal_id": portal["id"], **who}
        for number, application in enumerate(applications):
            owner = {"developer_id": developers[number % len(developers)], "team_id": None}
            lists: dict[str, Any] = {"labels": {}, "scopes": []}
            own = {"name": f"App {number}", "auth_strategy_id": strategy, "portal_id": portal["id"], **owner, **lists}
            yield Application, {"id": application, **times, **own}
        for application in applications:
            for api in apis:
                own = {"application_id": application, "api_id": api, "status": "approved", "fields": {}}
                own["portal_id"] = portal["id"]
                yield Registration, {"id": new_id(), **times, **own}
        for number in range(plan.credentials):
            own = {"application_id": applications[number % len(applications)], "display_name": "key", "region": REGION}
            yield Credential, {"id": new_id(), **times, **own, "digest": f"{number:064x}", "status": "active"}

    total = plan.apis * 2 + len(developers) + plan.applications * (1 + plan.apis) + plan.credentials
    database = Database(path.database)
    try:
        _insert(database, track(rows(), "filling the portal", total, console=console, transient=True))
    finally:
        database.close()
    return Filled(portal["id"], applications[0], apis[0], developers[0])


def _insert(database: Database, rows: Any) -> None:
    waiting: list[dict[str, Any]] = []
    current: type[Base] | None = None

    def flush() -> None:
        if waiting and current is not None:
            statement: Insert = insert(current)
            with database.engine.begin() as connection:
                connection.execute(statement, waiting)
            waiting.clear()

    for record_type, row in rows:
        if record_type is not current or len(waiting) == _BATCH:
            flush()
            current = record_type
        waiting.append(row)
    flush()


def measure_lists(path: PortalPath, filled: Filled, plan: Plan) -> list[ListPage]:
    """Ask for pages of 100 from the middle of every list."""
    portal = f"/v3/portals/{filled.portal}"
    pages = [
        f"{portal}/applications",
        f"{portal}/application-registrations",
        f"{portal}/developers",
        f"{portal}/applications/{filled.application}/registrations",
        f"{portal}/applications/{filled.application}/credentials",
        f"/v3/apis/{filled.api}/registrations",
        "/v3/apis",
        "/v3/api-publications",
        f"{portal}/api-publications",
        "/v3/portals",
        "/v2/application-auth-strategies",
        "/v3/audit-log",
    ]
    return [_list_page(path, page, plan.requests) for page in pages]


def _list_page(path: PortalPath, page: str, requests: int) -> ListPage:
    assert path.portal is not None
    pid = path.portal.pid
    total = path.operator.get(page, params={"page[size]": 1})["meta"]["page"]["total"]
    middle = max(1, total // 200)
    before, began = cpu([pid]), time.perf_counter()
    for _ in range(requests):
        answer = path.operator.http.get(page, params={"page[size]": 100, "page[number]": middle})
        assert answer.status_code == 200, answer.text
    seconds = time.perf_counter() - began
    used = cpu([pid]).since(before).total
    return ListPage(_general(page), total, 1000 * used / requests, 1000 * seconds / requests)


def _general(page: str) -> str:
    return "/".join("{id}" if len(part) == 36 and part.count("-") == 4 else part for part in page.split("/"))


def measure_snapshot(path: PortalPath) -> Snapshot:
    """Take a snapshot of the feed and throw it away."""
    assert path.portal is not None
    before = memory("portal", path.portal.pid)
    url = f"{path.portal_url}/internal/v1/regions/{REGION}/snapshot"
    headers = {"authorization": f"Bearer {path.feed_token}"}
    began, size, lines = time.perf_counter(), 0, 0
    with httpx.stream("GET", url, headers=headers, timeout=600) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_bytes():
            size += len(piece)
            lines += piece.count(b"\n")
    seconds = time.perf_counter() - began
    after = memory("portal", path.portal.pid)
    return Snapshot(lines - 1, size, seconds, before.resident, max(0, after.peak - max(before.peak, before.resident)))


def measure_obedience(path: PortalPath, plan: Plan, say: Callable[[str], None]) -> Obeyed:
    """Revoke keys over the API, one after another, and ask the gateway until it refuses them."""
    operator = path.operator
    portal = operator.post("/v3/portals", {"name": "Obeyed", "auto_approve_applications": True})
    api = operator.post("/v3/apis", {"name": "Weather API", "version": "obeyed"})["id"]
    operator.put(f"/v3/apis/{api}/publications/{portal['id']}", {"visibility": "public"})
    service = {"control_plane_id": service_id("control plane"), "id": service_id("weather")}
    operator.post(f"/v3/apis/{api}/implementations", {"service": service})
    owner = operator.post(
        f"/v3/portals/{portal['id']}/developers", {"email": "b@example.com", "full_name": "B", "status": "approved"}
    )["id"]
    applications = f"/v3/portals/{portal['id']}/applications"
    delays: list[float] = []
    for number in range(plan.revocations):
        if number % 15 == 0:
            body = {"name": f"A {number}", "owner": {"type": "developer", "id": owner}}
            application = operator.post(applications, body)["id"]
            operator.post(f"{applications}/{application}/registrations", {"api_id": api, "status": "approved"})
        key = f"an-imported-key-number-{number:06}"
        path.scene.keys["obeyed"] = key
        made = operator.post(f"{applications}/{application}/credentials", {"display_name": "k", "key": key})
        path.wait_for_status(200, "obeyed")
        operator.delete(f"{applications}/{application}/credentials/{made['id']}")
        began = time.perf_counter()
        while path.status("obeyed") != 401:
            assert time.perf_counter() - began < _PATIENCE, "the revoked key is still served"
        delays.append(1000 * (time.perf_counter() - began))
        say(f"revocation {number + 1} of {plan.revocations}")
    return Obeyed(len(delays), statistics.median(delays), statistics.quantiles(delays, n=100)[98], max(delays))


def markdown(results: Results) -> str:
    """The page."""
    worst = max(results.lists, key=lambda one: one.cpu_ms)
    machine_ = results.machine
    lists = "\n".join(
        f"| `{one.path}` | {one.total:,} | {one.cpu_ms:.1f} | {one.wall_ms:.1f} |" for one in results.lists
    )
    snapshot, obeyed = results.snapshot, results.obeyed
    light, quick = _met(worst.cpu_ms <= LIST_BAR_MS), _met(obeyed.p99_ms <= REFUSAL_BAR_MS)
    return f"""# Figures of the control plane

Measured {machine_.date} by `python -m bench.control_plane` ({results.plan} run, {results.seconds:.0f} s) at
{machine_.commit}, on {machine_.cores} cores of {machine_.cpu} (load before: {machine_.load_before}), Python
{machine_.python}; portal on SQLite, one process.

| bar | measured | |
|---|---|---|
| every list page ≤ {LIST_BAR_MS:.0f} ms of CPU | {worst.cpu_ms:.1f} ms (`{worst.path}`) | {light} |
| portal's answer to refusal, p99 ≤ {REFUSAL_BAR_MS:.0f} ms | {obeyed.p99_ms:.0f} ms | {quick} |
| snapshot in constant memory | +{snapshot.grown / 2**20:.1f} MB for {snapshot.records:,} records | |

## List pages, 100 items from the middle

| list | items in all | CPU, ms | wall, ms |
|---|---|---|---|
{lists}

## Snapshot of the feed

{snapshot.records:,} records, {snapshot.bytes / 2**20:.0f} MB in {snapshot.seconds:.1f} s; resident before:
{snapshot.resident_before / 2**20:.0f} MB, at most {snapshot.grown / 2**20:.1f} MB more meanwhile.

## From the portal's answer to the refusal at the gateway

{obeyed.revocations} revocations: p50 {obeyed.p50_ms:.0f} ms, p99 {obeyed.p99_ms:.0f} ms, most {obeyed.most_ms:.0f} ms.
"""


def _met(yes: bool) -> str:
    return "met" if yes else "**missed**"


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path, default=_RESULTS)
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    console = Console()
    began = time.monotonic()
    described = machine.describe()
    with portal_path(None) as path, console.status("from answer to refusal") as status:
        obeyed = measure_obedience(path, plan, status.update)
    with portal_path(None, synced=False) as path:
        filled = fill(path, plan, console)
        with console.status("list pages"):
            lists = measure_lists(path, filled, plan)
        with console.status("snapshot"):
            snapshot = measure_snapshot(path)
    results = Results(
        plan=plan.name,
        machine=described,
        seconds=time.monotonic() - began,
        lists=lists,
        snapshot=snapshot,
        obeyed=obeyed,
    )
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "control-plane.md").write_text(markdown(results))
    encoded = msgspec.json.format(msgspec.json.encode(results), indent=1)
    (options.results / "control-plane.json").write_bytes(encoded + b"\n")
    console.print(Markdown(markdown(results)))


if __name__ == "__main__":
    main()
