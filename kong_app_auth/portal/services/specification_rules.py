"""What kind of specification a text is, and what is wrong with it.

The rules are those whose breach a reader of the portal would notice: what the document is called, where its operations
are, references inside it that lead nowhere. Anything that they find is told in `validation_messages` and refuses
nothing.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

import msgspec

from kong_app_auth.portal.services.documents import Broken, Tree, nodes, read

MAX_MESSAGES: Final = 50
MAX_MESSAGE: Final = 300
_VERSIONS: Final = (
    ("openapi", "oas3", re.compile(r"3\.\d")),
    ("swagger", "oas2", re.compile(r"2\.0")),
    ("asyncapi", "asyncapi", re.compile(r"[23]\.\d")),
)
_WITHOUT_PATHS: Final = re.compile(r"3\.[1-9]")
"""From OpenAPI 3.1 on, webhooks or components will do in place of paths."""


class Examined(msgspec.Struct, frozen=True):
    """A specification's type, and what is wrong with it."""

    type: str
    messages: tuple[str, ...]


def examine(content: str, given: str | None) -> Examined | str:
    """Find out the type of a specification and what is wrong with it; give a reason where the type cannot be known.

    The content decides. Only where it says nothing, the `given` type is taken. It reads the whole text: call it outside
    of transactions.
    """
    tree = read(content)
    problem = None
    if isinstance(tree, Broken):
        problem = tree.message
    elif not isinstance(tree, dict):
        problem = "it is not an OpenAPI or AsyncAPI document"
    else:
        for name, its_type, known in _VERSIONS:
            version = tree.get(name)
            if isinstance(version, str) and known.match(version):
                messages = list(_wrong(tree, its_type, version))
                if given not in (None, its_type):
                    messages.insert(0, f"the type was given as {given}, the content is {its_type}")
                return Examined(its_type, tuple(_shown(message) for message in messages[:MAX_MESSAGES]))
        problem = "it has none of the fields openapi (3.x), swagger (2.0) and asyncapi (2.x, 3.x)"
    return problem if given is None else Examined(given, (_shown(problem),))


def _shown(message: str) -> str:
    # It may quote the document, where an escape sequence can stand for what no database keeps.
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in message[:MAX_MESSAGE]
    )


def _wrong(tree: dict[str, Tree], its_type: str, version: str) -> Iterator[str]:
    info = tree.get("info")
    if not isinstance(info, dict):
        yield "'info' is missing"
    else:
        yield from (f"'info.{name}' is missing" for name in ("title", "version") if not isinstance(info.get(name), str))
    if its_type == "asyncapi":
        if version.startswith("2.") and not isinstance(tree.get("channels"), dict):
            yield "'channels' is missing"
    else:
        yield from _wrong_paths(tree, its_type, version)
    yield from _lost_references(tree)


def _wrong_paths(tree: dict[str, Tree], its_type: str, version: str) -> Iterator[str]:
    paths = tree.get("paths")
    if not isinstance(paths, dict):
        may_lack = its_type == "oas3" and _WITHOUT_PATHS.match(version) and ("webhooks" in tree or "components" in tree)
        if paths is not None or not may_lack:
            yield "'paths' is missing"
        return
    for path in paths:
        if not path.startswith(("/", "x-")):
            yield f"the path '{path}' does not begin with a slash"


def _lost_references(tree: dict[str, Tree]) -> Iterator[str]:
    told: set[str] = set()
    for node in nodes(tree):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if isinstance(reference, str) and reference.startswith("#") and reference not in told:
            told.add(reference)
            if not _leads_somewhere(tree, reference):
                yield f"'{reference}' does not exist"


def _leads_somewhere(tree: Tree, reference: str) -> bool:
    """Follow a JSON pointer (RFC 6901) in a URI's fragment."""
    pointer = unquote(reference[1:])
    if pointer and not pointer.startswith("/"):
        return False
    node = tree
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isascii() and name.isdigit() and len(name) < 8 and int(name) < len(node):
            node = node[int(name)]
        else:
            return False
    return True
