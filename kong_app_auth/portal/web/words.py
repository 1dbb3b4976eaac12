"""Texts of ours that code chooses and a template shows, with what is filled in kept apart.

A text is translated before anything is filled in, and only what is filled in is escaped. So a text that is shown by
`_()` or `said` must be a literal of ours: anybody else's would be taken for markup, and its percent signs for gaps.
"""

from typing import Any, LiteralString

import msgspec
from jinja2 import pass_context
from jinja2.runtime import Context


class Words(msgspec.Struct, frozen=True):
    """A text, with gaps like `%(name)s`, and what fills them."""

    text: str
    values: dict[str, str | int] = {}


def words(text: LiteralString, /, **values: str | int) -> Words:
    """Mark a text for translation, and say what fills its gaps."""
    return Words(text, values)


@pass_context
def said(context: Context, one: Words) -> Any:
    """Give a text in the reader's language, as markup (a template's filter)."""
    return context.call(context["gettext"], one.text, **one.values)
