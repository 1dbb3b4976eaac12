"""The entities in force, and the writes of the Admin API on them. In memory only."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from kong_app_auth.devgateway.entities import (
    NAME_FIELD,
    REFERENCES,
    SCHEMAS,
    Entity,
    check_entity,
    reference,
)
from kong_app_auth.devgateway.schema import Errors, Fields, JsonValue, is_uuid, lua_table, merged, message_of

Kind: TypeAlias = str
"""`services`, `routes`, `plugins` or `consumers`."""
_CASCADE = {"services": ("plugins",), "routes": ("plugins",), "consumers": ("plugins",), "plugins": ()}
_RESTRICT = {"services": ("routes",), "routes": (), "consumers": (), "plugins": ()}
_SINGULAR = {"services": "service", "routes": "route", "consumers": "consumer"}


class EntityError(Exception):
    """A refusal with Kong's answer: an HTTP status and a body."""

    def __init__(self, status: int, body: dict[str, JsonValue]) -> None:
        super().__init__(str(body.get("message")))
        self.status = status
        self.body = body


def not_found() -> EntityError:
    """Make Kong's 404."""
    return EntityError(404, {"message": "Not found"})


def schema_violation(errors: Errors) -> EntityError:
    """Make Kong's answer to an entity that does not fit its schema."""
    count = len(errors) if isinstance(errors, dict) else 1
    words = "schema violation" if count == 1 else f"{count} schema violations"
    return EntityError(
        400,
        {
            "message": f"{words} ({message_of(errors)})",
            "name": "schema violation",
            "fields": json_errors(errors),
            "code": 2,
        },
    )


def json_errors(errors: Errors) -> JsonValue:
    """Copy errors into JSON's types."""
    if isinstance(errors, dict):
        return {name: json_errors(each) for name, each in errors.items()}
    if isinstance(errors, list):
        return [None if each is None else json_errors(each) for each in errors]
    return errors


class EntityStore:
    """All entities by kind and id. `changed` is called after every write that took effect."""

    def __init__(self, plugin_config: Mapping[str, Fields], changed: Callable[[], None]) -> None:
        self.plugin_config = plugin_config
        self._entities: dict[Kind, dict[str, Entity]] = {kind: {} for kind in SCHEMAS}
        self._changed = changed

    def all(self, kind: Kind) -> list[Entity]:
        """Give the entities of a kind, oldest first."""
        return list(self._entities[kind].values())

    def find(self, kind: Kind, key: str) -> Entity | None:
        """Find an entity by its id or its name."""
        found = self._entities[kind].get(key)
        if found is None and (field := NAME_FIELD[kind]) is not None:
            found = next((each for each in self._entities[kind].values() if each.get(field) == key), None)
        return found

    def replace(self, entities: Mapping[Kind, Mapping[str, Entity]]) -> None:
        """Put a whole configuration, already checked, in the place of what there is."""
        self._entities = {kind: dict(entities.get(kind, {})) for kind in SCHEMAS}
        self._changed()

    def create(self, kind: Kind, given: Mapping[str, JsonValue]) -> Entity:
        """Insert an entity. Raise EntityError."""
        entity = self._checked(kind, given)
        self._refuse_duplicates(kind, entity, None)
        self._entities[kind][str(entity["id"])] = entity
        self._changed()
        return entity

    def upsert(self, kind: Kind, key: str, given: Mapping[str, JsonValue]) -> Entity:
        """Put an entity under its id or name, as PUT does. Raise EntityError."""
        before = self.find(kind, key)
        fields = dict(given)
        if before is not None:
            fields["id"] = before["id"]
            fields.setdefault("created_at", before["created_at"])
        elif _looks_like_id(key):
            fields["id"] = key
        elif (field := NAME_FIELD[kind]) is not None:
            fields[field] = key
        entity = self._checked(kind, fields)
        self._refuse_duplicates(kind, entity, None if before is None else str(before["id"]))
        self._entities[kind][str(entity["id"])] = entity
        self._changed()
        return entity

    def update(self, kind: Kind, key: str, change: Mapping[str, JsonValue]) -> Entity:
        """Change some fields, as PATCH does. Raise EntityError."""
        before = self.find(kind, key)
        if before is None:
            raise not_found()
        fields = {**before, **{name: merged(before.get(name), value) for name, value in change.items()}}
        fields["id"] = before["id"]
        fields["updated_at"] = int(time.time())
        entity = self._checked(kind, fields)
        self._refuse_duplicates(kind, entity, str(before["id"]))
        self._entities[kind][str(entity["id"])] = entity
        self._changed()
        return entity

    def delete(self, kind: Kind, key: str) -> None:
        """Delete an entity with the plugins on it; one that is not there is no error. Raise EntityError."""
        entity = self.find(kind, key)
        if entity is None:
            return
        identity = str(entity["id"])
        for other in _RESTRICT[kind]:
            if self._referring(other, kind, identity):
                raise EntityError(
                    400,
                    {
                        "message": f"an existing '{other}' entity references this '{kind}' entity",
                        "name": "foreign key violation",
                        "fields": {"@referenced_by": other},
                        "code": 4,
                    },
                )
        for other in _CASCADE[kind]:
            for each in self._referring(other, kind, identity):
                del self._entities[other][each]
        del self._entities[kind][identity]
        self._changed()

    def resolve(self, kind: Kind, given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Turn references by name into references by id, and check that what they name is there. Raise EntityError."""
        fields = dict(given)
        for field, target in REFERENCES[kind].items():
            value = fields.get(field)
            if not isinstance(value, dict):
                continue
            given_id = value.get("id")
            if isinstance(given_id, str) and not is_uuid(given_id):
                raise schema_violation({field: {"id": "expected a valid UUID"}})
            key = given_id or value.get("name") or value.get("username")
            found = self.find(target, key) if isinstance(key, str) else None
            if found is None:
                raise EntityError(
                    400,
                    {
                        "message": f"the foreign key '{lua_table(value)}' does not reference an existing "
                        f"'{target}' entity.",
                        "name": "foreign key violation",
                        "fields": {field: value},
                        "code": 4,
                    },
                )
            fields[field] = {"id": found["id"]}
        return fields

    def _checked(self, kind: Kind, given: Mapping[str, JsonValue]) -> Entity:
        checked = check_entity(kind, given, self.plugin_config)
        if checked.errors is not None:
            raise schema_violation(checked.errors)
        if not isinstance(checked.value, dict):
            raise TypeError("a checked entity is a mapping")
        return self.resolve(kind, checked.value)

    def _referring(self, kind: Kind, target: Kind, identity: str) -> list[str]:
        field = _SINGULAR[target]
        return [key for key, each in self._entities[kind].items() if reference(each, field) == identity]

    def _refuse_duplicates(self, kind: Kind, entity: Entity, own_id: str | None) -> None:
        duplicate = find_duplicate(kind, entity, self._entities[kind].values(), own_id)
        if duplicate is not None:
            raise unique_violation(duplicate)
        if own_id is None and entity["id"] in self._entities[kind]:
            raise EntityError(
                400,
                {
                    "message": f"primary key violation on key '{lua_table({'id': entity['id']})}'",
                    "name": "primary key violation",
                    "fields": {"id": entity["id"]},
                    "code": 3,
                },
            )


def unique_violation(fields: dict[str, JsonValue]) -> EntityError:
    """Make Kong's answer to a second entity under a unique key."""
    return EntityError(
        409,
        {
            "message": f"UNIQUE violation detected on '{lua_table(fields)}'",
            "name": "unique constraint violation",
            "fields": fields,
            "code": 5,
        },
    )


def find_duplicate(
    kind: Kind, entity: Entity, others: Iterable[Entity], own_id: str | None
) -> dict[str, JsonValue] | None:
    """Give the unique fields in which an entity equals another one than `own_id`: its name, or where a plugin sits."""
    keys: list[tuple[str, ...]] = [(field,)] if (field := NAME_FIELD[kind]) is not None else []
    if kind == "plugins":
        keys.append(("name", "route", "service", "consumer"))
    for key in keys:
        values: dict[str, JsonValue] = {name: entity.get(name) for name in key}
        if len(key) == 1 and values[key[0]] is None:
            continue
        for other in others:
            if other["id"] != own_id and all(other.get(name) == value for name, value in values.items()):
                return values
    return None


def _looks_like_id(key: str) -> bool:
    return len(key) == 36 and key.count("-") == 4
