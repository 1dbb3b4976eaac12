"""A strategy's settings for tokens: what is left out has its default, what is wrong is named."""

from typing import Any

import pytest

from kong_app_auth.domain.openid_connect import Wrong, is_client_id, read
from kong_app_auth.domain.records import DEFAULT_ALGORITHMS, DEFAULT_CREDENTIAL_CLAIMS, OpenIdConnect

ISSUER = "https://idp.example/tenant"


def test_konnects_four_settings_are_enough() -> None:
    config = {"issuer": ISSUER, "credential_claim": ["cid"], "scopes": ["openid"], "auth_methods": ["bearer"]}
    assert read(config) == OpenIdConnect(ISSUER, ("cid",), ("bearer",), ("openid",))


def test_the_address_of_the_discovery_document_names_its_issuer() -> None:
    found = read({"issuer": ISSUER + "/.well-known/openid-configuration"})
    assert isinstance(found, OpenIdConnect)
    assert found.issuer == ISSUER


def test_what_is_left_out_or_empty_has_its_default_and_no_method_lets_nobody_in() -> None:
    found = read({"issuer": ISSUER, "credential_claim": [], "algorithms": [], "scopes_required": [""]})
    assert found == OpenIdConnect(ISSUER, DEFAULT_CREDENTIAL_CLAIMS, (), algorithms=DEFAULT_ALGORITHMS)


def test_further_settings_have_the_names_of_kongs_plugin() -> None:
    more = {"scopes_required": ["a b", "c"], "audience_required": ["x"], "audience": ["y"]}
    found = read({"issuer": ISSUER, **more, "algorithms": ["ES256"], "leeway": 0, "cache_ttl": 300, "other": {"a": 1}})
    assert found == OpenIdConnect(
        ISSUER,
        auth_methods=(),
        scopes_required=("a b", "c"),
        audience_required=("x",),
        audience=("y",),
        algorithms=("ES256",),
        leeway=0,
        cache_ttl=300,
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("issuer", None),
        ("issuer", "idp.example"),
        ("issuer", "https://idp.example/" + "x" * 250),
        ("issuer", "https://idp.example/ "),
        ("issuer", "http://idp.example"),
        ("issuer", "https://me:password@idp.example"),
        ("issuer", "https://idp.example/#x"),
        ("issuer", "https://idp.example/?p=x"),
        ("credential_claim", ["x" * 129]),
        ("credential_claim", ["x"] * 11),
        ("auth_methods", ["x" * 65]),
        ("credential_claim", "sub"),
        ("scopes", ["x" * 257]),
        ("scopes_required", [1]),
        ("audience_required", ["x"] * 51),
        ("algorithms", ["HS256"]),
        ("algorithms", ["none"]),
        ("algorithms", ["RS256", "RS1"]),
        ("leeway", -1),
        ("leeway", 301),
        ("leeway", True),
        ("leeway", 1.5),
        ("cache_ttl", "60"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_wrong_is_named(field: str, value: Any) -> None:
    found = read({"issuer": ISSUER, field: value})
    assert isinstance(found, Wrong)
    assert found.field == field


@pytest.mark.parametrize(
    ("text", "right"),
    [("0oa1 b", True), ("x" * 255, True), ("", False), ("x" * 256, False), ("café", False), ("a\nb", False)],
    ids=["usual", "longest", "empty", "too long", "not ASCII", "line break"],
)
def test_ids_of_clients_are_visible_ascii(text: str, right: bool) -> None:
    assert is_client_id(text) is right
