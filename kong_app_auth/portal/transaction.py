"""A transaction of the control plane: who asks, in which region, when, and with what at hand."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy.orm import Session

from kong_app_auth.portal.actors import Actor
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.base import Base

if TYPE_CHECKING:
    from kong_app_auth.portal.configuration import Configuration
    from kong_app_auth.portal.vault import Vault

T = TypeVar("T", bound=Base)


class Deed(msgspec.Struct, frozen=True):
    """Something for the audit log that is no change of a record, such as a sign-in. `details` hold no secret."""

    action: str
    entity_type: str
    entity_id: str | None = None
    portal_id: str | None = None
    details: dict[str, Any] | None = None


class Transaction:
    """What services work with. It is opened, committed and undone by `ControlPlane`, never by a service.

    `now` is the one moment of everything in it, in UTC. `warnings` are for whoever asked, beside the answer. Callbacks
    of `after_commit` run when it is committed, in their order; they must not raise.
    """

    def __init__(
        self,
        session: Session,
        actor: Actor,
        *,
        now: datetime,
        request_id: str,
        configuration: "Configuration",
        vault: "Vault",
    ) -> None:
        self.session = session
        self.actor = actor
        self.region = actor.region
        self.now = now
        self.request_id = request_id
        self.configuration = configuration
        self.vault = vault
        self.deeds: list[Deed] = []
        self.callbacks: list[Callable[[], None]] = []
        self.warnings: list[str] = []

    def note(self, deed: Deed) -> None:
        """Put something into the audit log that is no change of a record."""
        self.deeds.append(deed)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` once this is committed, and not otherwise."""
        self.callbacks.append(callback)

    def find(self, record: type[T], record_id: str | None) -> T | None:
        """Give a record by id; None where there is none, or where `record_id` is no UUID at all."""
        known = ids.canonical(record_id)
        return None if known is None else self.session.get(record, known)
