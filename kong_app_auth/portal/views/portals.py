"""Portals, as operators see them."""

from kong_app_auth.portal.contract.portals import PortalView
from kong_app_auth.portal.store.portals import Portal


def portal_view(portal: Portal) -> PortalView:
    """Give the answer for a portal."""
    return PortalView(
        id=portal.id,
        created_at=portal.created_at,
        updated_at=portal.updated_at,
        name=portal.name,
        display_name=portal.display_name,
        description=portal.description,
        authentication_enabled=portal.authentication_enabled,
        rbac_enabled=portal.rbac_enabled,
        sipr_enabled=False,
        default_api_visibility=portal.default_api_visibility,
        default_page_visibility=portal.default_page_visibility,
        default_application_auth_strategy_id=portal.default_application_auth_strategy_id,
        auto_approve_developers=portal.auto_approve_developers,
        auto_approve_applications=portal.auto_approve_applications,
        default_domain=portal.default_domain,
        canonical_domain=portal.custom_domain or portal.default_domain,
        labels=portal.labels,
        notifications_developer_pii_visibility_enabled=portal.notifications_developer_pii_visibility_enabled,
    )
