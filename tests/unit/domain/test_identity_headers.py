"""Who the upstream is told is calling, and that no client can say it in our place."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_app_auth.domain.decision import Allow
from kong_app_auth.domain.identity_headers import NEVER_FROM_A_CLIENT, identity_headers, spoofed
from kong_app_auth.domain.records import Application, Credential

NAMES = [
    "X-Application-ID", "X-Developer-ID", "X-Portal-ID", "X-Auth-Strategy-ID", "X-Credential-Identifier",
    "X-App-Auth-Region", "X-Consumer-ID", "X-Consumer-Custom-ID", "X-Consumer-Username", "X-Consumer-Groups",
    "X-Authenticated-Groups", "X-Authenticated-Scope", "X-Anonymous-Consumer",
]  # fmt: skip


def allow(developer: str | None) -> Allow:
    return Allow(Application("app", "portal", "strategy", developer), Credential("credential", "app"), "api")


def test_the_upstream_is_told_who_calls() -> None:
    assert identity_headers(allow("developer"), "eu") == {
        "X-Application-ID": "app",
        "X-Developer-ID": "developer",
        "X-Portal-ID": "portal",
        "X-Auth-Strategy-ID": "strategy",
        "X-Credential-Identifier": "credential",
        "X-App-Auth-Region": "eu",
    }


def test_an_application_of_a_team_has_no_developer() -> None:
    assert "X-Developer-ID" not in identity_headers(allow(None), "eu")


def test_the_names_of_the_design_are_never_let_through() -> None:
    assert {name.lower() for name in NAMES} == NEVER_FROM_A_CLIENT


def test_whatever_we_set_no_client_may() -> None:
    assert {name.lower() for name in identity_headers(allow("developer"), "eu")} <= NEVER_FROM_A_CLIENT


@pytest.mark.parametrize("name", NAMES)
def test_every_way_of_writing_hyphens_as_underscores_is_found(name: str) -> None:
    words = name.lower().split("-")
    ways = [
        "".join(itertools.chain.from_iterable(zip(words, (*signs, ""), strict=True)))
        for signs in itertools.product("-_", repeat=len(words) - 1)
    ]
    assert spoofed([*ways, "accept", "x-application", "x-application-id-2"]) == ways


@given(st.lists(st.text()))
def test_only_those_names_are_found(names: list[str]) -> None:
    assert all(name.replace("_", "-") in NEVER_FROM_A_CLIENT for name in spoofed(names))
