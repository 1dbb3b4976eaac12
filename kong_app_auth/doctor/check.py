"""One thing looked at, and how it was found."""

from collections.abc import Callable, Iterable, Iterator

import msgspec


class Check(msgspec.Struct, frozen=True):
    """What was looked at, how it was found, and what to do about it where it is wrong."""

    good: bool
    what: str
    says: str
    advice: tuple[str, ...] = ()

    def line(self) -> str:
        """The check for people: one line, and advice in further ones, indented."""
        first = f"{'ok   ' if self.good else 'WRONG'}  {self.what}: {self.says}"
        return "\n".join([first, *(f"       {line}" for line in self.advice)])


class UnexpectedAnswer(Exception):  # noqa: N818  says what it is
    """Something answered, but not as expected; the text says how, in words of ours."""


def good(what: str, says: str, *notes: str) -> Check:
    """Find a thing in order; notes are worth knowing."""
    return Check(True, what, says, notes)


def wrong(what: str, says: str, *advice: str) -> Check:
    """Find a thing wrong, with what to do about it."""
    return Check(False, what, says, advice)


def guarded(what: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Give what `look` finds. Where it raises, the last check says so: by the error's name, whose text may be anything.

    To be used around a whole part, so that one that cannot be looked at keeps nobody from looking at the next.
    """
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001  a check that fails is an answer too
        yield wrong(what, f"cannot be looked at: {told(error)}", "Run the doctor as the user that the node runs as.")


def told(error: BaseException) -> str:
    """An error in a few words that hold nothing of what was sent or received: the system's where there are some."""
    if isinstance(error, UnexpectedAnswer):
        return str(error)
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.strerror:
            return at.strerror
        at = at.__cause__ or at.__context__
    return type(error).__name__
