"""How much there is in portals: what an operator wants to know before opening one, or changing its settings."""

from collections.abc import Collection
from typing import Final

import msgspec
from sqlalchemy import case, func, select

from kong_app_auth.portal.store.apis import Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.transaction import Transaction

_PENDING: Final = "pending"


class Figures(msgspec.Struct):
    """Counts of one portal."""

    developers: int = 0
    developers_waiting: int = 0
    applications: int = 0
    registrations_waiting: int = 0
    apis: int = 0
    private_apis: int = 0


def of_portals(tx: Transaction, portal_ids: Collection[str]) -> dict[str, Figures]:
    """Count what is in each of these portals, in four statements however many there are."""
    found = {portal_id: Figures() for portal_id in portal_ids}
    people = select(Developer.portal_id, func.count(), func.sum(case((Developer.status == _PENDING, 1), else_=0)))
    for portal_id, count, waiting in tx.session.execute(
        people.where(Developer.portal_id.in_(portal_ids)).group_by(Developer.portal_id)
    ):
        found[portal_id].developers, found[portal_id].developers_waiting = count, int(waiting)
    held = select(Application.portal_id, func.count()).where(Application.portal_id.in_(portal_ids))
    for portal_id, count in tx.session.execute(held.group_by(Application.portal_id)):
        found[portal_id].applications = count
    asked = select(Registration.portal_id, func.count()).where(
        Registration.portal_id.in_(portal_ids), Registration.status == _PENDING
    )
    for portal_id, count in tx.session.execute(asked.group_by(Registration.portal_id)):
        found[portal_id].registrations_waiting = count
    published = select(
        Publication.portal_id, func.count(), func.sum(case((Publication.visibility == "private", 1), else_=0))
    )
    for portal_id, count, private in tx.session.execute(
        published.where(Publication.portal_id.in_(portal_ids)).group_by(Publication.portal_id)
    ):
        found[portal_id].apis, found[portal_id].private_apis = count, int(private)
    return found
