"""Asking over HTTP with limits: five seconds for each step, 64 MiB for an answer."""

import base64
import http.client
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from kong_app_auth.doctor.check import UnexpectedAnswer

_SECONDS: Final = 5.0
_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_PAGES: Final = 1000

T = TypeVar("T")


class Url(msgspec.Struct, frozen=True):
    """A base URL taken apart; user and password are for the header only."""

    scheme: str
    host: str
    port: int | None
    path: str
    authorization: str | None

    def __repr__(self) -> str:
        """Leave user and password out."""
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{self.host}{port}{self.path}"

    @classmethod
    def parse(cls, text: str) -> "Url":
        """Take a URL apart. Raises ValueError without its text."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("a URL begins with http:// or https:// and names a host")
        authorization = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        return cls(parts.scheme, f"[{host}]" if ":" in host else host, port, parts.path.rstrip("/"), authorization)


class Answer(msgspec.Struct, frozen=True):
    """Status and body."""

    status: int
    body: bytes

    def read(self, form: type[T]) -> T:
        """The body's JSON as `form`; members that it does not name are left out. Raises UnexpectedAnswer."""
        try:
            return msgspec.json.decode(self.body, type=form)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise UnexpectedAnswer("the answer is not what was expected") from None


class _Page(msgspec.Struct, Generic[T]):
    data: list[T] = []
    next: str | None = None


def ask(url: Url, path: str) -> Answer:
    """GET `path` below `url`. Raises OSError, and UnexpectedAnswer where the answer is not HTTP or too long."""
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.host.strip("[]"), url.port, timeout=_SECONDS)
    headers = {"Accept": "application/json"}
    if url.authorization is not None:
        headers["Authorization"] = url.authorization
    try:
        connection.request("GET", url.path + path, headers=headers)
        response = connection.getresponse()
        body = response.read(_MOST_BYTES + 1)
    except http.client.HTTPException as error:
        raise UnexpectedAnswer(f"no HTTP ({type(error).__name__})") from None
    finally:
        connection.close()
    if len(body) > _MOST_BYTES:
        raise UnexpectedAnswer("the answer is too long")
    return Answer(response.status, body)


def ask_all(url: Url, path: str, form: type[T]) -> Iterator[T]:
    """Give the members of one of the Admin API's lists, page after page. Raises as `ask` does."""
    following = f"{path}?size=1000"
    kind: Any = _Page
    for _ in range(_MOST_PAGES):
        answer = ask(url, following)
        if answer.status != 200:
            raise UnexpectedAnswer(f"{path} answers with status {answer.status}")
        page: _Page[T] = answer.read(kind[form])
        yield from page.data
        if page.next is None:
            return
        following = page.next
    raise UnexpectedAnswer(f"{path} has too many pages")
