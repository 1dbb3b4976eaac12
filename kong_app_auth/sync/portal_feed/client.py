"""Speaks to the portal: a snapshot, or what changed since. One thread uses one client."""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import requests
from requests.auth import AuthBase

from kong_app_auth.registry.changes import Change
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.feed import MAX_LINE, MEDIA_TYPE, BadFeed, decode
from kong_app_auth.sync.portal_feed.address import PortalAddress

WAIT: Final = 10.0
"""Seconds that the portal may keep us waiting for changes. A portal that hangs is found out somewhat later."""
CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 30.0
"""Seconds without a byte of a snapshot: a portal may be busy with a long transaction when it is asked."""
_MARGIN: Final = 5.0

MOST_BYTES_OF_CHANGES: Final = 64 * 1024 * 1024
MOST_BYTES_OF_SNAPSHOT: Final = 4 * 1024 * 1024 * 1024
LONGEST_CHANGES: Final = 60.0
LONGEST_SNAPSHOT: Final = 1800.0
"""Seconds for a whole answer."""


class PortalAway(Exception):  # noqa: N818 – says what it is
    """The portal did not give what it was asked for. The message holds nothing that it sent."""


class CursorGone(Exception):  # noqa: N818 – says what it is
    """The portal cannot follow our cursor, or we cannot hold what it would send: take a snapshot."""


class Answer(msgspec.Struct, frozen=True):
    """Changes in their order, and the cursor after them."""

    cursor: str
    changes: list[Change]


class _Bearer(AuthBase):
    """Puts the token into a request; given to `requests` so, it does not look for another in a `.netrc`."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class FeedClient:
    """Asks the portal at `address` for the feed of `region`.

    Both questions raise PortalAway, BadFeed and NewerFeed.
    """

    def __init__(self, address: PortalAddress, region: str) -> None:
        self._region = region
        self._base = f"{address.url.rstrip('/')}/internal/v1/regions/{region}"
        self._session = requests.Session()
        # Neither proxies nor authorities nor passwords from the environment: what counts is in our settings.
        self._session.trust_env = False
        self._session.verify = str(address.ca_file) if address.ca_file is not None else True
        self._session.auth = _Bearer(address.token)
        self._session.headers.update({"Accept": MEDIA_TYPE, "Accept-Encoding": "identity"})

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def snapshot(self) -> tuple[str, Contents]:
        """Take everything; give the cursor to go on from."""
        with self._lines("/snapshot", {}, READ_TIMEOUT, LONGEST_SNAPSHOT, MOST_BYTES_OF_SNAPSHOT) as lines:
            header, changes = decode(lines, self._region)
            contents = Contents()
            contents.apply(changes)
            return header.cursor, contents

    def changes(self, after: str, wait: float = WAIT) -> Answer:
        """Take what was committed after a cursor; where nothing was, wait for it. Raises CursorGone too."""
        asked = {"after": after, "wait": f"{wait:g}"}
        with self._lines("/changes", asked, wait + _MARGIN, LONGEST_CHANGES, MOST_BYTES_OF_CHANGES) as lines:
            header, changes = decode(lines, self._region)
            return Answer(header.cursor, list(changes))

    @contextmanager
    def _lines(
        self, path: str, asked: dict[str, str], patience: float, longest: float, most: int
    ) -> Generator[Iterator[bytes]]:
        until = time.monotonic() + longest
        try:
            with self._session.get(
                self._base + path,
                params=asked,
                stream=True,
                timeout=(CONNECT_TIMEOUT, patience),
                allow_redirects=False,
            ) as response:
                if response.status_code == 410:
                    raise CursorGone
                if response.status_code != 200:
                    raise PortalAway(f"it answers with status {response.status_code}")
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise BadFeed("it is compressed")
                yield _split(response, until, most)
        except (requests.RequestException, OSError) as error:
            # The text of such an error holds the URL at most, but may quote what a server sent.
            raise PortalAway(_problem(error)) from None


def _split(response: requests.Response, until: float, most: int) -> Iterator[bytes]:
    rest = b""
    total = 0
    for piece in response.iter_content(64 * 1024):
        total += len(piece)
        if total > most:
            raise CursorGone
        if time.monotonic() > until:
            raise PortalAway("its answer takes too long")
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_LINE:
            raise BadFeed("a line is too long")
        yield from whole
    if rest:
        raise BadFeed("it was cut off")


def _problem(error: Exception) -> str:
    match error:
        case requests.exceptions.SSLError():
            return "its certificate cannot be trusted"
        case requests.ConnectTimeout():
            return "it cannot be connected to in time"
        case requests.Timeout():
            return "it does not answer in time"
        case requests.exceptions.ChunkedEncodingError():
            return "its answer was cut off"
        case requests.ConnectionError():
            return "it cannot be connected to, or broke the connection"
        case _:
            return f"it cannot be spoken to ({type(error).__name__})"
