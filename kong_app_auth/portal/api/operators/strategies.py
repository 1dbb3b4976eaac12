"""`/v2/application-auth-strategies`."""

from typing import Annotated

from fastapi import Depends

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.strategies import CreateStrategy, StrategyView, UpdateStrategy
from kong_app_auth.portal.services import strategies
from kong_app_auth.portal.store.strategies import AuthStrategy, DcrProvider
from kong_app_auth.portal.views.strategies import operator_strategy_view

routes = router("/v2/application-auth-strategies", "App Auth Strategies")

_LIST = Listing(
    tie=AuthStrategy.id,
    default=(AuthStrategy.created_at,),
    filters={
        "strategy_type": Field(AuthStrategy.strategy_type),
        "name": Field(AuthStrategy.name),
        "display_name": Field(AuthStrategy.display_name),
        "dcr_provider_id": Field(AuthStrategy.dcr_provider_id, FieldKind.UUID),
        "dcr_provider_name": Field(DcrProvider.name),
        "dcr_provider_type": Field(DcrProvider.provider_type),
    },
    sorts={
        "created_at": AuthStrategy.created_at,
        "updated_at": AuthStrategy.updated_at,
        "strategy_type": AuthStrategy.strategy_type,
        "name": AuthStrategy.name,
        "display_name": AuthStrategy.display_name,
        "dcr_provider_id": AuthStrategy.dcr_provider_id,
        "dcr_provider_name": DcrProvider.name,
        "dcr_provider_type": DcrProvider.provider_type,
    },
)


@routes.get("")
def list_strategies(access: Reader, query: Annotated[Query, Depends(_LIST)]) -> ListOf[StrategyView]:
    """`list-app-auth-strategies`."""
    with access.read() as tx:
        return query.page(tx, strategies.all_strategies(tx), operator_strategy_view)


@routes.post("", status_code=201)
def create_strategy(access: Writer, wanted: CreateStrategy) -> StrategyView:
    """`create-app-auth-strategy`."""
    with access.write() as tx:
        return operator_strategy_view(strategies.create(tx, wanted))


@routes.get("/{auth_strategy_id}")
def get_strategy(access: Reader, auth_strategy_id: str) -> StrategyView:
    """`get-app-auth-strategy`."""
    with access.read() as tx:
        return operator_strategy_view(strategies.the_strategy(tx, auth_strategy_id))


@routes.put("/{auth_strategy_id}", status_code=201)
def replace_strategy(access: Writer, auth_strategy_id: str, wanted: CreateStrategy) -> StrategyView:
    """`replace-app-auth-strategy`. 201 is what the contract says."""
    with access.write() as tx:
        return operator_strategy_view(strategies.replace(tx, auth_strategy_id, wanted))


@routes.patch("/{auth_strategy_id}")
def update_strategy(access: Writer, auth_strategy_id: str, wanted: UpdateStrategy) -> StrategyView:
    """`update-app-auth-strategy`."""
    with access.write() as tx:
        return operator_strategy_view(strategies.update(tx, auth_strategy_id, wanted))


@routes.delete("/{auth_strategy_id}", status_code=204)
def delete_strategy(access: Writer, auth_strategy_id: str) -> None:
    """`delete-app-auth-strategy`."""
    with access.write() as tx:
        strategies.delete(tx, auth_strategy_id)
