"""Tells the portal how the gateways stand, `PUT /internal/v1/regions/{region}/kong-states`: on news, every minute."""

import http.client
import ssl
import threading
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import structlog

from kong_app_auth.sync.kong.states import States
from kong_app_auth.sync.portal_feed.address import PortalAddress

EVERY: Final = 60.0
"""Seconds between two reports in which nothing is new."""
AT_MOST_EVERY: Final = 1.0
TIMEOUT: Final = 10.0

_log = structlog.get_logger()


class StatesPortal:
    """The portal at `address`, for one region. A connection is made for each report."""

    def __init__(self, address: PortalAddress, region: str) -> None:
        parts = urlsplit(address.url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._path = f"{parts.path.rstrip('/')}/internal/v1/regions/{region}/kong-states"
        self._token = address.token
        self._tls = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=None if address.ca_file is None else str(address.ca_file))

    def send(self, states: States) -> str | None:
        """Send a report; None, or what went wrong."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connection = self._connection()
        try:
            connection.request("PUT", self._path, states.encode(), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()
        return None if status in (200, 204) else f"the portal answered {status}"

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)


class Reporting:
    """Sends what `states` gives, in a thread of its own. It gives None while there is nothing to tell."""

    def __init__(self, portal: StatesPortal, states: Callable[[], States | None], news: threading.Event) -> None:
        self._portal = portal
        self._states = states
        self._news = news
        self._trouble: str | None = None

    def run(self, stop: threading.Event) -> None:
        """Report until `stop` is set (and `news`, which wakes)."""
        while not stop.is_set():
            self._news.wait(EVERY)
            self._news.clear()
            if stop.is_set():
                return
            states = self._states()
            if states is not None:
                self._say(self._portal.send(states))
            stop.wait(AT_MOST_EVERY)

    def _say(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            _log.warning("portal takes no states of gateways", problem=trouble)
        elif trouble is None and self._trouble is not None:
            _log.info("portal takes states of gateways again")
        self._trouble = trouble
