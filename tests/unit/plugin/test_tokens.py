"""Bearer tokens at the plugin: who is let in by a JWT, what a refusal says, and what it costs the others."""

import base64
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kong_app_auth import plugin
from kong_app_auth.admission import awaited_keys
from kong_app_auth.admission.oauth import PATIENCE
from kong_app_auth.domain.api_key import digest
from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Client,
    CredentialState,
    OpenIdConnect,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
    client_key,
)
from kong_app_auth.oidc.outgoing import Answer
from kong_app_auth.registry.contents import Contents
from kong_app_auth.replica.reader import Replica
from plugin_server.settings import ServerSettings
from tests.servers.samples import PORTAL, STRATEGY, uid
from tests.unit.plugin.provider import Provider, SigningKey
from tests.unit.plugin.stage import NOW, PEOPLE, FakeKong, Outcome
from tests.unit.plugin.writer import Writer

Ask = Callable[..., Outcome]

FIRST_ISSUER = Provider("https://first.example.com")
SECOND_ISSUER = Provider("https://second.example.com/", "RS256")
STRANGER = Provider("https://stranger.example.com")
TOKENS, SAME, OTHER, SECRETS, OPAQUE = (uid(("strategy", name)) for name in ("first", "same", "second", "cc", "opaque"))
API, BOTH, SEVERAL, EXCHANGED, INTROSPECTED = (
    uid(("api", name)) for name in ("tokens", "both", "several", "exchanged", "introspected")
)
FOREIGN_PORTAL = uid("staging")
WEATHER = "https://weather.example.com"

STRATEGIES = {
    STRATEGY: Strategy(STRATEGY, "keys", StrategyType.KEY_AUTH, ("apikey",)),
    TOKENS: Strategy(
        TOKENS,
        "first",
        StrategyType.OPENID_CONNECT,
        openid_connect=OpenIdConnect(
            FIRST_ISSUER.issuer, scopes_required=("read write", "admin"), audience_required=(WEATHER,)
        ),
    ),
    SAME: Strategy(
        SAME,
        "same issuer, other rules",
        StrategyType.OPENID_CONNECT,
        openid_connect=OpenIdConnect(FIRST_ISSUER.issuer, credential_claims=("tenant.app",)),
    ),
    OTHER: Strategy(
        OTHER,
        "second",
        StrategyType.OPENID_CONNECT,
        openid_connect=OpenIdConnect(SECOND_ISSUER.issuer, algorithms=("RS256",)),
    ),
    SECRETS: Strategy(
        SECRETS,
        "secrets",
        StrategyType.OPENID_CONNECT,
        openid_connect=OpenIdConnect(
            FIRST_ISSUER.issuer, auth_methods=("client_credentials",), scopes=("read", "write"), audience=(WEATHER,)
        ),
    ),
    OPAQUE: Strategy(
        OPAQUE,
        "opaque",
        StrategyType.OPENID_CONNECT,
        openid_connect=OpenIdConnect(
            FIRST_ISSUER.issuer, auth_methods=("introspection",), audience_required=(WEATHER,)
        ),
    ),
}
APIS = {
    API: (TOKENS,),
    BOTH: (STRATEGY, TOKENS),
    SEVERAL: (TOKENS, SAME, OTHER),
    EXCHANGED: (STRATEGY, SECRETS),
    INTROSPECTED: (OPAQUE,),
}
GRANTED = {"scope": "read write"}


def _contents() -> Contents:
    contents = Contents(
        apis={
            api: Api(api, "API", "v1", tuple(Acceptance(PORTAL, strategy) for strategy in strategies))
            for api, strategies in APIS.items()
        },
        services={uid(("service", api)): Service(uid(("service", api)), api) for api in APIS},
        strategies=dict(STRATEGIES),
        issuers={
            provider.issuer: provider.record(
                token_endpoint=f"{provider.issuer}token", introspection_endpoint=f"{provider.issuer}introspection"
            )
            for provider in (FIRST_ISSUER, SECOND_ISSUER)
        },
    )
    for name, fields in {
        "good": {},
        "team": {"developer_id": None},
        "banned": {"developer_revoked": True},
        "elsewhere": {"portal_id": FOREIGN_PORTAL},
        "unregistered": {"registrations": {}},
        "pending": {"registrations": dict.fromkeys(APIS, RegistrationState.PENDING)},
        "rejected": {"registrations": dict.fromkeys(APIS, RegistrationState.REJECTED)},
        "revoked": {"registrations": dict.fromkeys(APIS, RegistrationState.REVOKED)},
        "client revoked": {},
    }.items():
        for strategy in (TOKENS, SECRETS, OPAQUE):
            _add(contents, name, strategy, **fields)
    _add(contents, "nested", SAME)
    _add(contents, "second", OTHER)
    _add(contents, "holds keys", TOKENS, strategy_id=STRATEGY)
    contents.clients[client_key(SECRETS, "odd id:%+")] = Client(
        client_key(SECRETS, "odd id:%+"), uid("odd"), uid(("good", SECRETS))
    )
    person = PEOPLE["good"]
    contents.applications[person.application.id] = msgspec.structs.replace(
        person.application, registrations=dict.fromkeys(APIS, RegistrationState.APPROVED)
    )
    contents.credentials[digest(person.key)] = person.credential
    return contents


def _add(contents: Contents, name: str, strategy: str, **fields: Any) -> None:
    """An application of a name for each strategy, whose client is called by that name."""
    application = Application(
        **{
            "id": uid((name, strategy)),
            "portal_id": PORTAL,
            "strategy_id": strategy,
            "developer_id": uid("developer"),
            "registrations": dict.fromkeys(APIS, RegistrationState.APPROVED),
            **fields,
        }
    )
    contents.applications[application.id] = application
    state = CredentialState.REVOKED if name == "client revoked" else CredentialState.ACTIVE
    client = Client(client_key(strategy, name), uid(("credential", name)), application.id, state)
    contents.clients[client.id] = client


class Region:
    """The replica, and what is in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.contents = _contents()
        self._writer = Writer(directory)
        self.write()

    def write(self) -> None:
        self._writer.write(self.contents, NOW)

    def change(self, change: Callable[[Contents], object]) -> None:
        """Have the follower apply what a writer changed."""
        change(self.contents)
        self.write()

    def close(self) -> None:
        self._writer.close()


@pytest.fixture(scope="module")
def shared_region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    made = Region(tmp_path_factory.mktemp("tokens") / "replica")
    yield made
    made.close()


@pytest.fixture
def region(shared_region: Region, use_replica: Callable[[Path], Replica], ask: Ask) -> Iterator[Region]:
    """After `ask`, which has its own replica: this one is used. What a test changes is undone."""
    use_replica(shared_region.directory)
    yield shared_region
    if shared_region.contents != _contents():
        shared_region.contents = _contents()
        shared_region.write()


@pytest.fixture
def call(ask: Ask, region: Region) -> Ask:
    """`call(token, api, headers=…)`."""

    def called(token: str | None, api: str = API, headers: dict[str, Any] | None = None, **config: Any) -> Outcome:
        sent = dict(headers or {}) if token is None else {"authorization": f"Bearer {token}", **(headers or {})}
        return ask(sent, service_id=uid(("service", api)), **{"realm": "r", **config})

    return called


def challenge(outcome: Outcome) -> str | None:
    return outcome.headers.get("WWW-Authenticate")


def _credential(application_id: str) -> dict[str, str]:
    return {"id": application_id, "consumer_id": application_id}


def test_a_token_lets_its_application_in(call: Ask) -> None:
    outcome = call(FIRST_ISSUER.token("good", **GRANTED))
    assert outcome.allowed, outcome.refusals
    assert outcome.upstream == {
        "X-Application-ID": uid(("good", TOKENS)),
        "X-Developer-ID": uid("developer"),
        "X-Portal-ID": PORTAL,
        "X-Auth-Strategy-ID": TOKENS,
        "X-Credential-Identifier": "good",
        "X-App-Auth-Region": "eu",
        "authorization": [],
    }
    assert outcome.kong.arguments("client.authenticate") == (None, _credential(uid(("good", TOKENS))))
    assert outcome.reported == [(uid(("credential", "good")), uid(("good", TOKENS)), API)]


def test_it_takes_as_many_calls_as_a_key(call: Ask) -> None:
    for _ in range(2):
        kong = call(FIRST_ISSUER.token("good", **GRANTED)).kong
        assert kong.names == ["request.get_headers", "service.request.set_headers", "client.authenticate"]


def test_the_token_is_left_where_it_is_not_to_be_hidden(call: Ask) -> None:
    outcome = call(FIRST_ISSUER.token("good", **GRANTED), hide_credentials=False)
    assert outcome.allowed
    assert "authorization" not in outcome.upstream


FORBIDDEN = [
    ("nobody knows it", "unknown_application"),
    ("banned", "developer_revoked"),
    ("elsewhere", "wrong_strategy"),
    ("holds keys", "wrong_strategy"),
    ("unregistered", "not_registered"),
    ("pending", "registration_pending"),
    ("rejected", "registration_rejected"),
    ("revoked", "registration_revoked"),
]


@pytest.mark.parametrize(("client", "reason"), FORBIDDEN, ids=[row[0] for row in FORBIDDEN])
def test_a_good_token_whose_application_may_not_call(call: Ask, client: str, reason: str) -> None:
    outcome = call(FIRST_ISSUER.token(client, **GRANTED))
    assert (outcome.reason, outcome.status) == (reason, 403)
    assert outcome.body["message"] == "You cannot consume this service"
    assert challenge(outcome) is None


def test_a_revoked_client_is_refused_as_a_revoked_key(call: Ask) -> None:
    outcome = call(FIRST_ISSUER.token("client revoked", **GRANTED))
    assert (outcome.reason, outcome.status) == ("revoked_credential", 401)
    assert outcome.refusals[0]["credential_id"] == uid(("credential", "client revoked"))


INVALID: dict[str, tuple[Callable[[], str], str]] = {
    "nonsense": (lambda: "nonsense", "not_accepted"),
    "three parts of nonsense": (lambda: "eyJ.e30.x", "malformed_token"),
    "expired": (lambda: FIRST_ISSUER.token("good", exp=int(NOW) - 60), "expired"),
    "of another audience": (lambda: FIRST_ISSUER.token("good", aud="https://maps.example.com"), "other_audience"),
    "of a stranger": (lambda: STRANGER.token("good"), "other_issuer"),
    "of a stranger in another's name": (
        lambda: FIRST_ISSUER.token("good", key=SigningKey(FIRST_ISSUER.key.kid)),
        "bad_signature",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_a_bad_token(call: Ask, name: str) -> None:
    make, detail = INVALID[name]
    token = make()
    outcome = call(token)
    assert (outcome.reason, outcome.status, outcome.body["message"]) == ("invalid_token", 401, "Unauthorized")
    assert challenge(outcome) == 'Bearer realm="r", error="invalid_token"'
    assert outcome.refusals[0]["detail"] == detail
    assert token not in str(outcome.refusals)


def test_bad_tokens_look_alike(call: Ask) -> None:
    answers = [call(make()) for make, _ in INVALID.values()]
    assert len({(one.status, str(one.body), str(one.headers), str(one.kong.names)) for one in answers}) == 1


@pytest.mark.parametrize(
    "value",
    ["Bearer", "Bearer ", "Bearer  x", "Bearer a b", "Bearer a,b", "Bearer x\xff", "bearer " + "x" * 8193],
    ids=["none", "blank", "two blanks", "two tokens", "comma", "high bytes", "long"],
)
def test_what_is_no_token(call: Ask, value: str) -> None:
    outcome = call(None, headers={"authorization": value})
    assert (outcome.reason, outcome.refusals[0]["detail"]) == ("invalid_token", "malformed_token")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_scheme_may_be_written_in_any_case(call: Ask, scheme: str) -> None:
    token = FIRST_ISSUER.token("good", **GRANTED)
    assert call(None, headers={"authorization": [f"{scheme} {token}"]}).allowed


def test_without_a_credential_the_challenge_says_nothing_of_an_error(call: Ask) -> None:
    outcome = call(None)
    assert (outcome.reason, outcome.body["message"]) == ("no_credential", "Unauthorized")
    assert challenge(outcome) == 'Bearer realm="r"'
    assert challenge(call(None, BOTH)) == 'Key realm="r", Bearer realm="r"'
    assert challenge(call(None, BOTH, realm=None)) == "Key, Bearer"


def test_a_bad_token_where_keys_are_taken_too(call: Ask) -> None:
    expired = FIRST_ISSUER.token("good", exp=1)
    assert challenge(call(expired, BOTH)) == 'Key realm="r", Bearer realm="r", error="invalid_token"'
    assert challenge(call(expired, BOTH, realm=None)) == 'Key, Bearer error="invalid_token"'


class TestScopes:
    @pytest.mark.parametrize("scope", ["read write", "admin", "x write read", ["write", "read"]], ids=str)
    def test_all_of_one_entry_are_enough(self, call: Ask, scope: Any) -> None:
        assert call(FIRST_ISSUER.token("good", scope=scope)).allowed

    @pytest.mark.parametrize("scope", ["read", "write", "", None, "read,write", "readwrite", "ADMIN"], ids=str)
    def test_less_is_insufficient(self, call: Ask, scope: str | None) -> None:
        outcome = call(FIRST_ISSUER.token("good", scope=scope))
        assert (outcome.reason, outcome.status) == ("insufficient_scope", 403)
        assert challenge(outcome) == 'Bearer realm="r", error="insufficient_scope", scope="read write"'
        assert outcome.refusals[0]["application_id"] == uid(("good", TOKENS))

    def test_no_challenge_of_keys_goes_with_it(self, call: Ask) -> None:
        outcome = call(FIRST_ISSUER.token("good", scope="read"), BOTH)
        assert challenge(outcome) == 'Bearer realm="r", error="insufficient_scope", scope="read write"'

    def test_who_may_not_call_at_all_is_told_that(self, call: Ask) -> None:
        assert call(FIRST_ISSUER.token("pending", scope="")).reason == "registration_pending"


class TestSeveralCredentials:
    def test_a_key_and_a_token(self, call: Ask) -> None:
        outcome = call(FIRST_ISSUER.token("good", **GRANTED), BOTH, {"apikey": PEOPLE["good"].key})
        assert (outcome.reason, outcome.status) == ("malformed_request", 400)
        assert challenge(outcome) == 'Bearer realm="r", error="invalid_request"'

    def test_a_key_in_the_query_and_a_token(self, ask: Ask, region: Region) -> None:
        kong = FakeKong(
            {"authorization": f"Bearer {FIRST_ISSUER.token('good', **GRANTED)}"},
            request__get_raw_query=f"apikey={PEOPLE['good'].key}",
        )
        outcome = ask(kong=kong, service_id=uid(("service", BOTH)), key_in_query=True)
        assert outcome.reason == "malformed_request"

    def test_two_headers(self, call: Ask) -> None:
        token = f"Bearer {FIRST_ISSUER.token('good', **GRANTED)}"
        outcome = call(None, headers={"authorization": [token, token]})
        assert (outcome.reason, outcome.status) == ("malformed_request", 400)

    @pytest.mark.parametrize("value", ["Basic eDp5", "Digest x", "Token abc", "apikey", ""])
    def test_what_the_service_does_not_take_is_left_to_the_upstream(self, call: Ask, value: str) -> None:
        outcome = call(None, BOTH, {"authorization": value, "apikey": PEOPLE["good"].key})
        assert outcome.allowed
        assert "authorization" not in outcome.upstream
        assert call(None, API, {"authorization": value}).reason == "no_credential"

    def test_a_key_alone_is_judged_as_ever(self, call: Ask) -> None:
        outcome = call(None, BOTH, {"apikey": PEOPLE["good"].key})
        assert outcome.allowed
        assert outcome.upstream["X-Auth-Strategy-ID"] == STRATEGY


class TestSeveralStrategies:
    def test_each_issuer_s_tokens(self, call: Ask) -> None:
        for token, strategy in (
            (FIRST_ISSUER.token("good", **GRANTED), TOKENS),
            (FIRST_ISSUER.token("x", tenant={"app": "nested"}), SAME),
            (SECOND_ISSUER.token("second"), OTHER),
        ):
            for _ in range(2):
                outcome = call(token, SEVERAL)
                assert outcome.allowed, outcome.refusals
                assert outcome.upstream["X-Auth-Strategy-ID"] == strategy

    def test_the_one_that_came_further_is_told(self, call: Ask) -> None:
        assert call(FIRST_ISSUER.token("pending", **GRANTED), SEVERAL).reason == "registration_pending"
        assert call(FIRST_ISSUER.token("nobody"), SEVERAL).reason == "unknown_application"
        assert call(FIRST_ISSUER.token("nobody", aud="x"), SEVERAL).reason == "unknown_application"
        assert call(SECOND_ISSUER.token("second", exp=1), SEVERAL).reason == "invalid_token"
        assert call(STRANGER.token("good"), SEVERAL).reason == "invalid_token"
        assert call("eyJ.e30.x", SEVERAL).reason == "invalid_token"

    def test_a_client_of_one_strategy_is_none_of_another_s(self, call: Ask) -> None:
        assert call(SECOND_ISSUER.token("good", **GRANTED), SEVERAL).reason == "unknown_application"


def test_a_user_s_name_is_not_taken_for_a_client_s(call: Ask) -> None:
    """Whoever can choose a name at the provider could pass for any application by choosing its client id."""
    outcome = call(FIRST_ISSUER.token("good", azp="somebody else", client_id="x", **GRANTED))
    assert outcome.reason == "unknown_application"


def test_a_token_that_names_no_client(call: Ask) -> None:
    outcome = call(SECOND_ISSUER.key.sign({"iss": SECOND_ISSUER.issuer, "exp": int(NOW) + 600}, typ="JWT"), SEVERAL)
    assert (outcome.reason, outcome.refusals[0]["detail"]) == ("unknown_application", "no_client")


class TestWhatIsRevoked:
    """A token that is known to be good is let in only as long as the registry says so."""

    @pytest.mark.parametrize("what", ["registration", "client", "application", "developer"])
    def test_acts_at_once(self, call: Ask, region: Region, what: str) -> None:
        token = FIRST_ISSUER.token("good", **GRANTED)
        assert call(token).allowed
        client, application = client_key(TOKENS, "good"), uid(("good", TOKENS))

        def revoke(contents: Contents) -> None:
            before = contents.applications[application]
            match what:
                case "registration":
                    contents.applications[application] = msgspec.structs.replace(
                        before, registrations={**before.registrations, API: RegistrationState.REVOKED}
                    )
                case "client":
                    contents.clients[client] = msgspec.structs.replace(
                        contents.clients[client], state=CredentialState.REVOKED
                    )
                case "application":
                    del contents.applications[application], contents.clients[client]
                case _:
                    contents.applications[application] = msgspec.structs.replace(before, developer_revoked=True)

        region.change(revoke)
        assert (
            call(token).reason
            == {
                "registration": "registration_revoked",
                "client": "revoked_credential",
                "application": "unknown_application",
                "developer": "developer_revoked",
            }[what]
        )

    def test_a_key_that_the_issuer_withdrew(self, call: Ask, region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(awaited_keys, "LONGEST_WAIT", 0.0)
        token = FIRST_ISSUER.token("good", **GRANTED)
        assert call(token).allowed
        record = region.contents.issuers[FIRST_ISSUER.issuer]
        region.change(
            lambda contents: contents.issuers.update(
                {record.id: msgspec.structs.replace(record, keys=(SigningKey("new").jwk,))}
            )
        )
        assert call(token).refusals[0]["detail"] == "unknown_key"


class TestUnknownKeys:
    NEW = SigningKey("new")

    def token(self) -> str:
        return FIRST_ISSUER.token("good", key=self.NEW, **GRANTED)

    def publish(self, region: Region) -> None:
        record = region.contents.issuers[FIRST_ISSUER.issuer]
        newer = msgspec.structs.replace(record, keys=(*record.keys, self.NEW.jwk))
        region.change(lambda contents: contents.issuers.update({record.id: newer}))

    def test_a_request_waits_for_the_key(self, call: Ask, region: Region, unknown_keys: list[str]) -> None:
        timer = threading.Timer(0.1, lambda: self.publish(region))
        timer.start()
        try:
            outcome = call(self.token())
        finally:
            timer.join()
        assert outcome.allowed, outcome.refusals
        assert unknown_keys == [FIRST_ISSUER.issuer]

    def test_a_key_that_does_not_come(
        self, call: Ask, region: Region, unknown_keys: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(awaited_keys, "LONGEST_WAIT", 0.05)
        for _ in range(3):
            outcome = call(self.token())
            assert (outcome.reason, outcome.refusals[0]["detail"]) == ("invalid_token", "unknown_key")
        assert unknown_keys == [FIRST_ISSUER.issuer], "the second and the third did not wait"
        self.publish(region)
        assert call(self.token()).allowed

    def test_a_refresh_that_brings_another_key(
        self, call: Ask, region: Region, unknown_keys: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(awaited_keys, "LONGEST_WAIT", 20.0)
        record = region.contents.issuers[FIRST_ISSUER.issuer]
        newer = msgspec.structs.replace(record, keys=(*record.keys, SigningKey("another").jwk))
        timer = threading.Timer(
            0.1, lambda: region.change(lambda contents: contents.issuers.update({record.id: newer}))
        )
        timer.start()
        try:
            assert call(self.token()).refusals[0]["detail"] == "unknown_key"
        finally:
            timer.join()
        assert call(self.token()).refusals[0]["detail"] == "unknown_key"
        assert len(unknown_keys) == 1

    def test_only_few_wait(self, call: Ask, unknown_keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(awaited_keys, "MOST_WAITING_FOR_ISSUER", 0)
        monkeypatch.setattr(awaited_keys, "LONGEST_WAIT", 20.0)
        assert call(self.token()).refusals[0]["detail"] == "unknown_key"
        assert len(unknown_keys) == 1, "but the daemon is told"

    def test_an_issuer_whose_keys_nobody_has_fetched(
        self, call: Ask, region: Region, unknown_keys: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(awaited_keys, "LONGEST_WAIT", 0.01)
        region.change(lambda contents: contents.issuers.pop(FIRST_ISSUER.issuer))
        for api in (API, SEVERAL):
            outcome = call(FIRST_ISSUER.token("good", **GRANTED), api)
            assert (outcome.reason, outcome.status) == ("provider_unavailable", 503)
            assert outcome.headers["Retry-After"] == "5"
        assert call(STRANGER.token("good"), SEVERAL).reason == "invalid_token"
        assert set(unknown_keys) == {FIRST_ISSUER.issuer}


def test_out_of_touch_known_clients_pass_and_unknown_ones_are_not_judged(
    call: Ask, set_time: Callable[[float], None]
) -> None:
    token = FIRST_ISSUER.token("good", **GRANTED)
    set_time(6)
    assert call(token).allowed
    assert call(FIRST_ISSUER.token("new", **GRANTED)).reason == "registry_unavailable"
    set_time(3601)
    assert call(token).reason == "registry_unavailable"


class FakeProvider:
    """Stands for the network: answers what the test says, and counts."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.asked: list[tuple[str, dict[str, str], str]] = []

    def request(self, _method: str, url: str, *, body: bytes, headers: dict[str, str], **_: Any) -> Answer:
        form = dict(part.split("=", 1) for part in body.decode().split("&"))
        self.asked.append((url, form, headers["Authorization"]))
        if isinstance(self.answer, BaseException):
            raise self.answer
        status, told = self.answer
        return Answer(status, {}, told if isinstance(told, bytes) else msgspec.json.encode(told))


@pytest.fixture
def provider(region: Region, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    made = FakeProvider()
    monkeypatch.setattr(plugin, "_outgoing", lambda: made)
    monkeypatch.setattr(plugin, "_oauth", plugin._oauth_admission(plugin._replica))
    return made


def secret(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


class TestSecrets:
    def granted(self, provider: FakeProvider, client: str = "good", **fields: Any) -> None:
        token = fields.pop("access_token", None) or FIRST_ISSUER.token(client)
        provider.answer = 200, {"access_token": token, "token_type": "Bearer", "expires_in": 600, **fields}

    def test_are_exchanged_once(self, call: Ask, provider: FakeProvider) -> None:
        self.granted(provider)
        for _ in range(3):
            outcome = call(None, EXCHANGED, secret("good:pass%2Bword+x"))
            assert outcome.allowed, outcome.refusals
            assert outcome.upstream["X-Credential-Identifier"] == "good"
            assert outcome.upstream["authorization"] == []
        ((url, form, authorization),) = provider.asked
        assert url == f"{FIRST_ISSUER.issuer}token"
        assert form == {
            "grant_type": "client_credentials",
            "scope": "read+write",
            "audience": "https%3A%2F%2Fweather.example.com",
        }
        assert base64.b64decode(authorization.removeprefix("Basic ")) == b"good:pass%2Bword%20x"

    def test_another_secret_is_asked_for(self, call: Ask, provider: FakeProvider) -> None:
        self.granted(provider)
        assert call(None, EXCHANGED, secret("good:right")).allowed
        provider.answer = 401, {"error": "invalid_client"}
        for _ in range(2):
            outcome = call(None, EXCHANGED, secret("good:wrong"))
            assert (outcome.reason, outcome.status) == ("unknown_credential", 401)
            assert challenge(outcome) == 'Key realm="r", Bearer realm="r"'
        assert len(provider.asked) == 2
        assert call(None, EXCHANGED, secret("good:right")).allowed

    def test_ids_and_secrets_are_encoded(self, call: Ask, provider: FakeProvider) -> None:
        self.granted(provider, access_token="opaque")
        outcome = call(None, EXCHANGED, secret("odd+id%3A%25%2B:a%3Ab"))
        assert outcome.allowed, outcome.refusals
        assert outcome.upstream["X-Credential-Identifier"] == "odd id:%+"
        assert base64.b64decode(provider.asked[0][2].removeprefix("Basic ")) == b"odd%20id%3A%25%2B:a%3Ab"

    @pytest.mark.parametrize("client", ["stranger", "client revoked"])
    def test_nothing_is_asked_for_a_stranger(self, call: Ask, provider: FakeProvider, client: str) -> None:
        provider.answer = AssertionError("a provider was asked")
        outcome = call(None, EXCHANGED, secret(f"{client}:secret"))
        assert outcome.status == 401
        assert provider.asked == []

    def test_a_stranger_is_refused_as_a_wrong_secret_is(self, call: Ask, provider: FakeProvider) -> None:
        provider.answer = 401, {"error": "invalid_client"}
        answers = [call(None, EXCHANGED, secret(f"{who}:x")) for who in ("stranger", "good", "client revoked")]
        assert len({(one.status, str(one.body), str(one.headers), str(one.kong.names)) for one in answers}) == 1

    def test_who_may_not_call_learns_it_with_the_right_secret_only(self, call: Ask, provider: FakeProvider) -> None:
        provider.answer = 401, {"error": "invalid_client"}
        assert call(None, EXCHANGED, secret("pending:wrong")).reason == "unknown_credential"
        self.granted(provider, "pending")
        assert call(None, EXCHANGED, secret("pending:right")).reason == "registration_pending"

    def test_a_revocation_acts_at_once(self, call: Ask, provider: FakeProvider, region: Region) -> None:
        self.granted(provider)
        assert call(None, EXCHANGED, secret("good:right")).allowed
        region.change(lambda contents: contents.clients.pop(client_key(SECRETS, "good")))
        assert call(None, EXCHANGED, secret("good:right")).reason == "unknown_credential"

    @pytest.mark.parametrize(
        ("told", "detail"),
        [
            ({"access_token": FIRST_ISSUER.token("pending")}, "other_client"),
            ({"access_token": FIRST_ISSUER.token("good", exp=1)}, "expired"),
            ({"access_token": STRANGER.token("good")}, "other_issuer"),
        ],
        ids=["of another client", "expired", "of another issuer"],
    )
    def test_the_token_is_checked(self, call: Ask, provider: FakeProvider, told: dict[str, str], detail: str) -> None:
        self.granted(provider, **told)
        outcome = call(None, EXCHANGED, secret("good:right"))
        assert (outcome.reason, outcome.refusals[0]["detail"]) == ("invalid_token", detail)

    def test_an_expired_one_is_asked_for_anew(self, call: Ask, provider: FakeProvider) -> None:
        self.granted(provider, access_token=FIRST_ISSUER.token("good", exp=1))
        assert call(None, EXCHANGED, secret("good:right")).reason == "invalid_token"
        self.granted(provider)
        assert call(None, EXCHANGED, secret("good:right")).allowed

    @pytest.mark.parametrize(
        "answer",
        [
            (500, {}),
            (429, {}),
            (302, {}),
            (200, {}),
            (200, b"<html>"),
            (200, {"access_token": "x", "token_type": "DPoP"}),
            (200, {"access_token": "a b", "token_type": "Bearer"}),
            (200, {"access_token": 7, "token_type": "Bearer"}),
            (201, {"access_token": "x", "token_type": "Bearer"}),
        ],
        ids=str,
    )
    def test_nonsense_lets_nobody_in(self, call: Ask, provider: FakeProvider, answer: Any) -> None:
        provider.answer = answer
        outcome = call(None, EXCHANGED, secret("good:right"))
        assert (outcome.reason, outcome.status) == ("provider_unavailable", 503)
        assert outcome.headers["Retry-After"] == "5"

    def test_a_provider_that_fails_is_left_alone(self, call: Ask, provider: FakeProvider) -> None:
        provider.answer = 500, {}
        for _ in range(10):
            assert call(None, EXCHANGED, secret("good:right")).reason == "provider_unavailable"
        assert len(provider.asked) == 5

    def test_an_error_in_our_own_code_lets_nobody_in(self, call: Ask, provider: FakeProvider) -> None:
        provider.answer = RuntimeError("with the secret in it")
        outcome = call(None, EXCHANGED, secret("good:right"))
        assert (outcome.reason, outcome.status) == ("internal_error", 500)
        assert "secret" not in str(outcome.refusals)

    @pytest.mark.parametrize(
        "value",
        ["Basic", "Basic ", "Basic !", "Basic eA==", "Basic OnB3", "Basic eDo=", "Basic " + "YQ" * 5000, "Basic /zp4"],
        ids=["none", "blank", "no base64", "no colon", "no id", "no secret", "long", "no ASCII"],
    )
    def test_what_is_no_secret(self, call: Ask, provider: FakeProvider, value: str) -> None:
        outcome = call(None, EXCHANGED, {"authorization": value})
        assert (outcome.reason, outcome.status) == ("malformed_credential", 401)
        assert provider.asked == []

    def test_a_key_beside_it_is_a_malformed_request(self, call: Ask, provider: FakeProvider) -> None:
        outcome = call(None, EXCHANGED, {**secret("good:right"), "apikey": PEOPLE["good"].key})
        assert outcome.reason == "malformed_request"

    def test_a_bearer_token_is_not_taken_where_only_secrets_are(self, call: Ask, provider: FakeProvider) -> None:
        assert call(FIRST_ISSUER.token("good"), EXCHANGED).reason == "no_credential"


class TestIntrospection:
    @pytest.fixture(autouse=True)
    def credentials(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        file = tmp_path / "credentials.json"
        file.write_bytes(msgspec.json.encode({FIRST_ISSUER.issuer: {"client_id": "gateway", "client_secret": "s:3"}}))
        file.chmod(0o600)
        monkeypatch.setenv("APP_AUTH_ISSUER_CREDENTIALS_FILE", str(file))
        return file

    def active(self, **fields: Any) -> tuple[int, dict[str, Any]]:
        told = {"active": True, "client_id": "good", "aud": WEATHER, "token_type": "Bearer", **fields}
        return 200, {name: value for name, value in told.items() if value is not None}

    def test_the_issuer_is_asked_once(self, call: Ask, provider: FakeProvider) -> None:
        provider.answer = self.active(exp=int(NOW) + 600, iss=FIRST_ISSUER.issuer)
        for _ in range(3):
            outcome = call("opaque", INTROSPECTED)
            assert outcome.allowed, outcome.refusals
            assert outcome.upstream["X-Credential-Identifier"] == "good"
        ((url, form, authorization),) = provider.asked
        assert url == f"{FIRST_ISSUER.issuer}introspection"
        assert form == {"token": "opaque", "token_type_hint": "access_token"}
        assert base64.b64decode(authorization.removeprefix("Basic ")) == b"gateway:s%3A3"

    @pytest.mark.parametrize(
        ("fields", "detail"),
        [
            ({"active": False}, "not_active"),
            ({"exp": 1}, "expired"),
            ({"exp": "soon"}, "malformed_claim"),
            ({"nbf": 2**33}, "not_yet_valid"),
            ({"iss": "https://stranger.example.com"}, "other_issuer"),
            ({"aud": "https://maps.example.com"}, "other_audience"),
            ({"aud": None}, "other_audience"),
            ({"aud": []}, "malformed_claim"),
            ({"token_type": "DPoP"}, "other_token_type"),
            ({"token_type": 7}, "other_token_type"),
        ],
        ids=str,
    )
    def test_what_it_says_is_checked(
        self, call: Ask, provider: FakeProvider, fields: dict[str, Any], detail: str
    ) -> None:
        provider.answer = self.active(**fields)
        for _ in range(2):
            outcome = call("opaque", INTROSPECTED)
            assert (outcome.reason, outcome.refusals[0]["detail"]) == ("invalid_token", detail)
        assert challenge(outcome) == 'Bearer realm="r", error="invalid_token"'

    @pytest.mark.parametrize("active", ["true", 1, None, [True]], ids=str)
    def test_active_is_true_and_nothing_else(self, call: Ask, provider: FakeProvider, active: object) -> None:
        provider.answer = self.active(active=active)
        assert call("opaque", INTROSPECTED).reason == "provider_unavailable"

    def test_an_answer_is_not_good_longer_than_the_token(
        self, call: Ask, provider: FakeProvider, set_time: Callable[[float], None]
    ) -> None:
        provider.answer = self.active(exp=int(NOW) + 60)
        assert call("opaque", INTROSPECTED).allowed
        set_time(100)
        assert call("opaque", INTROSPECTED).refusals[0]["detail"] == "expired"

    @pytest.mark.parametrize("answer", [(500, {}), (401, {}), (403, {}), (200, b"[]"), (200, b""), (302, {})], ids=str)
    def test_nonsense_lets_nobody_in(self, call: Ask, provider: FakeProvider, answer: Any) -> None:
        provider.answer = answer
        outcome = call("opaque", INTROSPECTED)
        assert (outcome.reason, outcome.status) == ("provider_unavailable", 503)

    def test_a_token_that_is_refused_with_400_is_not_good(self, call: Ask, provider: FakeProvider) -> None:
        provider.answer = 400, {"error": "unsupported_token_type"}
        assert call("opaque", INTROSPECTED).reason == "invalid_token"

    def test_a_revocation_acts_at_once(self, call: Ask, provider: FakeProvider, region: Region) -> None:
        provider.answer = self.active()
        assert call("opaque", INTROSPECTED).allowed
        region.change(lambda contents: contents.clients.pop(client_key(OPAQUE, "good")))
        assert call("opaque", INTROSPECTED).reason == "unknown_application"

    def test_without_credentials_nobody_is_let_in(
        self, call: Ask, credentials: Path, region: Region, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        credentials.unlink()
        monkeypatch.setattr(plugin, "_oauth", plugin._oauth_admission(plugin._replica))
        outcome = call("opaque", INTROSPECTED)
        assert (outcome.reason, outcome.status) == ("provider_unavailable", 503)

    def test_a_jwt_of_somebody_else_is_not_asked_about(self, call: Ask, provider: FakeProvider) -> None:
        provider.answer = AssertionError("a provider was asked")
        assert call(STRANGER.token("good"), INTROSPECTED).refusals[0]["detail"] == "other_issuer"
        provider.answer = self.active()
        assert call(FIRST_ISSUER.token("good"), INTROSPECTED).allowed


def test_nothing_secret_is_shown(call: Ask, provider: FakeProvider) -> None:
    provider.answer = 200, {"access_token": "granted-token", "token_type": "Bearer"}
    seen = [call(None, EXCHANGED, secret("good:s3cret")), call("s3cret", INTROSPECTED), call("eyJ.s3cret.x")]
    for outcome in seen:
        assert "s3cret" not in repr(outcome.refusals) + repr(outcome.reported) + repr(outcome.headers)
        assert "granted-token" not in repr(outcome.kong.calls)


def test_the_plugin_server_s_deadline_comes_later() -> None:
    deadline = ServerSettings(plugin="p", socket="s").deadline
    assert max(PATIENCE, awaited_keys.LONGEST_WAIT) < deadline
