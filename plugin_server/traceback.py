"""Where an exception came from, without what it says: its text may hold what a client sent."""

from traceback import extract_tb


def where(error: BaseException) -> str:
    """Name the innermost frames as `file:line function`, innermost last."""
    frames = extract_tb(error.__traceback__)[-4:]
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
