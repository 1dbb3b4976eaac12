"""The form of keys: what is minted is plausible in its region only, and no single typing error is."""

import hashlib
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kong_app_auth.domain.api_key import (
    ALPHABET,
    MAX_LENGTH,
    PREFIX,
    Form,
    checksum,
    digest,
    form_of,
    mint,
    valid_region,
)

REGIONS = st.from_regex(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


def ours(region: str, digits: str) -> str:
    """A key of our form with these 32 digits and the right checksum."""
    body = f"{PREFIX}{region}_{digits}"
    return body + checksum(body)


KEYS = st.builds(ours, st.just("eu"), st.text(ALPHABET, min_size=32, max_size=32))


@given(REGIONS)
def test_a_minted_key_is_plausible_in_its_region(region: str) -> None:
    assert form_of(mint(region), region) is Form.PLAUSIBLE


@given(REGIONS, REGIONS)
def test_a_key_of_another_region_is_malformed(region: str, other: str) -> None:
    assume(region != other)
    assert form_of(mint(region), other) is Form.MALFORMED


def test_minted_keys_have_the_documented_form_and_differ() -> None:
    keys = {mint("eu-west-1") for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        prefix, region, rest = key.split("_")
        assert (prefix, region, len(rest)) == ("kaa", "eu-west-1", 38)
        assert set(rest) <= set(string.digits + string.ascii_letters)


@pytest.mark.parametrize("region", ["", "EU", "1eu", "-eu", "eu-", "e_u", "e" * 33, "eü", "eu\n", "{eu}"])
def test_no_key_is_minted_for_what_names_no_region(region: str) -> None:
    assert not valid_region(region)
    with pytest.raises(ValueError, match="not a region name"):
        mint(region)


@given(KEYS, st.data())
def test_any_one_character_changed_is_malformed_where_the_prefix_still_says_that_it_is_ours(
    key: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(len(PREFIX), len(key) - 1))
    other = data.draw(st.characters(exclude_characters=key[at]))
    assert form_of(key[:at] + other + key[at + 1 :], "eu") is Form.MALFORMED


@given(KEYS, st.integers(0, len(PREFIX) - 1), VISIBLE)
def test_a_key_without_our_prefix_is_taken_for_an_imported_one(key: str, at: int, other: str) -> None:
    assume(other != key[at])
    assert form_of(key[:at] + other + key[at + 1 :], "eu") is Form.PLAUSIBLE


@given(KEYS, st.data())
def test_two_neighbours_exchanged_a_digit_lost_or_one_too_many_are_malformed(key: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(len(PREFIX), len(key) - 2))
    assume(key[at] != key[at + 1])
    assert form_of(key[:at] + key[at + 1] + key[at] + key[at + 2 :], "eu") is Form.MALFORMED
    assert form_of(key[:at] + key[at + 1 :], "eu") is Form.MALFORMED
    assert form_of(key[:at] + "x" + key[at:], "eu") is Form.MALFORMED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "000000"),
        ("123456789", "3jZRME"),  # CRC-32/ISO-HDLC's check value, 0xCBF43926
        ("a", "4GEHKN"),  # 0xE8B7BE43
        ("kaa_eu_" + "0" * 32, "2zTWM4"),
    ],
)
def test_checksums_have_not_changed(text: str, expected: str) -> None:
    assert checksum(text) == expected


@given(st.text(VISIBLE))
def test_the_checksum_is_the_crc_32_in_base_62(text: str) -> None:
    import zlib

    value = 0
    for digit in checksum(text):
        value = value * 62 + (string.digits + string.ascii_uppercase + string.ascii_lowercase).index(digit)
    assert value == zlib.crc32(text.encode())
    assert len(checksum(text)) == 6


@given(st.text(VISIBLE, min_size=20, max_size=MAX_LENGTH))
def test_imported_keys_of_visible_ascii_are_plausible(key: str) -> None:
    assume(not key.startswith(PREFIX))
    assert form_of(key, "eu") is Form.PLAUSIBLE


@given(st.text(VISIBLE, min_size=20, max_size=60), st.integers(0, 60), st.characters())
def test_imported_keys_with_anything_else_in_them_are_malformed(key: str, at: int, other: str) -> None:
    assume(not "\x21" <= other <= "\x7e")
    assert form_of(key[:at] + other + key[at:], "eu") is Form.MALFORMED


@pytest.mark.parametrize(
    ("length", "form"),
    [(0, Form.MALFORMED), (19, Form.MALFORMED), (20, Form.PLAUSIBLE), (512, Form.PLAUSIBLE), (513, Form.MALFORMED)],
)
def test_the_length_is_limited(length: int, form: Form) -> None:
    assert form_of("x" * length, "eu") is form


@given(st.text(max_size=600), REGIONS)
def test_nothing_that_a_client_sends_raises(key: str, region: str) -> None:
    form_of(key, region)
    assert len(digest(key)) == 32


@given(st.binary(max_size=100))
def test_the_digest_is_of_the_bytes_that_were_sent(sent: bytes) -> None:
    assert digest(sent.decode("latin-1")) == hashlib.sha256(sent).digest()
