"""Accounts, teams, sessions and the portal itself, as developers see them."""

import uuid
from collections.abc import Sequence
from typing import Final

from kong_app_auth.portal.configuration import Configuration
from kong_app_auth.portal.contract.accounts import (
    DeveloperTeamView,
    DeveloperView,
    PortalContext,
    SessionList,
    SessionView,
)
from kong_app_auth.portal.store.developers import Developer, DeveloperSession
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.teams import Team

_SHOWN_NAME: Final = 250
"""The contract takes names of 256 characters and shows 250 of them."""


def developer_view(developer: Developer) -> DeveloperView:
    """Give the answer for a developer."""
    return DeveloperView(
        id=developer.id,
        email=developer.email,
        full_name=developer.full_name[:_SHOWN_NAME],
        created_at=developer.created_at,
        updated_at=developer.updated_at,
    )


def developer_team_view(team: Team) -> DeveloperTeamView:
    """Give the answer for a team."""
    return DeveloperTeamView(
        id=team.id,
        name=team.name,
        description=team.description,
        created_at=team.created_at,
        updated_at=team.updated_at,
    )


def session_list(sessions: Sequence[DeveloperSession], current: str | None) -> SessionList:
    """Give the answer for a developer's sessions; `current` is the id of the one that asks."""
    return SessionList(
        data=[
            SessionView(
                id=one.id,
                created_at=one.created_at,
                refreshed_at=one.refreshed_at,
                expires_at=one.refresh_expires_at,
                device=one.device,
                current=one.id == current,
            )
            for one in sessions
        ]
    )


def portal_context(portal: Portal, configuration: Configuration) -> PortalContext:
    """Give the answer for the portal itself."""
    return PortalContext(
        portal_id=portal.id,
        org_id=organization_id(configuration),
        basic_auth_enabled=portal.authentication.basic_auth_enabled,
        oidc_auth_enabled=portal.authentication.oidc_auth_enabled,
        saml_auth_enabled=portal.authentication.saml_auth_enabled,
        authentication_enabled=portal.authentication_enabled,
        rbac_enabled=portal.rbac_enabled,
        name=portal.display_name,
        canonical_domain=portal.custom_domain or portal.default_domain,
    )


def organization_id(configuration: Configuration) -> str:
    """Give the id of the organisation. There is one, whose name is where it is found: the same after every start."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, configuration.public_url))
