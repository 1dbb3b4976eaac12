"""Where a key, a token or a client's secret is found in a request, and that nothing else of the query is touched."""

import base64
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_app_auth.domain.presented import (
    MAX_CLIENT_ID,
    MAX_CLIENT_SECRET,
    MAX_TOKEN,
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

NAMES = ("apikey", "x-api-key")
LATIN = st.text(st.characters(max_codepoint=255))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Absence.NOTHING),
        ({"accept": "*/*"}, Absence.NOTHING),
        ({"apikey": "k"}, PresentedKey("k", Place.HEADER, "apikey")),
        ({"x-api-key": "k", "accept": "a"}, PresentedKey("k", Place.HEADER, "x-api-key")),
        ({"apikey": ["k"]}, PresentedKey("k", Place.HEADER, "apikey")),
        ({"apikey": " k "}, PresentedKey(" k ", Place.HEADER, "apikey")),  # as it came: its form is judged elsewhere
        ({"apikey": ["k", "k"]}, Absence.DUPLICATE),
        ({"apikey": ["k", ""]}, Absence.DUPLICATE),
        ({"apikey": "k", "x-api-key": "k"}, Absence.DUPLICATE),
        ({"apikey": "", "x-api-key": "k"}, PresentedKey("k", Place.HEADER, "x-api-key")),
        ({"apikey": ""}, Absence.NOTHING),
        ({"apikey": []}, Absence.NOTHING),
        ({"apikey": [""]}, Absence.NOTHING),
        ({"apikey": None}, Absence.NOTHING),
        ({"apikey": True}, Absence.NOTHING),
        ({"apikey": 7.0}, Absence.NOTHING),
        ({"apikey": [True]}, Absence.NOTHING),
        ({"api_key": "k", "api-key": "k", "apikey2": "k"}, Absence.NOTHING),
    ],
)
def test_a_key_in_the_headers(headers: dict[str, object], expected: PresentedKey | Absence) -> None:
    assert key_in_headers(headers, NAMES) == expected


def test_without_names_nothing_is_looked_for() -> None:
    assert key_in_headers({"apikey": "k"}, ()) is Absence.NOTHING
    assert key_in_query("apikey=k", ()) is Absence.NOTHING


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Absence.NOTHING),
        ("a=b", Absence.NOTHING),
        ("apikey", Absence.NOTHING),
        ("apikey=", Absence.NOTHING),
        ("apikey=k", "k"),
        ("APIKey=k", "k"),
        ("a=b&apikey=k&c", "k"),
        ("apikey=&apikey=k", "k"),
        ("apikey=a=b", "a=b"),
        ("apikey=a%26b", "a&b"),
        ("apikey=a+b", "a b"),
        ("apikey=a%2Bb", "a+b"),
        ("%61pikey=k", "k"),
        ("%61%70%69%6b%65%79=k", "k"),
        ("apikey=%ff%00", "\xff\x00"),
        ("apikey=\xff", "\xff"),
        ("apikey=%zz%4", "%zz%4"),
        ("apikey=k;x=y", "k;x=y"),  # as nginx has it: only & parts arguments
        ("apikey=k&apikey=k", Absence.DUPLICATE),
        ("apikey=k&x-api-key=k", Absence.DUPLICATE),
        ("apikey=k&%61PIKEY=l", Absence.DUPLICATE),
    ],
)
def test_a_key_in_the_query(query: str, expected: str | Absence) -> None:
    found = key_in_query(query, NAMES)
    assert (found.text if isinstance(found, PresentedKey) else found) == expected


@given(st.binary(min_size=1, max_size=40), st.lists(LATIN.filter(lambda text: "&" not in text and "=" not in text)))
def test_any_bytes_can_be_a_key_in_the_query(key: bytes, others: list[str]) -> None:
    query = "&".join([*(f"o{number}={text}" for number, text in enumerate(others)), f"apikey={quote_from_bytes(key)}"])
    found = key_in_query(query, NAMES)
    assert isinstance(found, PresentedKey)
    assert found.text.encode("latin-1") == key
    assert found.place is Place.QUERY


@given(
    st.lists(LATIN.filter(lambda text: "&" not in text)),
    st.sampled_from(["apikey=k", "APIkey=%20", "%61pikey", "apikey"]),
)
def test_taking_the_key_away_leaves_all_else_to_the_letter(others: list[str], key: str) -> None:
    rest = [part for part in others if "apikey" not in part.lower() and "%" not in part]
    for at in range(len(rest) + 1):
        assert query_without("&".join([*rest[:at], key, *rest[at:]]), ["apikey"]) == "&".join(rest)


@given(LATIN)
def test_a_query_without_the_key_in_it_is_given_back(query: str) -> None:
    assert query_without(query, ["a name that is not there"]) == query


@given(LATIN)
def test_what_was_taken_away_is_not_found_again(query: str) -> None:
    assert key_in_query(query_without(f"{query}&apikey=k", NAMES), NAMES) is Absence.NOTHING


def test_a_presented_key_is_not_shown() -> None:
    assert "secret" not in repr(PresentedKey("secret", Place.HEADER, "apikey"))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode("latin-1")).decode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ([], None),
        (True, None),
        (7, None),
        ([True], None),
        ("Digest x", None),
        ("Bearerx y", None),
        ("x", None),
        (" Bearer x", None),
        ("Bearer x", BearerToken("x")),
        (["bearer x"], BearerToken("x")),
        ("BEARER aZ0-._~+/==", BearerToken("aZ0-._~+/==")),
        ("Bearer " + "x" * MAX_TOKEN, BearerToken("x" * MAX_TOKEN)),
        (["Bearer x", "Bearer x"], Flaw.TWICE),
        (["Digest x", "Bearer x"], Flaw.TWICE),
        ("Bearer", Flaw.TOKEN),
        ("Bearer ", Flaw.TOKEN),
        ("Bearer  x", Flaw.TOKEN),
        ("Bearer x ", Flaw.TOKEN),
        ("Bearer x y", Flaw.TOKEN),
        ("Bearer x,y", Flaw.TOKEN),
        ("Bearer =", Flaw.TOKEN),
        ("Bearer x=y", Flaw.TOKEN),
        ("Bearer x\n", Flaw.TOKEN),
        ("Bearer \xe9", Flaw.TOKEN),
        ("Bearer " + "x" * (MAX_TOKEN + 1), Flaw.TOKEN),
        (basic("id:secret"), ClientSecret("id", "secret")),
        (basic("id:a:b"), ClientSecret("id", "a:b")),
        (basic("i+d%3A%20:%25+%2B"), ClientSecret("i d: ", "% +")),
        (basic("id:" + "s" * MAX_CLIENT_SECRET), ClientSecret("id", "s" * MAX_CLIENT_SECRET)),
        (basic("i" * MAX_CLIENT_ID + ":s"), ClientSecret("i" * MAX_CLIENT_ID, "s")),
        (basic("id:" + "s" * (MAX_CLIENT_SECRET + 1)), Flaw.BASIC),
        (basic("i" * (MAX_CLIENT_ID + 1) + ":s"), Flaw.BASIC),
        (basic("id"), Flaw.BASIC),
        (basic("id:"), Flaw.BASIC),
        (basic(":secret"), Flaw.BASIC),
        (basic("id:%00"), Flaw.BASIC),
        (basic("id:%ff"), Flaw.BASIC),
        (basic("id:\xff"), Flaw.BASIC),
        (basic("id:secret").replace("Basic ", "Basic  "), Flaw.BASIC),
        ("Basic", Flaw.BASIC),
        ("Basic aWQ6c2VjcmV0*", Flaw.BASIC),
        ("Basic aWQ6c2Vjcm", Flaw.BASIC),
        ("Basic " + "A" * 100_000, Flaw.BASIC),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_the_header_authorization(value: object, expected: object) -> None:
    assert authorization({} if value is None else {"authorization": value}) == expected


@given(LATIN)
def test_any_text_is_read_without_an_error(text: str) -> None:
    for value in (text, f"Bearer {text}", f"Basic {text}", basic(text)):
        authorization({"authorization": value})


def test_tokens_and_secrets_are_not_shown() -> None:
    assert "s3cret" not in repr(BearerToken("s3cret")) + repr(ClientSecret("s3cret", "s3cret"))
