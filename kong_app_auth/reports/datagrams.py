"""From the workers to the follower of the same node: datagrams to a Unix socket in the replica's directory.

Neither side waits for the other. Nobody there, or too slow: the datagram is not taken, and its sender keeps the report.
"""

import contextlib
import os
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Final

from kong_app_auth.reports.codec import MAX_BYTES

FILE_NAME: Final = "reports"
_LONGEST_ADDRESS: Final = 100
"""Bytes: an address of a Unix socket has no more than 107."""


class Sender:
    """A worker's side. One thread at a time."""

    def __init__(self, directory: Path | str) -> None:
        self._directory = Path(directory)
        self._socket: socket.socket | None = None

    def send(self, data: bytes) -> bool:
        """Hand a datagram over; False where nobody takes it."""
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            with _address(self._directory) as address:
                self._socket.sendto(data, address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Receiver:
    """The follower's side. Only the process that holds the directory may make one. Raises OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                (directory / FILE_NAME).unlink()  # what a follower left behind that was killed
            with _address(directory) as address:
                self._socket.bind(address)
            (directory / FILE_NAME).chmod(0o600)
            self._inode = (directory / FILE_NAME).stat().st_ino
        except BaseException:
            self._socket.close()
            raise

    def receive(self, timeout: float) -> bytes | None:
        """Wait at most so many seconds for a datagram; None where none came."""
        self._socket.settimeout(max(timeout, 0.0))
        try:
            return self._socket.recv(MAX_BYTES + 1)
        except (TimeoutError, BlockingIOError):
            return None

    def in_place(self) -> bool:
        """Say whether workers still find this socket: the directory may have been made anew."""
        try:
            return (self._directory / FILE_NAME).stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Take nothing more."""
        if self.in_place():
            with contextlib.suppress(OSError):
                (self._directory / FILE_NAME).unlink()
        self._socket.close()


@contextlib.contextmanager
def _address(directory: Path) -> Generator[str]:
    """The address of the socket in `directory`: where its path is too long for one, by way of a descriptor."""
    path = str(directory / FILE_NAME)
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield path
        return
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{FILE_NAME}"
    finally:
        os.close(descriptor)
