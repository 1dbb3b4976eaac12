"""Where somebody is led back to: a page of this site, whatever a link says."""

from typing import Final

MAX_PATH: Final = 2000


def safe_path(text: str | None, default: str = "/") -> str:
    """Give `text` if it is a path of this site, else `default`: nobody is led anywhere else."""
    if not text or len(text) > MAX_PATH or not text.startswith("/") or text.startswith(("//", "/\\")):
        return default
    if not (text.isascii() and text.isprintable()) or "\\" in text or " " in text or "#" in text:
        return default
    path = text.partition("?")[0]
    return default if "//" in path or "/.." in path or path.startswith("/api/") else text
