"""What happens to a provider in real life, made to happen: keys rotate, clients and people come and go."""

from typing import Any
from urllib.parse import quote

import msgspec
import requests

from kong_app_auth.demo.identity_provider.configuration import Account, Resource, Settings

_TIMEOUT = 20.0


class Control:
    """The operator's side of a running provider."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"{settings.url}/admin"
        self._headers = {"Authorization": f"Bearer {settings.admin_token}"}

    def rotate(self, *, abrupt: bool = False) -> list[str]:
        """Sign with new keys. The old ones stay published, unless `abrupt`. Gives all published `kid`."""
        answer = self._tell("POST", "rotate", msgspec.json.encode({"abrupt": abrupt}))
        return [key["kid"] for key in answer["keys"]]

    def put_client(self, client: dict[str, Any]) -> None:
        """Know a client, or change it: see `configuration.machine_client` and `web_client`."""
        self._tell("PUT", f"clients/{quote(client['client_id'], safe='')}", msgspec.json.encode(client))

    def delete_client(self, client_id: str) -> None:
        """Forget a client. Tokens that it has stay as they are."""
        self._tell("DELETE", f"clients/{quote(client_id, safe='')}")

    def put_account(self, account: Account) -> None:
        """Know a person by this e-mail address, or change what is known."""
        self._tell("PUT", f"accounts/{quote(account.email, safe='')}", msgspec.json.encode(account))

    def delete_account(self, email: str) -> None:
        """Forget a person."""
        self._tell("DELETE", f"accounts/{quote(email, safe='')}")

    def put_resource(self, resource: Resource) -> None:
        """Know an API, or change it; scopes that no API had before are known after a rotation only."""
        self._tell("PUT", f"resources/{quote(resource.indicator, safe='')}", msgspec.json.encode(resource))

    def _tell(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        answer = requests.request(
            method, f"{self._url}/{path}", data=body, headers=self._headers, timeout=_TIMEOUT, allow_redirects=False
        )
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told
