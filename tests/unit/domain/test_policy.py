"""What a service accepts, drawn together from its API's publications."""

from kong_app_auth.domain.policy import ServicePolicy, TokenRule, policy_of
from kong_app_auth.domain.records import Acceptance, Api, OpenIdConnect, Strategy, StrategyType

KEY = Strategy("s-key", "key", StrategyType.KEY_AUTH, ("X-Api-Key", "apikey"))
OTHER = Strategy("s-other", "other", StrategyType.KEY_AUTH, ("APIKEY", "token"))
TOKENS = OpenIdConnect("https://idp.example")
OIDC = Strategy("s-oidc", "oidc", StrategyType.OPENID_CONNECT, openid_connect=TOKENS)
STRATEGIES = {strategy.id: strategy for strategy in (KEY, OTHER, OIDC)}


def api(*accepts: tuple[str, str]) -> Api:
    return Api("api", "Weather", "v1", tuple(Acceptance(*pair) for pair in accepts))


def test_an_api_without_publications_accepts_nobody() -> None:
    assert policy_of(api(), STRATEGIES) == ServicePolicy("api", frozenset(), (), False, False)


def test_a_publication_whose_strategy_is_unknown_accepts_nobody() -> None:
    assert policy_of(api(("portal", "s-gone")), STRATEGIES) == ServicePolicy("api", frozenset(), (), False, False)


def test_key_names_are_in_lower_case_each_once_in_the_order_of_the_publications() -> None:
    policy = policy_of(api(("a", "s-key"), ("b", "s-other"), ("c", "s-key")), STRATEGIES)
    assert policy.key_names == ("x-api-key", "apikey", "token")
    assert policy.keys_of == {("a", "s-key"), ("b", "s-other"), ("c", "s-key")}


def test_each_kind_of_strategy_is_told() -> None:
    assert policy_of(api(("a", "s-oidc")), STRATEGIES) == ServicePolicy(
        "api", frozenset(), (), False, True, frozenset({("a", "s-oidc")}), (TokenRule("s-oidc", TOKENS),)
    )
    both = policy_of(api(("a", "s-oidc"), ("b", "s-key")), STRATEGIES)
    assert (both.takes_keys, both.takes_tokens) == (True, True)
    assert (both.keys_of, both.tokens_of) == ({("b", "s-key")}, {("a", "s-oidc")})


def test_a_strategy_of_two_portals_is_one_rule_and_one_without_settings_is_none() -> None:
    broken = Strategy("s-broken", "broken", StrategyType.OPENID_CONNECT)
    policy = policy_of(api(("a", "s-oidc"), ("b", "s-broken"), ("c", "s-oidc")), {**STRATEGIES, broken.id: broken})
    assert policy.token_rules == (TokenRule("s-oidc", TOKENS),)
    assert policy.tokens_of == {("a", "s-oidc"), ("b", "s-broken"), ("c", "s-oidc")}
