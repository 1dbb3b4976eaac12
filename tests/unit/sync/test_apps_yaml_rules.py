"""Every rule of apps.yaml: what is complained about, where, and in which words."""

# ruff: noqa: E501 – an expected message stays in one piece

import re
from pathlib import Path

import pytest

from kong_app_auth.domain import api_key
from kong_app_auth.sync.declarative import apis, applications, credentials, document, portals, strategies
from kong_app_auth.sync.declarative.complaints import Refusal
from kong_app_auth.sync.declarative.document import LARGEST, parse

KEY = "kaa_eu_ExampleKeyOnlyForTryingOut0000014B9O62"
OTHER_KEY = "kaa_eu_ExampleKeyOnlyForTryingOut0000022IAmNY"
US_KEY = api_key.mint("us")
DIGEST = "62dc2ec2c4f482a74be006e1b51f11498bd4f7c58f34224b5dc51ea9cbfb40a4"

BASE = f"""\
_format_version: "1.0"
region: eu
auth_strategies:
  - {{name: keys, strategy_type: key_auth, configs: {{key-auth: {{key_names: [apikey]}}}}}}
  - name: others
    strategy_type: key_auth
apis:
  - name: Weather API
    version: v1
    implementations: [{{service: {{id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}}}}]
  - name: Maps API
portals:
  - name: Production
    default_auth_strategy: keys
    publications:
      - api: Weather API v1
    developers:
      - name: alice
    applications:
      - name: dashboard
        developer: alice
        registrations:
          - {{api: Weather API v1, status: approved}}
        credentials:
          - name: first
            key: {KEY}
"""


def complaints(text: str | bytes) -> list[str]:
    """Parse and give the complaints as lines, without the name of the file."""
    answer = parse(text if isinstance(text, bytes) else text.encode(), "apps.yaml", "eu")
    if not isinstance(answer, Refusal):
        return []
    lines = [str(complaint) for complaint in answer.complaints]
    assert all(line.startswith("apps.yaml:") and "\n" not in line for line in lines)
    return [line.removeprefix("apps.yaml:") for line in lines]


def edited(old: str, new: str) -> str:
    assert BASE.count(old) == 1, old
    return BASE.replace(old, new)


def test_the_base_of_these_tests_is_a_good_file() -> None:
    assert complaints(BASE) == []


RULES = {
    "wrong format version": (
        edited('"1.0"', '"3.0"'),
        '1:18: _format_version: must be "1.0"; this program knows no other',
    ),
    "no format version": (edited('_format_version: "1.0"\n', ""), '1:1: the field "_format_version" is missing'),
    "no region": (edited("region: eu\n", ""), '1:1: the field "region" is missing'),
    "another region": (edited("region: eu", "region: us"), '2:9: region: is "us", and this daemon is for "eu"'),
    "a typo at the top": (
        edited("portals:", "portal:"),
        '12:1: unknown field "portal"; known are _format_version, apis, auth_strategies, portals, region',
    ),
    "a typo in an application": (
        edited("        developer: alice", "        developer: alice\n        registration: []"),
        '22:9: portals[0].applications[0]: unknown field "registration"; known are auth_strategy, client_id, '
        "credentials, developer, id, name, registrations, team",
    ),
    "top is a list": ("- a", "1:1: the file must hold a map of fields"),
    "a list where a text should be": (
        edited("name: Production", "name: [Production]"),
        "13:11: portals[0].name: must be text",
    ),
    "a text where a list should be": (
        edited("registrations:\n          - {api: Weather API v1, status: approved}", "registrations: all"),
        "22:24: portals[0].applications[0].registrations: must be a list",
    ),
    "a text where a map should be": (
        edited("- api: Weather API v1\n", "- Weather API v1\n"),
        "16:9: portals[0].publications[0]: must be a map of fields",
    ),
    "an empty list item": (
        edited("- name: alice", "-"),
        "18:8: portals[0].developers[0]: is empty; write a value or leave the field out",
    ),
    "an empty field": (
        edited("name: Production", "name:"),
        "13:10: portals[0].name: is empty; write a value or leave the field out",
    ),
    "a list that is empty by mistake": (
        edited("    implementations: [{service: {id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}}]", "    implementations:"),
        "10:21: apis[0].implementations: is empty; write a value or leave the field out",
    ),
    "a name that YAML reads as a boolean": (
        edited("name: Production", "name: on"),
        '13:11: portals[0].name: must be text, and YAML reads on as true or false; write "on"',
    ),
    "a name with a line break": (
        edited("name: Production", 'name: "Pro\\nduction"'),
        "13:11: portals[0].name: holds a control character or a line break",
    ),
    "a name without end": (
        edited("name: Production", "name: " + "x" * 513),
        "13:11: portals[0].name: is longer than 512 characters",
    ),
    "an id that is none": (
        edited("name: Production", "name: Production\n    id: prod"),
        "14:9: portals[0].id: must be a UUID such as 8c9e6679-7425-40de-944b-e07fc1f90ae7",
    ),
    "two strategies of one name": (
        edited("name: others", "name: keys"),
        '5:5: auth_strategies[1]: another auth strategy is called "keys" in line 4',
    ),
    "two strategies of one id": (
        BASE.replace("- {name: keys,", "- {id: 8c9e6679-7425-40de-944b-e07fc1f90ae7, name: keys,").replace(
            "name: others", "name: others\n    id: 8C9E6679-7425-40DE-944B-E07FC1F90AE7"
        ),
        "6:9: auth_strategies[1].id: another auth strategy has this id in line 4",
    ),
    "a strategy of an unknown type": (
        edited("    strategy_type: key_auth\n", "    strategy_type: basic_auth\n"),
        '6:20: auth_strategies[1].strategy_type: must be one of key_auth, openid_connect, not "basic_auth"',
    ),
    "a strategy without a type": (
        edited("    strategy_type: key_auth\n", ""),
        '5:5: auth_strategies[1]: the field "strategy_type" is missing',
    ),
    "no key names": (
        edited("[apikey]", "[]"),
        "4:75: auth_strategies[0].configs.key-auth.key_names: must hold 1 to 10 names",
    ),
    "a key name that is no header": (
        edited("[apikey]", "[api key]"),
        "4:76: auth_strategies[0].configs.key-auth.key_names[0]: must be names of headers: letters, digits, - and _, "
        "at most 64",
    ),
    "a key name twice": (
        edited("[apikey]", "[apikey, APIKEY]"),
        "4:84: auth_strategies[0].configs.key-auth.key_names[1]: names the same header twice",
    ),
    "a key name that is an identity header": (
        edited("[apikey]", "[X_Consumer_ID]"),
        "4:76: auth_strategies[0].configs.key-auth.key_names[0]: names a header that carries the caller's identity to the "
        "upstream",
    ),
    "a key name that means something else in HTTP": (
        edited("[apikey]", "[apikey, Authorization]"),
        "4:84: auth_strategies[0].configs.key-auth.key_names[1]: names a header that has a meaning of its own in HTTP",
    ),
    "two APIs of one label": (
        edited("name: Maps API", "name: Weather API v1"),
        '11:5: apis[1]: another API is called "Weather API v1" in line 8',
    ),
    "a slug that is another API's name": (
        edited("name: Maps API", "name: Maps API\n    slug: Weather API v1"),
        '11:5: apis[1]: another API is called "Weather API v1" in line 8',
    ),
    "two services for one API": (
        edited("[{service: {id", "[{service: {id: 7d444840-9dc0-41d1-b245-5ffdce74fad2}}, {service: {id"),
        "10:22: apis[0].implementations: an API has at most one implementation",
    ),
    "one service for two APIs": (
        edited(
            "name: Maps API",
            "name: Maps API\n    implementations: [{service: {id: 3F2504E0-4F89-41D3-9A0C-0305E82C3301}}]",
        ),
        "12:38: apis[1].implementations[0].service.id: the same service as in line 10",
    ),
    "an implementation without a service": (
        edited("[{service: {id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}}]", "[{}]"),
        '10:23: apis[0].implementations[0]: the field "service" is missing',
    ),
    "a service without an id": (
        edited("{id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301}", "{name: weather}"),
        '10:33: apis[0].implementations[0].service: the field "id" is missing',
    ),
    "an unknown default strategy": (
        edited("default_auth_strategy: keys", "default_auth_strategy: kees"),
        '14:28: portals[0].default_auth_strategy: there is no auth strategy called "kees"',
    ),
    "two portals of one name": (
        BASE + "  - name: Production\n",
        '27:5: portals[1]: another portal is called "Production" in line 13',
    ),
    "a publication of an unknown API": (
        edited("- api: Weather API v1\n", "- api: Weather API v1\n      - api: Wether API v1\n"),
        '17:14: portals[0].publications[1].api: there is no API called "Wether API v1"',
    ),
    "an API published twice": (
        edited("- api: Weather API v1\n", "- api: Weather API v1\n      - api: Weather API v1\n"),
        "17:14: portals[0].publications[1].api: this API is published in this portal already in line 16",
    ),
    "a publication with an unknown strategy": (
        edited("- api: Weather API v1\n", "- {api: Weather API v1, auth_strategy: kees}\n"),
        '16:46: portals[0].publications[0].auth_strategy: there is no auth strategy called "kees"',
    ),
    "a developer's wrong status": (
        edited("- name: alice", "- {name: alice, status: active}"),
        '18:31: portals[0].developers[0].status: must be one of approved, pending, rejected, revoked, not "active"',
    ),
    "a developer of no name and no id": (
        edited("- name: alice", "- name: alice\n      - status: approved"),
        '19:9: portals[0].developers[1]: the field "name" is missing',
    ),
    "two developers of one name": (
        edited("- name: alice", "- name: alice\n      - name: alice"),
        '19:9: portals[0].developers[1]: another developer is called "alice" in line 18',
    ),
    "two teams of one name": (
        edited("    developers:", "    teams: [{name: t}, {name: t}]\n    developers:"),
        '17:24: portals[0].teams[1]: another team is called "t" in line 17',
    ),
    "an application without an owner": (
        edited("        developer: alice\n", ""),
        '20:9: portals[0].applications[0]: an application has one of "developer" and "team"',
    ),
    "an application with two owners": (
        edited("        developer: alice\n", "        developer: alice\n        team: t\n"),
        '20:9: portals[0].applications[0]: an application has one of "developer" and "team"',
    ),
    "an application of an unknown developer": (
        edited("developer: alice", "developer: alise"),
        '21:20: portals[0].applications[0].developer: there is no developer called "alise"',
    ),
    "an application of an unknown team": (
        edited("developer: alice", "team: t"),
        '21:15: portals[0].applications[0].team: there is no team called "t"',
    ),
    "two applications of one name and owner": (
        BASE + "      - {name: dashboard, developer: alice}\n",
        "27:16: portals[0].applications[1].name: the same owner has an application of this name in line 20",
    ),
    "a registration without a status": (
        edited(", status: approved}", "}"),
        '23:13: portals[0].applications[0].registrations[0]: the field "status" is missing',
    ),
    "a registration's wrong status": (
        edited("status: approved}", "status: ok}"),
        "23:43: portals[0].applications[0].registrations[0].status: must be one of approved, pending, rejected, revoked, "
        'not "ok"',
    ),
    "a registration with an unknown API": (
        edited("{api: Weather API v1, status", "{api: Weather API v2, status"),
        '23:19: portals[0].applications[0].registrations[0].api: there is no API called "Weather API v2"',
    ),
    "a registration with an API that is not published there": (
        edited("{api: Weather API v1, status", "{api: Maps API, status"),
        '23:19: portals[0].applications[0].registrations[0].api: this API is not published in the portal "Production"',
    ),
    "a registration with an API without authentication": (
        edited("- api: Weather API v1\n", "- {api: Weather API v1, auth_strategy: null}\n"),
        "23:19: portals[0].applications[0].registrations[0].api: this API is published without authentication: nobody can "
        "register",
    ),
    "a registration twice": (
        edited(
            "          - {api: Weather API v1, status: approved}",
            "          - {api: Weather API v1, status: approved}\n          - {api: Weather API v1, status: revoked}",
        ),
        "24:19: portals[0].applications[0].registrations[1].api: the application is registered with this API already in "
        "line 23",
    ),
    "a strategy that does not fit the publication": (
        edited("        developer: alice", "        developer: alice\n        auth_strategy: others"),
        '24:19: portals[0].applications[0].registrations[0].api: this API is published with the auth strategy "keys" and '
        'the application has "others"',
    ),
    "registrations that need two strategies": (
        edited(
            "          - {api: Weather API v1, status: approved}",
            "          - {api: Weather API v1, status: approved}\n          - {api: Maps API, status: pending}",
        ).replace("- api: Weather API v1\n", "- api: Weather API v1\n      - {api: Maps API, auth_strategy: others}\n"),
        "21:9: portals[0].applications[0]: its registrations are with APIs of different auth strategies; an application "
        "has one",
    ),
    "no strategy to be found": (
        BASE.replace("    default_auth_strategy: keys\n", "")
        .replace("    publications:\n      - api: Weather API v1\n", "")
        .replace("        registrations:\n          - {api: Weather API v1, status: approved}\n", ""),
        '17:9: portals[0].applications[0]: the field "auth_strategy" is missing, and neither a registration nor the portal '
        "implies one",
    ),
    "a credential without a key": (
        edited(f"            key: {KEY}\n", ""),
        '25:13: portals[0].applications[0].credentials[0]: a credential has one of "key" and "key_sha256"',
    ),
    "a credential with key and digest": (
        BASE + f"            key_sha256: {DIGEST}\n",
        '25:13: portals[0].applications[0].credentials[0]: a credential has one of "key" and "key_sha256"',
    ),
    "a credential without name and id": (
        edited("- name: first\n            key:", "- key:"),
        '25:13: portals[0].applications[0].credentials[0]: the field "name" is missing',
    ),
    "two credentials of one name": (
        BASE + f"          - {{name: first, key: {OTHER_KEY}}}\n",
        "27:20: portals[0].applications[0].credentials[1].name: another credential of this application has the same name",
    ),
    "the same key twice": (
        BASE + f"          - {{name: second, key: {KEY}}}\n",
        "27:33: portals[0].applications[0].credentials[1].key: the same key as in line 26",
    ),
    "the same key in plain and as a digest": (
        edited(KEY, OTHER_KEY) + f"          - {{name: second, key_sha256: {DIGEST}}}\n",
        "27:40: portals[0].applications[0].credentials[1].key_sha256: the same key as in line 26",
    ),
    "a mistyped key": (
        edited(KEY, KEY[:-1] + "3"),
        "26:18: portals[0].applications[0].credentials[0].key: begins with kaa_ but its length or its checksum is wrong: it "
        "is mistyped or cut",
    ),
    "a key of another region": (
        edited(KEY, US_KEY),
        "26:18: portals[0].applications[0].credentials[0].key: begins with kaa_ but is no key of the region eu",
    ),
    "a short imported key": (
        edited(KEY, "0123456789012345678"),
        "26:18: portals[0].applications[0].credentials[0].key: must have 20 to 512 characters of visible ASCII",
    ),
    "an imported key with a space": (
        edited(KEY, "01234567890 12345678901"),
        "26:18: portals[0].applications[0].credentials[0].key: must have 20 to 512 characters of visible ASCII",
    ),
    "a digest cut short": (
        edited(f"key: {KEY}", f"key_sha256: {DIGEST[:-1]}"),
        "26:25: portals[0].applications[0].credentials[0].key_sha256: must be the SHA-256 of the key in 64 hexadecimal "
        "digits",
    ),
    "the digest of nothing": (
        edited(f"key: {KEY}", "key_sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        "26:25: portals[0].applications[0].credentials[0].key_sha256: is the SHA-256 of nothing at all",
    ),
    "a credential's wrong status": (
        BASE + "            status: approved\n",
        '27:21: portals[0].applications[0].credentials[0].status: must be one of active, revoked, not "approved"',
    ),
    "a credential's empty status": (
        BASE + "            status:\n",
        "27:20: portals[0].applications[0].credentials[0].status: is empty; write a value or leave the field out",
    ),
    "an expiry without a zone": (
        BASE + "            expires_at: 2027-01-01T00:00:00\n",
        "27:25: portals[0].applications[0].credentials[0].expires_at: must be a time with its zone such as "
        "2027-01-01T00:00:00Z",
    ),
    "an expiry on no day": (
        BASE + "            expires_at: 2027-02-30T00:00:00Z\n",
        "27:25: portals[0].applications[0].credentials[0].expires_at: must be a time with its zone such as "
        "2027-01-01T00:00:00Z",
    ),
    "an expiry before all keys": (
        BASE + "            expires_at: 1970-01-01T00:00:00Z\n",
        "27:25: portals[0].applications[0].credentials[0].expires_at: must be later than 1970",
    ),
    # YAML itself
    "an empty file": ("", "1:1: the file is empty"),
    "a file of comments": ("# nothing\n", "1:1: the file is empty"),
    "two documents": (BASE + "---\na: b\n", "27:1: a second document begins here; the file must hold one"),
    "a field twice": (
        edited("region: eu", "region: eu\nregion: us"),
        '3:1: the field "region" is here twice, first in line 2',
    ),
    "a tab": (
        "a:\n\t- b\n",
        "2:1: not YAML: while scanning for the next token, found character that cannot start any token",
    ),
    "a colon too many": ("a: b: c\n", "1:5: not YAML: mapping values are not allowed in this context"),
    "a tag": ("a: !!python/name:os.system x\n", "1:4: tags (!) are not supported"),
    "a merge key": ("a: &a {b: c}\nd:\n  <<: *a\n", "3:3: merge keys (<<) are not supported; aliases are"),
    "an alias of nothing": ("a: *b\n", "1:4: an alias names an anchor that is not complete before it"),
    "an alias of what it is in": ("a: &a [*a]\n", "1:8: an alias names an anchor that is not complete before it"),
    "a list as the name of a field": ("? [a]\n: b\n", "1:3: the name of a field must be text"),
    "nested too deep": ("a: " + "[" * 17, "1:19: lists and maps are nested more than 16 deep"),
    "a control character": ("a: b\nc: d\x07\n", "2:5: a control character, which YAML does not allow"),
    "not UTF-8": ("é: b\nàc: d".encode() + b"\xff", "2:6: the file is not UTF-8"),
    "UTF-16": ("a: b".encode("utf-16"), "1:1: the file is not UTF-8"),
    "too large": (b"#" * (LARGEST + 1), "1:1: the file is larger than 64 MiB"),
}


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_is_complained_about_at_its_place(name: str) -> None:
    text, expected = RULES[name]
    assert complaints(text)[0] == expected


def test_most_mistakes_bring_one_complaint_and_no_others_in_their_wake() -> None:
    followed = {name for name, (text, _) in RULES.items() if len(complaints(text)) > 1}
    # What is not read at all, or under another name, is missed by what refers to it.
    assert followed == {"a text where a map should be", "an empty list item", "a service without an id"}


def test_an_application_has_at_most_twenty_keys() -> None:
    digests = "".join(f"          - {{name: k{i}, key_sha256: {i:064x}}}\n" for i in range(19))
    assert complaints(BASE + digests) == []
    assert complaints(BASE + digests + f"          - {{name: one-more, key_sha256: {99:064x}}}\n") == [
        "25:11: portals[0].applications[0].credentials: an application has at most 20 keys"
    ]


def test_a_developer_has_at_most_five_hundred_applications() -> None:
    more = "".join(f"      - {{name: app-{i}, developer: alice}}\n" for i in range(499))
    assert complaints(BASE + more) == []
    assert complaints(BASE + more + "      - {name: one-more, developer: alice}\n") == [
        "526:37: portals[0].applications[500].developer: a developer has at most 500 applications"
    ]


def test_twenty_complaints_are_told_and_the_rest_counted() -> None:
    answer = parse((BASE + "      - {}\n" * 30).encode(), "apps.yaml", "eu")
    assert isinstance(answer, Refusal)
    assert (len(answer.complaints), answer.more) == (20, 40)


def test_a_billion_laughs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (only,) = complaints("\n".join(lines))
    assert only.endswith("more than 5,000,000 values, aliases counted with all they stand for")


def test_an_alias_stands_for_what_it_names() -> None:
    assert (
        complaints(
            BASE.replace("{api: Weather API v1, status: approved}", "{api: &w Weather API v1, status: approved}")
        )
        == []
    )
    assert (
        complaints(
            edited("key_names: [apikey]", "key_names: &names [apikey]").replace(
                "    strategy_type: key_auth\n",
                "    strategy_type: key_auth\n    configs: {key-auth: {key_names: *names}}\n",
            )
        )
        == []
    )


@pytest.mark.parametrize(
    "misplaced",
    [
        "region: {secret}",
        "name: Production\n    default_auth_strategy: {secret}",
        "{secret}: 1",
        "name: [{secret}",
        "name: *{secret}",
        'name: "{secret}',
        "name: {secret}: {secret}",
        "name: %{secret}",
        "id: {secret}",
        "status: x {secret} y",
        "name: {{{secret}: 1, {secret}: 2}}",
    ],
)
@pytest.mark.parametrize("secret", [KEY, DIGEST, "imported-key-of-25-letters"[:20]])
def test_a_key_in_any_wrong_place_is_in_no_complaint(misplaced: str, secret: str) -> None:
    found = complaints(edited("name: Production", misplaced.format(secret=secret)))
    assert found
    assert not any(secret in line for line in found)


def test_no_complaint_of_these_tests_holds_a_key_or_a_digest() -> None:
    for text, _ in RULES.values():
        for line in complaints(text):
            assert not re.search(r"kaa_eu_\w|[0-9a-f]{32}", line)


def test_the_example_of_the_documentation_is_a_good_file() -> None:
    path = Path(__file__).parents[3] / "docs" / "examples" / "apps.yaml"
    answer = parse(path.read_bytes(), str(path), "eu")
    assert not isinstance(answer, Refusal), [str(complaint) for complaint in answer.complaints]
    assert (len(answer.apis), len(answer.services), len(answer.strategies)) == (3, 2, 2)
    assert (len(answer.applications), len(answer.credentials)) == (3, 4)


def test_every_field_is_in_the_documentation() -> None:
    documentation = (Path(__file__).parents[3] / "docs" / "apps-yaml.md").read_text()
    modules = (document, strategies, apis, portals, applications, credentials)
    fields = {field for module in modules for field in module._FIELDS}
    fields |= set(strategies._OPENID_CONNECT_FIELDS)
    assert len(fields) > 20
    assert {field for field in fields if f"`{field}`" not in documentation} == set()
