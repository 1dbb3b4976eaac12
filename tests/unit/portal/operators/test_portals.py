from tests.control_plane.clients import Client, Clients


def test_a_portal_is_made_private_with_authentication_and_the_built_in_strategy(operator: Client) -> None:
    portal = operator.post("/v3/portals", {"name": "Staging"})

    assert portal["display_name"] == "Staging"
    assert portal["authentication_enabled"] is True
    assert portal["default_api_visibility"] == "private"
    assert portal["default_application_auth_strategy_id"] is not None
    assert operator.get(f"/v3/portals/{portal['id']}") == portal


def test_two_portals_share_the_built_in_strategy(operator: Client) -> None:
    first, second = (operator.post("/v3/portals", {"name": name}) for name in ("Staging", "Production"))

    assert first["default_application_auth_strategy_id"] == second["default_application_auth_strategy_id"]


def test_null_means_a_portal_without_a_default_strategy(operator: Client) -> None:
    portal = operator.post("/v3/portals", {"name": "Open", "default_application_auth_strategy_id": None})

    assert portal["default_application_auth_strategy_id"] is None


def test_a_name_is_given_once_in_a_region(operator: Client) -> None:
    operator.post("/v3/portals", {"name": "Staging"})
    problem = operator.post("/v3/portals", {"name": "Staging"}, expect=400)

    assert problem["invalid_parameters"][0]["field"] == "name"


def test_wrong_fields_are_told_one_by_one(operator: Client) -> None:
    problem = operator.post("/v3/portals", {"rbac_enabled": "yes", "colour": "red", "name": ""}, expect=400)

    told = {one["field"]: one["rule"] for one in problem["invalid_parameters"]}
    assert told == {"name": "min_length", "rbac_enabled": "is_boolean", "colour": "unknown_property"}


def test_a_portal_of_another_region_is_not_there(clients: Clients, operator: Client) -> None:
    portal = operator.post("/v3/portals", {"name": "Staging"})
    stranger = clients.operator(region="us")

    stranger.get(f"/v3/portals/{portal['id']}", expect=404)
    assert stranger.get("/v3/portals")["data"] == []


def test_a_reading_token_cannot_write(clients: Clients) -> None:
    clients.operator(scope="read").post("/v3/portals", {"name": "Staging"}, expect=403)


def test_portals_are_filtered_sorted_and_paged(operator: Client) -> None:
    for name in ("b", "a", "c"):
        operator.post("/v3/portals", {"name": name, "rbac_enabled": name == "c"})

    page = operator.get("/v3/portals", params={"sort": "name desc", "page[size]": 2, "page[number]": 2})
    assert [one["name"] for one in page["data"]] == ["a"]
    assert page["meta"]["page"] == {"number": 2, "size": 2, "total": 3}
    found = operator.get("/v3/portals", params={"filter[rbac_enabled]": "true"})
    assert [one["name"] for one in found["data"]] == ["c"]
    found = operator.get("/v3/portals", params={"filter[name][contains]": "B"})
    assert [one["name"] for one in found["data"]] == ["b"]
    operator.get("/v3/portals", params={"filter[colour]": "red"}, expect=400)


def test_an_update_changes_what_it_names_and_nothing_else(operator: Client) -> None:
    portal = operator.post("/v3/portals", {"name": "Staging", "labels": {"env": "test", "team": "a"}})
    changed = operator.patch(f"/v3/portals/{portal['id']}", {"description": "For trying out", "labels": {"team": None}})

    assert changed == {
        **portal,
        "description": "For trying out",
        "labels": {"env": "test"},
        "updated_at": changed["updated_at"],
    }


def test_a_deleted_portal_is_gone(operator: Client) -> None:
    portal = operator.post("/v3/portals", {"name": "Staging"})
    operator.delete(f"/v3/portals/{portal['id']}")

    operator.get(f"/v3/portals/{portal['id']}", expect=404)
    operator.get("/v3/portals/not-a-uuid", expect=404)


def test_a_body_that_is_too_large_is_told_as_a_problem(operator: Client) -> None:
    problem = operator.post("/v3/portals", {"name": "x", "description": "d" * 1024 * 1024}, expect=413)

    assert problem["title"] == "Content Too Large"


def test_labels_that_are_konnects_own_are_refused(operator: Client) -> None:
    problem = operator.post("/v3/portals", {"name": "x", "labels": {"konnect-a": "b"}}, expect=400)

    assert problem["invalid_parameters"][0]["rule"] == "is_label"
