"""The catalogue for everybody, and the way from an API to an application that may call it."""

import json

from tests.control_plane.clients import Client
from tests.unit.portal.web.people import API, People

SECRET_NAME = "Nobody must know of this"


def _hidden(people: People, operator: Client) -> str:
    api = operator.post("/v3/apis", {"name": SECRET_NAME, "version": "v1"})["id"]
    operator.put(f"/v3/apis/{api}/publications/{people.world.ids['portalId'][0]}", {"visibility": "private"})
    return str(api)


def test_what_is_private_is_not_hinted_at(people: People) -> None:
    operator = people.clients.operator()
    api = _hidden(people, operator)
    visitor = people.visitor()
    for path in ("/", "/apis", "/apis?q=nobody"):
        assert SECRET_NAME not in visitor.get(path).text
    there, nowhere = visitor.get(f"/apis/{api}", expect=404), visitor.get("/apis/nowhere", expect=404)
    assert there.words.replace(there.response.headers["x-request-id"], "") == nowhere.words.replace(
        nowhere.response.headers["x-request-id"], ""
    )
    assert SECRET_NAME in people.developer().get("/apis?q=NOBODY").text


def test_roles_say_who_may_get_access(people: People) -> None:
    operator = people.clients.operator()
    operator.patch(f"/v3/portals/{people.world.ids['portalId'][0]}", {"rbac_enabled": True})
    page = people.developer().get(f"/apis/{API}")
    assert "A team with the role API Consumer may" in page.words
    assert not [link for link in page.links if link.endswith("/access")]
    page = people.developer().get(f"/apis/{API}/access")
    assert not [form for form in page.forms if form.path.endswith("/access")]


def test_only_applications_that_fit_are_offered_and_it_says_why_others_are_not(people: People) -> None:
    operator, developer = people.clients.operator(), people.developer()
    other = operator.post(
        "/v2/application-auth-strategies",
        {"name": "other", "display_name": "Other keys", "strategy_type": "key_auth", "configs": {"key-auth": {}}},
    )["id"]
    api = operator.post("/v3/apis", {"name": "Second", "version": "v1"})["id"]
    portal = people.world.ids["portalId"][0]
    body = {"auth_strategy_ids": [other], "visibility": "public"}
    operator.put(f"/v3/apis/{api}/publications/{portal}", body)

    page = developer.get(f"/apis/{api}/access")
    assert "Its auth strategy is key-auth, and this API takes Other keys" in page.words
    assert page.form("/access").fields["application"] == "new"
    page = developer.send(page.form("/access"), application=people.world.ids["applicationId"][0], expect=422)
    assert "another auth strategy" in page.element("application-error")
    page = developer.send(page.form("/access"), application="new", name="", expect=422)
    assert "This is needed." in page.element("name-error")
    page = developer.send(page.form("/access"), application="new", name="Second app")
    assert page.heading == "Second app"
    assert "Gateways let the application in." in page.words
    assert "It is registered with this API already: approved." in developer.get(f"/apis/{api}/access").words


def test_what_a_portal_asks_applicants_is_asked_here(people: People) -> None:
    operator, developer = people.clients.operator(), people.developer()
    portal = people.world.ids["portalId"][0]
    operator.patch(f"/v3/portals/{portal}", {"auto_approve_applications": False})
    operator.post(
        f"/v3/portals/{portal}/registration-fields",
        {"name": "purpose", "label": "What for?", "required": True},
    )
    page = developer.get(f"/apis/{API}/access")
    assert "Somebody looks at the request" in page.words
    page = developer.send(page.form("/access"), application="new", name="Asked", fields__purpose=" ", expect=422)
    assert "This is required." in page.element("fields.purpose-error")
    assert "Asked" not in developer.get("/applications").words
    page = developer.send(page.form("/access"), application="new", name="Asked", fields__purpose="To try it.")
    assert page.heading == "Asked"
    assert "pending" in page.words
    assert "To try it." in page.words

    withdraw = next(form for form in page.forms if form.path.endswith("/withdraw"))
    assert "Not registered with any API" in developer.send(withdraw).words


def test_what_an_operator_refused_is_said_with_the_reason_and_stays(people: People) -> None:
    operator, developer = people.clients.operator(), people.developer()
    ids = {name: values[0] for name, values in people.world.ids.items()}
    registration = (
        f"/v3/portals/{ids['portalId']}/applications/{ids['applicationId']}/registrations/{ids['registrationId']}"
    )
    operator.patch(registration, {"status": "rejected", "reason": "Not for vans."})
    page = developer.get(f"/applications/{ids['applicationId']}")
    assert "rejected" in page.words
    assert "Not for vans." in page.words
    assert not [form for form in page.forms if form.path.endswith("/withdraw")]
    path = f"/applications/{ids['applicationId']}/registrations/{ids['registrationId']}/withdraw"
    token = page.forms[0].fields["form_token"]
    page = developer.post(path, {"form_token": token}, expect=403)
    assert "only an administrator can delete it" in page.words


def test_an_api_shows_its_operations(people: People) -> None:
    document = {
        "openapi": "3.0.3",
        "info": {"title": "W", "version": "1", "description": "**Words**"},
        "paths": {"/now": {"get": {"summary": "The weather now", "responses": {"200": {"description": "It"}}}}},
    }
    path = f"/v3/apis/{people.world.ids['apiId'][0]}/specifications/{people.world.ids['specId'][0]}"
    people.clients.operator().patch(path, {"content": json.dumps(document)})
    page = people.visitor().get(f"/apis/{API}")
    assert "The weather now" in page.words
    assert "<strong>Words</strong>" in page.text
    people.clients.operator().patch(path, {"content": "asyncapi: 3.0.0\ninfo: {title: W, version: '1'}"})
    assert "This is an AsyncAPI document" in people.visitor().get(f"/apis/{API}").words


def test_a_portal_without_accounts_offers_none(people: People) -> None:
    people.clients.operator().patch(f"/v3/portals/{people.world.ids['portalId'][0]}", {"authentication_enabled": False})
    page = people.visitor().get("/")
    assert not [link for link in page.links if "sign" in link]
    assert "Nobody can sign in here" in people.visitor().get("/sign-in").words or page.status == 200
    browser = people.visitor()
    page = browser.send(browser.get("/sign-up").form("/sign-up"), email="a@b.example", full_name="A", expect=403)
    assert "no accounts with passwords" in page.words


def test_keys_are_listed_rotated_renamed_and_deleted(people: People) -> None:
    developer = people.developer()
    address = f"/applications/{people.world.ids['applicationId'][0]}"
    page = developer.get(address)
    rotate = next(link for link in page.links if link.endswith("/rotate")).removeprefix(people.prefix)
    page = developer.send(developer.get(rotate).form("/rotate"), overlap_seconds="3600", display_name="second")
    assert page.element("the-key").startswith("kaa_eu_")
    page = developer.get(address)
    assert "expiring" in page.words
    assert "second" in page.words
    page = developer.send(developer.get(rotate).form("/rotate"), overlap_seconds="x", expect=422)
    assert "must be a whole number" in page.words
    rename = rotate.replace("/rotate", "/rename")
    page = developer.send(developer.get(rename).form("/rename"), display_name="", expect=422)
    page = developer.send(page.form("/rename"), display_name="old one")
    assert "old one" in page.words
    delete = page.form(rotate.rsplit("/", 2)[1] + "/delete")
    page = developer.send(delete)
    assert "The key is deleted." in page.words
    assert "old one" not in page.words


def test_usage_is_drawn_and_told_in_numbers(people: People) -> None:
    page = people.developer().get("/usage")
    assert "No calls in this time" in page.words
    page = people.developer().get("/why?request_id=00000000000000000000000000000000")
    assert "No refusal of your applications has this id." in page.words


def test_team_applications_are_for_its_members(people: People) -> None:
    developer, team = people.developer(), people.world.ids["teamId"][0]
    page = developer.send(developer.get("/applications/new").form("/applications/new"), name="Ours", team_id=team)
    address = page.path.removeprefix(people.prefix)
    assert "owned by the team Team" in page.words
    assert "Ours" in developer.get(f"/teams/{team}").words
    neighbour = people.neighbour()
    neighbour.get(address, expect=404)
    neighbour.get(f"/teams/{team}", expect=404)
    page = developer.send(developer.get(f"{address}/edit").form("/edit"), name="Mine", team_id="")
    assert page.heading == "Mine"
    page = developer.send(developer.get(f"{address}/edit").form("/delete"))
    assert "Deleted." in page.words
