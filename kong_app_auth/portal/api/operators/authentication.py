"""How developers of a portal sign in: settings, identity providers and their groups, under `/v3/portals/{portalId}`."""

from typing import Annotated

from fastapi import Depends, Path, Request

from kong_app_auth.portal.api.cursors import CursorListing, CursorQuery
from kong_app_auth.portal.api.listing import MAX_SIZE, Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.authentication import (
    CreateMapping,
    CreateProvider,
    MappingView,
    ProviderView,
    SettingsView,
    TeamGroupsList,
    UpdateProvider,
    UpdateSettings,
    UpdateTeamGroups,
)
from kong_app_auth.portal.contract.cursors import CursorListOf
from kong_app_auth.portal.errors import invalid
from kong_app_auth.portal.services import authentication_settings, identity_providers, team_group_mappings
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.portals import IdentityProvider, Portal, TeamGroupMapping
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.authentication import mapping_view, provider_view, settings_view, team_groups_view

routes = router("/v3/portals/{portal_id}", "Portal Auth Settings")

ProviderId = Annotated[str, Path(alias="id")]
"""The contract's `{id}` of an identity provider."""

_TEAMS = Listing(tie=Team.id, default=(Team.created_at,))
_MAPPINGS = CursorListing(
    TeamGroupMapping,
    {
        "team_id": Field(TeamGroupMapping.team_id, FieldKind.UUID),
        # A choice is compared letter by letter: providers tell Admins from admins.
        "group": Field(TeamGroupMapping.group, FieldKind.CHOICE),
    },
)


def _wanted_type(request: Request) -> str | None:
    """Read the only filter of the providers' list, which has no pages."""
    wanted: str | None = None
    for name, value in request.query_params.multi_items():
        if name not in ("filter[type]", "filter[type][eq]"):
            raise invalid(name, "is not a known parameter", "unknown_property", "query")
        wanted = value
    return wanted


@routes.get("/authentication-settings")
def get_settings(access: Reader, portal_id: str) -> SettingsView:
    """`get-portal-authentication-settings`."""
    with access.read() as tx:
        return _settings(tx, the_portal(tx, portal_id))


@routes.patch("/authentication-settings")
def update_settings(access: Writer, portal_id: str, wanted: UpdateSettings) -> SettingsView:
    """`update-portal-authentication-settings`."""
    with access.write() as tx:
        return _settings(tx, authentication_settings.update(tx, portal_id, wanted))


@routes.get("/identity-provider/team-group-mappings")
def list_team_groups(access: Reader, portal_id: str, query: Annotated[Query, Depends(_TEAMS)]) -> TeamGroupsList:
    """`list-portal-team-group-mappings`, Konnect's older form."""
    with access.read() as tx:
        return _team_groups(tx, team_group_mappings.current_provider(tx, portal_id), query)


@routes.patch("/identity-provider/team-group-mappings")
def update_team_groups(access: Writer, portal_id: str, wanted: UpdateTeamGroups) -> TeamGroupsList:
    """`update-portal-team-group-mappings`, Konnect's older form."""
    first_page = Query(MAX_SIZE, 1, (), (Team.created_at, Team.id))
    with access.write() as tx:
        return _team_groups(tx, team_group_mappings.replace(tx, portal_id, wanted), first_page)


@routes.get("/identity-providers")
def list_providers(
    access: Reader, portal_id: str, wanted_type: Annotated[str | None, Depends(_wanted_type)]
) -> list[ProviderView]:
    """`get-portal-identity-providers`."""
    with access.read() as tx:
        statement = identity_providers.providers_of_portal(tx, portal_id).order_by(IdentityProvider.type)
        if wanted_type is not None:
            statement = statement.where(IdentityProvider.type == wanted_type)
        return [provider_view(one) for one in tx.session.scalars(statement)]


@routes.post("/identity-providers", status_code=201)
def create_provider(access: Writer, portal_id: str, wanted: CreateProvider) -> ProviderView:
    """`create-portal-identity-provider`."""
    with access.write() as tx:
        return provider_view(identity_providers.create(tx, portal_id, wanted))


@routes.get("/identity-providers/{id}")
def get_provider(access: Reader, portal_id: str, provider_id: ProviderId) -> ProviderView:
    """`get-portal-identity-provider`."""
    with access.read() as tx:
        return provider_view(identity_providers.the_provider(tx, portal_id, provider_id))


@routes.patch("/identity-providers/{id}")
def update_provider(access: Writer, portal_id: str, provider_id: ProviderId, wanted: UpdateProvider) -> ProviderView:
    """`update-portal-identity-provider`."""
    with access.write() as tx:
        return provider_view(identity_providers.update(tx, portal_id, provider_id, wanted))


@routes.delete("/identity-providers/{id}", status_code=204)
def delete_provider(access: Writer, portal_id: str, provider_id: ProviderId) -> None:
    """`delete-portal-identity-provider`."""
    with access.write() as tx:
        identity_providers.delete(tx, portal_id, provider_id)


@routes.get("/identity-providers/{id}/team-group-mappings")
def list_mappings(
    access: Reader, portal_id: str, provider_id: ProviderId, query: Annotated[CursorQuery, Depends(_MAPPINGS)]
) -> CursorListOf[MappingView]:
    """`list-portal-idp-team-group-mappings`."""
    with access.read() as tx:
        return query.page(tx, team_group_mappings.mappings_of_provider(tx, portal_id, provider_id), mapping_view)


@routes.post("/identity-providers/{id}/team-group-mappings", status_code=201)
def create_mapping(access: Writer, portal_id: str, provider_id: ProviderId, wanted: CreateMapping) -> MappingView:
    """`create-portal-idp-team-group-mapping`."""
    with access.write() as tx:
        return mapping_view(team_group_mappings.create(tx, portal_id, provider_id, wanted))


@routes.get("/identity-providers/{id}/team-group-mappings/{mapping_id}")
def get_mapping(access: Reader, portal_id: str, provider_id: ProviderId, mapping_id: str) -> MappingView:
    """`get-portal-idp-team-group-mapping`."""
    with access.read() as tx:
        return mapping_view(team_group_mappings.the_mapping(tx, portal_id, provider_id, mapping_id))


@routes.delete("/identity-providers/{id}/team-group-mappings/{mapping_id}", status_code=204)
def delete_mapping(access: Writer, portal_id: str, provider_id: ProviderId, mapping_id: str) -> None:
    """`delete-portal-idp-team-group-mapping`."""
    with access.write() as tx:
        team_group_mappings.delete(tx, portal_id, provider_id, mapping_id)


def _settings(tx: Transaction, portal: Portal) -> SettingsView:
    return settings_view(portal, authentication_settings.oidc_provider(tx, portal))


def _team_groups(tx: Transaction, provider: IdentityProvider, query: Query) -> TeamGroupsList:
    teams, total = query.records(tx, team_group_mappings.mapped_teams(provider))
    groups = team_group_mappings.groups_of(tx, provider, [team.id for team in teams])
    return query.written([team_groups_view(team.id, groups[team.id]) for team in teams], total)
