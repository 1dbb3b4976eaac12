from typing import Any

import pytest

from tests.control_plane.clients import Client, Clients


@pytest.fixture
def portal(operator: Client) -> str:
    return made_portal(operator, "Staging")


def made_portal(operator: Client, name: str, **settings: Any) -> str:
    portal_id: str = operator.post("/v3/portals", {"name": name, **settings})["id"]
    return f"/v3/portals/{portal_id}"


def made_developer(operator: Client, portal: str, email: str, **columns: Any) -> str:
    body = {"email": email, "full_name": "Dora Developer", "status": "approved", **columns}
    developer_id: str = operator.post(f"{portal}/developers", body)["id"]
    return developer_id


def made_team(operator: Client, portal: str, name: str = "Readers", **columns: Any) -> str:
    team_id: str = operator.post(f"{portal}/teams", {"name": name, **columns})["id"]
    return f"{portal}/teams/{team_id}"


def test_a_team_is_made_read_changed_and_deleted(operator: Client, portal: str) -> None:
    made = operator.post(f"{portal}/teams", {"name": "Readers", "description": "They read"})
    team = f"{portal}/teams/{made['id']}"

    assert made["description"] == "They read"
    assert made["can_own_applications"] is False
    assert operator.get(team) == made
    changed = operator.patch(team, {"name": "Writers", "can_own_applications": True})
    assert changed == {**made, "name": "Writers", "can_own_applications": True, "updated_at": changed["updated_at"]}
    operator.delete(team)
    operator.get(team, expect=404)
    operator.delete(team, expect=404)


def test_a_team_without_a_description_is_described_by_its_name(operator: Client, portal: str) -> None:
    assert operator.post(f"{portal}/teams", {"name": "Readers"})["description"] == "Readers"


def test_a_name_is_given_once_in_a_portal(operator: Client, portal: str) -> None:
    team = made_team(operator, portal)
    other = made_team(operator, portal, "Writers")
    made_team(operator, made_portal(operator, "Production"))

    problem = operator.post(f"{portal}/teams", {"name": "Readers"}, expect=400)
    assert problem["invalid_parameters"][0]["field"] == "name"
    operator.patch(other, {"name": "Readers"}, expect=400)
    operator.patch(team, {"name": "Readers"})


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({}, "name", "required"),
        ({"name": ""}, "name", "min_length"),
        ({"name": "x" * 251}, "name", "max_length"),
        ({"name": "x", "description": "x" * 251}, "description", "max_length"),
        ({"name": "x", "description": None}, "description", "is_string"),
        ({"name": "x", "can_own_applications": "yes"}, "can_own_applications", "is_boolean"),
        ({"name": "x", "colour": "red"}, "colour", "unknown_property"),
    ],
)
def test_wrong_fields_of_a_team(operator: Client, portal: str, body: Any, field: str, rule: str) -> None:
    problem = operator.post(f"{portal}/teams", body, expect=400)

    assert [(one["field"], one["rule"]) for one in problem["invalid_parameters"]] == [(field, rule)]


def test_teams_are_filtered_and_paged(operator: Client, portal: str) -> None:
    for name in ("Alpha", "Beta", "Gamma"):
        made_team(operator, portal, name, can_own_applications=name == "Beta")

    names = [one["name"] for one in operator.get(f"{portal}/teams")["data"]]
    assert sorted(names) == ["Alpha", "Beta", "Gamma"]
    found = operator.get(f"{portal}/teams", params={"filter[can_own_applications]": "true"})
    assert [one["name"] for one in found["data"]] == ["Beta"]
    found = operator.get(f"{portal}/teams", params={"filter[name][contains]": "AM"})
    assert [one["name"] for one in found["data"]] == ["Gamma"]
    page = operator.get(f"{portal}/teams", params={"page[size]": 2, "page[number]": 2})
    assert page["meta"]["page"] == {"number": 2, "size": 2, "total": 3}
    operator.get(f"{portal}/teams", params={"filter[colour]": "red"}, expect=400)


def test_a_team_is_in_its_portal_and_region_only(clients: Clients, operator: Client, portal: str) -> None:
    team_id = made_team(operator, portal).rpartition("/")[2]
    other = made_portal(operator, "Production")

    operator.get(f"{other}/teams/{team_id}", expect=404)
    operator.get(f"{portal}/teams/not-a-uuid", expect=404)
    stranger = clients.operator(region="us")
    stranger.get(f"{portal}/teams", expect=404)
    stranger.patch(f"{portal}/teams/{team_id}", {"name": "Mine"}, expect=404)
    stranger.delete(f"{portal}/teams/{team_id}", expect=404)


def test_developers_join_and_leave_a_team(operator: Client, portal: str) -> None:
    team = made_team(operator, portal)
    developer = made_developer(operator, portal, "dora@example.com")

    operator.post(f"{team}/developers", {"id": developer})
    [member] = operator.get(f"{team}/developers")["data"]
    assert (member["id"], member["email"], member["active"]) == (developer, "dora@example.com", True)
    [joined] = operator.get(f"{portal}/developers/{developer}/teams")["data"]
    assert joined["name"] == "Readers"
    operator.post(f"{team}/developers", {"id": developer}, expect=409)
    operator.delete(f"{team}/developers/{developer}")
    assert operator.get(f"{team}/developers")["data"] == []
    operator.delete(f"{team}/developers/{developer}", expect=404)


def test_members_are_filtered(operator: Client, portal: str) -> None:
    team = made_team(operator, portal)
    for email, status in (("dora@example.com", "approved"), ("emil@example.com", "pending")):
        operator.post(f"{team}/developers", {"id": made_developer(operator, portal, email, status=status)})

    def found(**query: str) -> list[str]:
        filters = {f"filter[{name}]": value for name, value in query.items()}
        return sorted(one["email"] for one in operator.get(f"{team}/developers", params=filters)["data"])

    assert found() == ["dora@example.com", "emil@example.com"]
    assert found(active="true") == ["dora@example.com"]
    assert found(active="false") == ["emil@example.com"]
    assert found(email="Emil@example.com") == ["emil@example.com"]
    assert found(full_name="Nobody") == []
    assert found(attributes="anything") == []


def test_teams_of_a_developer_are_filtered(operator: Client, portal: str) -> None:
    developer = made_developer(operator, portal, "dora@example.com")
    for name in ("Readers", "Owners"):
        team = made_team(operator, portal, name, can_own_applications=name == "Owners")
        operator.post(f"{team}/developers", {"id": developer})

    teams = operator.get(f"{portal}/developers/{developer}/teams", params={"filter[can_own_applications]": "true"})
    assert [one["name"] for one in teams["data"]] == ["Owners"]


def test_a_developer_of_another_portal_joins_no_team(operator: Client, portal: str) -> None:
    team = made_team(operator, portal)
    stranger = made_developer(operator, made_portal(operator, "Production"), "dora@example.com")

    operator.post(f"{team}/developers", {"id": stranger}, expect=404)
    operator.delete(f"{team}/developers/{stranger}", expect=404)
    operator.get(f"{portal}/developers/{stranger}/teams", expect=404)
    problem = operator.post(f"{team}/developers", {"id": "dora"}, expect=400)
    assert problem["invalid_parameters"][0]["rule"] == "is_uuid"


def test_the_members_of_a_deleted_team_stay(operator: Client, portal: str) -> None:
    team = made_team(operator, portal)
    developer = made_developer(operator, portal, "dora@example.com")
    operator.post(f"{team}/developers", {"id": developer})
    operator.delete(team)

    assert operator.get(f"{portal}/developers/{developer}/teams")["data"] == []


def test_a_reading_token_changes_no_teams(clients: Clients, operator: Client, portal: str) -> None:
    team = made_team(operator, portal)
    reader = clients.operator(scope="read")

    reader.get(team)
    reader.post(f"{portal}/teams", {"name": "Mine"}, expect=403)
    reader.patch(team, {"name": "Mine"}, expect=403)
    reader.delete(team, expect=403)
    clients.nobody().get(team, expect=401)
