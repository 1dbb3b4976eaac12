"""aiohttp with header bytes left alone.

aiohttp decodes header bytes as UTF-8 with surrogate escapes, so nothing is lost on the way in, but it drops the escapes
on the way out. The writer here encodes them back, in both directions, so that any byte a client sends reaches the
upstream as it was.
"""

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_writer import StreamWriter
from aiohttp.typedefs import RawHeaders
from multidict import CIMultiDict

if TYPE_CHECKING:
    from aiohttp.connector import Connection


def text(raw: bytes) -> str:
    """Decode bytes of a header as aiohttp does."""
    return raw.decode("utf-8", "surrogateescape")


def raw(text: str) -> bytes:
    """Undo `text`."""
    return text.encode("utf-8", "surrogateescape")


def multidict(headers: RawHeaders) -> "CIMultiDict[str]":
    """Make the mapping that aiohttp wants of raw header lines."""
    return CIMultiDict((text(name), text(value)) for name, value in headers)


class RawHeaderWriter(StreamWriter):
    """Writes a message whose header lines may hold any byte but a line end."""

    async def write_headers(self, status_line: str, headers: "CIMultiDict[str]") -> None:
        """Buffer the head of the message; raise ValueError where it holds a NUL or a line end."""
        lines = [status_line]
        lines.extend(f"{name}: {value}" for name, value in headers.items())
        joined = "\r\n".join(lines)
        if "\0" in joined or joined.count("\n") >= len(lines) or joined.count("\r") >= len(lines):
            raise ValueError("a line end or a NUL in a header")
        self._headers_written = False
        self._headers_buf = raw(joined + "\r\n\r\n")


class RawHeaderRequest(aiohttp.ClientRequest):
    """A request of aiohttp's client, sent through `RawHeaderWriter`."""

    async def send(self, conn: "Connection") -> aiohttp.ClientResponse:
        """Send the head, and the body in a task of its own, as aiohttp does."""
        protocol = conn.protocol
        if protocol is None:
            raise aiohttp.ClientConnectionResetError("connection lost")
        writer = RawHeaderWriter(protocol, self.loop)
        if self.chunked is not None:
            writer.enable_chunking()
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        task: asyncio.Task[None] | None = None
        if self.body or protocol.writing_paused:
            task = asyncio.create_task(self.write_bytes(writer, conn, self._get_content_length()))
            self._writer = task
        else:
            protocol.start_timeout()
            writer.set_eof()
        response = self.response_class(
            self.method,
            self.original_url,
            writer=task,
            continue100=self._continue,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self.session,
            stream_writer=writer,
        )
        self.response = response  # type: ignore[assignment]  # aiohttp says None of its own attribute
        return response
