"""A portal with APIs, strategies and developers, made in one line each; and what gateways have heard of it."""

import json
from typing import Any

import msgspec
from sqlalchemy import func, select

from kong_app_auth.domain import api_key, records
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.apis import Api, Implementation, Publication
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.store.feed import FeedChange
from kong_app_auth.portal.store.mail import Message
from kong_app_auth.portal.store.teams import Team, TeamMember, TeamRole
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.records import TYPES, Record
from tests.control_plane.clients import Clients
from tests.control_plane.developers import SignedInClient, signed_in
from tests.control_plane.settings import REGION

OIDC = {"issuer": "https://idp.example", "credential_claim": ["azp"], "scopes": ["openid"], "auth_methods": ["bearer"]}


class Stage:
    """One portal. `settings` are those of `create-portal`."""

    def __init__(self, clients: Clients, **settings: Any) -> None:
        self.clients = clients
        self.plane = clients.plane
        self.operator = clients.operator()
        made = self.operator.post("/v3/portals", {"name": f"Portal {new_id()[:8]}", **settings})
        self.portal: str = made["id"]
        self.key_auth: str = made["default_application_auth_strategy_id"]

    @property
    def path(self) -> str:
        return f"/v3/portals/{self.portal}"

    def developer(self, **columns: Any) -> SignedInClient:
        return signed_in(self.clients, self.portal, **columns)

    def strategy(self, kind: str = "openid_connect", **config: Any) -> str:
        """A strategy of its own; give the id."""
        name = f"{kind} {new_id()[:8]}"
        configs = (
            {"key-auth": {"key_names": ["apikey"], **config}}
            if kind == "key_auth"
            else {"openid-connect": {**OIDC, **config}}
        )
        body = {"name": name, "display_name": name, "strategy_type": kind, "configs": configs}
        found: str = self.operator.post("/v2/application-auth-strategies", body)["id"]
        return found

    def api(self, name: str = "Weather API", **publication: Any) -> str:
        """An API published in the portal with key-auth, unless `publication` says otherwise; give the id."""
        api_id = new_id()
        given = {"auth_strategy_id": self.key_auth, "visibility": "private", **publication}
        with self.plane.write(System(region=REGION)) as tx:
            tx.session.add(Api(id=api_id, region=REGION, name=name, version=api_id[:8], slug=f"api-{api_id}"))
            tx.session.flush()
            tx.session.add(Publication(api_id=api_id, portal_id=self.portal, **given))
        return api_id

    def implement(self, api_id: str, control_plane_id: str) -> None:
        """Link an API to a Gateway Service at a control plane."""
        link = Implementation(region=REGION, api_id=api_id, control_plane_id=control_plane_id, service_id=new_id())
        with self.plane.write(System(region=REGION)) as tx:
            tx.session.add(link)

    def team(self, *members: SignedInClient, owns: bool = True) -> str:
        """A team of developers; give the id."""
        team_id = new_id()
        with self.plane.write(System(region=REGION)) as tx:
            tx.session.add(Team(id=team_id, portal_id=self.portal, name=team_id, can_own_applications=owns))
            tx.session.flush()
            tx.session.add_all(
                TeamMember(team_id=team_id, developer_id=one.developer_id, created_at=tx.now) for one in members
            )
        return team_id

    def role(self, team_id: str, role_name: str, api_id: str) -> None:
        """Let a team view or consume an API."""
        role = TeamRole(
            team_id=team_id, role_name=role_name, entity_id=api_id, entity_type_name="Services", entity_region=REGION
        )
        with self.plane.write(System(region=REGION)) as tx:
            tx.session.add(role)

    def application(self, developer: SignedInClient, **body: Any) -> str:
        """An application of a developer; give the id."""
        found: str = developer.post("/api/v3/applications", {"name": "App", **body})["id"]
        return found

    def key(self, developer: SignedInClient, application_id: str, **body: Any) -> dict[str, Any]:
        """A new key: the answer that holds it."""
        found: dict[str, Any] = developer.post(f"/api/v3/applications/{application_id}/credentials", body)
        return found

    def mails(self) -> list[str]:
        """The templates of all mails of the portal so far."""
        sent = select(Message.template).where(Message.portal_id == self.portal).order_by(Message.created_at)
        with self.plane.read(System(region=REGION)) as tx:
            return list(tx.session.scalars(sent))

    def deeds(self, action: str) -> list[AuditEntry]:
        """The audit entries of an action in the portal."""
        of_action = select(AuditEntry).where(AuditEntry.portal_id == self.portal, AuditEntry.action == action)
        with self.plane.read(System(region=REGION)) as tx:
            return list(tx.session.scalars(of_action))

    def gateway_application(self, application_id: str) -> records.Application:
        """What gateways know of an application by now."""
        found = self._heard(Table.APPLICATIONS, application_id)
        assert isinstance(found, records.Application)
        return found

    def gateway_key(self, key: str) -> records.Credential:
        """What gateways know of a key by now."""
        found = self._heard(Table.CREDENTIALS, api_key.digest(key).hex())
        assert isinstance(found, records.Credential)
        return found

    def gateway_forgot_application(self, application_id: str) -> bool:
        return self._heard(Table.APPLICATIONS, application_id) is None

    def gateway_forgot_key(self, key: str) -> bool:
        return self._heard(Table.CREDENTIALS, api_key.digest(key).hex()) is None

    def changes(self) -> int:
        """How many changes the feed has had."""
        with self.plane.read(System(region=REGION)) as tx:
            return tx.session.scalar(select(func.count()).select_from(FeedChange)) or 0

    def _heard(self, table: Table, record_id: str) -> Record | None:
        """The last change of a record in the feed. A record that is in no change fails."""
        named = FeedChange.line.startswith(f'["{table.value}","{record_id}",', autoescape=True)
        last = select(FeedChange.line).where(named).order_by(FeedChange.seq.desc()).limit(1)
        with self.plane.read(System(region=REGION)) as tx:
            line = tx.session.scalar(last)
        assert line is not None, f"no change of {table} {record_id} in the feed"
        record = json.loads(line)[2]
        return None if record is None else msgspec.convert(record, TYPES[table])
