"""A portal with something of everything on its pages, served on a free port: for screenshots and for looking around.

Run as a program it serves until it is stopped, and prints where: `python -m scripts.pages_stage`.
"""

import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import uvicorn
from sqlalchemy import select

from kong_app_auth.domain import api_key
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.application import application
from kong_app_auth.portal.configuration import Configuration
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.process import opened
from kong_app_auth.portal.services import operator_tokens, passwords, sessions
from kong_app_auth.portal.services.built_in_strategy import built_in
from kong_app_auth.portal.store.apis import Api, ApiSpecification, Implementation, Publication
from kong_app_auth.portal.store.applications import Application, Registration, RegistrationField
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.store.credentials import Credential, CredentialUse
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.kong import KongGateway, KongService
from kong_app_auth.portal.store.nodes import GatewayNode
from kong_app_auth.portal.store.portals import Portal, PortalAuthentication
from kong_app_auth.portal.store.strategies import AuthStrategy, DcrProvider
from kong_app_auth.portal.store.teams import Team, TeamMember
from kong_app_auth.portal.store.usage import Refusal, Usage
from kong_app_auth.portal.transaction import Transaction

REGION: Final = "eu"
SLUG: Final = "acme"
EMAIL: Final = "dora@example.com"
PASSWORD: Final = "correct horse battery"  # noqa: S105  of a portal that lives for a minute
REQUEST_ID: Final = "0d2c4a5e6f708192a3b4c5d6e7f80912"
APIS: Final = (
    ("Weather", "v1", "Forecasts and measurements for any place, up to ten days ahead, every hour."),
    ("Maps", "v2", "Tiles, routes and places, with opening hours and the way there."),
    ("Payments", "2026-01", "Take payments, give refunds and see what was paid. Needs an approval."),
    ("Ledger", None, "Every booking of your accounts, as it happens."),
    ("Parcels", "v3", "Labels, prices and where a parcel is."),
    ("Time", "v1", "What time it is, everywhere."),
    ("Translation", "v1", "Texts in forty languages."),
    ("Status", None, "Whether all of this is up. Open to everybody."),
)
WEATHER: Final[dict[str, Any]] = {
    "openapi": "3.0.3",
    "info": {
        "title": "Weather",
        "version": "1.4.0",
        "description": "Forecasts and measurements.\n\n- times are in UTC\n- temperatures are in °C\n\nSee "
        "[the terms](https://example.com/terms).",
    },
    "servers": [{"url": "/weather"}],
    "paths": {
        "/now": {
            "get": {
                "tags": ["Weather"],
                "summary": "The weather now",
                "description": "What the **nearest station** has measured last.",
                "parameters": [
                    {"name": "place", "in": "query", "schema": {"type": "string"}, "description": "Name of a place"},
                    {"name": "unit", "in": "query", "schema": {"type": "string", "enum": ["celsius", "kelvin"]}},
                ],
                "responses": {
                    "200": {
                        "description": "The measurement",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Measurement"}}},
                    },
                    "404": {"description": "No station is near"},
                },
            }
        },
        "/stations": {
            "post": {
                "tags": ["Stations"],
                "summary": "Add a station",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Station"}}}},
                "responses": {"201": {"description": "It is there"}},
            }
        },
        "/stations/{id}": {
            "delete": {
                "tags": ["Stations"],
                "summary": "Take a station away",
                "deprecated": True,
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"204": {"description": "It is gone"}},
            }
        },
    },
    "components": {
        "schemas": {
            "Measurement": {
                "type": "object",
                "required": ["at", "temperature"],
                "properties": {
                    "at": {"type": "string", "format": "date-time", "description": "When"},
                    "temperature": {"type": "number", "description": "In °C"},
                    "station": {"$ref": "#/components/schemas/Station"},
                },
            },
            "Station": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
            },
        }
    },
}


class Stage(msgspec.Struct):
    """Where it is served, and what is there. `records`: ids by the names that paths give them."""

    base: str
    operator_token: str
    application: str
    client_application: str
    credential: str
    team: str
    records: dict[str, str]

    @property
    def portal(self) -> str:
        """The portal's own address."""
        return f"{self.base}/p/{SLUG}"


@contextmanager
def stage(directory: Path, **configuration: Any) -> Generator[tuple[Stage, ControlPlane]]:
    """Make the portal in `directory` and serve it."""
    listener = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    given: dict[str, Any] = {
        "regions": (REGION,),
        "public_url": base,
        "mailbox": True,
        "gateway_urls": {REGION: "https://api.eu.example.com"},
        **configuration,
    }
    with opened(f"sqlite:///{directory / 'portal.db'}", Configuration(**given)) as plane:
        made = _furnish(plane, base)
        config = uvicorn.Config(application(plane), log_config=None, access_log=False, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        serving = threading.Thread(target=server.run, args=([listener],), daemon=True)
        serving.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield made, plane
        finally:
            server.should_exit = True
            serving.join()


def _furnish(plane: ControlPlane, base: str) -> Stage:
    with plane.write(System(REGION)) as tx:
        token = operator_tokens.create(tx, "Olga Operator", "write")[1]
        keys = built_in(tx)
        keys.display_name = "API key"
        keys.config = {"key_names": ["apikey"], "ttl": {"value": 1, "unit": "years"}}
        provider = DcrProvider(
            region=REGION,
            name="company-login",
            provider_type="auth0",
            issuer="https://login.example.com",
            config={"initial_client_audience": "https://api.example.com"},
            secrets=tx.vault.seal("{}"),
        )
        oidc = AuthStrategy(
            region=REGION,
            name="company",
            display_name="Company sign-in",
            strategy_type="openid_connect",
            config={
                "issuer": "https://login.example.com",
                "credential_claim": ["client_id"],
                "scopes": ["ledger.read"],
                "auth_methods": ["bearer"],
            },
        )
        portal = Portal(
            region=REGION,
            name="acme",
            display_name="Acme APIs",
            description="Everything that Acme knows, for the programs that you write.",
            slug=SLUG,
            default_domain="acme.portal.localhost",
            auto_approve_developers=True,
            default_application_auth_strategy_id=keys.id,
            authentication=PortalAuthentication(),
        )
        tx.session.add_all([provider, oidc, portal])
        tx.session.flush()
        apis = _apis(tx, portal, keys, oidc)
        dora = _developer(tx, portal, EMAIL, "Dora Developer", "approved")
        emil = _developer(tx, portal, "emil@example.com", "Emil Engineer", "approved")
        _developer(tx, portal, "paula@example.com", "Paula Pending", "pending")
        team = Team(
            portal_id=portal.id, name="Field service", description="Vans and tablets", can_own_applications=True
        )
        tx.session.add(team)
        tx.session.flush()
        tx.session.add_all(
            [TeamMember(team_id=team.id, developer_id=one.id, created_at=tx.now) for one in (dora, emil)]
        )
        question = RegistrationField(
            portal_id=portal.id,
            name="purpose",
            label="What will you use it for?",
            description="Two sentences are enough.",
            required=True,
        )
        tx.session.add(question)
        umbrella = Application(
            portal_id=portal.id,
            name="Umbrella",
            description="Tells people to take one",
            auth_strategy_id=keys.id,
            developer_id=dora.id,
        )
        ledger = Application(
            portal_id=portal.id,
            name="Bookkeeper",
            auth_strategy_id=oidc.id,
            client_id="bookkeeper",
            team_id=team.id,
        )
        tx.session.add_all([umbrella, ledger])
        tx.session.flush()
        _register(
            tx, umbrella, apis, {"Weather": "approved", "Maps": "pending", "Parcels": "rejected", "Time": "revoked"}
        )
        _register(tx, ledger, apis, {"Ledger": "approved"})
        credential = _keys(tx, umbrella)
        _usage(tx, umbrella, apis)
        _kongs(tx)
        _nodes(tx)
        waiting = tx.session.scalars(select(Registration).where(Registration.status == "pending")).one()
        records = {
            "portal_id": portal.id,
            "api_id": apis["Weather"].id,
            "developer_id": dora.id,
            "team_id": team.id,
            "registration_id": waiting.id,
            "auth_strategy_id": oidc.id,
            "dcr_provider_id": provider.id,
            "field_id": question.id,
        }
        return Stage(base, token, umbrella.id, ledger.id, credential, team.id, records)


def _apis(tx: Transaction, portal: Portal, keys: AuthStrategy, oidc: AuthStrategy) -> dict[str, Api]:
    made: dict[str, Api] = {}
    for number, (name, version, description) in enumerate(APIS):
        api = Api(region=REGION, name=name, version=version, description=description, slug=name.lower())
        tx.session.add(api)
        tx.session.flush()
        strategy = {"Ledger": oidc.id, "Status": None}.get(name, keys.id)
        tx.session.add(Publication(api_id=api.id, portal_id=portal.id, auth_strategy_id=strategy, visibility="public"))
        service = f"00000000-0000-4000-8000-{number:012}"
        tx.session.add(Implementation(region=REGION, api_id=api.id, control_plane_id=service, service_id=service))
        made[name] = api
    tx.session.add(ApiSpecification(api_id=made["Weather"].id, type="oas3", content=json.dumps(WEATHER)))
    tx.session.flush()
    return made


def _developer(tx: Transaction, portal: Portal, email: str, name: str, status: str) -> Developer:
    made = Developer(
        portal_id=portal.id,
        email=email,
        email_key=email,
        full_name=name,
        status=status,
        password_hash=_hash() if email == EMAIL else None,
        email_verified_at=tx.now,
    )
    tx.session.add(made)
    tx.session.flush()
    if email == EMAIL:
        sessions.begin(tx, made, "Firefox on Linux")
    return made


def _hash() -> str:
    return passwords.hashed(PASSWORD)


def _register(tx: Transaction, application: Application, apis: dict[str, Api], states: dict[str, str]) -> None:
    for name, status in states.items():
        tx.session.add(
            Registration(
                portal_id=application.portal_id,
                application_id=application.id,
                api_id=apis[name].id,
                status=status,
                fields={"purpose": "We show it on the screens in our vans."},
                reason="Not for use in vans, please ask sales." if status == "rejected" else None,
            )
        )
    tx.session.flush()


def _keys(tx: Transaction, application: Application) -> str:
    made = ""
    for name, status, end in (
        ("production", "active", tx.now + timedelta(days=300)),
        ("laptop", "active", tx.now + timedelta(days=5)),
        ("last year's", "active", tx.now - timedelta(days=3)),
        ("lost", "revoked", None),
    ):
        credential = Credential(
            region=REGION,
            application_id=application.id,
            display_name=name,
            digest=api_key.digest(api_key.mint(REGION)).hex(),
            status=status,
            expires_at=None if end is None else end.replace(microsecond=0),
        )
        tx.session.add(credential)
        tx.session.flush()
        if name == "production":
            made = credential.id
            tx.session.add(CredentialUse(credential_id=made, last_used_at=tx.now - timedelta(minutes=4)))
    return made


def _usage(tx: Transaction, application: Application, apis: dict[str, Api]) -> None:
    today = datetime(tx.now.year, tx.now.month, tx.now.day, tzinfo=UTC)
    for days in range(14):
        for name, much in (("Weather", 90), ("Maps", 17)):
            for outcome, status, count in (
                ("allowed", None, much * (7 + days * 5 % 11)),
                ("registration_pending", 403, much * (days * 3 % 4)),
                ("expired_credential", 401, days % 3),
            ):
                if count:
                    tx.session.add(
                        Usage(
                            region=REGION,
                            minute=today - timedelta(days=days),
                            application_id=application.id,
                            api_id=apis[name].id,
                            outcome=outcome,
                            status_code=status,
                            requests=count,
                        )
                    )
    tx.session.add(
        Refusal(
            region=REGION,
            request_id=REQUEST_ID,
            at=tx.now - timedelta(minutes=3),
            reason="registration_pending",
            status_code=403,
            application_id=application.id,
            credential_id=new_id(),
            api_id=apis["Maps"].id,
        )
    )


def _kongs(tx: Transaction) -> None:
    """Two managed Kongs, of which one cannot be reached, and a service whose plugin somebody else has put there."""
    for name, error, drift in (("edge", None, 2), ("branch", "control_plane_error_no_response", 0)):
        tx.session.add(
            KongGateway(
                region=REGION,
                name=name,
                mode="traditional",
                on_unlink="block",
                error=error,
                checked_at=tx.now - timedelta(seconds=4),
                reported_at=tx.now - timedelta(seconds=2),
                drift=drift,
            )
        )
    conflict = {"code": "control_plane_error_plugin_conflict", "message": "Another app-auth plugin is there"}
    for number, (state, error_of) in enumerate((("enforced", None), ("enforced", None), ("failed", conflict))):
        tx.session.add(
            KongService(
                region=REGION,
                service_id=f"00000000-0000-4000-8000-{number:012}",
                state=state,
                error=None if error_of is None else error_of | {"gateway": "edge"},
            )
        )


def _nodes(tx: Transaction) -> None:
    for name, seq, behind, age, silent in (
        ("gateway-1", 4_711, 0, 1, 3),
        ("gateway-2", 4_690, 21, 95, 4),
        ("gateway-3", 3_002, 1_709, 0, 7_200),
    ):
        at = tx.now - timedelta(seconds=silent)
        tx.session.add(GatewayNode(region=REGION, name=name, seq=seq, behind=behind, age=age, reported_at=at))


def main() -> None:
    """Serve it until it is stopped."""
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory)) as (made, _):
        sys.stdout.write(f"{made.portal}/  {EMAIL} / {PASSWORD}\n{made.base}/operator  {made.operator_token}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
