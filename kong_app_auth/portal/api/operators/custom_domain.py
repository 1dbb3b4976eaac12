"""`/v3/portals/{portalId}/custom-domain`: beyond Konnect's contract."""

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.custom_domain import DomainView, SetDomain
from kong_app_auth.portal.services import custom_domains

routes = router("/v3/portals/{portal_id}/custom-domain", "Portal Custom Domains")


@routes.get("")
def get_domain(access: Reader, portal_id: str) -> DomainView:
    """Give the portal's own host name."""
    with access.read() as tx:
        return DomainView(hostname=custom_domains.domain_of(tx, portal_id))


@routes.put("")
def put_domain(access: Writer, portal_id: str, wanted: SetDomain) -> DomainView:
    """Set the portal's own host name."""
    with access.write() as tx:
        return DomainView(hostname=custom_domains.put(tx, portal_id, wanted))


@routes.delete("", status_code=204)
def delete_domain(access: Writer, portal_id: str) -> None:
    """Take the portal's own host name away."""
    with access.write() as tx:
        custom_domains.remove(tx, portal_id)
