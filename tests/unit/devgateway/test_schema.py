from typing import Any

import pytest

from kong_app_auth.devgateway.schema import check, check_record, merged, message_of

FIELDS: list[dict[str, dict[str, Any]]] = [
    {"region": {"type": "string", "required": True}},
    {"realm": {"type": "string", "default": "eu"}},
    {"hide": {"type": "boolean", "required": True, "default": True}},
    {"names": {"type": "set", "elements": {"type": "string"}, "default": ["a"]}},
    {"inner": {"type": "record", "required": True, "fields": [{"limit": {"type": "integer", "default": 3}}]}},
    {"loose": {"type": "record", "fields": [{"x": {"type": "string"}}]}},
]


def test_defaults_are_filled_in_and_what_is_not_there_is_null() -> None:
    assert check_record(FIELDS, {"region": "eu", "names": ["b", "b"]}).value == {
        "region": "eu",
        "realm": "eu",
        "hide": True,
        "names": ["b"],
        "inner": {"limit": 3},
        "loose": None,
    }


def test_a_default_is_not_shared() -> None:
    first, second = (check_record(FIELDS, {"region": "eu"}).value for _ in range(2))
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["names"] is not second["names"]


def test_everything_wrong_is_said_in_kongs_words() -> None:
    errors = check_record(FIELDS, {"hide": "x", "names": ["a", 1], "inner": {"limit": 1.5}, "other": 1}).errors
    assert errors == {
        "region": "required field missing",
        "hide": "expected a boolean",
        "names": [None, "expected a string"],
        "inner": {"limit": "expected an integer"},
        "other": "unknown field",
    }
    assert errors is not None
    assert message_of({"host": "required field missing"}) == "host: required field missing"
    assert message_of({"a": "x", "b": {"c": "y"}}) == 'a: x; b: {c="y"}'


@pytest.mark.parametrize(
    ("definition", "value", "error"),
    [
        ({"type": "string", "one_of": ["a", "b"]}, "c", "expected one of: a, b"),
        ({"type": "string"}, "", "length must be at least 1"),
        ({"type": "string", "len_min": 0}, "", None),
        ({"type": "string", "len_max": 2}, "abc", "length must be at most 2"),
        ({"type": "integer", "between": [1, 3]}, 4, "value should be between 1 and 3"),
        ({"type": "number", "gt": 0}, 0, "value must be greater than 0"),
        ({"type": "number"}, True, "expected a number"),
        ({"type": "integer"}, 3.0, None),
        ({"type": "array", "len_min": 1, "elements": {"type": "string"}}, [], "length must be at least 1"),
        (
            {"type": "map", "keys": {"type": "string"}, "values": {"type": "integer"}},
            {"a": "x"},
            {"a": "expected an integer"},
        ),
        ({"type": "record", "fields": []}, [], "expected a record"),
        ({"type": "string", "is_regex": True}, "(", "not a valid regex: ("),
        ({}, [{"any": None}], None),
    ],
)
def test_the_limits_of_a_definition_are_kept(definition: dict[str, Any], value: Any, error: Any) -> None:
    assert check(definition, value).errors == error


def test_a_change_is_laid_over_records_and_replaces_the_rest() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "l": [1]}, {"a": {"b": None}, "l": [2]}) == {
        "a": {"b": None, "c": 2},
        "l": [2],
    }
