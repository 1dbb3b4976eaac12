"""The Kongs of a region as their sync daemon sees them. States, not deeds: nothing of it is audited or in the feed."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from kong_app_auth.portal.contract.kong_gateways import KongStates, ServiceState
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.apis import Implementation
from kong_app_auth.portal.store.kong import KongGateway, KongService
from kong_app_auth.portal.transaction import Transaction

MOST_SHOWN: Final = 1000
_AT_ONCE: Final = 500


def take_in(plane: ControlPlane, region: str, states: KongStates) -> None:
    """Keep what a daemon says, in the place of what was said before.

    It does not wait for the writers of the region, nor they for it.
    """
    with plane.database.session("write", f"{region}/kong") as session:
        _keep_gateways(session, region, states, plane.clock())
        _keep_services(session, region, {one.id: one for one in states.services})
        session.commit()


def gateways(tx: Transaction) -> Sequence[KongGateway]:
    """List the region's Kongs by name."""
    statement = select(KongGateway).where(KongGateway.region == tx.region)
    return tx.session.scalars(statement.order_by(KongGateway.name)).all()


def counted_states(tx: Transaction) -> dict[str, int]:
    """Count the region's services by state."""
    statement = select(KongService.state, func.count()).where(KongService.region == tx.region)
    counted = tx.session.execute(statement.group_by(KongService.state))
    return {str(state): int(number) for state, number in counted}


def not_enforced(tx: Transaction) -> list[tuple[KongService, str | None]]:
    """List services that are not enforced, each with the id of its API, at most `MOST_SHOWN`."""
    linked = (Implementation.region == KongService.region) & (Implementation.service_id == KongService.service_id)
    statement = (
        select(KongService, Implementation.api_id)
        .outerjoin(Implementation, linked)
        .where(KongService.region == tx.region, KongService.state != "enforced")
        .order_by(KongService.service_id)
        .limit(MOST_SHOWN)
    )
    return [(service, api_id) for service, api_id in tx.session.execute(statement)]


def states_of(tx: Transaction, service_ids: Iterable[str | None]) -> dict[str, KongService]:
    """Give how the plugin stands on Gateway Services, by their ids; one that no daemon speaks of is not in it."""
    ids = [one for one in service_ids if one is not None]
    if not ids:
        return {}
    statement = select(KongService).where(KongService.region == tx.region, KongService.service_id.in_(ids))
    return {one.service_id: one for one in tx.session.scalars(statement)}


def sync_errors(tx: Transaction, implementations: Iterable[Implementation]) -> dict[str, dict[str, Any]]:
    """Give what is wrong at Gateway Services, by their ids, for the implementations that name one."""
    ids = [one.service_id for one in implementations if one.service_id is not None]
    if not ids:
        return {}
    statement = select(KongService.service_id, KongService.error).where(
        KongService.region == tx.region, KongService.service_id.in_(ids), KongService.state != "enforced"
    )
    return {service_id: error for service_id, error in tx.session.execute(statement) if error is not None}


def _keep_gateways(session: Session, region: str, states: KongStates, now: datetime) -> None:
    known = {one.name: one for one in session.scalars(select(KongGateway).where(KongGateway.region == region))}
    for said in states.gateways:
        kept = known.pop(said.name, None) or KongGateway(region=region, name=said.name)
        kept.mode, kept.on_unlink, kept.error, kept.drift = said.mode, said.on_unlink, said.error, said.drift
        # A clock that is ahead shall not write into the future.
        kept.checked_at = None if said.checked_at is None else min(now, datetime.fromtimestamp(said.checked_at, UTC))
        kept.reported_at = now
        session.add(kept)
    for gone in known.values():
        session.delete(gone)


def _keep_services(session: Session, region: str, said: dict[str, ServiceState]) -> None:
    known = {one.service_id: one for one in session.scalars(select(KongService).where(KongService.region == region))}
    gone = sorted(known.keys() - said.keys())
    for start in range(0, len(gone), _AT_ONCE):
        some = gone[start : start + _AT_ONCE]
        session.execute(
            delete(KongService).where(KongService.region == region, KongService.service_id.in_(some)),
            execution_options={"synchronize_session": False},
        )
    for service_id, one in said.items():
        error = None if one.error is None else one.error.model_dump()
        kept = known.get(service_id)
        if kept is None:
            session.add(KongService(region=region, service_id=service_id, state=one.state, error=error))
        elif (kept.state, kept.error) != (one.state, error):
            kept.state, kept.error = one.state, error
