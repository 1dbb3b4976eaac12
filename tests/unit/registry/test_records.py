import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
)
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.records import (
    DECODERS,
    MAX_ID_BYTES,
    MAX_RECORD_BYTES,
    TYPES,
    CorruptRecord,
    encode,
    field_of,
    raw_id,
    raw_of_field,
    record_id,
)

uuids = st.uuids().map(str)
texts = st.text(max_size=30)
records = st.one_of(
    st.builds(
        Api, id=uuids, name=texts, version=texts, accepts=st.lists(st.builds(Acceptance, uuids, uuids)).map(tuple)
    ),
    st.builds(Service, id=uuids, api_id=uuids),
    st.builds(
        Strategy,
        id=uuids,
        name=texts,
        type=st.sampled_from(StrategyType),
        key_names=st.lists(texts, max_size=3).map(tuple),
        openid_connect=st.none() | st.builds(OpenIdConnect, issuer=texts, scopes_required=st.tuples(texts)),
    ),
    st.builds(
        Application,
        id=uuids,
        portal_id=uuids,
        strategy_id=uuids,
        developer_id=st.none() | uuids,
        developer_revoked=st.booleans(),
        registrations=st.dictionaries(uuids, st.sampled_from(RegistrationState), max_size=4),
    ),
    st.builds(Client, id=texts, credential_id=uuids, application_id=uuids, state=st.sampled_from(CredentialState)),
    st.builds(Issuer, id=texts, issuer=texts, keys=st.lists(texts, max_size=3).map(tuple), token_endpoint=texts),
    st.builds(
        Credential,
        id=uuids,
        application_id=uuids,
        state=st.sampled_from(CredentialState),
        expires_at=st.none() | st.integers(1, 2**62),
    ),
)


@given(records)
def test_every_record_comes_back_as_it_was(record):
    table = next(table for table, kind in TYPES.items() if type(record) is kind)
    assert DECODERS[table](encode(record)) == record


def test_credential_takes_41_bytes():
    credential = Credential("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
    assert len(encode(credential)) == 41


@given(st.sampled_from(Table), st.binary(max_size=60))
def test_what_is_no_record_is_corrupt_and_nothing_else(table, value):
    try:
        outcome = DECODERS[table](value)
    except CorruptRecord as error:
        outcome = error
    if isinstance(outcome, CorruptRecord):
        assert str(outcome) == f"corrupt record in {table}"
        assert outcome.__suppress_context__, "a decoder's own message may quote the value"
    else:
        assert type(outcome) is TYPES[table]


@pytest.mark.parametrize(
    "credential",
    [
        Credential("not-a-uuid", "00000000-0000-4000-8000-000000000002"),
        Credential("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-00000000000G"),
        Credential("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", expires_at=0),
        Credential("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", expires_at=-5),
        Credential("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", expires_at=2**64),
    ],
)
def test_credential_that_cannot_be_packed_is_refused(credential):
    with pytest.raises(ValueError, match="credential"):
        encode(credential)


def test_credential_of_unknown_state_is_corrupt():
    good = encode(Credential("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"))
    with pytest.raises(CorruptRecord):
        DECODERS[Table.CREDENTIALS](b"\x09" + good[1:])


def test_too_long_a_record_is_refused():
    with pytest.raises(ValueError, match="at most"):
        encode(Service("a", "b" * MAX_RECORD_BYTES))


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (Table.CREDENTIALS, "text"),
        (Table.CREDENTIALS, b"short"),
        (Table.APIS, b"bytes"),
        (Table.APIS, ""),
        (Table.APIS, "x" * (MAX_ID_BYTES + 1)),
    ],
)
def test_wrong_id_is_refused(table, wrong):
    with pytest.raises(ValueError, match="id"):
        raw_id(table, wrong)


@given(st.binary(min_size=32, max_size=32), st.text(min_size=1, max_size=30))
def test_ids_come_back_as_they_were(digest, text):
    for table, given_id in ((Table.CREDENTIALS, digest), (Table.SERVICES, text)):
        raw = raw_id(table, given_id)
        assert raw_of_field(table, field_of(table, raw)) == raw
        assert record_id(table, raw) == given_id


@pytest.mark.parametrize("field", [b"", b"zz" * 32, b"ab" * 31, b"AB" * 32])
def test_field_that_is_no_digest_is_corrupt(field):
    with pytest.raises(CorruptRecord):
        raw_of_field(Table.CREDENTIALS, field)


@pytest.mark.parametrize(("table", "raw"), [(Table.CREDENTIALS, b"x"), (Table.APIS, b"\xff"), (Table.APIS, b"")])
def test_raw_id_that_is_none_is_corrupt(table, raw):
    with pytest.raises(CorruptRecord):
        record_id(table, raw)


def test_msgpack_of_a_record_is_an_array_so_that_fields_may_be_added_at_its_end():
    longer = msgspec.msgpack.encode(["id", "api", "a field of tomorrow"])
    assert DECODERS[Table.SERVICES](longer) == Service("id", "api")
