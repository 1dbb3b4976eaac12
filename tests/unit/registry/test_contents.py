"""Two registries of a small world, and every way in which one can become the other."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from kong_app_auth.domain.decision import Allow, decide, decide_token
from kong_app_auth.domain.freshness import Freshness
from kong_app_auth.domain.policy import policy_of
from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Client,
    Credential,
    CredentialState,
    Issuer,
    OpenIdConnect,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
    client_key,
)
from kong_app_auth.registry.changes import Delete
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.registry.keys import Table
from tests.servers.samples import application, key_digest, sample, uid

IDS = ["a", "b"]
DIGESTS = [bytes([n]) * 32 for n in range(3)]
ids = st.sampled_from(IDS)


def tables(keys, records):
    return st.dictionaries(st.sampled_from(keys), records, max_size=len(keys))


worlds = st.builds(
    Contents,
    apis=st.builds(
        lambda accepts: {key: Api(key, "", "", value) for key, value in accepts.items()},
        tables(IDS, st.lists(st.builds(Acceptance, ids, ids), max_size=2).map(tuple)),
    ),
    services=st.builds(lambda apis: {key: Service(key, api) for key, api in apis.items()}, tables(IDS, ids)),
    strategies=st.builds(
        lambda parts: {key: Strategy(key, "", *value) for key, value in parts.items()},
        tables(
            IDS,
            st.tuples(st.just(StrategyType.KEY_AUTH), st.just(("x",)))
            | st.tuples(st.just(StrategyType.OPENID_CONNECT), st.just(()), st.builds(OpenIdConnect, issuer=ids)),
        ),
    ),
    applications=st.builds(
        lambda parts: {key: Application(key, *value) for key, value in parts.items()},
        tables(
            IDS,
            st.tuples(
                ids,
                ids,
                st.none(),
                st.booleans(),
                st.dictionaries(ids, st.sampled_from(RegistrationState), max_size=2),
            ),
        ),
    ),
    credentials=tables(
        DIGESTS,
        st.builds(
            Credential,
            id=ids,
            application_id=ids,
            state=st.sampled_from(CredentialState),
            expires_at=st.sampled_from([None, 50, 150]),
        ),
    ),
    clients=st.builds(
        lambda parts: {key: Client(key, key, *value) for key, value in parts.items()},
        tables([client_key(one, "c") for one in IDS], st.tuples(ids, st.sampled_from(CredentialState))),
    ),
    issuers=st.builds(
        lambda parts: {key: Issuer(key, *value) for key, value in parts.items()},
        tables(IDS, st.tuples(ids, st.sampled_from([(), ("k",), ("l",), ("k", "l")]))),
    ),
)


def allowed(contents):
    """Who may call what, in a world where it is 100 now."""
    passed = set()
    for service in contents.services.values():
        if (api := contents.apis.get(service.api_id)) is None:
            continue
        policy = policy_of(api, contents.strategies)
        for digest, credential in contents.credentials.items():
            holder = contents.applications.get(credential.application_id)
            if isinstance(decide(policy, credential, holder, Freshness.IN_TOUCH, 100), Allow):
                passed.add((digest, service.id))
        for rule in policy.token_rules:
            issuer = contents.issuers.get(rule.openid_connect.issuer)
            client = contents.clients.get(client_key(rule.strategy_id, "c"))
            holder = None if client is None else contents.applications.get(client.application_id)
            if issuer is not None and isinstance(decide_token(policy, client, holder, Freshness.IN_TOUCH), Allow):
                passed |= {(issuer.issuer, key, client.id, holder.id, service.id) for key in issuer.keys}
    return passed


def made_of(contents, changes):
    made = copy.deepcopy(contents)
    made.apply(changes)
    return made


@given(worlds, worlds)
def test_diff_leads_from_the_one_to_the_other(current, wanted):
    assert made_of(current, diff(current, wanted)) == wanted


@settings(max_examples=300)
@given(worlds, worlds)
def test_no_prefix_of_a_diff_allows_what_neither_end_allows(current, wanted):
    step, either = copy.deepcopy(current), allowed(current) | allowed(wanted)
    for change in diff(current, wanted):
        step.apply([change])
        assert allowed(step) <= either


@given(worlds, worlds)
def test_whoever_lost_access_has_lost_it_before_anybody_gains_any(current, wanted):
    step, before, after = copy.deepcopy(current), allowed(current), allowed(wanted)
    for change in diff(current, wanted):
        step.apply([change])
        if allowed(step) - before:
            assert not allowed(step) - after


@given(worlds)
def test_nothing_is_done_where_nothing_differs(contents):
    assert diff(contents, copy.deepcopy(contents)) == []


def test_a_revocation_is_one_change():
    wanted = sample("x", "y")
    wanted.applications[uid("x")] = application("x", RegistrationState.REVOKED)
    assert len(diff(sample("x", "y"), wanted)) == 1


def test_a_fresh_region_gets_its_credentials_last_and_loses_them_first():
    assert [change.table for change in diff(Contents(), sample("x"))][-1] is Table.CREDENTIALS
    assert diff(sample("x"), Contents())[0] == Delete(Table.CREDENTIALS, key_digest("x"))
