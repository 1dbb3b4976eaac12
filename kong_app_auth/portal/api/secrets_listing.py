"""The list of the secrets of an application's client: never more than a few, so they are paged in memory."""

from kong_app_auth.portal.api.listing import Query
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.credentials import ClientSecretView
from kong_app_auth.portal.services.dcr_clients import secrets_of
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.clients import ClientSecret
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.credentials import client_secret_view


def secrets_page(tx: Transaction, query: Query, application: Application) -> ListOf[ClientSecretView]:
    """Give a page of the secrets, the oldest first."""
    found = tx.session.scalars(secrets_of(application).order_by(ClientSecret.created_at, ClientSecret.id)).all()
    start = (query.number - 1) * query.size
    page = found[start : start + query.size]
    return query.written([client_secret_view(one, application.client_id or "") for one in page], len(found))
