"""Tokens, secrets and introspection with a real identity provider: who is let in, and what happens when it fails."""

import threading
from collections.abc import Iterator

import pytest

from kong_app_auth.sync.issuers import keys as issuer_keys
from tests.integration.plugin.token_path import Running, TokenPath, token_path
from tests.servers.identity_provider import MACHINE, MAPS, VAULT, WEATHER
from tests.servers.process import wait_until
from tests.servers.samples import uid
from tests.system.client import Answer

ID, SECRET = MACHINE["client_id"], MACHINE["client_secret"]
EXCHANGES = 'app_auth_provider_requests_total{kind="exchange",outcome="answered"'


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """The path, with a daemon that fetches keys as often as it is asked to: providers rotate often here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(issuer_keys, "REFRESH_EVERY", 0.0)
        with token_path() as started:
            yield started


@pytest.fixture
def path(running: Running) -> Iterator[TokenPath]:
    """The path; a provider that a test has ended is started again."""
    running.upstream.counts.clear()
    yield running.path
    for provider in (running.path.provider, running.path.other):
        if provider.process.poll() is not None:
            provider.start()


def seen(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer
    return dict(answer.seen())


class TestBearer:
    def test_lets_the_application_in_and_is_taken_away(self, path: TokenPath) -> None:
        headers = seen(path.bearer("weather", path.provider.token(resource=WEATHER)))
        assert headers["x-application-id"] == uid(("weather", 0))
        assert headers["x-credential-identifier"] == ID
        assert "authorization" not in headers

    def test_of_es256_with_scopes(self, path: TokenPath) -> None:
        assert path.bearer("maps", path.provider.token(resource=MAPS, scope="weather.read")).status == 200
        answer = path.bearer("maps", path.provider.token(resource=MAPS, scope="weather.write"))
        assert (answer.status, answer.reason) == (403, "insufficient_scope")
        assert answer.one("www-authenticate") == 'Bearer realm="r", error="insufficient_scope", scope="weather.read"'

    def test_of_another_audience(self, path: TokenPath) -> None:
        answer = path.bearer("weather", path.provider.token(resource=MAPS))
        assert (answer.status, answer.reason) == (401, "invalid_token")
        assert answer.one("www-authenticate") == 'Bearer realm="r", error="invalid_token"'

    def test_of_two_issuers(self, path: TokenPath) -> None:
        for number, provider in enumerate((path.provider, path.other)):
            headers = seen(path.bearer("two-issuers", provider.token(resource=WEATHER)))
            assert headers["x-application-id"] == uid(("two-issuers", number))
        assert path.bearer("weather", path.other.token(resource=WEATHER)).reason == "invalid_token"

    def test_beside_keys(self, path: TokenPath) -> None:
        token = path.provider.token(resource=WEATHER)
        assert path.bearer("both", token).status == path.ask("both", key=path.key).status == 200
        answer = path.bearer("both", token, key=path.key)
        assert (answer.status, answer.one("www-authenticate")) == (400, 'Bearer realm="r", error="invalid_request"')
        assert path.ask("both").one("www-authenticate") == 'Key realm="r", Bearer realm="r"'

    def test_of_a_client_that_comes_and_goes(self, path: TokenPath) -> None:
        token = path.provider.token(path.provider.machine("comes-and-goes"), resource=WEATHER)
        assert path.bearer("weather", token).reason == "unknown_application"
        path.register("weather", "comes-and-goes")
        wait_until(lambda: path.bearer("weather", token).status == 200)
        path.forget("weather", "comes-and-goes")
        wait_until(lambda: path.bearer("weather", token).reason == "unknown_application")


class TestRotation:
    def test_an_application_with_a_new_key_is_let_in(self, path: TokenPath) -> None:
        path.region.asked.clear()
        path.provider.rotate()
        token = path.provider.token(resource=WEATHER)
        wait_until(lambda: path.bearer("weather", token).status == 200)
        assert path.region.asked == [path.provider.issuer], "it was asked for once"

    def test_abruptly(self, path: TokenPath) -> None:
        old = path.provider.token(resource=WEATHER)
        path.provider.rotate(abrupt=True)
        token = path.provider.token(resource=WEATHER)
        wait_until(lambda: path.bearer("weather", token).status == 200)
        assert path.bearer("weather", old).reason == "invalid_token"

    def test_while_the_keys_cannot_be_fetched(self, path: TokenPath) -> None:
        before = path.provider.token(resource=WEATHER)
        path.provider.rotate()
        after = path.provider.token(resource=WEATHER)
        path.provider.take_down()
        assert path.bearer("weather", before).status == 200
        answer = path.bearer("weather", after)
        assert (answer.status, answer.reason) == (401, "invalid_token")
        assert path.bearer("weather", before).status == 200


def test_a_flood_of_unknown_keys_keeps_nobody_else_from_being_served(path: TokenPath) -> None:
    path.other.rotate(abrupt=True)
    strange = path.other.token(path.other.machine("strange"), resource=WEATHER)
    good = path.provider.token(resource=WEATHER)
    wait_until(lambda: path.bearer("two-issuers", good).status == 200)
    path.other.take_down()
    stop = threading.Event()
    statuses: set[int] = set()

    def flood() -> None:
        while not stop.is_set():
            statuses.add(path.bearer("two-issuers", strange, tag="strange").status)

    threads = [threading.Thread(target=flood) for _ in range(10)]
    for thread in threads:
        thread.start()
    try:
        assert [path.bearer("two-issuers", good).status for _ in range(10)] == [200] * 10
        assert [path.ask("both", key=path.key).status for _ in range(10)] == [200] * 10
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses == {401}


class TestSecrets:
    def test_let_the_application_in_with_one_exchange(self, path: TokenPath) -> None:
        asked = path.metric(EXCHANGES)
        for _ in range(3):
            headers = seen(path.basic("exchange", ID, SECRET))
            assert headers["x-credential-identifier"] == ID
            assert "authorization" not in headers
        wait_until(lambda: path.metric(EXCHANGES) == asked + 1)

    def test_an_opaque_token_proves_them_too(self, path: TokenPath) -> None:
        assert path.basic("opaque-exchange", ID, SECRET).status == 200

    def test_a_wrong_one_and_a_stranger_look_alike(self, path: TokenPath) -> None:
        answers = [path.basic("exchange", ID, "wrong"), path.basic("exchange", "stranger", SECRET)]
        for answer in answers:
            assert (answer.status, answer.reason) == (401, "unknown_credential")
            assert answer.one("www-authenticate") == 'Bearer realm="r"'
        assert len({tuple(name for name, _ in answer.headers) for answer in answers}) == 1

    def test_a_client_that_is_revoked_here_is_refused(self, path: TokenPath) -> None:
        secret = path.provider.machine("revoked-here")["client_secret"]
        path.register("exchange", "revoked-here")
        wait_until(lambda: path.basic("exchange", "revoked-here", secret).status == 200)
        path.forget("exchange", "revoked-here")
        wait_until(lambda: path.basic("exchange", "revoked-here", secret).reason == "unknown_credential")


class TestIntrospection:
    def test_lets_the_application_in(self, path: TokenPath) -> None:
        token = path.provider.token(resource=VAULT)
        assert "." not in token
        for _ in range(2):
            assert seen(path.bearer("introspection", token))["x-credential-identifier"] == ID

    @pytest.mark.parametrize("token", ["nobody-made-this", "x" * 4000, "a.b.c"], ids=["short", "long", "with dots"])
    def test_of_a_token_that_nobody_made(self, path: TokenPath, token: str) -> None:
        answer = path.bearer("introspection", token)
        assert (answer.status, answer.reason) == (401, "invalid_token")

    def test_an_opaque_token_elsewhere(self, path: TokenPath) -> None:
        assert path.bearer("weather", path.provider.token(resource=VAULT)).reason == "invalid_token"


class TestFaults:
    """The provider is dead or hangs: what needs it is refused with 503, and nothing else takes notice."""

    def check(self, path: TokenPath, token: str, opaque: str, running: Running) -> None:
        assert path.bearer("weather", token).status == 200
        assert path.ask("both", key=path.key).status == 200
        for answer in (
            path.basic("exchange", ID, f"another secret {opaque}", tag="refused"),
            path.bearer("introspection", opaque, tag="refused"),
        ):
            assert (answer.status, answer.reason) == (503, "provider_unavailable"), answer
            assert answer.one("retry-after") == "5"
        assert path.bearer("weather", token).status == 200
        assert running.upstream.counts["refused"] == 0

    @pytest.fixture
    def token(self, path: TokenPath) -> str:
        """A token whose key the gateway knows."""
        token = path.provider.token(resource=WEATHER)
        wait_until(lambda: path.bearer("weather", token).status == 200)
        return token

    def test_dead(self, path: TokenPath, running: Running, token: str) -> None:
        path.provider.take_down()
        self.check(path, token, "opaque-and-dead", running)
        path.provider.start()
        wait_until(lambda: path.basic("exchange", ID, SECRET).status == 200)

    def test_hung(self, path: TokenPath, running: Running, token: str) -> None:
        with path.provider.hung():
            self.check(path, token, "opaque-and-hung", running)

    def test_others_are_served_while_one_waits(self, path: TokenPath, token: str) -> None:
        """There is one worker: whoever waits for a provider keeps nobody else waiting."""
        done = threading.Event()
        answers: list[Answer] = []

        def wait_for_provider() -> None:
            answers.append(path.basic("exchange", ID, "yet another secret"))
            done.set()

        with path.provider.hung():
            thread = threading.Thread(target=wait_for_provider)
            thread.start()
            served = 0
            while not done.is_set():
                assert path.bearer("weather", token).status == 200
                served += 1
            thread.join()
        assert answers[0].status == 503
        assert served > 20

    def test_what_was_exchanged_before_serves_on(self, path: TokenPath) -> None:
        wait_until(lambda: path.basic("exchange", ID, SECRET).status == 200)
        path.provider.take_down()
        assert path.basic("exchange", ID, SECRET).status == 200


def test_nothing_secret_is_in_the_log(path: TokenPath) -> None:
    token, opaque = path.provider.token(resource=MAPS), "an-opaque-token-of-nobody"

    def refused() -> bool:
        answers = [
            path.bearer("weather", token),
            path.bearer("introspection", opaque),
            path.basic("exchange", ID, "a-wrong-secret"),
        ]
        return [answer.status for answer in answers] == [401] * 3

    wait_until(refused)
    wait_until(lambda: all(code in path.log() for code in ("other_audience", "not_active", "invalid_client")))
    for text in (token, token.split(".")[2], opaque, "a-wrong-secret", SECRET):
        assert text not in path.log()
