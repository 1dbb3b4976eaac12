"""A real identity provider (npm's `oidc-provider`) as a process: keys rotate, it goes down, it hangs, it comes back."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import msgspec
import pytest
import requests

from kong_app_auth.demo.identity_provider.configuration import (
    Account,
    Resource,
    Settings,
    command,
    machine_client,
    web_client,
)
from kong_app_auth.demo.identity_provider.control import Control
from kong_app_auth.demo.identity_provider.installation import NotInstallable, node
from tests.servers.process import end, free_port, paused, start, wait_until

WEATHER = "https://weather.example.com"
"""An API with RS256 tokens, and the default one."""
MAPS = "https://maps.example.com"
"""An API with ES256 tokens."""
VAULT = "https://vault.example.com"
"""An API with opaque tokens."""
SCOPES = ("weather.read", "weather.write")
ALICE = Account(
    email="alice@example.com", password="correct horse", name="Alice Example", subject="a1", groups=("weather-team",)
)
MALLORY = Account(
    email="mallory@example.com", password="battery staple", name="Mallory", subject="m1", email_verified=False
)
MACHINE = machine_client("machine", "s3cret:with%odd/characters+and spaces")
"""A client for `client_credentials`; its secret must be percent-encoded in Basic."""


class IdentityProvider:
    """A running provider. `settings` has its tokens; `control` changes what it knows."""

    def __init__(self, directory: Path, name: str = "provider", *, path: str = "", **settings: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        if path:
            settings["issuer"] = f"http://127.0.0.1:{port}{path}"
        defaults = {
            "accounts": (ALICE, MALLORY),
            "clients": (MACHINE,),
            "default_resource": WEATHER,
            "resources": (
                Resource(indicator=WEATHER, scopes=SCOPES),
                Resource(indicator=MAPS, scopes=SCOPES, algorithm="ES256"),
                Resource(indicator=VAULT, scopes=SCOPES, opaque=True),
            ),
        }
        self.settings = Settings(
            name=name, port=port, state_file=directory / f"{name}.state.json", **{**defaults, **settings}
        )
        self.control = Control(self.settings)
        self._directory = directory
        self.log = directory / f"{name}.log"
        self.start()

    @property
    def issuer(self) -> str:
        """What `iss` is in its tokens."""
        return self.settings.issuer

    @property
    def url(self) -> str:
        """Where the issuer's own paths begin. Not the issuer where TLS ends in front of it."""
        return self.settings.url + ("" if self.issuer.count("/") == 2 else "/" + self.issuer.split("/", 3)[3])

    def start(self) -> None:
        """Start it, again with what it had if it was down: keys, clients, registration tokens."""
        self.process = start(command(self.settings, self._directory), self.log)
        wait_until(self._ready, f"the identity provider answers: {self.log}")

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"the identity provider did not start:\n{self.log.read_text()[-3000:]}")
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/.well-known/openid-configuration", timeout=5).status_code == 200
        return False

    def take_down(self) -> None:
        """End it as a power cut would."""
        end(self.process)

    def stop(self) -> None:
        """End it, whatever it is doing."""
        end(self.process)

    def hung(self) -> contextlib.AbstractContextManager[None]:
        """Connections are accepted by the kernel, and nothing is ever answered."""
        return paused(self.process)

    def rotate(self, *, abrupt: bool = False) -> list[str]:
        """Sign with new keys; `abrupt`: the old ones are gone at once. Gives all published `kid`."""
        return self.control.rotate(abrupt=abrupt)

    def discovery(self) -> dict[str, Any]:
        """The discovery document."""
        return _json(requests.get(f"{self.url}/.well-known/openid-configuration", timeout=20))

    def jwks(self) -> list[dict[str, Any]]:
        """The published keys."""
        keys: list[dict[str, Any]] = _json(requests.get(f"{self.url}/jwks", timeout=20))["keys"]
        return keys

    def machine(self, client_id: str, client_secret: str = "a-secret-of-a-client", **metadata: Any) -> dict[str, Any]:
        """Make a client for `client_credentials` known, with an id of the caller's choice."""
        client = machine_client(client_id, client_secret, **metadata)
        self.control.put_client(client)
        return client

    def web(self, client_id: str, *redirect_uris: str, **metadata: Any) -> dict[str, Any]:
        """Make a client known where people sign in."""
        client = web_client(client_id, "a-secret-of-a-website", *redirect_uris, **metadata)
        self.control.put_client(client)
        return client

    def register(self, **metadata: Any) -> dict[str, Any]:
        """Register a client by RFC 7591; the answer has its secret, and its registration token."""
        wanted = {"grant_types": ["client_credentials"], "redirect_uris": [], "response_types": [], **metadata}
        headers = {"Authorization": f"Bearer {self.settings.initial_access_token}"}
        return _json(requests.post(f"{self.url}/reg", json=wanted, headers=headers, timeout=20))

    def token(self, client: dict[str, Any] | None = None, **parameters: str) -> str:
        """Give an access token by `client_credentials`; `resource`, `audience`, `scope` as the caller likes."""
        who = client or MACHINE
        basic = (quote(who["client_id"], safe=""), quote(who["client_secret"], safe=""))
        asked = {"grant_type": "client_credentials", **parameters}
        return str(_json(requests.post(f"{self.url}/token", data=asked, auth=basic, timeout=20))["access_token"])


def _json(answer: requests.Response) -> dict[str, Any]:
    assert answer.ok, f"{answer.status_code}: {answer.text}"
    told: dict[str, Any] = answer.json()
    return told


class Browser:
    """A browser as far as signing in needs one: it keeps cookies, and stops before it leaves for another host."""

    def __init__(self) -> None:
        self.session = requests.Session()

    def sign_in(self, address: str, account: Account, *, back_to: str) -> str:
        """Follow an authorization request to the provider's page, sign in, and give the address that it ends at.

        `back_to`: the beginning of the client's redirect URI, which is not fetched.
        """
        page = self._follow(address, back_to)
        if isinstance(page, str):
            return page
        form = {"email": account.email, "password": account.password}
        return self._submit(page.url, form, back_to)

    def refuse(self, address: str, *, back_to: str) -> str:
        """The same, but the person says no."""
        page = self._follow(address, back_to)
        assert not isinstance(page, str), page
        return self._submit(page.url, {"cancel": "1"}, back_to)

    def _submit(self, address: str, form: dict[str, str], back_to: str) -> str:
        answer = self.session.post(address, data=form, timeout=20, allow_redirects=False)
        assert answer.is_redirect, f"{answer.status_code}: {_words(answer.text)}"
        ended = self._follow(urljoin(address, answer.headers["Location"]), back_to)
        assert isinstance(ended, str), f"{ended.status_code}: {_words(ended.text)}"
        return ended

    def _follow(self, address: str, back_to: str) -> requests.Response | str:
        for _ in range(10):
            if address.startswith(back_to):
                return address
            answer = self.session.get(address, timeout=20, allow_redirects=False)
            if not answer.is_redirect:
                assert answer.ok, f"{answer.status_code}: {_words(answer.text)}"
                return answer
            address = urljoin(address, answer.headers["Location"])
        raise AssertionError(f"redirected too often, at last to {address}")


def _words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@contextlib.contextmanager
def identity_provider(directory: Path, name: str = "provider", **settings: Any) -> Iterator[IdentityProvider]:
    """Start a provider, and end it whatever happens; skips the test where there is no Node.

    `path`: that of the issuer; `settings`: see `configuration.Settings`. Several can run side by side.
    """
    try:
        node()
    except NotInstallable as missing:
        pytest.skip(str(missing))
    provider = IdentityProvider(directory, name, **settings)
    try:
        yield provider
    finally:
        provider.stop()


def changed(account: Account, **changes: Any) -> Account:
    """The same person with something changed."""
    return msgspec.structs.replace(account, **changes)


__all__ = [
    "ALICE",
    "MACHINE",
    "MALLORY",
    "MAPS",
    "SCOPES",
    "VAULT",
    "WEATHER",
    "Account",
    "Browser",
    "IdentityProvider",
    "Resource",
    "changed",
    "identity_provider",
]
