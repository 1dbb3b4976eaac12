"""Kong's entities that the development gateway knows, each as its JSON in the Admin API, with their schemas."""

import re
import time
import uuid
from collections.abc import Mapping
from typing import TypeAlias

from kong_app_auth.devgateway.schema import Checked, Errors, Fields, JsonValue, check_record

Entity: TypeAlias = dict[str, JsonValue]

WORKSPACE_ID = "0dc6f45b-8f8d-40d2-a504-473544ee190b"
"""The default workspace has a fixed id here; in Kong with a database it is random."""

_NAME = {
    "type": "string",
    "python_match": r"[0-9A-Za-z.\-_~\u0080-\U0010ffff]+",
    "err": "invalid name: the only accepted ascii characters are alphanumerics or ., -, _, and ~",
}
_TAGS = {"tags": {"type": "set", "elements": {"type": "string", "python_match": r"[^,/\x00-\x1f]+"}}}
_ID: dict[str, dict[str, object]] = {"id": {"type": "string", "uuid": True}}
_TIMES = ({"created_at": {"type": "integer"}}, {"updated_at": {"type": "integer"}})
_MILLISECONDS = {"type": "integer", "between": [1, 2**31 - 2], "default": 60000}
_HTTP = {"type": "string", "one_of": ["http", "https"]}
_STRINGS = {"type": "array", "elements": {"type": "string"}}
_REFERENCE = {"type": "record", "fields": [{"id": {"type": "string", "required": True}}]}
_ADDRESSES = {
    "type": "set",
    "elements": {"type": "record", "fields": [{"ip": {"type": "string"}}, {"port": {"type": "integer"}}]},
}

SERVICES: Fields = (
    _ID,
    *_TIMES,
    {"name": _NAME},
    {"retries": {"type": "integer", "between": [0, 32767], "default": 5}},
    {"protocol": {**_HTTP, "required": True, "default": "http"}},
    {"host": {"type": "string", "required": True, "len_max": 255}},
    {"port": {"type": "integer", "required": True, "between": [0, 65535], "default": 80}},
    {"path": {"type": "string", "starts_with": "/"}},
    {"connect_timeout": _MILLISECONDS},
    {"write_timeout": _MILLISECONDS},
    {"read_timeout": _MILLISECONDS},
    _TAGS,
    {"client_certificate": _REFERENCE},
    {"tls_verify": {"type": "boolean"}},
    {"tls_verify_depth": {"type": "integer", "between": [0, 64]}},
    {"ca_certificates": _STRINGS},
    {"enabled": {"type": "boolean", "required": True, "default": True}},
)
ROUTES: Fields = (
    _ID,
    *_TIMES,
    {"name": _NAME},
    {"protocols": {"type": "set", "required": True, "len_min": 1, "elements": _HTTP, "default": ["http", "https"]}},
    {"methods": {"type": "set", "elements": {"type": "string", "python_match": r"[A-Z]+", "len_min": 1}}},
    {"hosts": {"type": "array", "elements": {"type": "string", "python_match": r"[^/\s]+"}}},
    {
        "paths": {
            "type": "array",
            "elements": {
                "type": "string",
                "python_match": r"(?s)(?:/|~/).*",
                "err": "should start with: / (fixed path) or ~/ (regex path)",
            },
        }
    },
    {"headers": {"type": "map", "keys": {"type": "string"}, "values": {**_STRINGS, "len_min": 1}}},
    {"https_redirect_status_code": {"type": "integer", "one_of": [426, 301, 302, 307, 308], "default": 426}},
    {"regex_priority": {"type": "integer", "default": 0}},
    {"strip_path": {"type": "boolean", "required": True, "default": True}},
    {"path_handling": {"type": "string", "one_of": ["v0", "v1"], "default": "v0"}},
    {"preserve_host": {"type": "boolean", "required": True, "default": False}},
    {"request_buffering": {"type": "boolean", "required": True, "default": True}},
    {"response_buffering": {"type": "boolean", "required": True, "default": True}},
    {"snis": _STRINGS},
    {"sources": _ADDRESSES},
    {"destinations": _ADDRESSES},
    _TAGS,
    {"service": _REFERENCE},
)
PLUGINS: Fields = (
    _ID,
    *_TIMES,
    {"name": {"type": "string", "required": True}},
    {"instance_name": _NAME},
    {"route": _REFERENCE},
    {"service": _REFERENCE},
    {"consumer": _REFERENCE},
    {"config": {"type": "map", "required": True, "default": {}}},
    {"protocols": {"type": "set", "elements": {"type": "string"}, "default": ["grpc", "grpcs", "http", "https"]}},
    {"enabled": {"type": "boolean", "required": True, "default": True}},
    {"ordering": {"type": "map"}},
    _TAGS,
)
CONSUMERS: Fields = (
    _ID,
    *_TIMES,
    {"username": {"type": "string"}},
    {"custom_id": {"type": "string"}},
    _TAGS,
)
SCHEMAS: Mapping[str, Fields] = {
    "services": SERVICES,
    "routes": ROUTES,
    "plugins": PLUGINS,
    "consumers": CONSUMERS,
}
NAME_FIELD: Mapping[str, str | None] = {
    "services": "name",
    "routes": "name",
    "plugins": "instance_name",
    "consumers": "username",
}
REFERENCES: Mapping[str, Mapping[str, str]] = {
    "services": {},
    "routes": {"service": "services"},
    "plugins": {"route": "routes", "service": "services", "consumer": "consumers"},
    "consumers": {},
}
_MATCHERS = ("methods", "hosts", "headers", "paths", "snis")
_URL = re.compile(
    r"(?P<protocol>[a-z]+)://(?P<host>\[[0-9a-fA-F:.]+\]|[^/:?#\s]+)(?::(?P<port>\d{1,5}))?(?P<path>/[^?#\s]*)?"
)
_PORTS = {"http": 80, "https": 443}


def reference(entity: Entity, field: str) -> str | None:
    """Give the id that a foreign field holds."""
    value = entity.get(field)
    if isinstance(value, dict):
        found = value.get("id")
        return found if isinstance(found, str) else None
    return None


def strings(entity: Entity, field: str) -> list[str]:
    """Give a list of strings, empty where there is none."""
    value = entity.get(field)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def expand_url(given: Mapping[str, JsonValue]) -> "dict[str, JsonValue] | str":
    """Expand the shorthand `url` of a service, or say what is wrong with it."""
    fields = dict(given)
    url = fields.pop("url", None)
    if url is None:
        return fields
    match = _URL.fullmatch(url) if isinstance(url, str) else None
    if match is None:
        return "missing host in url" if isinstance(url, str) else "expected a string"
    fields["protocol"] = match["protocol"]
    fields["host"] = match["host"]
    fields["port"] = int(match["port"]) if match["port"] else _PORTS.get(match["protocol"], 80)
    if match["path"]:
        fields["path"] = match["path"]
    return fields


def check_entity(kind: str, given: Mapping[str, JsonValue], plugin_config: Mapping[str, Fields]) -> Checked:
    """Check an entity and fill in defaults, an id and the times (Unix time in seconds).

    `plugin_config` holds the fields of `config` of every known plugin, by its name.
    """
    if kind == "services":
        expanded = expand_url(given)
        if isinstance(expanded, str):
            return Checked(errors={"url": expanded})
        given = expanded
    checked = check_record(SCHEMAS[kind], given)
    errors: dict[str, Errors] = dict(checked.errors) if isinstance(checked.errors, dict) else {}
    entity = checked.value if isinstance(checked.value, dict) else {}
    if kind == "plugins":
        _check_plugin(given, entity, errors, plugin_config)
    elif not errors:
        _check_whole(kind, entity, errors)
    if errors:
        return Checked(errors=errors)
    entity["id"] = entity["id"] or str(uuid.uuid4())
    now = int(time.time())
    entity["created_at"] = entity["created_at"] or now
    entity["updated_at"] = entity["updated_at"] or now
    return Checked(entity)


def _check_plugin(
    given: Mapping[str, JsonValue], entity: Entity, errors: dict[str, Errors], known: Mapping[str, Fields]
) -> None:
    name = given.get("name")
    if not isinstance(name, str):
        return
    fields = known.get(name)
    if fields is None:
        errors["name"] = f"plugin '{name}' not enabled; add it to the 'plugins' configuration property"
        return
    config = given.get("config")
    if config is None:
        config = {}
    if not isinstance(config, dict):
        return
    checked = check_record(fields, config)
    if checked.errors is not None:
        errors["config"] = checked.errors
    else:
        entity["config"] = checked.value


def _check_whole(kind: str, entity: Entity, errors: dict[str, Errors]) -> None:
    if kind == "routes":
        if not any(entity.get(matcher) for matcher in _MATCHERS):
            last = strings(entity, "protocols")[-1]
            names = ", ".join(f"'{matcher}'" for matcher in _MATCHERS)
            errors["@entity"] = [f"must set one of {names} when 'protocols' is '{last}'"]
        for path in strings(entity, "paths"):
            if path.startswith("~"):
                try:
                    re.compile(path[1:])
                except re.error:
                    errors["paths"] = f"invalid regex: '{path[1:]}'"
    elif kind == "consumers" and not entity.get("username") and not entity.get("custom_id"):
        errors["@entity"] = ["at least one of these fields must be non-empty: 'custom_id', 'username'"]
