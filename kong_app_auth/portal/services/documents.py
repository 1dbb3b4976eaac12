"""JSON or YAML text as plain lists and maps of text, within limits.

YAML is read event by event: nothing is constructed but text, lists and maps, depth is limited before anything recurses,
and an alias shares the node it names, so a "billion laughs" document stays small. Merge keys are keys like any other.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias, cast

import msgspec
import yaml

Tree: TypeAlias = str | bool | list["Tree"] | dict[str, "Tree"] | None
DEEPEST: Final = 100
"""Levels of lists and maps."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Broken(msgspec.Struct, frozen=True):
    """Why a text is no document."""

    message: str


class _UnreadableError(Exception):
    pass


class _Open:
    """A list or map whose end has not come yet; a map remembers the key that waits for its value."""

    __slots__ = ("anchor", "key", "node")

    def __init__(self, node: list[Tree] | dict[str, Tree], anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: str | None = None


class _Builder:
    def __init__(self) -> None:
        self.root: Tree = None
        self._begun = False
        self._stack: list[_Open] = []
        self._anchors: dict[str, Tree] = {}

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._put(event.value, event.anchor)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open({}, event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open([], event.anchor)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self._stack.pop()
            self._put(done.node, done.anchor)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _UnreadableError("an alias names an anchor that is not complete before it")
            self._put(self._anchors[event.anchor], None)
        elif isinstance(event, yaml.DocumentStartEvent):
            if self._begun:
                raise _UnreadableError("it holds more than one document")
            self._begun = True

    def _open(self, node: list[Tree] | dict[str, Tree], anchor: str | None) -> None:
        if len(self._stack) >= DEEPEST:
            raise _UnreadableError(f"lists and maps are nested more than {DEEPEST} deep")
        self._stack.append(_Open(node, anchor))

    def _put(self, node: Tree, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if isinstance(parent.node, list):
            parent.node.append(node)
        elif parent.key is not None:
            parent.node[parent.key] = node
            parent.key = None
        elif isinstance(node, str):
            parent.key = node
        else:
            raise _UnreadableError("a key is not text")


def read(text: str) -> Tree | Broken:
    """Parse a JSON or YAML document. Numbers stay text."""
    if text.lstrip().startswith("{"):
        try:
            return cast("Tree", json.loads(text, parse_int=str, parse_float=str, parse_constant=str))
        except RecursionError:
            return Broken("lists and maps are nested too deep")
        except ValueError:  # YAML has maps that begin like this, too
            return _read_yaml(text)
    return _read_yaml(text)


def _read_yaml(text: str) -> Tree | Broken:
    builder = _Builder()
    try:
        loader = _Loader(text)
        try:
            while loader.check_event():
                builder.take(loader.get_event())
        finally:
            loader.dispose()
    except _UnreadableError as unreadable:
        return Broken(str(unreadable))
    except yaml.MarkedYAMLError as error:
        return Broken(_syntax_error(error))
    except (yaml.YAMLError, ValueError):
        # PyYAML's pure parser lets a ValueError through, for instance for an escaped character beyond Unicode.
        return Broken("it is neither JSON nor YAML")
    return builder.root


def _syntax_error(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
    return f"it is neither JSON nor YAML: {error.problem or error.context}{place}"[:300]


def nodes(tree: Tree) -> Iterator[Tree]:
    """Go through all nodes of a tree; one that several places share comes once."""
    waiting: list[Tree] = [tree]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict | list):
            if id(node) in seen:
                continue
            seen.add(id(node))
            waiting.extend(node.values() if isinstance(node, dict) else node)
        yield node
