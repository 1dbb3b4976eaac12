"""The lines between portal and daemon: what is written is read, and nothing else is."""

import json
from typing import Any

import pytest

from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Credential,
    CredentialState,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
)
from kong_app_auth.registry.changes import Delete, Put
from kong_app_auth.registry.feed import (
    VERSION,
    BadFeed,
    Cursor,
    Key,
    NewerFeed,
    decode,
    decode_line,
    encode_end,
    encode_header,
    encode_line,
)
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.records import MAX_ID_BYTES, Record

ID = "8c9e6679-7425-40de-944b-e07fc1f90ae7"
OTHER = "11111111-7425-40de-944b-e07fc1f90ae7"
DIGEST = "ab" * 32
RECORDS: list[tuple[Key, Record]] = [
    (Key(Table.APIS, ID), Api(ID, "Weather – ☂", "", (Acceptance(OTHER, ID),))),
    (Key(Table.SERVICES, ID), Service(ID, OTHER)),
    (Key(Table.STRATEGIES, ID), Strategy(ID, "keys", StrategyType.KEY_AUTH, ("apikey",))),
    (
        Key(Table.APPLICATIONS, ID),
        Application(ID, OTHER, OTHER, None, True, {OTHER: RegistrationState.REVOKED}),
    ),
    (Key(Table.CREDENTIALS, DIGEST), Credential(ID, OTHER, CredentialState.REVOKED, 1_800_000_000)),
]


def feed(*lines: bytes, region: str = "eu") -> list[bytes]:
    return [encode_header(region, Cursor("ab12", 7)), *lines, encode_end(len(lines))]


@pytest.mark.parametrize(("key", "record"), RECORDS, ids=lambda one: type(one).__name__)
def test_a_record_is_read_as_it_was_written(key: Key, record: Record) -> None:
    change = decode_line(encode_line(key, record))
    assert isinstance(change, Put)
    assert (change.table, change.record) == (key.table, record)
    assert change.id == (bytes.fromhex(DIGEST) if key.table is Table.CREDENTIALS else ID)


@pytest.mark.parametrize("key", [key for key, _ in RECORDS], ids=lambda key: key.table)
def test_a_record_that_is_gone_is_a_deletion(key: Key) -> None:
    assert isinstance(decode_line(encode_line(key, None)), Delete)


def test_a_whole_feed_is_read_with_its_cursor() -> None:
    lines = [encode_line(key, record) for key, record in RECORDS]
    header, changes = decode(feed(*lines), "eu")
    assert header.cursor == "ab12-7"
    assert list(changes) == [decode_line(line) for line in lines]


@pytest.mark.parametrize("length", range(1, 5))
def test_a_feed_that_was_cut_off_is_refused(length: int) -> None:
    lines = feed(*(encode_line(key, record) for key, record in RECORDS[:3]))
    _, changes = decode(lines[:length], "eu")
    with pytest.raises(BadFeed, match="cut off"):
        list(changes)


def test_a_feed_with_another_number_of_records_than_it_says_is_refused() -> None:
    line = encode_line(*RECORDS[0])
    for wrong in ([encode_header("eu", Cursor("a", 1)), line, encode_end(2)], [*feed(line), line]):
        with pytest.raises(BadFeed, match="more or fewer"):
            list(decode(wrong, "eu")[1])


def test_a_newer_version_is_told_apart_whatever_else_it_holds() -> None:
    with pytest.raises(NewerFeed, match=f"version {VERSION + 1}"):
        decode([json.dumps({"version": VERSION + 1, "something": "else"}).encode()], "eu")


@pytest.mark.parametrize(
    "header",
    [b"", b"[]", b"null", b'{"version":1}', b'{"version":"1"}', b'{"version":1,"region":"eu","cursor":"a b"}', b"\xff"],
)
def test_what_has_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(BadFeed):
        decode([header], "eu")


def test_the_feed_of_another_region_is_refused() -> None:
    with pytest.raises(BadFeed, match="another region"):
        decode(feed(region="us"), "eu")


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["apis", ID],
        ["nothing", ID, None],
        ["apis", "", None],
        ["apis", "x" * (MAX_ID_BYTES + 1), None],
        ["issuers", "https://idp.example", ["https://idp.example", "https://idp.example"]],
        ["apis", ID, 1],
        ["apis", OTHER, [ID, "Weather", ""]],
        ["strategies", ID, [ID, "x", "magic"]],
        ["applications", ID, [ID, ID, ID, None, False, {ID: 9}]],
        ["credentials", DIGEST.upper(), None],
        ["credentials", DIGEST[:-2], None],
        ["credentials", DIGEST, {"id": "no uuid", "application_id": ID}],
        ["credentials", DIGEST, {"id": ID, "application_id": ID, "expires_at": 0}],
        ["apis", ID, [ID, "x" * 300_000, ""]],
    ],
    ids=str,
)
def test_a_line_that_the_registry_could_not_store_is_refused_without_quoting_it(line: Any) -> None:
    with pytest.raises(BadFeed) as refused:
        decode_line(json.dumps(line).encode())
    assert DIGEST[:8] not in str(refused.value).lower()


def test_what_a_later_portal_adds_is_passed_over() -> None:
    line = ["services", ID, [ID, OTHER, "more"], "more"]
    assert decode_line(json.dumps(line).encode()) == Put(Table.SERVICES, ID, Service(ID, OTHER))
    header = {"version": VERSION, "region": "eu", "cursor": "a", "more": 1}
    assert decode([json.dumps(header).encode()], "eu")[0].cursor == "a"


def test_a_record_that_the_registry_cannot_store_is_never_written() -> None:
    with pytest.raises(ValueError, match="bytes"):
        encode_line(Key(Table.APIS, ID), Api(ID, "x" * 300_000, ""))


def test_a_cursor_is_read_as_it_was_written() -> None:
    assert Cursor.parse(str(Cursor("0af9", 123))) == Cursor("0af9", 123)


@pytest.mark.parametrize(
    "text", ["", "-", "ab", "ab-", "-1", "ab-01", "ab--1", "AB-1", "ab-1 ", "ab-" + "9" * 16, "ab-1-1"]
)
def test_what_is_no_cursor_is_none(text: str) -> None:
    assert Cursor.parse(text) is None


def test_no_digest_is_in_a_repr() -> None:
    assert DIGEST not in repr(Key(Table.CREDENTIALS, DIGEST))
