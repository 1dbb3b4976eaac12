"""The listening socket: one server at a time, a stale file taken over, mode and group as asked."""

import ctypes
import errno
import fcntl
import os
import shutil
import socket
import stat
from pathlib import Path
from time import monotonic, sleep

BACKLOG = 4096
_PREDECESSOR_ENDS_WITHIN = 1.0
"""Seconds: workers whose supervisor was killed answer until they have noticed."""


class ListenError(Exception):
    """The socket cannot be had; the text says why in one line."""


_libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL, unlike CDLL, keeps the interpreter's lock: this call does not wait
_accept4 = _libc.accept4
_accept4.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_accept4.restype = ctypes.c_int
_FLAGS = int(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
_NOBODY = (errno.EAGAIN, errno.EINTR, errno.ECONNABORTED)


def accept(listener: int) -> int | None:
    """Accept a connection, its socket not blocking, in one system call; None where nobody waits. Raises OSError."""
    fd: int = _accept4(listener, None, None, _FLAGS)
    if fd >= 0:
        return fd
    number = ctypes.get_errno()
    if number in _NOBODY:
        return None
    raise OSError(number, os.strerror(number))


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
            sock.setblocking(False)  # several workers are told of one connection
        except (OSError, LookupError) as error:
            sock.close()
            if bound:
                self.path.unlink(missing_ok=True)
            why = error.strerror if isinstance(error, OSError) else error
            raise ListenError(f"cannot listen on {self.path}: {why}") from error
        return sock
