"""Access tokens of our own, with which a provider's management API is called (RFC 6749, section 4.4)."""

import base64
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus

from kong_app_auth.oidc.dcr.calls import Calls, StatusRefused, members_of, text_of
from kong_app_auth.oidc.dcr.provider import DcrFailed, FailureKind

MARGIN_SECONDS: Final = 60
MAX_KEPT_SECONDS: Final = 3600
_WRONG_CLIENT: Final = "does not accept initial_client_id and initial_client_secret"


def basic(client_id: str, client_secret: str) -> str:
    """Give the value of Authorization for a client; both are form-encoded first (RFC 6749, section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


class Granted:
    """A token, and the scopes that the provider says it has (None where it does not say)."""

    __slots__ = ("expires_in", "scopes", "token")

    def __init__(self, answer: Any) -> None:
        self.token = text_of(answer, "access_token", changed=False)
        members = members_of(answer)
        scope = members.get("scope")
        self.scopes = frozenset(scope.split()) if isinstance(scope, str) else None
        seconds = members.get("expires_in")
        self.expires_in = float(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else 0.0


class ClientCredentials:
    """The initial client's way to access tokens. `parameters`: those of the request besides the grant type.

    `in_header`: id and secret are sent as Basic, else in the form.
    """

    def __init__(
        self,
        calls: Calls,
        token_endpoint: Callable[[], str],
        client_id: str,
        client_secret: str,
        parameters: Mapping[str, str],
        *,
        in_header: bool,
    ) -> None:
        self._calls = calls
        self._token_endpoint = token_endpoint
        self._form = {"grant_type": "client_credentials", **parameters}
        self._headers = {"Authorization": basic(client_id, client_secret)} if in_header else {}
        if not in_header:
            self._form |= {"client_id": client_id, "client_secret": client_secret}

    def fresh(self) -> Granted:
        """Ask for a token. Raises DcrFailed."""
        endpoint = self._token_endpoint()
        try:
            reply = self._calls.ask("POST", endpoint, form=self._form, headers=self._headers, changes=False)
        except StatusRefused as refused:
            if refused.status in (400, 401, 403):
                raise DcrFailed(f"{_WRONG_CLIENT}: it {refused.detail}", FailureKind.REFUSED) from None
            raise
        return Granted(reply.body)


class KeptToken:
    """An access token that is kept until shortly before its end; for several threads."""

    def __init__(self, source: ClientCredentials) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._kept: Granted | None = None
        self._until = 0.0

    def get(self) -> Granted:
        """Give the token, asking for one where none is kept. Raises DcrFailed."""
        with self._lock:
            if self._kept is None or time.monotonic() >= self._until:
                self._kept = granted = self._source.fresh()
                kept_for = min(granted.expires_in, MAX_KEPT_SECONDS) - MARGIN_SECONDS
                self._until = time.monotonic() + max(0.0, kept_for)
            return self._kept

    def forget(self, token: Granted) -> None:
        """Keep this one no longer, for the provider does not accept it any more."""
        with self._lock:
            if self._kept is token:
                self._kept = None
