"""One connection of Kong's, seen from the thread that serves it.

Kong never sends ahead: after an event it waits for calls, after a call that returns something the server waits for
Kong. So reading may always take what is there. Calls that return nothing are kept and go out together with the next
thing that must be sent; their replies (an empty frame each) are *owed* and read later, with the next frame.
"""

import socket
import struct
import threading
from contextlib import suppress
from time import monotonic

import msgspec

from plugin_server.nowait import NoWait
from plugin_server.wire.frames import MAX_FRAME, ProtocolError

_CHUNK = 16384
_GOODBYE = 5.0
IDLE_WAIT = struct.pack("ll", 0, 500_000)
"""How long a thread waits on an idle socket before it looks about: a `timeval` of half a second."""


class EventEndedError(BaseException):
    """Unwinds a plugin whose event is over: after `kong.response.exit`, as in Kong, or when its time is up.

    Not an Exception, so that a plugin's own `except Exception` lets it pass.
    """


class ConnectionLostError(Exception):
    """Kong has closed the connection. Not an OSError, so that it is told from one that a plugin raises."""


class OpenConnection(msgspec.Struct, frozen=True):
    """A connection between two events: its socket, the empty replies that Kong owes, and bytes read ahead of those."""

    sock: socket.socket
    owed: int = 0
    ahead: bytes = b""


class Channel:
    """A connection with what has been read ahead, what is still to be sent and what Kong still owes.

    `owed` counts empty replies not yet read, `ahead` holds bytes read of the next frames. `began` is the monotonic time
    in seconds at which the event in hand began, 0.0 between two events. `over` says that nothing more may be sent. The
    lock keeps the plugin's thread and the one that watches the deadline from sending at the same time. A thread uses
    one channel for all its connections, one after another.
    """

    __slots__ = (
        "ahead",
        "answered",
        "began",
        "expected",
        "fresh",
        "lock",
        "nowait",
        "over",
        "owed",
        "sock",
        "timed_out",
        "unsent",
    )

    def __init__(self) -> None:
        self.sock: socket.socket
        self.owed = 0
        self.ahead = b""
        self.unsent: list[bytes] = []
        self.fresh = True
        self.expected = b""
        self.answered: tuple[bytes, bytes] | None = None
        self.began = 0.0
        self.over = False
        self.timed_out = False
        self.lock = threading.Lock()
        self.nowait = NoWait()

    def open(self, connection: OpenConnection) -> None:
        """Take up a connection; what was left of the one before is forgotten."""
        with self.lock:
            self.sock = connection.sock
            self.owed = connection.owed
            self.ahead = connection.ahead
            self.unsent.clear()
            self.fresh = not (connection.owed or connection.ahead)
            self.expected = b""
            self.answered = None
            self.began = 0.0
            self.over = self.timed_out = False

    def state(self) -> OpenConnection:
        """The connection as it stands between two events, for another process to go on with."""
        return OpenConnection(self.sock, self.owed, self.ahead)

    def notice_idleness(self) -> None:
        """From now on `next_command` gives up waiting now and then, so that the thread can look about."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, IDLE_WAIT)
        self.fresh = False

    def next_command(self) -> bytes:
        """Read the frame that opens the next call of Kong.

        Raises BlockingIOError when the socket's receive time-out passes first (nothing is lost, call again), and
        ConnectionLostError at the end of the stream.
        """
        want = 4 * self.owed + 4
        if self.owed:
            # Kong sends each owed reply by itself: wait in the kernel until the next frame's length is there too.
            while len(self.ahead) < want:
                self.ahead += self._receive(want - len(self.ahead), socket.MSG_WAITALL)
            if self.ahead[: want - 4].strip(b"\0"):
                raise ProtocolError("a reply to a call that returns nothing")
            self.ahead = self.ahead[want - 4 :]
            self.owed = 0
        while True:
            ahead = self.ahead
            if len(ahead) >= 4:
                size = int.from_bytes(ahead[:4], "little")
                if len(ahead) == size + 4:
                    self.ahead = b""
                    return ahead[4:]
                if size > MAX_FRAME or len(ahead) > size + 4:
                    raise ProtocolError("a frame that is too long")
                # Kong sends the rest of a frame right after its length.
                self.ahead = ahead + self._receive_what_is_there(min(size + 4 - len(ahead), _CHUNK))
            else:
                # Who has just connected has mostly sent already; who is kept is waited for.
                self.ahead = ahead + (self._receive_what_is_there(_CHUNK) if self.fresh else self._receive(_CHUNK, 0))

    def cast(self, call: bytes) -> None:
        """Keep a call that returns nothing until something must be sent."""
        if self.over:
            raise EventEndedError
        self.unsent.append(call)

    def expect(self, call: bytes) -> None:
        """Send `call` along with the next one that returns something, if this connection is fresh.

        For what a refusal needs: Kong opens a new connection after each, so on a fresh one a refusal is likely, and one
        round trip is saved.
        """
        if self.fresh:
            self.expected = call

    def ask(self, call: bytes) -> bytes:
        """Send a call that returns something, with all that was kept, and wait for its result."""
        if self.expected:
            return self._ask_two(call)
        if self.answered is not None and self.answered[0] == call:
            result, self.answered = self.answered[1], None
            return result
        self._send(call)
        result, rest = self._result(b"")
        if rest:
            raise ProtocolError("more than was asked for")
        return result

    def _ask_two(self, call: bytes) -> bytes:
        """Ask for what is wanted and for what is expected to be wanted, in one send."""
        expected, self.expected = self.expected, b""
        self._send(call + expected)
        result, rest = self._result(b"")
        answer, rest = self._result(rest)
        if rest:
            raise ProtocolError("more than was asked for")
        self.answered = (expected, answer)
        return result

    def _send(self, call: bytes) -> None:
        if self.unsent:
            call = self._taken(call)
        with self.lock:
            if self.over:
                raise EventEndedError
            try:
                self.nowait.send(self.sock, call)
            except OSError as error:
                raise ConnectionLostError from error

    def _result(self, data: bytes) -> tuple[bytes, bytes]:
        """Read owed replies and the result behind them, beginning with `data`; gives the result and what came after."""
        skip = 4 * self.owed
        self.owed = 0
        while True:
            have = len(data)
            if have >= skip + 4:
                end = skip + 4 + int.from_bytes(data[skip : skip + 4], "little")
                if end - skip > MAX_FRAME:
                    raise ProtocolError("a frame that is too long")
                if have >= end:
                    if skip and data[:skip].strip(b"\0"):
                        raise ProtocolError("a reply to a call that returns nothing")
                    return data[skip + 4 : end], data[end:]
            data += self._reply_bytes()

    def finish(self, last: bytes) -> None:
        """Send what was kept and `last`, which ends the event; does nothing where the event is over already."""
        if self.unsent:
            last = self._taken(last)
        self.expected, self.answered = b"", None  # they were for this event only
        with self.lock:
            self.began = 0.0
            if not self.over:
                try:
                    self.nowait.send(self.sock, last)
                except OSError as error:
                    raise ConnectionLostError from error

    def exit(self, call: bytes) -> None:
        """Send what was kept and the call that ends the request. Kong answers it by closing the connection."""
        self.finish(call)
        self.over = True

    def await_close(self) -> None:
        """After an exit, wait until Kong has closed the connection, if it has replies to send before it comes to that.

        It would fail on a connection that is closed already. Where it owes nothing there is nothing to wait for.
        """
        if not self.owed or self.timed_out:
            return
        self.sock.settimeout(_GOODBYE)
        give_up = monotonic() + _GOODBYE
        while self.sock.recv(_CHUNK) and monotonic() < give_up:
            pass

    def cut_short(self, began: float, call: bytes) -> bool:
        """End the event that began at `began` from another thread; False when it had ended by itself.

        The thread that serves it finds out at its next call. Where that thread is stuck in sending, Kong is not
        reading: nothing can be said to it, and the connection is shut down.
        """
        if not self.lock.acquire(timeout=0.05):
            self.over = self.timed_out = True
            with suppress(OSError):  # its thread has just closed it
                self.sock.shutdown(socket.SHUT_RDWR)
            return True
        try:
            if self.began != began or self.over:
                return False
            self.over = self.timed_out = True
            self.sock.send(call, socket.MSG_DONTWAIT)
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

    def _receive(self, size: int, flags: int) -> bytes:
        try:
            data = self.sock.recv(size, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            raise ConnectionLostError from error
        if not data:
            raise ConnectionLostError
        return data

    def _receive_what_is_there(self, size: int) -> bytes:
        """Receive what should have come already; waits if it has not."""
        try:
            data = self.nowait.receive(self.sock, size)
        except BlockingIOError:
            raise
        except OSError as error:
            raise ConnectionLostError from error
        if not data:
            raise ConnectionLostError
        return data

    def _reply_bytes(self) -> bytes:
        while True:
            try:
                return self._receive(_CHUNK, 0)
            except BlockingIOError:
                # The receive time-out is there for idle connections. Within an event the deadline rules.
                if self.over:
                    raise EventEndedError from None
