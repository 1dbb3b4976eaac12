"""A generation: a zygote and the workers forked from it, all of one state of settings and code."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress

import msgspec
import structlog

from plugin_server.control import Drain, Fork, Link, Load
from plugin_server.limits import allow_connections
from plugin_server.metrics import Key
from plugin_server.settings import ServerSettings

_LOAD_AGAIN_AFTER = 2.0

log = structlog.get_logger("plugin_server")


class WorkerHandle:
    """What the supervisor knows of a worker. Times are monotonic seconds."""

    def __init__(self, number: int, link: Link, now: float) -> None:
        self.number = number
        self.link = link
        self.born = now
        self.last_sign = now
        self.pidfd = -1
        self.pid = 0
        self.ready = False
        self.draining_since = 0.0
        self._told_to_drain = False
        self.counts: dict[Key, float] = {}
        self.connections = 0
        self.waiting_for: str | None = "its first worker"

    def born_as(self, pid: int) -> None:
        """Take note of the process, in a way that survives reuse of its number."""
        self.pid = pid
        try:
            self.pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.pidfd = -1  # dead already; the end of its link will tell

    def kill(self) -> None:
        """End it by force."""
        if self.pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def drain(self, now: float) -> None:
        """Ask it to hand its connections over and end. To be called again: its link may be full at first."""
        self.draining_since = self.draining_since or now
        self._told_to_drain = self._told_to_drain or self.link.send(Drain(), wait=False)

    def close(self) -> None:
        """Forget it."""
        self.link.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)


class Generation:
    """A zygote with its workers.

    `zygote_due` is the monotonic time in seconds at which a zygote that ended is to be replaced, 0.0 while one lives.
    """

    def __init__(self, settings: ServerSettings, listener: socket.socket) -> None:
        self.settings = settings
        self.workers: dict[int, WorkerHandle] = {}
        self.loaded = False
        self.zygote_due = 0.0
        self._listener = listener
        self.process, self.link = self._start_zygote()

    def lost_zygote(self, now: float) -> None:
        """Take note that the zygote died: it is replaced at once, or after a while where it could not even load."""
        self.zygote_due = now if self.loaded else now + _LOAD_AGAIN_AFTER
        self.loaded = False

    def restart_zygote(self) -> None:
        """Replace a zygote that died; its workers live on."""
        self.zygote_due = 0.0
        self.close_zygote()
        self.process, self.link = self._start_zygote()

    def fork(self, number: int, now: float) -> WorkerHandle:
        """Ask for a worker."""
        ours, theirs = Link.pair()
        self.link.send(Fork(number), theirs.fileno())
        theirs.close()
        handle = self.workers[number] = WorkerHandle(number, ours, now)
        return handle

    def all_ready(self) -> bool:
        """Say whether as many workers answer as there shall be."""
        return sum(worker.ready for worker in self.workers.values()) >= self.settings.workers

    def close_zygote(self) -> None:
        """End the zygote: it goes when its link does. One that hangs is killed."""
        self.link.close()
        try:
            self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _start_zygote(self) -> tuple[subprocess.Popen[bytes], Link]:
        ours, theirs = Link.pair()
        allow_connections(self.settings.max_connections)
        process = subprocess.Popen(
            (sys.executable, "-P", "-m", "plugin_server.zygote", str(theirs.fileno())),
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        # A zygote has no business with what the companions may know.
        ours.send(Load(msgspec.structs.replace(self.settings, companions=())), self._listener.fileno())
        return process, ours


def added(counts: Iterable[dict[Key, float]]) -> dict[Key, float]:
    """Add up counts."""
    total: dict[Key, float] = {}
    for some in counts:
        for key, value in some.items():
            total[key] = total.get(key, 0) + value
    return total


Reload = Callable[[], "ServerSettings | str"]
"""Reads the settings anew; a string says in one line why that cannot be done."""
