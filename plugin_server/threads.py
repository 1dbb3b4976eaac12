"""The threads of a worker: some wait for connections, each serves the one it took until it ends.

A waiting thread blocks in `accept` on the socket that all workers share: the kernel wakes the one that has waited
longest, which spreads connections evenly over the workers. So few threads of a worker may wait at a time; others park
until they are needed. Kong opens a new connection after each refusal, so a thread must not be made for each.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

import structlog

from plugin_server.channel import Channel, ConnectionLostError, OpenConnection
from plugin_server.commands import BAD_CONNECTIONS, Commands
from plugin_server.listener import Doorway
from plugin_server.nowait import close
from plugin_server.pdk import Kong
from plugin_server.traceback import where
from plugin_server.wire.frames import ProtocolError

FEWEST_WAITING = 1
MOST_WAITING = 8
STACK_SIZE = 512 * 1024

log = structlog.get_logger("plugin_server")


class Threads:
    """The threads of one worker.

    `hand_over` is called with each open connection, between two events, once `drain` was called. At most
    `max_connections` are served at a time; more wait in the socket's queue for another worker.
    """

    def __init__(
        self,
        listener: Doorway,
        commands: Commands,
        hand_over: Callable[[OpenConnection], None],
        max_connections: int,
    ) -> None:
        self._listener = listener
        self._commands = commands
        self._hand_over = hand_over
        self._max = max_connections
        self._lock = threading.Lock()
        self._waiting = 0
        self._alive = 0
        self._parked: deque[threading.Lock] = deque()
        self._adopted: deque[OpenConnection] = deque()
        self._serving: set[Channel] = set()
        self._draining = False
        threading.stack_size(STACK_SIZE)

    def start(self) -> None:
        """Begin to wait for connections."""
        with self._lock:
            self._call_for_one_more()

    def adopt(self, connection: OpenConnection) -> None:
        """Serve a connection that another worker has handed over."""
        with self._lock:
            if not self._draining:
                self._adopted.append(connection)
                self._call_for_one_more()
                return
        self._pass_on(connection)

    def drain(self) -> None:
        """Stop taking connections; hand over those that are open as each comes between two events."""
        with self._lock:
            self._draining = True
            for gate in self._parked:
                gate.release()
            self._parked.clear()
            adopted = list(self._adopted)
            self._adopted.clear()
        for connection in adopted:
            self._pass_on(connection)

    def drained(self) -> bool:
        """Say whether no thread is left."""
        return self._alive == 0

    def serving(self) -> list[Channel]:
        """The connections being served now."""
        return list(self._serving)

    def count(self) -> int:
        """How many threads there are."""
        return self._alive

    def _call_for_one_more(self) -> None:
        """Unpark a thread, or make one. The lock is held."""
        if self._parked:
            self._waiting += 1
            self._parked.popleft().release()
        elif self._alive < self._max:
            try:
                threading.Thread(target=self._run, name="connection", daemon=True).start()
            except RuntimeError:  # the system gives no more; those that there are serve on
                log.error("cannot start a thread", threads=self._alive)
                return
            self._alive += 1
            self._waiting += 1

    def _run(self) -> None:
        gate = threading.Lock()
        gate.acquire()
        channel = Channel()
        kong = Kong(channel)
        try:
            while True:
                connection = self._next_connection(channel)
                if connection is not None:
                    channel.open(connection)
                    self._serve(channel, kong)
                if not self._wait_again(gate, served=connection is not None):
                    return
        finally:
            with self._lock:
                self._alive -= 1

    def _next_connection(self, channel: Channel) -> OpenConnection | None:
        """Take a connection that was handed over, or wait for a new one; None where there is none for now."""
        if self._adopted:
            with self._lock:
                if self._adopted:
                    self._waiting -= 1
                    self._serving.add(channel)
                    return self._adopted.popleft()
        try:
            sock = self._listener.take()
        except BlockingIOError:
            return None
        except OSError as error:
            if self._draining:
                return None
            log.error("cannot accept connections", error=error.strerror)
            time.sleep(0.1)  # out of descriptors or memory: do not spin
            return None
        with self._lock:
            self._waiting -= 1
            self._serving.add(channel)
            if self._waiting < FEWEST_WAITING and not self._draining:
                self._call_for_one_more()
        return OpenConnection(sock)

    def _wait_again(self, gate: threading.Lock, *, served: bool) -> bool:
        """Wait for connections again, or park while enough others do; False: the thread ends."""
        with self._lock:
            if not served:
                self._waiting -= self._draining
                return not self._draining
            if self._draining:
                return False
            if self._waiting < MOST_WAITING:
                self._waiting += 1
                return True
            self._parked.append(gate)
        gate.acquire()
        return not self._draining

    def _serve(self, channel: Channel, kong: Kong) -> None:
        """Answer what comes on a connection until it ends, or until the worker drains."""
        sock = channel.sock
        answer = self._commands.answer
        patient = False
        try:
            while not self._draining:
                try:
                    command = channel.next_command()
                except BlockingIOError:
                    continue
                if not answer(channel, kong, command):
                    channel.await_close()
                    return
                if not patient:
                    channel.notice_idleness()
                    patient = True
            self._pass_on(channel.state())
        except (ConnectionLostError, ConnectionError):
            pass  # Kong has closed it, as it does after each refusal
        except ProtocolError as error:
            BAD_CONNECTIONS.inc()
            log.warning("connection ended", error=str(error))
        except Exception as error:  # noqa: BLE001  one connection never takes a worker with it
            BAD_CONNECTIONS.inc()
            log.error("connection ended", error=type(error).__name__, where=where(error))
        finally:
            with self._lock:
                self._serving.discard(channel)
            close(sock)

    def _pass_on(self, connection: OpenConnection) -> None:
        """Hand a connection over, and drop this process's copy of it."""
        try:
            self._hand_over(connection)
        finally:
            connection.sock.close()
