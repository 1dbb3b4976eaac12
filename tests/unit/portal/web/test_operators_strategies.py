"""Strategies on operators' pages: made, looked at, changed, deleted."""

from typing import Any

import pytest

from tests.unit.portal.web.browser import Browser, Page
from tests.unit.portal.web.people import People

STRATEGIES = "/operator/strategies"


@pytest.fixture
def operator(people: People) -> Browser:
    return people.operator()


def reader(people: People) -> Browser:
    """An operator whose token may only read."""
    token = people.clients.operator("read").http.headers["authorization"].removeprefix("Bearer ")
    browser = Browser(people.clients.nobody().http)
    browser.http.base_url = "http://portal.test"
    browser.send(browser.get("/operator/sign-in").form("/operator/sign-in"), token=token)
    return browser


def _make(operator: Browser, kind: str, expect: int = 200, **fields: Any) -> Page:
    form = operator.get(f"{STRATEGIES}/new?type={kind}").form("/new")
    return operator.send(form, expect=expect, **fields)


def _saved(people: People, page: Page) -> Any:
    return people.clients.operator().get(f"/v2/application-auth-strategies/{page.path.rpartition('/')[2]}")


def test_a_strategy_of_keys_is_made_and_changed(people: People, operator: Browser) -> None:
    page = _make(
        operator, "key_auth", name="keys-30", key_names="apikey\nX-Key\n", ttl_unit="days", ttl_value="30", labels="a=b"
    )
    assert page.heading == "keys-30"
    assert "30 days" in page.words
    assert "No publication names it" in page.words
    saved = _saved(people, page)
    assert saved["configs"] == {"key-auth": {"key_names": ["apikey", "X-Key"], "ttl": {"value": 30, "unit": "days"}}}
    assert saved["labels"] == {"a": "b"}

    form = operator.get(f"{page.path}/edit").form("/edit")
    assert form.fields["key_names"] == "apikey\nX-Key"
    assert (form.fields["ttl_value"], form.fields["ttl_unit"]) == ("30", "days")
    again = operator.send(form, key_names="X-Key", ttl_unit="", labels="c=d")
    saved = _saved(people, again)
    assert saved["configs"] == {"key-auth": {"key_names": ["X-Key"]}}
    assert saved["labels"] == {"c": "d"}


def test_a_strategy_of_tokens_keeps_what_the_form_does_not_show(people: People, operator: Browser) -> None:
    provider = people.world.ids["dcrProviderId"][0]
    page = _make(
        operator,
        "openid_connect",
        name="staff",
        display_name="Staff",
        issuer="https://idp.example",
        credential_claim="azp\nclient_id",
        scopes="read",
        audience_required="https://weather.example",
        dcr_provider_id=provider,
    )
    assert "bridge" in page.words
    strategy = page.path.rpartition("/")[2]
    further = {"leeway": 5, "auth_methods": ["bearer", "session"]}
    body = {"configs": {"openid-connect": further}}
    people.clients.operator().patch(f"/v2/application-auth-strategies/{strategy}", body)

    again = operator.send(operator.get(f"{page.path}/edit").form("/edit"), audience_required="")
    saved = _saved(people, again)
    assert saved["configs"]["openid-connect"] == {
        "issuer": "https://idp.example",
        "credential_claim": ["azp", "client_id"],
        "scopes": ["read"],
        "auth_methods": ["bearer", "session"],
        "audience_required": [],
        "leeway": 5,
    }
    assert saved["dcr_provider"]["id"] == provider
    assert "leeway" in again.words


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("key_auth", {"name": ""}, "name"),
        ("key_auth", {"name": "key-auth"}, "name"),
        ("key_auth", {"key_names": ""}, "key_names"),
        ("key_auth", {"key_names": "authorization"}, "key_names"),
        ("key_auth", {"ttl_unit": "days"}, "ttl_value"),
        ("key_auth", {"ttl_unit": "days", "ttl_value": "many"}, "ttl_value"),
        ("key_auth", {"ttl_unit": "years", "ttl_value": "1000"}, "ttl_value"),
        ("key_auth", {"labels": "nothing"}, "labels"),
        ("key_auth", {"labels": "kong-x=1"}, "labels"),
        ("openid_connect", {"issuer": "ftp://idp.example"}, "issuer"),
        ("openid_connect", {"issuer": "https://idp.example", "scopes": "s" * 129}, "scopes"),
    ],
    ids=range(11),
)
def test_what_is_wrong_is_told_beside_the_field(
    operator: Browser, kind: str, fields: dict[str, str], field: str
) -> None:
    typed = {"name": "typed", **({"issuer": "https://idp.example"} if kind == "openid_connect" else {}), **fields}
    page = _make(operator, kind, expect=422, **typed)
    assert page.element(f"{field}-error")
    kept = page.form("/new").fields
    assert {name: kept[name] for name in typed} == typed


def test_a_form_makes_one_strategy(people: People, operator: Browser) -> None:
    form = operator.get(f"{STRATEGIES}/new").form("/new")
    operator.send(form, name="once")
    page = operator.send(form, name="twice")
    assert "Nothing was done twice" in page.words
    assert "twice" not in [
        one["name"] for one in people.clients.operator().get("/v2/application-auth-strategies")["data"]
    ]


def test_one_that_is_used_stays_and_says_where(people: People, operator: Browser) -> None:
    built_in = people.world.ids["authStrategyId"][0]
    page = operator.get(f"{STRATEGIES}/{built_in}")
    assert "built in" in page.words
    assert "Weather API" in page.words
    assert "1 application holds it" in page.words
    assert f"{STRATEGIES}/{built_in}/delete" not in page.links

    made = _make(operator, "key_auth", name="used")
    strategy = made.path.rpartition("/")[2]
    api, portal = people.world.ids["apiId"][0], people.world.ids["portalId"][0]
    people.clients.operator().put(f"/v3/apis/{api}/publications/{portal}", {"auth_strategy_ids": [strategy]})
    asked = operator.get(f"{made.path}/delete")
    assert "It is that of a publication" in operator.send(asked.form("/delete"), expect=422).words.replace(
        "it is that", "It is that"
    )
    people.clients.operator().put(f"/v3/apis/{api}/publications/{portal}", {"auth_strategy_ids": None})
    assert "Deleted." in operator.send(operator.get(f"{made.path}/delete").form("/delete")).words


def test_a_list_is_narrowed_down(operator: Browser) -> None:
    _make(operator, "openid_connect", name="staff", issuer="https://idp.example")
    assert "staff" not in operator.get(f"{STRATEGIES}?type=key_auth").words
    assert "staff" in operator.get(f"{STRATEGIES}?q=STAF").words
    assert "Nothing found" in operator.get(f"{STRATEGIES}?q=nobody").words


def test_a_reader_looks_and_changes_nothing(people: People) -> None:
    browser = reader(people)
    built_in = people.world.ids["authStrategyId"][0]
    for path in (STRATEGIES, f"{STRATEGIES}/{built_in}"):
        page = browser.get(path)
        assert not [link for link in page.links if link.endswith(("/new", "/edit", "/delete"))], path
    browser.get(f"{STRATEGIES}/new", expect=403)
    browser.get(f"{STRATEGIES}/{built_in}/edit", expect=403)
    token = browser.get(STRATEGIES).forms[0].fields["form_token"]
    browser.post(f"{STRATEGIES}/{built_in}/edit", {"form_token": token, "name": "x"}, expect=403)
