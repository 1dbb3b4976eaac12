"""Developers, teams, applications and keys as operators look at them and cut them off."""

from tests.control_plane.developers import developer
from tests.unit.portal.web.people import People


def _id(people: People, name: str) -> str:
    return people.world.ids[f"{name}Id"][0]


def _of_portal(people: People, kind: str, record: str) -> str:
    return f"/operator/portals/{_id(people, 'portal')}/{kind}/{record}"


def test_applications_are_found_by_what_one_knows_of_them(people: People) -> None:
    operator = people.operator()
    portal, api = _id(people, "portal"), _id(people, "api")
    path = f"/v3/portals/{portal}/applications"
    name: str = people.clients.operator().get(f"{path}/{_id(people, 'application')}")["name"]
    address = f"/operator/applications/{_id(people, 'application')}"
    for query in ("", f"?q={name[:4].upper()}", f"?portal={portal}", f"?api={api}", "?status=approved"):
        assert address in operator.get(f"/operator/applications{query}").links, query
    for query in ("?q=nobody%25", "?portal=x", "?api=00000000-0000-4000-8000-000000000000", "?status=rejected&q=x%00y"):
        page = operator.get(f"/operator/applications{query}")
        assert address not in page.links, query
        assert "No application is like that." in page.words


def test_a_key_is_revoked_after_a_question_and_stays_in_the_list(people: People) -> None:
    operator = people.operator()
    address = f"/operator/applications/{_id(people, 'application')}"
    ask = next(one for one in operator.get(address).links if one.endswith(f"{_id(people, 'credential')}/revoke"))
    page = operator.get(ask)
    assert "refuses the key within a second, and for good" in page.words
    page = operator.send(page.form("/revoke"))

    assert "The key is revoked" in page.words
    assert "revoked" in page.words
    assert not [one for one in page.links if one.endswith(f"{_id(people, 'credential')}/revoke")]
    path = f"/v3/portals/{_id(people, 'portal')}/applications/{_id(people, 'application')}/credentials"
    states = {one["id"]: one["status"] for one in people.clients.operator().get(path)["data"]}
    assert states[_id(people, "credential")] == "revoked"


def test_an_application_is_deleted_after_a_question(people: People) -> None:
    operator = people.operator()
    address = f"/operator/applications/{_id(people, 'application')}"
    page = operator.send(operator.get(f"{address}/delete").form("/delete"))
    assert "Deleted." in page.words
    operator.get(address, expect=404)


def test_developers_are_found_and_decided_on(people: People) -> None:
    operator = people.operator()
    portal = _id(people, "portal")
    waiting = developer(people.clients, portal, email="wanda@example.com", full_name="Wanda", status="pending")
    address = _of_portal(people, "developers", waiting)
    for query in ("?q=WANDA", "?q=wanda%40example", f"?portal={portal}&status=pending"):
        assert address in operator.get(f"/operator/developers{query}").links
    assert address not in operator.get("/operator/developers?status=approved").links

    page = operator.get(address)
    choices = [one.get("value") for one in page.tree.iter() if one.get("type") == "radio"]
    assert choices == ["approved", "rejected"]
    assert "must be" in operator.send(page.form(waiting), status="nonsense", expect=422).element("status-error")
    assert "approved" in operator.send(page.form(waiting), status="approved").words
    page = operator.get(address)
    assert [one.get("value") for one in page.tree.iter() if one.get("type") == "radio"] == ["revoked"]
    assert "refuses all own keys and clients within a second" in page.words
    assert "revoked" in operator.send(page.form(waiting)).words


def test_a_developer_is_invited_once(people: People) -> None:
    operator = people.operator()
    form = operator.get(_of_portal(people, "developers", "new")).form("/new")
    wrong = operator.send(form, email="no address", full_name="Ines Invited", expect=422)
    assert wrong.form("/new").fields["full_name"] == "Ines Invited"
    assert wrong.element("email-error")
    page = operator.send(wrong.form("/new"), email="ines@example.com")
    assert page.heading == "Ines Invited"
    taken = operator.get(_of_portal(people, "developers", "new")).form("/new")
    again = operator.send(taken, email="Ines@example.com", full_name="Other", expect=422)
    assert "already exists" in again.element("email-error")


def test_a_developer_is_deleted_after_a_question(people: People) -> None:
    operator = people.operator()
    address = _of_portal(people, "developers", _id(people, "developer"))
    page = operator.get(f"{address}/delete")
    assert "Applications of teams stay." in page.words
    assert "Deleted." in operator.send(page.form("/delete")).words
    operator.get(address, expect=404)


def test_a_team_from_its_making_to_its_end(people: People) -> None:
    operator = people.operator()
    portal = _id(people, "portal")
    developer(people.clients, portal, email="mia@example.com", full_name="Mia Member")
    form = operator.get(_of_portal(people, "teams", "new")).form("/new")
    wrong = operator.send(form, name="", description="kept", expect=422)
    assert wrong.form("/new").fields["description"] == "kept"
    page = operator.send(wrong.form("/new"), name="Vans")
    assert page.heading == "Vans"
    assert "Vans" in operator.get(f"/operator/teams?q=van&portal={portal}").words

    stranger = operator.send(page.form("/members"), email="stranger@example.com", expect=422)
    assert "no developer of this portal" in stranger.element("email-error")
    page = operator.send(page.form("/members"), email="MIA@example.com")
    assert "Mia Member" in page.words
    again = operator.send(page.form("/members"), email="mia@example.com", expect=422)
    assert "in this team already" in again.element("email-error")

    page = operator.send(page.form("/roles"), role_name="API Consumer", entity_id=_id(people, "api"))
    page = operator.send(page.form("/roles"), role_name="API Viewer", entity_id="*")
    assert "all APIs" in page.words
    twice = operator.send(page.form("/roles"), role_name="API Viewer", entity_id="*", expect=422)
    assert "has this role already" in twice.element("entity_id-error")
    for _ in range(2):
        page = operator.send(next(one for one in page.forms if "/roles/" in one.path))
    page = operator.send(next(one for one in page.forms if "/members/" in one.path))
    assert "Nobody yet." in page.words

    page = operator.send(operator.get(page.path + "/edit").form("/edit"), name="Trucks")
    assert page.heading == "Trucks"
    page = operator.send(operator.get(page.path + "/delete").form("/delete"))
    assert "Deleted." in page.words
    assert "Trucks" not in operator.get("/operator/teams").words
