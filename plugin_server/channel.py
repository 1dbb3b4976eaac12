"""One connection of Kong's: what has been read ahead on it, what is still to be sent, what Kong still owes.

Kong never sends ahead: after an event it waits for calls, after a call that returns something the server waits for
Kong. So reading may always take what is there. Calls that return nothing are kept and go out together with the next
thing that must be sent; their replies (an empty frame each) are *owed* and read later, with the next frame.
"""

import os
import select
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from plugin_server.wire.frames import MAX_FRAME, ProtocolError

if TYPE_CHECKING:
    from plugin_server.hosted import Event
    from plugin_server.pdk import Kong

CHUNK = 16384
LARGE_CHUNK = 262144
_LOOK_EVERY_MS = 200
_NOTHING: Mapping[bytes, bytes] = {}


class EventEndedError(BaseException):
    """Unwinds a plugin whose event is over: after `kong.response.exit`, as in Kong, or when its time is up.

    Not an Exception, so that a plugin's own `except Exception` lets it pass.
    """


class ConnectionLostError(Exception):
    """Kong has closed the connection. Not an OSError, so that it is told from one that a plugin raises."""


class OpenConnection(msgspec.Struct, frozen=True):
    """A connection between two events: its descriptor, the empty replies that Kong owes, and bytes read of what comes.

    The bytes begin with the owed replies.
    """

    fd: int
    owed: int = 0
    ahead: bytes = b""


class Channel:
    """A connection, its socket not blocking, and the event in hand.

    `began` is the monotonic time in seconds at which the event in hand began, 0.0 between two events; `waits` says that
    it waits for what was asked ahead. `event` is the last one. `over` says that nothing more may be sent, `fresh` that
    no event has ended here. The lock keeps the thread that serves the connection and the one that watches the deadline
    from sending at the same time. A channel is used for one connection after another.

    What belongs to the loop: which thread it is `served_by`, `watched` while epoll has it, and since when it has been
    `leaving`. `give_way` is called before a thread waits for Kong.
    """

    __slots__ = (
        "ahead",
        "answers",
        "asked",
        "began",
        "event",
        "fd",
        "fresh",
        "give_way",
        "kong",
        "leaving",
        "lock",
        "over",
        "owed",
        "served_by",
        "timed_out",
        "unchanged",
        "unsent",
        "waits",
        "watched",
    )

    kong: "Kong"

    def __init__(self, give_way: "Callable[[Channel], None]") -> None:
        self.give_way = give_way
        self.fd = -1
        self.owed = 0
        self.ahead: bytes = b""
        self.unsent: list[bytes] = []
        self.asked: list[bytes] = []
        self.answers = _NOTHING
        self.unchanged = True
        self.event: Event | None = None
        self.waits = False
        self.fresh = True
        self.began = 0.0
        self.over = False
        self.timed_out = False
        self.lock = threading.Lock()
        self.served_by: object = None
        self.watched = False
        self.leaving = 0.0

    def open(self, connection: OpenConnection) -> None:
        """Take up a connection; what was left of the one before is forgotten."""
        with self.lock:
            self.fd = connection.fd
            self.owed = connection.owed
            self.ahead = connection.ahead
            self.unsent.clear()
            self.answers = _NOTHING
            self.event = None
            self.waits = False
            self.fresh = not (connection.owed or connection.ahead)
            self.began = self.leaving = 0.0
            self.over = self.timed_out = self.watched = False
            self.served_by = None

    def close(self) -> None:
        """Close the connection."""
        with self.lock:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def state(self) -> OpenConnection:
        """The connection as it stands between two events, for another process to go on with."""
        return OpenConnection(self.fd, self.owed, self.ahead)

    def read(self) -> bytes | None:
        """Read what is there, None where nothing is. Raises ConnectionLostError at the end of the stream."""
        try:
            data = os.read(self.fd, LARGE_CHUNK if self.ahead else CHUNK)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ConnectionLostError from error
        if not data:
            raise ConnectionLostError
        return data

    def command_in(self, data: bytes) -> bytes | None:
        """Take Kong's next call out of what was read before and `data`; None while it is not all there."""
        if self.ahead:
            data = self.ahead + data
        skip = 4 * self.owed
        have = len(data)
        if have >= skip + 4:
            if skip and data[:skip].strip(b"\0"):
                raise ProtocolError("a reply to a call that returns nothing")
            end = skip + 4 + int.from_bytes(data[skip : skip + 4], "little")
            if have == end:
                self.ahead = b""
                self.owed = 0
                return data[skip + 4 :]
            if have > end or end - skip > MAX_FRAME:
                raise ProtocolError("a frame that is too long")
        self.ahead = data
        return None

    def begin(self, event: "Event") -> None:
        """Begin an event."""
        self.event = event
        self.asked.clear()
        self.answers = _NOTHING
        self.unchanged = True
        self.began = event.began

    def ask_ahead(self, calls: bytes) -> None:
        """Send the calls whose answers the event in hand will want, before its plugin runs."""
        self.waits = True
        with self.lock:
            if not self.over:
                self._write(calls)

    def answered(self, calls: tuple[bytes, ...], data: bytes) -> bool:
        """Take the answers to what was asked ahead out of what was read and `data`; False while some are missing.

        They hold while the plugin has changed nothing: a header that it sets it may read again.
        """
        if self.ahead:
            data = self.ahead + data
        self.ahead = data
        have = len(data)
        answers: dict[bytes, bytes] = {}
        at = 0
        for call in calls:
            start = at + 4
            if have < start:
                return False
            at = start + int.from_bytes(data[at:start], "little")
            if at - start > MAX_FRAME:
                raise ProtocolError("a frame that is too long")
            if have < at:
                return False
            answers[call] = data[start:at]
        if have != at:
            raise ProtocolError("more than was asked for")
        self.ahead = b""
        self.waits = False
        self.answers = answers
        return True

    def cast(self, call: bytes) -> None:
        """Keep a call that returns nothing until something must be sent."""
        if self.over:
            raise EventEndedError
        self.unchanged = False
        self.unsent.append(call)

    def ask(self, call: bytes) -> bytes:
        """Give the result of a call that returns something: what was asked ahead, or else what Kong says now."""
        if self.unchanged:
            self.asked.append(call)
            answer = self.answers.get(call)
            if answer is not None:
                if self.over:
                    raise EventEndedError
                return answer
        self._send(self._taken(call) if self.unsent else call)
        return self._result()

    def finish(self, last: bytes) -> None:
        """Send what was kept and `last`, which ends the event; does nothing where the event is over already."""
        if self.unsent:
            last = self._taken(last)
        with self.lock:
            self.began = 0.0
            if not self.over:
                self._write(last)

    def exit(self, call: bytes) -> None:
        """Send what was kept and the call that ends the request. Kong answers it by closing the connection."""
        self.finish(call)
        self.over = True

    def leave(self) -> bool:
        """After an exit, say whether Kong has replies to send before it comes to that and closes the connection.

        It would fail on a connection that is closed already. Where it owes nothing there is nothing to wait for.
        """
        if not self.over or not self.owed or self.timed_out:
            return False
        self.leaving = monotonic()
        return True

    def cut_short(self, began: float, call: bytes) -> bool:
        """End the event that began at `began` from another thread; False when it had ended by itself.

        The thread that serves it finds out at its next call. Where that thread is stuck in sending, Kong is not
        reading: nothing can be said to it, and the thread gives the connection up.
        """
        if not self.lock.acquire(timeout=0.05):
            self.over = self.timed_out = True
            return True
        try:
            if self.began != began or self.over:
                return False
            self.over = self.timed_out = True
            os.write(self.fd, call)
        except OSError:
            pass  # Kong has gone: nobody waits for an answer
        finally:
            self.lock.release()
        return True

    def _taken(self, last: bytes) -> bytes:
        self.unsent.append(last)
        self.owed += len(self.unsent) - 1
        joined = b"".join(self.unsent)
        self.unsent.clear()
        return joined

    def _send(self, data: bytes) -> None:
        with self.lock:
            if self.over:
                raise EventEndedError
            self._write(data)

    def _write(self, data: bytes) -> None:
        """Send all of `data`. The lock is held."""
        while True:
            try:
                sent = os.write(self.fd, data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                raise ConnectionLostError from error
            if sent == len(data):
                return
            data = data[sent:]
            self.give_way(self)
            while not self._wait(select.POLLOUT):
                if self.over:
                    raise ConnectionLostError

    def _result(self) -> bytes:
        """Wait for the result of the call just sent, behind the owed replies."""
        skip = 4 * self.owed
        self.owed = 0
        self.give_way(self)
        data = self._wait_and_read()
        while True:
            have = len(data)
            if have >= skip + 4:
                end = skip + 4 + int.from_bytes(data[skip : skip + 4], "little")
                if end - skip > MAX_FRAME:
                    raise ProtocolError("a frame that is too long")
                if have >= end:
                    if skip and data[:skip].strip(b"\0"):
                        raise ProtocolError("a reply to a call that returns nothing")
                    if have > end:
                        raise ProtocolError("more than was asked for")
                    return data[skip + 4 :]
            data += self._wait_and_read()

    def _wait_and_read(self) -> bytes:
        while True:
            if self._wait(select.POLLIN):
                data = self.read()
                if data is not None:
                    return data
            if self.over:
                raise EventEndedError

    def _wait(self, what: int) -> bool:
        poll = select.poll()
        poll.register(self.fd, what)
        return bool(poll.poll(_LOOK_EVERY_MS))
