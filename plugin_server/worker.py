"""A worker process: its threads answer Kong, its main thread gives signs of life and watches the deadline."""

import gc
import os
import select
import signal
import socket
import time
from contextlib import suppress

import structlog

from plugin_server import metrics
from plugin_server.channel import Channel, OpenConnection
from plugin_server.commands import OUT_OF_TIME, Commands
from plugin_server.control import Beat, Connection, Drain, Drained, Link, Ready, counts_for_sending
from plugin_server.hosted import Hosted
from plugin_server.instances import Instances, InstanceStore
from plugin_server.loop import Loop
from plugin_server.plugin import LoadedPlugin
from plugin_server.settings import ServerSettings

_LOOK_EVERY = 0.05
_LOOK_EVERY_MS = 50
_LOOK_AFTER_LOOP_EVERY_MS = 10
_BEAT_EVERY = 0.5
_OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""An event leaves no cycles behind: with Python's 700 the collector ran all the time for nothing, 2 % of the CPU."""
DEADLINES = metrics.Counter("plugin_server_deadlines_total", "Events that were ended because their time was up.")

log = structlog.get_logger("plugin_server")


class Worker:
    """One worker, told what to do over `link`."""

    def __init__(
        self,
        settings: ServerSettings,
        plugin: LoadedPlugin,
        store: InstanceStore,
        listener: socket.socket,
        link: Link,
    ) -> None:
        self._settings = settings
        self._plugin = plugin
        self._link = link
        self._listener = listener
        instances = Instances(store, lambda config: Hosted(plugin.create(config), plugin.phases))
        self._loop = Loop(listener.fileno(), Commands(plugin, instances), self._hand_over, settings.max_connections)
        self._next_look = self._next_beat = 0.0

    def run(self) -> None:
        """Serve until told to drain, or until the supervisor is gone."""
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)  # the supervisor hears them, and decides
        # Kong wakes a worker with every little thing it sends. As a batch process the worker does not interrupt Kong
        # for that, but comes when Kong waits: measured, a third less CPU and a quarter more requests a second.
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
        self._loop.start()
        self._link.send(Ready(metrics.definitions()))
        orders = select.poll()
        orders.register(self._link.fileno(), select.POLLIN)
        draining = False
        working = True
        while not (draining and self._loop.drained()):
            if orders.poll(_LOOK_AFTER_LOOP_EVERY_MS if working else _LOOK_EVERY_MS):
                received = self._link.receive()
                if received is None:
                    return self._end_alone()
                message, fds = received
                if isinstance(message, Connection):
                    if not fds:
                        log.error("connection lost: this process may open no more descriptors")
                        continue
                    self._loop.adopt(OpenConnection(fds[0], message.owed, message.ahead))
                elif isinstance(message, Drain):
                    draining = True
                    self._loop.drain()
            now = time.monotonic()
            working = self._loop.look_after(now)
            if now >= self._next_look:
                self._look_about(now)
        self._plugin.finish()
        self._link.send(Drained(counts_for_sending(metrics.snapshot())))
        return None

    def _look_about(self, now: float) -> None:
        self._next_look = now + _LOOK_EVERY
        self._loop.look_about(now)
        serving = self._loop.serving()
        for channel in serving:
            began = channel.began
            if began and now - began > self._settings.deadline and not channel.over and self._cut_short(channel, began):
                DEADLINES.inc()
        if now < self._next_beat:
            return
        self._next_beat = now + _BEAT_EVERY
        if sum(channel.timed_out for channel in serving) >= self._settings.max_connections:
            return  # every thread is stuck in the plugin: to be replaced is the only help
        counts = counts_for_sending(metrics.snapshot())
        self._link.send(Beat(counts, len(serving), self._waiting_for()), wait=False)

    def _waiting_for(self) -> str | None:
        try:
            waiting_for = self._plugin.ready()
        except Exception as error:  # noqa: BLE001  a plugin that cannot say what it waits for still serves
            return f"its ready() raised {type(error).__name__}"
        if waiting_for is None or isinstance(waiting_for, str):
            return waiting_for
        return f"its ready() gave {waiting_for!r}, not a text or None"

    def _cut_short(self, channel: Channel, began: float) -> bool:
        if not channel.cut_short(began, OUT_OF_TIME):
            return False
        log.error("event took too long", deadline_seconds=self._settings.deadline)
        return True

    def _hand_over(self, connection: OpenConnection) -> None:
        self._link.send(Connection(connection.owed, connection.ahead), connection.fd)

    def _end_alone(self) -> None:
        """End without a supervisor: finish what is in hand, take nothing new."""
        log.error("the supervisor is gone")
        self._loop.drain()
        self._listener.shutdown(socket.SHUT_RDWR)  # of all workers: a new server finds that nobody answers any more
        give_up = time.monotonic() + self._settings.deadline
        while not self._loop.drained() and time.monotonic() < give_up:
            now = time.monotonic()
            self._loop.look_after(now)
            self._look_about(now)
            time.sleep(0.01)
        self._plugin.finish()


def main(worker: Worker) -> None:
    """Run a worker as the whole of a forked process; never returns."""
    code = 1
    try:
        worker.run()
        code = 0
    except BaseException as error:  # nothing of the zygote's stack may run in the child
        log.critical("worker failed", error=type(error).__name__, exc_info=True)
    finally:
        os._exit(code)
