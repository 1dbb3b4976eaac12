"""What is wrong with a file, said so that an operator finds it and that no key can be read from it."""

import re

import msgspec

MOST_COMPLAINTS = 20
"""How many complaints are told at once; the rest are counted."""

_MAY_BE_A_KEY = re.compile(r"\S{20,}")
_WHOLE_TEXT_LIMIT = 100


class Complaint(msgspec.Struct, frozen=True):
    """One thing that is wrong. Lines and columns count from 1; `path` is empty where the whole file is meant."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """Say it in one line: `file:line:column: path: message`."""
        where = f"{self.file}:{self.line}:{self.column}: "
        return where + (f"{self.path}: " if self.path else "") + self.message


class Refusal(msgspec.Struct, frozen=True):
    """A file that is not taken over. `more` counts the complaints that are not among the first twenty."""

    complaints: tuple[Complaint, ...]
    more: int = 0


class Complaints:
    """Gathers the complaints about one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[Complaint] = []
        self._more = 0

    def add(self, line: int, column: int, path: str, message: str) -> None:
        """Take a complaint down, or only count it after the twentieth."""
        if len(self._found) < MOST_COMPLAINTS:
            self._found.append(Complaint(self._file, line, column, path, message))
        else:
            self._more += 1

    def refusal(self) -> Refusal | None:
        """Everything found so far in the order of the file; None where nothing is wrong."""
        if not self._found:
            return None
        return Refusal(tuple(sorted(self._found, key=lambda found: (found.line, found.column))), self._more)


def shown(text: str) -> str:
    """Make text from the file fit for a log.

    A key has at least 20 visible characters in a row (and a digest 64), so no such run is shown, whatever it is meant
    to be: a key may have been put in any place by mistake. Control characters are escaped; long text is cut.
    """
    without = _MAY_BE_A_KEY.sub("(withheld)", text)
    printable = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in without[:_WHOLE_TEXT_LIMIT])
    return f'"{printable}…"' if len(without) > _WHOLE_TEXT_LIMIT else f'"{printable}"'
