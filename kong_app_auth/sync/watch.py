"""Watching a file: its contents when they have changed and the change has come to rest."""

import os
import stat
from pathlib import Path

import msgspec
import structlog

from kong_app_auth.registry.contents import Contents
from kong_app_auth.sync.declarative.complaints import Refusal
from kong_app_auth.sync.declarative.document import LARGEST, parse

_log = structlog.get_logger()


class _Version(msgspec.Struct, frozen=True):
    """What tells one state of a file from another without reading it."""

    device: int
    inode: int
    modified_ns: int
    changed_ns: int
    size: int


class WatchedFile:
    """An `apps.yaml` of `region`, to be looked at ten times a second.

    It is found by its path each time, so that a rename over it and the swapped symlinks of a Kubernetes ConfigMap are
    seen. A file that is missing or unreadable says nothing: who asked keeps the last good contents. That is logged
    when it begins and when it ends.
    """

    def __init__(self, path: Path, region: str) -> None:
        self._path = path
        self._region = region
        self._seen: _Version | None = None
        self._read: _Version | None = None
        self._trouble: str | None = None

    def look(self) -> Contents | Refusal | None:
        """Give the contents, or why they are refused, once for each change; None while there is nothing new.

        A change is read at the second look that finds it, so that a file still being written is not taken for whole.
        """
        try:
            seen = self._version(self._path.stat())
            if seen != self._read and seen == self._seen:
                data, read = self._load()
            else:
                data, read = None, None
        except OSError as error:
            self._report(error.strerror or type(error).__name__)
            self._seen = None
            return None
        self._report(None)
        self._seen = seen
        if data is None or read != seen:
            return None
        self._read = read
        return parse(data, str(self._path), self._region)

    def _load(self) -> tuple[bytes, _Version]:
        # Opening a named pipe would wait for a writer without O_NONBLOCK.
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(LARGEST + 1)
            return data, self._version(os.fstat(file.fileno()))

    @staticmethod
    def _version(status: os.stat_result) -> _Version:
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a regular file")
        return _Version(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)

    def _report(self, trouble: str | None) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            _log.info("apps file is readable again", file=str(self._path))
        else:
            _log.warning(
                "apps file cannot be read, the last good state stays in force", file=str(self._path), problem=trouble
            )
