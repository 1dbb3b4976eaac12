"""A portal's settings for signing in. What they tell of OIDC and SAML is kept in the identity providers."""

from typing import Final

from kong_app_auth.portal.contract.authentication import ProviderConfig, UpdateSettings
from kong_app_auth.portal.errors import Invalid, InvalidParameter, invalid
from kong_app_auth.portal.services import identity_providers
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.portals import IdentityProvider, Portal
from kong_app_auth.portal.transaction import Transaction

_NAMES: Final = {
    "issuer_url": "oidc_issuer",
    "client_id": "oidc_client_id",
    "client_secret": "oidc_client_secret",
    "scopes": "oidc_scopes",
    "claim_mappings": "oidc_claim_mappings",
}
"""What the settings of an OIDC provider are called here."""
_MAPPING: Final = ("idp_mapping_enabled", "oidc_team_mapping_enabled")
"""The newer and the older name of one switch."""


def oidc_provider(tx: Transaction, portal: Portal) -> IdentityProvider | None:
    """Give the portal's OIDC provider, None where it has none."""
    return identity_providers.of_type(tx, portal, "oidc")


def update(tx: Transaction, portal_id: str, wanted: UpdateSettings) -> Portal:
    """Change the settings. Raises NotFound; Invalid where no way to sign in would be left, and for SAML."""
    portal = the_portal(tx, portal_id)
    settings = portal.authentication
    if wanted.saml_auth_enabled:
        raise invalid("saml_auth_enabled", identity_providers.SAML_REFUSED)
    _tell_provider(tx, portal, wanted)
    for name, value in wanted.given("basic_auth_enabled", "konnect_mapping_enabled").items():
        setattr(settings, name, value)
    _switch_mapping(tx, portal, wanted)
    tx.session.flush()
    if wanted.model_fields_set & {"basic_auth_enabled", "oidc_auth_enabled"}:
        field = "basic_auth_enabled" if "basic_auth_enabled" in wanted.model_fields_set else "oidc_auth_enabled"
        identity_providers.check_sign_in(tx, portal, field)
    return portal


def _tell_provider(tx: Transaction, portal: Portal, wanted: UpdateSettings) -> None:
    given = {name: getattr(wanted, field) for name, field in _NAMES.items() if field in wanted.model_fields_set}
    provider = oidc_provider(tx, portal)
    if provider is None and (given or wanted.oidc_auth_enabled):
        missing = tuple(_NAMES[name] for name in ("issuer_url", "client_id") if name not in given)
        if missing:
            raise Invalid(
                InvalidParameter(
                    field="oidc_auth_enabled" if wanted.oidc_auth_enabled else _NAMES[next(iter(given))],
                    reason="needs an OIDC identity provider: give its issuer and client id",
                    rule="dependent_fields",
                    dependents=missing,
                )
            )
        provider = IdentityProvider(portal_id=portal.id, type="oidc", enabled=False, config={})
        tx.session.add(provider)
    if provider is None:
        return
    if given:
        identity_providers.configure(tx, provider, ProviderConfig.model_construct(set(given), **given), _NAMES)
    if "oidc_auth_enabled" in wanted.model_fields_set:
        identity_providers.switch(provider, enabled=wanted.oidc_auth_enabled)


def _switch_mapping(tx: Transaction, portal: Portal, wanted: UpdateSettings) -> None:
    values = wanted.given(*_MAPPING)
    if not values:
        return
    if len(set(values.values())) > 1:
        raise invalid(_MAPPING[1], f"is the older name of {_MAPPING[0]}, which says otherwise")
    enabled = next(iter(values.values()))
    tx.session.flush()
    if enabled and not identity_providers.has_provider(tx, portal):
        raise invalid(next(iter(values)), "needs an identity provider", "dependent_fields")
    portal.authentication.idp_mapping_enabled = enabled
