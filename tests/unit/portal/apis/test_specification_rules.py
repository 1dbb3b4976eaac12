import json
from typing import Any

import pytest

from kong_app_auth.portal.services.specification_rules import MAX_MESSAGES, Examined, examine

OAS3: dict[str, Any] = {"openapi": "3.0.3", "info": {"title": "Weather", "version": "1"}, "paths": {}}
OAS2: dict[str, Any] = {"swagger": "2.0", "info": {"title": "Weather", "version": "1"}, "paths": {}}
ASYNCAPI: dict[str, Any] = {"asyncapi": "2.6.0", "info": {"title": "Weather", "version": "1"}, "channels": {}}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (json.dumps(OAS3), "oas3"),
        (json.dumps(OAS2), "oas2"),
        (json.dumps(ASYNCAPI), "asyncapi"),
        ("openapi: 3.1.0\ninfo:\n  title: Weather\n  version: 1.0\nwebhooks: {}\n", "oas3"),
        ("{openapi: 3.0.3, info: {title: in YAML, version: '1'}, paths: {}}", "oas3"),
        ('swagger: "2.0"\ninfo: {title: a, version: "1"}\npaths: {}', "oas2"),
        ("asyncapi: 3.0.0\ninfo: {title: a, version: 1.0.0}", "asyncapi"),
    ],
)
def test_the_content_says_what_it_is(content: str, found: str) -> None:
    assert examine(content, None) == Examined(found, ())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"openapi": "4.0.0"}',
        "a: [",
        "- - -",
        "a: 1\n---\nb: 2\n",
        "*a",
        "&a [*a]",
        "? [a]\n: b",
        '"\\UFFFFFFFF": a',
        "\0",
        "[" * 50_000,
        '{"a":' * 50_000,
        "{" * 50_000,
    ],
)
def test_what_is_no_specification_has_the_type_that_was_given_or_none(content: str) -> None:
    assert isinstance(examine(content, None), str)
    found = examine(content, "oas2")
    assert isinstance(found, Examined)
    assert found.type == "oas2"
    assert len(found.messages) == 1


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({**OAS3, "info": {}}, ["'info.title' is missing", "'info.version' is missing"]),
        ({"openapi": "3.0.3", "info": OAS3["info"]}, ["'paths' is missing"]),
        ({"openapi": "3.1.0", "info": OAS3["info"], "components": {}}, []),
        ({"asyncapi": "2.6.0"}, ["'info' is missing", "'channels' is missing"]),
        ({**OAS3, "paths": {"weather": {}, "x-order": []}}, ["the path 'weather' does not begin with a slash"]),
        (
            {**OAS3, "paths": {"/a": {"$ref": "#/components/schemas/shouldExist"}}},
            ["'#/components/schemas/shouldExist' does not exist"],
        ),
        ({**OAS3, "paths": {"/a b": {"$ref": "#/paths/~1a%20b"}, "/b": {"$ref": "other.yaml#/a"}}}, []),
        (
            {**OAS3, "paths": {"/a": [{"$ref": "#/paths/~1a/0"}, {"$ref": "#/paths/~1a/9"}, {"$ref": "#a"}]}},
            ["'#a' does not exist", "'#/paths/~1a/9' does not exist"],
        ),
        ({**OAS3, "paths": {"\0\ud800": {}}}, ["the path '\ufffd\ufffd' does not begin with a slash"]),
    ],
)
def test_what_is_wrong_is_told(document: dict[str, Any], told: list[str]) -> None:
    found = examine(json.dumps(document), None)

    assert isinstance(found, Examined)
    assert sorted(found.messages) == sorted(told)


def test_not_everything_that_is_wrong_is_told() -> None:
    found = examine(json.dumps({**OAS3, "paths": {f"{number}": {} for number in range(1000)}}), None)

    assert isinstance(found, Examined)
    assert len(found.messages) == MAX_MESSAGES


def test_aliases_that_multiply_do_no_harm() -> None:
    lines = ["openapi: 3.1.0", "info: {title: a, version: '1'}", "paths: {}", "a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    lines += ["b0: &b0 {x: y}"]
    lines += [f"b{n}: &b{n} {{<<: [{','.join([f'*b{n - 1}'] * 9)}]}}" for n in range(1, 40)]

    assert examine("\n".join(lines), None) == Examined("oas3", ())
