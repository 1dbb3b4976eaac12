"""`/internal/v1/regions/{region}/kong-states`: how the plugin stands on the region's Kongs, by their sync daemon."""

from typing import Annotated

from fastapi import Depends, Request
from pydantic import ValidationError

from kong_app_auth.portal.api.internal.region_token import TokensRegion
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Plane
from kong_app_auth.portal.contract.kong_gateways import KongStates
from kong_app_auth.portal.errors import invalid
from kong_app_auth.portal.services import kong_gateways

routes = router("/internal/v1/regions/{region}/kong-states", "Internal")


async def _body(request: Request, _region: TokensRegion) -> bytes:
    return await request.body()


@routes.put("", status_code=204)
def put_kong_states(plane: Plane, region: TokensRegion, body: Annotated[bytes, Depends(_body)]) -> None:
    """Keep what the region's daemon says of its Kongs, in the place of what it said before."""
    try:
        states = KongStates.model_validate_json(body)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise invalid(field, first["msg"]) from None
    kong_gateways.take_in(plane, region, states)
