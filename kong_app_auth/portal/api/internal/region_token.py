"""Who may call the internal routes of a region: the holder of its token, its sync daemon."""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Request

from kong_app_auth.portal.api.security import Plane, bearer
from kong_app_auth.portal.errors import Unauthorized


def _region(request: Request, plane: Plane, region: str) -> str:
    given = (bearer(request) or "").encode()
    expected = plane.configuration.feed_tokens.get(region, "").encode()
    # Digests, so that a comparison takes as long whatever the length; an unknown region takes as long too.
    same = hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())
    if not same or not expected or region not in plane.configuration.regions:
        raise Unauthorized("The token of this region is needed")
    return region


TokensRegion = Annotated[str, Depends(_region)]
"""The region in the path, whose token the caller has. What is no region of this portal is a 401 like a wrong token."""
