"""Texts that somebody wrote to run in somebody else's browser: in every field that a page shows."""

import json
from typing import Any

import pytest

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application, Registration, RegistrationField
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer, DeveloperSession
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.web.prose import prose
from tests.control_plane.settings import REGION
from tests.unit.portal.web.browser import XHTML, Page
from tests.unit.portal.web.people import API, ROUTES, People, of_operators

MARK = "x55xss"
PAYLOAD = (
    f"\"'><script>{MARK}()</script><img src=x onerror={MARK}()><svg/onload={MARK}()>{{{{123456789*9}}}}"
    f'[link](javascript:{MARK}()) ![picture](https://evil.example/x) <a href="javascript:{MARK}()">a</a>'
)
FIELD = {"type": PAYLOAD, "description": PAYLOAD}
SPECIFICATION: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": PAYLOAD, "version": PAYLOAD, "description": PAYLOAD},
    "servers": [{"url": "/" + PAYLOAD}],
    "paths": {
        "/" + PAYLOAD: {
            "get": {
                "tags": [PAYLOAD],
                "summary": PAYLOAD,
                "description": PAYLOAD,
                "parameters": [
                    {"name": PAYLOAD, "in": PAYLOAD, "description": PAYLOAD, "schema": {"type": PAYLOAD}},
                    {"name": "e", "in": "query", "schema": {"type": "string", "enum": [PAYLOAD]}},
                ],
                "requestBody": {
                    "content": {
                        PAYLOAD: {"schema": {"properties": {PAYLOAD: {"type": PAYLOAD, "description": PAYLOAD}}}}
                    }
                },
                "responses": {PAYLOAD: {"description": PAYLOAD}},
            }
        }
    },
}


@pytest.fixture
def poisoned(people: People) -> People:
    """The world with the payload in every text that somebody may choose."""
    operator = people.clients.operator()
    api = people.world.ids["apiId"][0]
    specification = people.world.ids["specId"][0]
    operator.patch(f"/v3/apis/{api}/specifications/{specification}", {"content": json.dumps(SPECIFICATION)})
    with people.clients.plane.write(System(REGION)) as tx:
        for model, fields in (
            (Portal, ("display_name", "description")),
            (Api, ("name", "version", "description")),
            (Application, ("name", "description")),
            (AuthStrategy, ("display_name",)),
            (Credential, ("display_name",)),
            (Developer, ("full_name", "email")),
            (DeveloperSession, ("device",)),
            (Team, ("name", "description")),
            (Registration, ("reason",)),
        ):
            for number, record in enumerate(tx.session.query(model).all()):
                for field in fields:
                    longest = getattr(model, field).type.length or 10_000
                    setattr(record, field, (PAYLOAD + str(number))[-longest:])
        for registration in tx.session.query(Registration).all():
            registration.fields = {PAYLOAD[:60]: PAYLOAD}
        portal = people.world.ids["portalId"][0]
        tx.session.add(
            RegistrationField(portal_id=portal, name="purpose", label=PAYLOAD[:255], description=PAYLOAD, required=True)
        )
    return people


def _is_harmless(page: Page) -> None:
    for element in page.tree.iter():
        if not isinstance(element.tag, str):
            continue
        tag = element.tag.removeprefix(XHTML)
        assert tag not in ("iframe", "object", "embed", "base"), page.path
        if tag == "script":
            assert element.get("src", "").startswith("/"), page.path
            assert not (element.text or "").strip()
        if tag == "img":
            assert element.get("src", "").startswith("/"), page.path
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on"), (page.path, tag, name)
            if name in ("href", "src", "action", "formaction"):
                assert not value.strip().lower().startswith(("javascript", "data", "vbscript")), (page.path, value)
    assert "1111111101" not in page.text, "a template was made of a text"


@pytest.mark.parametrize("audience", ["developers", "operators"])
def test_no_text_becomes_anything_but_text(poisoned: People, audience: str) -> None:
    browser = poisoned.developer() if audience == "developers" else poisoned.operator()
    seen = 0
    for method, path in ROUTES:
        if method != "GET" or of_operators(path) != (audience == "operators") or "{name}" in path:
            continue
        response = browser.http.get(browser.prefix + poisoned.address(path), follow_redirects=True)
        if not response.headers.get("content-type", "").startswith("text/html"):
            continue
        page = Page(response, 0.0)
        _is_harmless(page)
        seen += MARK in page.text
    assert seen > (8 if audience == "developers" else 20)


def test_a_name_in_a_sentence_is_text(people: People) -> None:
    operator = people.operator()
    strategy = people.clients.operator().post(
        "/v2/application-auth-strategies",
        {
            "name": f"100% %(x)s {PAYLOAD}"[:256],
            "display_name": "x",
            "strategy_type": "key_auth",
            "configs": {"key-auth": {"key_names": ["apikey"]}},
        },
    )["id"]
    path = f"/operator/portals/{people.world.ids['portalId'][0]}/edit"
    told = operator.send(operator.get(path).form("/edit"), default_application_auth_strategy_id=strategy)
    _is_harmless(told)
    assert f"take 100% %(x)s \"'><script>{MARK}()</script>" in told.words


def test_what_was_typed_comes_back_as_text(people: People) -> None:
    developer = people.developer()
    page = developer.send(
        developer.get("/applications/new").form("/applications/new"),
        name=PAYLOAD * 3,
        description=PAYLOAD,
        expect=422,
    )
    _is_harmless(page)
    assert page.form("/applications/new").fields["description"] == PAYLOAD
    for path in ("/apis?q=", "/why?request_id=", "/sign-in?error=", "/usage?application=", "/usage?days=", "/nowhere/"):
        expect = 404 if path == "/nowhere/" else 200
        visitor = people.visitor() if "sign-in" in path else developer
        _is_harmless(visitor.get(path + "%22%3E%3Cscript%3Ex()%3C/script%3E", expect=expect))


def test_a_specification_is_downloaded_and_never_opened(poisoned: People) -> None:
    specification = poisoned.world.ids["specId"][0]
    response = poisoned.visitor().http.get(f"{poisoned.prefix}/apis/{API}/specifications/{specification}")
    assert response.headers["content-type"].startswith("application/")
    assert response.headers["content-disposition"] == f'attachment; filename="{API}.json"'
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold** `code`", "<p><strong>bold</strong> <code>code</code></p>\n"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("# no heading", "<p># no heading</p>\n"),
        ("[a](javascript:x())", "<p>[a](javascript:x())</p>\n"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>\n"),
        ("![a](https://evil.example/p.png)", None),
        (
            "[a](https://example.com/?a=1&b=2)",
            '<p><a href="https://example.com/?a=1&amp;b=2" rel="nofollow noopener noreferrer">a</a></p>\n',
        ),
        ("", ""),
    ],
    ids=range(8),
)
def test_prose_is_markdown_that_can_do_nothing(text: str, html: str | None) -> None:
    written = str(prose(text))
    assert "<img" not in written
    if html is not None:
        assert written == html


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        "*" * 50_000,
        "> " * 10_000,
        "`" * 50_000,
        "- " * 10_000,
        "[a](" * 10_000,
        "|a" * 10_000 + "\n" + "|-" * 10_000,
    ],
    ids=["brackets", "stars", "quotes", "ticks", "lists", "links", "table"],
)
def test_prose_that_is_made_to_take_long_does_not(text: str) -> None:
    assert len(prose(text)) < 1_000_000
