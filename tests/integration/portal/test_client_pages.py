"""The pages of applications with OAuth clients: made at an operator's bridge, with an issuer to ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_app_auth.oidc.outgoing import Outgoing
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.web.token_endpoints import FAILED_FOR, KEPT, TokenEndpoints
from tests.control_plane.clients import Clients
from tests.control_plane.settings import Clock, control_plane, sqlite
from tests.integration.portal.test_dynamic_clients import Stage
from tests.servers.dcr_bridge import API_KEY, Bridge, dcr_bridge
from tests.servers.issuer import IssuerServer, issuer_server
from tests.servers.process import wait_until
from tests.unit.portal.web.browser import Browser

DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    settings = {
        "idp_allow_private": True,
        "idp_allow_http_loopback": True,
        "gateway_urls": {"eu": "https://gw.example"},
    }
    with control_plane(sqlite(tmp_path), Clock(), **settings) as made:
        yield made


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    with dcr_bridge() as running:
        yield running


@pytest.fixture
def issuer() -> Iterator[IssuerServer]:
    with issuer_server() as running:
        running.answer(DISCOVERY, running.document(token_endpoint=running.url("/token")))
        yield running


def _stage(plane: ControlPlane, bridge: Bridge, issuer: IssuerServer, *, several: bool) -> Stage:
    config = {"dcr_base_url": bridge.url, "api_key": API_KEY, "allow_multiple_credentials": several}
    document = issuer.document()
    return Stage(Clients(plane), {"provider_type": "http", "dcr_config": config}, str(document["issuer"]))


@pytest.mark.parametrize("several", [True, False], ids=["several-secrets", "one-secret"])
def test_a_client_is_made_with_the_application_and_its_secrets_are_shown_once(
    plane: ControlPlane, bridge: Bridge, issuer: IssuerServer, several: bool
) -> None:
    stage = _stage(plane, bridge, issuer, several=several)
    browser = Browser(stage.dora.http, stage.dora.prefix)
    form = browser.get(f"/apis/{stage.api}/access").form("/access")

    page = browser.send(form, application="new", name="Dashboard")
    (client,) = bridge.clients.values()
    first = client["client_secret"]
    assert page.heading == "Your OAuth client"
    assert page.element("the-key") == first
    assert client["client_id"] in page.words
    again = browser.send(form, application="new", name="Dashboard")
    assert again.element("the-key") == first
    assert len(bridge.clients) == 1

    address = next(link for link in page.links if "/applications/" in link).removeprefix(browser.prefix)
    wait_until(lambda: issuer.url("/token") in browser.get(address).words, "the token endpoint is known")
    page = browser.get(address)
    assert first not in page.text
    assert f'curl -u {client["client_id"]}:"$CLIENT_SECRET" {issuer.url("/token")}' in page.element("token-command")
    assert page.element("call-command").split() == [
        "curl",
        "https://gw.example/",
        "\\",
        "-H",
        '"Authorization:',
        "Bearer",
        '$TOKEN"',
    ]
    assert "approved" in page.words

    form = page.form("/credentials" if several else "/client/new-secret")
    page = browser.send(form, **({"display_name": "second"} if several else {}))
    secret = page.element("the-key")
    assert secret != first
    assert browser.send(form, **({"display_name": "second"} if several else {})).element("the-key") == secret
    if several:
        page = browser.get(address)
        rename = next(link for link in page.links if link.endswith("/rename")).removeprefix(browser.prefix)
        page = browser.send(browser.get(rename).form("/rename"), display_name="named anew")
        assert "named anew" in page.words


@pytest.mark.parametrize("trouble", ["refuse", "break", "nonsense"])
def test_a_provider_that_does_not_do_it_is_told_beside_the_form(
    plane: ControlPlane, bridge: Bridge, issuer: IssuerServer, trouble: str
) -> None:
    stage = _stage(plane, bridge, issuer, several=False)
    browser = Browser(stage.dora.http, stage.dora.prefix)
    form = browser.get("/applications/new").form("/applications/new")
    bridge.trouble.append(trouble)

    page = browser.send(form, name="Dashboard", auth_strategy_id=stage.strategy, expect=422)
    assert "identity provider" in page.words
    assert page.form("/applications/new").fields["name"] == "Dashboard"
    assert "No applications yet" in browser.get("/applications").words


class _Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_issuer_is_asked_now_and_then_and_nobody_waits_for_it(issuer: IssuerServer) -> None:
    seconds = _Seconds()
    outgoing = Outgoing(allow_private=True, allow_http_loopback=True)
    endpoints = TokenEndpoints(lambda: outgoing, seconds)
    name = str(issuer.document()["issuer"])
    try:
        wait_until(lambda: endpoints.of(name) == issuer.url("/token"), "the endpoint is known")
        assert endpoints.of(name) == issuer.url("/token")
        assert issuer.times(DISCOVERY) == 1
        issuer.answer(DISCOVERY, b"nonsense")
        seconds.now += KEPT + 1
        wait_until(lambda: endpoints.of(name) is not None and issuer.times(DISCOVERY) == 2, "it is asked again")
        seconds.now += FAILED_FOR / 2
        assert endpoints.of(name) == issuer.url("/token")
        assert endpoints.of("http://127.0.0.1:9/") is None
    finally:
        outgoing.close()
