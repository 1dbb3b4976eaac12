"""What reaches the upstream of an allowed request: who calls, and nothing that the client made up about it."""

import pytest

from kong_app_auth.domain.identity_headers import NEVER_FROM_A_CLIENT
from tests.servers.samples import uid
from tests.system.client import Header, request
from tests.system.data_path import DataPath
from tests.system.scene import CONSUMER, DEVELOPER, PORTAL, REGION, STRATEGY

MADE_UP = "made-up"


def identity_of(name: str) -> dict[str, str]:
    """The identity headers of an application of the scene that alice owns."""
    return {
        "x-application-id": uid(("application", name)),
        "x-developer-id": DEVELOPER,
        "x-portal-id": PORTAL,
        "x-auth-strategy-id": STRATEGY,
        "x-credential-identifier": uid(("credential", name)),
        "x-app-auth-region": REGION,
    }


def identity_seen(seen: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers that an upstream could take for identity: CGI reads an underscore as a hyphen."""
    return sorted((name, value) for name, value in seen if name.replace("_", "-") in NEVER_FROM_A_CLIENT)


@pytest.mark.parametrize("key", ["dashboard", "imported"])
def test_upstream_learns_who_calls(data_path: DataPath, key: str) -> None:
    answer = data_path.ask(key)
    assert answer.status == 200
    assert identity_seen(answer.seen()) == sorted(identity_of(key).items())


def test_application_of_a_team_has_no_developer(data_path: DataPath) -> None:
    seen = data_path.ask("team", headers=[("X-Developer-ID", MADE_UP)]).seen()
    expected = identity_of("team")
    del expected["x-developer-id"]
    assert identity_seen(seen) == sorted(expected.items())


def test_a_mapped_application_is_that_consumer_to_kong_and_to_the_upstream(data_path: DataPath) -> None:
    answer = data_path.ask("mapped", headers=[("X-Consumer-Username", MADE_UP), ("X-Consumer-Groups", MADE_UP)])
    assert answer.status == 200
    consumer = {"x-consumer-id": CONSUMER, "x-consumer-username": "logistics", "x-consumer-custom-id": "4711"}
    assert identity_seen(answer.seen()) == sorted({**identity_of("mapped"), **consumer}.items())


@pytest.mark.usefixtures("needs_kong")
def test_plugins_that_go_by_consumer_work(data_path: DataPath) -> None:
    assert data_path.status("mapped", "/gold") == 200
    assert data_path.status("dashboard", "/gold") == 403


def test_plugin_on_a_route_finds_its_service(data_path: DataPath) -> None:
    answer = data_path.ask("elsewhere", "/maps/tiles?zoom=3")
    assert answer.json()["target"] == "/tiles?zoom=3"
    assert identity_seen(answer.seen()) == sorted(identity_of("elsewhere").items())


def _spellings(name: str) -> list[str]:
    return [name, name.upper(), name.title(), name.replace("-", "_"), name.replace("-", "_", 1).upper()]


@pytest.mark.parametrize("name", sorted(NEVER_FROM_A_CLIENT))
def test_made_up_identity_does_not_pass_in_any_spelling(data_path: DataPath, name: str) -> None:
    spelt: list[Header] = [(spelling, MADE_UP) for spelling in _spellings(name)]
    sent: list[list[Header]] = [*([one] for one in spelt), spelt * 2, [(name, ""), (name, MADE_UP)]]
    for headers in sent:
        seen = data_path.ask("dashboard", headers=headers).seen()
        assert identity_seen(seen) == sorted(identity_of("dashboard").items()), headers


def test_everything_made_up_at_once_does_not_pass(data_path: DataPath) -> None:
    spelt: list[Header] = [(spelling, MADE_UP) for name in NEVER_FROM_A_CLIENT for spelling in _spellings(name)]
    seen = data_path.ask("dashboard", headers=spelt).seen()
    assert identity_seen(seen) == sorted(identity_of("dashboard").items())


def test_made_up_identity_does_not_pass_on_a_preflight_without_a_key(data_path: DataPath) -> None:
    made_up: list[Header] = [(name, MADE_UP) for name in NEVER_FROM_A_CLIENT]
    answer = data_path.ask(None, "/preflight", made_up, method="OPTIONS")
    assert answer.status == 200
    assert identity_seen(answer.seen()) == []


@pytest.mark.parametrize("path", ["/preflight", "/weather"])
def test_only_preflight_requests_may_come_without_a_key(data_path: DataPath, path: str) -> None:
    assert data_path.ask(None, path).status == 401
    assert data_path.ask(None, path, method="POST").status == 401
    assert data_path.ask(None, path, method="OPTIONS").status == (200 if path == "/preflight" else 401)


def test_other_headers_and_the_body_reach_the_upstream_unchanged(data_path: DataPath) -> None:
    raw = request(
        "/weather/a%20b?x=%FF&y",
        [("apikey", data_path.scene.keys["dashboard"]), (b"X-Bytes", b"\xff\xfe"), ("X-Twice", "1"), ("X-Twice", "2")],
        method="PUT",
        body=b"\x00body\xff",
    )
    answer = data_path.send(raw)
    seen = answer.json()
    assert (seen["method"], seen["target"], seen["body"]) == ("PUT", "/a%20b?x=%FF&y", "\x00body\xff")
    assert ("x-bytes", "\xff\xfe") in answer.seen()
    assert [value for name, value in answer.seen() if name == "x-twice"] == ["1", "2"]


@pytest.mark.parametrize("name", ["apikey", "APIKEY", "X-Api-Key", "x-api-key"])
def test_key_in_a_header_is_hidden_from_the_upstream(data_path: DataPath, name: str) -> None:
    key = data_path.scene.keys["dashboard"]
    answer = data_path.ask(headers=[(name, key)])
    assert answer.status == 200
    assert key not in answer.body.decode()
    assert name.lower() not in dict(answer.seen())


@pytest.mark.parametrize("path", ["/query", "/query-only"])
def test_key_in_the_query_is_taken_and_hidden(data_path: DataPath, path: str) -> None:
    key = data_path.scene.keys["dashboard"]
    answer = data_path.ask(path=f"{path}?a=%41+b&APIKEY={key}&empty=&bare&a=2")
    assert answer.status == 200
    assert answer.json()["target"].removeprefix("/") == "?a=%41+b&empty=&bare&a=2"
    assert identity_seen(answer.seen()) == sorted(identity_of("dashboard").items())


def test_key_in_the_query_is_no_key_where_that_is_off(data_path: DataPath) -> None:
    answer = data_path.ask(path=f"/weather?apikey={data_path.scene.keys['dashboard']}")
    assert (answer.status, answer.reason) == (401, "no_credential")


def test_key_in_a_header_is_no_key_where_only_the_query_counts(data_path: DataPath) -> None:
    answer = data_path.ask("dashboard", "/query-only")
    assert (answer.status, answer.reason) == (401, "no_credential")


def test_key_twice_in_the_query_is_refused(data_path: DataPath) -> None:
    key = data_path.scene.keys["dashboard"]
    answer = data_path.ask(path=f"/query?apikey={key}&apikey={key}")
    assert (answer.status, answer.reason) == (401, "duplicate_credential")


def test_key_is_kept_where_the_operator_says_so(data_path: DataPath) -> None:
    key = data_path.scene.keys["dashboard"]
    assert ("apikey", key) in data_path.ask("dashboard", "/kept").seen()
    assert data_path.ask(path=f"/kept?apikey={key}").json()["target"].endswith(f"?apikey={key}")
