"""What is asked of a token endpoint, how long its answer is kept, and what is never shown."""

import time
from typing import Any

import msgspec
import pytest

from kong_app_auth.domain.presented import ClientSecret
from kong_app_auth.domain.records import Issuer, OpenIdConnect
from kong_app_auth.oidc import exchange as exchange_module
from kong_app_auth.oidc.endpoints import MAX_ANSWER, TIMEOUT, Unavailable, basic
from kong_app_auth.oidc.exchange import LONGEST, Exchange, Granted, Rejected
from kong_app_auth.oidc.outgoing import Answer, Unreachable

ISSUER = Issuer("https://i.example.com", "https://i.example.com", token_endpoint="https://i.example.com/token")
STRATEGY = OpenIdConnect("https://i.example.com", auth_methods=("client_credentials",))
CLIENT = ClientSecret("client", "s3cret")


class Provider:
    def __init__(self) -> None:
        self.answer: Any = 200, {"access_token": "t0ken", "token_type": "bearer", "expires_in": 600}
        self.asked: list[dict[str, Any]] = []

    def request(self, method: str, url: str, **request: Any) -> Answer:
        self.asked.append({"method": method, "url": url, **request})
        if isinstance(self.answer, BaseException):
            raise self.answer
        status, told = self.answer
        return Answer(status, {}, msgspec.json.encode(told))


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def outcomes() -> list[str]:
    return []


@pytest.fixture
def exchange(provider: Provider, outcomes: list[str]) -> Exchange:
    return Exchange(lambda: provider, outcomes.append)  # type: ignore[arg-type,return-value]


def ask(exchange: Exchange, issuer: Issuer = ISSUER, strategy: OpenIdConnect = STRATEGY, client: ClientSecret = CLIENT):
    return exchange.token(issuer, strategy, client, time.monotonic() + 20)


def test_the_request_is_bounded(exchange: Exchange, provider: Provider, outcomes: list[str]) -> None:
    assert ask(exchange) == Granted("t0ken", None, 600.0)
    (asked,) = provider.asked
    assert asked == {
        "method": "POST",
        "url": "https://i.example.com/token",
        "body": b"grant_type=client_credentials",
        "headers": {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": basic("client", "s3cret"),
        },
        "timeout": TIMEOUT,
        "max_bytes": MAX_ANSWER,
    }
    assert outcomes == ["answered"]


def test_no_time_left_is_no_request(exchange: Exchange, provider: Provider) -> None:
    assert isinstance(exchange.token(ISSUER, STRATEGY, CLIENT, time.monotonic() - 1), Unavailable)
    assert provider.asked == []


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (600, 570.0),
        (60, 54.0),
        (0, 0.0),
        (-1, 0.0),
        ("600", 570.0),
        ("-1", 54.0),
        (None, 54.0),
        (True, 54.0),
        ([], 54.0),
        (10**9, LONGEST - 30),
    ],
    ids=str,
)
def test_a_token_is_kept_for_its_life_less_a_margin(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, told: object, seconds: float
) -> None:
    kept: list[float] = []
    exchange = Exchange(lambda: provider, lambda _: None)  # type: ignore[arg-type,return-value]
    monkeypatch.setattr(exchange._proofs, "_keep", lambda _key, _answer, seconds: kept.append(seconds))
    provider.answer = 200, {"access_token": "t", "token_type": "Bearer", "expires_in": told}
    ask(exchange)
    assert kept == ([] if seconds == 0 else [pytest.approx(seconds)])


@pytest.mark.parametrize(
    "other",
    [
        {"client": ClientSecret("client", "other")},
        {"client": ClientSecret("other", "s3cret")},
        {"client": ClientSecret("clients3", "cret")},
        {"strategy": msgspec.structs.replace(STRATEGY, scopes=("read",))},
        {"strategy": msgspec.structs.replace(STRATEGY, audience=("a",))},
        {"issuer": msgspec.structs.replace(ISSUER, id="https://j.example.com")},
        {"issuer": msgspec.structs.replace(ISSUER, token_endpoint="https://j.example.com/token")},
    ],
    ids=["secret", "id", "both", "scopes", "audience", "issuer", "endpoint"],
)
def test_an_answer_is_good_for_nothing_else(exchange: Exchange, provider: Provider, other: dict[str, Any]) -> None:
    for _ in range(2):
        ask(exchange)
        ask(exchange, **other)
    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    ("status", "told", "detail"),
    [
        (401, {"error": "invalid_client"}, "invalid_client"),
        (400, {"error": "unauthorized_client"}, "unauthorized_client"),
        (400, {"error": "s3cret"}, "refused"),
        (403, [], "refused"),
    ],
    ids=str,
)
def test_a_refusal_quotes_only_codes(
    exchange: Exchange, provider: Provider, status: int, told: object, detail: str
) -> None:
    provider.answer = status, told
    assert ask(exchange) == Rejected(detail)


def test_a_wrong_secret_is_remembered_for_a_while(
    exchange: Exchange, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.answer = 401, {}
    ask(exchange)
    ask(exchange)
    assert len(provider.asked) == 1
    monkeypatch.setattr(exchange_module, "WRONG_FOR", 0.0)
    client = ClientSecret("client", "another")
    ask(exchange, client=client)
    ask(exchange, client=client)
    assert len(provider.asked) == 3


def test_a_provider_that_is_away(exchange: Exchange, provider: Provider, outcomes: list[str]) -> None:
    provider.answer = Unreachable("it does not answer in time")
    for _ in range(6):
        assert isinstance(ask(exchange), Unavailable)
    assert outcomes == ["failed"] * 5 + ["resting"]


def test_an_issuer_without_the_endpoint(exchange: Exchange, provider: Provider) -> None:
    assert isinstance(ask(exchange, msgspec.structs.replace(ISSUER, token_endpoint=None)), Unavailable)
    assert provider.asked == []


def test_secrets_are_kept_nowhere(exchange: Exchange) -> None:
    found = ask(exchange)
    shown = repr(found) + repr(CLIENT) + repr(vars(exchange._proofs)) + repr(list(exchange._proofs._kept))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
