"""Speaks to one Admin API of Kong, within limits. One thread uses one client."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter

from kong_app_auth.sync.kong.entities import Found, Managed
from kong_app_auth.sync.kong.failures import Code, KongFailed, refusal, refused_configuration

PAGE: Final = 1000
"""Entities on a page: the most that Kong gives."""
MOST_PAGES: Final = 1000
MOST_BYTES: Final = 64 * 1024 * 1024
CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 10.0
LONGEST: Final = 60.0
"""Seconds: until there is a connection, without a byte, and for a whole answer."""
TOKEN_HEADER: Final = "Kong-Admin-Token"  # noqa: S105  its name only

_T = TypeVar("_T")


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Where an Admin API is, and what opens it. `host`: whom it is to be, where the URL has an address only."""

    url: str
    host: str | None = None
    token: str | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Access({self.url})"


class Refused(msgspec.Struct, frozen=True):
    """What Kong says in a refusal, as far as it is of use."""

    code: object = None
    fields: object = None


class Answer(msgspec.Struct, frozen=True):
    """Status and body of an answer."""

    status: int
    body: bytes

    def read(self, form: type[_T], asked: str) -> _T:
        """Read the body as JSON of a form. Raises KongFailed."""
        try:
            return msgspec.json.decode(self.body, type=form)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise KongFailed(Code.INVALID_RESPONSE, f"the answer to {asked} is not one of Kong's Admin API") from None

    def refused(self) -> Refused:
        """Read the body as that of a refusal."""
        try:
            return msgspec.json.decode(self.body, type=Refused)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Refused()


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Page(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw] = []
    next: str | None = None


class _Status(msgspec.Struct, frozen=True):
    configuration_hash: str | None = None


class _Named(HTTPAdapter):
    """Connects to an address, and expects the certificate of a name there."""

    def __init__(self, host: str) -> None:
        self._host = host
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Tell the pool of connections whom it is to expect."""
        super().init_poolmanager(*args, **options, server_hostname=self._host, assert_hostname=self._host)


class AdminApi:
    """The Admin API that `access` opens. Every question raises KongFailed where it is not answered as it should be."""

    def __init__(self, access: Access) -> None:
        self._base = access.url.rstrip("/")
        self._session = requests.Session()
        # Neither proxies nor authorities nor passwords from the environment: what counts is in our settings.
        self._session.trust_env = False
        self._session.verify = True if access.ca_file is None else str(access.ca_file)
        if access.client_cert is not None:
            key = access.client_key
            self._session.cert = str(access.client_cert) if key is None else (str(access.client_cert), str(key))
        if access.host is not None:
            self._session.mount("https://", _Named(access.host))
            self._session.headers["Host"] = access.host
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        self.calls = 0
        self.use_token(access.token)

    @property
    def url(self) -> str:
        """Where it is."""
        return self._base

    def use_token(self, token: str | None) -> None:
        """Show this token from now on; None: none."""
        if token is None:
            self._session.headers.pop(TOKEN_HEADER, None)
        else:
            self._session.headers[TOKEN_HEADER] = token

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def plugins(self, tags: Sequence[str] = ()) -> list[Found]:
        """List the plugins that have all of these tags, or simply all."""
        asked: dict[str, str] = {"size": str(PAGE)}
        if tags:
            asked["tags"] = ",".join(tags)
        return list(self._all("/plugins", asked, Found))

    def plugin(self, plugin_id: str) -> Found | None:
        """Give a plugin by its id; None where there is none."""
        answer = self._ask("GET", f"/plugins/{plugin_id}")
        asked = f"GET /plugins/{plugin_id}"
        return None if answer.status == 404 else self._expect(answer, asked, 200).read(Found, asked)

    def service_ids(self) -> frozenset[str]:
        """List the ids of the Gateway Services."""
        return frozenset(one.id for one in self._all("/services", {"size": str(PAGE)}, _Id))

    def schema(self, plugin: str) -> dict[str, Any]:
        """Give a plugin's schema. A plugin that Kong has not is `bad_request`."""
        asked = f"GET /schemas/plugins/{plugin}"
        answer = self._ask("GET", f"/schemas/plugins/{plugin}")
        if answer.status == 404:
            raise KongFailed(Code.BAD_REQUEST, f"Kong has no plugin {plugin}: is it among its `plugins`?")
        return self._expect(answer, asked, 200).read(dict[str, Any], asked)

    def put_plugin(self, plugin: Managed) -> Found:
        """Make a plugin as it should be; give it as Kong keeps it."""
        asked = f"PUT /plugins/{plugin.id}"
        answer = self._ask("PUT", f"/plugins/{plugin.id}", plugin.body())
        return self._expect(answer, asked, 200, 201).read(Found, asked)

    def delete_plugin(self, plugin_id: str) -> None:
        """Take a plugin away; one that is gone already is no failure."""
        self._expect(self._ask("DELETE", f"/plugins/{plugin_id}"), f"DELETE /plugins/{plugin_id}", 204, 404)

    def configuration_hash(self) -> str | None:
        """Give the MD5 of the declarative configuration in force; None where Kong has a database."""
        return (
            self._expect(self._ask("GET", "/status"), "GET /status", 200)
            .read(_Status, "GET /status")
            .configuration_hash
        )

    def post_config(self, text: str) -> None:
        """Put a declarative configuration in force: all of it, or none of it."""
        answer = self._ask("POST", "/config?check_hash=1", {"config": text})
        if answer.status not in (200, 201, 304):
            refused = answer.refused()
            raise refused_configuration(answer.status, refused.code, refused.fields)

    def _all(self, path: str, asked: dict[str, str], form: type[_T]) -> Iterator[_T]:
        following = f"{path}?{urlencode(asked, safe=',')}"
        seen: set[str] = set()
        while following not in seen and len(seen) < MOST_PAGES:
            seen.add(following)
            page = self._expect(self._ask("GET", following), f"GET {path}", 200).read(_Page, f"GET {path}")
            for raw in page.data:
                yield Answer(200, bytes(raw)).read(form, f"GET {path}")
            if page.next is None:
                return
            following = page.next
            if urlsplit(following)[:3] != ("", "", path):
                break
        raise KongFailed(Code.INVALID_RESPONSE, f"the pages of {path} do not end")

    def _ask(self, method: str, target: str, body: object = None) -> Answer:
        until = time.monotonic() + LONGEST
        self.calls += 1
        try:
            with self._session.request(
                method,
                self._base + target,
                data=None if body is None else msgspec.json.encode(body),
                headers=None if body is None else {"Content-Type": "application/json"},
                stream=True,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,
            ) as response:
                return Answer(response.status_code, _whole(response, until))
        except (requests.RequestException, OSError) as error:
            raise KongFailed(Code.NO_RESPONSE, _problem(error)) from None

    @staticmethod
    def _expect(answer: Answer, asked: str, *right: int) -> Answer:
        if answer.status in right:
            return answer
        raise refusal(answer.status, answer.refused().code, asked)


def _whole(response: requests.Response, until: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_content(64 * 1024):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise KongFailed(Code.INVALID_RESPONSE, "the answer of the Admin API is too long")
        if time.monotonic() > until:
            raise KongFailed(Code.NO_RESPONSE, "the answer of the Admin API takes too long")
    return b"".join(pieces)


def _problem(error: Exception) -> str:
    """Say what happened without the text of the error, which may quote what was sent."""
    match error:
        case requests.exceptions.SSLError():
            return "the TLS handshake with the Admin API failed: its certificate, or ours"
        case requests.Timeout():
            return "the Admin API did not answer in time"
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return "the answer of the Admin API was cut off"
        case requests.ConnectionError():
            return "the Admin API cannot be connected to, or broke the connection"
        case _:
            return f"the Admin API cannot be spoken to ({type(error).__name__})"
