"""Changes of what is in force: as they are where they fit into one atomic batch, else nothing is given too early."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from kong_app_auth.domain.records import Application, Credential, CredentialState, RegistrationState, Service
from kong_app_auth.registry.changes import MAX_BATCH, Change, Delete, Put
from kong_app_auth.registry.contents import Contents, amend
from kong_app_auth.registry.keys import Table


def uuid(number: int) -> str:
    return str(UUID(int=number))


def application(number: int, state: RegistrationState) -> Put:
    record = Application(uuid(number), uuid(0), uuid(0), None, False, {uuid(1): state})
    return Put(Table.APPLICATIONS, record.id, record)


def credential(number: int, state: CredentialState = CredentialState.ACTIVE) -> Put:
    return Put(Table.CREDENTIALS, number.to_bytes(32), Credential(uuid(number), uuid(number), state))


def test_what_makes_no_difference_is_left_out() -> None:
    current = Contents()
    current.apply([credential(1)])
    assert amend(current, [credential(1), Delete(Table.APIS, uuid(9))]) == []


def test_of_several_changes_of_one_record_the_last_counts() -> None:
    revoked = credential(1, CredentialState.REVOKED)
    assert amend(Contents(), [credential(1), revoked]) == [revoked]


def test_more_than_a_batch_takes_away_before_it_gives() -> None:
    current = Contents()
    current.apply([application(n, RegistrationState.APPROVED) for n in range(600)])
    changes: list[Change] = [application(n, RegistrationState.APPROVED) for n in range(600, 1200)]
    changes += [application(n, RegistrationState.REVOKED) for n in range(600)]
    assert len(changes) > MAX_BATCH
    amended = amend(current, changes)
    states = [
        next(iter(change.record.registrations.values()), None)
        for change in amended
        if isinstance(change, Put) and isinstance(change.record, Application)
    ]
    assert states.index(RegistrationState.APPROVED) >= 600
    assert RegistrationState.REVOKED not in states[600:]


one_change = st.one_of(
    st.builds(credential, st.integers(0, 5), st.sampled_from(CredentialState)),
    st.builds(application, st.integers(0, 5), st.sampled_from(RegistrationState)),
    st.builds(lambda n: Delete(Table.CREDENTIALS, n.to_bytes(32)), st.integers(0, 5)),
    st.builds(
        lambda n, m: Put(Table.SERVICES, uuid(n), Service(uuid(n), uuid(m))), st.integers(0, 3), st.integers(0, 3)
    ),
)


@given(st.lists(one_change), st.lists(one_change))
def test_amended_contents_are_those_with_the_changes(before: list[Change], changes: list[Change]) -> None:
    current, expected = Contents(), Contents()
    current.apply(before)
    expected.apply(before + changes)
    current.apply(amend(current, changes))
    assert current == expected
