"""Publications, as operators see them."""

from typing import Any

from kong_app_auth.portal.contract.publications import PublicationOfApi, PublicationOfPortal, PublicationView
from kong_app_auth.portal.store.apis import Publication

ENTITY_TYPE = "api"
"""What is published: packages of APIs there are none."""


def publication_view(publication: Publication, warnings: list[str]) -> PublicationView:
    """Give the answer for a publication."""
    return PublicationView(**_columns(publication, warnings))


def publication_of_api(publication: Publication, warnings: list[str]) -> PublicationOfApi:
    """Give a publication as it stands in the list of all."""
    return PublicationOfApi(
        api_id=publication.api_id,
        portal_id=publication.portal_id,
        entity_type=ENTITY_TYPE,
        **_columns(publication, warnings),
    )


def publication_of_portal(publication: Publication, warnings: list[str]) -> PublicationOfPortal:
    """Give a publication as it stands in the list of a portal's."""
    return PublicationOfPortal(
        api_id=publication.api_id,
        portal_ids=[publication.portal_id],
        entity_type=ENTITY_TYPE,
        **_columns(publication, warnings),
    )


def _columns(publication: Publication, warnings: list[str]) -> dict[str, Any]:
    strategy_id = publication.auth_strategy_id
    return {
        "auto_approve_registrations": publication.auto_approve_registrations,
        "auth_strategy_ids": None if strategy_id is None else [strategy_id],
        "visibility": publication.visibility,
        "warnings": warnings,
        "created_at": publication.created_at,
        "updated_at": publication.updated_at,
    }
