"""Auth strategies, as operators and as developers see them.

The documents differ: operators see the whole configuration under `configs`, developers and applications the few
settings that a client needs. `ttl` is there only where it is set, `available_scopes` only where developers choose them.
A developer knows a strategy by its display name, for its name is meant for operators.
"""

from kong_app_auth.portal.contract.strategies import (
    EmbeddedStrategyView,
    PortalStrategyView,
    PrincipalsView,
    ProviderSummary,
    StrategyView,
    Ttl,
)
from kong_app_auth.portal.store.strategies import AuthStrategy, DcrProvider

CONFIG_NAMES = {"key_auth": "key-auth", "openid_connect": "openid-connect"}
"""What the configuration of a type is called under `configs`."""


def operator_strategy_view(strategy: AuthStrategy) -> StrategyView:
    """Give the answer of `/v2/application-auth-strategies` for a strategy."""
    return StrategyView(
        id=strategy.id,
        name=strategy.name,
        display_name=strategy.display_name,
        strategy_type=strategy.strategy_type,
        configs={CONFIG_NAMES[strategy.strategy_type]: strategy.config},
        active=strategy.active,
        dcr_provider=None if strategy.dcr_provider is None else _summary(strategy.dcr_provider),
        labels=strategy.labels,
        created_at=strategy.created_at,
        updated_at=strategy.updated_at,
        supports_multiple_credentials=supports_multiple_credentials(strategy),
        principals=PrincipalsView(enabled=strategy.principals_enabled),
    )


def embedded_strategy_view(strategy: AuthStrategy, *, for_operators: bool = False) -> EmbeddedStrategyView:
    """Give a strategy as it stands inside an application or an API. Operators are told its name."""
    view = EmbeddedStrategyView(
        id=strategy.id,
        name=strategy.name if for_operators else shown_name(strategy),
        credential_type=credential_type(strategy),
    )
    _add_details(view, strategy)
    return view


def portal_strategy_view(strategy: AuthStrategy) -> PortalStrategyView:
    """Give a strategy as developers see it, in `/api/v3/application-auth-strategies` and in their applications."""
    view = PortalStrategyView(
        id=strategy.id,
        name=shown_name(strategy),
        credential_type=credential_type(strategy),
        supports_multiple_credentials=supports_multiple_credentials(strategy),
    )
    _add_details(view, strategy)
    return view


def shown_name(strategy: AuthStrategy) -> str:
    """What developers know a strategy by: a display name may be empty, its name never is."""
    return strategy.display_name or strategy.name


def credential_type(strategy: AuthStrategy) -> str:
    """What applications of a strategy hold; `self_managed_…`: the developer makes the OAuth client, no DCR provider."""
    if strategy.strategy_type == "key_auth":
        return "key_auth"
    return "self_managed_client_credentials" if strategy.dcr_provider_id is None else "client_credentials"


def supports_multiple_credentials(strategy: AuthStrategy) -> bool:
    """Say whether an application may hold several credentials at a time: keys always, clients if their provider can."""
    if strategy.strategy_type == "key_auth":
        return True
    provider = strategy.dcr_provider
    return provider is not None and provider.config.get("allow_multiple_credentials", False) is True


def _add_details(view: EmbeddedStrategyView, strategy: AuthStrategy) -> None:
    config, provider = strategy.config, strategy.dcr_provider
    if strategy.strategy_type == "key_auth":
        view.key_names = list(config.get("key_names", ["apikey"]))
        if config.get("ttl") is not None:
            view.ttl = Ttl(**config["ttl"])
        return
    view.auth_methods = list(config.get("auth_methods", []))
    if provider is not None and provider.config.get("use_developer_managed_scopes", False):
        view.available_scopes = list(config.get("scopes", []))


def _summary(provider: DcrProvider) -> ProviderSummary:
    summary = ProviderSummary.model_construct(
        {"id", "name", "provider_type"}, id=provider.id, name=provider.name, provider_type=provider.provider_type
    )
    if provider.display_name is not None:
        summary.display_name = provider.display_name
    return summary
