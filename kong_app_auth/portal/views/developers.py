"""Developers, as operators see them."""

from kong_app_auth.portal.contract.developers import DeveloperView
from kong_app_auth.portal.store.developers import Developer


def developer_view(developer: Developer) -> DeveloperView:
    """Give the answer for a developer."""
    return DeveloperView(
        id=developer.id,
        created_at=developer.created_at,
        updated_at=developer.updated_at,
        email=developer.email,
        full_name=developer.full_name,
        status=developer.status,
    )
