"""Whether a plugin in Kong is as we want it: ours, with the defaults of the plugin's schema beneath."""

import json
from typing import Any, Final, cast

import msgspec

from kong_app_auth.sync.declarative.complaints import shown
from kong_app_auth.sync.kong.entities import PROTOCOLS, Config, Found, Managed

_MISSING: Final = object()


class Difference(msgspec.Struct, frozen=True):
    """A field of a plugin that is not as it should be."""

    field: str
    there: Any
    wanted: Any

    def __str__(self) -> str:
        """Say it for a log, where no long text is shown."""
        return f"{self.field}: {_said(self.there)} instead of {_said(self.wanted)}"


def defaults_of(schema: Any) -> Config:
    """Read the defaults of `config` in a plugin's schema, as `GET /schemas/plugins/{name}` shows it."""
    config = _definitions(schema).get("config")
    return {} if config is None else _defaults(config)


def expected(plugin: Managed, defaults: Config) -> Config:
    """Give the configuration that Kong has for a plugin of ours: what is not set has its default."""
    return overlaid(defaults, plugin.config)


def overlaid(below: Config, above: Config) -> Config:
    """Lay one configuration over another; a null above leaves what is below."""
    result = dict(below)
    for name, value in above.items():
        under = result.get(name)
        if isinstance(value, dict) and isinstance(under, dict):
            result[name] = overlaid(cast("Config", under), cast("Config", value))
        elif value is not None:
            result[name] = value
    return result


def differences(found: Found, plugin: Managed, defaults: Config) -> list[Difference]:
    """List what is not as it should be in a plugin that has the id of `plugin`."""
    pairs: list[tuple[str, Any, Any]] = [
        ("name", found.name, plugin.name),
        ("service", found.service_id, plugin.service_id),
        ("route", None if found.route is None else found.route.id, None),
        ("consumer", None if found.consumer is None else found.consumer.id, None),
        ("consumer_group", None if found.consumer_group is None else found.consumer_group.id, None),
        ("enabled", found.enabled, True),
        ("protocols", sorted(PROTOCOLS if found.protocols is None else found.protocols), sorted(PROTOCOLS)),
        ("tags", sorted(found.tags or ()), sorted(plugin.tags)),
        ("instance_name", found.instance_name, None),
    ]
    unequal = [Difference(*pair) for pair in pairs if pair[1] != pair[2]]
    if found.name == plugin.name:
        unequal += _unequal("config", found.config, expected(plugin, defaults))
    return unequal


def _unequal(path: str, there: Any, wanted: Any) -> list[Difference]:
    if isinstance(there, dict) and isinstance(wanted, dict):
        one, other = cast("Config", there), cast("Config", wanted)
        return [
            difference
            for name in sorted(one.keys() | other.keys())
            for difference in _unequal(f"{path}.{name}", one.get(name), other.get(name))
        ]
    # 1 is no truth value, though Python says they are equal.
    same = there == wanted and isinstance(there, bool) == isinstance(wanted, bool)
    return [] if same else [Difference(path, there, wanted)]


def _definitions(record: object) -> dict[str, Any]:
    """Read `[{"a": {…}}, {"b": {…}}]`, the fields of a record, as one mapping."""
    found: dict[str, Any] = {}
    fields = cast("dict[str, object]", record).get("fields") if isinstance(record, dict) else None
    for each in cast("list[object]", fields) if isinstance(fields, list) else []:
        if isinstance(each, dict):
            found |= cast("dict[str, Any]", each)
    return found


def _defaults(record: Any) -> Config:
    found: Config = {}
    for name, definition in _definitions(record).items():
        if not isinstance(definition, dict):
            continue
        field = cast("dict[str, Any]", definition)
        default = field.get("default", _MISSING)
        if field.get("type") == "record":
            inner = _defaults(field)
            if isinstance(default, dict):
                found[name] = overlaid(inner, cast("Config", default))
            elif field.get("required"):
                found[name] = inner
        elif default is not _MISSING:
            found[name] = default
    return found


def _said(value: Any) -> str:
    return shown(json.dumps(value, sort_keys=True, default=str))[1:-1]
