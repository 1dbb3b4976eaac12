"""What a portal asks applicants, beyond Konnect."""

from typing import Any

import pytest

from tests.control_plane.clients import Clients
from tests.control_plane.stage import Stage

PURPOSE = {"name": "purpose", "label": "What for?", "required": True}


@pytest.fixture
def stage(clients: Clients) -> Stage:
    return Stage(clients)


def test_a_field_is_made_changed_and_deleted(stage: Stage) -> None:
    fields = f"{stage.path}/registration-fields"
    made = stage.operator.post(fields, PURPOSE)

    assert (made["name"], made["label"], made["description"], made["required"]) == ("purpose", "What for?", None, True)
    changed = stage.operator.patch(f"{fields}/{made['id']}", {"label": "Why?", "description": "In short"})
    assert changed == {**made, "label": "Why?", "description": "In short", "updated_at": changed["updated_at"]}
    assert stage.operator.get(f"{fields}/{made['id']}") == changed
    assert stage.operator.get(fields, params={"filter[required]": "true", "sort": "name"})["data"] == [changed]
    stage.operator.delete(f"{fields}/{made['id']}")
    stage.operator.get(f"{fields}/{made['id']}", expect=404)


@pytest.mark.parametrize(
    "body", [{}, {"name": "Purpose", "label": "x"}, {"name": "a", "label": ""}, {"name": "a" * 65, "label": "x"}]
)
def test_a_wrong_field_is_told(stage: Stage, body: dict[str, str]) -> None:
    stage.operator.post(f"{stage.path}/registration-fields", body, expect=400)


def test_a_name_is_given_once_and_a_portal_asks_at_most_fifty_things(stage: Stage) -> None:
    fields = f"{stage.path}/registration-fields"
    for number in range(50):
        stage.operator.post(fields, {"name": f"f{number}", "label": "x"})

    problem = stage.operator.post(fields, {"name": "another", "label": "x"}, expect=409)
    assert "50" in problem["detail"]
    first = stage.operator.get(fields)["data"][0]
    stage.operator.delete(f"{fields}/{first['id']}")
    stage.operator.post(fields, {"name": "f49", "label": "x"}, expect=409 if first["name"] != "f49" else 201)


def test_fields_are_of_one_portal(clients: Clients, stage: Stage) -> None:
    made = stage.operator.post(f"{stage.path}/registration-fields", PURPOSE)
    other = Stage(clients)

    other.operator.post(f"{other.path}/registration-fields", PURPOSE)
    other.operator.get(f"{other.path}/registration-fields/{made['id']}", expect=404)
    other.operator.delete(f"{other.path}/registration-fields/{made['id']}", expect=404)
    clients.operator(region="us").get(f"{stage.path}/registration-fields", expect=404)


def test_applicants_are_asked_and_approvers_see_the_answers(stage: Stage) -> None:
    fields = f"{stage.path}/registration-fields"
    made = stage.operator.post(fields, PURPOSE)
    me = stage.developer()
    app = stage.application(me)
    own = f"/api/v3/applications/{app}/registrations"
    asked = me.get("/api/v3/registration-fields")["data"]
    assert asked == [{**PURPOSE, "description": None}]

    registration = me.post(own, {"api_id": stage.api(), "fields": {"purpose": "Weather on my wall"}})
    answers = {"data": [{"name": "purpose", "label": "What for?", "value": "Weather on my wall"}], "reason": None}
    assert me.get(f"{own}/{registration['id']}/fields") == answers
    one = f"{stage.path}/applications/{app}/registrations/{registration['id']}/fields"
    assert stage.operator.get(one) == answers
    stage.operator.delete(f"{fields}/{made['id']}")
    assert stage.operator.get(one)["data"][0]["label"] == "purpose"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (None, {"fields.purpose": "required"}),
        ({}, {"fields.purpose": "required"}),
        ({"purpose": "  "}, {"fields.purpose": "required"}),
        ({"purpose": "x", "colour": "red"}, {"fields.colour": "unknown_property"}),
        ({"purpose": "x" * 1001}, {"fields.purpose": "max_length"}),
        ({"purpose": 1}, {"fields.purpose": "is_string"}),
        ({"purpose": "a\u0000b"}, {"body": "invalid"}),
    ],
)
def test_wrong_answers_register_nothing(stage: Stage, fields: Any, wrong: dict[str, str]) -> None:
    stage.operator.post(f"{stage.path}/registration-fields", PURPOSE)
    me = stage.developer()
    own = f"/api/v3/applications/{stage.application(me)}/registrations"
    body = {"api_id": stage.api()} if fields is None else {"api_id": stage.api(), "fields": fields}

    problem = me.post(own, body, expect=400)
    assert {one["field"]: one["rule"] for one in problem["invalid_parameters"]} == wrong
    assert me.get(own)["data"] == []


def test_an_operator_registers_without_answers(stage: Stage) -> None:
    stage.operator.post(f"{stage.path}/registration-fields", PURPOSE)
    app = stage.application(stage.developer())

    stage.operator.post(f"{stage.path}/applications/{app}/registrations", {"api_id": stage.api()})
