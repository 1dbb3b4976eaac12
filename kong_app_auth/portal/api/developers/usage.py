"""`/api/v3/usage`: beyond Konnect."""

from typing import Annotated

from fastapi import Depends

from kong_app_auth.portal.api.listing import Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Member
from kong_app_auth.portal.api.usage_listing import USAGE_LIST
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.usage import UsageView
from kong_app_auth.portal.services import usage
from kong_app_auth.portal.views.usage import usage_view

routes = router("/api/v3/usage", "Usage")


@routes.get("")
def list_own_usage(access: Member, query: Annotated[Query, Depends(USAGE_LIST)]) -> ListOf[UsageView]:
    """The usage of the developer's own applications and those of the developer's teams."""
    with access.read() as tx:
        statement = usage.of_developer(tx, access.portal.id, access.developer_id).where(*query.conditions)
        found, total = usage.page(tx, statement, query.order, query.size, query.number)
        return query.written([usage_view(one) for one in found], total)
