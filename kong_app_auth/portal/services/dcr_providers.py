"""DCR providers: the records of those at which clients of applications are made. Their secrets are sealed."""

import json
from typing import Any, Final

import msgspec
from sqlalchemy import Select, exists, select
from sqlalchemy.orm import undefer

from kong_app_auth.oidc.dcr.provider import DcrFailed
from kong_app_auth.portal.contract.common import merged
from kong_app_auth.portal.contract.dcr_providers import CreateProvider, DcrConfig, UpdateProvider
from kong_app_auth.portal.errors import Forbidden, Invalid, InvalidParameter, NotFound, invalid
from kong_app_auth.portal.services.callers import Caller
from kong_app_auth.portal.services.dcr_connections import connect
from kong_app_auth.portal.store.clients import OAuthClient
from kong_app_auth.portal.store.strategies import AuthStrategy, DcrProvider
from kong_app_auth.portal.transaction import Transaction


class Shape(msgspec.Struct, frozen=True):
    """The settings of a provider type: those it needs, those it may have with their defaults, and which are secret."""

    required: tuple[str, ...] = ()
    optional: dict[str, Any] = {}
    secret: frozenset[str] = frozenset()


_CLIENT: Final = ("initial_client_id", "initial_client_secret")
_CLIENT_SECRET: Final = frozenset({"initial_client_secret"})
SHAPES: Final = {
    "auth0": Shape(_CLIENT, {"initial_client_audience": None, "use_developer_managed_scopes": False}, _CLIENT_SECRET),
    "azureAd": Shape(_CLIENT, secret=_CLIENT_SECRET),
    "curity": Shape(_CLIENT, secret=_CLIENT_SECRET),
    "okta": Shape(("dcr_token",), secret=frozenset({"dcr_token"})),
    "http": Shape(
        ("dcr_base_url", "api_key"),
        {"disable_event_hooks": False, "disable_refresh_secret": False, "allow_multiple_credentials": False},
        frozenset({"api_key"}),
    ),
    "kongIdentity": Shape(),
    "rfc7591": Shape(
        (), {"registration_endpoint": None, "initial_access_token": None}, frozenset({"initial_access_token"})
    ),
}


def all_providers(tx: Transaction) -> Select[DcrProvider]:
    """Select the providers of the caller's region."""
    return select(DcrProvider).where(DcrProvider.region == tx.region).options(undefer(DcrProvider.active))


def the_provider(tx: Transaction, provider_id: str) -> DcrProvider:
    """Give a provider of the caller's region. Raises NotFound."""
    found = tx.find(DcrProvider, provider_id)
    if found is None or found.region != tx.region:
        raise NotFound("DCR provider not found")
    return found


def secrets_of(tx: Transaction, provider: DcrProvider) -> dict[str, str]:
    """Open the secrets of a provider: setting to value. For those who talk to it only. Raises Sealed."""
    opened: dict[str, str] = json.loads(tx.vault.open(provider.secrets))
    return opened


def create(tx: Transaction, wanted: CreateProvider) -> DcrProvider:
    """Make the record of a provider. Raises Invalid."""
    _check_name(tx, wanted.name, None)
    shape = SHAPES[wanted.provider_type]
    if shape.required and "dcr_config" not in wanted.model_fields_set:
        raise invalid("dcr_config", "is a required field", "required")
    settings = _settings(wanted.provider_type, wanted.dcr_config)
    missing = [name for name in shape.required if name not in settings]
    if missing:
        raise Invalid(
            *(
                InvalidParameter(field=f"dcr_config.{name}", reason="is a required field", rule="required")
                for name in missing
            )
        )
    provider = DcrProvider(
        region=tx.region,
        name=wanted.name,
        display_name=wanted.display_name or None,
        provider_type=wanted.provider_type,
        issuer=wanted.issuer,
        config={
            name: settings.get(name, shape.optional.get(name))
            for name in dict.fromkeys((*shape.optional, *settings))
            if name not in shape.secret
        },
        secrets=_sealed(tx, {name: settings[name] for name in settings if name in shape.secret}),
        labels=dict(wanted.labels),
    )
    tx.session.add(provider)
    tx.session.flush()
    return provider


def update(tx: Transaction, provider_id: str, wanted: UpdateProvider) -> DcrProvider:
    """Change what `wanted` names, setting by setting in `dcr_config` too. Raises NotFound, Invalid."""
    provider = the_provider(tx, provider_id)
    if "name" in wanted.model_fields_set:
        _check_name(tx, wanted.name, provider)
    for name, value in wanted.given("name", "display_name", "issuer").items():
        setattr(provider, name, value)
    if "labels" in wanted.model_fields_set:
        provider.labels = merged(provider.labels, wanted.labels)
    if settings := _settings(provider.provider_type, wanted.dcr_config):
        secret = SHAPES[provider.provider_type].secret
        provider.config = {**provider.config, **{name: settings[name] for name in settings if name not in secret}}
        if new := {name: settings[name] for name in settings if name in secret}:
            provider.secrets = _sealed(tx, {**secrets_of(tx, provider), **new})
    tx.session.flush()
    return provider


def verify(caller: Caller, provider_id: str) -> tuple[str, ...]:
    """Try a provider's settings; give what is wrong with them, in sentences. No client is made. Raises NotFound."""
    with caller.read() as tx:
        try:
            provider = connect(tx, caller.plane.outgoing, the_provider(tx, provider_id))
        except DcrFailed as failed:
            return (failed.detail,)
    return provider.verify()


def delete(tx: Transaction, provider_id: str) -> None:
    """Delete the record of a provider that no strategy uses.

    Raises NotFound; Forbidden where a strategy uses it, for the contract has no 409 here.
    """
    provider = the_provider(tx, provider_id)
    if tx.session.scalar(select(exists().where(AuthStrategy.dcr_provider_id == provider.id))):
        raise Forbidden("An auth strategy uses this DCR provider; take it from the strategy first")
    if tx.session.scalar(select(exists().where(OAuthClient.dcr_provider_id == provider.id))):
        raise Forbidden("Clients of applications that are gone are still to be deleted there; try again in a moment")
    tx.session.delete(provider)
    tx.session.flush()


def _check_name(tx: Transaction, name: str, own: DcrProvider | None) -> None:
    known = tx.session.scalar(select(DcrProvider).where(DcrProvider.region == tx.region, DcrProvider.name == name))
    if known is not None and known is not own:
        raise invalid("name", "is the name of another DCR provider")


def _settings(provider_type: str, config: DcrConfig) -> dict[str, Any]:
    """Give the settings that a request holds. Raises Invalid for those that the type has not."""
    shape = SHAPES[provider_type]
    settings = config.given(*type(config).model_fields)
    strange = [name for name in settings if name not in shape.required and name not in shape.optional]
    if strange:
        reason = f"is not a setting of {provider_type}"
        raise Invalid(
            *(InvalidParameter(field=f"dcr_config.{name}", reason=reason, rule="unknown_property") for name in strange)
        )
    return settings


def _sealed(tx: Transaction, secrets: dict[str, str]) -> str:
    return tx.vault.seal(json.dumps(secrets))
