"""The loop of a worker: one thread at a time, the leader, waits for whatever comes on any connection and handles it.

A plugin's code is plain and synchronous. Mostly it runs to its end without waiting, for what it asks Kong was asked
ahead (see `habits`), and then one thread serves all connections without a switch. Where it does wait the lead passes
to another thread first: before it waits for Kong, before it runs if it was seen to block, and otherwise when
`look_after` finds that the leader has been held up. A thread that has lost the lead finishes its event and is a
follower again.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

import structlog

from plugin_server.channel import Channel, ConnectionLostError, OpenConnection
from plugin_server.commands import BAD_CONNECTIONS, Commands
from plugin_server.listener import accept
from plugin_server.pdk import Kong
from plugin_server.traceback import where
from plugin_server.wire.frames import ProtocolError

MOST_FOLLOWERS = 8
"""Threads kept for the next time that the leader waits."""
STACK_SIZE = 512 * 1024
_AT_A_TIME = 64
_GOODBYE = 5.0
_DOOR_CLOSED_FOR = 0.1

log = structlog.get_logger("plugin_server")


class _Member:
    """A thread: the gate where it waits as a follower, the connection it serves, and how many times it has served."""

    __slots__ = ("gate", "in_hand", "turns")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.in_hand: Channel | None = None
        self.turns = 0


class Loop:
    """The connections of one worker and the threads that serve them.

    `hand_over` is called with each open connection, between two events, once `drain` was called. At most
    `max_connections` are held at a time; more wait in the socket's queue for another worker. The lock is for what is
    rare: who leads, and what epoll watches while somebody else than the leader serves it.
    """

    def __init__(
        self,
        listener: int,
        commands: Commands,
        hand_over: Callable[[OpenConnection], None],
        max_connections: int,
    ) -> None:
        self._door = listener
        self._commands = commands
        self._hand_over = hand_over
        self._max = max_connections
        self._epoll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._bell, select.EPOLLIN)
        self._lock = threading.Lock()
        self._channels: dict[int, Channel] = {}
        self._spare: list[Channel] = []
        self._leader: _Member | None = None
        self._followers: deque[_Member] = deque()
        self._threads = 0
        self._seen: tuple[_Member | None, int] = (None, 0)
        self._door_open = False
        self._door_opens_at = 0.0
        self._draining = False
        self._door_shut = False
        threading.stack_size(STACK_SIZE)

    def start(self) -> None:
        """Begin to serve."""
        with self._lock:
            self._open_door()
            self._pass_the_lead()

    def adopt(self, connection: OpenConnection) -> None:
        """Serve a connection that another worker has handed over."""
        os.set_blocking(connection.fd, False)
        with self._lock:
            if not self._draining:
                self._watch(self._channel_for(connection))
                return
        self._pass_on(connection)

    def drain(self) -> None:
        """Stop taking connections; hand over those that are open as each comes between two events."""
        with self._lock:
            self._draining = True
        self._ring()

    def drained(self) -> bool:
        """Say whether no connection is left, and none will come."""
        return self._door_shut and not self._channels

    def serving(self) -> list[Channel]:
        """The connections that are open."""
        return list(self._channels.values())

    def threads(self) -> int:
        """How many threads there are."""
        return self._threads

    def look_after(self, now: float) -> bool:
        """Pass the lead on if the leader has been held up since the last look; to be called every few milliseconds.

        Says whether there has been work since the last look. Where there was none the next look may be later.
        """
        leader, before = self._leader, self._seen
        seen = self._seen = (leader, 0 if leader is None else leader.turns)
        if leader is not None and leader.in_hand is not None and seen == before:
            self._relieve(leader)
        if self._door_opens_at and now >= self._door_opens_at:
            with self._lock:
                self._door_opens_at = 0.0
                self._open_door()
        return seen != before

    def look_about(self, now: float) -> None:
        """Do what is to be done now and then; to be called some times a second."""
        # The kernel tells one worker of a connection. If that one has closed its door just then, or was killed, nobody
        # else has heard of it; to watch the door anew shows what waits there.
        self._let_others_in()
        if any(channel.leaving and now - channel.leaving > _GOODBYE for channel in self.serving()):
            self._ring()

    # Threads

    def _pass_the_lead(self) -> None:
        """Make another thread the leader; who has the lead keeps it where there is no other. The lock is held."""
        if self._followers:
            self._leader = self._followers.pop()
            self._leader.gate.release()
            return
        before, self._leader = self._leader, _Member()
        try:
            threading.Thread(target=self._run, args=(self._leader,), name="connections", daemon=True).start()
            self._threads += 1
        except RuntimeError:  # the system gives no more; those that there are serve on
            self._leader = before
            log.error("cannot start a thread", threads=self._threads)

    def _relieve(self, leader: _Member) -> None:
        """Take the lead from a thread that is held up in an event."""
        with self._lock:
            held_up = leader.in_hand
            if self._leader is leader and held_up is not None and leader.turns == self._seen[1]:
                if held_up.event is not None:
                    held_up.event.handler.blocked()
                self._pass_the_lead()

    def _give_way(self, channel: Channel) -> None:
        """Pass the lead on, for the thread that serves `channel` is going to wait."""
        with self._lock:
            self._unwatch(channel)
            if self._leader is channel.served_by:
                self._pass_the_lead()

    def _run(self, me: _Member) -> None:
        try:
            self._take_part(me)
        except BaseException as error:  # noqa: BLE001  a worker without a leader serves nobody: a new one has to come
            log.critical("worker failed", error=type(error).__name__, where=where(error))
            os._exit(1)

    def _take_part(self, me: _Member) -> None:
        """Lead, and follow until the lead comes back; ends where there are followers enough."""
        while True:
            self._lead(me)
            with self._lock:
                if len(self._followers) >= MOST_FOLLOWERS:
                    self._threads -= 1
                    return
                self._followers.append(me)
            me.gate.acquire()

    def _lead(self, me: _Member) -> None:
        """Handle what comes, as long as this thread has the lead."""
        channels = self._channels
        poll = self._epoll.poll
        while self._leader is me:
            for fd, _ in poll(None, _AT_A_TIME):
                channel = channels.get(fd)
                if channel is None:
                    channel = self._hear(fd, me)
                    if channel is None:
                        continue
                elif channel.served_by is not None and self._leave_alone(channel):
                    continue
                self._serve(channel, me)
                if self._leader is not me:
                    break  # the new leader is told of the rest too

    # Connections

    def _hear(self, fd: int, me: _Member) -> Channel | None:
        """Take a new connection, or hear the bell; None where there is nothing to serve."""
        if fd == self._door:
            return self._admit()
        if fd == self._bell:
            os.eventfd_read(self._bell)
            self._tidy_up(me)
        return None  # or it is of a connection that has just ended

    def _admit(self) -> Channel | None:
        try:
            fd = accept(self._door)
        except OSError as error:
            with self._lock:
                if self._door_open and not self._draining:
                    log.error("cannot accept connections", error=error.strerror)
                    self._door_opens_at = monotonic() + _DOOR_CLOSED_FOR  # out of descriptors or memory: do not spin
                self._close_door()
            return None
        if fd is None:
            return None
        channel = self._channel_for(OpenConnection(fd))
        if len(self._channels) >= self._max:
            with self._lock:
                self._close_door()
        return channel

    def _channel_for(self, connection: OpenConnection) -> Channel:
        try:
            channel = self._spare.pop()
        except IndexError:
            channel = Channel(self._give_way)
            channel.kong = Kong(channel)
        channel.open(connection)
        self._channels[connection.fd] = channel
        return channel

    def _serve(self, channel: Channel, me: _Member) -> None:
        """Handle what has come on a connection."""
        me.in_hand = channel
        me.turns += 1
        channel.served_by = me
        keep = False
        try:
            keep = self._answer(channel) or channel.leave()
        except ConnectionLostError:
            self._commands.lost(channel)  # Kong has closed it, as it does after each refusal
        except ProtocolError as error:
            BAD_CONNECTIONS.inc()
            log.warning("connection ended", error=str(error))
        except Exception as error:  # noqa: BLE001  one connection never takes a worker with it
            BAD_CONNECTIONS.inc()
            log.error("connection ended", error=type(error).__name__, where=where(error))
        if not keep:
            self._end(channel, me)
        elif self._draining and self._between_events(channel):
            self._take_out(channel)
        else:
            channel.served_by = None
            # Whoever has the lead now may have met this connection while it was served, and have left it alone.
            if not channel.watched or self._leader is not me:
                with self._lock:
                    self._watch(channel)
        me.in_hand = None

    def _answer(self, channel: Channel) -> bool:
        """Handle what has come; False when the connection is over."""
        data = channel.read()
        if data is None or channel.leaving:
            return True
        if channel.waits:
            keep = self._commands.go_on(channel, data)
        else:
            command = channel.command_in(data)
            keep = command is None or self._commands.answer(channel, command)
        if channel.fresh and keep and self._between_events(channel) and not channel.ahead:
            channel.fresh = False
            self._let_others_in()
        return keep

    @staticmethod
    def _between_events(channel: Channel) -> bool:
        return not channel.began and not channel.leaving

    def _end(self, channel: Channel, me: _Member) -> None:
        """Close a connection."""
        del self._channels[channel.fd]
        channel.close()
        if self._leader is me:
            channel.served_by = None
            self._spare.append(channel)
        if not self._door_open:
            with self._lock:
                self._open_door()

    def _take_out(self, channel: Channel) -> None:
        """Hand a connection over."""
        with self._lock:
            self._unwatch(channel)
        state = channel.state()
        del self._channels[channel.fd]
        self._pass_on(state)

    def _pass_on(self, connection: OpenConnection) -> None:
        """Hand a connection over, and drop this process's copy of it."""
        try:
            self._hand_over(connection)
        except OSError as error:
            log.error("connection lost: it cannot be handed over", error=error.strerror)
        finally:
            os.close(connection.fd)

    def _tidy_up(self, me: _Member) -> None:
        """Do what another thread has rung for: hand over, and close what is overdue."""
        now = monotonic()
        if self._draining:
            with self._lock:
                self._close_door()
            while (channel := self._admit()) is not None:  # of those no other worker was told
                self._serve(channel, me)
                if self._leader is not me:
                    return self._ring()
        for channel in self.serving():
            if channel.served_by is not None:
                continue
            if channel.leaving:
                if now - channel.leaving > _GOODBYE:
                    del self._channels[channel.fd]
                    channel.close()
            elif self._draining and self._between_events(channel):
                self._take_out(channel)
        self._door_shut = self._draining
        return None

    # What epoll watches. The lock is held.

    def _watch(self, channel: Channel) -> None:
        if not channel.watched:
            self._epoll.register(channel.fd, select.EPOLLIN)
            channel.watched = True

    def _unwatch(self, channel: Channel) -> None:
        if channel.watched:
            self._epoll.unregister(channel.fd)
            channel.watched = False

    def _open_door(self) -> None:
        room = len(self._channels) < self._max
        if room and not (self._door_open or self._draining or self._door_opens_at):
            # Of the workers that wait for a connection one is woken, the first in the queue.
            self._epoll.register(self._door, select.EPOLLIN | select.EPOLLEXCLUSIVE)
            self._door_open = True

    def _close_door(self) -> None:
        if self._door_open:
            self._epoll.unregister(self._door)
            self._door_open = False

    # With the lock not held.

    def _leave_alone(self, channel: Channel) -> bool:
        """Stop watching a connection that another thread serves; False where it does no more."""
        with self._lock:
            if channel.served_by is None:
                return False
            self._unwatch(channel)
            return True

    def _let_others_in(self) -> None:
        """Go to the end of the queue of workers, so that connections that are kept spread over them."""
        with self._lock:
            if self._door_open:
                self._close_door()
                self._open_door()

    def _ring(self) -> None:
        """Wake the leader."""
        os.eventfd_write(self._bell, 1)
