"""A page of memory that the follower shares with the workers of its node: which copy is in force, and how fresh it is.

So a heartbeat reaches every worker without a transaction on disk, and a copy that can no longer be trusted is out of
force at once, even where the disk is full. The file is one page, given its blocks when it is made: 8 bytes of magic
with the version of the layout, 8 bytes with twice the generation plus 1 if it may be trusted, 8 bytes with the Unix
time (a double) at which the follower last knew to have all that the region's writer had to say, and 8 bytes that count
changes: odd while one is being made. Each field is aligned and written by one store of the processor, so that a reader
sees it whole. (Not by `struct.pack_into`: that writes zeros first, and now and then a reader would see them.)
"""

import contextlib
import mmap
import os
from pathlib import Path
from typing import Final

FILE_NAME: Final = "status"
MAGIC: Final = b"kaastat1"
SIZE: Final = 4096

_WORD_INDEX: Final = 1
_HEARD_INDEX: Final = 2
_CHANGES_INDEX: Final = 3


class StatusPage:
    """The follower's side. Made where it is missing or not ours: then with generation 0, not trusted."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        page = _map(self._path, mmap.ACCESS_WRITE)
        if page is None:
            _make(self._path)
            page = _map(self._path, mmap.ACCESS_WRITE)
        if page is None:
            raise OSError(f"cannot map {self._path}")
        self._page = page
        self._numbers = memoryview(page).cast("Q")
        self._times = memoryview(page).cast("d")
        self._inode = self._path.stat().st_ino

    @property
    def generation(self) -> int:
        """The generation that is, or was last, in force."""
        return self._numbers[_WORD_INDEX] >> 1

    @property
    def trusted(self) -> bool:
        """Whether readers may use that generation."""
        return bool(self._numbers[_WORD_INDEX] & 1)

    @property
    def last_heard(self) -> float:
        """Unix time of the last news; 0.0 for never."""
        return self._times[_HEARD_INDEX]

    def put_in_force(self, generation: int) -> None:
        """Have readers use this generation, from now on and after a power cut."""
        self._numbers[_WORD_INDEX] = generation * 2 + 1
        self._page.flush()

    def distrust(self) -> None:
        """Have readers use nothing, from now on and after a power cut."""
        self._numbers[_WORD_INDEX] = self.generation * 2
        self._times[_HEARD_INDEX] = 0.0
        self._page.flush()

    def heard(self, at: float) -> None:
        """Note when the registry was last heard of. It is the kernel's to write to disk: older news is safe news."""
        self._times[_HEARD_INDEX] = at

    def begin_change(self) -> None:
        """Have readers remember nothing of the copy until `end_change`, nor if it never comes."""
        self._count_to(odd=True)

    def end_change(self) -> None:
        """Let readers remember again what they read from now on; what they remembered before counts no more."""
        self._count_to(odd=False)

    def _count_to(self, *, odd: bool) -> None:
        changes = self._numbers[_CHANGES_INDEX]
        self._numbers[_CHANGES_INDEX] = changes + (1 if bool(changes & 1) is not odd else 2)

    def in_place(self) -> bool:
        """Say whether this page is still the file that readers find."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Let the page go."""
        self._numbers.release()
        self._times.release()
        self._page.close()


class StatusView:
    """A reader's side."""

    def __init__(self, page: mmap.mmap, path: Path, inode: int) -> None:
        view = memoryview(page)
        self._numbers = view.cast("Q")
        self._times = view.cast("d")
        self._path = path
        self._inode = inode

    @classmethod
    def open(cls, directory: Path) -> "StatusView | None":
        """Map the page. None where it is not there or not ours."""
        path = directory / FILE_NAME
        try:
            inode = path.stat().st_ino
            page = _map(path, mmap.ACCESS_READ)
        except OSError:
            return None
        return None if page is None else cls(page, path, inode)

    def word(self) -> int:
        """Give twice the generation plus 1 if it may be trusted."""
        return self._numbers[_WORD_INDEX]

    def last_heard(self) -> float:
        """Give the Unix time of the last news; 0.0 for never."""
        return self._times[_HEARD_INDEX]

    def changes(self) -> int:
        """Give the number of changes: odd while one is being made, and another after each.

        What was read from the copy after this was asked holds as long as the same even number is given.
        """
        return self._numbers[_CHANGES_INDEX]

    def in_place(self) -> bool:
        """Say whether this page is still the file that the follower writes."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False


def _map(path: Path, access: int) -> mmap.mmap | None:
    try:
        descriptor = os.open(path, (os.O_RDWR if access == mmap.ACCESS_WRITE else os.O_RDONLY) | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if os.fstat(descriptor).st_size != SIZE:
            return None
        page = mmap.mmap(descriptor, SIZE, access=access)
    finally:
        os.close(descriptor)
    if page[: len(MAGIC)] == MAGIC:
        return page
    page.close()
    return None


def _make(path: Path) -> None:
    """Write a new page aside and move it into place, so that nobody maps half of one."""
    temporary = path.with_name(f"{FILE_NAME}.{os.getpid()}.new")
    try:
        with temporary.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(MAGIC.ljust(SIZE, b"\0"))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
