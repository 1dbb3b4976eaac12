"""The Kong plugin `app-auth`: what Kong says of a request in, the decision out.

The one file that knows both the PDK and the domain; tokens and clients' secrets are judged by `admission`. It runs in
our plugin server and in the stock `kong_pdk` one; the latter's Lua style (a pair of value and error) is understood, and
its header values, which are always lists.
"""

import os
import re
from collections.abc import Mapping
from functools import cache, lru_cache, partial
from time import monotonic, time
from typing import Any, cast

import msgspec

from kong_app_auth import __version__
from kong_app_auth.admission.awaited_keys import AwaitedKeys
from kong_app_auth.admission.consumers import Consumer, Consumers, consumer_headers
from kong_app_auth.admission.oauth import OAuthAdmission, takes_bearer_tokens, takes_secrets
from kong_app_auth.admission.refusal import Refusal
from kong_app_auth.domain.api_key import Form, digest, form_of, valid_region
from kong_app_auth.domain.decision import Allow, Deny, decide
from kong_app_auth.domain.freshness import Freshness, freshness
from kong_app_auth.domain.identity_headers import NEVER_FROM_A_CLIENT, identity_headers, spoofed
from kong_app_auth.domain.policy import ServicePolicy
from kong_app_auth.domain.presented import (
    AUTHORIZATION,
    Absence,
    BearerToken,
    ClientSecret,
    Flaw,
    Place,
    PresentedKey,
    authorization,
    key_in_headers,
    key_in_query,
    query_without,
)
from kong_app_auth.domain.reasons import UNAUTHORIZED, Reason
from kong_app_auth.domain.records import Client
from kong_app_auth.oidc import gateway_credentials, outgoing
from kong_app_auth.oidc.exchange import Exchange
from kong_app_auth.oidc.introspection import Introspection
from kong_app_auth.refusal_log import Refusal as LoggedRefusal
from kong_app_auth.refusal_log import RefusalLog
from kong_app_auth.replica.reader import Replica
from kong_app_auth.reports.counting import Reporter
from plugin_server.metrics import Counter
from plugin_server.traceback import where
from plugin_server.wire.values import Json

name = "app-auth"
version = __version__
priority = 960

REPLICA_DIRECTORY = "APP_AUTH_REPLICA_DIRECTORY"
DEFAULT_REPLICA_DIRECTORY = "/var/lib/kong-app-auth/replica"
MAX_HEADERS = 1000
RETRY_AFTER = "5"
REQUEST_ID = "kong_request_id"
SERVICE_OF_ROUTE_KNOWN_FOR = 1.0
"""Seconds: Kong does not start the plugin anew when its route is pointed at another service."""
REASON_HEADER = "X-App-Auth-Reason"

Schema: list[dict[str, dict[str, Any]]] = [
    {"region": {"type": "string", "required": True, "description": "The region whose applications are let in."}},
    {
        "api": {
            "type": "string",
            "description": "The id of the API that is called. Default: the API linked to the Gateway Service.",
        }
    },
    {
        "key_in_header": {
            "type": "boolean",
            "default": True,
            "description": "Whether an API key is looked for in the headers that the auth strategy names.",
        }
    },
    {
        "key_in_query": {
            "type": "boolean",
            "default": False,
            "description": "Whether an API key is looked for in the query arguments that the auth strategy names.",
        }
    },
    {
        "hide_credentials": {
            "type": "boolean",
            "default": True,
            "description": "Whether the key, token or secret is taken away before the request goes to the upstream.",
        }
    },
    {
        "run_on_preflight": {
            "type": "boolean",
            "default": True,
            "description": "Whether OPTIONS requests must carry a credential too.",
        }
    },
    {"realm": {"type": "string", "description": "The realm that a refusal names in WWW-Authenticate."}},
    {
        "max_staleness": {
            "type": "number",
            "default": 3600,
            "between": [1, 31536000],
            "description": "Seconds without word from the region after which nobody is let in.",
        }
    },
    {
        "reveal_reason": {
            "type": "boolean",
            "default": False,
            "description": f"Whether a refusal names its reason code to the client, in the header {REASON_HEADER}.",
        }
    },
]

REQUESTS = Counter(
    "app_auth_requests_total", "Requests judged, by outcome (allowed, or the reason code).", ("outcome",)
)
NOT_REPORTED = Counter(
    "app_auth_reports_lost_total", "Pieces of news (a count, a use, a refusal) for the portal that were dropped here."
)
PROVIDER_REQUESTS = Counter(
    "app_auth_provider_requests_total",
    "Requests to identity providers, by kind and by what came of them (answered, failed, resting: none was made).",
    ("kind", "outcome"),
)
UNKNOWN_KEYS = Counter(
    "app_auth_unknown_keys_total",
    "Tokens that named a key which the issuer's record lacked, by what came of waiting for it.",
    ("outcome",),
)


class Configuration(msgspec.Struct, frozen=True):
    """The plugin's configuration. Kong sends null for what is not set, and members of its own beside it."""

    region: str
    api: str | None = None
    key_in_header: bool = True
    key_in_query: bool = False
    hide_credentials: bool = True
    run_on_preflight: bool = True
    realm: str | None = None
    max_staleness: float = 3600.0
    reveal_reason: bool = False
    service_id: str | None = None
    route_id: str | None = None


_directory = os.environ.get(REPLICA_DIRECTORY, DEFAULT_REPLICA_DIRECTORY)
_replica = Replica(_directory)
_refusals = RefusalLog()
_reports = Reporter(_directory, lambda lost: NOT_REPORTED.inc(by=lost))
_outgoing = cache(outgoing.from_environment)
"""The client for identity providers: made when it is first wanted, which is after the fork."""


def _oauth_admission(replica: Replica) -> OAuthAdmission:
    """Put together what judges tokens and clients' secrets."""
    return OAuthAdmission(
        replica,
        AwaitedKeys(replica.issuer, replica.changes, _reports.unknown_key, UNKNOWN_KEYS.inc),
        Exchange(_outgoing, partial(PROVIDER_REQUESTS.inc, "exchange")),
        Introspection(
            _outgoing, gateway_credentials.from_environment(), partial(PROVIDER_REQUESTS.inc, "introspection")
        ),
    )


_oauth = _oauth_admission(_replica)
_consumers = Consumers()


def ready() -> str | None:
    """Say what the plugin is waiting for (the plugin server asks, for `/ready`)."""
    return None if _replica.last_heard() else "the first copy of the registry"


def finish() -> None:
    """Write and report what is still to be told (the plugin server calls it when a worker ends)."""
    _refusals.write()
    _reports.flush()


class Refused(msgspec.Struct, frozen=True):
    """A refusal with the service's policy, where that is known: it says which challenges to send."""

    deny: Deny
    policy: ServicePolicy | None = None
    service_id: str | None = None
    detail: str | None = None
    credential_id: str | None = None
    scope: str | None = None


class Plugin:
    """The plugin for one configuration."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = msgspec.convert(
            {key: value for key, value in config.items() if value is not None}, Configuration
        )
        if not valid_region(self._config.region):
            raise ValueError(f"region: not the name of a region: {self._config.region!r}")
        self._service_of_route: tuple[float, str | None] = (-SERVICE_OF_ROUTE_KNOWN_FOR, None)

    def access(self, kong: Any) -> None:
        """Let the request pass as an approved application, or end it."""
        try:
            refused = self._admit(kong)
        except Exception as error:  # noqa: BLE001  whatever goes wrong, nobody is let in
            refused = Refused(Deny(Reason.INTERNAL_ERROR), detail=f"{type(error).__name__} in {where(error)}")
        if refused is None:
            REQUESTS.inc("allowed")
        else:
            self._refuse(kong, refused)

    def _admit(self, kong: Any) -> Refused | None:
        """Judge the request; None when it may pass, with everything said to Kong that then has to be said."""
        config = self._config
        headers: dict[str, Json] = _value(kong.request.get_headers(MAX_HEADERS))
        if _count(headers) >= MAX_HEADERS:
            # Kong gives no more than these: a credential or a spoofed header may be among the rest.
            return Refused(Deny(Reason.MALFORMED_REQUEST), detail="too many headers")
        if not config.run_on_preflight and _value(kong.request.get_method()) == "OPTIONS":
            self._pass(kong, {}, headers)
            return None
        now = time()
        trust = freshness(_replica.last_heard(), now, config.max_staleness)
        if trust is Freshness.UNAVAILABLE or _replica.region() != config.region:
            return Refused(Deny(Reason.REGISTRY_UNAVAILABLE), detail=f"the registry of {config.region} is not at hand")
        service_id = self._service_id(kong)
        policy = _replica.policy_of_api(config.api) if config.api else _replica.policy_of_service(service_id or "")
        if policy is None:
            linked = trust is Freshness.IN_TOUCH
            return Refused(
                Deny(Reason.SERVICE_NOT_LINKED if linked else Reason.REGISTRY_UNAVAILABLE), service_id=service_id
            )
        raw_query = ""
        key = key_in_headers(headers, policy.key_names) if config.key_in_header else Absence.NOTHING
        if key is Absence.NOTHING and config.key_in_query and policy.key_names:
            raw_query = _value(kong.request.get_raw_query()) or ""
            key = key_in_query(raw_query, policy.key_names)
        if policy.token_rules and AUTHORIZATION in headers:
            presented = authorization(headers)
            if presented is not None and _is_taken(policy, presented):
                if key is not Absence.NOTHING and not _is_same(key):
                    return Refused(Deny(Reason.MALFORMED_REQUEST), policy, service_id, "a key and a token")
                judged = _judged(policy, presented, trust, now)
                if isinstance(judged, Refusal):
                    found = judged.detail, judged.credential_id, judged.scope
                    return Refused(judged.deny, policy, service_id, *found)
                identity: dict[str, Json] = {**identity_headers(judged, config.region)}
                if config.hide_credentials:
                    identity[AUTHORIZATION] = []
                return _unless_let_in(self._let_in(kong, judged, identity, headers), judged, policy, service_id)
        if isinstance(key, Absence):
            nothing = key is Absence.NOTHING
            deny = Deny(Reason.NO_CREDENTIAL if nothing else Reason.DUPLICATE_CREDENTIAL)
            return Refused(deny, policy, service_id)
        if form_of(key.text, config.region) is Form.MALFORMED:
            return Refused(Deny(Reason.MALFORMED_CREDENTIAL), policy, service_id)
        credential, application = _replica.credential(digest(key.text))
        decision = decide(policy, credential, application, trust, now)
        if isinstance(decision, Deny):
            credential_id = None if credential is None or decision.application_id is None else credential.id
            return Refused(decision, policy, service_id, credential_id=credential_id)
        identity = {**identity_headers(decision, config.region)}
        if config.hide_credentials:
            self._hide(kong, key, raw_query, identity)
        return _unless_let_in(self._let_in(kong, decision, identity, headers), decision, policy, service_id)

    def _let_in(self, kong: Any, decision: Allow, identity: dict[str, Json], sent: Mapping[str, Json]) -> Deny | None:
        """Tell Kong and the upstream who calls, and count it; refuse one whose consumer Kong does not know."""
        consumer: Consumer | None = None
        if decision.consumer is not None:
            consumer = _consumers.find(kong, decision.consumer)
            if consumer is None:
                return Deny(Reason.CONSUMER_NOT_FOUND, decision.application.id)
            identity.update(consumer_headers(consumer))
        self._pass(kong, identity, sent)
        # Kong's acl looks for the groups of the credential's consumer where there is no consumer, and answers 500 where
        # that is no UUID; an application is a member of none.
        application_id = decision.application.id
        kong.client.authenticate(consumer, {"id": application_id, "consumer_id": decision.consumer or application_id})
        _reports.allowed((_credential_id(decision), decision.application.id, decision.api_id))
        return None

    def _service_id(self, kong: Any) -> str | None:
        """The Gateway Service: told by the configuration, else asked for; remembered a moment for a route."""
        config = self._config
        if config.service_id is not None or config.api is not None:
            return config.service_id
        asked_at, known = self._service_of_route
        if monotonic() - asked_at < SERVICE_OF_ROUTE_KNOWN_FOR:
            return known
        service: dict[str, Any] | None = _value(kong.router.get_service())
        service_id = service["id"] if service else None
        if config.route_id is not None:
            self._service_of_route = (monotonic(), service_id)
        return service_id

    def _hide(self, kong: Any, key: PresentedKey, raw_query: str, headers: dict[str, Json]) -> None:
        """Take the key away from what the upstream gets."""
        if key.place is Place.HEADER:
            headers[key.name] = []
        else:
            kong.service.request.set_raw_query(query_without(raw_query, [key.name]))

    def _pass(self, kong: Any, identity: dict[str, Json], sent: Mapping[str, Json]) -> None:
        """Set the identity headers and take away those that only we may set, in one call."""
        if not NEVER_FROM_A_CLIENT.isdisjoint(sent) or "_" in "".join(sent):
            ours = {header.lower() for header in identity}
            identity.update({header: [] for header in spoofed(sent) if header not in ours})
        if identity:
            kong.service.request.set_headers(identity)

    def _refuse(self, kong: Any, refused: Refused) -> None:
        reason = refused.deny.reason
        request_id = _value(kong.nginx.get_var(REQUEST_ID))
        REQUESTS.inc(reason.code)
        at = time()
        application_id, credential_id, service_id = (
            refused.deny.application_id,
            refused.credential_id,
            refused.service_id,
        )
        _refusals.add(
            at,
            LoggedRefusal(
                reason.code, reason.status, request_id, service_id, application_id, credential_id, refused.detail
            ),
        )
        api_id = None if refused.policy is None else refused.policy.api_id
        _reports.refused(
            (at, reason.code, reason.status, request_id, application_id, credential_id, api_id, service_id)
        )
        headers: dict[str, Json] = {"Content-Type": "application/json; charset=utf-8"}
        policy = refused.policy
        if policy is not None and (reason.status == 401 or (policy.takes_tokens and reason in _ERRORS)):
            headers["WWW-Authenticate"] = challenges(
                policy.takes_keys and reason.status == 401,
                policy.takes_tokens,
                self._config.realm,
                _ERRORS.get(reason),
                refused.scope,
            )
        elif reason.status == 503:
            headers["Retry-After"] = RETRY_AFTER
        if self._config.reveal_reason:
            headers[REASON_HEADER] = reason.code
        body = _BODY[reason]
        if reason is Reason.NO_CREDENTIAL and policy is not None and policy.takes_tokens:
            body = _NOT_ONLY_KEYS
        kong.response.exit(reason.status, body % (request_id or "").encode("latin-1"), headers)


def _unless_let_in(deny: Deny | None, decision: Allow, policy: ServicePolicy, service_id: str | None) -> Refused | None:
    return None if deny is None else Refused(deny, policy, service_id, credential_id=_credential_id(decision))


def _credential_id(decision: Allow) -> str:
    credential = decision.credential
    return credential.credential_id if isinstance(credential, Client) else credential.id


@lru_cache(maxsize=256)
def challenges(
    takes_keys: bool, takes_tokens: bool, realm: str | None, error: str | None = None, scope: str | None = None
) -> str:
    """The challenges of a refusal: one for each accepted kind of strategy, in one value (RFC 9110, 11.6.1).

    Kong sends only the last where it is given several values. Without a realm it is `Key`, as Kong's key-auth says.
    `error` and `scope` are those of RFC 6750, 3; without a credential there is none.
    """
    realms = [] if realm is None else [f'realm="{_quoted(realm)}"']
    schemes: list[str] = []
    if takes_keys or not takes_tokens:
        schemes.append(" ".join(["Key", *realms]))
    if takes_tokens:
        attributes = realms + ([] if error is None else [f'error="{error}"'])
        if scope is not None and _SCOPE.fullmatch(scope):
            attributes.append(f'scope="{scope}"')
        schemes.append(f"Bearer {', '.join(attributes)}".rstrip())
    return ", ".join(schemes)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _is_taken(policy: ServicePolicy, presented: BearerToken | ClientSecret | Flaw) -> bool:
    """Whether the service takes what is presented; what it does not take is the upstream's business."""
    match presented:
        case BearerToken() | Flaw.TOKEN:
            return takes_bearer_tokens(policy)
        case ClientSecret() | Flaw.BASIC:
            return takes_secrets(policy)
        case _:
            return True


def _is_same(key: PresentedKey | Absence) -> bool:
    """Whether what was taken for a key is the token: a strategy may have its keys in `Authorization`."""
    return isinstance(key, PresentedKey) and key.place is Place.HEADER and key.name == AUTHORIZATION


def _judged(
    policy: ServicePolicy, presented: BearerToken | ClientSecret | Flaw, trust: Freshness, now: float
) -> Allow | Refusal:
    match presented:
        case BearerToken():
            return _oauth.bearer(policy, presented.text, trust, now)
        case ClientSecret():
            return _oauth.client(policy, presented, trust, now)
        case Flaw.TOKEN:
            return Refusal(Deny(Reason.INVALID_TOKEN), "malformed_token")
        case Flaw.BASIC:
            return Refusal(Deny(Reason.MALFORMED_CREDENTIAL), "malformed_basic")
        case Flaw.TWICE:
            return Refusal(Deny(Reason.MALFORMED_REQUEST), "two Authorization headers")


_ERRORS = {
    Reason.INVALID_TOKEN: "invalid_token",
    Reason.MALFORMED_REQUEST: "invalid_request",
    Reason.INSUFFICIENT_SCOPE: "insufficient_scope",
}
"""Codes of RFC 6750, 3.1."""
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
_NOT_ONLY_KEYS = b'{"message":"%s","request_id":"%%s"}' % UNAUTHORIZED.encode()
_BODY = {reason: b'{"message":"%s","request_id":"%%s"}' % reason.message.encode() for reason in Reason}


def _count(headers: Mapping[str, Json]) -> int:
    """How many headers the client sent, as Kong counts them: one that was sent twice is two."""
    count = len(headers)
    if list in map(type, headers.values()):
        lists = (cast("list[str]", value) for value in headers.values() if type(value) is list)
        count += sum(len(values) - 1 for values in lists)
    return count


def _value(result: Any) -> Any:
    """What a PDK function gave. The stock server's Lua style gives a pair of value and error."""
    if type(result) is tuple:
        value, error = cast("tuple[Any, str | None]", result)
        if error is not None:
            raise RuntimeError("Kong reported an error")
        return value
    return result
