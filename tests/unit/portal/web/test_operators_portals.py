"""Portals as operators make and set them; what a change of settings does is said before it is saved."""

import base64
import re

import pytest

from tests.unit.portal.web.browser import Page
from tests.unit.portal.web.people import People
from tests.unit.portal.web.test_operators_strategies import reader

PORTALS = "/operator/portals"


def _here(people: People) -> str:
    return f"{PORTALS}/{people.world.ids['portalId'][0]}"


def test_a_portal_is_made_and_found(people: People) -> None:
    operator = people.operator()
    form = operator.get(f"{PORTALS}/new").form("/new")
    assert form.fields["default_application_auth_strategy_id"] == "built-in"
    page = operator.send(form, name="Sandbox", description="To try things", auto_approve_developers="true")

    assert (page.heading, page.status) == ("Sandbox", 200)
    assert "New developers are approved at once." in page.words
    assert re.search(r"http://portal\.test/p/sandbox-[0-9a-f]{12}", page.words)
    assert "Sandbox" in operator.get(f"{PORTALS}?q=sandb").words
    assert "No portal is like that." in operator.get(f"{PORTALS}?q=nothing").words
    again = operator.send(form, name="Sandbox")
    assert "Nothing was done twice" in again.words


@pytest.mark.parametrize(
    ("given", "field", "told"),
    [
        ({"name": ""}, "name", "This is needed."),
        ({"name": "Staging"}, "name", "This is the name of another portal."),
        ({"description": "x" * 513}, "description", "at most 512 characters"),
        ({"labels": "team"}, "labels", "name=value"),
    ],
    ids=["no-name", "taken", "long", "labels"],
)
def test_what_is_wrong_stands_beside_its_field(people: People, given: dict[str, str], field: str, told: str) -> None:
    operator = people.operator()
    typed = {"name": "Typed", "display_name": "Kept", **given}
    name = people.clients.operator().get("/v3/portals")["data"][0]["name"]
    if typed["name"] == "Staging":
        typed["name"] = name
    page = operator.send(operator.get(f"{PORTALS}/new").form("/new"), **typed, expect=422)
    assert told in page.element(f"{field}-error")
    assert page.form("/new").fields["display_name"] == "Kept"


def test_roles_need_accounts(people: People) -> None:
    operator = people.operator()
    form = operator.get(f"{PORTALS}/new").form("/new")
    form.fields.pop("authentication_enabled")
    page = operator.send(form, name="Odd", rbac_enabled="true", expect=422)
    assert "needs authentication" in page.text.lower()


def _changed(people: People, **fields: str | None) -> Page:
    operator = people.operator()
    form = operator.get(f"{_here(people)}/edit").form("/edit")
    for name, value in fields.items():
        if value is None:
            form.fields.pop(name, None)
        else:
            form.fields[name] = value
    return operator.send(form)


def test_names_and_texts_are_saved_at_once(people: People) -> None:
    page = _changed(people, display_name="Weather for all", description="")
    assert "Saved." in page.words
    portal = people.clients.operator().get("/v3/portals/" + people.world.ids["portalId"][0])
    assert portal["display_name"] == "Weather for all"


@pytest.mark.parametrize(
    ("name", "before", "sentence"),
    [
        ("authentication_enabled", True, "their keys and clients go on working"),
        ("authentication_enabled", False, "Developers can sign up and sign in at this portal."),
        ("auto_approve_developers", False, "Whoever confirms an e-mail address is a developer at once"),
        ("auto_approve_developers", True, "New developers wait until an operator approves them."),
        ("auto_approve_applications", False, "may call that API a second later"),
        ("auto_approve_applications", True, "New registrations wait"),
        ("rbac_enabled", False, "depends on the roles of their teams"),
        ("rbac_enabled", True, "Roles of teams count no more"),
        ("notifications_developer_pii_visibility_enabled", False, "with the e-mail address"),
        ("notifications_developer_pii_visibility_enabled", True, "do not say any more which developer"),
    ],
)
def test_what_a_setting_does_is_said_before_it_is_saved(people: People, name: str, before: bool, sentence: str) -> None:
    api, path = people.clients.operator(), "/v3/portals/" + people.world.ids["portalId"][0]
    api.patch(path, {"rbac_enabled": False})
    api.patch(path, {name: before})
    page = _changed(people, **{name: None if before else "true"}, description="Typed with it")
    assert (page.heading, "Nothing is saved yet." in page.words) == ("What this changes", True)
    assert sentence in page.words
    assert api.get(path)[name] is before

    operator = people.operator()
    form = page.form("/edit")
    again = operator.send(form, form_token=operator.get(PORTALS).forms[0].fields["form_token"], step="again")
    assert again.form("/edit").fields["description"] == "Typed with it"
    assert (name in again.form("/edit").fields) is not before
    saved = operator.send(again.form("/edit"), step="save")
    assert "Saved." in saved.words
    assert api.get(path)[name] is not before
    assert api.get(path)["description"] == "Typed with it"


def test_defaults_of_publications_are_said_too(people: People) -> None:
    path = "/v3/portals/" + people.world.ids["portalId"][0]
    people.clients.operator().patch(path, {"default_api_visibility": "private"})
    page = _changed(people, default_api_visibility="public", default_application_auth_strategy_id="")
    assert "are seen by everybody" in page.words
    assert "the gateway lets everybody in" in page.words


def test_a_portal_is_deleted_after_a_question_that_counts(people: People) -> None:
    operator = people.operator()
    page = operator.get(f"{_here(people)}/delete")
    assert re.search(r"its developers \(\d+\), its applications \([1-9]", page.words)
    assert "Deleted." in operator.send(page.form("/delete")).words
    operator.get(_here(people), expect=404)


PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 100).decode()


def test_a_colour_that_cannot_be_read_is_told_beside_its_field(people: People) -> None:
    operator, path = people.operator(), f"{_here(people)}/appearance"
    wrong = operator.send(operator.get(path).form("/appearance"), accent="#ffff00", expect=422)
    assert "contrast" in wrong.element("accent-error")
    assert wrong.form("/appearance").fields["accent"] == "#ffff00"
    wrong = operator.send(wrong.form("/appearance"), accent="", logo="data:image/svg+xml;base64,PHN2Zy8+", expect=422)
    assert "PNG, JPEG or WebP" in wrong.element("logo-error")


def test_colour_and_logo_are_saved_shown_and_taken_away(people: People) -> None:
    operator, path = people.operator(), f"{_here(people)}/appearance"
    logo = f"data:image/png;base64,{PNG[:60]}\n{PNG[60:]}"
    page = operator.send(operator.get(path).form("/appearance"), accent="#7A1F6B", logo=logo)
    assert f'href="{people.prefix}/appearance/colours-7a1f6b.css"' in page.text
    found = re.search(r'<img class="logo" src="([^"]+)"', page.text)
    assert found is not None
    assert operator.http.get(found[1]).headers["content-type"] == "image/png"
    kept = operator.send(page.form("/appearance"), accent="")
    assert (found[1] in kept.text, "colours-" in kept.text) == (True, False)
    assert "No logo." in operator.post(path, {**kept.form("/appearance").fields, "no_logo": "true"}).words


def test_a_host_name_is_given_and_taken_away(people: People) -> None:
    operator, path = people.operator(), f"{_here(people)}/custom-domain"
    wrong = operator.send(operator.get(path).form("/custom-domain"), hostname="https://x", expect=422)
    assert "host name" in wrong.element("hostname-error")
    page = operator.send(wrong.form("/custom-domain"), hostname="Developers.Example.com")
    assert "developers.example.com" in page.words
    gone = operator.send(operator.get(f"{path}/delete").form("/delete"))
    assert "developers.example.com" not in gone.words
    operator.get(f"{path}/delete", expect=404)


def test_what_applicants_are_asked_is_added_changed_and_deleted(people: People) -> None:
    operator, path = people.operator(), f"{_here(people)}/registration-fields"
    form = operator.get(f"{path}/new").form("/new")
    wrong = operator.send(form, label="Cost centre", name="Cost Centre", expect=422)
    assert wrong.element("name-error")
    assert wrong.form("/new").fields["label"] == "Cost centre"
    page = operator.send(wrong.form("/new"), name="cost_centre", required="true")
    assert "Cost centre" in page.words
    assert "Nothing was done twice" in operator.send(wrong.form("/new"), name="cost_centre").words
    edit = next(one for one in reversed(page.links) if one.endswith("/edit"))
    assert "Kostenstelle" in operator.send(operator.get(edit).form("/edit"), label="Kostenstelle").words
    assert operator.send(operator.get(edit).form("/edit"), label="", expect=422).element("label-error")
    gone = operator.send(operator.get(edit.replace("/edit", "/delete")).form("/delete"))
    assert "Kostenstelle" not in gone.words


@pytest.mark.parametrize(
    "page", ["edit", "appearance", "custom-domain", "registration-fields/new", "sign-in", "delete"]
)
def test_who_may_only_read_changes_nothing(people: People, page: str) -> None:
    looking = reader(people)
    shown = looking.get(_here(people))
    assert [one for one in shown.links if one.endswith(f"/{page}")] == []
    looking.get(f"{_here(people)}/registration-fields")
    looking.get(f"{_here(people)}/{page}", expect=403)
    looking.post(f"{_here(people)}/{page}", {}, expect=403)


def test_a_provider_is_set_and_its_secret_is_kept_and_never_shown(people: People) -> None:
    operator, path = people.operator(), f"{_here(people)}/sign-in"
    api, portal = people.clients.operator(), f"/v3/portals/{people.world.ids['portalId'][0]}"
    form = operator.get(path).form("/provider")
    given = {"oidc_issuer": "ftp://x", "oidc_client_id": "portal", "oidc_client_secret": "hush-hush"}
    wrong = operator.send(form, **given, expect=422)
    assert wrong.element("oidc_issuer-error")
    assert "hush-hush" not in wrong.text
    form = wrong.form("/provider")
    assert form.fields["oidc_client_id"] == "portal"
    told = operator.send(form, **given | {"oidc_issuer": "https://login.example.com"}, claim_groups="g")
    assert "sign in at https://login.example.com from then on" in told.words
    assert "hush-hush" not in told.text
    again = operator.send(told.form("/provider"), step="again")
    assert again.form("/provider").fields["oidc_issuer"] == "https://login.example.com"
    assert "basic_auth_enabled" in again.form("/sign-in").fields
    assert "login.example.com" not in str(api.get(f"{portal}/authentication-settings"))
    page = operator.send(told.form("/provider"), step="save", oidc_client_secret="hush-hush")
    assert "Saved." in page.words
    assert "hush-hush" not in page.text
    assert "There is one, and it stays" in page.words
    page = operator.send(page.form("/provider"), claim_name="full_name")
    assert "Saved." in page.words
    told = operator.send(page.form("/provider"), oidc_client_id="portal-2")
    assert "must be registered with this portal's redirect URI" in told.words
    assert "oidc_client_secret" not in told.form("/provider").fields
    page = operator.send(told.form("/provider"), step="save")
    assert "There is one, and it stays" in page.words
    told = operator.send(page.form("/provider"), oidc_issuer="https://other.example.com")
    assert "The client secret that is kept was the old provider's" in told.words
    known = api.get(f"{portal}/authentication-settings")["oidc_config"]
    assert (known["client_id"], known["claim_mappings"]["groups"]) == ("portal-2", "g")

    team = api.post(f"{portal}/teams", {"name": "Vans", "description": "x"})
    page = operator.send(operator.get(path).form("/groups"), group="vans", team_id=team["id"])
    assert operator.send(page.form("/groups"), group="", team_id=team["id"], expect=422).element("group-error")
    page = operator.send(next(one for one in page.forms if "/groups/" in one.path))
    assert "Saved." in page.words
    assert not [one for one in page.forms if "/groups/" in one.path]


def test_what_closing_a_way_to_sign_in_does_is_said_first_and_the_last_one_stays(people: People) -> None:
    operator, path = people.operator(), f"{_here(people)}/sign-in"
    form = operator.get(path).form("/sign-in")
    for name in ("basic_auth_enabled", "oidc_auth_enabled", "idp_mapping_enabled"):
        form.fields.pop(name, None)
    page = operator.send(form)
    assert "Nobody signs in with a password any more" in page.words
    again = operator.send(page.form("/sign-in"), step="again")
    assert "basic_auth_enabled" not in again.form("/sign-in").fields
    refused = operator.send(page.form("/sign-in"), step="save", expect=422)
    assert "no way to sign in would be left" in refused.words.lower()
    assert "basic_auth_enabled" in operator.get(path).form("/sign-in").fields

    given = {"oidc_issuer": "https://login.example.com", "oidc_client_id": "portal", "oidc_client_secret": "hush"}
    told = operator.send(operator.get(path).form("/provider"), **given)
    operator.send(told.form("/provider"), step="save", oidc_client_secret="hush")
    form = operator.get(path).form("/sign-in")
    page = operator.send(form, oidc_auth_enabled="true", idp_mapping_enabled="true")
    assert "has an account here from then on" in page.words
    assert "leave the team" in page.words
    page = operator.send(page.form("/sign-in"), step="save")
    assert {"oidc_auth_enabled", "idp_mapping_enabled"} <= page.form("/sign-in").fields.keys()
