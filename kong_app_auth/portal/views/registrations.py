"""Registrations, as operators and as developers see them."""

from collections.abc import Mapping

from kong_app_auth.portal.contract.registrations import (
    AnswersView,
    AnswerView,
    ConsumerView,
    OwnRegistrationView,
    RegisteredApi,
    RegisteredApplication,
    RegistrationView,
)
from kong_app_auth.portal.store.applications import Registration


def registration_view(registration: Registration) -> RegistrationView:
    """Give a registration as operators see it."""
    api, application = registration.api, registration.application
    view = RegistrationView(
        id=registration.id,
        created_at=registration.created_at,
        updated_at=registration.updated_at,
        status=registration.status,
        api=RegisteredApi(id=api.id, name=api.name, version=api.version, entity_type="api"),
        application=RegisteredApplication(id=application.id, name=application.name),
    )
    if registration.consumer is not None:
        view.consumer = ConsumerView(**registration.consumer)
    return view


def own_registration_view(registration: Registration) -> OwnRegistrationView:
    """Give a registration as the application's owner sees it."""
    return OwnRegistrationView(
        id=registration.id,
        created_at=registration.created_at,
        updated_at=registration.updated_at,
        status=registration.status,
        api_name=registration.api.name,
        api_id=registration.api_id,
        api_slug=registration.api.slug,
        application_id=registration.application_id,
    )


def answers_view(registration: Registration, labels: Mapping[str, str]) -> AnswersView:
    """Give what the applicant wrote; a field that is asked no more goes by its name."""
    return AnswersView(
        data=[
            AnswerView(name=name, label=labels.get(name, name), value=value)
            for name, value in registration.fields.items()
        ],
        reason=registration.reason,
    )
