"""What a portal's pages look like, as operators see it."""

from kong_app_auth.portal.contract.appearance import AppearanceView
from kong_app_auth.portal.store.portals import Portal


def appearance_view(portal: Portal) -> AppearanceView:
    """Give the answer of `/v3/portals/{id}/appearance`."""
    return AppearanceView(accent=portal.accent, logo=logo_path(portal))


def logo_path(portal: Portal) -> str | None:
    """Where the logo is, below the portal's own address."""
    return None if portal.logo_version is None else f"/appearance/logo-{portal.logo_version}"
