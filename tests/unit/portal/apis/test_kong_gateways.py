"""What a daemon says of its Kongs: kept, shown, and cleared when it is over."""

from typing import Any

import pytest

from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import FEED_TOKEN
from tests.control_plane.statements import counted
from tests.servers.samples import uid

SERVICE, OTHER, CONTROL_PLANE = uid("service"), uid("other service"), uid("control plane")
CONFLICT = {
    "code": "control_plane_error_plugin_conflict",
    "message": "409 at PUT /plugins: another app-auth is on this service",
    "gateway": "kong",
}
KONG = {"name": "kong", "mode": "traditional", "on_unlink": "block", "error": None, "checked_at": 1, "drift": 2}


@pytest.fixture
def daemon(clients: Clients) -> Client:
    return _with_token(clients, FEED_TOKEN)


@pytest.fixture
def operator(clients: Clients) -> Client:
    return clients.operator()


def _with_token(clients: Clients, token: str) -> Client:
    client = clients.nobody()
    client.http.headers["authorization"] = f"Bearer {token}"
    return client


def _say(daemon: Client, *services: dict[str, Any], gateways: list[dict[str, Any]] | None = None) -> None:
    body = {"gateways": [KONG] if gateways is None else gateways, "services": list(services)}
    daemon.request("PUT", "/internal/v1/regions/eu/kong-states", json=body, expect=204)


def _linked(operator: Client, service: str = SERVICE) -> tuple[str, str]:
    api = operator.post("/v3/apis", {"name": f"API of {service}"})["id"]
    wanted = {"service": {"control_plane_id": CONTROL_PLANE, "id": service}}
    return api, operator.post(f"/v3/apis/{api}/implementations", wanted)["id"]


def test_an_error_is_shown_at_the_implementation_and_clears_itself(daemon: Client, operator: Client) -> None:
    api, implementation = _linked(operator)
    _say(daemon, {"id": SERVICE, "state": "failed", "error": CONFLICT})

    shown = operator.get(f"/v3/apis/{api}/implementations/{implementation}")["service"]["auth_strategy_sync_error"]
    assert shown == {
        "control_plane_error": "control_plane_error_plugin_conflict",
        "message": CONFLICT["message"],
        "info": {"details": [{"type": "gateway", "message": ["kong"]}]},
    }
    listed = operator.get("/v3/api-implementations")["data"]
    assert [one["service"]["auth_strategy_sync_error"] for one in listed] == [shown]

    _say(daemon, {"id": SERVICE, "state": "enforced"})
    after = operator.get(f"/v3/apis/{api}/implementations/{implementation}")
    assert after["service"]["auth_strategy_sync_error"] is None


def test_operators_see_the_kongs_and_what_is_not_enforced(daemon: Client, operator: Client) -> None:
    api, _ = _linked(operator)
    _say(
        daemon,
        {"id": SERVICE, "state": "failed", "error": CONFLICT},
        {"id": OTHER, "state": "blocked"},
        {"id": uid("third"), "state": "enforced"},
    )

    seen = operator.get("/v3/kong-gateways")
    (kong,) = seen["gateways"]
    assert (kong["name"], kong["on_unlink"], kong["drift"], kong["error"]) == ("kong", "block", 2, None)
    assert kong["checked_at"] == "1970-01-01T00:00:01Z"
    assert seen["services"] == {"failed": 1, "blocked": 1, "enforced": 1}
    assert sorted(seen["not_enforced"], key=lambda one: one["state"]) == [
        {"service_id": OTHER, "api_id": None, "state": "blocked", "error": None},
        {"service_id": SERVICE, "api_id": api, "state": "failed", "error": CONFLICT},
    ]


def test_what_is_not_said_any_more_is_forgotten(daemon: Client, operator: Client) -> None:
    _say(daemon, {"id": SERVICE, "state": "enforced"})
    _say(daemon, gateways=[])

    assert operator.get("/v3/kong-gateways") == {"gateways": [], "services": {}, "not_enforced": []}


def test_a_region_s_kongs_are_its_own(daemon: Client, clients: Clients) -> None:
    _say(daemon, {"id": SERVICE, "state": "failed", "error": CONFLICT})

    there = clients.operator(region="us")
    assert there.get("/v3/kong-gateways")["gateways"] == []
    api, implementation = _linked(there)
    shown = there.get(f"/v3/apis/{api}/implementations/{implementation}")["service"]
    assert shown["auth_strategy_sync_error"] is None


def test_nobody_s_deed_is_in_the_audit_log(daemon: Client, operator: Client) -> None:
    before = operator.get("/v3/audit-log")["data"]
    _say(daemon, {"id": SERVICE, "state": "enforced"})

    assert operator.get("/v3/audit-log")["data"] == before


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        b'{"gateways": []}',
        b'{"gateways": [], "services": [{"id": "x", "state": "enforced"}]}',
        b'{"gateways": [], "services": [{"id": "11111111-1111-4111-8111-111111111111", "state": "open"}]}',
        b'{"gateways": [], "services": [], "more": 1}',
        b'{"gateways": [{"name": "", "mode": "traditional", "on_unlink": "open"}], "services": []}',
    ],
    ids=["empty", "list", "services left out", "no UUID", "unknown state", "unknown field", "no name"],
)
def test_what_is_wrong_is_refused(daemon: Client, wrong: bytes) -> None:
    daemon.request("PUT", "/internal/v1/regions/eu/kong-states", content=wrong, expect=400)


def test_only_the_region_s_daemon_may_say_it(clients: Clients, operator: Client) -> None:
    body = {"gateways": [], "services": []}
    for caller in (clients.nobody(), operator):
        caller.put("/internal/v1/regions/eu/kong-states", body, expect=401)
    _with_token(clients, FEED_TOKEN).put("/internal/v1/regions/us/kong-states", body, expect=401)


def test_a_list_takes_as_many_statements_however_long_it_is(clients: Clients, operator: Client) -> None:
    _linked(operator)
    with counted(clients.plane) as few:
        operator.get("/v3/api-implementations")
    for number in range(4):
        _linked(operator, uid(f"service {number}"))
    with counted(clients.plane) as many:
        operator.get("/v3/api-implementations")
    assert len(few) == len(many)


HEADER = "X-App-Auth-Warning"


class Guarded:
    """A linked API that is published with a strategy, in a region whose Kong opens services that lose the plugin."""

    def __init__(self, operator: Client, daemon: Client, on_unlink: str = "open") -> None:
        self.operator = operator
        self.portal = operator.post("/v3/portals", {"name": "Staging"})["id"]
        self.api, self.implementation = _linked(operator)
        operator.put(f"/v3/apis/{self.api}/publications/{self.portal}", {})
        _say(daemon, gateways=[{**KONG, "on_unlink": on_unlink}])

    def warned_of(self, method: str, path: str, **options: Any) -> list[str]:
        answer = self.operator.request(method, path, **options)
        assert answer.status_code < 300, answer.text
        return [one for one in answer.headers.get(HEADER, "").split("; ") if one]

    def audited(self) -> list[tuple[str, dict[str, Any]]]:
        entries = self.operator.get("/v3/audit-log", params={"filter[action][eq]": "authentication_removed"})["data"]
        return [(one["entity_id"], one["after"]) for one in entries]


@pytest.mark.parametrize("what", ["implementation", "publication", "strategy", "api", "portal"])
def test_whoever_opens_a_service_is_told_and_it_is_in_the_audit_log(
    operator: Client, daemon: Client, what: str
) -> None:
    guarded = Guarded(operator, daemon)
    publication = f"/v3/apis/{guarded.api}/publications/{guarded.portal}"
    method, path, options = {
        "implementation": ("DELETE", f"/v3/apis/{guarded.api}/implementations/{guarded.implementation}", {}),
        "publication": ("DELETE", publication, {}),
        "strategy": ("PUT", publication, {"json": {"auth_strategy_ids": None}}),
        "api": ("DELETE", f"/v3/apis/{guarded.api}", {}),
        "portal": ("DELETE", f"/v3/portals/{guarded.portal}", {"params": {"force": "true"}}),
    }[what]

    assert guarded.warned_of(method, path, **options) == [
        f"Gateway Service {SERVICE} lets requests through without authentication from now on"
    ]
    assert guarded.audited() == [(SERVICE, {"api_id": guarded.api, "on_unlink": "open"})]


def test_while_another_portal_guards_the_api_there_is_nothing_to_tell(operator: Client, daemon: Client) -> None:
    guarded = Guarded(operator, daemon)
    other = operator.post("/v3/portals", {"name": "Production"})["id"]
    operator.put(f"/v3/apis/{guarded.api}/publications/{other}", {})

    assert guarded.warned_of("DELETE", f"/v3/apis/{guarded.api}/publications/{guarded.portal}") == []
    assert guarded.audited() == []


def test_where_it_is_blocked_or_not_managed_nothing_opens(operator: Client, daemon: Client) -> None:
    guarded = Guarded(operator, daemon, on_unlink="block")
    path = f"/v3/apis/{guarded.api}/publications/{guarded.portal}"
    assert guarded.warned_of("PUT", path, json={"auth_strategy_ids": None}) == []
    assert guarded.warned_of("PUT", path, json={}) == []
    _say(daemon, gateways=[])
    assert guarded.warned_of("DELETE", path) == []
    assert guarded.audited() == []
