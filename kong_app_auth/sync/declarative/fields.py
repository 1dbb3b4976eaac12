"""Reading the fields of one map of the file: kinds of values, presence, and a complaint where either is wrong."""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from kong_app_auth.sync.declarative.complaints import Complaints, shown
from kong_app_auth.sync.declarative.identifiers import canonical_id
from kong_app_auth.sync.declarative.tree import Mapping as MapNode
from kong_app_auth.sync.declarative.tree import Node, Scalar, Sequence

LONGEST_TEXT = 512
"""Characters in a name, a reference or a key."""

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEAN = re.compile(r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF")
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_EMPTY = "is empty; write a value or leave the field out"

Chosen = TypeVar("Chosen")


class Fields:
    """One map of the file with its path. Each method reads one field and answers None after a complaint about it."""

    def __init__(self, node: MapNode, path: str, known: Collection[str], complaints: Complaints) -> None:
        self.path = path
        self.line = node.line
        self._node = node
        self._complaints = complaints
        for name, (key, _) in node.entries.items():
            if name not in known:
                complaints.add(
                    key.line, key.column, path, f"unknown field {shown(name)}; known are {', '.join(sorted(known))}"
                )

    def has(self, name: str) -> bool:
        """Say whether the field is written at all."""
        return name in self._node.entries

    def line_of(self, name: str, entry: int | None = None) -> int:
        """Line of the field's value, or of an entry of its list, or of the map where the field is left out."""
        return self._place(name, entry)[0]

    def complain(self, name: str | None, message: str, *, entry: int | None = None) -> None:
        """Complain about a field's value, or about the whole map (None, or a field that is left out).

        `entry`: about this one of the field's list, counted from 0.
        """
        line, column = self._place(name, entry)
        path = self._path_of(name)
        self._complaints.add(line, column, path if entry is None else f"{path}[{entry}]", message)

    def is_null(self, name: str) -> bool:
        """Say whether the field is written with no value (`null`, `~` or nothing)."""
        entry = self._node.entries.get(name)
        return entry is not None and _is_null(entry[1])

    def text(self, name: str, *, required: bool = False, secret: bool = False) -> str | None:
        """Read text; a number or a date counts as it is written (`version: 1.10` is "1.10")."""
        node = self._value(name, required)
        return None if node is None else self._text_of(node, self._path_of(name), secret)

    def identifier(self, name: str = "id", *, required: bool = False) -> str | None:
        """Read a UUID into its canonical form."""
        text = self.text(name, required=required)
        if text is None:
            return None
        found = canonical_id(text)
        if found is None:
            self.complain(name, "must be a UUID such as 8c9e6679-7425-40de-944b-e07fc1f90ae7")
        return found

    def choice(self, name: str, options: Mapping[str, Chosen], *, default: Chosen | None = None) -> Chosen | None:
        """Read one of the words in `options`; a field without default is required."""
        if default is not None and not self.has(name):
            return default
        text = self.text(name, required=True)
        if text is None:
            return None
        if text not in options:
            self.complain(name, f"must be one of {', '.join(options)}, not {shown(text)}")
            return None
        return options[text]

    def time(self, name: str) -> int | None:
        """Read an RFC 3339 time as Unix time, cut to whole seconds."""
        text = self.text(name)
        if text is None:
            return None
        seconds = _unix_time(text)
        if seconds is None:
            self.complain(name, "must be a time with its zone such as 2027-01-01T00:00:00Z")
            return None
        if seconds <= 0:
            self.complain(name, "must be later than 1970")
            return None
        return seconds

    def whole_number(self, name: str) -> int | None:
        """Read a whole number, not below 0."""
        text = self.text(name)
        if text is None:
            return None
        if not _WHOLE_NUMBER.fullmatch(text):
            self.complain(name, "must be a whole number")
            return None
        return int(text)

    def texts(self, name: str) -> list[str] | None:
        """Read a list of texts."""
        nodes = self._items(name)
        if nodes is None:
            return None
        read = [
            self._text_of(node, f"{self._path_of(name)}[{index}]", secret=False) for index, node in enumerate(nodes)
        ]
        texts = [text for text in read if text is not None]
        return texts if len(texts) == len(read) else None

    def text_or_texts(self, name: str) -> list[str] | None:
        """Read a text or a list of texts; a left-out field is an empty list."""
        if not self.has(name):
            return []
        if self.is_list(name):
            return self.texts(name)
        text = self.text(name)
        return None if text is None else [text]

    def is_list(self, name: str) -> bool:
        """Say whether the field is written as a list."""
        entry = self._node.entries.get(name)
        return entry is not None and isinstance(entry[1], Sequence)

    def map(self, name: str, known: Collection[str]) -> "Fields | None":
        """Read a map; a left-out one is None without a complaint."""
        node = self._value(name, required=False)
        return None if node is None else self._map_of(node, self._path_of(name), known)

    def maps(self, name: str, known: Collection[str]) -> "Iterator[Fields]":
        """Read a list of maps; a left-out list is empty."""
        for index, node in enumerate(self._items(name) or ()):
            found = self._map_of(node, f"{self._path_of(name)}[{index}]", known)
            if found is not None:
                yield found

    def _items(self, name: str) -> list[Node] | None:
        node = self._value(name, required=False)
        if node is None:
            return None
        if not isinstance(node, Sequence):
            self.complain(name, _EMPTY if _is_null(node) else "must be a list")
            return None
        return node.items

    def _map_of(self, node: Node, path: str, known: Collection[str]) -> "Fields | None":
        if isinstance(node, MapNode):
            return Fields(node, path, known, self._complaints)
        self._complaints.add(node.line, node.column, path, _EMPTY if _is_null(node) else "must be a map of fields")
        return None

    def _value(self, name: str, required: bool) -> Node | None:
        entry = self._node.entries.get(name)
        if entry is None:
            if required:
                self._complaints.add(self._node.line, self._node.column, self.path, f'the field "{name}" is missing')
            return None
        return entry[1]

    def _text_of(self, node: Node, path: str, secret: bool) -> str | None:
        problem = _problem_with_text(node, secret)
        if problem is not None:
            self._complaints.add(node.line, node.column, path, problem)
            return None
        return node.text if isinstance(node, Scalar) else None

    def _place(self, name: str | None, entry: int | None = None) -> tuple[int, int]:
        written = self._node.entries.get(name) if name is not None else None
        node = written[1] if written is not None else self._node
        if entry is not None and isinstance(node, Sequence):
            node = node.items[entry]
        return node.line, node.column

    def _path_of(self, name: str | None) -> str:
        if name is None:
            return self.path
        return f"{self.path}.{name}" if self.path else name


def top_fields(node: Node, known: Collection[str], complaints: Complaints) -> Fields | None:
    """Begin with the outermost map of a file."""
    if isinstance(node, MapNode):
        return Fields(node, "", known, complaints)
    complaints.add(node.line, node.column, "", "the file must hold a map of fields")
    return None


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and node.text in _NULL


def _problem_with_text(node: Node, secret: bool) -> str | None:
    if not isinstance(node, Scalar):
        return "must be text"
    if _is_null(node) or not node.text:
        return _EMPTY
    if node.plain and _BOOLEAN.fullmatch(node.text):
        return f'must be text, and YAML reads {node.text} as true or false; write "{node.text}"'
    if len(node.text) > LONGEST_TEXT:
        return f"is longer than {LONGEST_TEXT} characters"
    if not secret and not node.text.isprintable():
        return "holds a control character or a line break"
    return None


def _unix_time(text: str) -> int | None:
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        return int(datetime.fromisoformat(text.upper()).timestamp())
    except (ValueError, OverflowError):
        return None
