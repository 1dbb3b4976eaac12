"""Socket calls that do not wait, and so do not let go of Python's interpreter lock.

Python's own let go of it in each call. In a worker under load another thread then takes it, and this one waits to get
it back, for a call that would have taken a microsecond. Calls that have to wait for Kong are Python's own.
"""

import ctypes
import socket

_libc = ctypes.PyDLL(None)  # PyDLL, unlike CDLL, keeps the lock
_send = _libc.send
_send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_send.restype = ctypes.c_ssize_t
_recv = _libc.recv
_recv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_recv.restype = ctypes.c_ssize_t
_close = _libc.close
_close.argtypes = (ctypes.c_int,)
_SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
_RECV_FLAGS = int(socket.MSG_DONTWAIT)
SIZE = 4096


def close(sock: socket.socket) -> None:
    """Close a socket, as `sock.close()` does; once is enough, more is no harm."""
    descriptor = sock.detach()
    if descriptor >= 0:
        _close(descriptor)


class NoWait:
    """One thread's way to send, and to receive what is there already."""

    def __init__(self) -> None:
        self._buffer = ctypes.create_string_buffer(SIZE)

    def send(self, sock: socket.socket, data: bytes) -> None:
        """Send all of `data`; waits only where the socket's buffer is full. Raises OSError."""
        sent = _send(sock.fileno(), data, len(data), _SEND_FLAGS)
        if sent != len(data):
            sock.sendall(data[max(sent, 0) :])

    def receive(self, sock: socket.socket, size: int) -> bytes:
        """Receive at most `size` bytes that should be there already; waits if they are not. Raises OSError."""
        got = _recv(sock.fileno(), self._buffer, min(size, SIZE), _RECV_FLAGS)
        return ctypes.string_at(self._buffer, got) if got > 0 else sock.recv(size)
