"""Our plugins in the operator's declarative configuration: text is inserted, and not one byte of theirs is changed.

Where to insert is told by the marks of PyYAML. What came of it is read again and compared with what was meant, so that
a form of YAML which this module does not know ends in a refusal and never in a configuration of another meaning.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
import yaml

from kong_app_auth.sync.kong.entities import PROTOCOLS, Managed, declared_service_id

MOST_BYTES: Final = 16 * 1024 * 1024
_PLUGINS: Final = "plugins"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CannotMerge(Exception):  # noqa: N818  said to an operator
    """The operator's configuration cannot be completed. The text is one line without anything of its contents."""


class Declared(msgspec.Struct, frozen=True):
    """The operator's configuration.

    `services`: by the id that Kong gives or finds, how a plugin has to name them. `carrying`: by the name of a plugin,
    the ids of those that have one of the operator's for all of their requests. `taken`: the ids of all plugins.
    """

    text: str
    document: Mapping[str, Any]
    services: Mapping[str, str]
    carrying: Mapping[str, frozenset[str]]
    taken: frozenset[str]

    def carry(self, plugin: str) -> frozenset[str]:
        """Give the services that carry such a plugin of the operator's."""
        return self.carrying.get(plugin, frozenset())


def read_declared(data: bytes) -> Declared:
    """Read the operator's configuration. Raises CannotMerge."""
    if len(data) > MOST_BYTES:
        raise CannotMerge(f"it is larger than {MOST_BYTES // 1024 // 1024} MiB")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise CannotMerge("it is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise CannotMerge("it begins with a byte order mark, take that out")
    document = _loaded(text)
    services: dict[str, str] = {}
    by_name: dict[str, str] = {}
    plugins: list[tuple[str | None, dict[str, Any]]] = []
    for service in _maps(document.get("services")):
        name, given = service.get("name"), service.get("id")
        found = given if isinstance(given, str) else declared_service_id(name) if isinstance(name, str) else None
        plugins += [(found, plugin) for plugin in _maps(service.get(_PLUGINS))]
        if found is not None:
            services[found] = name if isinstance(name, str) else found
        if found is not None and isinstance(name, str):
            by_name[name] = found
    for plugin in _maps(document.get(_PLUGINS)):
        named = _reference(plugin.get("service"))
        plugins.append((None if named is None else by_name.get(named, named), plugin))
    carrying: dict[str, set[str]] = {}
    for service_id, plugin in plugins:
        if service_id is not None and not plugin.get("route") and not plugin.get("consumer"):
            carrying.setdefault(str(plugin.get("name")), set()).add(service_id)
    taken = frozenset(each["id"] for _, each in plugins if isinstance(each.get("id"), str))
    return Declared(text, document, services, {name: frozenset(ids) for name, ids in carrying.items()}, taken)


def merged(declared: Declared, plugins: Iterable[Managed]) -> str:
    """Give the operator's text with our plugins in it. Raises CannotMerge."""
    ours = [_entry(declared, plugin) for plugin in plugins]
    if not ours:
        return declared.text
    where, inserted = _insertion(declared.text, ours)
    text = declared.text[:where] + inserted + declared.text[where:]
    try:
        found = _loaded(text)
    except CannotMerge:
        raise CannotMerge("its form is not one that plugins can be added to") from None
    theirs: list[Any] = declared.document.get(_PLUGINS) or []
    if found != {**declared.document, _PLUGINS: [*ours, *theirs]}:
        raise CannotMerge("its form is not one that plugins can be added to")
    return text


def _entry(declared: Declared, plugin: Managed) -> dict[str, Any]:
    return {
        "id": plugin.id,
        "name": plugin.name,
        "service": declared.services[plugin.service_id],
        "config": plugin.config,
        "enabled": True,
        "protocols": list(PROTOCOLS),
        "tags": list(plugin.tags),
    }


def _insertion(text: str, ours: Sequence[Mapping[str, Any]]) -> tuple[int, str]:
    """Say where what is to be inserted, so that our plugins come before the operator's."""
    root = _composed(text)
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = [json.dumps(one, sort_keys=True) for one in ours]
    value = next((value for key, value in root.value if key.value == _PLUGINS), None)
    if root.flow_style:
        if value is None:
            comma = ", " if root.value else ""
            return root.start_mark.index + 1, f'"{_PLUGINS}": [{", ".join(lines)}]{comma}'
        return _in_list(text, value, lines, ending)
    if value is not None:
        return _in_list(text, value, lines, ending)
    indent = " " * root.start_mark.column
    at = root.end_mark.index
    begin = "" if at == 0 or text[at - 1] in "\r\n" else ending
    items = "".join(f"{indent}- {line}{ending}" for line in lines)
    return at, f"{begin}{indent}{_PLUGINS}:{ending}{items}"


def _in_list(text: str, value: Any, lines: Sequence[str], ending: str) -> tuple[int, str]:
    at = value.start_mark.index
    if isinstance(value, yaml.SequenceNode) and text[at : at + 1] == "[":
        return at + 1, ", ".join(lines) + (", " if value.value else "")
    if isinstance(value, yaml.SequenceNode) and text[at : at + 1] == "-":
        indent = " " * value.start_mark.column
        start_of_line = at - value.start_mark.column
        if text[start_of_line:at] == indent:
            return start_of_line, "".join(f"{indent}- {line}{ending}" for line in lines)
    if isinstance(value, yaml.ScalarNode) and value.start_mark.index == value.end_mark.index:
        return at, f" [{', '.join(lines)}]"
    raise CannotMerge("its `plugins` have a form that cannot be added to: write them as a list, or leave them out")


def _composed(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _loaded(text: str) -> dict[str, Any]:
    try:
        loader = _Loader(text)
        try:
            document: object = loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it cannot be read at all"
        raise CannotMerge(f"it is not YAML: {place}") from None
    if not isinstance(document, dict):
        raise CannotMerge("it is not names with values")
    return cast("dict[str, Any]", document)


def _maps(value: object) -> Iterable[dict[str, Any]]:
    if isinstance(value, list):
        for each in cast("list[object]", value):
            if isinstance(each, dict):
                yield cast("dict[str, Any]", each)


def _reference(value: object) -> str | None:
    if isinstance(value, dict):
        named = cast("dict[str, object]", value)
        value = named.get("id") or named.get("name")
    return value if isinstance(value, str) else None
