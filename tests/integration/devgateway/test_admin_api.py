"""The Admin API as Kong answers it, with and without a database."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml

from tests.servers.process import PATIENCE

if TYPE_CHECKING:
    from tests.integration.devgateway.conftest import Stage

JSON = dict[str, Any]


class Admin:
    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, path: str, **options: Any) -> "tuple[int, Any]":
        answer = requests.request(method, self.url + path, timeout=PATIENCE, **options)
        return answer.status_code, answer.json() if answer.content else None


@pytest.fixture
def dbless(stage: "Stage") -> Admin:
    return Admin(stage.start_gateway().gateway.admin_url)


@pytest.fixture
def database(stage: "Stage") -> Admin:
    return Admin(stage.start_gateway(database="memory").gateway.admin_url)


def test_the_root_says_what_it_is(dbless: Admin) -> None:
    status, body = dbless("GET", "/")
    assert (status, body["version"]) == (200, "3.9.1")
    assert "not for production" in body["tagline"]
    assert body["plugins"]["available_on_server"] == {
        "app-auth": {"priority": 960, "version": "1.0"},
        "request-termination": {"priority": 2, "version": "3.9.1"},
    }
    assert body["configuration"]["database"] == "off"


def test_unknown_paths_and_methods_are_kongs_errors(dbless: Admin) -> None:
    assert dbless("GET", "/nope") == (404, {"message": "Not found"})
    assert dbless("GET", "/services/nope") == (404, {"message": "Not found"})
    assert dbless("DELETE", "/services") == (405, {"message": "Method not allowed"})
    assert dbless("DELETE", "/status") == (405, {"message": "Method not allowed"})


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/services", "create"),
        ("POST", "/services/up/plugins", "create"),
        ("PUT", "/services/up", "create or update"),
        ("PATCH", "/services/up", "update"),
        ("DELETE", "/services/up", "remove"),
    ],
)
def test_without_a_database_nothing_is_written(dbless: Admin, method: str, path: str, operation: str) -> None:
    kind = path.rsplit("/", 1)[1] if method == "POST" else "services"
    status, body = dbless(method, path, json={"host": "h"})
    assert status == 405
    assert body == {
        "message": f"cannot {operation} '{kind}' entities when not using a database",
        "name": "operation unsupported",
        "code": 12,
    }


def test_a_configuration_is_taken_as_json_yaml_and_form(dbless: Admin) -> None:
    for number, options in enumerate(
        (
            {"json": {"_format_version": "3.0", "services": [{"name": "s0", "host": "h"}]}},
            {"json": {"config": "_format_version: '3.0'\nservices: [{name: s1, host: h}]"}},
            {"data": {"config": "_format_version: '3.0'\nservices: [{name: s2, host: h}]"}},
            {"files": {"config": ("kong.yml", "_format_version: '3.0'\nservices: [{name: s3, host: h}]")}},
        )
    ):
        status, body = dbless("POST", "/config", **options)
        assert status == 201
        assert [service["name"] for service in body["services"].values()] == [f"s{number}"]
        assert [service["name"] for service in dbless("GET", "/services")[1]["data"]] == [f"s{number}"]


def test_an_equal_configuration_is_not_taken_again_with_check_hash(dbless: Admin) -> None:
    document = {"_format_version": "3.0", "services": [{"name": "s", "host": "h"}]}
    assert dbless("POST", "/config?check_hash=1", json=document)[0] == 201
    before = dbless("GET", "/status")[1]["configuration_hash"]
    assert dbless("POST", "/config?check_hash=1", json=document) == (304, None)
    assert dbless("POST", "/config", json=document)[0] == 201
    assert dbless("GET", "/status")[1]["configuration_hash"] == before


def test_a_configuration_is_named_by_the_md5_of_its_text(dbless: Admin) -> None:
    text = "_format_version: '3.0'\nservices: [{name: s, host: h}]  # a comment\n"
    assert dbless("POST", "/config", json={"config": text})[0] == 201
    assert dbless("GET", "/status")[1]["configuration_hash"] == hashlib.md5(text.encode()).hexdigest()
    assert dbless("POST", "/config?check_hash=1", json={"config": text})[0] == 304
    assert dbless("POST", "/config?check_hash=1", json={"config": text + "\n"})[0] == 201


def test_where_kong_without_a_database_fails_so_does_it(dbless: Admin) -> None:
    nowhere = {"_format_version": "3.0", "plugins": [{"name": "app-auth", "service": "x", "config": {"region": "eu"}}]}
    assert dbless("POST", "/config", json=nowhere)[0] == 500
    assert dbless("GET", "/plugins?tags=any")[0] == 500


def test_a_schema_has_the_fields_of_the_plugin(dbless: Admin) -> None:
    status, schema = dbless("GET", "/schemas/plugins/request-termination")
    assert (status, schema["fields"][0]["config"]["type"]) == (200, "record")
    assert schema["fields"][0]["config"]["fields"][0]["status_code"]["default"] == 503
    assert dbless("GET", "/schemas/plugins/app-auth")[0] == 200
    assert dbless("GET", "/schemas/plugins/other")[0] == 404


def test_a_request_is_terminated(stage: "Stage", database: Admin) -> None:
    service = database("POST", "/services", json={"name": "s", "url": stage.upstream.url})[1]
    database("POST", "/services/s/routes", json={"paths": ["/"]})
    given = {"name": "request-termination", "service": {"id": service["id"]}, "config": {"message": "gone"}}
    assert database("POST", "/plugins", json=given)[0] == 201
    answer = requests.get(stage.gateway.proxy_url, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["message"]) == (503, "gone")


def test_a_bad_configuration_says_where_and_the_old_one_stays(dbless: Admin, stage: "Stage") -> None:
    plugins = [{"name": "app-auth", "config": {"regoin": "eu"}}, {"name": "other"}]
    document = {
        "_format_version": "3.0",
        "certificates": [],
        "services": [{"name": "good", "host": "h"}, {"name": "bad", "port": "x", "plugins": plugins}],
    }
    status, body = dbless("POST", "/config", json=document)
    assert (status, body["code"], body["name"]) == (400, 14, "invalid declarative configuration")
    assert body["message"].startswith("declarative config is invalid: {")
    assert body["fields"] == {
        "certificates": "unknown field",
        "services": [None, {"host": "required field missing", "port": "expected an integer"}],
        "plugins": [
            {"config": {"region": "required field missing", "regoin": "unknown field"}},
            {"name": "plugin 'other' not enabled; add it to the 'plugins' configuration property"},
        ],
    }
    assert dbless("GET", "/services/up")[0] == 200


@pytest.mark.parametrize("source", ["{", "[1]", "a: [", "&a [*a, *a]", '"text"'])
def test_what_is_no_configuration_is_400(dbless: Admin, source: str) -> None:
    assert dbless("POST", "/config", json={"config": source})[0] == 400
    assert dbless("POST", "/config", data=source, headers={"Content-Type": "application/json"})[0] == 400


def test_the_configuration_can_be_read_back_and_posted_again(dbless: Admin) -> None:
    text = dbless("GET", "/config")[1]["config"]
    plugin_before = dbless("GET", "/plugins")[1]["data"]
    assert yaml.safe_load(text)["services"][0]["name"] == "up"
    assert dbless("POST", "/config", json={"config": text})[0] == 201
    assert dbless("GET", "/plugins")[1]["data"] == plugin_before


def test_lists_are_paged_and_filtered_by_tags(dbless: Admin) -> None:
    services = [{"name": f"s{n}", "host": "h", "tags": ["all", f"t{n % 2}"]} for n in range(5)]
    dbless("POST", "/config", json={"_format_version": "3.0", "services": services})
    names: list[str] = []
    path: str | None = "/services?size=2"
    while path is not None:
        page = dbless("GET", path)[1]
        assert len(page["data"]) <= 2
        assert (page["next"] is None) == ("offset" not in page)
        names += [each["name"] for each in page["data"]]
        path = page["next"]
    assert names == ["s0", "s1", "s2", "s3", "s4"]

    def tagged(tags: str) -> list[str]:
        return [each["name"] for each in dbless("GET", f"/services?tags={tags}")[1]["data"]]

    assert tagged("all,t1") == ["s1", "s3"]
    assert tagged("t0/t1") == names
    assert tagged("none") == []
    assert dbless("GET", "/services?size=0")[1]["code"] == 9
    assert dbless("GET", "/services?offset=!")[1]["code"] == 7


def test_with_a_database_entities_live_through_crud(database: Admin) -> None:
    status, service = database("POST", "/services", json={"name": "s", "url": "http://h:81/p"})
    assert (status, service["port"], service["path"], service["retries"]) == (201, 81, "/p", 5)
    status, route = database("POST", "/services/s/routes", json={"name": "r", "paths": ["/"]})
    assert (status, route["service"]) == (201, {"id": service["id"]})
    plugin_id = "11111111-2222-3333-4444-555555555555"
    given = {"name": "app-auth", "service": {"id": service["id"]}, "config": {"region": "eu"}, "tags": ["managed"]}
    status, plugin = database("PUT", f"/plugins/{plugin_id}", json=given)
    assert (status, plugin["id"], plugin["config"]) == (200, plugin_id, {"region": "eu", "mode": None})
    status, plugin = database("PATCH", f"/plugins/{plugin_id}", json={"config": {"mode": "m"}})
    assert (status, plugin["config"]) == (200, {"region": "eu", "mode": "m"})
    assert database("GET", "/services/s/plugins?tags=managed")[1]["data"] == [plugin]
    status, body = database("DELETE", "/services/s")
    assert (status, body["code"]) == (400, 4)
    assert database("DELETE", "/routes/r") == (204, None)
    assert database("DELETE", "/services/s") == (204, None)
    assert database("DELETE", "/services/s") == (204, None)
    assert database("GET", f"/plugins/{plugin_id}") == (404, {"message": "Not found"})


def test_with_a_database_errors_are_kongs(database: Admin) -> None:
    database("POST", "/services", json={"name": "s", "host": "h"})
    assert database("POST", "/services", json={"name": "s", "host": "h"}) == (
        409,
        {
            "message": "UNIQUE violation detected on '{name=\"s\"}'",
            "name": "unique constraint violation",
            "fields": {"name": "s"},
            "code": 5,
        },
    )
    assert database("POST", "/services", json={"name": "t"}) == (
        400,
        {
            "message": "schema violation (host: required field missing)",
            "name": "schema violation",
            "fields": {"host": "required field missing"},
            "code": 2,
        },
    )
    status, body = database("POST", "/routes", json={"name": "r"})
    assert (status, body["code"]) == (400, 2)
    assert "must set one of 'methods', 'hosts', 'headers', 'paths', 'snis'" in body["message"]
    status, body = database(
        "POST", "/plugins", json={"name": "app-auth", "config": {"region": "eu"}, "service": {"name": "x"}}
    )
    assert (status, body["code"]) == (400, 4)
    plugin = {"name": "app-auth", "config": {"region": "eu"}, "service": {"name": "s"}}
    assert database("POST", "/plugins", json=plugin)[0] == 201
    assert database("POST", "/plugins", json=plugin)[1]["code"] == 5
    (first,) = database("GET", "/plugins")[1]["data"]
    again = {"id": first["id"], "name": "app-auth", "config": {"region": "eu"}}
    status, body = database("POST", "/plugins", json=again)
    assert (status, body["code"]) == (400, 3)
    nobody = {**plugin, "service": {"id": "no uuid"}}
    status, body = database("POST", "/plugins", json=nobody)
    assert (status, body["code"]) == (400, 2)
    assert database("PATCH", "/plugins/nope", json={}) == (404, {"message": "Not found"})
    bad = database("POST", "/services", data="{", headers={"Content-Type": "application/json"})
    assert bad == (400, {"message": "Cannot parse JSON body"})
    assert database("POST", "/config", json={"_format_version": "3.0"})[0] == 400


def test_a_change_is_in_force_for_the_next_request(stage: "Stage", database: Admin) -> None:
    stage.start_server()
    assert stage.get() == 404
    database("POST", "/services", json={"name": "s", "url": stage.upstream.url})
    database("POST", "/services/s/routes", json={"paths": ["/"]})
    assert stage.get() == 200
    assert stage.script.kinds() == []
    plugin = database("POST", "/services/s/plugins", json={"name": "app-auth", "config": {"region": "eu"}})[1]
    assert stage.get() == 200
    assert stage.script.kinds() == ["start_instance", "handle_event"]
    config = json.loads(stage.script.calls[0].cmd_start_instance.config)
    assert (config["region"], config["__plugin_id"]) == ("eu", plugin["id"])
    assert "mode" not in config
    database("PATCH", f"/plugins/{plugin['id']}", json={"enabled": False})
    assert stage.get() == 200
    assert len(stage.script.calls) == 2
