"""Filters by what stands under a key of a JSON column: `filter[labels.env]=dev`, `filter[attributes.domain][neq]=web`.

They compare as filters of text do, without regard to case. A key without a value (`filter[labels.env]=`) asks whether
the key is there.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, FunctionElement, String, func, literal, not_, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute

from kong_app_auth.portal.api.listing import MAX_CHOICES, MapFilter

Matches = Callable[[Any], ColumnElement[bool]]


class _TextsUnder(FunctionElement[str]):
    """The texts in the list under a key of a JSON column, a row each: no row where the key is not there."""

    inherit_cache = True
    name = "texts_under"


@compiles(_TextsUnder, "sqlite")
def _texts_in_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    column, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_each({column}, '$.\"' || {key} || '\"')"


@compiles(_TextsUnder)
def _texts_in_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    column, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"jsonb_array_elements_text({column} -> {key})"


def label_filter(column: InstrumentedAttribute[dict[str, Any]]) -> MapFilter:
    """Filter by a map of texts."""

    def condition(key: str, operation: str, value: str) -> ColumnElement[bool]:
        text = column[key].as_string()
        return _condition(lambda matches: func.coalesce(matches(text), False), operation, value)

    return condition


def attribute_filter(column: InstrumentedAttribute[dict[str, Any]]) -> MapFilter:
    """Filter by a map of lists of texts: one of them is to match, or none for `neq`."""

    def condition(key: str, operation: str, value: str) -> ColumnElement[bool]:
        def any_of_them(matches: Matches) -> ColumnElement[bool]:
            texts = _TextsUnder(column, literal(key, String)).table_valued("value", joins_implicitly=True)
            return select(literal(1)).select_from(texts).where(matches(texts.c.value)).exists()

        return _condition(any_of_them, operation, value)

    return condition


def _condition(test: Callable[[Matches], ColumnElement[bool]], operation: str, value: str) -> ColumnElement[bool]:
    several = operation in ("oeq", "ocontains")
    values = [part.strip() for part in value.split(",")][:MAX_CHOICES] if several else [value]
    if values == [""] and operation in ("eq", "neq"):
        values = []

    def matches(text: Any) -> ColumnElement[bool]:
        lower = func.lower(text)
        if not values:
            there: ColumnElement[bool] = text.is_not(None)
            return there
        if "contains" in operation:
            return or_(*[lower.contains(one.lower(), autoescape=True) for one in values])
        return or_(*[lower == one.lower() for one in values])

    found = test(matches)
    return not_(found) if operation == "neq" else found
