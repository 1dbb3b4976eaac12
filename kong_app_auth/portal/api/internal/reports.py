"""`/internal/v1/regions/{region}/reports`: what the region's gateways report, brought by its sync daemon."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import JSONResponse

from kong_app_auth.portal.api.internal.region_token import TokensRegion
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Plane
from kong_app_auth.portal.errors import invalid
from kong_app_auth.portal.services import reports
from kong_app_auth.reports.codec import CorruptReport, decode_batch

routes = router("/internal/v1/regions/{region}/reports", "Internal")


async def _body(request: Request, _region: TokensRegion) -> bytes:
    return await request.body()


@routes.get("")
def get_position(plane: Plane, region: TokensRegion) -> JSONResponse:
    """Up to which entry of the region's stream the reports were counted."""
    return JSONResponse({"position": reports.position(plane, region)})


@routes.post("")
def post_reports(plane: Plane, region: TokensRegion, body: Annotated[bytes, Depends(_body)]) -> JSONResponse:
    """Count a batch, if it follows what was counted; the answer says up to where that is now."""
    try:
        batch = decode_batch(body)
    except CorruptReport as corrupt:
        raise invalid("body", str(corrupt)) from None
    return JSONResponse({"position": reports.take_in(plane, region, batch)})
