"""`/api/v3/application-auth-strategies`, for developers."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import case, func

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Member
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.strategies import PortalStrategyView
from kong_app_auth.portal.services import strategies
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.views.strategies import portal_strategy_view

routes = router("/api/v3/application-auth-strategies", "Applications")

_SHOWN_NAME = func.coalesce(func.nullif(AuthStrategy.display_name, ""), AuthStrategy.name)
_CREDENTIAL_TYPE = case(
    (AuthStrategy.strategy_type == "key_auth", "key_auth"),
    (AuthStrategy.dcr_provider_id.is_(None), "self_managed_client_credentials"),
    else_="client_credentials",
)
_LIST = Listing(
    tie=AuthStrategy.id,
    default=(_SHOWN_NAME,),
    filters={
        "name": Field(_SHOWN_NAME),
        "credential_type": Field(
            _CREDENTIAL_TYPE, FieldKind.CHOICE, ("client_credentials", "self_managed_client_credentials", "key_auth")
        ),
    },
)


@routes.get("")
def list_strategies(access: Member, query: Annotated[Query, Depends(_LIST)]) -> ListOf[PortalStrategyView]:
    """`list-application-auth-strategies`."""
    with access.read() as tx:
        statement = strategies.usable_by(tx, access.portal, access.developer_id)
        return query.page(tx, statement, portal_strategy_view)
