"""Taking in what a region's gateways report. Numbers, not deeds: nothing of it goes to the audit log or to the feed.

It does not wait for the writers of the region, nor they for it: on PostgreSQL it has a lock of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from kong_app_auth.domain.reasons import Reason
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.credentials import Credential, CredentialUse
from kong_app_auth.portal.store.nodes import GatewayNode
from kong_app_auth.portal.store.usage import NOBODY, Refusal, ReportsPosition, Usage
from kong_app_auth.reports.records import BEGINNING, Batch, Node, Report, order_of

_AT_ONCE: Final = 500
_MINUTE: Final = 60
NODE_RETENTION: Final = timedelta(days=7)
"""A node that is silent for so long is forgotten."""
MOST_NODES_KEPT: Final = 1_000
"""Of a region: a gateway that was broken into may make names up. Those that spoke last stay."""
_STATUS: Final = {reason.code: reason.status for reason in Reason}

T = TypeVar("T")
_log = structlog.get_logger()


def position(plane: ControlPlane, region: str) -> str:
    """Up to which entry of the region's stream its reports were counted."""
    with plane.database.session("read", region) as session:
        found = session.get(ReportsPosition, region)
        return BEGINNING if found is None else found.stream_id


def take_in(plane: ControlPlane, region: str, batch: Batch) -> str:
    """Count a batch where it begins at the position; give the position that is reached.

    A batch that was counted before, or that leaves something out, changes nothing.
    """
    with plane.database.session("write", f"{region}/reports") as session:
        known = session.get(ReportsPosition, region)
        here = BEGINNING if known is None else known.stream_id
        if batch.after != here or order_of(batch.until) <= order_of(here):
            session.rollback()
            return here
        if known is None:
            session.add(ReportsPosition(region=region, stream_id=batch.until))
        else:
            known.stream_id = batch.until
        now = plane.clock()
        _count(session, region, batch.report, now, now - plane.configuration.usage_retention)
        _note_uses(session, region, batch.report, now)
        _keep_refusals(session, region, batch.report, now, now - plane.configuration.refusal_retention)
        _note_nodes(session, region, batch.nodes, now)
        session.commit()
    if batch.report.lost:
        _log.warning("reports of gateways were lost on the way", region=region, number=batch.report.lost)
    return batch.until


def _count(session: Session, region: str, report: Report, now: datetime, oldest: datetime) -> None:
    rows: dict[tuple[Any, ...], int] = {}
    for one in report.usage:
        # A clock that is ahead shall not write into the future.
        minute = _moment(min(one.minute, int(now.timestamp())) // _MINUTE * _MINUTE)
        if minute >= oldest:
            key = (minute, one.application_id or NOBODY, one.api_id or NOBODY, one.outcome)
            rows[key] = rows.get(key, 0) + one.requests
    statement = _insert(session, Usage)
    statement = statement.on_conflict_do_update(
        index_elements=list(Usage.__table__.primary_key),
        set_={"requests": Usage.requests + statement.excluded.requests},
    )
    for some in _portions(rows.items()):
        session.execute(
            statement,
            [
                {
                    "region": region,
                    "minute": minute,
                    "application_id": application_id,
                    "api_id": api_id,
                    "outcome": outcome,
                    "status_code": _STATUS.get(outcome),
                    "requests": requests,
                }
                for (minute, application_id, api_id, outcome), requests in some
            ],
        )


def _note_uses(session: Session, region: str, report: Report, now: datetime) -> None:
    statement = _insert(session, CredentialUse)
    statement = statement.on_conflict_do_update(
        index_elements=[CredentialUse.credential_id],
        set_={"last_used_at": statement.excluded.last_used_at},
        where=statement.excluded.last_used_at > CredentialUse.last_used_at,
    )
    for some in _portions(report.uses):
        # A region's gateways say nothing of another's credentials, nor of those that are gone.
        here = session.scalars(select(Credential.id).where(Credential.region == region, Credential.id.in_(some)))
        rows = [{"credential_id": one, "last_used_at": min(_moment(report.uses[one]), now)} for one in here]
        if rows:
            session.execute(statement, rows)


def _keep_refusals(session: Session, region: str, report: Report, now: datetime, oldest: datetime) -> None:
    statement = _insert(session, Refusal).on_conflict_do_nothing()
    for some in _portions(report.refusals):
        rows = [
            {
                "region": region,
                "request_id": one.request_id,
                "at": min(_moment(one.at), now),
                "reason": one.reason,
                "status_code": one.status,
                "application_id": one.application_id,
                "credential_id": one.credential_id,
                "api_id": one.api_id,
                "service_id": one.service_id,
            }
            for one in some
            if _moment(one.at) >= oldest
        ]
        if rows:
            session.execute(statement, rows)


def _note_nodes(session: Session, region: str, nodes: Mapping[str, Node], now: datetime) -> None:
    if not nodes:
        return
    statement = _insert(session, GatewayNode)
    columns = ("seq", "behind", "age", "reported_at")
    statement = statement.on_conflict_do_update(
        index_elements=list(GatewayNode.__table__.primary_key),
        set_={name: statement.excluded[name] for name in columns},
    )
    rows = [
        {
            "region": region,
            "name": name,
            "seq": one.seq,
            "behind": one.behind,
            "age": one.age,
            "reported_at": min(_moment(one.at), now),
        }
        for name, one in nodes.items()
    ]
    session.execute(statement, rows)
    here = GatewayNode.region == region
    session.execute(delete(GatewayNode).where(here, GatewayNode.reported_at < now - NODE_RETENTION))
    newest = select(GatewayNode.name).where(here).order_by(GatewayNode.reported_at.desc(), GatewayNode.name)
    beyond = session.scalars(newest.offset(MOST_NODES_KEPT)).all()
    if beyond:
        session.execute(delete(GatewayNode).where(here, GatewayNode.name.in_(beyond)))


def _insert(session: Session, table: Any) -> Any:
    """An INSERT that knows what to do about rows that are there: each database has its own."""
    return (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert(table)


def _moment(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _portions(things: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(things)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
