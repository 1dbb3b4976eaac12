"""Noticing that a change takes the authentication off a Gateway Service: never by accident, and never unsaid."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import ColumnElement, select

from kong_app_auth.portal.store.apis import Implementation, Publication
from kong_app_auth.portal.store.kong import KongGateway
from kong_app_auth.portal.transaction import Deed, Transaction


@contextmanager
def told(tx: Transaction, *, api_id: str | None = None, portal_id: str | None = None) -> Generator[None]:
    """Tell, after the block, of every service of the API, or of the portal's APIs, that no strategy guards any more.

    A warning goes to whoever asked for the change and an entry to the audit log, if a Kong of the region takes the
    plugin away then and puts nothing in its place (`on_unlink` is `open`).
    """
    in_portal = select(Publication.api_id).where(Publication.portal_id == portal_id)
    chosen = Implementation.api_id == api_id if portal_id is None else Implementation.api_id.in_(in_portal)
    with tx.session.no_autoflush:
        before = _guarded(tx, chosen)
    yield
    if not before:
        return
    tx.session.flush()
    exposed = sorted(before.items() - _guarded(tx, Implementation.service_id.in_(before)).items())
    if not exposed or not _opens(tx):
        return
    for service_id, of_api in exposed:
        tx.warnings.append(f"Gateway Service {service_id} lets requests through without authentication from now on")
        tx.note(
            Deed(
                "authentication_removed",
                "gateway_service",
                service_id,
                portal_id=portal_id,
                details={"api_id": of_api, "on_unlink": "open"},
            )
        )


def _guarded(tx: Transaction, chosen: ColumnElement[bool]) -> dict[str, str]:
    """Give the services whose APIs are published with a strategy anywhere, each with its API."""
    statement = (
        select(Implementation.service_id, Implementation.api_id)
        .join(Publication, Publication.api_id == Implementation.api_id)
        .where(
            chosen,
            Implementation.region == tx.region,
            Implementation.service_id.is_not(None),
            Publication.auth_strategy_id.is_not(None),
        )
        .distinct()
    )
    return {str(service_id): api_id for service_id, api_id in tx.session.execute(statement)}


def _opens(tx: Transaction) -> bool:
    """Say whether a Kong of the region opens services that lose the plugin. Where none is managed, the plugin stays."""
    wanted = select(KongGateway.name).where(KongGateway.region == tx.region, KongGateway.on_unlink == "open").limit(1)
    return tx.session.scalar(wanted) is not None
