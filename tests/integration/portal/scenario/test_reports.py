"""A request through the gateway is seen in the portal: counted, the key's last use, and why it was refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.control_plane.clients import Client
from tests.servers.process import wait_until
from tests.servers.samples import uid
from tests.system.portal_path import PortalPath
from tests.system.scene import service_id

EMAIL = "grace@example.com"
SERVICE = "maps"


class Caller:
    """An application of a developer, with a key by which it calls one API."""

    def __init__(self, path: PortalPath, developer: Client, portal: dict[str, Any], api: str) -> None:
        self.operator = path.operator
        self.portal = portal["id"]
        self.developer = developer
        wanted = {"name": "Reported", "auth_strategy_id": portal["default_application_auth_strategy_id"]}
        self.application = developer.post("/api/v3/applications", wanted)["id"]
        applications = f"/api/v3/applications/{self.application}"
        made = developer.post(f"{applications}/credentials", {"display_name": "key"})
        self.credential = made["id"]
        path.scene.keys["grace"] = made["credential"]
        self.api = api
        self.registration = developer.post(f"{applications}/registrations", {"api_id": api})["id"]

    def usage(self) -> dict[str, int]:
        """Requests by outcome."""
        found = self.developer.get("/api/v3/usage", params={"filter[application_id]": self.application})["data"]
        assert {one["api_id"] for one in found} <= {self.api}
        return {one["outcome"]: one["requests"] for one in found}


@pytest.fixture(scope="module")
def caller(path: PortalPath) -> Iterator[Caller]:
    operator = path.operator
    wanted = {"name": "Reports", "default_api_visibility": "public", "auto_approve_developers": True}
    portal = operator.post("/v3/portals", {**wanted, "auto_approve_applications": True})
    api = operator.post("/v3/apis", {"name": "Reported API", "version": "v1"})["id"]
    operator.put(f"/v3/apis/{api}/publications/{portal['id']}", {"visibility": "public"})
    service = {"control_plane_id": uid("control plane"), "id": service_id(SERVICE)}
    implementation = operator.post(f"/v3/apis/{api}/implementations", {"service": service})["id"]
    developer = path.signed_up(portal, EMAIL)
    path.sign_in(developer, EMAIL)
    made = Caller(path, developer, portal, api)
    path.wait_for_status(200, "grace", f"/{SERVICE}")
    yield made
    operator.delete(f"/v3/apis/{api}/implementations/{implementation}")


def counted(caller: Caller, condition: Callable[[dict[str, int]], Any]) -> dict[str, int]:
    seen: list[dict[str, int]] = []

    def look() -> bool:
        seen.append(caller.usage())
        return bool(condition(seen[-1]))

    wait_until(look, f"usage is reported: {seen[-1:]}")
    return seen[-1]


def test_requests_are_counted_and_the_key_has_a_last_use(path: PortalPath, caller: Caller) -> None:
    before = counted(caller, lambda usage: usage.get("allowed"))["allowed"]
    for _ in range(7):
        assert path.ask("grace", f"/{SERVICE}").status == 200
    assert counted(caller, lambda usage: usage["allowed"] >= before + 7)["allowed"] == before + 7
    hour = {"metrics": ["request_count"], "dimensions": ["application", "status_code_grouped"]}
    events = [one["event"] for one in caller.developer.post("/api/v3/stats", hour, expect=200)["data"]]
    # Beside it there may be what was refused before the gateway knew the key.
    assert [one for one in events if one["status_code_grouped"] == "allowed"] == [
        {"application": caller.application, "status_code_grouped": "allowed", "request_count": before + 7}
    ]
    use = caller.developer.get(f"/api/v3/applications/{caller.application}/credentials/{caller.credential}/usage")
    assert use["last_used_at"] is not None


def test_the_request_id_of_a_refusal_tells_why(path: PortalPath, caller: Caller) -> None:
    change = f"/v3/portals/{caller.portal}/applications/{caller.application}/registrations/{caller.registration}"
    caller.operator.patch(change, {"status": "revoked"})
    wait_until(lambda: path.ask("grace", f"/{SERVICE}").reason == "registration_revoked", "the gateway refuses it")
    answer = path.ask("grace", f"/{SERVICE}")
    request_id = answer.json()["request_id"]

    def refusal() -> Any:
        told = caller.developer.request("GET", f"/api/v3/refusals/{request_id}")
        return told.json() if told.status_code == 200 else None

    told = wait_until(refusal, "the refusal is reported")
    assert (told["reason"], told["status_code"]) == ("registration_revoked", answer.status)
    assert told["application"] == {"id": caller.application, "name": "Reported"}
    assert told["api"] == {"id": caller.api, "name": "Reported API v1"}
    assert told["credential_id"] == caller.credential
    assert told["service_id"] == service_id(SERVICE)
    assert caller.operator.get(f"/v3/refusals/{request_id}") == told
    counted(caller, lambda usage: usage.get("registration_revoked"))


def test_an_anonymous_refusal_is_for_the_operator(path: PortalPath, caller: Caller) -> None:
    request_id = path.ask(None, f"/{SERVICE}").json()["request_id"]

    def refusal() -> Any:
        told = caller.operator.request("GET", f"/v3/refusals/{request_id}")
        return told.json() if told.status_code == 200 else None

    told = wait_until(refusal, "the refusal is reported")
    assert (told["reason"], told["application"]) == ("no_credential", None)
    caller.developer.get(f"/api/v3/refusals/{request_id}", expect=404)
