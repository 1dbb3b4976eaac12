"""Markdown that somebody else wrote, as HTML that can do nothing: no HTML of its own, no pictures, no headings.

Links lead to http, https and mailto only, and tell the other side nothing.
"""

from functools import cache
from typing import Any, Final

from markdown_it import MarkdownIt
from markupsafe import Markup

MAX_LENGTH: Final = 20_000
"""Characters; what is beyond is left out."""


def prose(text: str | None) -> Markup:
    """Give Markdown (CommonMark) as HTML."""
    if not text:
        return Markup("")
    return Markup(_renderer().render(text[:MAX_LENGTH]))  # noqa: S704  the renderer escapes all that is not its own


@cache
def _renderer() -> Any:
    made = MarkdownIt("js-default", {"html": False, "linkify": False, "maxNesting": 20})
    made.disable(["image", "heading", "lheading", "html_block", "html_inline"])
    made.validateLink = _is_good  # type: ignore[method-assign, assignment]
    made.add_render_rule("link_open", _link)
    made.add_render_rule("table_open", _table)
    return made


def _is_good(address: str) -> bool:
    return address.strip().lower().startswith(("https://", "http://", "mailto:"))


def _link(self: Any, tokens: Any, number: int, options: Any, env: Any) -> str:
    tokens[number].attrSet("rel", "nofollow noopener noreferrer")
    rendered: str = self.renderToken(tokens, number, options, env)
    return rendered


def _table(self: Any, tokens: Any, number: int, options: Any, env: Any) -> str:  # noqa: ARG001
    return "<table>\n"
