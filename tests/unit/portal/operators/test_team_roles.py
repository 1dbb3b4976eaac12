from typing import Any

import pytest
from sqlalchemy import Select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.services import rbac
from kong_app_auth.portal.store.apis import Api, Publication
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.store.portals import Portal
from tests.control_plane.clients import Client, Clients
from tests.control_plane.developers import developer
from tests.control_plane.settings import REGION

ALL = "00000000-0000-0000-0000-000000000000"


class Scene:
    """A portal with two private APIs, one public, and one that is not published; a developer in a team."""

    def __init__(self, clients: Clients, operator: Client, **settings: Any) -> None:
        self.plane = clients.plane
        self.name = new_id()
        self.portal_id: str = operator.post("/v3/portals", {"name": self.name, **settings})["id"]
        self.weather, self.maps = self.api("Weather", "private"), self.api("Maps", "private")
        self.news, self.hidden = self.api("News", "public"), self.api("Hidden", None)
        self.developer_id = developer(clients, self.portal_id)
        made = operator.post(f"/v3/portals/{self.portal_id}/teams", {"name": "Readers"})
        self.team = f"/v3/portals/{self.portal_id}/teams/{made['id']}"
        operator.post(f"{self.team}/developers", {"id": self.developer_id})

    def api(self, name: str, visibility: str | None, region: str = REGION) -> str:
        api_id = new_id()
        with self.plane.write(System(region=region)) as tx:
            tx.session.add(Api(id=api_id, region=region, name=f"{name} {self.name}", slug=api_id))
            if visibility is not None:
                tx.session.add(Publication(api_id=api_id, portal_id=self.portal_id, visibility=visibility))
        return api_id

    def visible(self, developer_id: str | None) -> set[str]:
        with self.plane.read(System(region=REGION)) as tx:
            apis: Select[Api] = rbac.visible_apis(tx, tx.session.get_one(Portal, self.portal_id), developer_id)
            return {api.id for api in tx.session.scalars(apis)}

    def viewable(self, developer_id: str | None) -> set[str]:
        with self.plane.read(System(region=REGION)) as tx:
            portal = tx.session.get_one(Portal, self.portal_id)
            return {one for one in self.apis if rbac.may_view(tx, portal, developer_id, one)}

    def consumable(self, developer_id: str | None) -> set[str]:
        with self.plane.read(System(region=REGION)) as tx:
            portal = tx.session.get_one(Portal, self.portal_id)
            return {one for one in self.apis if rbac.may_consume(tx, portal, developer_id, one)}

    @property
    def apis(self) -> tuple[str, ...]:
        return (self.weather, self.maps, self.news, self.hidden, new_id(), "not-a-uuid")


def role(api_id: str, name: str = "API Viewer", **columns: str) -> dict[str, str]:
    return {
        "role_name": name,
        "entity_id": api_id,
        "entity_type_name": "Services",
        "entity_region": REGION,
        **columns,
    }


@pytest.fixture
def scene(clients: Clients, operator: Client) -> Scene:
    return Scene(clients, operator, rbac_enabled=True)


def test_the_roles_are_viewer_and_consumer(operator: Client) -> None:
    roles_there_are = operator.get("/v3/portal-roles")["services"]["roles"]

    assert [one["name"] for one in roles_there_are.values()] == ["API Viewer", "API Consumer"]


def test_a_role_is_assigned_listed_and_removed(operator: Client, scene: Scene) -> None:
    made = operator.post(f"{scene.team}/assigned-roles", role(scene.weather))

    assert {**made, "id": None} == {**role(scene.weather), "id": None}
    assert operator.get(f"{scene.team}/assigned-roles")["data"] == [made]
    operator.delete(f"{scene.team}/assigned-roles/{made['id']}")
    assert operator.get(f"{scene.team}/assigned-roles")["data"] == []
    operator.delete(f"{scene.team}/assigned-roles/{made['id']}", expect=404)


def test_a_role_is_assigned_once(operator: Client, scene: Scene) -> None:
    for api_id in (scene.weather, "*"):
        operator.post(f"{scene.team}/assigned-roles", role(api_id))
        operator.post(f"{scene.team}/assigned-roles", role(api_id), expect=409)
    operator.post(f"{scene.team}/assigned-roles", role(scene.weather, "API Consumer"))


def test_a_role_on_all_apis_shows_the_nil_uuid(operator: Client, scene: Scene) -> None:
    assert operator.post(f"{scene.team}/assigned-roles", role("*"))["entity_id"] == ALL


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"role_name": "API Owner"}, "invalid"),
        ({"role_name": 1}, "is_string"),
        ({"entity_id": "weather"}, "is_uuid"),
        ({"entity_id": ALL}, "is_uuid"),
        ({"entity_id": new_id()}, "missing_reference"),
        ({"entity_type_name": "Portals"}, "invalid"),
        ({"entity_region": "mars"}, "enum"),
        ({"entity_region": "us"}, "invalid"),
    ],
)
def test_wrong_roles_are_refused(operator: Client, scene: Scene, changed: dict[str, Any], rule: str) -> None:
    body = {**role(scene.weather), **changed}
    problem = operator.post(f"{scene.team}/assigned-roles", body, expect=400)

    [told] = problem["invalid_parameters"]
    assert (told["field"], told["rule"]) == (next(iter(changed)), rule)


def test_no_role_is_on_an_api_of_another_region(operator: Client, scene: Scene) -> None:
    with scene.plane.write(System(region="us")) as tx:
        api_id = new_id()
        tx.session.add(Api(id=api_id, region="us", name="Elsewhere", slug="elsewhere"))

    operator.post(f"{scene.team}/assigned-roles", role(api_id), expect=400)
    operator.post(f"{scene.team}/assigned-roles", role(api_id, entity_region="*"), expect=400)


def test_a_role_belongs_to_its_team(clients: Clients, operator: Client, scene: Scene) -> None:
    made = operator.post(f"{scene.team}/assigned-roles", role(scene.weather))
    other = operator.post(f"/v3/portals/{scene.portal_id}/teams", {"name": "Others"})["id"]

    operator.delete(f"/v3/portals/{scene.portal_id}/teams/{other}/assigned-roles/{made['id']}", expect=404)
    clients.operator(scope="read").post(f"{scene.team}/assigned-roles", role(scene.maps), expect=403)
    clients.operator(region="us").get(f"{scene.team}/assigned-roles", expect=404)


def test_without_rbac_whoever_is_signed_in_sees_and_consumes_what_is_published(
    clients: Clients, operator: Client
) -> None:
    scene = Scene(clients, operator)

    assert scene.visible(None) == scene.viewable(None) == {scene.news}
    assert scene.consumable(None) == set()
    published = {scene.weather, scene.maps, scene.news}
    assert scene.visible(scene.developer_id) == scene.viewable(scene.developer_id) == published
    assert scene.consumable(scene.developer_id) == published


def test_with_rbac_a_developer_sees_and_consumes_by_role(clients: Clients, operator: Client, scene: Scene) -> None:
    alone = developer(clients, scene.portal_id)
    assert scene.visible(scene.developer_id) == {scene.news}
    assert scene.consumable(scene.developer_id) == set()

    operator.post(f"{scene.team}/assigned-roles", role(scene.weather))
    operator.post(f"{scene.team}/assigned-roles", role(scene.maps, "API Consumer"))
    operator.post(f"{scene.team}/assigned-roles", role(scene.hidden, "API Consumer"))
    seen = {scene.weather, scene.maps, scene.news}
    assert scene.visible(scene.developer_id) == scene.viewable(scene.developer_id) == seen
    assert scene.consumable(scene.developer_id) == {scene.maps}
    assert scene.visible(alone) == scene.visible(None) == {scene.news}
    assert scene.consumable(alone) == scene.consumable(None) == set()


def test_a_role_on_all_apis_is_on_those_that_are_published(operator: Client, scene: Scene) -> None:
    operator.post(f"{scene.team}/assigned-roles", role("*", "API Consumer", entity_region="*"))

    published = {scene.weather, scene.maps, scene.news}
    assert scene.visible(scene.developer_id) == published
    assert scene.consumable(scene.developer_id) == published


def test_what_a_team_may_is_gone_with_the_team(operator: Client, scene: Scene) -> None:
    operator.post(f"{scene.team}/assigned-roles", role(scene.weather))
    operator.delete(scene.team)

    assert scene.visible(scene.developer_id) == {scene.news}


def test_a_team_of_another_portal_counts_for_nothing(clients: Clients, operator: Client, scene: Scene) -> None:
    other = operator.post("/v3/portals", {"name": "Production", "rbac_enabled": True})["id"]
    stranger = developer(clients, other)
    open_to_members = Scene(clients, operator)
    team = f"/v3/portals/{other}/teams/{operator.post(f'/v3/portals/{other}/teams', {'name': 'Readers'})['id']}"
    operator.post(f"{team}/developers", {"id": stranger})
    operator.post(f"{team}/assigned-roles", role("*", "API Consumer"))

    assert scene.visible(stranger) == {scene.news}
    assert scene.consumable(stranger) == set()
    assert open_to_members.visible(stranger) == {open_to_members.news}
    assert open_to_members.consumable(stranger) == set()
