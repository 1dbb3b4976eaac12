"""A control plane with something of everything in it, made over the API."""

import hashlib
from typing import Any

import msgspec

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.api.security import ACCESS_COOKIE
from kong_app_auth.portal.store.operators import OperatorToken
from kong_app_auth.portal.store.portals import Portal
from tests.control_plane.clients import Clients
from tests.control_plane.developers import signed_in
from tests.control_plane.settings import REGION

OPERATOR_TOKEN = "token-of-the-operator-in-the-tests"
SERVICE = "11111111-2222-4333-8444-555555555555"


class World(msgspec.Struct):
    """What is there: `ids` by the name of the path parameter or the body's field that takes them."""

    ids: dict[str, list[str]]
    slug: str
    cookie: str
    operator_token: str = OPERATOR_TOKEN


def inhabited(clients: Clients) -> World:
    """Make two portals, an API published in both, a developer with a team, an application, a registration and a key."""
    digest = hashlib.sha256(OPERATOR_TOKEN.encode()).hexdigest()
    with clients.plane.write(System(region=REGION)) as tx:
        tx.session.add(OperatorToken(name="tests", digest=digest, region=REGION, scope="write"))
    operator = clients.operator()
    portals = [
        operator.post(
            "/v3/portals", {"name": name, "default_api_visibility": "public", "auto_approve_applications": True}
        )
        for name in ("Staging", "Production")
    ]
    portal = portals[0]["id"]
    api = operator.post("/v3/apis", {"name": "Weather API", "version": "v1"})["id"]
    specification = operator.post(
        f"/v3/apis/{api}/specifications",
        {"content": '{"openapi": "3.0.3", "info": {"title": "Weather", "version": "1"}, "paths": {}}'},
    )["id"]
    for one in portals:
        operator.put(f"/v3/apis/{api}/publications/{one['id']}", {})
    implementation = operator.post(
        f"/v3/apis/{api}/implementations", {"service": {"control_plane_id": SERVICE, "id": SERVICE}}
    )["id"]
    provider = operator.post(
        "/v2/dcr-providers",
        {
            "name": "bridge",
            "provider_type": "http",
            "issuer": "https://issuer.example",
            "dcr_config": {"dcr_base_url": "https://bridge.example", "api_key": "0123456789abcdef"},
        },
    )["id"]
    strategy = portals[0]["default_application_auth_strategy_id"]
    team = operator.post(f"/v3/portals/{portal}/teams", {"name": "Team", "can_own_applications": True})["id"]
    provider_of_identity = operator.post(
        f"/v3/portals/{portal}/identity-providers",
        {
            "type": "oidc",
            "config": {"issuer_url": "https://idp.example", "client_id": "portal", "client_secret": "x" * 20},
        },
    )["id"]
    developer = signed_in(clients, portal)
    developer_id = developer.get("/api/v3/developer/me")["id"]
    operator.post(f"/v3/portals/{portal}/teams/{team}/developers", {"id": developer_id})
    application = developer.post("/api/v3/applications", {"name": "App", "auth_strategy_id": strategy})["id"]
    registration = developer.post(f"/api/v3/applications/{application}/registrations", {"api_id": api})["id"]
    credential = developer.post(f"/api/v3/applications/{application}/credentials", {"display_name": "key"})["id"]
    with clients.plane.read(System(region=REGION)) as tx:
        found = tx.session.get(Portal, portal)
        assert found is not None
        slug = found.slug
    ids: dict[str, Any] = {
        "portalId": portal,
        "apiId": api,
        "api_id": api,
        "apiIdOrSlug": api,
        "specId": specification,
        "implementationId": implementation,
        "dcrProviderId": provider,
        "dcr_provider_id": provider,
        "authStrategyId": strategy,
        "auth_strategy_id": strategy,
        "default_application_auth_strategy_id": strategy,
        "teamId": team,
        "team_id": team,
        "developerId": developer_id,
        "id": provider_of_identity,
        "applicationId": application,
        "registrationId": registration,
        "credentialId": credential,
    }
    cookie = f"{ACCESS_COOKIE}={developer.http.cookies[ACCESS_COOKIE]}"
    return World({name: [value] for name, value in ids.items()}, slug, cookie)
