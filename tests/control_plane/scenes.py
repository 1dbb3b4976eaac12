"""A small portal for tests of what happens without a request: a developer, an application, a registration, a key."""

from kong_app_auth.portal.services.built_in_strategy import built_in
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal, PortalAuthentication
from kong_app_auth.portal.transaction import Transaction
from tests.control_plane.settings import REGION


class Scene:
    """A portal with Dora's application, that is registered with an API and has a key."""

    def __init__(self, tx: Transaction) -> None:
        self.portal = Portal(
            region=REGION,
            name="Staging",
            display_name="Staging",
            slug="staging",
            default_domain="staging.portal.test",
            authentication=PortalAuthentication(),
        )
        self.api = Api(region=REGION, name="Weather API", version="v1", slug="weather")
        tx.session.add_all([self.portal, self.api])
        tx.session.flush()
        self.dora = self.developer(tx, "dora")
        self.application = Application(
            portal_id=self.portal.id,
            name="Umbrella",
            auth_strategy_id=built_in(tx).id,
            developer_id=self.dora.id,
        )
        tx.session.add(self.application)
        tx.session.flush()
        self.registration = Registration(
            portal_id=self.portal.id, application_id=self.application.id, api_id=self.api.id, status="pending"
        )
        self.credential = Credential(
            region=REGION, application_id=self.application.id, display_name="production", digest="0" * 64
        )
        tx.session.add_all([self.registration, self.credential])
        tx.session.flush()

    def developer(self, tx: Transaction, name: str, status: str = "approved") -> Developer:
        email = f"{name}@example.com"
        made = Developer(portal_id=self.portal.id, email=email, email_key=email, full_name=name.title(), status=status)
        tx.session.add(made)
        tx.session.flush()
        return made
