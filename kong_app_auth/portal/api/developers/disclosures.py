"""Beyond Konnect: `/api/v3/key-disclosures`, for people who find a leaked key. Nobody needs to sign in."""

from kong_app_auth.portal.api.client_address import client_address, counted_as
from kong_app_auth.portal.api.request_id import request_id_of
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Guest
from kong_app_auth.portal.contract.disclosures import DiscloseKey
from kong_app_auth.portal.services import disclosures

routes = router("/api/v3/key-disclosures", "Key disclosures")


@routes.post("", status_code=204)
def disclose_key(access: Guest, wanted: DiscloseKey) -> None:
    """Hand in a key that was found in the open: a real one is revoked, its owner told. Always 204, real or not."""
    address = counted_as(client_address(access.request, access.plane.configuration.trusted_proxies))
    disclosures.disclose(access.plane, address, wanted.key, request_id_of(access.request))
