"""Counts SQL statements, BEGIN left out."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from kong_app_auth.portal.plane import ControlPlane


@contextmanager
def counted(plane: ControlPlane) -> Generator[list[str]]:
    """Give the list that statements are put into while the block runs."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    event.listen(plane.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(plane.database.engine, "before_cursor_execute", note)
