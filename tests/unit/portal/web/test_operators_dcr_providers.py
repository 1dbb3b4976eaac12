"""DCR providers on operators' pages: made, tried, changed, deleted; their secrets go in and never come out."""

from typing import Any

import pytest

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.services import dcr_providers
from tests.control_plane.settings import REGION
from tests.unit.portal.web.browser import Browser, Page
from tests.unit.portal.web.people import People
from tests.unit.portal.web.test_operators_strategies import reader

PROVIDERS = "/operator/dcr-providers"
SECRET = "hush_hush_123456"
FORMS: dict[str, dict[str, Any]] = {
    "auth0": {"initial_client_id": "me", "initial_client_secret": SECRET, "use_developer_managed_scopes": "true"},
    "azureAd": {"initial_client_id": "me", "initial_client_secret": SECRET},
    "curity": {"initial_client_id": "me", "initial_client_secret": SECRET},
    "okta": {"dcr_token": SECRET},
    "http": {"dcr_base_url": "https://dcr.example", "api_key": SECRET},
    "rfc7591": {"initial_access_token": SECRET},
}


def _make(operator: Browser, kind: str, expect: int = 200, **fields: Any) -> Page:
    form = operator.get(f"{PROVIDERS}/new?type={kind}").form("/new")
    typed: dict[str, Any] = {"name": kind, "issuer": "https://127.0.0.1/issuer", **fields}
    return operator.send(form, expect=expect, **typed)


def _secrets(people: People, page: Page) -> dict[str, str]:
    with people.clients.plane.read(System(REGION)) as tx:
        return dcr_providers.secrets_of(tx, dcr_providers.the_provider(tx, page.path.split("/")[3]))


def _saved(people: People, page: Page) -> Any:
    # Not held against the contract, which does not have the type rfc7591.
    return people.clients.operator().http.get(f"/v2/dcr-providers/{page.path.split('/')[3]}").json()


def test_there_is_a_form_for_each_type(people: People) -> None:
    links = people.operator().get(f"{PROVIDERS}/new").links
    assert [one for one in FORMS if f"{PROVIDERS}/new?type={one}" not in links] == []


@pytest.mark.parametrize("kind", list(FORMS))
def test_a_provider_is_made_changed_and_keeps_its_secret(people: People, kind: str) -> None:
    operator = people.operator()
    page = _make(operator, kind, labels="a=b", **FORMS[kind])
    secrets = {name: value for name, value in FORMS[kind].items() if value == SECRET}
    assert _secrets(people, page) == secrets
    assert SECRET not in page.text
    made = _saved(people, page)

    form = operator.get(f"{page.path}/edit").form("/edit")
    assert SECRET not in str(form.fields)
    again = operator.send(form, name="other", labels="")
    assert _secrets(people, again) == secrets
    known = _saved(people, again)
    assert (known["name"], known["labels"], known["dcr_config"]) == ("other", {}, made["dcr_config"])

    changed = operator.send(
        operator.get(f"{page.path}/edit").form("/edit"), **dict[str, Any](dict.fromkeys(secrets, "another_one_123"))
    )
    assert _secrets(people, changed) == dict.fromkeys(secrets, "another_one_123")
    assert "Deleted." in operator.send(operator.get(f"{page.path}/delete").form("/delete")).words


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("okta", {"dcr_token": ""}, "dcr_token"),
        ("curity", {"initial_client_secret": SECRET}, "initial_client_id"),
        ("http", {"dcr_base_url": "ftp://x", "api_key": SECRET}, "dcr_base_url"),
        ("http", {"dcr_base_url": "https://x.example", "api_key": "short"}, "api_key"),
        ("okta", {"dcr_token": SECRET, "issuer": "nowhere"}, "issuer"),
        ("okta", {"dcr_token": SECRET, "name": "bridge"}, "name"),
        ("okta", {"dcr_token": SECRET, "labels": "x"}, "labels"),
    ],
    ids=range(7),
)
def test_what_is_wrong_is_told_and_no_secret_comes_back(
    people: People, kind: str, fields: dict[str, Any], field: str
) -> None:
    page = _make(people.operator(), kind, expect=422, display_name="typed", **fields)
    assert page.element(f"{field}-error")
    assert page.form("/new").fields["display_name"] == "typed"
    assert SECRET not in page.text
    assert "short" not in str(page.form("/new").fields)


def test_what_a_type_needs_cannot_be_emptied(people: People) -> None:
    operator = people.operator()
    page = _make(operator, "curity", **FORMS["curity"])
    wrong = operator.send(operator.get(f"{page.path}/edit").form("/edit"), initial_client_id="", expect=422)
    assert wrong.element("initial_client_id-error")


def test_verifying_says_in_words_what_came_of_it(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = people.operator()
    page = _make(operator, "okta", **FORMS["okta"])
    tried = operator.send(operator.get(page.path).form("/verify"))
    assert "It does not work as it is set up" in tried.words
    assert SECRET not in tried.text
    assert tried.words.count("The provider") >= 1

    def nothing_wrong(*_: Any) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(dcr_providers, "verify", nothing_wrong)
    assert "accepts these settings" in operator.send(operator.get(page.path).form("/verify")).words


def test_one_that_a_strategy_uses_stays(people: People) -> None:
    operator = people.operator()
    provider = people.world.ids["dcrProviderId"][0]
    oidc = {"issuer": "https://idp.example", "credential_claim": [], "scopes": [], "auth_methods": ["bearer"]}
    body = {"name": "staff", "display_name": "", "strategy_type": "openid_connect", "dcr_provider_id": provider}
    people.clients.operator().post("/v2/application-auth-strategies", {**body, "configs": {"openid-connect": oidc}})
    page = operator.get(f"{PROVIDERS}/{provider}")
    assert "staff" in page.words
    told = operator.send(operator.get(f"{page.path}/delete").form("/delete"), expect=422)
    assert "An auth strategy uses this DCR provider" in told.words


def test_a_reader_looks_and_changes_nothing(people: People) -> None:
    browser = reader(people)
    provider = people.world.ids["dcrProviderId"][0]
    for path in (PROVIDERS, f"{PROVIDERS}/{provider}"):
        page = browser.get(path)
        assert not [link for link in page.links if link.endswith(("/new", "/edit", "/delete"))], path
        assert not [form for form in page.forms if form.path.startswith(PROVIDERS) and form.method == "post"]
    token = browser.get(PROVIDERS).form("/sign-out").fields["form_token"]
    for action in ("verify", "edit", "delete"):
        browser.post(f"{PROVIDERS}/{provider}/{action}", {"form_token": token}, expect=403)
