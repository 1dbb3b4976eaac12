"""The portal's side of the reports, over HTTP: `GET` and `POST /internal/v1/regions/{region}/reports`."""

import http.client
import ssl
from typing import Final
from urllib.parse import urlsplit

from kong_app_auth.reports.codec import CorruptReport, decode_taken, encode_batch
from kong_app_auth.reports.records import Batch
from kong_app_auth.sync.portal_feed.address import PortalAddress

TIMEOUT: Final = 10.0
MAX_ANSWER: Final = 64 * 1024

REFUSED: Final = frozenset({400, 413, 422})
"""Answers that the same batch would get again."""


class PortalFailed(Exception):  # noqa: N818  says what happened
    """The portal did not answer as it should. The text names no token; `status` is None where nothing came."""

    def __init__(self, problem: str, status: int | None = None) -> None:
        super().__init__(problem)
        self.status = status


class ReportsPortal:
    """The portal at `address`, for one region. A connection is made for each request."""

    def __init__(self, address: PortalAddress, region: str) -> None:
        parts = urlsplit(address.url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._path = f"{parts.path.rstrip('/')}/internal/v1/regions/{region}/reports"
        self._token = address.token
        self._tls = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=None if address.ca_file is None else str(address.ca_file))

    def position(self) -> str:
        """Ask up to which entry of the stream the portal has counted. Raises PortalFailed."""
        return self._exchange("GET", None)

    def send(self, batch: Batch) -> str:
        """Send a batch, and hear up to which entry the portal has counted now. Raises PortalFailed."""
        return self._exchange("POST", encode_batch(batch))

    def _exchange(self, method: str, body: bytes | None) -> str:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connection = self._connection()
        try:
            connection.request(method, self._path, body, headers)
            answer = connection.getresponse()
            data = answer.read(MAX_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            raise PortalFailed(type(error).__name__) from None
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise PortalFailed(f"the portal answered {answer.status}", answer.status)
        try:
            return decode_taken(data).position
        except CorruptReport as corrupt:
            raise PortalFailed(str(corrupt)) from None

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)
