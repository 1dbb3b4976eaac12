"""The demo's identity providers: npm's certified `oidc-provider`, twice, in the places of Okta and Auth0."""

import secrets
from pathlib import Path
from typing import Final

import requests

from kong_app_auth.demo.identity_provider.configuration import Resource, Settings, command
from kong_app_auth.demo.identity_provider.installation import NotInstallable
from kong_app_auth.demo.processes import Processes, free_port

NAMES: Final = ("okta", "auth0")
_AUDIENCE: Final = "https://weather.example.com"
_TIMEOUT: Final = 20.0


class Provider:
    """A running provider. `issuer` names it, `initial_access_token` lets the portal register clients."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.issuer = settings.issuer
        self.initial_access_token = settings.initial_access_token

    def answers(self) -> bool:
        """Say whether it is up."""
        try:
            address = f"{self.issuer}/.well-known/openid-configuration"
            return bool(requests.get(address, timeout=_TIMEOUT).ok)
        except requests.RequestException:
            return False

    def token(self, client_id: str, client_secret: str) -> str:
        """Get an access token as a client does (RFC 6749, 4.4)."""
        form = {"grant_type": "client_credentials"}
        answer = requests.post(f"{self.issuer}/token", data=form, auth=(client_id, client_secret), timeout=_TIMEOUT)
        answer.raise_for_status()
        return str(answer.json()["access_token"])


def start_providers(directory: Path, processes: Processes) -> dict[str, Provider] | str:
    """Start them; where they cannot be had, give the words that say why."""
    resource = Resource(indicator=_AUDIENCE, scopes=("weather.read",))
    settings = {
        name: Settings(
            name=name,
            port=free_port(0),
            state_file=directory / f"{name}.state.json",
            resources=(resource,),
            default_resource=_AUDIENCE,
            initial_access_token=secrets.token_urlsafe(24),
        )
        for name in NAMES
    }
    try:
        commands = {name: command(one, directory) for name, one in settings.items()}
    except NotInstallable as missing:
        return str(missing)
    providers = {name: Provider(one) for name, one in settings.items()}
    for name, program in commands.items():
        processes.start(name, *program)
    for name, provider in providers.items():
        processes.wait_for(f"the identity provider {name} to answer", provider.answers)
    return providers
