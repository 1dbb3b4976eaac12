from typing import Any

from tests.control_plane.clients import Clients
from tests.control_plane.stage import Stage


def test_the_registrations_of_an_api_are_listed_with_application_portal_and_owner(clients: Clients) -> None:
    stage, elsewhere = Stage(clients), Stage(clients)
    operator, developer, other = stage.operator, stage.developer(), elsewhere.developer()
    api = operator.post("/v3/apis", {"name": "Weather API"})["id"]
    for one in (stage, elsewhere):
        operator.put(f"/v3/apis/{api}/publications/{one.portal}", {"auto_approve_registrations": one is elsewhere})
    team = stage.team(developer)
    own = stage.application(developer, description="Mine")
    ours = stage.application(developer, name="Ours", team_id=team)
    theirs = elsewhere.application(other, name="Theirs")
    for client, application in ((developer, own), (developer, ours), (other, theirs)):
        client.post(f"/api/v3/applications/{application}/registrations", {"api_id": api})

    def listed(**params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = operator.get(f"/v3/apis/{api}/registrations", params=params)["data"]
        return found

    shown = {one["application"]["id"]: one for one in listed()}
    assert set(shown) == {own, ours, theirs}
    assert shown[own]["status"] == "pending"
    assert shown[own]["application"]["description"] == "Mine"
    assert shown[own]["application"]["owner"] == {"type": "developer", "id": developer.developer_id}
    assert shown[ours]["application"]["owner"] == {"type": "team", "id": team}
    assert shown[theirs]["portal"]["id"] == elsewhere.portal

    for params, expected in (
        ({"filter[status]": "approved"}, {theirs}),
        ({"filter[status][oeq]": "approved,pending"}, {own, ours, theirs}),
        ({"filter[portal_id]": stage.portal}, {own, ours}),
        ({"filter[portal_name]": shown[theirs]["portal"]["name"]}, {theirs}),
        ({"filter[application_id]": ours}, {ours}),
        ({"filter[application_name][contains]": "urs"}, {ours}),
        ({"filter[application_owner_type]": "team"}, {ours}),
        ({"filter[application_owner_id]": developer.developer_id}, {own}),
    ):
        assert {one["application"]["id"] for one in listed(**params)} == expected, params
