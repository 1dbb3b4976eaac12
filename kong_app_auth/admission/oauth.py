"""What a bearer token, or a client's id and secret, lets in: each rule of the service is tried in turn.

A JWT is judged by the rules whose issuer it names, and without the network. An opaque token names nobody, so the
issuers of the rules that introspect are asked for it in turn. A client's secret is exchanged for a token only where the
registry knows the client: nothing is asked of a provider on a stranger's word.
"""

import time
from typing import Final, Protocol

import msgspec

from kong_app_auth.admission.awaited_keys import AwaitedKeys
from kong_app_auth.admission.refusal import Refusal, more_telling
from kong_app_auth.domain.decision import Allow, Deny, decide_token
from kong_app_auth.domain.freshness import Freshness
from kong_app_auth.domain.policy import ServicePolicy, TokenRule
from kong_app_auth.domain.presented import ClientSecret
from kong_app_auth.domain.reasons import Reason
from kong_app_auth.domain.records import (
    BEARER,
    CLIENT_CREDENTIALS,
    INTROSPECTION,
    Application,
    Client,
    CredentialState,
    Issuer,
    OpenIdConnect,
)
from kong_app_auth.oidc.claims import Claims, client_ids, has_scopes, is_for_audience
from kong_app_auth.oidc.endpoints import Unavailable
from kong_app_auth.oidc.exchange import Exchange, Granted, Rejected
from kong_app_auth.oidc.introspection import Introspection
from kong_app_auth.oidc.jose.outcomes import Failure, Fault, UnknownKey
from kong_app_auth.oidc.tokens import VerifiedTokens, parse

PATIENCE: Final = 1.6
"""Seconds that a request may spend on providers and on waiting for keys: the plugin server ends it after two."""

_MOST_READ: Final = 1024
"""Claims of which it is remembered whom they name: the same objects come again with each request that has the token."""

UNKNOWN_KEY: Final = "unknown_key"
OTHER_AUDIENCE: Final = "other_audience"
OTHER_CLIENT: Final = "other_client"
NO_CLIENT: Final = "no_client"
NOT_ACCEPTED: Final = "not_accepted"


class Registry(Protocol):
    """What is asked of the replica."""

    # ruff: noqa: D102  see `replica.reader.Replica`
    def client(self, strategy_id: str, client_id: str) -> tuple[Client | None, Application | None]: ...
    def issuer(self, issuer_id: str) -> Issuer | None: ...


class _Case(msgspec.Struct, frozen=True):
    """What is judged for a request: `now` is Unix time, `until` the monotonic time when there must be an answer."""

    policy: ServicePolicy
    trust: Freshness
    now: float
    until: float


class _Read(msgspec.Struct, frozen=True):
    """What claims say by the rules of a strategy: whom they name (None: nobody), and whether they have its scopes.

    It holds the very objects that it is about, so that neither's `id` can become another's.
    """

    claims: Claims
    strategy: OpenIdConnect
    named: str | Refusal | None
    has_scopes: bool


class OAuthAdmission:
    """Judges for one process. For any number of threads."""

    def __init__(self, registry: Registry, keys: AwaitedKeys, exchange: Exchange, introspection: Introspection) -> None:
        self._registry = registry
        self._keys = keys
        self._exchange = exchange
        self._introspection = introspection
        self._verified = VerifiedTokens()
        self._read: dict[int, _Read] = {}

    def bearer(self, policy: ServicePolicy, token: str, trust: Freshness, now: float) -> Allow | Refusal:
        """Judge a bearer token, where `takes_bearer_tokens`; `now` is Unix time."""
        rules = policy.token_rules
        is_jwt = _looks_like_jwt(token)
        if is_jwt and not _of_one_issuer(rules):
            parsed = parse(token)
            if isinstance(parsed, Failure):
                return _invalid(parsed.detail)
            rules = tuple(rule for rule in rules if self._name(rule) == parsed.issuer)
            if not rules:
                return _invalid(Fault.OTHER_ISSUER)
        case = _Case(policy, trust, now, time.monotonic() + PATIENCE)
        refusal: Refusal | None = None
        for rule in rules:
            methods = rule.openid_connect.auth_methods
            if is_jwt and BEARER in methods:
                claims = self._verified_claims(rule, token, now)
            elif INTROSPECTION in methods:
                claims = self._introspected(case, rule, token, is_jwt)
            else:
                continue
            judged = self._judged(case, rule, claims) if isinstance(claims, Claims) else _unproved(claims)
            if isinstance(judged, Allow):
                return judged
            refusal = more_telling(refusal, judged)
        return refusal or _invalid(NOT_ACCEPTED)

    def client(self, policy: ServicePolicy, presented: ClientSecret, trust: Freshness, now: float) -> Allow | Refusal:
        """Judge a client id and its secret; `now` is Unix time."""
        case = _Case(policy, trust, now, time.monotonic() + PATIENCE)
        refusal: Refusal | None = None
        for rule in policy.token_rules:
            if CLIENT_CREDENTIALS in rule.openid_connect.auth_methods:
                judged = self._by_secret(case, rule, presented)
                if isinstance(judged, Allow):
                    return judged
                refusal = more_telling(refusal, judged)
        return refusal or Refusal(Deny(Reason.UNKNOWN_CREDENTIAL), NOT_ACCEPTED)

    def _name(self, rule: TokenRule) -> str:
        """What `iss` is in the tokens of a rule's issuer; as it was configured, where its documents are not known."""
        issuer = self._registry.issuer(rule.openid_connect.issuer)
        return rule.openid_connect.issuer if issuer is None else issuer.issuer

    def _verified_claims(self, rule: TokenRule, token: str, now: float) -> Claims | Failure | Unavailable:
        """Check a JWT with the issuer's keys. No network; for a key that is not known there is a wait."""
        strategy = rule.openid_connect
        issuer = self._registry.issuer(strategy.issuer)
        if issuer is None:
            issuer = self._keys.wait(strategy.issuer, None, None)
            if issuer is None:
                return Unavailable("the issuer's keys are not at hand yet")
        found = self._verified.check(token, issuer, strategy.algorithms, strategy.leeway, now)
        if not isinstance(found, UnknownKey):
            return found
        issuer = self._keys.wait(strategy.issuer, issuer, found.kid)
        if issuer is None:
            return Failure(UNKNOWN_KEY)
        found = self._verified.check(token, issuer, strategy.algorithms, strategy.leeway, now)
        if not isinstance(found, UnknownKey):
            return found
        self._keys.is_missing(strategy.issuer, found.kid)
        return Failure(UNKNOWN_KEY)

    def _introspected(self, case: _Case, rule: TokenRule, token: str, is_jwt: bool) -> Claims | Failure | Unavailable:
        """Ask the issuer for a token; for a JWT of another issuer it is not asked."""
        issuer = self._registry.issuer(rule.openid_connect.issuer)
        if issuer is None:
            return Unavailable("the issuer is not at hand yet")
        if is_jwt:
            parsed = parse(token)
            if isinstance(parsed, Failure):
                return parsed
            if parsed.issuer != issuer.issuer:
                return Failure(Fault.OTHER_ISSUER)
        return self._introspection.claims(issuer, rule.openid_connect, token, case.until, case.now)

    def _judged(self, case: _Case, rule: TokenRule, claims: Claims, client_id: str | None = None) -> Allow | Refusal:
        """Decide on good claims. `client_id`: who has proved to be that client by its secret."""
        read = self._as_read(claims, rule.openid_connect)
        named = read.named
        if isinstance(named, Refusal):
            return named
        if client_id is not None and named != client_id:
            if named is not None:
                return _invalid(OTHER_CLIENT)
            named = client_id
        if named is None:
            return Refusal(Deny(Reason.UNKNOWN_APPLICATION), NO_CLIENT)
        return self._decided(case, rule, named, scoped=read.has_scopes)

    def _as_read(self, claims: Claims, strategy: OpenIdConnect) -> "_Read":
        known = self._read.get(id(claims))
        if known is not None and known.claims is claims and known.strategy is strategy:
            return known
        read = _Read(claims, strategy, _client_of(claims, strategy), has_scopes(claims, strategy.scopes_required))
        if len(self._read) >= _MOST_READ:
            self._read.clear()
        self._read[id(claims)] = read
        return read

    def _decided(self, case: _Case, rule: TokenRule, client_id: str, *, scoped: bool) -> Allow | Refusal:
        """Decide on a client that has proved who it is. `scoped`: whether it was granted the scopes that are needed."""
        client, application = self._registry.client(rule.strategy_id, client_id)
        decision = decide_token(case.policy, client, application, case.trust)
        credential_id = None if client is None else client.credential_id
        if isinstance(decision, Deny):
            return Refusal(decision, credential_id=None if decision.application_id is None else credential_id)
        if decision.application.strategy_id != rule.strategy_id:
            return Refusal(Deny(Reason.WRONG_STRATEGY, decision.application.id), credential_id=credential_id)
        if not scoped:
            required = rule.openid_connect.scopes_required
            deny = Deny(Reason.INSUFFICIENT_SCOPE, decision.application.id)
            return Refusal(deny, credential_id=credential_id, scope=required[0])
        return decision

    def _by_secret(self, case: _Case, rule: TokenRule, presented: ClientSecret) -> Allow | Refusal:
        strategy = rule.openid_connect
        client, application = self._registry.client(rule.strategy_id, presented.client_id)
        if client is None or application is None or client.state is not CredentialState.ACTIVE:
            return _stranger(decide_token(case.policy, client, application, case.trust))
        issuer = self._registry.issuer(strategy.issuer)
        if issuer is None:
            return _unproved(Unavailable("the issuer is not at hand yet"))
        outcome = self._exchange.token(issuer, strategy, presented, case.until)
        match outcome:
            case Rejected(detail=detail):
                return Refusal(Deny(Reason.UNKNOWN_CREDENTIAL), detail)
            case Unavailable():
                return _unproved(outcome)
            case Granted():
                pass
        if not _looks_like_jwt(outcome.token):
            # The provider gave it for this id and secret, which proves them; what is in it nobody can read.
            granted = " ".join(strategy.scopes) if outcome.scope is None else outcome.scope
            scoped = has_scopes(Claims({"scope": granted}), strategy.scopes_required)
            return self._decided(case, rule, presented.client_id, scoped=scoped)
        claims = self._verified_claims(rule, outcome.token, case.now)
        if isinstance(claims, Claims):
            return self._judged(case, rule, claims, presented.client_id)
        if isinstance(claims, Failure) and claims.detail in (Fault.EXPIRED, UNKNOWN_KEY):
            self._exchange.forget(issuer, strategy, presented)
        return _unproved(claims)


def _client_of(claims: Claims, strategy: OpenIdConnect) -> str | Refusal | None:
    """Whom claims name by a strategy's rules; None where they name nobody."""
    if not is_for_audience(claims, strategy.audience_required):
        return _invalid(OTHER_AUDIENCE)
    # The first claim that is there says who it is. To go on to another one if nobody knows that client would let a user
    # pass for an application by a name of the user's choice (`sub`).
    return next(iter(client_ids(claims, strategy.credential_claims)), None)


def _looks_like_jwt(token: str) -> bool:
    """Say whether a token has the form of a signed JWT: three parts, of which the first begins with a brace."""
    return token.startswith("e") and token.count(".") == 2


def _of_one_issuer(rules: tuple[TokenRule, ...]) -> bool:
    return len(rules) == 1 or len({rule.openid_connect.issuer for rule in rules}) <= 1


def _stranger(decision: Allow | Deny) -> Refusal:
    """Refuse an id that no client is known by, as a wrong secret is refused."""
    if isinstance(decision, Allow) or decision.reason is Reason.UNKNOWN_APPLICATION:
        return Refusal(Deny(Reason.UNKNOWN_CREDENTIAL))
    return Refusal(decision)


def _invalid(detail: str) -> Refusal:
    return Refusal(Deny(Reason.INVALID_TOKEN), detail)


def _unproved(found: Failure | Unavailable) -> Refusal:
    reason = Reason.INVALID_TOKEN if isinstance(found, Failure) else Reason.PROVIDER_UNAVAILABLE
    return Refusal(Deny(reason), found.detail)


def takes_bearer_tokens(policy: ServicePolicy) -> bool:
    """Say whether a service accepts bearer tokens, JWTs or opaque ones."""
    for rule in policy.token_rules:  # a plain loop: it is run for each token
        methods = rule.openid_connect.auth_methods
        if BEARER in methods or INTROSPECTION in methods:
            return True
    return False


def takes_secrets(policy: ServicePolicy) -> bool:
    """Say whether a service accepts a client's id and secret."""
    return any(CLIENT_CREDENTIALS in rule.openid_connect.auth_methods for rule in policy.token_rules)
