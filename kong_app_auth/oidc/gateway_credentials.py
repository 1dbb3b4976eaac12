"""The id and secret that this gateway node introspects tokens with, by issuer, from a file of the node's own.

They are not in the registry: who can read that shall not be able to speak as a gateway. The file is JSON,
`{issuer id: {"client_id": …, "client_secret": …}}`, and read again when it was changed.
"""

import os
import stat
import threading
import time
from pathlib import Path
from typing import Final

import msgspec
import structlog

FILE: Final = "APP_AUTH_ISSUER_CREDENTIALS_FILE"
MAX_BYTES: Final = 1024 * 1024
_LOOK_EVERY: Final = 1.0

_log = structlog.get_logger()


class GatewayCredential(msgspec.Struct, frozen=True):
    """What the gateway is called at an issuer, and its secret there."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Never show the secret."""
        return f"GatewayCredential({self.client_id!r})"


_decoder = msgspec.json.Decoder(dict[str, GatewayCredential])


class GatewayCredentials:
    """The file at `path`; None: this node has no such credentials. For any number of threads."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._look_at = 0.0
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, GatewayCredential] = {}
        self._trouble: str | None = None

    def of(self, issuer_id: str) -> GatewayCredential | None:
        """Find what to say to an issuer. A file that cannot be read, or is none of these, says nothing."""
        if self._path is not None:
            with self._lock:
                now = time.monotonic()
                if now >= self._look_at:
                    self._look_at = now + _LOOK_EVERY
                    self._look(self._path)
        return self._known.get(issuer_id)

    def _look(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                seen = found.st_ino, found.st_size, found.st_mtime_ns
                if seen == self._seen:
                    return
                self._known = {}
                self._seen = seen
                self._known = _decoder.decode(file.read(MAX_BYTES))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._say(path, type(error).__name__)
            return
        self._say(path, None)
        if stat.S_IMODE(found.st_mode) & 0o077:
            _log.warning("issuer credentials can be read by others than their owner", file=str(path))

    def _say(self, path: Path, trouble: str | None) -> None:
        """Log what is wrong with the file, once."""
        if trouble is not None and trouble != self._trouble:
            _log.error("issuer credentials cannot be read", file=str(path), error=trouble)
        self._trouble = trouble


def from_environment() -> GatewayCredentials:
    """Find the file by APP_AUTH_ISSUER_CREDENTIALS_FILE."""
    path = os.environ.get(FILE)
    return GatewayCredentials(Path(path) if path else None)
