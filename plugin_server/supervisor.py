"""The supervisor: owns the socket, keeps the workers alive, and exchanges them without closing a connection.

It serves no request and imports no plugin. Signals: SIGHUP brings in new settings and new code, SIGTERM and SIGINT end
the server after what is in hand.
"""

import os
import selectors
import signal
import sys
import time
from collections import deque
from pathlib import Path

import msgspec
import structlog

from plugin_server import logs
from plugin_server.companion import CompanionProcess
from plugin_server.control import Beat, Connection, Drained, Failed, Forked, Loaded, Message, Ready
from plugin_server.exposition import Exposition, Report
from plugin_server.generation import Generation, Reload, WorkerHandle, added
from plugin_server.instances import InstanceStore, store_path
from plugin_server.listener import Listener, ListenError
from plugin_server.metrics import Definition, Key
from plugin_server.settings import ServerSettings

_LOOK_EVERY = 0.1
_DRAIN_WITHIN = 10.0
_LOAD_WITHIN = 30.0
_YOUNG = 1.0
_AWAY = 1.0
_RESTARTS = "plugin_server_worker_restarts_total"
_RELOADS = "plugin_server_reloads_total"
_COMPANION_RESTARTS = "plugin_server_companion_restarts_total"
_OWN = (
    Definition(_RESTARTS, "Workers that were replaced, by why.", ("reason",)),
    Definition(_RELOADS, "Reloads, by how they ended.", ("outcome",)),
    Definition(_COMPANION_RESTARTS, "Companions that were started again.", ("companion",)),
)

log = structlog.get_logger("plugin_server")


class StartError(Exception):
    """The server cannot start; the text says why in one line."""


class Supervisor:
    """One server. `reload` reads the settings anew for SIGHUP."""

    def __init__(self, settings: ServerSettings, reload: Reload) -> None:
        self._asked: set[signal.Signals] = set()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # before there is anything to leave behind
            signal.signal(number, lambda got, _: self._asked.add(signal.Signals(got)))
        wrong = settings.check()
        if wrong:
            raise StartError(wrong)
        self._settings = settings
        self._reload = reload
        try:
            self._listener = Listener(settings.socket, settings.socket_mode, settings.socket_group)
        except ListenError as error:
            raise StartError(str(error)) from error
        try:
            InstanceStore(store_path(Path(settings.socket))).create()
            self._exposition = (
                Exposition(settings.metrics_address, self.report) if settings.metrics_address is not None else None
            )
        except (OSError, ValueError, OverflowError) as error:
            self._listener.close()
            raise StartError(f"cannot serve metrics on {settings.metrics_address}: {error}") from error
        except Exception as error:
            self._listener.close()
            raise StartError(f"cannot use the instance database beside {settings.socket}: {error}") from error
        self._selector = selectors.DefaultSelector()
        self._current = self._new_generation(settings)
        self._next: Generation | None = None
        self._next_since = 0.0
        self._old: list[Generation] = []
        self._companions = [CompanionProcess(companion) for companion in settings.companions]
        self._leaving_companions: list[CompanionProcess] = []
        self._homeless: deque[tuple[Connection, int]] = deque()
        self._definitions: dict[str, Definition] = {definition.name: definition for definition in _OWN}
        self._counts_of_the_dead: dict[Key, float] = {}
        self._own_counts: dict[Key, float] = {}
        self._next_worker = 1
        self._fork_not_before = 0.0
        self._died_young = 0
        self._error: str | None = None
        self._ever_served = False
        self._stopping = False
        self._looked = time.monotonic()

    def run(self) -> int:
        """Serve until a signal ends it; gives the exit code."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._selector.register(wake_read, selectors.EVENT_READ, None)
        if self._exposition is not None:
            self._exposition.start()
        log.info("plugin server starts", socket=self._settings.socket, plugin=self._settings.plugin, pid=os.getpid())
        try:
            while not self._asked & {signal.SIGTERM, signal.SIGINT}:
                for key, _ in self._selector.select(_LOOK_EVERY):
                    if key.data is None:
                        os.read(wake_read, 4096)
                    else:
                        self._hear(*key.data)
                if self._error is not None:
                    log.critical("plugin server cannot start", error=self._error)
                    sys.stderr.write(f"{self._error}\n")
                    return 2
                if signal.SIGHUP in self._asked and self._next is None:
                    self._asked.discard(signal.SIGHUP)
                    self._begin_reload()
                self._look_about(time.monotonic())
            return 0
        finally:
            self._stop()
            signal.set_wakeup_fd(-1)
            os.close(wake_read)
            os.close(wake_write)

    def report(self) -> Report:
        """The server as it is now; called from the threads of the exposition."""
        workers = [worker for generation in self._generations() for worker in list(generation.workers.values())]
        answering = [worker for worker in workers if worker.ready]
        waiting = [worker.waiting_for for worker in answering if worker.waiting_for is not None]
        waiting_for = "the first worker" if not answering else waiting[0] if len(waiting) == len(answering) else None
        companions: dict[Key, float] = {
            (_COMPANION_RESTARTS, companion.settings.name): float(companion.restarts) for companion in self._companions
        }
        return Report(
            counts=added([self._counts_of_the_dead, self._own_counts, companions, *(w.counts for w in workers)]),
            definitions=self._definitions.copy(),
            workers=len(answering),
            connections=sum(worker.connections for worker in workers),
            waiting_for=waiting_for,
        )

    # Hearing

    def _hear(self, generation: Generation, worker: WorkerHandle | None) -> None:
        """Take one message of a zygote (worker None) or of a worker."""
        link = generation.link if worker is None else worker.link
        try:
            received = link.receive()
        except msgspec.DecodeError as error:
            log.error("message cannot be read", worker=worker and worker.number, error=str(error))
            if worker is not None:
                worker.last_sign = time.monotonic()
            return
        if received is None:
            self._selector.unregister(link)
            if worker is None:
                self._zygote_ended(generation)
            else:
                self._worker_ended(generation, worker)
            return
        message, fds = received
        if worker is None:
            self._heard_zygote(generation, message)
        else:
            self._heard_worker(generation, worker, message, fds)

    def _heard_zygote(self, generation: Generation, message: Message) -> None:
        if isinstance(message, Loaded):
            generation.loaded = True
            log.info("plugin loaded", plugin=message.plugin, version=message.version)
            self._fork_missing(generation)
        elif isinstance(message, Failed):
            if generation is self._next:
                self._give_up_reload(message.error)
            elif not self._ever_served:
                self._error = message.error
            else:
                log.error("plugin cannot be loaded again; the workers that live go on", error=message.error)
        elif isinstance(message, Forked):
            worker = generation.workers.get(message.worker)
            if worker is not None:
                worker.born_as(message.pid)

    def _heard_worker(self, generation: Generation, worker: WorkerHandle, message: Message, fds: list[int]) -> None:
        worker.last_sign = time.monotonic()
        if isinstance(message, Ready):
            worker.ready = True
            self._ever_served = True
            self._definitions.update({definition.name: definition for definition in message.definitions})
            if generation is self._next and generation.all_ready() and not self._stopping:
                self._take_over(generation)
        elif isinstance(message, Beat):
            worker.counts = {tuple(key): value for key, value in message.counts}
            worker.connections = message.connections
            worker.waiting_for = message.waiting_for
        elif isinstance(message, Connection):
            if not fds:
                log.error("connection lost: this process may open no more descriptors")
                return
            self._homeless.append((message, fds[0]))
            self._rehouse()
        elif isinstance(message, Drained):
            worker.counts = {tuple(key): value for key, value in message.counts}

    def _rehouse(self) -> None:
        """Give connections that were handed over to workers that stay, in turn."""
        while self._homeless:
            workers = [w for w in self._current.workers.values() if w.ready and not w.draining_since]
            workers.sort(key=lambda worker: worker.connections)
            message, fd = self._homeless[0]
            for worker in workers:
                if worker.link.send(message, fd, wait=False):
                    worker.connections += 1
                    break
            else:
                return  # all full or none there: tried again at the next look
            self._homeless.popleft()
            os.close(fd)

    # Looking after

    def _look_about(self, now: float) -> None:
        away, self._looked = now - self._looked > _AWAY, now
        for generation in self._generations():
            for worker in list(generation.workers.values()):
                if away:
                    worker.last_sign = now  # who was stopped or busy itself cannot tell who hangs
                elif now - worker.last_sign > generation.settings.liveness:
                    self._end_hung(generation, worker, now)
                if worker.draining_since:
                    worker.drain(now)
                    if now - worker.draining_since > generation.settings.deadline + _DRAIN_WITHIN:
                        worker.kill()
        if self._next is not None and now - self._next_since > _LOAD_WITHIN:
            self._give_up_reload("it took too long to load")
        if self._current.zygote_due and now >= self._current.zygote_due:
            self._current.restart_zygote()
            self._selector.register(self._current.link, selectors.EVENT_READ, (self._current, None))
        self._fork_missing(self._current)
        self._rehouse()
        for generation in self._old.copy():
            if not generation.workers:
                self._old.remove(generation)
                self._drop_zygote(generation)
        for companion in self._leaving_companions or self._companions:  # never an old one beside a new one
            companion.look_after(now)
        self._leaving_companions = [old for old in self._leaving_companions if not old.ended()]

    def _end_hung(self, generation: Generation, worker: WorkerHandle, now: float) -> None:
        worker.last_sign = now  # once; the end of its link follows
        if not worker.pid:
            log.error("zygote hangs and is killed", pid=generation.process.pid)
            generation.process.kill()
            return
        log.error("worker hangs and is killed", worker=worker.number, pid=worker.pid)
        self._count(_RESTARTS, "hung")
        worker.kill()

    def _fork_missing(self, generation: Generation) -> None:
        """Fork the workers that a generation lacks."""
        now = time.monotonic()
        if not generation.loaded or now < self._fork_not_before or self._stopping:
            return
        for _ in range(generation.settings.workers - len(generation.workers)):
            worker = generation.fork(self._next_worker, now)
            self._next_worker += 1
            self._selector.register(worker.link, selectors.EVENT_READ, (generation, worker))

    def _worker_ended(self, generation: Generation, worker: WorkerHandle) -> None:
        now = time.monotonic()
        del generation.workers[worker.number]
        self._counts_of_the_dead = added([self._counts_of_the_dead, worker.counts])
        worker.close()
        if worker.draining_since:
            return
        log.error("worker ended and is replaced", worker=worker.number, pid=worker.pid)
        self._count(_RESTARTS, "ended")
        self._died_young = self._died_young + 1 if not worker.ready or now - worker.born < _YOUNG else 0
        if self._died_young > generation.settings.workers:
            self._fork_not_before = now + _YOUNG / 2  # they die at once: do not spin
        self._fork_missing(generation)

    def _zygote_ended(self, generation: Generation) -> None:
        if generation is self._next:
            self._give_up_reload("its process ended")
        elif generation is self._current and self._error is None and not self._stopping:
            if not self._ever_served:
                self._error = "the plugin's process ended while it was loading"
                return
            log.error("zygote ended and is replaced")
            generation.lost_zygote(time.monotonic())

    # Reloading

    def _begin_reload(self) -> None:
        settings = self._reload()
        wrong = settings if isinstance(settings, str) else settings.check()
        if isinstance(settings, str) or wrong is not None:
            self._count(_RELOADS, "refused")
            log.error("reload refused; the old settings stay in force", error=wrong)
            return
        for name in ("socket", "socket_mode", "socket_group", "metrics_address"):
            if getattr(settings, name) != getattr(self._settings, name):
                log.warning("this setting needs a restart", setting=name)
        log.info("reload begins")
        self._next = self._new_generation(settings)
        self._next_since = time.monotonic()

    def _take_over(self, generation: Generation) -> None:
        """Put a new generation, whose workers answer, in the place of the old one."""
        now = time.monotonic()
        old, self._current, self._next = self._current, generation, None
        self._old.append(old)
        for worker in old.workers.values():
            worker.drain(now)
        self._settings = generation.settings
        logs.configure(self._settings.log_level)
        for companion in self._companions:
            companion.ask_to_end(now)
        self._leaving_companions += self._companions
        self._companions = [CompanionProcess(companion) for companion in self._settings.companions]
        self._count(_RELOADS, "done")
        log.info("reload done", workers=len(generation.workers))

    def _give_up_reload(self, why: str) -> None:
        generation, self._next = self._next, None
        if generation is None:
            return
        self._count(_RELOADS, "failed")
        log.error("reload failed; the old code and settings stay in force", error=why)
        now = time.monotonic()
        for worker in generation.workers.values():
            worker.drain(now)
        self._old.append(generation)

    # The rest

    def _stop(self) -> None:
        """End: refuse new connections, finish what is in hand, leave nothing running."""
        self._stopping = True
        log.info("plugin server stops")
        self._listener.close()
        now = time.monotonic()
        give_up = now + self._settings.deadline + 1.0
        for generation in self._generations():
            for worker in generation.workers.values():
                worker.drain(now)
        while any(generation.workers for generation in self._generations()):
            for key, _ in self._selector.select(_LOOK_EVERY):
                if key.data is not None:
                    self._hear(*key.data)
            for _, fd in self._homeless:
                os.close(fd)
            self._homeless.clear()
            if time.monotonic() > give_up:
                for generation in self._generations():
                    for worker in generation.workers.values():
                        worker.kill()
                give_up += 1.0
        for generation in self._generations():
            self._drop_zygote(generation)
        for companion in (*self._leaving_companions, *self._companions):
            companion.stop()
        if self._exposition is not None:
            self._exposition.close()
        self._selector.close()

    def _generations(self) -> list[Generation]:
        return [*self._old, self._current, *([self._next] if self._next is not None else [])]

    def _new_generation(self, settings: ServerSettings) -> Generation:
        generation = Generation(settings, self._listener.sock)
        self._selector.register(generation.link, selectors.EVENT_READ, (generation, None))
        return generation

    def _drop_zygote(self, generation: Generation) -> None:
        if generation.link.fileno() in self._selector.get_map():
            self._selector.unregister(generation.link)
        generation.close_zygote()

    def _count(self, *key: str) -> None:
        self._own_counts = added([self._own_counts, {key: 1.0}])
