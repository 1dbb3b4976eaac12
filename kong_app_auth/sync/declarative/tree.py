"""YAML text as a small tree in which every node knows its place, within limits.

The events of the YAML parser are read one by one, so that depth and size are checked before anything is built, and
nothing is ever constructed but text, lists and maps. An alias shares the node it names and counts with its full size:
a "billion laughs" document is refused.
"""

from typing import Any

import msgspec
import yaml

from kong_app_auth.sync.declarative.complaints import shown

DEEPEST = 16
"""Levels of lists and maps; the format needs nine."""
MOST_NODES = 5_000_000
"""Nodes after the expansion of aliases; a file of the largest size, full of credentials, has about 3,500,000."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Scalar(msgspec.Struct, frozen=True, gc=False):
    """Text. `plain`: written without quotes, so that YAML may take it for a number, a boolean or nothing."""

    text: str
    plain: bool
    line: int
    column: int

    def __repr__(self) -> str:
        """Say where it is, not what: it may be a key."""
        return f"Scalar(line={self.line}, column={self.column})"


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    items: "list[Node]"
    line: int
    column: int


class Mapping(msgspec.Struct, frozen=True):
    """A map; each entry with its key's node."""

    entries: "dict[str, tuple[Scalar, Node]]"
    line: int
    column: int


Node = Scalar | Sequence | Mapping


class Broken(msgspec.Struct, frozen=True):
    """Why there is no tree, and where; line and column count from 1."""

    line: int
    column: int
    message: str


class _UnreadableError(Exception):
    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.broken = Broken(line, column, message)


class _Open:
    """A list or map whose end has not come yet; a map also remembers the key that waits for its value."""

    __slots__ = ("anchor", "key", "node", "size_before")

    def __init__(self, node: Sequence | Mapping, anchor: str | None, size_before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.size_before = size_before
        self.key: Scalar | None = None


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self.size = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}

    def take(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            self._reject_tag(event, line, column)
            self._grow(1, line, column)
            self._put(Scalar(event.value, not event.style, line, column), event.anchor, 1, line, column)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open(Mapping({}, line, column), event, line, column)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open(Sequence([], line, column), event, line, column)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self._stack.pop()
            self._put(done.node, done.anchor, self.size - done.size_before, done.node.line, done.node.column)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _UnreadableError(line, column, "an alias names an anchor that is not complete before it")
            node, size = self._anchors[event.anchor]
            self._grow(size, line, column)
            self._put(node, None, size, line, column)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise _UnreadableError(line, column, "a second document begins here; the file must hold one")

    def _open(self, node: Sequence | Mapping, event: Any, line: int, column: int) -> None:
        self._reject_tag(event, line, column)
        if len(self._stack) >= DEEPEST:
            raise _UnreadableError(line, column, f"lists and maps are nested more than {DEEPEST} deep")
        opened = _Open(node, event.anchor, self.size)
        self._grow(1, line, column)
        self._stack.append(opened)

    def _grow(self, size: int, line: int, column: int) -> None:
        self.size += size
        if self.size > MOST_NODES:
            raise _UnreadableError(
                line, column, f"more than {MOST_NODES:,} values, aliases counted with all they stand for"
            )

    def _put(self, node: Node, anchor: str | None, size: int, line: int, column: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if isinstance(parent.node, Sequence):
            parent.node.items.append(node)
        elif parent.key is None:
            parent.key = self._key(node, parent.node, line, column)
        else:
            parent.node.entries[parent.key.text] = (parent.key, node)
            parent.key = None

    @staticmethod
    def _key(node: Node, parent: Mapping, line: int, column: int) -> Scalar:
        if not isinstance(node, Scalar):
            raise _UnreadableError(line, column, "the name of a field must be text")
        if node.plain and node.text == "<<":
            raise _UnreadableError(line, column, "merge keys (<<) are not supported; aliases are")
        if node.text in parent.entries:
            first = parent.entries[node.text][0].line
            raise _UnreadableError(line, column, f"the field {shown(node.text)} is here twice, first in line {first}")
        return node

    @staticmethod
    def _reject_tag(event: Any, line: int, column: int) -> None:
        if event.tag is not None:
            raise _UnreadableError(line, column, "tags (!) are not supported")


def read_tree(text: str) -> Node | Broken:
    """Parse one YAML document."""
    builder = _Builder()
    try:
        loader = _Loader(text)
        try:
            while loader.check_event():
                builder.take(loader.get_event())
        finally:
            loader.dispose()
    except _UnreadableError as unreadable:
        return unreadable.broken
    except yaml.MarkedYAMLError as error:
        return _syntax_error(error)
    except yaml.reader.ReaderError as error:
        return _bad_character(error, text)
    except (yaml.YAMLError, ValueError):
        # PyYAML's pure parser lets a ValueError through, for instance for an escaped character beyond Unicode.
        return Broken(1, 1, "not YAML")
    if builder.root is None:
        return Broken(1, 1, "the file is empty")
    return builder.root


def _syntax_error(error: yaml.MarkedYAMLError) -> Broken:
    """Name the problem without the excerpt that PyYAML adds to it."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return Broken(line, column, "not YAML: " + shown(said)[1:-1])


def _bad_character(error: yaml.reader.ReaderError, text: str) -> Broken:
    # libyaml counts bytes where the pure parser counts characters.
    position = int(error.position)
    in_bytes = not isinstance(error.character, str)
    before = text.encode()[:position].decode("utf-8", "ignore") if in_bytes else text[:position]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Broken(line, column, "a control character, which YAML does not allow")
