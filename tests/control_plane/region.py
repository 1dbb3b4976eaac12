"""A region with one portal, API, strategy and developer, as records; applications and keys are added as wanted."""

from typing import Any

from sqlalchemy import select

from kong_app_auth.domain.api_key import digest, mint
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.apis import Api, Implementation, Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.base import Base, new_id
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.strategies import AuthStrategy
from tests.control_plane.settings import REGION


class Region:
    """What is there. Each method is one transaction."""

    def __init__(self, plane: ControlPlane, region: str = REGION) -> None:
        self.plane = plane
        self.region = region
        self.portal, self.api, self.strategy, self.developer, self.service = (new_id() for _ in range(5))
        name = self.portal[:8]
        self.add(
            AuthStrategy(
                id=self.strategy,
                region=region,
                name=f"keys {name}",
                display_name="Keys",
                strategy_type="key_auth",
                config={"key_names": ["apikey", "x-key"]},
            ),
            Portal(
                id=self.portal,
                region=region,
                name=f"Portal {name}",
                display_name="Portal",
                slug=f"portal-{name}",
                default_domain=f"{name}.portal.test",
            ),
            Api(id=self.api, region=region, name=f"Weather {name}", version="v1", slug=f"weather-{name}"),
        )
        self.add(
            Publication(api_id=self.api, portal_id=self.portal, auth_strategy_id=self.strategy),
            Implementation(region=region, api_id=self.api, control_plane_id=new_id(), service_id=self.service),
            Developer(
                id=self.developer,
                portal_id=self.portal,
                email=f"{name}@example.com",
                email_key=f"{name}@example.com",
                full_name="Dora Developer",
                status="approved",
            ),
        )

    def add(self, *records: Base) -> None:
        with self.write() as tx:
            for record in records:
                tx.session.add(record)
                tx.session.flush()

    def write(self) -> Any:
        return self.plane.write(System(region=self.region))

    def application(self, *, status: str = "approved", keys: int = 1) -> tuple[str, list[str]]:
        """Add an application that is registered with the API; give its id and the digests of its keys."""
        application_id = new_id()
        digests = [digest(mint(self.region)).hex() for _ in range(keys)]
        with self.write() as tx:
            tx.session.add(
                Application(
                    id=application_id,
                    portal_id=self.portal,
                    name=f"App {application_id}",
                    auth_strategy_id=self.strategy,
                    developer_id=self.developer,
                )
            )
            tx.session.flush()
            tx.session.add(
                Registration(portal_id=self.portal, application_id=application_id, api_id=self.api, status=status)
            )
            for one in digests:
                tx.session.add(
                    Credential(
                        region=self.region,
                        application_id=application_id,
                        display_name="key",
                        digest=one,
                        status="active",
                    )
                )
        return application_id, digests

    def change(self, record: type[Base], record_id: str, **columns: Any) -> None:
        with self.write() as tx:
            found = tx.session.get(record, record_id)
            assert found is not None
            for name, value in columns.items():
                setattr(found, name, value)

    def change_registration(self, application_id: str, status: str) -> None:
        with self.write() as tx:
            where = Registration.application_id == application_id
            tx.session.scalars(select(Registration).where(where)).one().status = status

    def delete(self, record: type[Base], record_id: str) -> None:
        with self.write() as tx:
            found = tx.session.get(record, record_id)
            assert found is not None
            tx.session.delete(found)
