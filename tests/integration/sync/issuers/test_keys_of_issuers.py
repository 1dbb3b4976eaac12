"""The keys of a real identity provider in a real Valkey, kept by the daemon: rotation, absence, restart, requests."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kong_app_auth.domain.records import Issuer, OpenIdConnect, Strategy, StrategyType
from kong_app_auth.oidc.outgoing import Outgoing
from kong_app_auth.registry.changes import Change, Delete
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.writer import read_contents
from kong_app_auth.reports.codec import entry
from kong_app_auth.reports.records import Report
from kong_app_auth.sync.daemon import Daemon
from kong_app_auth.sync.issuers.keys import IssuerKeys
from kong_app_auth.sync.issuers.source import WithIssuers
from kong_app_auth.sync.issuers.unknown_keys import UnknownKeys
from kong_app_auth.sync.metrics import SyncMetrics
from tests.servers.identity_provider import IdentityProvider, identity_provider
from tests.servers.process import wait_until
from tests.servers.redis import RedisServer
from tests.servers.samples import STRATEGY

REGION = "eu"


class Given:
    """A source that says what it is given."""

    def __init__(self, *said: Contents | list[Change]) -> None:
        self.said = list(said)

    def look(self) -> Contents | list[Change] | None:
        return self.said.pop(0) if self.said else None


@pytest.fixture
def url(valkey: RedisServer) -> str:
    return valkey.url


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[IdentityProvider]:
    with identity_provider(tmp_path) as running:
        yield running


def strategy(issuer: str) -> Contents:
    named = Strategy(STRATEGY, "oidc", StrategyType.OPENID_CONNECT, openid_connect=OpenIdConnect(issuer))
    return Contents(strategies={STRATEGY: named})


@contextmanager
def daemon(url: str, source: Given) -> Iterator[IssuerKeys]:
    """A daemon in a thread of its own, until the block ends."""
    metrics, wake, stop = SyncMetrics(), threading.Event(), threading.Event()
    keys = IssuerKeys(Outgoing(allow_http_loopback=True), metrics.registry, wake)
    with ExitStack() as running:
        running.enter_context(keys.running())
        pool = running.enter_context(ThreadPoolExecutor(1))
        heard = UnknownKeys(REGION, keys)
        one = Daemon(lambda: connect(url), WithIssuers(source, keys), REGION, metrics, companions=[heard], wake=wake)
        done = pool.submit(one.run, stop)
        try:
            yield keys
        finally:
            stop.set()
            done.result()


@pytest.fixture
def issuers(url: str) -> Iterator[Callable[[], dict[str, Issuer]]]:
    client = connect(url)

    def read() -> dict[str, Issuer]:
        found = read_contents(client, Keys(REGION))
        return {} if found is None else found[1].issuers

    yield read
    client.close()


def names(issuer: Issuer) -> set[str]:
    return {part.split('"')[0] for key in issuer.keys for part in key.split('"kid":"')[1:]}


def published(provider: IdentityProvider) -> set[str]:
    return {key["kid"] for key in provider.jwks()}


def test_keys_and_endpoints_reach_the_registry_and_go_with_the_last_strategy(
    url: str, provider: IdentityProvider, issuers: Callable[[], dict[str, Issuer]]
) -> None:
    source = Given(strategy(provider.issuer))
    with daemon(url, source):
        wait_until(lambda: provider.issuer in issuers(), "its keys are there")
        found = issuers()[provider.issuer]
        assert found.issuer == provider.issuer
        assert found.token_endpoint == provider.discovery()["token_endpoint"]
        assert names(found) == published(provider)
        assert not any(f'"{private}"' in key for key in found.keys for private in ("d", "p", "q"))
        source.said.append([Delete(Table.STRATEGIES, STRATEGY)])
        wait_until(lambda: issuers() == {}, "the issuer has gone")


def test_a_daemon_that_starts_while_the_provider_is_down_keeps_what_the_registry_has(
    url: str, provider: IdentityProvider, issuers: Callable[[], dict[str, Issuer]]
) -> None:
    with daemon(url, Given(strategy(provider.issuer))):
        wait_until(lambda: provider.issuer in issuers(), "its keys are there")
    before = issuers()
    provider.take_down()
    source = Given(strategy(provider.issuer))
    with daemon(url, source) as keys:
        wait_until(lambda: not source.said, "the source was read")
        other = Strategy("other", "keys", StrategyType.KEY_AUTH, ("apikey",))
        contents = strategy(provider.issuer)
        contents.strategies["other"] = other
        source.said.append(contents)
        client = connect(url)
        wait_until(lambda: "other" in read_contents(client, Keys(REGION))[1].strategies, "the change was written")
        client.close()
        assert issuers() == before
        provider.start()
        keys.refresh(provider.issuer)
        wait_until(lambda: provider.issuer in keys.known(), "its keys are fetched again")
    assert names(issuers()[provider.issuer]) == published(provider)


def test_an_unknown_key_at_a_gateway_brings_the_new_keys(
    url: str, provider: IdentityProvider, issuers: Callable[[], dict[str, Issuer]]
) -> None:
    with daemon(url, Given(strategy(provider.issuer))) as keys, connect(url) as client:
        wait_until(lambda: provider.issuer in issuers(), "its keys are there")
        provider.rotate(abrupt=True)
        new = published(provider)
        assert names(issuers()[provider.issuer]) != new
        report = entry("node", Report(unknown_keys=[provider.issuer, "https://nobody.example"]))
        client.xadd(Keys(REGION).reports, report)
        wait_until(lambda: names(issuers()[provider.issuer]) == new, "the new keys are there")
        # Whoever shows made-up keys does not have the provider asked for each.
        provider.rotate()
        client.xadd(Keys(REGION).reports, report)
        client.xadd(Keys(REGION).reports, report)
        source_read = keys.known()[provider.issuer]
        assert names(source_read) == new
