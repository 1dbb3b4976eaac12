"""What is known while a file is read: names and ids taken so far, and where each was."""

from collections.abc import Iterable
from typing import Generic, TypeVar

from kong_app_auth.registry.contents import Contents
from kong_app_auth.sync.declarative.complaints import Complaints, shown
from kong_app_auth.sync.declarative.fields import Fields
from kong_app_auth.sync.declarative.identifiers import derived_id

Named = TypeVar("Named")


class Index(Generic[Named]):
    """Things of one kind by every word that refers to them: names, labels, ids."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._known: dict[str, tuple[Named, int]] = {}

    def add(self, words: Iterable[str], thing_id: str, thing: Named, fields: Fields) -> None:
        """Take a thing in; a word that already stands for another is a complaint. Of ids, `Reading.id_of` complains."""
        for word in words:
            known, line = self._known.setdefault(word, (thing, fields.line))
            if known is not thing:
                fields.complain(None, f"another {self._kind} is called {shown(word)} in line {line}")
                break
        self._known.setdefault(thing_id, (thing, fields.line))

    def find(self, word: str) -> Named | None:
        """Give the thing that a word stands for; None where there is none."""
        known = self._known.get(word)
        return None if known is None else known[0]

    def named_in(self, fields: Fields, field: str, *, required: bool = False) -> Named | None:
        """Follow the reference in a field; one that leads nowhere is a complaint."""
        word = fields.text(field, required=required)
        if word is None:
            return None
        found = self.find(word)
        if found is None:
            fields.complain(field, f"there is no {self._kind} called {shown(word)}")
        return found


class Reading:
    """One file being read for one region."""

    def __init__(self, region: str, complaints: Complaints) -> None:
        self.region = region
        self.complaints = complaints
        self.contents = Contents()
        self._ids: dict[tuple[str, str], tuple[int, bool]] = {}
        self._once: dict[tuple[str, str], int] = {}

    def id_of(self, kind: str, fields: Fields, *names: str) -> str:
        """Read the explicit id of a thing, or derive one from its names; an id taken twice is a complaint.

        Two derived ids are equal only where the names are, and of those the names' own index complains.
        """
        explicit = fields.identifier()
        found = explicit or derived_id(kind, self.region, *names)
        first = self._ids.get((kind, found))
        if first is None:
            self._ids[kind, found] = (fields.line_of("id"), explicit is None)
        elif explicit is not None or not first[1]:
            fields.complain("id", f"another {kind} has this id in line {first[0]}")
        return found

    def once(self, what: str, value: str, fields: Fields, field: str, entry: int | None = None) -> bool:
        """Take a value that may be there once in the file; a second time is a complaint, without the value.

        `entry`: its place in the field's list.
        """
        line = self._once.get((what, value))
        if line is not None:
            fields.complain(field, f"the same {what} as in line {line}", entry=entry)
            return False
        self._once[what, value] = fields.line_of(field, entry)
        return True
