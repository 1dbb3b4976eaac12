"""Auth strategies: made, changed, deleted, and how long the keys of one are good for.

The region's own strategy (`services.built_in_strategy`) can be set up as any other, but it keeps its name and stays:
portals are made with it, and what people write about a new portal says `key-auth`.
"""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import undefer

from kong_app_auth.domain import key_names, openid_connect
from kong_app_auth.portal.contract.common import merged
from kong_app_auth.portal.contract.strategies import (
    CreateStrategy,
    KeyAuthConfig,
    OidcConfig,
    OidcUpdate,
    UpdateStrategy,
)
from kong_app_auth.portal.errors import Conflict, Invalid, InvalidParameter, NotFound, invalid
from kong_app_auth.portal.services import dcr_providers
from kong_app_auth.portal.services.rbac import visible_apis
from kong_app_auth.portal.store.apis import Publication
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.strategies import AuthStrategy, DcrProvider
from kong_app_auth.portal.transaction import Transaction

DAYS: Final = {"days": 1, "weeks": 7, "years": 365}
"""Days of a unit of a TTL."""
MAX_DAYS: Final = 36_500
MAX_SETTINGS: Final = 16 * 1024
"""Characters of an OpenID Connect strategy's further settings, as JSON."""
MAX_DEPTH: Final = 8
T = TypeVar("T")

_SECRET_NAMES: Final = ("secret", "password", "private_key", "jwk")


def all_strategies(tx: Transaction) -> Select[AuthStrategy]:
    """Select the strategies of the caller's region, with their providers for filters and sorting."""
    return (
        select(AuthStrategy)
        .outerjoin(DcrProvider, DcrProvider.id == AuthStrategy.dcr_provider_id)
        .where(AuthStrategy.region == tx.region)
        .options(undefer(AuthStrategy.active))
    )


def usable_by(tx: Transaction, portal: Portal, developer_id: str) -> Select[AuthStrategy]:
    """Select the strategies by which the APIs that a developer sees in a portal can be used."""
    seen = visible_apis(tx, portal, developer_id).with_only_columns(Publication.auth_strategy_id)
    return select(AuthStrategy).where(AuthStrategy.region == tx.region, AuthStrategy.id.in_(seen))


def the_strategy(tx: Transaction, strategy_id: str) -> AuthStrategy:
    """Give a strategy of the caller's region. Raises NotFound."""
    found = tx.find(AuthStrategy, strategy_id)
    if found is None or found.region != tx.region:
        raise NotFound("Auth strategy not found")
    return found


def ttl(strategy: AuthStrategy) -> timedelta | None:
    """Say how long a key that is made now is good for; None: for ever. A year is 365 days.

    Whoever makes a key asks this once: changing the TTL later touches no key that exists.
    """
    span: Mapping[str, Any] | None = strategy.config.get("ttl")
    return None if span is None else timedelta(days=span["value"] * DAYS[span["unit"]])


def create(tx: Transaction, wanted: CreateStrategy) -> AuthStrategy:
    """Make a strategy. Raises Invalid."""
    _check_name(tx, wanted.name, None)
    strategy = AuthStrategy(region=tx.region, strategy_type=wanted.strategy_type)
    _take_over(tx, strategy, wanted)
    tx.session.add(strategy)
    tx.session.flush()
    return strategy


def replace(tx: Transaction, strategy_id: str, wanted: CreateStrategy) -> AuthStrategy:
    """Put other settings in the place of all that a strategy has. Its type stays. Raises NotFound, Invalid."""
    strategy = the_strategy(tx, strategy_id)
    if wanted.strategy_type != strategy.strategy_type:
        raise invalid("strategy_type", "cannot be changed; make another strategy")
    _check_name(tx, wanted.name, strategy)
    _take_over(tx, strategy, wanted)
    tx.session.flush()
    return strategy


def update(tx: Transaction, strategy_id: str, wanted: UpdateStrategy) -> AuthStrategy:
    """Change what `wanted` names, setting by setting in `configs` too. Raises NotFound, Invalid."""
    strategy = the_strategy(tx, strategy_id)
    given = wanted.model_fields_set
    if "name" in given:
        _check_name(tx, wanted.name, strategy)
        strategy.name = wanted.name
    if "display_name" in given:
        strategy.display_name = wanted.display_name
    if "labels" in given:
        strategy.labels = merged(strategy.labels, wanted.labels)
    if "principals" in given:
        strategy.principals_enabled = wanted.principals.enabled
    if "dcr_provider_id" in given:
        _set_provider(tx, strategy, wanted.dcr_provider_id)
    if "configs" in given:
        if strategy.strategy_type == "key_auth":
            key_auth = _the_one(wanted.configs.key_auth, wanted.configs.openid_connect, "key-auth", "openid-connect")
            strategy.config = _key_auth(strategy.config, key_auth)
        else:
            oidc = _the_one(wanted.configs.openid_connect, wanted.configs.key_auth, "openid-connect", "key-auth")
            strategy.config = _openid_connect(strategy.config, oidc)
    tx.session.flush()
    return strategy


def delete(tx: Transaction, strategy_id: str) -> None:
    """Delete a strategy that nothing uses. Raises NotFound; Conflict where something does."""
    strategy = the_strategy(tx, strategy_id)
    if strategy.built_in:
        raise Conflict("This strategy is built in, it cannot be deleted")
    uses = {
        "a publication": Publication.auth_strategy_id,
        "a portal's default": Portal.default_application_auth_strategy_id,
        "an application": Application.auth_strategy_id,
    }
    found = [use for use, column in uses.items() if tx.session.scalar(select(exists().where(column == strategy.id)))]
    if found:
        raise Conflict(f"The strategy is in use: it is that of {' and of '.join(found)}")
    tx.session.delete(strategy)
    tx.session.flush()


def _take_over(tx: Transaction, strategy: AuthStrategy, wanted: CreateStrategy) -> None:
    strategy.name = wanted.name
    strategy.display_name = wanted.display_name
    strategy.labels = dict(wanted.labels)
    strategy.principals_enabled = wanted.principals.enabled
    if wanted.strategy_type == "key_auth":
        if "dcr_provider_id" in wanted.model_fields_set:
            raise invalid("dcr_provider_id", "is for openid_connect strategies", "unknown_property")
        key_auth = _the_one(wanted.configs.key_auth, wanted.configs.openid_connect, "key-auth", "openid-connect")
        strategy.config = _key_auth({}, key_auth)
    else:
        oidc = _the_one(wanted.configs.openid_connect, wanted.configs.key_auth, "openid-connect", "key-auth")
        strategy.config = _openid_connect({}, oidc)
        _set_provider(tx, strategy, wanted.dcr_provider_id)


def _check_name(tx: Transaction, name: str, own: AuthStrategy | None) -> None:
    if own is not None and own.built_in and name != own.name:
        raise invalid("name", "cannot be changed, for the strategy is built in; change the display name instead")
    known = tx.session.scalar(select(AuthStrategy).where(AuthStrategy.region == tx.region, AuthStrategy.name == name))
    if known is not None and known is not own:
        raise invalid("name", "is the name of another auth strategy")


def _set_provider(tx: Transaction, strategy: AuthStrategy, provider_id: str | None) -> None:
    if provider_id == strategy.dcr_provider_id:
        return
    if strategy.strategy_type == "key_auth":
        raise invalid("dcr_provider_id", "is for openid_connect strategies")
    provider = None
    if provider_id is not None:
        try:
            provider = dcr_providers.the_provider(tx, provider_id)
        except NotFound:
            raise invalid("dcr_provider_id", "is no DCR provider", "missing_reference") from None
    # The clients of its applications live at the provider that made them.
    used = exists().where(Application.auth_strategy_id == strategy.id)
    if strategy in tx.session and tx.session.scalar(select(used)):
        raise invalid("dcr_provider_id", "cannot be changed while applications use the strategy")
    strategy.dcr_provider = provider
    strategy.dcr_provider_id = provider_id


def _the_one(wanted: T | None, other: object | None, name: str, other_name: str) -> T:
    """Give the configuration of the strategy's own type, and refuse the other type's."""
    if other is not None:
        raise invalid(f"configs.{other_name}", "is not the configuration of this strategy's type", "unknown_property")
    if wanted is None:
        raise invalid(f"configs.{name}", "is a required field", "required")
    return wanted


def _key_auth(config: Mapping[str, Any], wanted: KeyAuthConfig) -> dict[str, Any]:
    result = dict(config)
    if "key_names" in wanted.model_fields_set or not config:
        result["key_names"] = _key_names(wanted.key_names)
    if "ttl" in wanted.model_fields_set:
        result.pop("ttl", None)
        if wanted.ttl is not None:
            most = MAX_DAYS // DAYS[wanted.ttl.unit]
            if wanted.ttl.value > most:
                raise Invalid(
                    InvalidParameter(
                        field="configs.key-auth.ttl.value",
                        reason=f"must be at most {most} {wanted.ttl.unit}",
                        rule="max",
                        bound=most,
                    )
                )
            result["ttl"] = {"value": wanted.ttl.value, "unit": wanted.ttl.unit}
    return result


def _key_names(names: list[str]) -> list[str]:
    wrong = key_names.wrong_name(names)
    if wrong is not None:
        rule = "matches_regex" if wrong.fault is key_names.Fault.NO_HEADER else "invalid"
        raise invalid("configs.key-auth.key_names", wrong.fault, rule)
    return list(names)


def _openid_connect(config: Mapping[str, Any], wanted: OidcConfig | OidcUpdate) -> dict[str, Any]:
    given = wanted.given("issuer", "credential_claim", "scopes", "auth_methods")
    more = dict(wanted.model_extra or {})
    for name in more:
        if any(part in name.lower() for part in _SECRET_NAMES):
            raise invalid(
                f"configs.openid-connect.{name[:64]}",
                "looks like a secret, and every operator may read a strategy; secrets belong to a DCR provider",
                "unknown_property",
            )
    result = {**config, **given, **more}
    wrong = openid_connect.read(result)
    if isinstance(wrong, openid_connect.Wrong):
        raise invalid(f"configs.openid-connect.{wrong.field}", wrong.reason)
    if not _plain(result, MAX_DEPTH) or len(json.dumps(result)) > MAX_SETTINGS:
        raise invalid("configs.openid-connect", f"must be plain JSON of at most {MAX_SETTINGS} characters")
    return result


def _plain(value: Any, depth: int) -> bool:
    """Say whether a value is JSON that every database and client can keep: finite, and not too deep."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, dict | list):
        parts = cast("dict[str, Any] | list[Any]", value)
        return depth > 0 and all(
            _plain(part, depth - 1) for part in (parts.values() if isinstance(parts, dict) else parts)
        )
    return True
