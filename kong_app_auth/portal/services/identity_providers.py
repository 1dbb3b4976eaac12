"""The identity providers of a portal: at most one OIDC and one SAML; OIDC is what developers can sign in by.

SAML providers are kept as they are told, so that they can be moved here, and are never enabled.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Select, select

from kong_app_auth.portal.contract.authentication import CreateProvider, ProviderConfig, UpdateProvider
from kong_app_auth.portal.errors import Conflict, Invalid, InvalidParameter, NotFound, invalid
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.portals import IdentityProvider, Portal, TeamGroupMapping
from kong_app_auth.portal.transaction import Transaction

SAML_REFUSED: Final = "signing in by SAML is not supported here: use an OIDC identity provider"
_FIELDS: Final = {
    "oidc": ("issuer_url", "client_id", "client_secret", "scopes", "claim_mappings"),
    "saml": ("idp_metadata_url", "idp_metadata_xml"),
}
_DEFAULTS: Final[dict[str, Any]] = {
    "scopes": ["email", "openid", "profile"],
    "claim_mappings": {"name": "name", "email": "email", "groups": "groups"},
}
_IN_BODY: Final = {name: f"config.{name}" for names in _FIELDS.values() for name in names}


def providers_of_portal(tx: Transaction, portal_id: str) -> Select[IdentityProvider]:
    """Select the identity providers of a portal. Raises NotFound."""
    return select(IdentityProvider).where(IdentityProvider.portal_id == the_portal(tx, portal_id).id)


def the_provider(tx: Transaction, portal_id: str, provider_id: str) -> IdentityProvider:
    """Give an identity provider of a portal. Raises NotFound."""
    portal = the_portal(tx, portal_id)
    found = tx.find(IdentityProvider, provider_id)
    if found is None or found.portal_id != portal.id:
        raise NotFound("Identity provider not found")
    return found


def of_type(tx: Transaction, portal: Portal, provider_type: str) -> IdentityProvider | None:
    """Give a portal's provider of a type, None where it has none."""
    return tx.session.scalar(
        select(IdentityProvider).where(IdentityProvider.portal_id == portal.id, IdentityProvider.type == provider_type)
    )


def create(tx: Transaction, portal_id: str, wanted: CreateProvider) -> IdentityProvider:
    """Make an identity provider. Raises NotFound, Invalid; Conflict where the portal has one of this type."""
    portal = the_portal(tx, portal_id)
    if wanted.type is None:
        raise invalid("type", "is needed: oidc")
    if of_type(tx, portal, wanted.type) is not None:
        raise Conflict(f"This portal has a provider of type {wanted.type} already; change that one")
    provider = IdentityProvider(portal_id=portal.id, type=wanted.type, enabled=False, config={})
    configure(tx, provider, wanted.config)
    switch(provider, enabled=wanted.enabled)
    tx.session.add(provider)
    tx.session.flush()
    return provider


def update(tx: Transaction, portal_id: str, provider_id: str, wanted: UpdateProvider) -> IdentityProvider:
    """Change an identity provider. Raises NotFound, Invalid."""
    provider = the_provider(tx, portal_id, provider_id)
    if "config" in wanted.model_fields_set:
        configure(tx, provider, wanted.config)
    if "enabled" in wanted.model_fields_set:
        switch(provider, enabled=wanted.enabled)
    tx.session.flush()
    check_sign_in(tx, the_portal(tx, portal_id), "enabled")
    return provider


def delete(tx: Transaction, portal_id: str, provider_id: str) -> None:
    """Delete an identity provider with its mappings. Raises NotFound; Invalid for the last way to sign in."""
    provider = the_provider(tx, portal_id, provider_id)
    portal = the_portal(tx, portal_id)
    for mapping in tx.session.scalars(
        select(TeamGroupMapping).where(TeamGroupMapping.identity_provider_id == provider.id)
    ):
        tx.session.delete(mapping)
    tx.session.flush()
    tx.session.delete(provider)
    tx.session.flush()
    check_sign_in(tx, portal, "id", source="path")
    if not has_provider(tx, portal):
        portal.authentication.idp_mapping_enabled = False
        tx.session.flush()


def configure(
    tx: Transaction, provider: IdentityProvider, wanted: ProviderConfig, names: Mapping[str, str] = _IN_BODY
) -> None:
    """Put settings into a provider: what is left out keeps its value, or the default.

    `names`: what the fields are called in the request. Raises Invalid.
    """
    given = wanted.given(*_IN_BODY)
    for name in given.keys() - set(_FIELDS[provider.type]):
        raise invalid(names[name], f"is no setting of a provider of type {provider.type}")
    config = _oidc(tx, provider, wanted, names) if provider.type == "oidc" else _saml(provider, given, names)
    if config != provider.config:
        provider.config = config


def switch(provider: IdentityProvider, *, enabled: bool, field: str = "enabled") -> None:
    """Enable a provider, or disable it. Raises Invalid for SAML."""
    if enabled and provider.type == "saml":
        raise invalid(field, SAML_REFUSED)
    provider.enabled = enabled


def check_sign_in(tx: Transaction, portal: Portal, field: str, *, source: str = "body") -> None:
    """Raise Invalid where developers are left without a way to sign in. Call it with everything flushed."""
    if portal.authentication.basic_auth_enabled:
        return
    enabled = select(IdentityProvider.id).where(
        IdentityProvider.portal_id == portal.id, IdentityProvider.enabled.is_(True)
    )
    if tx.session.scalar(enabled) is None:
        raise invalid(field, "no way to sign in would be left: enable another one first", source=source)


def has_provider(tx: Transaction, portal: Portal) -> bool:
    """Say whether a portal has an identity provider, enabled or not."""
    return tx.session.scalar(select(IdentityProvider.id).where(IdentityProvider.portal_id == portal.id)) is not None


def _oidc(
    tx: Transaction, provider: IdentityProvider, wanted: ProviderConfig, names: Mapping[str, str]
) -> dict[str, Any]:
    before = {**_DEFAULTS, **provider.config}
    config = {**before, **wanted.given("issuer_url", "client_id", "scopes")}
    for name in ("issuer_url", "client_id"):
        if name not in config:
            raise invalid(names[name], "is needed")
    if "claim_mappings" in wanted.model_fields_set:
        config["claim_mappings"] = before["claim_mappings"] | wanted.claim_mappings.given("name", "email", "groups")
    if "client_secret" in wanted.model_fields_set:
        provider.secret = tx.vault.seal(wanted.client_secret)
    elif provider.secret is not None and config["issuer_url"] != before["issuer_url"]:
        # The secret is between this portal and the old issuer: the new one is not to get it unasked.
        raise invalid(names["client_secret"], "is needed again for another issuer")
    return config


def _saml(provider: IdentityProvider, given: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    if len(given) > 1:
        both = tuple(names[name] for name in given)
        reason = "is given by its URL or in full, not both"
        raise Invalid(InvalidParameter(field=both[0], reason=reason, rule="dependent_fields", dependents=both[1:]))
    if not given and not provider.config:
        raise invalid(names["idp_metadata_url"], "is needed, or idp_metadata_xml")
    return given or provider.config
