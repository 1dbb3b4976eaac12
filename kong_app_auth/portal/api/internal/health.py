"""Whether the portal can work, for those who send it requests, and what it counts, for Prometheus."""

import hmac

from fastapi import Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import select
from starlette.responses import Response

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Plane, bearer
from kong_app_auth.portal.errors import Unauthorized
from kong_app_auth.portal.metrics import PortalMetrics
from kong_app_auth.portal.store.feed import FeedPosition

routes = router("/internal/v1", "Health")


@routes.get("/ready")
def ready(plane: Plane) -> dict[str, str]:
    """200 where the database answers. It says nothing else, so it needs no token."""
    with plane.read(System(region="")) as tx:
        tx.session.execute(select(FeedPosition.region).limit(1)).all()
    return {"status": "ready"}


@routes.get("/metrics")
def metrics(request: Request, plane: Plane) -> Response:
    """What Prometheus reads, with the token of any region's feed."""
    given = (bearer(request) or "").encode()
    known = [hmac.compare_digest(given, token.encode()) for token in plane.configuration.feed_tokens.values() if token]
    if not any(known):
        raise Unauthorized("The token of a region's feed is needed")
    counted: PortalMetrics = request.app.state.metrics
    counted.waiting.set(request.app.state.feed.watch.count)
    with plane.read(System(region="")) as tx:
        for region, seq in tx.session.execute(select(FeedPosition.region, FeedPosition.seq)):
            counted.seq.labels(region).set(seq)
    return Response(generate_latest(counted.registry), media_type=CONTENT_TYPE_LATEST)
