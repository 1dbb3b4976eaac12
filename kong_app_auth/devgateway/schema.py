"""Kong's schema language, as far as plugin servers and the entities here use it: check a value and fill defaults in.

A field is a mapping with one name, `{"region": {"type": "string", "required": True}}`, and a record is a list of them.
Errors come back in Kong's shape: a message, or for records a mapping of field to error, for lists a list with null
where an element is good.
"""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import msgspec

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
Errors: TypeAlias = str | list["Errors | None"] | dict[str, "Errors"]
Definition: TypeAlias = Mapping[str, object]
Fields: TypeAlias = Sequence[Mapping[str, Definition]]

_EXPECTED = {
    "string": "expected a string",
    "number": "expected a number",
    "integer": "expected an integer",
    "boolean": "expected a boolean",
    "array": "expected an array",
    "set": "expected a set",
    "map": "expected a map",
    "record": "expected a record",
}
MAX_DEPTH = 32


class Checked(msgspec.Struct, frozen=True):
    """A value that fits, with its defaults; or what is wrong with it (then `value` is None)."""

    value: JsonValue = None
    errors: Errors | None = None


def definitions(fields: Fields) -> dict[str, Definition]:
    """Read a list of one-name mappings as one mapping."""
    return {name: definition for field in fields for name, definition in field.items()}


def check_record(fields: Fields, value: Mapping[str, JsonValue], depth: int = 0) -> Checked:
    """Check a record: unknown fields, required fields, each value; put defaults where nothing is."""
    errors: dict[str, Errors] = {}
    known = definitions(fields)
    result: dict[str, JsonValue] = {}
    for name in value:
        if name not in known:
            errors[name] = "unknown field"
    for name, definition in known.items():
        given = value.get(name)
        if given is None:
            filled = _default(definition, depth)
            if filled is None and definition.get("required"):
                errors[name] = "required field missing"
                continue
            given = filled
        if given is None:
            result[name] = None
            continue
        checked = check(definition, given, depth + 1)
        if checked.errors is not None:
            errors[name] = checked.errors
        else:
            result[name] = checked.value
    return Checked(errors=errors) if errors else Checked(result)


def check(definition: Definition, value: JsonValue, depth: int = 0) -> Checked:
    """Check one value against its definition."""
    if depth > MAX_DEPTH:
        return Checked(errors="nested too deeply")
    kind = definition.get("type")
    if kind == "record":
        if not isinstance(value, dict):
            return Checked(errors=_EXPECTED["record"])
        return check_record(_fields(definition), value, depth)
    if kind in {"array", "set"}:
        return _check_list(definition, value, depth, unique=kind == "set")
    if kind == "map":
        return _check_map(definition, value, depth)
    if kind in _EXPECTED and not _is(str(kind), value):
        return Checked(errors=_EXPECTED[str(kind)])
    problem = _violation(definition, value)
    return Checked(value) if problem is None else Checked(errors=problem)


def merged(before: JsonValue, change: JsonValue) -> JsonValue:
    """Lay a change over a value as PATCH does: records are merged, everything else is replaced."""
    if isinstance(before, dict) and isinstance(change, dict):
        return {**before, **{name: merged(before.get(name), value) for name, value in change.items()}}
    return change


def message_of(errors: Errors) -> str:
    """Write errors in one line, as in `schema violation (host: required field missing)`."""
    if isinstance(errors, dict):
        parts: list[str] = []
        for name in sorted(errors):
            error = errors[name]
            if name == "@entity" and isinstance(error, list):
                parts.extend(str(each) for each in error)
            else:
                parts.append(f"{name}: {_inline(error)}")
        return "; ".join(parts)
    return _inline(errors)


def is_uuid(text: str) -> bool:
    """Say whether Kong takes this for a UUID."""
    return _UUID.fullmatch(text) is not None


def lua_table(value: object) -> str:
    """Write a value as Kong writes Lua tables into messages."""
    if isinstance(value, dict):
        items = cast("dict[str, object]", value)
        inner = ",".join(f"{_lua_key(name)}={lua_table(items[name])}" for name in sorted(items))
        return f"{{{inner}}}"
    if isinstance(value, list):
        return "{" + ",".join(lua_table(each) for each in cast("list[object]", value)) + "}"
    if value is None:
        return "null"
    if isinstance(value, str):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lua_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f"[{json.dumps(name)}]"


def _inline(errors: Errors) -> str:
    if isinstance(errors, str):
        return errors
    return lua_table(errors)


def _fields(definition: Definition) -> Fields:
    return cast("Fields", definition.get("fields") or ())


def _default(definition: Definition, depth: int) -> JsonValue:
    if "default" in definition:
        return copy.deepcopy(cast("JsonValue", definition["default"]))
    if definition.get("type") == "record" and definition.get("required") and depth < MAX_DEPTH:
        return {}
    return None


def _is(kind: str, value: JsonValue) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return kind == "number" or isinstance(value, int) or value.is_integer()


def _check_list(definition: Definition, value: JsonValue, depth: int, *, unique: bool) -> Checked:
    if not isinstance(value, list):
        return Checked(errors=_EXPECTED["set" if unique else "array"])
    element = cast("Definition", definition.get("elements") or {})
    checked = [check(element, each, depth + 1) for each in value]
    if any(each.errors is not None for each in checked):
        return Checked(errors=[each.errors for each in checked])
    values = [each.value for each in checked]
    if unique:
        values = [each for index, each in enumerate(values) if each not in values[:index]]
    problem = _violation(definition, values)
    return Checked(values) if problem is None else Checked(errors=problem)


def _check_map(definition: Definition, value: JsonValue, depth: int) -> Checked:
    if not isinstance(value, dict):
        return Checked(errors=_EXPECTED["map"])
    keys = cast("Definition", definition.get("keys") or {})
    values = cast("Definition", definition.get("values") or {})
    errors: dict[str, Errors] = {}
    result: dict[str, JsonValue] = {}
    for name, each in value.items():
        key = check(keys, name, depth + 1)
        checked = check(values, each, depth + 1)
        wrong = key.errors if key.errors is not None else checked.errors
        if wrong is not None:
            errors[name] = wrong
        else:
            result[name] = checked.value
    if errors:
        return Checked(errors=errors)
    problem = _violation(definition, result)
    return Checked(result) if problem is None else Checked(errors=problem)


def _violation(definition: Definition, value: JsonValue) -> str | None:
    """Check the limits that a definition puts on a value of the right type."""
    choices = definition.get("one_of")
    if isinstance(choices, list) and value not in cast("list[object]", choices):
        return "expected one of: " + ", ".join(str(choice) for choice in cast("list[object]", choices))
    if "eq" in definition and value != definition["eq"]:
        return f"value must be {definition['eq']}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        between = definition.get("between")
        if isinstance(between, list):
            low, high = cast("list[float]", between)
            if not low <= value <= high:
                return f"value should be between {low} and {high}"
        greater = definition.get("gt")
        if isinstance(greater, int | float) and not value > greater:
            return f"value must be greater than {greater}"
    if isinstance(value, str | list | dict):
        if isinstance(value, str) and value == "" and "len_min" not in definition:
            return "length must be at least 1"
        least, most, exact = (definition.get(name) for name in ("len_min", "len_max", "len_eq"))
        if isinstance(least, int) and len(value) < least:
            return f"length must be at least {least}"
        if isinstance(most, int) and len(value) > most:
            return f"length must be at most {most}"
        if isinstance(exact, int) and len(value) != exact:
            return f"length must be exactly {exact}"
    if isinstance(value, str):
        start = definition.get("starts_with")
        if isinstance(start, str) and not value.startswith(start):
            return f"should start with: {start}"
        if definition.get("uuid") and not is_uuid(value):
            return "expected a valid UUID"
        pattern = definition.get("python_match")
        if isinstance(pattern, str) and not re.fullmatch(pattern, value):
            return str(definition.get("err") or f"invalid value: {value}")
        if definition.get("is_regex"):
            try:
                re.compile(value)
            except re.error:
                return f"not a valid regex: {value}"
    return None


_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
