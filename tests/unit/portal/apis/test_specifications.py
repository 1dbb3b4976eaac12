import json
from typing import Any

import pytest

from tests.control_plane.clients import Client, Clients

OAS3: dict[str, Any] = {"openapi": "3.0.3", "info": {"title": "Weather", "version": "1"}, "paths": {}}
ASYNCAPI: dict[str, Any] = {"asyncapi": "2.6.0", "info": {"title": "Weather", "version": "1"}, "channels": {}}
YAML = "openapi: 3.1.0\ninfo:\n  title: Weather\n  version: 1.0\nwebhooks: {}\n"


@pytest.fixture
def path(operator: Client) -> str:
    api = operator.post("/v3/apis", {"name": "Weather API"})["id"]
    return f"/v3/apis/{api}/specifications"


def _told(specification: dict[str, Any]) -> list[str]:
    return [one["message"] for one in specification["validation_messages"]]


def test_a_specification_is_kept_as_it_is_with_its_type_and_what_is_wrong_with_it(operator: Client, path: str) -> None:
    content = json.dumps({**OAS3, "paths": {"/a": {"$ref": "#/components/schemas/shouldExist"}, "\0\ud800": {}}})
    made = operator.post(path, {"content": content})

    assert (made["type"], made["content"]) == ("oas3", content)
    assert "'#/components/schemas/shouldExist' does not exist" in _told(made)
    assert operator.get(f"{path}/{made['id']}") == made


def test_what_is_no_specification_is_refused(operator: Client, path: str) -> None:
    for content in ("", "hello", "[" * 50_000):
        problem = operator.post(path, {"content": content}, expect=400)
        assert problem["invalid_parameters"][0]["field"] == "content"


def test_a_document_with_a_syntax_error_is_kept_where_its_type_is_given(operator: Client, path: str) -> None:
    made = operator.post(path, {"content": "openapi: [", "type": "oas3"})

    assert made["type"] == "oas3"
    assert "line 2" in _told(made)[0]


def test_a_type_that_is_not_the_contents_is_told(operator: Client, path: str) -> None:
    made = operator.post(path, {"content": json.dumps(OAS3), "type": "asyncapi"})

    assert made["type"] == "oas3"
    assert _told(made) == ["the type was given as asyncapi, the content is oas3"]


def test_an_api_has_one_specification(operator: Client, path: str) -> None:
    operator.post(path, {"content": YAML})

    problem = operator.post(path, {"content": YAML}, expect=409)
    assert "already exists" in problem["detail"]


def test_a_type_is_one_that_there_is(operator: Client, path: str) -> None:
    for wrong in (None, "oas4", 3):
        problem = operator.post(path, {"content": YAML, "type": wrong}, expect=400)
        assert problem["invalid_parameters"][0]["field"] == "type"


def test_a_body_is_at_most_a_megabyte(operator: Client, path: str) -> None:
    response = operator.http.post(path, json={"content": YAML + "x" * 1024 * 1024})

    assert response.status_code == 413
    assert operator.get(path)["data"] == []


def test_specifications_are_listed_without_their_content(operator: Client, path: str) -> None:
    made = operator.post(path, {"content": YAML})

    listed = operator.get(path)["data"]
    assert listed == [{name: made[name] for name in ("id", "type", "created_at", "updated_at")}]
    assert operator.get(path, params={"filter[type]": "oas3"})["data"] == listed
    assert operator.get(path, params={"filter[type]": "oas2"})["data"] == []


def test_new_content_has_its_own_type_and_messages(operator: Client, path: str) -> None:
    made = operator.post(path, {"content": json.dumps({**OAS3, "info": {}})})
    changed = operator.patch(f"{path}/{made['id']}", {"content": json.dumps(ASYNCAPI)})

    assert changed["type"] == "asyncapi"
    assert changed["content"] == json.dumps(ASYNCAPI)
    assert changed["validation_messages"] == []
    assert operator.get(f"{path}/{made['id']}") == changed


def test_a_type_alone_changes_nothing_that_the_content_says(operator: Client, path: str) -> None:
    made = operator.post(path, {"content": json.dumps(OAS3)})
    changed = operator.patch(f"{path}/{made['id']}", {"type": "oas2"})

    assert (changed["type"], changed["content"]) == ("oas3", json.dumps(OAS3))
    assert _told(changed) == ["the type was given as oas2, the content is oas3"]


def test_a_type_alone_is_that_of_a_document_that_does_not_say_its_own(operator: Client, path: str) -> None:
    made = operator.post(path, {"content": "[", "type": "oas3"})

    assert operator.patch(f"{path}/{made['id']}", {"type": "oas2"})["type"] == "oas2"
    assert operator.patch(f"{path}/{made['id']}", {})["type"] == "oas2"
    operator.patch(f"{path}/{made['id']}", {"content": "still nothing"}, expect=400)
    operator.patch(f"{path}/{made['id']}", {"content": ""}, expect=400)


def test_a_deleted_specification_is_gone_and_makes_room(operator: Client, path: str) -> None:
    made = operator.post(path, {"content": YAML})
    operator.delete(f"{path}/{made['id']}")

    operator.get(f"{path}/{made['id']}", expect=404)
    operator.post(path, {"content": YAML})


def test_a_specification_is_there_under_its_own_api_only(clients: Clients, operator: Client, path: str) -> None:
    made = operator.post(path, {"content": YAML})
    other = operator.post("/v3/apis", {"name": "Maps API"})["id"]

    for client, place in ((operator, f"/v3/apis/{other}/specifications"), (clients.operator(region="us"), path)):
        client.get(f"{place}/{made['id']}", expect=404)
        client.patch(f"{place}/{made['id']}", {"content": YAML}, expect=404)
        client.delete(f"{place}/{made['id']}", expect=404)
    operator.get(f"{path}/not-a-uuid", expect=404)
