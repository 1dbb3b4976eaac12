"""The six types of providers as the contract suite sees them: each a real server, with faults in front of it."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import requests

from kong_app_auth.oidc.dcr.provider import Provider
from kong_app_auth.oidc.dcr.providers import provider_for
from kong_app_auth.oidc.outgoing import Outgoing
from tests.servers.dcr_bridge import API_KEY, dcr_bridge
from tests.servers.dcr_providers import auth0, curity, microsoft, okta
from tests.servers.dcr_providers.forwarding import Forwarding
from tests.servers.dcr_providers.serving import Front, serving
from tests.servers.identity_provider import IdentityProvider

WRONG = "a-secret-that-nobody-gave-out"


class Place:
    """A provider, and what only its type's documents tell.

    `steps`: the requests by which a client is made, in order, the first being that which makes it; each as method and
    a part of the path. `works` tells whether a client can be used with a secret.
    """

    def __init__(self, kind: str, server: Any, front: Front, works: Callable[[str, str], bool]) -> None:
        self.kind = kind
        self.server = server
        self.front = front
        self.works = works
        self.issuer: str = server.url
        self.config: dict[str, Any] = {}
        self.secrets: dict[str, str] = {}
        self.steps: tuple[tuple[str, str], ...] = ()

    def provider(self, outgoing: Outgoing, *, timeout: float = 10, wrong: bool = False, **config: Any) -> Provider:
        """Make an adapter; `wrong`: with secrets that the provider did not give out."""
        secrets = dict.fromkeys(self.secrets, WRONG) if wrong else self.secrets
        return provider_for(self.kind, self.issuer, {**self.config, **config}, secrets, outgoing, timeout=timeout)

    def clients(self) -> set[str]:
        """The ids of the clients there."""
        there = self.server.applications if self.kind == "azureAd" else self.server.clients
        return set(there)


@contextlib.contextmanager
def _auth0(idp: IdentityProvider) -> Iterator[Place]:
    with serving(auth0.Auth0Tenant()) as (server, front):
        place = Place("auth0", server, front, server.works)
        place.issuer = server.url + "/"
        place.config = {"initial_client_id": auth0.CLIENT_ID, "use_developer_managed_scopes": True}
        place.secrets = {"initial_client_secret": auth0.CLIENT_SECRET}
        place.steps = (("POST", "/clients"), ("POST", "/client-grants"))
        yield place


@contextlib.contextmanager
def _azure(idp: IdentityProvider) -> Iterator[Place]:
    with serving(microsoft.Entra()) as (server, front):
        place = Place("azureAd", server, front, server.works)
        place.issuer = f"https://login.microsoftonline.com/{microsoft.TENANT}/v2.0"
        endpoint = f"{server.url}/{microsoft.TENANT}/oauth2/v2.0/token"
        place.config = {
            "initial_client_id": microsoft.CLIENT_ID,
            "token_endpoint": endpoint,
            "graph_url": server.url,
        }
        place.secrets = {"initial_client_secret": microsoft.CLIENT_SECRET}
        place.steps = (("PATCH", "/applications"), ("POST", "/servicePrincipals"), ("POST", "/addPassword"))
        yield place


@contextlib.contextmanager
def _okta(idp: IdentityProvider) -> Iterator[Place]:
    with serving(okta.OktaOrganisation()) as (server, front):
        place = Place("okta", server, front, server.works)
        place.issuer = server.url + "/oauth2/default"
        place.secrets = {"dcr_token": okta.TOKEN}
        place.steps = (("POST", "/oauth2/v1/clients"), ("GET", "/credentials/secrets"))
        yield place


@contextlib.contextmanager
def _curity(idp: IdentityProvider) -> Iterator[Place]:
    with serving(curity.CurityServer()) as (server, front):
        place = Place("curity", server, front, server.works)
        place.config = {"initial_client_id": curity.CLIENT_ID}
        place.secrets = {"initial_client_secret": curity.CLIENT_SECRET}
        place.steps = (("POST", curity.REGISTRATION),)
        yield place


@contextlib.contextmanager
def _bridge(idp: IdentityProvider) -> Iterator[Place]:
    with dcr_bridge() as bridge, serving(Forwarding(bridge.url)) as (server, front):

        def works(client_id: str, secret: str) -> bool:
            there = bridge.clients.get(client_id)
            return there is not None and secret in (there["client_secret"], *there["more"].values())

        place = Place("http", server, front, works)
        place.config = {"dcr_base_url": server.url, "allow_multiple_credentials": True}
        place.secrets = {"api_key": API_KEY}
        place.steps = (("POST", "/"),)
        place.bridge = bridge  # type: ignore[attr-defined]
        yield place


@contextlib.contextmanager
def _rfc7591(idp: IdentityProvider) -> Iterator[Place]:
    with serving(Forwarding(idp.issuer)) as (server, front):

        def works(client_id: str, secret: str) -> bool:
            form = {"grant_type": "client_credentials"}
            return requests.post(f"{idp.url}/token", data=form, auth=(client_id, secret), timeout=20).ok

        place = Place("rfc7591", server, front, works)
        place.secrets = {"initial_access_token": idp.settings.initial_access_token}
        place.steps = (("POST", "/reg"),)
        yield place


PLACES = {
    "rfc7591": _rfc7591,
    "auth0": _auth0,
    "azureAd": _azure,
    "curity": _curity,
    "okta": _okta,
    "http": _bridge,
}
