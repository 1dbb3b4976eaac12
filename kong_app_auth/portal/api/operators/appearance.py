"""Beyond Konnect: `/v3/portals/{id}/appearance`, the colour and the logo of a portal's pages."""

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.appearance import AppearanceView, UpdateAppearance
from kong_app_auth.portal.services import appearance
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.views.appearance import appearance_view

routes = router("/v3/portals/{portal_id}/appearance", "Appearance")


@routes.get("")
def get_appearance(access: Reader, portal_id: str) -> AppearanceView:
    """Give the colour and the logo of a portal's pages."""
    with access.read() as tx:
        return appearance_view(the_portal(tx, portal_id))


@routes.patch("")
def update_appearance(access: Writer, portal_id: str, wanted: UpdateAppearance) -> AppearanceView:
    """Change the colour or the logo of a portal's pages; a colour that cannot be read is refused."""
    with access.write() as tx:
        return appearance_view(appearance.update(tx, portal_id, wanted))
