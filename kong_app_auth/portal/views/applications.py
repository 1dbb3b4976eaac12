"""Applications, as operators and as developers see them."""

from typing import TypeVar

from kong_app_auth.portal.contract.applications import (
    ApplicationDeveloperView,
    ApplicationView,
    NewOwnApplicationView,
    OwnApplicationView,
    OwnerView,
)
from kong_app_auth.portal.contract.common import Reference
from kong_app_auth.portal.services.dcr_clients import chooses_scopes
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.views.strategies import embedded_strategy_view, portal_strategy_view

View = TypeVar("View", bound=OwnApplicationView)

_MAX_NAME = 250
"""The contract's bound here; developers' own names may be a little longer."""


def application_view(application: Application) -> ApplicationView:
    """Give an application as operators see it."""
    owner = ("developer", application.developer_id) if application.team_id is None else ("team", application.team_id)
    view = ApplicationView(
        id=application.id,
        created_at=application.created_at,
        updated_at=application.updated_at,
        name=application.name,
        description=application.description,
        labels=application.labels,
        registration_count=application.registration_count,
        portal=Reference(id=application.portal_id),
        auth_strategy=embedded_strategy_view(application.auth_strategy, for_operators=True),
        owner=OwnerView(type=owner[0], id=str(owner[1])),
    )
    if application.auth_strategy.strategy_type == "openid_connect":
        provider_id = application.auth_strategy.dcr_provider_id
        view.client_id = application.client_id or ""
        view.dcr_provider = None if provider_id is None else Reference(id=provider_id)
        view.granted_scopes = application.granted_scopes
    return view


def own_application_view(application: Application) -> OwnApplicationView:
    """Give an application as its owner sees it."""
    return _own(OwnApplicationView, application)


def new_own_application_view(application: Application, client_secret: str | None) -> NewOwnApplicationView:
    """Give an application to its owner with the secret of its client, if one was made, which nobody can give again."""
    view = _own(NewOwnApplicationView, application)
    if client_secret is not None:
        view.client_secret = client_secret
    return view


def _own(kind: type[View], application: Application) -> View:
    view = kind(
        id=application.id,
        created_at=application.created_at,
        updated_at=application.updated_at,
        name=application.name,
        description=application.description,
        redirect_uri=application.redirect_uri,
        auth_strategy=portal_strategy_view(application.auth_strategy),
        team_id=application.team_id,
    )
    if application.client_id is not None:
        view.client_id = application.client_id
    if chooses_scopes(application.auth_strategy.dcr_provider):
        view.scopes = application.scopes
    return view


def application_developer_view(developer: Developer) -> ApplicationDeveloperView:
    """Give a developer who can reach an application."""
    return ApplicationDeveloperView(id=developer.id, email=developer.email, full_name=developer.full_name[:_MAX_NAME])
