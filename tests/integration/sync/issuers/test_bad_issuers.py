"""Issuers that answer badly, slowly or not at all: what was known of them stays, and nobody else waits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from kong_app_auth.oidc.outgoing import Outgoing
from kong_app_auth.sync.issuers.keys import IssuerKeys
from tests.servers.issuer import HUNDRED_MB, JWKS, IssuerServer, issuer_server, new_key
from tests.servers.process import wait_until


@contextmanager
def fetching(*issuers: str) -> Iterator[IssuerKeys]:
    keys = IssuerKeys(Outgoing(allow_http_loopback=True), CollectorRegistry(), threading.Event())
    keys.use(issuers)
    with keys.running():
        yield keys


@pytest.fixture
def issuer() -> Iterator[IssuerServer]:
    with issuer_server() as running:
        yield running


def _asked(issuer: IssuerServer) -> int:
    return sum(one.path == JWKS for one in issuer.asked)


BAD: dict[str, dict[str, Any]] = {
    "hung": {"hang": True},
    "dripping": {"drip": True},
    "100 MB": {"endless": HUNDRED_MB},
    "100 MB announced": {"announce": HUNDRED_MB, "endless": 1024},
    "broken": {"status": 500},
    "redirecting": {"status": 302, "headers": {"Location": "http://127.0.0.1:1/keys"}},
    "closing": {"close_after": True},
}


@pytest.mark.parametrize("conduct", BAD.values(), ids=list(BAD))
def test_what_was_known_stays_and_other_issuers_are_not_held_up(issuer: IssuerServer, conduct: dict[str, Any]) -> None:
    with issuer_server() as other, fetching(issuer.issuer, other.issuer) as keys:
        wait_until(lambda: len(keys.known()) == 2, "both are known")
        before = keys.known()[issuer.issuer]
        issuer.answer(JWKS, b"", **conduct)
        asked = _asked(issuer)
        keys.refresh(issuer.issuer)
        wait_until(lambda: _asked(issuer) > asked, "it is asked again")
        other.publish(new_key("another"))
        keys.refresh(other.issuer)
        wait_until(lambda: '"another"' in "".join(keys.known()[other.issuer].keys), "the other one is heard")
        assert keys.known()[issuer.issuer] == before


@pytest.mark.parametrize(
    "nonsense", [b"<html>", b"[]", b'{"keys": 1}', b'{"keys": []}', b"\xff\xfe", b'{"keys": [{}]}']
)
def test_nonsense_changes_nothing(issuer: IssuerServer, nonsense: bytes) -> None:
    with fetching(issuer.issuer) as keys:
        wait_until(lambda: bool(keys.known()), "it is known")
        before = keys.known()
        issuer.answer(JWKS, nonsense)
        asked = _asked(issuer)
        keys.refresh(issuer.issuer)
        wait_until(lambda: _asked(issuer) > asked, "it is asked again")
        issuer.publish(new_key("better"))
        wait_until(lambda: '"better"' in "".join(keys.known()[issuer.issuer].keys), "it is tried again by itself")
        assert keys.known() != before


def test_an_abrupt_rotation_takes_the_old_keys_away(issuer: IssuerServer) -> None:
    with fetching(issuer.issuer) as keys:
        wait_until(lambda: bool(keys.known()), "it is known")
        issuer.publish(new_key("second"))
        keys.refresh(issuer.issuer)
        wait_until(lambda: '"second"' in "".join(keys.known()[issuer.issuer].keys), "the new key is there")
        assert '"first"' not in "".join(keys.known()[issuer.issuer].keys)
