"""An OpenAPI document as people read it: operations with their parameters, bodies and answers.

The document is anybody's: everything in it is bounded, references are followed inside the document only and not for
ever, and what is not of the form that is expected is left out. Nothing here raises for a wrong document.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from kong_app_auth.portal.services.documents import Broken, Tree, read

MAX_OPERATIONS: Final = 300
MAX_PARAMETERS: Final = 50
MAX_RESPONSES: Final = 30
MAX_PROPERTIES: Final = 40
MAX_LINES: Final = 120
"""Lines of a body's fields."""
DEEPEST: Final = 5
MAX_TEXT: Final = 5_000
MAX_NAME: Final = 200
MOST_STEPS: Final = 2_000
"""Schemas that are looked at for one body: they can hold each other, and themselves, many times over."""
_REFERENCES: Final = 10
"""How many references are followed from one place."""
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of an operation; `place`: path, query, header or cookie."""

    name: str
    place: str
    kind: str
    required: bool
    description: str


class FieldLine(msgspec.Struct, frozen=True):
    """A field of a body, `depth` levels inside."""

    depth: int
    name: str
    kind: str
    required: bool
    description: str


class Body(msgspec.Struct, frozen=True):
    """A request's or an answer's body."""

    media_type: str
    kind: str
    fields: tuple[FieldLine, ...]


class Answer(msgspec.Struct, frozen=True):
    """What an operation may answer."""

    status: str
    description: str
    bodies: tuple[Body, ...]


class Operation(msgspec.Struct, frozen=True):
    """One operation."""

    method: str
    path: str
    summary: str
    description: str
    deprecated: bool
    parameters: tuple[Parameter, ...]
    bodies: tuple[Body, ...]
    answers: tuple[Answer, ...]


class Group(msgspec.Struct, frozen=True):
    """The operations of a tag."""

    name: str
    operations: tuple[Operation, ...]


class Outline(msgspec.Struct, frozen=True):
    """A document. `problem`: why there is nothing to show. `more`: operations that are left out."""

    title: str = ""
    version: str = ""
    description: str = ""
    base_path: str = ""
    groups: tuple[Group, ...] = ()
    more: int = 0
    problem: str = ""

    @property
    def example_path(self) -> str:
        """The path of an operation that can be called without knowing anything; empty where there is none."""
        gets = (
            operation.path
            for group in self.groups
            for operation in group.operations
            if operation.method == "get"
            and "{" not in operation.path
            and not any(one.required for one in operation.parameters)
        )
        return next(gets, "")


@lru_cache(maxsize=128)
def outline(specification_id: str, version: str, content: str) -> Outline:  # noqa: ARG001  what it is known by
    """Read a document; once for each version of it. Takes its time: call it outside of transactions."""
    tree = read(content)
    if isinstance(tree, Broken):
        return Outline(problem=tree.message)
    if not isinstance(tree, dict):
        return Outline(problem="it is not an OpenAPI document")
    return _Reader(tree).outline()


class _Reader:
    def __init__(self, tree: dict[str, Tree]) -> None:
        self._tree = tree
        self._steps = 0

    def outline(self) -> Outline:
        info = self._map(self._tree.get("info"))
        groups: dict[str, list[Operation]] = {}
        count = 0
        for tag, operation in self._operations():
            count += 1
            if count <= MAX_OPERATIONS:
                groups.setdefault(tag, []).append(operation)
        return Outline(
            title=_text(info.get("title"), MAX_NAME),
            version=_text(info.get("version"), MAX_NAME),
            description=_text(info.get("description")),
            base_path=self._base_path(),
            groups=tuple(Group(name, tuple(found)) for name, found in groups.items()),
            more=max(0, count - MAX_OPERATIONS),
        )

    def _operations(self) -> Iterator[tuple[str, Operation]]:
        for path, item in self._map(self._tree.get("paths")).items():
            if not path.startswith("/"):
                continue
            known = self._map(item)
            for method in _METHODS:
                raw = known.get(method)
                if isinstance(raw, dict):
                    tags = raw.get("tags")
                    tag = _text(tags[0], MAX_NAME) if isinstance(tags, list) and tags else ""
                    yield tag, self._operation(method, path, raw, known.get("parameters"))

    def _operation(self, method: str, path: str, raw: dict[str, Tree], shared: Tree) -> Operation:
        own = raw.get("parameters")
        all_raw = [*(shared if isinstance(shared, list) else []), *(own if isinstance(own, list) else [])]
        known = [self._map(one) for one in all_raw[:MAX_PARAMETERS]]
        bodies = self._bodies(self._map(raw.get("requestBody")))
        bodies += tuple(
            self._body("", one.get("schema")) for one in known if one.get("in") == "body"
        )  # OpenAPI 2 has the body among the parameters
        return Operation(
            method=method,
            path=path[:MAX_NAME],
            summary=_text(raw.get("summary"), MAX_NAME),
            description=_text(raw.get("description")),
            deprecated=_true(raw.get("deprecated")),
            parameters=tuple(self._parameter(one) for one in known if one.get("in") != "body"),
            bodies=bodies,
            answers=tuple(
                self._answer(status, self._map(one))
                for status, one in list(self._map(raw.get("responses")).items())[:MAX_RESPONSES]
                if not status.startswith("x-")
            ),
        )

    def _parameter(self, raw: dict[str, Tree]) -> Parameter:
        schema = raw.get("schema")
        return Parameter(
            name=_text(raw.get("name"), MAX_NAME),
            place=_text(raw.get("in"), 20),
            kind=self._kind(self._map(schema if schema is not None else raw)),
            required=_true(raw.get("required")),
            description=_text(raw.get("description")),
        )

    def _answer(self, status: str, raw: dict[str, Tree]) -> Answer:
        bodies = self._bodies(raw)
        if not bodies and raw.get("schema") is not None:
            bodies = (self._body("", raw.get("schema")),)
        return Answer(status[:20], _text(raw.get("description")), bodies)

    def _bodies(self, raw: dict[str, Tree]) -> tuple[Body, ...]:
        content = self._map(raw.get("content"))
        return tuple(
            self._body(media_type[:MAX_NAME], self._map(one).get("schema"))
            for media_type, one in list(content.items())[:5]
        )

    def _body(self, media_type: str, schema: Tree) -> Body:
        lines: list[FieldLine] = []
        known = self._map(schema)
        self._steps = 0
        self._fields(known, 0, 0, lines)
        return Body(media_type, self._kind(known), tuple(lines))

    def _fields(self, schema: dict[str, Tree], depth: int, level: int, lines: list[FieldLine]) -> None:
        self._steps += 1
        if depth > DEEPEST or level > 2 * DEEPEST or self._steps > MOST_STEPS:
            return
        items = schema.get("items")
        if items is not None:
            self._fields(self._map(items), depth, level + 1, lines)
        parts = schema.get("allOf")
        for part in parts[:10] if isinstance(parts, list) else ():
            self._fields(self._map(part), depth, level + 1, lines)
        required = schema.get("required")
        needed = {one for one in required if isinstance(one, str)} if isinstance(required, list) else set[str]()
        for name, raw in list(self._map(schema.get("properties")).items())[:MAX_PROPERTIES]:
            if len(lines) >= MAX_LINES:
                return
            known = self._map(raw)
            description = _text(known.get("description"), 500)
            lines.append(FieldLine(depth, name[:MAX_NAME], self._kind(known), name in needed, description))
            self._fields(known, depth + 1, level + 1, lines)

    def _kind(self, schema: dict[str, Tree], depth: int = 0) -> str:
        self._steps += 1
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = " or ".join(str(one) for one in kind[:5])
        named = _text(kind, 60)
        if named == "array" and depth < DEEPEST:
            return f"list of {self._kind(self._map(schema.get('items')), depth + 1) or 'anything'}"
        form = _text(schema.get("format"), 60)
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            shown = ", ".join(_text(one, 60) for one in choices[:10])
            return f"{named or 'one of'}: {shown}{', …' if len(choices) > 10 else ''}"
        for word in ("oneOf", "anyOf"):
            several = schema.get(word)
            if isinstance(several, list) and several and depth < DEEPEST and self._steps < MOST_STEPS:
                kinds = (self._kind(self._map(one), depth + 1) or "object" for one in several[:5])
                return " or ".join(dict.fromkeys(kinds))[:MAX_NAME]
        if not named and ("properties" in schema or "allOf" in schema):
            named = "object"
        return f"{named} ({form})" if form else named

    def _base_path(self) -> str:
        base = self._tree.get("basePath")
        if isinstance(base, str):
            return _path(base)
        servers = self._tree.get("servers")
        first = self._map(servers[0]) if isinstance(servers, list) and servers else {}
        url = first.get("url")
        if not isinstance(url, str) or "{" in url:
            return ""
        try:
            return _path(urlsplit(url).path)
        except ValueError:
            return ""

    def _map(self, node: Tree) -> dict[str, Tree]:
        """Give a map, through references inside the document; an empty one for everything else."""
        for _ in range(_REFERENCES):
            if not isinstance(node, dict):
                return {}
            reference = node.get("$ref")
            if not isinstance(reference, str):
                return node
            node = self._follow(reference)
        return {}

    def _follow(self, reference: str) -> Tree:
        if not reference.startswith("#/"):
            return None
        node: Tree = self._tree
        for part in unquote(reference[2:1000]).split("/"):
            if not isinstance(node, dict):
                return None
            node = node.get(part.replace("~1", "/").replace("~0", "~"))
        return node


def _path(text: str) -> str:
    path = text.rstrip("/")[:MAX_NAME]
    good = path.startswith("/") and path.isascii() and path.isprintable() and not set(path) & set(" '\"\\`$")
    return path if good else ""


def _true(node: Tree) -> bool:
    return node is True or node == "true"


def _text(node: Tree, most: int = MAX_TEXT) -> str:
    if isinstance(node, bool):
        return "true" if node else "false"
    if not isinstance(node, str):
        return ""
    text = node.strip()
    return text if len(text) <= most else text[: most - 1] + "…"
