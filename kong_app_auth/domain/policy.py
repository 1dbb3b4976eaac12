"""What one service accepts, drawn together from its API and the strategies of that API's publications."""

from collections.abc import Mapping

import msgspec

from kong_app_auth.domain.records import Api, OpenIdConnect, Strategy, StrategyType


class TokenRule(msgspec.Struct, frozen=True):
    """How tokens are taken by one strategy."""

    strategy_id: str
    openid_connect: OpenIdConnect


class ServicePolicy(msgspec.Struct, frozen=True):
    """The policy of a service.

    `keys_of` and `tokens_of` hold pairs of portal id and strategy id: whose keys are accepted, and whose tokens.
    `key_names` are in lower case, each once, in the order of the publications, and so are `token_rules`; `takes_keys`
    and `takes_tokens` say which challenges a refusal carries.
    """

    api_id: str
    keys_of: frozenset[tuple[str, str]]
    key_names: tuple[str, ...]
    takes_keys: bool
    takes_tokens: bool
    tokens_of: frozenset[tuple[str, str]] = frozenset()
    token_rules: tuple[TokenRule, ...] = ()


def policy_of(api: Api, strategies: Mapping[str, Strategy]) -> ServicePolicy:
    """Draw the policy of `api` together; a publication whose strategy is unknown accepts nobody."""
    known = [
        (acceptance, strategies[acceptance.strategy_id])
        for acceptance in api.accepts
        if acceptance.strategy_id in strategies
    ]
    names = (
        name.lower() for _, strategy in known if strategy.type is StrategyType.KEY_AUTH for name in strategy.key_names
    )
    rules = {
        strategy.id: TokenRule(strategy.id, strategy.openid_connect)
        for _, strategy in known
        if strategy.type is StrategyType.OPENID_CONNECT and strategy.openid_connect is not None
    }
    pairs = {
        kind: frozenset((one.portal_id, one.strategy_id) for one, strategy in known if strategy.type is kind)
        for kind in StrategyType
    }
    return ServicePolicy(
        api_id=api.id,
        keys_of=pairs[StrategyType.KEY_AUTH],
        tokens_of=pairs[StrategyType.OPENID_CONNECT],
        key_names=tuple(dict.fromkeys(names)),
        takes_keys=any(strategy.type is StrategyType.KEY_AUTH for _, strategy in known),
        takes_tokens=any(strategy.type is StrategyType.OPENID_CONNECT for _, strategy in known),
        token_rules=tuple(rules.values()),
    )
