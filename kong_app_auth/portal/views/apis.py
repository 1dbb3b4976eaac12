"""APIs and their registrations, as operators see them."""

from collections.abc import Mapping

from kong_app_auth.portal.contract.apis import (
    ApiRegistrationView,
    ApiView,
    Owner,
    PublishingPortal,
    RegisteredApplication,
    RegistrationPortal,
    VersionSpecification,
    VersionSummary,
)
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Registration
from kong_app_auth.portal.store.portals import Portal

OF_SERVICE = "gateway_entity_binding"
OF_CONTROL_PLANE = "access_control_enforcement"
"""How an API is implemented: the contract's `implementation_mode`."""


def api_view(api: Api) -> ApiView:
    """Give the answer for an API."""
    return ApiView(
        id=api.id,
        name=api.name,
        description=api.description,
        version=api.version,
        current_version_summary=_version(api),
        slug=api.slug,
        api_spec_ids=[one.id for one in api.specifications],
        portals=[
            PublishingPortal(id=one.portal.id, name=one.portal.name, display_name=one.portal.display_name)
            for one in sorted(api.publications, key=lambda one: (one.created_at, one.id))
        ],
        labels=api.labels,
        implementation_mode=_mode(api),
        attributes=api.attributes,
        created_at=api.created_at,
        updated_at=api.updated_at,
    )


def registration_view(registration: Registration, portals: Mapping[str, Portal]) -> ApiRegistrationView:
    """Give a registration as it stands in the list of an API's; `portals` by id."""
    application = registration.application
    portal = portals[application.portal_id]
    owner_type = "team" if application.developer_id is None else "developer"
    shown = RegisteredApplication(
        id=application.id,
        name=application.name,
        owner=Owner(type=owner_type, id=application.developer_id or application.team_id or ""),
    )
    if application.description is not None:
        shown.description = application.description
    return ApiRegistrationView(
        id=registration.id,
        status=registration.status,
        portal=RegistrationPortal(id=portal.id, name=portal.name),
        application=shown,
    )


def _version(api: Api) -> VersionSummary | None:
    if not api.specifications:
        return None
    specification = api.specifications[0]
    return VersionSummary(
        id=specification.id,
        version=api.version or "",
        spec=VersionSpecification(type=specification.type),
        created_at=specification.created_at,
        updated_at=specification.updated_at,
    )


def _mode(api: Api) -> str | None:
    if api.implementation is None:
        return None
    return OF_CONTROL_PLANE if api.implementation.service_id is None else OF_SERVICE
