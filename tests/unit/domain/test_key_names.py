"""The names of headers that may carry a key."""

import pytest

from kong_app_auth.domain.key_names import Fault, WrongName, wrong_name


@pytest.mark.parametrize("names", [[], ["apikey"], ["X-Api-Key", "x_api_key", "k" * 64]], ids=len)
def test_names_of_headers_without_a_meaning_are_good(names: list[str]) -> None:
    assert wrong_name(names) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", Fault.NO_HEADER),
        ("api key", Fault.NO_HEADER),
        ("k" * 65, Fault.NO_HEADER),
        ("clé", Fault.NO_HEADER),
        ("ApiKey", Fault.TWICE),
        ("X_Consumer_ID", Fault.IDENTITY),
        ("Authorization", Fault.MEANING),
        ("Cookie", Fault.MEANING),
        ("HOST", Fault.MEANING),
        ("Content_Length", Fault.MEANING),
    ],
    ids=lambda value: str(value)[:20] or "empty",
)
def test_others_are_named_with_their_fault(name: str, fault: Fault) -> None:
    assert wrong_name(["apikey", name]) == WrongName(1, fault)
