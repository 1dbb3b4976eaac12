"""What an identity provider is told when it starts: the JSON file that `provider.mjs` reads."""

import os
import secrets
import uuid
from pathlib import Path
from typing import Any, Literal

import msgspec

from kong_app_auth.demo.identity_provider.installation import node, program


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A made-up person. `subject`: what the provider calls the person, whatever the address is."""

    email: str
    password: str
    name: str
    subject: str = msgspec.field(default_factory=lambda: uuid.uuid4().hex)
    groups: tuple[str, ...] = ()
    email_verified: bool = True

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"Account({self.email})"


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """An API that tokens are for (RFC 8707). `lifetime`: seconds; `opaque`: the token says nothing by itself."""

    indicator: str
    scopes: tuple[str, ...] = ()
    algorithm: Literal["RS256", "ES256"] = "RS256"
    lifetime: int = 600
    opaque: bool = False


def _secret() -> str:
    return secrets.token_urlsafe(32)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. `clients`: metadata as of RFC 7591, with `client_id`; more can register themselves.

    `issuer`: the default is `http://127.0.0.1:<port>`; a path in it is served; behind TLS, tell the https address.
    `default_resource`: what a token is for where the client says nothing; `state_file`: what outlives a restart.
    """

    name: str
    port: int
    state_file: Path
    issuer: str = ""
    accounts: tuple[Account, ...] = ()
    clients: tuple[dict[str, Any], ...] = ()
    resources: tuple[Resource, ...] = ()
    default_resource: str | None = None
    initial_access_token: str = msgspec.field(default_factory=_secret)
    admin_token: str = msgspec.field(default_factory=_secret)

    def __post_init__(self) -> None:
        """Name the issuer after the port."""
        if not self.issuer:
            msgspec.structs.force_setattr(self, "issuer", self.url)

    @property
    def url(self) -> str:
        """Where the process listens."""
        return f"http://127.0.0.1:{self.port}"

    def __repr__(self) -> str:
        """Leave the tokens out."""
        return f"Settings({self.name}, {self.issuer})"


def machine_client(client_id: str, client_secret: str, **metadata: Any) -> dict[str, Any]:
    """A client for `client_credentials`. That it redirects nowhere must be said."""
    grant: dict[str, Any] = {"grant_types": ["client_credentials"], "redirect_uris": [], "response_types": []}
    return {"client_id": client_id, "client_secret": client_secret, **grant, **metadata}


def web_client(client_id: str, client_secret: str, *redirect_uris: str, **metadata: Any) -> dict[str, Any]:
    """A client where people sign in with an authorization code. Its ID tokens are RS256 unless `metadata` says so."""
    grant = {"grant_types": ["authorization_code"], "redirect_uris": list(redirect_uris), "response_types": ["code"]}
    return {"client_id": client_id, "client_secret": client_secret, **grant, **metadata}


def command(settings: Settings, directory: Path, root: Path | None = None) -> list[str]:
    """Write the file, and give the command that runs a provider by it. Raises NotInstallable.

    `root`: where the packages are installed, if not at the default place.
    """
    file = directory / f"{settings.name}.identity-provider.json"
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:  # noqa: PTH123
        target.write(msgspec.json.encode(settings, enc_hook=str))
    return [node(), str(program(root)), str(file)]
