"""Where an auth strategy is used, and where a DCR provider is: what an operator looks at before changing one."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from kong_app_auth.portal.store.apis import Publication
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.strategies import AuthStrategy, DcrProvider
from kong_app_auth.portal.transaction import Transaction

MOST: Final = 100
"""Publications, portals or strategies that are named."""


class Uses(msgspec.Struct, frozen=True):
    """The publications (with their API and portal) and the portals' defaults that name a strategy; its applications."""

    publications: Sequence[Publication]
    portals: Sequence[Portal]
    applications: int

    @property
    def any(self) -> bool:
        """Whether anything uses it: then it cannot be deleted."""
        return bool(self.publications or self.portals or self.applications)


def of_strategy(tx: Transaction, strategy: AuthStrategy) -> Uses:
    """Say where a strategy is used."""
    published = select(Publication).where(Publication.auth_strategy_id == strategy.id)
    published = published.options(joinedload(Publication.api), joinedload(Publication.portal))
    default = select(Portal).where(Portal.default_application_auth_strategy_id == strategy.id)
    held = select(func.count()).where(Application.auth_strategy_id == strategy.id)
    return Uses(
        tx.session.scalars(published.order_by(Publication.created_at, Publication.id).limit(MOST)).unique().all(),
        tx.session.scalars(default.order_by(Portal.name, Portal.id).limit(MOST)).all(),
        tx.session.scalar(held) or 0,
    )


def of_provider(tx: Transaction, provider: DcrProvider) -> Sequence[AuthStrategy]:
    """Give the strategies that use a DCR provider."""
    statement = select(AuthStrategy).where(AuthStrategy.dcr_provider_id == provider.id)
    return tx.session.scalars(statement.order_by(AuthStrategy.name).limit(MOST)).all()
