from typing import Any

import pytest

from kong_app_auth.devgateway.declarative import BadConfiguration, load, parse

PLUGINS = {"app-auth": [{"region": {"type": "string", "required": True}}]}
PLUGIN = {"name": "app-auth", "config": {"region": "eu"}}


def one(entities: dict[str, dict[str, Any]], kind: str) -> Any:
    (entity,) = entities[kind].values()
    return entity


def test_ids_are_those_that_kong_3_9_1_gives() -> None:
    loaded = load(
        parse("{_format_version: '3.0', services: [{name: up, host: h, routes: [{name: r, paths: [/]}]}]}"), {}
    )
    assert one(loaded, "services")["id"] == "dea4c45f-3d88-5461-8ebd-05ae5bbbf87a"
    assert one(loaded, "routes")["id"] == "da7ba03a-f1be-52d4-8a7e-c8f32640689a"


def test_nested_and_separate_entities_are_the_same() -> None:
    nested = {
        "_format_version": "3.0",
        "services": [
            {"name": "s", "url": "https://h/x", "routes": [{"name": "r", "paths": ["/"], "plugins": [PLUGIN]}]}
        ],
    }
    separate = {
        "_format_version": "3.0",
        "services": [{"name": "s", "protocol": "https", "host": "h", "port": 443, "path": "/x"}],
        "routes": [{"name": "r", "paths": ["/"], "service": "s"}],
        "plugins": [{**PLUGIN, "route": "r"}],
    }
    first, second = (load(parse(repr(each).replace("'", '"')), PLUGINS) for each in (nested, separate))
    for kind in ("services", "routes", "plugins"):
        a, b = (one(each, kind) for each in (first, second))
        assert {**a, "id": 0, "created_at": 0, "updated_at": 0} == {**b, "id": 0, "created_at": 0, "updated_at": 0}
    assert one(first, "plugins")["route"] == {"id": one(first, "routes")["id"]}


def test_the_ids_of_plugins_are_stable_and_differ_by_place() -> None:
    document = {
        "_format_version": "3.0",
        "services": [{"name": name, "host": "h", "plugins": [PLUGIN]} for name in ("a", "b")],
        "plugins": [PLUGIN],
    }
    first, second = (load(parse(repr(document).replace("'", '"')), PLUGINS)["plugins"] for _ in range(2))
    assert list(first) == list(second)
    assert len(first) == 3


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({}, {"_format_version": "required field missing"}),
        ({"_format_version": "9"}, {"_format_version": "expected one of: 1.1, 2.1, 3.0"}),
        ({"_format_version": "3.0", "upstreams": []}, {"upstreams": "unknown field"}),
        ({"_format_version": "3.0", "services": {}}, {"services": "expected an array"}),
        ({"_format_version": "3.0", "services": [1]}, {"services": ["expected a record"]}),
        ({"_format_version": "3.0", "services": [{"host": "h", "x": 1}]}, {"services": [{"x": "unknown field"}]}),
        ({"_format_version": "3.0", "services": [{"url": "h"}]}, {"services": [{"url": "missing host in url"}]}),
        (
            {"_format_version": "3.0", "routes": [{"paths": ["/"], "service": "x"}]},
            {"routes": ["invalid reference 'service: x' (no such entry in 'services')"]},
        ),
        (
            {"_format_version": "3.0", "routes": [{"paths": ["x"]}]},
            {"routes": [{"paths": ["should start with: / (fixed path) or ~/ (regex path)"]}]},
        ),
        ({"_format_version": "3.0", "routes": [{"paths": ["~/("]}]}, {"routes": [{"paths": "invalid regex: '/('"}]}),
        (
            {"_format_version": "3.0", "services": [{"name": "s", "host": "h"}, {"name": "s", "host": "i"}]},
            {"services": [None, "uniqueness violation: 'services' entity with {name=\"s\"} already declared"]},
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(document: dict[str, Any], fields: Any) -> None:
    with pytest.raises(BadConfiguration) as raised:
        load(document, PLUGINS)
    assert raised.value.body()["fields"] == fields
    assert raised.value.body()["code"] == 14


@pytest.mark.parametrize("source", ["a: [", "[]", "", "!!python/object:os.system {}", "[" * 100_000])
def test_what_is_no_mapping_is_refused(source: str) -> None:
    with pytest.raises(BadConfiguration):
        parse(source)
