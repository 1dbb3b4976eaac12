"""apps.yaml with tokens: strategies of OpenID Connect, and applications' OAuth clients."""

from pathlib import Path

import pytest

from kong_app_auth.domain.records import (
    DEFAULT_ALGORITHMS,
    DEFAULT_CREDENTIAL_CLAIMS,
    Client,
    OpenIdConnect,
    Strategy,
    StrategyType,
    client_key,
)
from kong_app_auth.registry.changes import in_batches
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.sync.declarative.complaints import Refusal
from kong_app_auth.sync.declarative.document import parse
from kong_app_auth.sync.issuers.in_use import issuer_of

BASE = """\
_format_version: "1.0"
region: eu
auth_strategies:
  - name: idp
    strategy_type: openid_connect
    configs:
      openid-connect:
        issuer: https://idp.example.com
        auth_methods: [bearer]
        leeway: 10
  - {name: keys, strategy_type: key_auth}
apis:
  - name: Weather API
portals:
  - name: Production
    default_auth_strategy: idp
    publications:
      - api: Weather API
    teams:
      - name: us
    applications:
      - name: dashboard
        team: us
        client_id: first
        registrations: [{api: Weather API, status: approved}]
      - name: planner
        team: us
        client_id:
          - second
          - third
"""


def edited(old: str, new: str) -> str:
    assert BASE.count(old) == 1, old
    return BASE.replace(old, new)


def read(text: str) -> Contents:
    answer = parse(text.encode(), "apps.yaml", "eu")
    assert isinstance(answer, Contents), [str(complaint) for complaint in answer.complaints]
    return answer


def complaints(text: str) -> list[str]:
    answer = parse(text.encode(), "apps.yaml", "eu")
    assert isinstance(answer, Refusal)
    return [str(complaint).removeprefix("apps.yaml:") for complaint in answer.complaints]


def strategy(contents: Contents, name: str = "idp") -> Strategy:
    return next(one for one in contents.strategies.values() if one.name == name)


def clients(contents: Contents) -> dict[str, str]:
    """Names of applications by client id; none of them is of a strategy that is not the application's."""
    found: dict[str, str] = {}
    for key, client in contents.clients.items():
        application = contents.applications[client.application_id]
        assert client == Client(client_key(application.strategy_id, client.client_id), application.id, application.id)
        assert client.id == key
        found[client.client_id] = application.id
    return found


def test_issuer_and_methods_are_enough() -> None:
    found = strategy(read(edited("        leeway: 10\n", "")))
    assert (found.type, found.key_names) == (StrategyType.OPENID_CONNECT, ())
    assert found.openid_connect == OpenIdConnect(
        "https://idp.example.com", DEFAULT_CREDENTIAL_CLAIMS, ("bearer",), algorithms=DEFAULT_ALGORITHMS
    )


def test_every_setting_arrives() -> None:
    settings = """\
        credential_claim: [cid, act.sub]
        scopes: [weather.read]
        scopes_required: [a b, c]
        audience_required: [https://weather.example.com]
        audience: [weather]
        algorithms: [ES256]
        leeway: 0
        cache_ttl: 300
"""
    found = strategy(read(edited("[bearer]\n        leeway: 10\n", "[introspection, client_credentials]\n" + settings)))
    assert found.openid_connect == OpenIdConnect(
        "https://idp.example.com",
        ("cid", "act.sub"),
        ("introspection", "client_credentials"),
        ("weather.read",),
        ("a b", "c"),
        ("https://weather.example.com",),
        ("weather",),
        ("ES256",),
        0,
        300,
    )


def test_the_address_of_the_discovery_document_names_its_issuer() -> None:
    contents = read(edited("example.com", "example.com/.well-known/openid-configuration"))
    assert issuer_of(strategy(contents)) == "https://idp.example.com"


def test_the_issuers_keys_are_not_the_files_affair() -> None:
    assert read(BASE).issuers == {}


def test_an_application_has_one_client_or_several() -> None:
    contents = read(BASE)
    found = clients(contents)
    assert set(found) == {"first", "second", "third"}
    assert found["second"] == found["third"] != found["first"]


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ("        client_id: first\n", "", {"second", "third"}),
        ("client_id: first", "client_id: []", {"second", "third"}),
        ("          - third\n", "", {"first", "second"}),
    ],
    ids=["the field", "all in the list", "one of several"],
)
def test_a_client_taken_out_is_gone_and_the_file_stays_good(old: str, new: str, left: set[str]) -> None:
    assert set(clients(read(edited(old, new)))) == left


def test_two_strategies_may_know_different_clients_by_one_id() -> None:
    second = "  - {name: two, strategy_type: openid_connect, configs: {openid-connect: {issuer: 'https://b.example', auth_methods: [bearer]}}}\n"  # noqa: E501
    text = edited("  - {name: keys,", second + "  - {name: keys,").replace(
        "      - name: planner\n", "      - name: planner\n        auth_strategy: two\n"
    )
    contents = read(text.replace("- second", "- first"))
    ids = sorted(client.client_id for client in contents.clients.values())
    assert ids == ["first", "first", "third"]
    assert len({client.application_id for client in contents.clients.values()}) == 2


def test_everything_can_be_stored() -> None:
    contents = read(edited("client_id: first", "client_id: " + "x" * 255))
    assert sum(map(len, in_batches(diff(Contents(), contents)))) == 8


SETTINGS = "auth_strategies[0].configs.openid-connect"
PORTAL = "portals[0].applications"
METHODS = "bearer, client_credentials, introspection"

RULES = {
    "no configuration": (
        edited(BASE[BASE.index("    configs:") : BASE.index("  - {name: keys")], ""),
        '4:5: auth_strategies[0]: the field "configs.openid-connect" is missing',
    ),
    "the other type's configuration": (
        edited("strategy_type: key_auth", "strategy_type: key_auth, configs: {openid-connect: {}}"),
        "11:69: auth_strategies[1].configs.openid-connect: is not the configuration of a strategy of the type key_auth",
    ),
    "names of keys": (
        edited("    configs:\n", "    configs:\n      key-auth: {key_names: [apikey]}\n"),
        "7:17: auth_strategies[0].configs.key-auth: is not the configuration of a strategy of the type openid_connect",
    ),
    "no issuer": (
        edited("        issuer: https://idp.example.com\n", ""),
        f'8:9: {SETTINGS}: the field "issuer" is missing',
    ),
    "an issuer without TLS": (
        edited("https://idp", "http://idp"),
        f"8:17: {SETTINGS}.issuer: must be a URL with https; http is for this machine itself only",
    ),
    "an issuer that is no URL": (
        edited("https://idp.example.com", "idp.example.com"),
        f"8:17: {SETTINGS}.issuer: must be a URL with https",
    ),
    "an issuer with a password": (
        edited("https://idp", "https://me:secret@idp"),
        f"8:17: {SETTINGS}.issuer: must not hold a user name or password",
    ),
    "an issuer with a query": (
        edited("example.com", "example.com/?policy=x"),
        f"8:17: {SETTINGS}.issuer: must not have a query",
    ),
    "an issuer that is too long": (
        edited("example.com", "example.com/" + "x" * 240),
        f"8:17: {SETTINGS}.issuer: must be a URL of at most 256 characters",
    ),
    "no methods": (
        edited("        auth_methods: [bearer]\n", ""),
        f'8:9: {SETTINGS}: the field "auth_methods" is missing: some of {METHODS}',
    ),
    "no method at all": (
        edited("[bearer]", "[]"),
        f"9:23: {SETTINGS}.auth_methods: is empty: nobody would be let in",
    ),
    "a mistyped method": (
        edited("[bearer]", "[bearer, introspect]"),
        f"9:32: {SETTINGS}.auth_methods[1]: must be of {METHODS}",
    ),
    "a method in a text": (edited("[bearer]", "bearer"), f"9:23: {SETTINGS}.auth_methods: must be a list"),
    "a symmetric algorithm": (
        edited("leeway: 10", "algorithms:\n          - RS256\n          - HS256"),
        f"12:13: {SETTINGS}.algorithms[1]: must be of {', '.join(DEFAULT_ALGORITHMS)}",
    ),
    "no algorithm": (
        edited("leeway: 10", "algorithms: [none]"),
        f"10:22: {SETTINGS}.algorithms[0]: must be of {', '.join(DEFAULT_ALGORITHMS)}",
    ),
    "too many claims": (
        edited("leeway: 10", f"credential_claim: [{', '.join(f'c{n}' for n in range(11))}]"),
        f"10:27: {SETTINGS}.credential_claim: must have at most 10 entries",
    ),
    "a claim that is too long": (
        edited("leeway: 10", f"credential_claim: [sub, {'c' * 129}]"),
        f"10:33: {SETTINGS}.credential_claim[1]: must be texts of at most 128 characters",
    ),
    "an empty audience": (
        edited("leeway: 10", 'audience_required: [a, ""]'),
        f"10:32: {SETTINGS}.audience_required[1]: is empty; write a value or leave the field out",
    ),
    "a scope that is a map": (
        edited("leeway: 10", "scopes_required: [{a: b}]"),
        f"10:27: {SETTINGS}.scopes_required[0]: must be text",
    ),
    "a leeway that is too long": (
        edited("leeway: 10", "leeway: 301"),
        f"10:17: {SETTINGS}.leeway: must be 0 to 300 seconds",
    ),
    "a leeway that is no number": (
        edited("leeway: 10", "leeway: 5s"),
        f"10:17: {SETTINGS}.leeway: must be a whole number",
    ),
    "a negative time": (
        edited("leeway: 10", "cache_ttl: -1"),
        f"10:20: {SETTINGS}.cache_ttl: must be a whole number",
    ),
    "a typo": (
        edited("leeway: 10", "audience_require: [x]"),
        f'10:9: {SETTINGS}: unknown field "audience_require"; known are algorithms, audience, audience_required, '
        "auth_methods, cache_ttl, credential_claim, issuer, leeway, scopes, scopes_required",
    ),
    "a client id in line breaks": (
        edited("client_id: first", 'client_id: "fir\\nst"'),
        f"24:20: {PORTAL}[0].client_id: holds a control character or a line break",
    ),
    "a client id that is not ASCII": (
        edited("- third", "- dritté"),
        f"30:13: {PORTAL}[1].client_id[1]: must be 1 to 255 characters of visible ASCII",
    ),
    "a client id that is too long": (
        edited("client_id: first", f"client_id: {'x' * 256}"),
        f"24:20: {PORTAL}[0].client_id: must be 1 to 255 characters of visible ASCII",
    ),
    "no client id": (
        edited("client_id: first", "client_id:"),
        f"24:19: {PORTAL}[0].client_id: is empty; write a value or leave the field out",
    ),
    "a client of two applications": (
        edited("- third", "- first"),
        f"30:13: {PORTAL}[1].client_id[1]: the same client of this auth strategy as in line 24",
    ),
    "a client twice": (
        edited("- third", "- second"),
        f"30:13: {PORTAL}[1].client_id[1]: the same client of this auth strategy as in line 29",
    ),
    "too many clients": (
        edited("client_id: first", f"client_id: [{', '.join(f'c{n}' for n in range(21))}]"),
        f"24:20: {PORTAL}[0].client_id: an application has at most 20 clients",
    ),
    "a client of a strategy with keys": (
        edited("      - name: planner\n", "      - name: planner\n        auth_strategy: keys\n"),
        f"30:11: {PORTAL}[1].client_id: is for applications whose auth strategy is openid_connect",
    ),
    "keys of a strategy with tokens": (
        edited("client_id: first", f"credentials: [{{name: k, key_sha256: {'ab' * 32}}}]"),
        f"24:22: {PORTAL}[0].credentials: are API keys, and the application's auth strategy takes tokens",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_brings_one_complaint_at_its_place(name: str) -> None:
    text, expected = RULES[name]
    assert complaints(text) == [expected]


def test_all_mistakes_of_a_strategy_are_told_at_once() -> None:
    text = edited("leeway: 10", "leeway: 999\n        algorithms: [HS256]").replace("https://idp", "ftp://idp")
    assert [line.partition(": ")[2].partition(": ")[0] for line in complaints(text)] == [
        f"{SETTINGS}.issuer",
        f"{SETTINGS}.leeway",
        f"{SETTINGS}.algorithms[0]",
    ]


def test_a_client_id_is_in_no_complaint() -> None:
    secret = "hunter2é"
    assert not any(secret in line for line in complaints(edited("client_id: first", f"client_id: {secret}")))


def test_the_example_of_the_documentation_is_a_good_file() -> None:
    contents = read((Path(__file__).parents[3] / "docs" / "examples" / "apps-openid-connect.yaml").read_text())
    assert {issuer_of(one) for one in contents.strategies.values()} == {
        "https://idp.example.com",
        "https://example.okta.com/oauth2/default",
    }
    okta = strategy(contents, "okta").openid_connect
    assert okta is not None
    assert okta.credential_claims == ("cid",)
    assert set(clients(contents)) == {"dashboard-production", "0oa1example1", "0oa1example2"}
    (api,) = contents.apis.values()
    assert len(api.accepts) == 2
