"""What gateways have heard: the last change of a record in a region's feed."""

import json

import msgspec
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.feed import FeedChange
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.records import TYPES, Record
from tests.control_plane.settings import REGION


def heard(plane: ControlPlane, table: Table, record_id: str, *, region: str = REGION) -> Record | None:
    """Give a record as its last change says; None where it is gone. A record that is in no change fails."""
    changes = lines(plane, table, record_id, region=region)
    assert changes, f"no change of {table} {record_id} in the feed"
    record = json.loads(changes[-1])[2]
    return None if record is None else msgspec.convert(record, TYPES[table])


def lines(plane: ControlPlane, table: Table, record_id: str, *, region: str = REGION) -> list[str]:
    """Give all changes of a record, the last one last."""
    named = FeedChange.line.startswith(f'["{table.value}","{record_id}",', autoescape=True)
    in_order = select(FeedChange.line).where(FeedChange.region == region, named).order_by(FeedChange.seq)
    with plane.read(System(region=region)) as tx:
        return list(tx.session.scalars(in_order))
