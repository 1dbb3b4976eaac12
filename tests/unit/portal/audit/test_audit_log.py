import json
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.api.operators import audit
from kong_app_auth.portal.audit.recording import MAX_SHOWN
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.transaction import Deed
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION, Clock
from tests.control_plane.statements import counted

PATH = "/v3/audit-log"


def note(plane: ControlPlane, *actions: str, region: str = REGION, **more: Any) -> None:
    with plane.write(System(region=region)) as tx:
        for action in actions:
            tx.note(Deed(action, "thing", **more))


def exported(operator: Client, **params: Any) -> list[dict[str, Any]]:
    response = operator.request("GET", f"{PATH}/export", params=params, expect=200)
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_an_entry_says_who_did_what_when_with_before_and_after(operator: Client, clock: Clock) -> None:
    portal = operator.post("/v3/portals", {"name": "Staging"})
    response = operator.request("PATCH", f"/v3/portals/{portal['id']}", json={"name": "Production"})

    (entry,) = operator.get(PATH, params={"filter[action]": "update"})["data"]
    assert entry == {
        "number": entry["number"],
        "at": clock.now.isoformat().replace("+00:00", "Z"),
        "region": REGION,
        "portal_id": portal["id"],
        "actor": {"type": "operator", "id": entry["actor"]["id"], "name": "test write"},
        "action": "update",
        "entity_type": "portal",
        "entity_id": portal["id"],
        "before": {"name": "Staging"},
        "after": {"name": "Production"},
        "request_id": response.headers["x-request-id"],
    }


def test_the_log_is_filtered_by_everything_that_an_entry_says(operator: Client, clock: Clock) -> None:
    begin = clock.now
    portal = operator.post("/v3/portals", {"name": "Staging"})["id"]
    clock.forward(timedelta(hours=1))
    request_id = operator.request("PATCH", f"/v3/portals/{portal}", json={"name": "P"}).headers["x-request-id"]

    def found(**params: str) -> set[tuple[str, str]]:
        page = operator.get(PATH, params={f"filter[{key.replace('__', '][')}]": params[key] for key in params})
        assert page["meta"]["page"]["total"] == len(page["data"])
        return {(one["action"], one["entity_type"]) for one in page["data"]}

    everything = found()
    renamed = {("update", "portal")}
    assert len(everything) > 2
    assert found(request_id=request_id) == renamed
    assert found(action="update") == renamed
    assert found(entity_id=portal) == {("create", "portal"), *renamed}
    assert found(entity_type="auth_strategy") == {("create", "auth_strategy")}
    assert renamed < found(portal_id=portal) < everything
    assert found(actor_type="system") == {("create", "operator_token")}
    me = operator.get(PATH, params={"filter[request_id]": request_id})["data"][0]["actor"]["id"]
    assert found(actor_id=me) == everything - {("create", "operator_token")}
    assert found(at__gt=begin.isoformat()) == renamed
    assert found(at__lt=clock.now.isoformat()) == everything - renamed
    operator.get(PATH, params={"filter[at][gte]": "yesterday"}, expect=400)
    operator.get(PATH, params={"filter[colour]": "red"}, expect=400)


def test_the_newest_entry_comes_first_and_pages_follow(operator: Client, plane: ControlPlane) -> None:
    note(plane, "a", "b", "c", "d")

    page = operator.get(PATH, params={"filter[entity_type]": "thing", "page[size]": 3, "page[number]": 2})
    assert [one["action"] for one in page["data"]] == ["a"]
    first = operator.get(PATH, params={"filter[entity_type]": "thing", "page[size]": 3})
    assert [one["action"] for one in first["data"]] == ["d", "c", "b"]


def test_an_operator_sees_the_own_region_only(operator: Client, clients: Clients, plane: ControlPlane) -> None:
    note(plane, "here")
    note(plane, "there", region="us")

    assert {one["region"] for one in operator.get(PATH)["data"]} == {REGION}
    stranger = clients.operator(region="us")
    assert {one["region"] for one in exported(stranger)} == {"us"}


def test_the_export_has_everything_oldest_first(operator: Client, plane: ControlPlane) -> None:
    note(plane, *(f"deed {number}" for number in range(2 * audit.BATCH + 1)))

    with counted(plane) as statements:
        lines = exported(operator, **{"filter[entity_type]": "thing"})
    assert [line["action"] for line in lines] == [f"deed {number}" for number in range(2 * audit.BATCH + 1)]
    assert len(statements) <= 8
    assert lines[0] == operator.get(PATH, params={"filter[action]": "deed 0"})["data"][0]


def test_the_export_keeps_to_a_range_of_time(operator: Client, plane: ControlPlane, clock: Clock) -> None:
    for action in ("before", "within", "after"):
        note(plane, action)
        clock.forward(timedelta(hours=1))
    begin, end = clock.now - timedelta(hours=2), clock.now - timedelta(hours=1)

    lines = exported(operator, **{"filter[at][gte]": begin.isoformat(), "filter[at][lt]": end.isoformat()})
    assert [line["action"] for line in lines] == ["within"]


def test_nobody_reads_the_log_without_a_token(clients: Clients) -> None:
    clients.nobody().get(PATH, expect=401)
    clients.nobody().get(f"{PATH}/export", expect=401)


def test_of_a_long_value_the_log_keeps_what_it_was(operator: Client) -> None:
    portal = operator.post("/v3/portals", {"name": "Staging"})["id"]
    api = operator.post("/v3/apis", {"name": "Weather API"})["id"]
    operator.patch(f"/v3/apis/{api}", {"description": "x" * (MAX_SHOWN + 1)})
    operator.patch(f"/v3/portals/{portal}", {"description": "y" * 512})

    entries = operator.get(PATH, params={"filter[action]": "update"})["data"]
    assert entries[0]["after"]["description"] == "y" * 512
    assert entries[1]["after"]["description"].startswith(f"[{MAX_SHOWN + 1} characters, SHA-256 ")


def test_being_heard_of_costs_a_change_no_statement(operator: Client, plane: ControlPlane) -> None:
    portal = operator.post("/v3/portals", {"name": "Staging"})["id"]

    def statements(name: str) -> int:
        with counted(plane) as found:
            operator.patch(f"/v3/portals/{portal}", {"name": name})
        return len(found)

    before = statements("One")
    operator.post(
        "/v3/audit-log-destinations", {"name": "SIEM", "endpoint": "https://siem.example", "all_portals": True}
    )
    assert statements("Two") == before
    with plane.read(System(region=REGION)) as tx:
        assert tx.session.scalar(select(func.count()).select_from(AuditEntry)) == len(exported(operator))
