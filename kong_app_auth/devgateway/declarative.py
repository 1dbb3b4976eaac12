"""Kong's declarative configuration: YAML or JSON in, checked entities with ids out."""

import hashlib
import json
from collections.abc import Mapping
from typing import cast

import msgspec
import yaml

from kong_app_auth.devgateway.entities import NAME_FIELD, REFERENCES, SCHEMAS, Entity, check_entity
from kong_app_auth.devgateway.schema import Checked, Errors, Fields, JsonValue, lua_table
from kong_app_auth.devgateway.store import find_duplicate, json_errors
from kong_app_auth.domain.kong_ids import deterministic_id

MAX_BYTES = 64 * 1024 * 1024
_VERSIONS = ("1.1", "2.1", "3.0")
_TOP = frozenset(("_format_version", "_transform", "_comment", "_ignore", "_info", "_plugin_configs"))
_CHILDREN = {"services": ("routes", "plugins"), "routes": ("plugins",), "consumers": ("plugins",), "plugins": ()}
_SINGULAR = {"services": "service", "routes": "route", "consumers": "consumer"}

Entities = dict[str, dict[str, Entity]]


class BadConfiguration(Exception):  # noqa: N818  # Kong's "invalid declarative configuration"
    """A configuration that cannot be used; `fields` says where and why, in Kong's shape."""

    def __init__(self, fields: Errors) -> None:
        super().__init__(f"declarative config is invalid: {lua_table(json_errors(fields))}")
        self.fields = fields

    def body(self) -> dict[str, JsonValue]:
        """Make Kong's answer to POST /config."""
        return {
            "code": 14,
            "name": "invalid declarative configuration",
            "message": str(self),
            "fields": json_errors(self.fields),
        }


class _Item(msgspec.Struct):
    kind: str
    given: dict[str, JsonValue]
    index: int
    parent: str | None


def parse(source: str | bytes) -> dict[str, JsonValue]:
    """Read YAML, or JSON which is YAML too but quicker read as what it is. Raise BadConfiguration."""
    if len(source) > MAX_BYTES:
        raise BadConfiguration({"error": "the configuration is too long"})
    try:
        loaded: object = json.loads(source)
    except ValueError:
        try:
            loaded = yaml.safe_load(source)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            line = " ".join(str(error).split())
            raise BadConfiguration({"error": f"failed parsing declarative configuration: {line}"}) from error
    except RecursionError as error:
        raise BadConfiguration({"error": "nested too deeply"}) from error
    if not isinstance(loaded, dict):
        raise BadConfiguration({"error": "expected an object"})
    return {str(name): value for name, value in cast("dict[object, JsonValue]", loaded).items()}


def hash_of(source: str | bytes) -> str:
    """MD5 of a configuration's text in hex, as in `configuration_hash` of /status: a name for it, not a proof."""
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def load(document: Mapping[str, JsonValue], plugin_config: Mapping[str, Fields]) -> Entities:
    """Check a whole configuration. Raise BadConfiguration with everything that is wrong with it."""
    errors: dict[str, Errors] = {}
    version = document.get("_format_version")
    if version is None:
        errors["_format_version"] = "required field missing"
    elif version not in _VERSIONS:
        errors["_format_version"] = "expected one of: " + ", ".join(_VERSIONS)
    for name in document:
        if name not in _TOP and name not in SCHEMAS:
            errors[name] = "unknown field"
    items = _flatten(document, errors)
    by_key = _by_key(items)
    result: Entities = {kind: {} for kind in SCHEMAS}
    for item in items:
        _resolve(item, by_key, errors)
        checked = check_entity(item.kind, item.given, plugin_config)
        if checked.errors is None and isinstance(checked.value, dict):
            checked = _unique(item.kind, checked.value, result[item.kind])
        if checked.errors is not None:
            _put(errors, item.kind, item.index, checked.errors)
        elif isinstance(checked.value, dict):
            result[item.kind][str(checked.value["id"])] = checked.value
    if errors:
        raise BadConfiguration(errors)
    return result


def names_nowhere(document: Mapping[str, JsonValue]) -> bool:
    """Say whether an entity refers to one that is not in the configuration."""
    items = _flatten(document, {})
    by_key = _by_key(items)
    errors: dict[str, Errors] = {}
    for item in items:
        _resolve(item, by_key, errors)
    return bool(errors)


def _by_key(items: list[_Item]) -> dict[tuple[str, str], str]:
    """Give every entity an id, and the ids by kind and by id or name."""
    _give_ids(items)
    return {
        (item.kind, str(key)): str(item.given["id"])
        for item in items
        for key in (item.given["id"], item.given.get(NAME_FIELD[item.kind] or "id"))
        if isinstance(key, str)
    }


def _unique(kind: str, entity: Entity, others: Mapping[str, Entity]) -> Checked:
    duplicate = find_duplicate(kind, entity, others.values(), None)
    if duplicate is not None:
        return Checked(errors=f"uniqueness violation: '{kind}' entity with {lua_table(duplicate)} already declared")
    if entity["id"] in others:
        return Checked(
            errors=f"uniqueness violation: '{kind}' entity with primary key set to '{entity['id']}' already declared"
        )
    return Checked(entity)


def _flatten(document: Mapping[str, JsonValue], errors: dict[str, Errors]) -> list[_Item]:
    """Lay nested entities out, parents before children; a child refers to its parent by the parent's place for now."""
    items: list[_Item] = []
    counts = dict.fromkeys(SCHEMAS, 0)

    def take(kind: str, values: JsonValue, parent: _Item | None) -> None:
        if values is None:
            return
        if not isinstance(values, list):
            errors[kind] = "expected an array"
            return
        for value in values:
            index = counts[kind]
            counts[kind] += 1
            if not isinstance(value, dict):
                _put(errors, kind, index, "expected a record")
                continue
            given = {str(name): each for name, each in value.items() if name not in {"_comment", "_ignore"}}
            children = {child: given.pop(child) for child in _CHILDREN[kind] if child in given}
            item = _Item(kind, given, index, None)
            if parent is not None:
                item.parent = _SINGULAR[parent.kind]
                given[_SINGULAR[parent.kind]] = cast("JsonValue", parent.given)
            items.append(item)
            for child, nested in children.items():
                take(child, nested, item)

    for kind in ("services", "routes", "consumers", "plugins"):
        take(kind, document.get(kind), None)
    return items


def _give_ids(items: list[_Item]) -> None:
    """Give every entity without an id one that is always the same; for services and routes it is Kong's."""
    order = {"services": 0, "consumers": 0, "routes": 1, "plugins": 2}
    for item in sorted(items, key=lambda each: order[each.kind]):
        given = item.given
        parent = given.get(item.parent) if item.parent else None
        if item.parent and isinstance(parent, dict):
            given[item.parent] = {"id": parent["id"]}
        if given.get("id") is not None:
            continue
        name = given.get(NAME_FIELD[item.kind] or "")
        if not isinstance(name, str):
            owners = ":".join(_key(given.get(field)) for field in REFERENCES[item.kind])
            name = f"{item.kind}:{given.get('name') or ''}:{owners}"
            if item.kind != "plugins":
                name += f":{item.index}"
        given["id"] = deterministic_id(item.kind, name)


def _key(value: JsonValue) -> str:
    if isinstance(value, dict):
        value = value.get("id") or value.get("name")
    return value if isinstance(value, str) else ""


def _resolve(item: _Item, by_key: Mapping[tuple[str, str], str], errors: dict[str, Errors]) -> None:
    for field, target in REFERENCES[item.kind].items():
        value = item.given.get(field)
        if value is None:
            continue
        key = _key(value)
        found = by_key.get((target, key))
        if found is None:
            shown = key or json.dumps(value)
            _put(errors, item.kind, item.index, f"invalid reference '{field}: {shown}' (no such entry in '{target}')")
            item.given[field] = None
        else:
            item.given[field] = {"id": found}


def _put(errors: dict[str, Errors], kind: str, index: int, error: Errors) -> None:
    """Put an error at the place of an entity in the list of its kind."""
    at = errors.setdefault(kind, [])
    if isinstance(at, list):
        at.extend([None] * (index + 1 - len(at)))
        if at[index] is None:
            at[index] = error
