"""OpenAPI documents as people read them: what is right is shown, what is hostile is bounded."""

import json
import time
from typing import Any

import pytest

from kong_app_auth.portal.web.commands import quoted, token_request, with_key, with_token
from kong_app_auth.portal.web.outline import (
    MAX_LINES,
    MAX_OPERATIONS,
    MAX_TEXT,
    Outline,
    outline,
)


def read(document: Any) -> Outline:
    text = document if isinstance(document, str) else json.dumps(document)
    return outline("id", str(hash(text)), text)


def test_operations_come_by_tag_with_parameters_bodies_and_answers() -> None:
    found = read(
        """
openapi: 3.0.3
info: {title: Weather, version: '1', description: Words}
servers: [{url: 'https://api.example/v1/weather/'}]
paths:
  /places/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer, format: int64}}]
    get:
      tags: [Places]
      summary: One place
      responses:
        '200':
          description: It
          content: {application/json: {schema: {$ref: '#/components/schemas/Place'}}}
  /now:
    get: {responses: {}}
components:
  schemas:
    Place:
      type: object
      required: [name]
      properties:
        name: {type: string, description: What it is called}
        near: {type: array, items: {$ref: '#/components/schemas/Place'}}
"""
    )
    assert (found.title, found.base_path, found.example_path) == ("Weather", "/v1/weather", "/now")
    assert [group.name for group in found.groups] == ["Places", ""]
    operation = found.groups[0].operations[0]
    assert (operation.parameters[0].name, operation.parameters[0].kind) == ("id", "integer (int64)")
    fields = operation.answers[0].bodies[0].fields
    assert [(one.depth, one.name, one.required) for one in fields[:3]] == [
        (0, "name", True),
        (0, "near", False),
        (1, "name", True),
    ]
    assert fields[1].kind == "list of object"
    assert len(fields) <= MAX_LINES


def test_openapi_2_is_read_too() -> None:
    found = read(
        {
            "swagger": "2.0",
            "basePath": "/v2",
            "paths": {
                "/a": {
                    "post": {
                        "parameters": [
                            {"in": "body", "name": "body", "schema": {"properties": {"x": {"type": "string"}}}},
                            {"in": "query", "name": "q", "type": "string", "required": True},
                        ],
                        "responses": {"200": {"description": "ok", "schema": {"type": "integer"}}},
                    }
                }
            },
        }
    )
    operation = found.groups[0].operations[0]
    assert (found.base_path, found.example_path) == ("/v2", "")
    assert operation.bodies[0].fields[0].name == "x"
    assert operation.parameters[0].kind == "string"
    assert operation.answers[0].bodies[0].kind == "integer"


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "openapi",
        "{",
        {"paths": []},
        {"paths": {"/a": []}},
        {"paths": {"/a": {"get": "x"}}},
        {"paths": {"/a": {"get": {"tags": [[]], "parameters": {}, "responses": [], "requestBody": 1}}}},
        {"paths": {"/a": {"get": {"parameters": [1, [], None, {"in": {}}], "responses": {"200": None}}}}},
        {"info": [], "servers": [[]], "paths": {"x": {}, "/": {"get": {}}}},
        {"servers": [{"url": "https://[x"}], "paths": {}},
        {"servers": [{"url": "/$(reboot)"}], "paths": {}},
        {"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {"200": {"content": {"a": {"schema": True}}}}}}}},
    ],
    ids=range(13),
)
def test_wrong_documents_are_shown_as_far_as_they_go(document: Any) -> None:
    found = read(document)
    assert found.problem or isinstance(found.groups, tuple)
    assert "$" not in found.base_path


def _loop(reference: str) -> Any:
    schema = {"$ref": reference}
    content = {"application/json": {"schema": schema}}
    return {
        "paths": {"/a": {"get": {"responses": {"200": {"content": content}}}}},
        "components": {
            "schemas": {
                "A": {"$ref": "#/components/schemas/B"},
                "B": {"$ref": "#/components/schemas/A"},
                "C": {"properties": {f"p{n}": {"$ref": "#/components/schemas/C"} for n in range(40)}},
                "D": {"allOf": [{"$ref": "#/components/schemas/D"}] * 10},
                "E": {"type": "array", "items": {"$ref": "#/components/schemas/E"}},
                "F": {"oneOf": [{"$ref": "#/components/schemas/F"}] * 5},
            }
        },
    }


@pytest.mark.parametrize("name", "ABCDEF")
def test_schemas_that_hold_themselves_come_to_an_end(name: str) -> None:
    begun = time.monotonic()
    found = read(_loop(f"#/components/schemas/{name}"))
    print(f"{name}: {time.monotonic() - begun:.3f} s")
    body = found.groups[0].operations[0].answers[0].bodies[0]
    assert len(body.fields) <= MAX_LINES
    assert len(body.kind) < 10_000


@pytest.mark.parametrize("reference", ["#/nowhere", "https://evil.example/x.json", "file:///etc/passwd", "", "#"])
def test_references_lead_nowhere_else(reference: str) -> None:
    assert read(_loop(reference)).groups[0].operations[0].answers[0].bodies[0].fields == ()


def test_there_is_an_end_to_what_is_shown() -> None:
    paths = {f"/p{n}": {"get": {"summary": "s" * 9000, "description": "d" * 90_000}} for n in range(MAX_OPERATIONS + 5)}
    found = read({"info": {"description": "x" * 900_000}, "paths": paths})
    operations = [one for group in found.groups for one in group.operations]
    assert (len(operations), found.more) == (MAX_OPERATIONS, 5)
    assert len(operations[0].description) == MAX_TEXT
    assert len(operations[0].summary) == 200
    assert len(found.description) == MAX_TEXT


SPEC = Outline(base_path="/weather")


def test_a_ready_line_is_safe_to_paste() -> None:
    assert with_key("https://api.example/", SPEC, "apikey", "kaa_eu_x") == (
        "curl https://api.example/weather \\\n  -H 'apikey: kaa_eu_x'"
    )
    assert with_key(None, SPEC, "apikey", "kaa_eu_x") is None
    assert with_token("https://api.example", None) == (
        'curl https://api.example/ \\\n  -H "Authorization: Bearer $TOKEN"'
    )
    assert quoted("a'; rm -rf ~; '") == "'a'\\''; rm -rf ~; '\\'''"
    line = token_request("https://idp.example/token?a=$(x)", "it's me", ["a", "b"])
    assert "'https://idp.example/token?a=$(x)'" in line
    assert "-d 'scope=a b'" in line
    assert "'it'\\''s me:'\"$CLIENT_SECRET\"" in line
