"""Why was I refused: a refusal by the id that its client was shown."""

from typing import Final

import msgspec
from sqlalchemy import select

from kong_app_auth.domain.reasons import Reason
from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.services.ownership import accessible, the_developer
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.usage import Refusal
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.reports.records import is_request_id

MESSAGES: Final = {reason.code: reason.message for reason in Reason}
_NOT_HERE: Final = (
    "No such refusal is known. Gateways report within some seconds, and not every one where there are many"
)


class Found(msgspec.Struct, frozen=True):
    """A refusal with its application and API, None where they are unknown or gone."""

    refusal: Refusal
    application: Application | None
    api: Api | None


def in_region(tx: Transaction, request_id: str) -> Found:
    """Find a refusal of the caller's region. Raises NotFound."""
    refusal = tx.session.get(Refusal, (tx.region, request_id)) if is_request_id(request_id) else None
    if refusal is None:
        raise NotFound(_NOT_HERE)
    application = tx.find(Application, refusal.application_id)
    api = tx.find(Api, refusal.api_id)
    return Found(refusal, application, api)


def of_developer(tx: Transaction, portal_id: str, developer_id: str, request_id: str) -> Found:
    """Find a refusal of an application that a developer can reach. Raises NotFound, Unauthorized."""
    the_developer(tx, portal_id, developer_id)
    found = in_region(tx, request_id)
    if found.application is None or found.application.portal_id != portal_id:
        raise NotFound(_NOT_HERE)
    own = select(Application.id).where(Application.id == found.application.id, accessible(developer_id))
    if tx.session.scalar(own) is None:
        raise NotFound(_NOT_HERE)
    return found
