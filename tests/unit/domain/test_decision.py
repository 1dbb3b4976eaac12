"""The decision: allowed exactly where all that must be there is there, refused for the first reason otherwise."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_app_auth.domain.decision import Allow, Deny, decide, decide_token
from kong_app_auth.domain.freshness import Freshness
from kong_app_auth.domain.policy import ServicePolicy
from kong_app_auth.domain.reasons import Reason
from kong_app_auth.domain.records import Application, Client, Credential, CredentialState, RegistrationState

NOW = 1_800_000_000.0
IDS = st.sampled_from(["a", "b"])
POLICIES = st.builds(
    ServicePolicy,
    api_id=IDS,
    keys_of=st.frozensets(st.tuples(IDS, IDS)),
    tokens_of=st.frozensets(st.tuples(IDS, IDS)),
    key_names=st.just(("apikey",)),
    takes_keys=st.booleans(),
    takes_tokens=st.booleans(),
)
CREDENTIALS = st.builds(
    Credential,
    id=st.just("c"),
    application_id=IDS,
    state=st.sampled_from(CredentialState),
    expires_at=st.none() | st.sampled_from([int(NOW) - 1, int(NOW), int(NOW) + 1]),
)
APPLICATIONS = st.builds(
    Application,
    id=IDS,
    portal_id=IDS,
    strategy_id=IDS,
    developer_id=st.none() | IDS,
    developer_revoked=st.booleans(),
    registrations=st.dictionaries(IDS, st.sampled_from(RegistrationState)),
)


CLIENTS = st.builds(
    Client, id=st.just("a:c"), credential_id=st.just("c"), application_id=IDS, state=st.sampled_from(CredentialState)
)


@given(POLICIES, st.none() | CLIENTS, st.none() | APPLICATIONS, st.sampled_from(Freshness))
def test_a_client_is_judged_as_a_key_that_does_not_expire(
    policy: ServicePolicy, client: Client | None, application: Application | None, freshness: Freshness
) -> None:
    swapped = msgspec.structs.replace(policy, keys_of=policy.tokens_of)
    key = None if client is None else Credential(client.credential_id, client.application_id, client.state)
    by_key, by_token = (
        decide(swapped, key, application, freshness, NOW),
        decide_token(policy, client, application, freshness),
    )
    if isinstance(by_token, Allow):
        assert by_key == Allow(by_token.application, key, by_token.api_id)
        assert by_token.credential is client
    elif by_token.reason is Reason.UNKNOWN_APPLICATION:
        assert by_key == Deny(Reason.UNKNOWN_CREDENTIAL)
    else:
        assert by_key == by_token


@given(
    POLICIES,
    st.none() | CREDENTIALS,
    st.none() | APPLICATIONS,
    st.sampled_from(Freshness),
    st.floats(NOW - 2, NOW + 2),
)
def test_allowed_exactly_where_everything_is_in_order(
    policy: ServicePolicy,
    credential: Credential | None,
    application: Application | None,
    freshness: Freshness,
    now: float,
) -> None:
    in_order = (
        freshness is not Freshness.UNAVAILABLE
        and credential is not None
        and credential.state is CredentialState.ACTIVE
        and (credential.expires_at is None or now < credential.expires_at)
        and application is not None
        and application.id == credential.application_id
        and not application.developer_revoked
        and (application.portal_id, application.strategy_id) in policy.keys_of
        and application.registrations.get(policy.api_id) is RegistrationState.APPROVED
    )
    decision = decide(policy, credential, application, freshness, now)
    if in_order:
        consumer = application.consumers.get(policy.api_id)  # type: ignore[union-attr]
        assert decision == Allow(application, credential, policy.api_id, consumer)  # type: ignore[arg-type]
    else:
        assert isinstance(decision, Deny)
        assert decision.application_id is None or decision.application_id == application.id  # type: ignore[union-attr]


GOOD_POLICY = ServicePolicy("api", frozenset({("portal", "strategy")}), ("apikey",), True, False)
GOOD_CREDENTIAL = Credential("c", "app", expires_at=int(NOW) + 1)
GOOD_APPLICATION = Application("app", "portal", "strategy", "dev", registrations={"api": RegistrationState.APPROVED})


def reason(
    policy: ServicePolicy = GOOD_POLICY,
    credential: Credential | None = GOOD_CREDENTIAL,
    application: Application | None = GOOD_APPLICATION,
    freshness: Freshness = Freshness.IN_TOUCH,
) -> Reason | None:
    decision = decide(policy, credential, application, freshness, NOW)
    return decision.reason if isinstance(decision, Deny) else None


def app(state: RegistrationState | None = RegistrationState.APPROVED, **different: object) -> Application:
    fields: dict[str, object] = {
        "id": "app",
        "portal_id": "portal",
        "strategy_id": "strategy",
        "registrations": {} if state is None else {"api": state},
    }
    return Application(**{**fields, **different})  # type: ignore[arg-type]


def test_the_good_case_is_allowed_in_touch_and_out_of_touch() -> None:
    assert reason() is None
    assert reason(freshness=Freshness.OUT_OF_TOUCH) is None


@pytest.mark.parametrize(
    ("different", "expected"),
    [
        ({"freshness": Freshness.UNAVAILABLE}, Reason.REGISTRY_UNAVAILABLE),
        ({"credential": None, "application": None}, Reason.UNKNOWN_CREDENTIAL),
        (
            {"credential": None, "application": None, "freshness": Freshness.OUT_OF_TOUCH},
            Reason.REGISTRY_UNAVAILABLE,
        ),
        ({"application": None}, Reason.UNKNOWN_CREDENTIAL),
        ({"application": app(id="another")}, Reason.UNKNOWN_CREDENTIAL),
        ({"credential": Credential("c", "app", CredentialState.REVOKED)}, Reason.REVOKED_CREDENTIAL),
        ({"credential": Credential("c", "app", expires_at=int(NOW))}, Reason.EXPIRED_CREDENTIAL),
        ({"application": app(developer_revoked=True)}, Reason.DEVELOPER_REVOKED),
        ({"application": app(strategy_id="another")}, Reason.WRONG_STRATEGY),
        ({"application": app(portal_id="another")}, Reason.WRONG_STRATEGY),
        ({"application": app(None)}, Reason.NOT_REGISTERED),
        ({"application": app(registrations={"other": RegistrationState.APPROVED})}, Reason.NOT_REGISTERED),
        ({"application": app(RegistrationState.PENDING)}, Reason.REGISTRATION_PENDING),
        ({"application": app(RegistrationState.REJECTED)}, Reason.REGISTRATION_REJECTED),
        ({"application": app(RegistrationState.REVOKED)}, Reason.REGISTRATION_REVOKED),
    ],
)
def test_each_reason_for_a_refusal(different: dict[str, object], expected: Reason) -> None:
    assert reason(**different) is expected  # type: ignore[arg-type]


def test_the_first_reason_is_told() -> None:
    """From a case in which everything is wrong, each thing put right brings the next reason."""
    nobody = ServicePolicy("api", frozenset(), (), True, False)
    wrong = {
        "policy": nobody,
        "credential": Credential("c", "app", CredentialState.REVOKED, expires_at=1),
        "application": app(None, developer_revoked=True),
        "freshness": Freshness.UNAVAILABLE,
    }
    put_right: list[tuple[dict[str, object], Reason | None]] = [
        ({}, Reason.REGISTRY_UNAVAILABLE),
        ({"freshness": Freshness.OUT_OF_TOUCH}, Reason.REVOKED_CREDENTIAL),
        ({"credential": Credential("c", "app", expires_at=1)}, Reason.EXPIRED_CREDENTIAL),
        ({"credential": GOOD_CREDENTIAL}, Reason.DEVELOPER_REVOKED),
        ({"application": app(None)}, Reason.WRONG_STRATEGY),
        ({"policy": GOOD_POLICY}, Reason.NOT_REGISTERED),
        ({"application": app()}, None),
    ]
    found: dict[str, object] = dict(wrong)
    for right, expected in put_right:
        found.update(right)
        assert reason(**found) is expected  # type: ignore[arg-type]


def test_the_log_learns_the_application_only_where_the_credential_is_known() -> None:
    known = decide(GOOD_POLICY, GOOD_CREDENTIAL, app(None), Freshness.IN_TOUCH, NOW)
    unknown = decide(GOOD_POLICY, None, GOOD_APPLICATION, Freshness.IN_TOUCH, NOW)
    assert known == Deny(Reason.NOT_REGISTERED, "app")
    assert unknown == Deny(Reason.UNKNOWN_CREDENTIAL, None)


def test_what_a_client_is_told_of_bad_keys_tells_nothing() -> None:
    told = {
        (one.status, one.message)
        for one in (
            Reason.MALFORMED_CREDENTIAL,
            Reason.UNKNOWN_CREDENTIAL,
            Reason.EXPIRED_CREDENTIAL,
            Reason.REVOKED_CREDENTIAL,
        )
    }
    assert told == {(401, "Unauthorized")}
    forbidden = {(one.status, one.message) for one in Reason if one.status == 403}
    assert forbidden == {(403, "You cannot consume this service")}


def test_reason_codes_are_those_of_the_design() -> None:
    assert {one.code: one.status for one in Reason} == {
        "no_credential": 401,
        "duplicate_credential": 401,
        "malformed_credential": 401,
        "unknown_credential": 401,
        "expired_credential": 401,
        "revoked_credential": 401,
        "invalid_token": 401,
        "malformed_request": 400,
        "wrong_strategy": 403,
        "unknown_application": 403,
        "not_registered": 403,
        "registration_pending": 403,
        "registration_rejected": 403,
        "registration_revoked": 403,
        "developer_revoked": 403,
        "insufficient_scope": 403,
        "consumer_not_found": 403,
        "service_not_linked": 403,
        "registry_unavailable": 503,
        "provider_unavailable": 503,
        "internal_error": 500,
    }
