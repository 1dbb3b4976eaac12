"""The plugin: what Kong says of a request in, what it is told in return out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kong_app_auth import plugin
from kong_app_auth.admission import consumers
from kong_app_auth.domain.api_key import mint
from kong_app_auth.domain.reasons import Reason
from plugin_server.channel import ConnectionLostError, EventEndedError
from plugin_server.metrics import snapshot
from tests.servers.copies import make_replica
from tests.servers.samples import API, PORTAL, SERVICE, STRATEGY, uid
from tests.unit.plugin.stage import CONSUMER, OTHER_API, OTHER_SERVICE, PEOPLE, REQUEST_ID, FakeKong, Outcome, contents

Ask = Callable[..., Outcome]
Key = Callable[[str], dict[str, str]]
SetTime = Callable[[float], None]

GOOD = PEOPLE["good"].key
JSON = {"Content-Type": "application/json; charset=utf-8"}
CHALLENGE = {**JSON, "WWW-Authenticate": "Key"}
UNKNOWN = mint("eu")
TYPO = GOOD[:-1] + ("a" if GOOD[-1] != "a" else "b")


def test_an_approved_application_passes_and_the_upstream_is_told_who_calls(ask: Ask, key: Key) -> None:
    outcome = ask(key("good"))
    assert outcome.allowed
    assert outcome.upstream == {
        "X-Application-ID": uid("good"),
        "X-Developer-ID": uid("developer"),
        "X-Portal-ID": PORTAL,
        "X-Auth-Strategy-ID": STRATEGY,
        "X-Credential-Identifier": uid(("credential", "good")),
        "X-App-Auth-Region": "eu",
        "apikey": [],
    }
    assert outcome.kong.arguments("client.authenticate") == (None, {"id": uid("good"), "consumer_id": uid("good")})


LOGISTICS = {"id": CONSUMER, "username": "logistics", "custom_id": None}


def test_a_mapped_application_is_that_consumer_to_kong(ask: Ask, key: Key) -> None:
    kong = FakeKong({**key("mapped"), "x-consumer-username": "made up"}, client__load_consumer=LOGISTICS)
    outcome = ask({}, kong=kong)
    assert outcome.allowed
    assert kong.arguments("client.load_consumer") == (CONSUMER,)
    assert kong.arguments("client.authenticate") == (LOGISTICS, {"id": uid("mapped"), "consumer_id": CONSUMER})
    assert outcome.upstream["X-Consumer-ID"] == CONSUMER
    assert outcome.upstream["X-Consumer-Username"] == "logistics"
    assert "x-consumer-username" not in outcome.upstream
    assert "X-Consumer-Custom-ID" not in outcome.upstream


def test_a_consumer_is_asked_for_once_in_a_while(ask: Ask, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    for now in (1000.0, 1009.0, 1010.0):
        monkeypatch.setattr(consumers, "monotonic", lambda now=now: now)
        kong = FakeKong(key("mapped"), client__load_consumer=LOGISTICS)
        assert ask({}, kong=kong).allowed
        asked.append(kong.names.count("client.load_consumer"))
    assert asked == [1, 0, 1]


@pytest.mark.parametrize("lua_style", [False, True])
def test_nobody_is_let_in_as_a_consumer_that_there_is_not(ask: Ask, key: Key, lua_style: bool) -> None:
    kong = FakeKong(key("mapped"), client__load_consumer=None, lua_style=lua_style)
    outcome = ask({}, kong=kong)
    assert (outcome.status, outcome.reason) == (403, "consumer_not_found")
    assert "client.authenticate" not in kong.names


REFUSALS: list[tuple[str, dict[str, Any], float, int, str, dict[str, str]]] = [
    ("no_credential", {}, 0, 401, "No API key found in request", CHALLENGE),
    ("duplicate_credential", {"apikey": [GOOD, GOOD]}, 0, 401, "Duplicate API key found", CHALLENGE),
    ("malformed_credential", {"apikey": TYPO}, 0, 401, "Unauthorized", CHALLENGE),
    ("unknown_credential", {"apikey": UNKNOWN}, 0, 401, "Unauthorized", CHALLENGE),
    ("expired_credential", {"apikey": PEOPLE["expired"].key}, 0, 401, "Unauthorized", CHALLENGE),
    ("revoked_credential", {"apikey": PEOPLE["key revoked"].key}, 0, 401, "Unauthorized", CHALLENGE),
    ("malformed_request", {f"h{n}": "v" for n in range(1000)}, 0, 400, "Bad request", JSON),
    ("wrong_strategy", {"apikey": PEOPLE["elsewhere"].key}, 0, 403, "You cannot consume this service", JSON),
    ("not_registered", {"apikey": PEOPLE["unregistered"].key}, 0, 403, "You cannot consume this service", JSON),
    ("registration_pending", {"apikey": PEOPLE["pending"].key}, 0, 403, "You cannot consume this service", JSON),
    ("registration_rejected", {"apikey": PEOPLE["rejected"].key}, 0, 403, "You cannot consume this service", JSON),
    ("registration_revoked", {"apikey": PEOPLE["revoked"].key}, 0, 403, "You cannot consume this service", JSON),
    ("developer_revoked", {"apikey": PEOPLE["banned"].key}, 0, 403, "You cannot consume this service", JSON),
    (
        "registry_unavailable",
        {"apikey": GOOD},
        3601,
        503,
        "Service temporarily unavailable",
        {**JSON, "Retry-After": "5"},
    ),
    (
        "registry_unavailable",
        {"apikey": UNKNOWN},
        6,
        503,
        "Service temporarily unavailable",
        {**JSON, "Retry-After": "5"},
    ),
]


@pytest.mark.parametrize(("reason", "headers", "since", "status", "message", "answer"), REFUSALS)
def test_a_refusal(
    ask: Ask,
    set_time: SetTime,
    reason: str,
    headers: dict[str, Any],
    since: float,
    status: int,
    message: str,
    answer: dict[str, str],
) -> None:
    set_time(since)
    outcome = ask(headers)
    assert outcome.reason == reason
    assert (outcome.status, outcome.headers) == (status, answer)
    assert outcome.body == {"message": message, "request_id": REQUEST_ID}
    assert outcome.kong.names == ["request.get_headers", "nginx.get_var", "response.exit"]


def test_a_service_that_no_api_is_linked_to(ask: Ask, set_time: SetTime, key: Key) -> None:
    strange = {"service_id": uid("strange")}
    outcome = ask(key("good"), **strange)
    assert (outcome.reason, outcome.status, outcome.headers) == ("service_not_linked", 403, JSON)
    assert outcome.refusals[0]["service_id"] == uid("strange")
    # Out of touch it may be a link that has not been heard of.
    set_time(6)
    assert ask(key("good"), **strange).reason == "registry_unavailable"


def test_every_reason_is_reached_in_these_tests() -> None:
    elsewhere = {Reason.SERVICE_NOT_LINKED.code, Reason.CONSUMER_NOT_FOUND.code, Reason.INTERNAL_ERROR.code}
    of_tokens = {
        Reason.INVALID_TOKEN,
        Reason.UNKNOWN_APPLICATION,
        Reason.INSUFFICIENT_SCOPE,
        Reason.PROVIDER_UNAVAILABLE,
    }
    elsewhere |= {reason.code for reason in of_tokens}
    assert {row[0] for row in REFUSALS} | elsewhere == {reason.code for reason in Reason}


def test_known_keys_pass_out_of_touch_until_the_copy_is_too_old(ask: Ask, set_time: SetTime, key: Key) -> None:
    for since, allowed in ((6, True), (3599, True), (3601, False), (-3601, False)):
        set_time(since)
        assert ask(key("good")).allowed is allowed
    set_time(100)
    assert ask(key("good"), max_staleness=99).reason == "registry_unavailable"
    assert ask(key("good"), max_staleness=101).allowed


def test_an_application_of_a_team_has_no_developer_header_and_none_of_the_client_s(ask: Ask, key: Key) -> None:
    outcome = ask({**key("team"), "x-developer-id": "me"})
    assert "X-Developer-ID" not in outcome.upstream
    assert outcome.upstream["x-developer-id"] == []


class TestChallenges:
    def test_one_for_each_kind_of_strategy_in_one_value(self, ask: Ask) -> None:
        outcome = ask({}, service_id=OTHER_SERVICE, realm="the api")
        assert outcome.headers["WWW-Authenticate"] == 'Key realm="the api", Bearer realm="the api"'

    @pytest.mark.parametrize(
        ("realm", "expected"),
        [(None, "Key"), ("", 'Key realm=""'), ('a"b\\c', 'Key realm="a\\"b\\\\c"')],
    )
    def test_the_realm_is_quoted(self, ask: Ask, realm: str | None, expected: str) -> None:
        assert ask({}, realm=realm).headers["WWW-Authenticate"] == expected

    @pytest.mark.parametrize(
        ("keys", "tokens", "expected"),
        [(True, False, "Key"), (False, True, "Bearer"), (True, True, "Key, Bearer"), (False, False, "Key")],
    )
    def test_by_policy(self, keys: bool, tokens: bool, expected: str) -> None:
        assert plugin.challenges(keys, tokens, None) == expected


class TestRevealReason:
    def test_only_where_it_is_asked_for(self, ask: Ask, key: Key) -> None:
        assert plugin.REASON_HEADER not in ask({}).headers
        assert ask({}, reveal_reason=True).headers[plugin.REASON_HEADER] == "no_credential"
        assert ask(key("pending"), reveal_reason=True).headers[plugin.REASON_HEADER] == "registration_pending"
        assert ask(key("good"), reveal_reason=True).allowed

    def test_bad_keys_look_alike(self, ask: Ask, key: Key) -> None:
        answers = [ask({"apikey": TYPO}), ask({"apikey": UNKNOWN}), ask(key("expired")), ask(key("key revoked"))]
        assert len({(one.status, str(one.body), str(one.headers), str(one.kong.names)) for one in answers}) == 1


class TestCalls:
    """Each call costs a round trip or a reply to read: they are counted."""

    def test_an_allowed_request_takes_three(self, ask: Ask, key: Key) -> None:
        kong = ask(key("good")).kong
        assert kong.names == ["request.get_headers", "service.request.set_headers", "client.authenticate"]
        assert kong.arguments("request.get_headers") == (1000,)

    def test_with_spoofed_headers_too(self, ask: Ask, key: Key) -> None:
        kong = ask({**key("good"), "x-consumer-id": "root", "x_portal_id": "mine"}).kong
        assert kong.names == ["request.get_headers", "service.request.set_headers", "client.authenticate"]

    def test_a_refused_request_takes_three(self, ask: Ask) -> None:
        kong = ask({}).kong
        assert kong.names == ["request.get_headers", "nginx.get_var", "response.exit"]
        assert kong.arguments("nginx.get_var") == ("kong_request_id",)

    def test_the_query_is_asked_for_only_where_the_key_may_be_there(self, ask: Ask, key: Key) -> None:
        assert "request.get_raw_query" not in ask({}).kong.names
        assert "request.get_raw_query" not in ask(key("good"), key_in_query=True).kong.names
        assert "request.get_raw_query" in ask({}, key_in_query=True).kong.names
        assert "request.get_raw_query" not in ask({"apikey": ["a", "b"]}, key_in_query=True).kong.names


class TestKeyInHeader:
    @pytest.mark.parametrize("name", ["apikey", "x-api-key"])
    def test_under_each_name_of_the_strategy(self, ask: Ask, name: str) -> None:
        outcome = ask({name: GOOD})
        assert outcome.allowed
        assert outcome.upstream[name] == []

    def test_under_two_names_it_is_a_duplicate(self, ask: Ask) -> None:
        assert ask({"apikey": GOOD, "x-api-key": GOOD}).reason == "duplicate_credential"

    @pytest.mark.parametrize("value", ["", [], [""], True, None])
    def test_an_empty_one_is_none(self, ask: Ask, value: object) -> None:
        assert ask({"apikey": value}).reason == "no_credential"

    def test_not_looked_for_where_that_is_off(self, ask: Ask, key: Key) -> None:
        assert ask(key("good"), key_in_header=False).reason == "no_credential"

    @pytest.mark.parametrize(
        "value",
        [f" {GOOD}", f"{GOOD} ", GOOD.upper()[:40], "short", "x" * 513, "\xff" * 30, "k\0" * 20, "x" * 1_000_000],
        ids=["space before", "space after", "upper case", "short", "long", "high bytes", "NULs", "a megabyte"],
    )
    def test_garbage_is_malformed(self, ask: Ask, value: str) -> None:
        reason = ask({"apikey": value}).reason
        assert reason == ("unknown_credential" if value == GOOD.upper()[:40] else "malformed_credential")

    def test_a_key_of_another_region_is_malformed(self, ask: Ask) -> None:
        assert ask({"apikey": mint("us")}).reason == "malformed_credential"

    def test_left_in_place_where_it_is_not_to_be_hidden(self, ask: Ask, key: Key) -> None:
        outcome = ask(key("good"), hide_credentials=False)
        assert outcome.allowed
        assert "apikey" not in outcome.upstream


class TestKeyInQuery:
    def asked(self, ask: Ask, query: str | None, headers: dict[str, Any] | None = None, **config: Any) -> Outcome:
        return ask(kong=FakeKong(headers, request__get_raw_query=query), key_in_query=True, **config)

    def test_hidden_by_leaving_the_rest_to_the_letter(self, ask: Ask) -> None:
        outcome = self.asked(ask, f"a=%41&APIkey={GOOD}&b&c=d=e&=")
        assert outcome.allowed
        assert outcome.kong.arguments("service.request.set_raw_query") == ("a=%41&b&c=d=e&=",)
        assert outcome.kong.names == [
            "request.get_headers",
            "request.get_raw_query",
            "service.request.set_raw_query",
            "service.request.set_headers",
            "client.authenticate",
        ]

    def test_percent_encoded_names_are_hidden_too(self, ask: Ask) -> None:
        outcome = self.asked(ask, f"%61pikey={GOOD}&apikey=&apikey")
        assert outcome.kong.arguments("service.request.set_raw_query") == ("",)

    def test_left_in_place_where_it_is_not_to_be_hidden(self, ask: Ask) -> None:
        outcome = self.asked(ask, f"apikey={GOOD}", hide_credentials=False)
        assert outcome.allowed
        assert "service.request.set_raw_query" not in outcome.kong.names

    def test_twice_is_a_duplicate(self, ask: Ask) -> None:
        assert self.asked(ask, f"apikey={GOOD}&apikey={GOOD}").reason == "duplicate_credential"

    @pytest.mark.parametrize("query", ["", None, "a=b", "apikey", "apikey="])
    def test_none(self, ask: Ask, query: str | None) -> None:
        assert self.asked(ask, query).reason == "no_credential"

    def test_not_looked_for_where_that_is_off_as_it_is_by_default(self, ask: Ask) -> None:
        assert ask(kong=FakeKong(request__get_raw_query=f"apikey={GOOD}")).reason == "no_credential"

    def test_in_the_query_only(self, ask: Ask) -> None:
        outcome = self.asked(ask, f"apikey={GOOD}", {"apikey": UNKNOWN}, key_in_header=False)
        assert outcome.allowed


class TestPreflight:
    def test_must_carry_a_key_too_by_default(self, ask: Ask) -> None:
        outcome = ask(kong=FakeKong(request__get_method="OPTIONS"))
        assert outcome.reason == "no_credential"
        assert "request.get_method" not in outcome.kong.names

    def test_passes_where_that_is_off_but_as_nobody(self, ask: Ask) -> None:
        kong = FakeKong({"x-consumer-id": "root", "x_application_id": "mine"}, request__get_method="OPTIONS")
        outcome = ask(kong=kong, run_on_preflight=False)
        assert outcome.allowed
        assert outcome.upstream == {"x-consumer-id": [], "x_application_id": []}
        assert "client.authenticate" not in kong.names

    def test_other_methods_are_judged_all_the_same(self, ask: Ask) -> None:
        for method in ("GET", "options", "OPTIONS2", ""):
            outcome = ask(kong=FakeKong(request__get_method=method), run_on_preflight=False)
            assert outcome.reason == "no_credential"

    def test_too_many_headers_are_refused_there_too(self, ask: Ask) -> None:
        kong = FakeKong({f"h{n}": "v" for n in range(1000)}, request__get_method="OPTIONS")
        assert ask(kong=kong, run_on_preflight=False).reason == "malformed_request"


class TestService:
    def test_a_global_plugin_asks_at_each_request(self, ask: Ask, key: Key) -> None:
        instance = plugin.Plugin({"region": "eu"})
        for service, allowed in ((SERVICE, True), (OTHER_SERVICE, False), (SERVICE, True)):
            outcome = ask(kong=FakeKong(key("good"), router__get_service={"id": service}), instance=instance)
            assert "router.get_service" in outcome.kong.names
            assert outcome.allowed is allowed

    def test_on_a_route_it_is_asked_for_again_after_a_moment(
        self, ask: Ask, key: Key, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Kong keeps the plugin's instance when its route is pointed at another service."""
        instance = plugin.Plugin({"region": "eu", "route_id": uid("route")})
        for now, service, allowed in (
            (100.0, SERVICE, True),
            (100.9, OTHER_SERVICE, True),
            (101.1, OTHER_SERVICE, False),
        ):
            monkeypatch.setattr(plugin, "monotonic", lambda now=now: now)
            outcome = ask(kong=FakeKong(key("good"), router__get_service={"id": service}), instance=instance)
            assert outcome.allowed is allowed

    def test_on_a_route_it_is_not_asked_at_each_request(
        self, ask: Ask, key: Key, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(plugin, "monotonic", lambda: 100.0)
        instance = plugin.Plugin({"region": "eu", "route_id": uid("route")})
        first, second = (ask(key("good"), instance=instance) for _ in range(2))
        assert first.allowed
        assert second.allowed
        assert first.kong.names.count("router.get_service") == 1
        assert "router.get_service" not in second.kong.names

    def test_on_a_route_and_a_service_it_is_known(self, ask: Ask, key: Key) -> None:
        outcome = ask(key("good"), route_id=uid("route"))
        assert outcome.allowed
        assert "router.get_service" not in outcome.kong.names

    def test_a_route_without_a_service_lets_nobody_in(self, ask: Ask, key: Key) -> None:
        instance = plugin.Plugin({"region": "eu", "route_id": uid("route")})
        for _ in range(2):
            outcome = ask(kong=FakeKong(key("good"), router__get_service=None), instance=instance)
            assert outcome.reason == "service_not_linked"

    def test_the_api_may_be_named_instead(self, ask: Ask, key: Key) -> None:
        outcome = ask(key("unregistered"), instance=plugin.Plugin({"region": "eu", "api": OTHER_API}))
        assert outcome.allowed
        assert "router.get_service" not in outcome.kong.names

    def test_an_api_that_the_region_does_not_have(self, ask: Ask, key: Key) -> None:
        assert ask(key("good"), api=uid("no such api")).reason == "service_not_linked"

    def test_the_api_goes_before_the_service(self, ask: Ask, key: Key) -> None:
        assert ask(key("good"), api=OTHER_API).reason == "not_registered"
        assert ask(key("good"), service_id=OTHER_SERVICE, api=API).allowed


class TestHeadersOfTheClient:
    def test_the_most_that_kong_gives_are_too_many(self, ask: Ask, key: Key) -> None:
        few = {f"h{n}": "v" for n in range(998)}
        assert ask({**key("good"), **few}).allowed
        assert ask({**key("good"), **few, "one more": "v"}).reason == "malformed_request"

    def test_repeated_ones_are_counted_each_time(self, ask: Ask, key: Key) -> None:
        assert ask({**key("good"), "h": ["v"] * 998}).allowed
        assert ask({**key("good"), "h": ["v"] * 999}).reason == "malformed_request"

    def test_identity_headers_are_taken_away_however_they_are_written(self, ask: Ask, key: Key) -> None:
        sent = ["x-consumer-id", "x_consumer_groups", "x-authenticated_scope", "x_anonymous_consumer", "x_developer_id"]
        outcome = ask({**key("good"), **dict.fromkeys(sent, "me"), "x-mine": "stays", "x_mine": "stays"})
        assert {name: outcome.upstream.get(name) for name in sent} == {name: [] for name in sent}
        assert "x-mine" not in outcome.upstream
        assert "x_mine" not in outcome.upstream

    def test_what_we_set_goes_before_what_was_sent_under_the_same_name(self, ask: Ask, key: Key) -> None:
        outcome = ask({**key("good"), "x-application-id": "me", "x-portal-id": ["a", "b"]})
        assert outcome.upstream["X-Application-ID"] == uid("good")
        assert "x-application-id" not in outcome.upstream
        assert "x-portal-id" not in outcome.upstream

    def test_strange_bytes_do_no_harm(self, ask: Ask, key: Key) -> None:
        assert ask({**key("good"), "x": "\xff\xfe\0", "": "", "\xff": True}).allowed


class TestFaults:
    @pytest.mark.parametrize(
        "where",
        ["request.get_headers", "service.request.set_headers", "client.authenticate"],
    )
    def test_an_exception_is_500_and_not_a_pass(self, ask: Ask, key: Key, where: str) -> None:
        kong = FakeKong(key("good"))
        kong.answers[where] = ValueError(f"with the client's {GOOD} in it")
        outcome = ask(kong=kong)
        assert (outcome.reason, outcome.status) == ("internal_error", 500)
        assert outcome.body["message"] == "An unexpected error occurred"
        assert outcome.refusals[0]["detail"].startswith("ValueError in plugin.py:")
        assert GOOD not in str(outcome.refusals)

    def test_a_replica_that_raises_is_500(self, ask: Ask, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
        def raising(_digest: bytes) -> None:
            raise RuntimeError

        monkeypatch.setattr(plugin._replica, "credential", raising)
        assert ask(key("good")).reason == "internal_error"

    @pytest.mark.parametrize("answer", [None, [], 7, {"apikey": {"a": GOOD}}])
    def test_headers_that_are_none_let_nobody_in(self, ask: Ask, answer: object) -> None:
        outcome = ask(kong=FakeKong(request__get_headers=answer))
        assert not outcome.allowed

    def test_the_end_of_the_event_is_left_to_the_server(self, ask: Ask, key: Key) -> None:
        """Nothing more may be sent after a deadline: no refusal, and no authentication."""
        kong = FakeKong(key("good"), request__get_headers=EventEndedError())
        with pytest.raises(EventEndedError):
            plugin.Plugin({"region": "eu"}).access(kong)
        assert kong.names == ["request.get_headers"]

    def test_a_lost_connection_never_passes(self, ask: Ask) -> None:
        kong = FakeKong(request__get_headers=ConnectionLostError(), nginx__get_var=ConnectionLostError())
        with pytest.raises(ConnectionLostError):
            plugin.Plugin({"region": "eu"}).access(kong)

    def test_a_request_without_an_id_is_refused_all_the_same(self, ask: Ask) -> None:
        outcome = ask(kong=FakeKong(nginx__get_var=None))
        assert (outcome.reason, outcome.body["request_id"]) == ("no_credential", "")


class TestRegistry:
    def test_of_another_region_is_not_at_hand(self, ask: Ask, key: Key) -> None:
        outcome = ask(key("good"), region="us")
        assert (outcome.reason, outcome.status, outcome.headers["Retry-After"]) == ("registry_unavailable", 503, "5")
        assert outcome.refusals[0]["detail"] == "the registry of us is not at hand"

    def test_that_is_not_there_lets_nobody_in(
        self, ask: Ask, key: Key, tmp_path: Path, use_replica: Callable[[Path], object]
    ) -> None:
        use_replica(tmp_path / "nothing")
        for headers in ({}, key("good")):
            assert ask(headers).reason == "registry_unavailable"
        assert plugin.ready() == "the first copy of the registry"

    def test_that_was_never_heard_of_lets_nobody_in(
        self, ask: Ask, key: Key, tmp_path: Path, use_replica: Callable[[Path], object]
    ) -> None:
        make_replica(tmp_path / "replica", contents(), heard=0.0)
        use_replica(tmp_path / "replica")
        assert ask(key("good")).reason == "registry_unavailable"

    def test_that_is_there_is_ready(self, ask: Ask) -> None:
        assert plugin.ready() is None


class TestStockServer:
    """The stock `kong_pdk` server: pairs of value and error, lists for all header values, no end after an exit."""

    def listed(self, name: str) -> dict[str, Any]:
        return {"apikey": [PEOPLE[name].key], "accept": ["*/*"], "x-consumer-id": ["me"]}

    def test_lua_style_and_lists(self, ask: Ask) -> None:
        outcome = ask(kong=FakeKong(self.listed("good"), lua_style=True))
        assert outcome.allowed
        assert outcome.upstream["X-Application-ID"] == uid("good")
        assert outcome.upstream["x-consumer-id"] == []

    def test_lists_without_lua_style(self, ask: Ask) -> None:
        assert ask(kong=FakeKong(self.listed("good"))).allowed
        assert ask(kong=FakeKong({"apikey": [GOOD, GOOD]})).reason == "duplicate_credential"

    def test_a_refusal_is_the_last_thing_done(self, ask: Ask) -> None:
        outcome = ask(kong=FakeKong(self.listed("pending"), lua_style=True))
        assert outcome.reason == "registration_pending"
        assert outcome.kong.names[-1] == "response.exit"

    def test_an_error_of_kong_s_is_500(self, ask: Ask) -> None:
        kong = FakeKong(lua_style=True, request__get_headers=(None, "no way"))
        assert ask(kong=kong).reason == "internal_error"

    def test_the_query_and_the_service_in_pairs(self, ask: Ask) -> None:
        kong = FakeKong(lua_style=True, request__get_raw_query=f"apikey={GOOD}")
        assert ask(kong=kong, key_in_query=True, service_id=None).allowed


class TestConfiguration:
    @pytest.mark.parametrize(
        "config",
        [
            {},
            {"region": None},
            {"region": 7},
            {"region": ""},
            {"region": "EU"},
            {"region": "e_u"},
            {"region": "eu", "key_in_query": "yes"},
            {"region": "eu", "max_staleness": "long"},
            {"region": "eu", "api": 7},
            {"region": "eu", "realm": ["a"]},
        ],
    )
    def test_a_wrong_one_raises(self, config: dict[str, Any]) -> None:
        with pytest.raises((ValueError, msgspec.ValidationError)):
            plugin.Plugin(config)

    def test_kong_s_own_members_and_nulls_are_left_out(self, ask: Ask, key: Key) -> None:
        config = {
            **{name: None for field in plugin.Schema for name in field if name != "region"},
            "__seq__": 7,
            "__key__": "plugins:app-auth:…",
            "__plugin_id": "p",
            "__ws_id": "w",
            "consumer_id": None,
        }
        assert ask(key("good"), **config).allowed

    def test_whole_numbers_are_seconds_too(self) -> None:
        plugin.Plugin({"region": "eu", "max_staleness": 60})

    def test_the_schema_describes_every_field_and_has_the_same_defaults(self) -> None:
        described = {name: definition for field in plugin.Schema for name, definition in field.items()}
        known = {field.name: field for field in msgspec.structs.fields(plugin.Configuration)}
        assert set(described) == set(known) - {"service_id", "route_id"}
        for name, definition in described.items():
            assert definition["description"].endswith(".")
            default = known[name].default
            assert definition.get("default") == (None if default in (None, msgspec.NODEFAULT) else default)
            assert definition.get("required", False) == known[name].required

    def test_the_name_and_the_priority_are_those_of_the_design(self) -> None:
        assert (plugin.name, plugin.priority) == ("app-auth", 960)


def test_every_outcome_is_counted(ask: Ask, key: Key) -> None:
    def counted(outcome: str) -> float:
        return snapshot().get(("app_auth_requests_total", outcome), 0)

    allowed, pending = counted("allowed"), counted("registration_pending")
    ask(key("good"))
    ask(key("good"))
    ask(key("pending"))
    assert counted("allowed") == allowed + 2
    assert counted("registration_pending") == pending + 1


def test_the_log_learns_what_was_refused_and_no_key(ask: Ask, key: Key) -> None:
    for name in PEOPLE:
        outcome = ask(key(name))
        if not outcome.allowed:
            (refusal,) = outcome.refusals
            assert refusal["application_id"] == uid(name)
            assert (refusal["request_id"], refusal["status"]) == (REQUEST_ID, outcome.status)
            assert PEOPLE[name].key not in str(refusal)
    assert ask({"apikey": UNKNOWN}).refusals[0]["application_id"] is None
