"""The listening socket: one server at a time, a stale file taken over, mode and group as asked."""

import fcntl
import os
import shutil
import socket
import stat
from pathlib import Path
from time import monotonic, sleep
from typing import cast

from plugin_server.channel import IDLE_WAIT

BACKLOG = 4096
_PREDECESSOR_ENDS_WITHIN = 1.0
"""Seconds: workers whose supervisor was killed answer until they have noticed."""


class ListenError(Exception):
    """The socket cannot be had; the text says why in one line."""


class Doorway(socket.socket):
    """The listening socket as workers have it. Kong opens a connection after each refusal, so many are taken."""

    def take(self) -> socket.socket:
        """Accept a connection in less time than `accept`, which looks up first what kind of socket this is."""
        # What `accept` itself calls; the stubs do not know it.
        accepted = cast("tuple[int, object]", self._accept())  # type: ignore[attr-defined]  # pyright: ignore
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, accepted[0])


class Listener:
    """A Unix socket that this process owns by a lock beside it (`<socket>.lock`)."""

    def __init__(self, path: str, mode: int, group: str | None) -> None:
        self.path = Path(path)
        self._lock_fd = self._take_lock()
        try:
            self._check_nobody_answers()
            self.sock = self._listen(mode, group)
        except BaseException:
            os.close(self._lock_fd)
            raise

    def close(self) -> None:
        """Stop listening here and take the file away. Workers that share the socket keep it until they end."""
        self.path.unlink(missing_ok=True)
        self.sock.close()
        os.close(self._lock_fd)

    def _take_lock(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ListenError(f"cannot use the directory {self.path.parent}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise ListenError(f"another server is running on {self.path}") from error
        return lock

    def _check_nobody_answers(self) -> None:
        """Refuse a socket that somebody without our lock listens on; take over one that nobody does."""
        try:
            # To connect tells a file of another kind from a dead socket no more than the error does.
            if not stat.S_ISSOCK(self.path.stat().st_mode):
                raise ListenError(f"{self.path} is there and is not a socket")
        except FileNotFoundError:
            return
        except OSError as error:
            raise ListenError(f"cannot use {self.path}: {error.strerror}") from error
        give_up = monotonic() + _PREDECESSOR_ENDS_WITHIN
        while self._somebody_answers():
            if monotonic() > give_up:
                raise ListenError(f"another server answers on {self.path}")
            sleep(0.05)

    def _somebody_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self.path))
            except FileNotFoundError:
                return False
            except ConnectionRefusedError:
                self.path.unlink(missing_ok=True)
                return False
            except OSError as error:
                raise ListenError(f"{self.path} is there and is not a socket to take over: {error.strerror}") from error
        return True

    def _listen(self, mode: int, group: str | None) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        bound = False
        try:
            sock.bind(str(self.path))
            bound = True
            # Mode and group first: until `listen` nobody can connect.
            self.path.chmod(mode)
            if group is not None:
                shutil.chown(self.path, group=group)
            sock.listen(BACKLOG)
            # A waiting worker looks about now and then; the option belongs to the socket, which all workers share.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, IDLE_WAIT)
        except (OSError, LookupError) as error:
            sock.close()
            if bound:
                self.path.unlink(missing_ok=True)
            why = error.strerror if isinstance(error, OSError) else error
            raise ListenError(f"cannot listen on {self.path}: {why}") from error
        return sock
