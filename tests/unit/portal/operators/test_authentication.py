import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.store.portals import IdentityProvider, Portal
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION

SECRET = "BbqwI8xP9E4evOK"
OKTA = {"issuer_url": "https://konghq.okta.com/oauth2/default", "client_id": "0oaqhb43ckTZ02j1F357"}
SAML = {"type": "saml", "config": {"idp_metadata_url": "https://mocksaml.com/api/saml/metadata"}}


@pytest.fixture
def portal(operator: Client) -> str:
    return f"/v3/portals/{operator.post('/v3/portals', {'name': 'Staging'})['id']}"


def oidc(operator: Client, portal: str, **more: Any) -> str:
    """Make an enabled OIDC provider; give its path."""
    body = {"type": "oidc", "enabled": True, "config": {**OKTA, "client_secret": SECRET}, **more}
    return f"{portal}/identity-providers/{operator.post(f'{portal}/identity-providers', body)['id']}"


def stored_secret(plane: ControlPlane) -> str | None:
    with plane.read(System(region=REGION)) as tx:
        sealed = tx.session.scalars(select(IdentityProvider.secret)).one()
        assert sealed is None or SECRET not in sealed
        return None if sealed is None else tx.vault.open(sealed)


def fields(problem: Any) -> list[tuple[str, str]]:
    return [(one["field"], one["rule"]) for one in problem["invalid_parameters"]]


def test_a_new_portal_has_passwords_and_nothing_else(operator: Client, portal: str) -> None:
    assert operator.get(f"{portal}/authentication-settings") == {
        "basic_auth_enabled": True,
        "oidc_auth_enabled": False,
        "saml_auth_enabled": False,
        "oidc_team_mapping_enabled": False,
        "idp_mapping_enabled": False,
        "konnect_mapping_enabled": False,
    }


def test_a_provider_is_made_read_changed_and_deleted(plane: ControlPlane, operator: Client, portal: str) -> None:
    made = operator.post(f"{portal}/identity-providers", {"type": "oidc", "config": {**OKTA, "client_secret": SECRET}})
    provider = f"{portal}/identity-providers/{made['id']}"

    assert made["enabled"] is False
    assert made["config"] == {
        **OKTA,
        "scopes": ["email", "openid", "profile"],
        "claim_mappings": {"name": "name", "email": "email", "groups": "groups"},
    }
    assert operator.get(provider) == made
    assert operator.get(f"{portal}/identity-providers") == [made]
    assert stored_secret(plane) == SECRET
    changed = operator.patch(
        provider, {"enabled": True, "config": {"scopes": ["openid"], "claim_mappings": {"groups": "roles"}}}
    )
    assert changed["enabled"] is True
    assert changed["config"] == {
        **OKTA,
        "scopes": ["openid"],
        "claim_mappings": {"name": "name", "email": "email", "groups": "roles"},
    }
    assert stored_secret(plane) == SECRET
    operator.delete(provider)
    operator.get(provider, expect=404)
    operator.delete(provider, expect=404)
    assert operator.get(f"{portal}/identity-providers") == []


def test_a_secret_is_nowhere_to_be_seen(plane: ControlPlane, operator: Client, portal: str) -> None:
    provider = oidc(operator, portal)
    operator.patch(provider, {"config": {"client_secret": SECRET + "2"}})

    assert stored_secret(plane) == SECRET + "2"
    for path in (provider, f"{portal}/identity-providers", f"{portal}/authentication-settings"):
        assert SECRET not in json.dumps(operator.get(path))
    with plane.read(System(region=REGION)) as tx:
        for entry in tx.session.scalars(select(AuditEntry)):
            assert SECRET not in json.dumps([entry.before, entry.after])


def test_a_secret_is_not_given_to_another_issuer(plane: ControlPlane, operator: Client, portal: str) -> None:
    provider = oidc(operator, portal)
    elsewhere = {"issuer_url": "https://elsewhere.example.com"}

    problem = operator.patch(provider, {"config": elsewhere}, expect=400)
    assert fields(problem) == [("config.client_secret", "invalid")]
    problem = operator.patch(f"{portal}/authentication-settings", {"oidc_issuer": "https://x.example.com"}, expect=400)
    assert fields(problem) == [("oidc_client_secret", "invalid")]
    operator.patch(provider, {"config": {**elsewhere, "client_secret": "another"}})
    assert stored_secret(plane) == "another"


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"config": OKTA}, "type", "invalid"),
        ({"type": "oidc"}, "config.issuer_url", "invalid"),
        ({"type": "ldap", "config": OKTA}, "type", "enum"),
        ({"type": "oidc", "config": {"client_id": "x"}}, "config.issuer_url", "invalid"),
        ({"type": "oidc", "config": {"issuer_url": "https://a.example"}}, "config.client_id", "invalid"),
        ({"type": "oidc", "config": {**OKTA, "issuer_url": "http://a.example"}}, "config.issuer_url", "invalid"),
        ({"type": "oidc", "config": {**OKTA, "scopes": ["open id"]}}, "config.scopes.0", "invalid"),
        ({"type": "oidc", "config": {**OKTA, "colour": "red"}}, "config.colour", "unknown_property"),
        (
            {"type": "oidc", "config": {**OKTA, "idp_metadata_url": "https://a.example"}},
            "config.idp_metadata_url",
            "invalid",
        ),
        ({"type": "saml", "config": {}}, "config.idp_metadata_url", "invalid"),
        ({"type": "saml", "config": {"client_id": "x"}}, "config.client_id", "invalid"),
        (
            {"type": "saml", "config": {"idp_metadata_url": "https://a.example", "idp_metadata_xml": "<a/>"}},
            "config.idp_metadata_url",
            "dependent_fields",
        ),
        ({**SAML, "enabled": True}, "enabled", "invalid"),
    ],
)
def test_wrong_providers_are_refused(operator: Client, portal: str, body: Any, field: str, rule: str) -> None:
    assert fields(operator.post(f"{portal}/identity-providers", body, expect=400)) == [(field, rule)]
    assert operator.get(f"{portal}/identity-providers") == []


def test_a_portal_has_one_provider_of_a_type(operator: Client, portal: str) -> None:
    oidc(operator, portal)
    operator.post(f"{portal}/identity-providers", {"type": "oidc", "config": OKTA}, expect=409)
    operator.post(f"{portal}/identity-providers", SAML)
    operator.post(f"{portal}/identity-providers", SAML, expect=409)

    found = operator.get(f"{portal}/identity-providers", params={"filter[type][eq]": "saml"})
    assert [one["type"] for one in found] == ["saml"]
    assert operator.get(f"{portal}/identity-providers", params={"filter[type]": "ldap"}) == []
    operator.get(f"{portal}/identity-providers", params={"filter[enabled]": "true"}, expect=400)


def test_saml_is_kept_and_never_enabled(operator: Client, portal: str) -> None:
    made = operator.post(f"{portal}/identity-providers", SAML)
    provider = f"{portal}/identity-providers/{made['id']}"

    assert made["config"] == SAML["config"]
    changed = operator.patch(provider, {"config": {"idp_metadata_xml": "<EntityDescriptor/>"}})
    assert changed["config"] == {"idp_metadata_xml": "<EntityDescriptor/>"}
    problem = operator.patch(provider, {"enabled": True}, expect=400)
    assert "not supported" in problem["invalid_parameters"][0]["reason"]
    problem = operator.patch(f"{portal}/authentication-settings", {"saml_auth_enabled": True}, expect=400)
    assert fields(problem) == [("saml_auth_enabled", "invalid")]
    operator.patch(f"{portal}/authentication-settings", {"saml_auth_enabled": False})


def test_one_way_to_sign_in_always_stays(operator: Client, portal: str) -> None:
    settings = f"{portal}/authentication-settings"
    problem = operator.patch(settings, {"basic_auth_enabled": False}, expect=400)
    assert fields(problem) == [("basic_auth_enabled", "invalid")]

    provider = oidc(operator, portal)
    assert operator.patch(settings, {"basic_auth_enabled": False})["basic_auth_enabled"] is False
    operator.patch(settings, {"oidc_auth_enabled": False}, expect=400)
    operator.patch(provider, {"enabled": False}, expect=400)
    operator.delete(provider, expect=400)
    assert operator.get(provider)["enabled"] is True
    operator.patch(settings, {"basic_auth_enabled": True, "oidc_auth_enabled": False})
    operator.delete(provider)


def test_the_older_settings_are_those_of_the_oidc_provider(plane: ControlPlane, operator: Client, portal: str) -> None:
    settings = f"{portal}/authentication-settings"
    changed = operator.patch(
        settings,
        {
            "oidc_auth_enabled": True,
            "oidc_issuer": OKTA["issuer_url"],
            "oidc_client_id": OKTA["client_id"],
            "oidc_client_secret": SECRET,
            "oidc_scopes": ["openid", "email"],
            "oidc_claim_mappings": {"groups": "custom-group-claim"},
            "oidc_team_mapping_enabled": True,
            "konnect_mapping_enabled": True,
        },
    )

    assert changed["oidc_auth_enabled"] is changed["idp_mapping_enabled"] is changed["konnect_mapping_enabled"] is True
    assert changed["oidc_config"] == {
        "issuer": OKTA["issuer_url"],
        "client_id": OKTA["client_id"],
        "scopes": ["openid", "email"],
        "claim_mappings": {"name": "name", "email": "email", "groups": "custom-group-claim"},
    }
    assert operator.get(settings) == changed
    [provider] = operator.get(f"{portal}/identity-providers")
    assert (provider["type"], provider["enabled"]) == ("oidc", True)
    assert stored_secret(plane) == SECRET
    operator.patch(settings, {"oidc_client_id": "another"})
    [provider] = operator.get(f"{portal}/identity-providers")
    assert provider["config"]["client_id"] == "another"


def test_the_portal_knows_what_is_enabled(plane: ControlPlane, operator: Client, portal: str) -> None:
    def enabled() -> tuple[bool, bool]:
        with plane.read(System(region=REGION)) as tx:
            settings = tx.session.scalars(select(Portal)).one().authentication
            return settings.oidc_auth_enabled, settings.saml_auth_enabled

    assert enabled() == (False, False)
    operator.post(f"{portal}/identity-providers", SAML)
    oidc(operator, portal)
    assert enabled() == (True, False)


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"oidc_auth_enabled": True}, "oidc_auth_enabled", "dependent_fields"),
        ({"oidc_client_id": "x"}, "oidc_client_id", "dependent_fields"),
        ({"idp_mapping_enabled": True}, "idp_mapping_enabled", "dependent_fields"),
        ({"idp_mapping_enabled": True, "oidc_team_mapping_enabled": False}, "oidc_team_mapping_enabled", "invalid"),
        ({"basic_auth_enabled": "no"}, "basic_auth_enabled", "is_boolean"),
        ({"oidc_scopes": "openid"}, "oidc_scopes", "is_array"),
        ({"colour": "red"}, "colour", "unknown_property"),
    ],
)
def test_wrong_settings_are_refused(operator: Client, portal: str, body: Any, field: str, rule: str) -> None:
    assert fields(operator.patch(f"{portal}/authentication-settings", body, expect=400)) == [(field, rule)]


def test_groups_mean_teams(operator: Client, portal: str) -> None:
    mappings = f"{oidc(operator, portal)}/team-group-mappings"
    team_id = operator.post(f"{portal}/teams", {"name": "Readers"})["id"]
    made = operator.post(mappings, {"team_id": team_id, "group": "Admins"})

    assert operator.get(f"{mappings}/{made['id']}") == made
    operator.post(mappings, {"team_id": team_id, "group": "Admins"}, expect=409)
    operator.post(mappings, {"team_id": team_id, "group": "admins"})
    found = operator.get(mappings, params={"filter[group][eq]": "Admins", "filter[team_id][eq]": team_id})
    assert found["data"] == [made]
    operator.delete(f"{mappings}/{made['id']}")
    operator.get(f"{mappings}/{made['id']}", expect=404)
    operator.delete(f"{mappings}/{made['id']}", expect=404)


def test_groups_mean_teams_of_this_portal_only(operator: Client, portal: str) -> None:
    mappings = f"{oidc(operator, portal)}/team-group-mappings"
    other = f"/v3/portals/{operator.post('/v3/portals', {'name': 'Production'})['id']}"
    stranger = operator.post(f"{other}/teams", {"name": "Readers"})["id"]

    problem = operator.post(mappings, {"team_id": stranger, "group": "Admins"}, expect=400)
    assert fields(problem) == [("team_id", "missing_reference")]
    problem = operator.post(mappings, {"team_id": "x", "group": ""}, expect=400)
    assert fields(problem) == [("team_id", "is_uuid"), ("group", "invalid")]


def test_mappings_are_turned_page_by_page_in_both_directions(operator: Client, portal: str) -> None:
    mappings = f"{oidc(operator, portal)}/team-group-mappings"
    team_id = operator.post(f"{portal}/teams", {"name": "Readers"})["id"]
    made = [operator.post(mappings, {"team_id": team_id, "group": f"g{number}"})["id"] for number in range(5)]

    forth = [operator.get(mappings, params={"page[size]": 2})]
    while forth[-1]["meta"]["page"]["next"]:
        forth.append(operator.get(forth[-1]["meta"]["page"]["next"]))
    pages = [[one["id"] for one in page["data"]] for page in forth]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(one for page in pages for one in page) == sorted(made)
    back = [forth[-1]]
    while back[-1]["meta"]["page"]["previous"]:
        back.append(operator.get(back[-1]["meta"]["page"]["previous"]))
    assert [[one["id"] for one in page["data"]] for page in reversed(back)] == pages
    assert operator.get(back[-1]["meta"]["page"]["first"])["data"] == forth[0]["data"]
    assert operator.get(back[-1]["meta"]["page"]["next"])["data"] == forth[1]["data"]
    assert back[-1]["meta"]["page"]["size"] == 2


def test_a_cursor_survives_the_record_that_it_was_made_of(operator: Client, portal: str) -> None:
    mappings = f"{oidc(operator, portal)}/team-group-mappings"
    team_id = operator.post(f"{portal}/teams", {"name": "Readers"})["id"]
    for number in range(3):
        operator.post(mappings, {"team_id": team_id, "group": f"g{number}"})
    [first, second, third] = operator.get(mappings)["data"]
    page = operator.get(mappings, params={"page[size]": 1})
    operator.delete(f"{mappings}/{first['id']}")

    rest = operator.get(page["meta"]["page"]["next"], expect=200)
    assert rest["data"] == [second]
    assert rest["meta"]["page"]["previous"] is None
    operator.delete(f"{mappings}/{second['id']}")
    operator.delete(f"{mappings}/{third['id']}")
    end = operator.get(page["meta"]["page"]["next"])
    assert (end["data"], end["meta"]["page"]["next"], end["meta"]["page"]["previous"]) == ([], None, None)


def test_a_cursor_is_good_for_its_own_list_only(operator: Client, portal: str) -> None:
    mappings = f"{oidc(operator, portal)}/team-group-mappings"
    team_id = operator.post(f"{portal}/teams", {"name": "Readers"})["id"]
    for number in range(2):
        operator.post(mappings, {"team_id": team_id, "group": f"g{number}"})
    link: str = operator.get(mappings, params={"page[size]": 1})["meta"]["page"]["next"]
    cursor = urlsplit(link).query
    other = f"/v3/portals/{operator.post('/v3/portals', {'name': 'Production'})['id']}"

    problem = operator.get(f"{oidc(operator, other)}/team-group-mappings?{cursor}", expect=400)
    assert fields(problem) == [("page[after]", "invalid")]
    for query in ({"page[after]": "x"}, {"page[before]": "é"}, {"page[number]": "1"}, {"page[after]": "x" * 1025}):
        operator.get(mappings, params=query, expect=400)
    operator.get(mappings, params={"page[after]": "x", "page[before]": "x"}, expect=400)
    assert len(operator.get(mappings, params={"page[after]": "", "page[before]": ""})["data"]) == 2


def test_the_older_mappings_replace_the_groups_of_a_team(operator: Client, portal: str) -> None:
    older = f"{portal}/identity-provider/team-group-mappings"
    provider = oidc(operator, portal)
    first, second = (operator.post(f"{portal}/teams", {"name": name})["id"] for name in ("Readers", "Writers"))
    told = [{"team_id": first, "groups": ["b", "a", "a"]}, {"team_id": second, "groups": ["c"]}]
    answer = operator.patch(older, {"data": told})

    teams = {one["team_id"]: one["groups"] for one in answer["data"]}
    assert teams == {first: ["a", "b"], second: ["c"]}
    assert operator.get(older) == {"meta": {"page": {"number": 1, "size": 10, "total": 2}}, "data": answer["data"]}
    kept = {one["id"] for one in operator.get(f"{provider}/team-group-mappings")["data"] if one["group"] == "b"}
    operator.patch(older, {"data": [{"team_id": first, "groups": ["b", "d"]}]})
    found = operator.get(f"{provider}/team-group-mappings")["data"]
    assert sorted((one["team_id"], one["group"]) for one in found) == sorted(
        [(first, "b"), (first, "d"), (second, "c")]
    )
    assert {one["id"] for one in found} > kept
    operator.patch(older, {})
    operator.patch(older, {"data": [{"team_id": first}]})
    assert len(operator.get(older)["data"]) == 2
    operator.patch(older, {"data": [{"team_id": first, "groups": []}]})
    assert [one["team_id"] for one in operator.get(older)["data"]] == [second]


def test_the_older_mappings_need_a_provider_and_teams_of_the_portal(operator: Client, portal: str) -> None:
    older = f"{portal}/identity-provider/team-group-mappings"
    operator.get(older, expect=400)
    operator.patch(older, {"data": []}, expect=400)

    oidc(operator, portal)
    team_id = operator.post(f"{portal}/teams", {"name": "Readers"})["id"]
    operator.patch(older, {"data": "x"}, expect=400)
    operator.patch(older, {"data": [{"groups": ["a"]}]}, expect=400)
    operator.patch(older, {"data": [{"team_id": "x", "groups": []}]}, expect=400)
    unknown = "6801e673-cc10-498a-94cd-4271de07a0d3"
    body = {"data": [{"team_id": team_id, "groups": ["a"]}, {"team_id": unknown, "groups": ["a"]}]}
    assert fields(operator.patch(older, body, expect=400)) == [("data.1.team_id", "missing_reference")]
    assert operator.get(older)["data"] == []


def test_mappings_go_with_their_provider_and_team(operator: Client, portal: str) -> None:
    provider = oidc(operator, portal)
    first, second = (operator.post(f"{portal}/teams", {"name": name})["id"] for name in ("Readers", "Writers"))
    for team_id in (first, second):
        operator.post(f"{provider}/team-group-mappings", {"team_id": team_id, "group": "Admins"})
    operator.patch(f"{portal}/authentication-settings", {"idp_mapping_enabled": True})
    operator.delete(f"{portal}/teams/{first}")
    assert [one["team_id"] for one in operator.get(f"{provider}/team-group-mappings")["data"]] == [second]

    operator.delete(provider)
    assert operator.get(f"{portal}/authentication-settings")["idp_mapping_enabled"] is False
    assert operator.get(f"{oidc(operator, portal)}/team-group-mappings")["data"] == []
    operator.delete(portal)


def test_providers_are_in_their_portal_and_region_only(clients: Clients, operator: Client, portal: str) -> None:
    provider = oidc(operator, portal)
    other = f"/v3/portals/{operator.post('/v3/portals', {'name': 'Production'})['id']}"

    operator.get(f"{other}/identity-providers/{provider.rpartition('/')[2]}", expect=404)
    operator.get(f"{portal}/identity-providers/not-a-uuid", expect=404)
    stranger = clients.operator(region="us")
    for path in (provider, f"{portal}/identity-providers", f"{portal}/authentication-settings"):
        stranger.get(path, expect=404)
    stranger.patch(provider, {"enabled": False}, expect=404)
    reader = clients.operator(scope="read")
    reader.get(provider)
    reader.patch(provider, {"enabled": False}, expect=403)
    reader.patch(f"{portal}/authentication-settings", {}, expect=403)
