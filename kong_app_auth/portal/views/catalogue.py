"""The catalogue, as developers see it."""

from kong_app_auth.portal.contract.catalogue import (
    Actions,
    ActionsView,
    ApiApplication,
    CatalogueApi,
    CatalogueSpecification,
    CatalogueVersion,
    CatalogueVersionSpecification,
    SpecificationDocument,
    SpecificationInList,
)
from kong_app_auth.portal.store.apis import Api, ApiSpecification
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.views.strategies import embedded_strategy_view


def catalogue_api(api: Api) -> CatalogueApi:
    """Give the answer for an API, whose publications are the one in this portal."""
    publication = api.publications[0]
    strategy = publication.auth_strategy
    return CatalogueApi(
        id=api.id,
        created_at=api.created_at,
        updated_at=api.updated_at,
        name=api.name,
        version=api.version,
        description=api.description,
        visibility=publication.visibility,
        slug=api.slug,
        auth_strategies=[] if strategy is None else [embedded_strategy_view(strategy)],
        specifications=[CatalogueSpecification(id=one.id, type=one.type) for one in api.specifications],
        current_version_summary=_version(api),
        attributes=api.attributes,
    )


def actions_view(*, may_register: bool) -> ActionsView:
    """Give what may be done with an API that is seen."""
    return ActionsView(actions=Actions(view=True, register=may_register, view_documentation=True))


def specification_in_list(specification: ApiSpecification) -> SpecificationInList:
    """Give a specification as it stands in the list of an API's."""
    return SpecificationInList(id=specification.id, api_type=specification.type)


def specification_document(specification: ApiSpecification) -> SpecificationDocument:
    """Give the answer for a specification."""
    return SpecificationDocument(api_type=specification.type, content=specification.content)


def api_application(application: Application, registration: Registration | None) -> ApiApplication:
    """Give an application as it stands beside an API."""
    return ApiApplication(
        id=application.id,
        name=application.name,
        registration_id=None if registration is None else registration.id,
        registration_status=None if registration is None else registration.status,
        auth_strategy=embedded_strategy_view(application.auth_strategy),
        created_at=application.created_at,
        updated_at=application.updated_at,
    )


def _version(api: Api) -> CatalogueVersion | None:
    if not api.specifications:
        return None
    specification = api.specifications[0]
    return CatalogueVersion(id=specification.id, spec=CatalogueVersionSpecification(type=specification.type))
