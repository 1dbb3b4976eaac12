"""How developers sign in, as operators see it. Secrets are not."""

from kong_app_auth.portal.contract.authentication import (
    MappingView,
    OidcConfigView,
    ProviderView,
    SettingsView,
    TeamGroupsView,
)
from kong_app_auth.portal.store.portals import IdentityProvider, Portal, TeamGroupMapping


def settings_view(portal: Portal, oidc: IdentityProvider | None) -> SettingsView:
    """Give the answer for a portal's settings. `oidc`: its OIDC identity provider."""
    settings = portal.authentication
    config = {} if oidc is None else {"oidc_config": _oidc_config_view(oidc)}
    return SettingsView(
        basic_auth_enabled=settings.basic_auth_enabled,
        oidc_auth_enabled=oidc is not None and oidc.enabled,
        saml_auth_enabled=False,
        oidc_team_mapping_enabled=settings.idp_mapping_enabled,
        idp_mapping_enabled=settings.idp_mapping_enabled,
        konnect_mapping_enabled=settings.konnect_mapping_enabled,
        **config,
    )


def _oidc_config_view(oidc: IdentityProvider) -> OidcConfigView:
    return OidcConfigView(
        issuer=oidc.config["issuer_url"],
        client_id=oidc.config["client_id"],
        scopes=oidc.config["scopes"],
        claim_mappings=oidc.config["claim_mappings"],
    )


def provider_view(provider: IdentityProvider) -> ProviderView:
    """Give the answer for an identity provider."""
    return ProviderView(
        id=provider.id,
        type=provider.type,
        enabled=provider.enabled,
        config=provider.config,
        created_at=provider.created_at,
        updated_at=provider.updated_at,
    )


def mapping_view(mapping: TeamGroupMapping) -> MappingView:
    """Give the answer for a mapping."""
    return MappingView(
        id=mapping.id,
        team_id=mapping.team_id,
        group=mapping.group,
        created_at=mapping.created_at,
        updated_at=mapping.updated_at,
    )


def team_groups_view(team_id: str, groups: list[str]) -> TeamGroupsView:
    """Give the answer for a team's groups, in Konnect's older form."""
    return TeamGroupsView(team_id=team_id, groups=groups)
