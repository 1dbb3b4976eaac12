from typing import Any

import pytest

from kong_app_auth.devgateway.declarative import load
from kong_app_auth.devgateway.exchange import Exchange
from kong_app_auth.devgateway.router import Router


def exchange(method: str = "GET", host: str = "h", **headers: str) -> Exchange:
    return Exchange(
        method=method.encode(),
        target=b"/",
        version=1.1,
        raw_headers=(
            (b"Host", host.encode()),
            *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()),
        ),
        client=("127.0.0.1", 1),
        server_port=80,
        request_id="",
        kong_request_id="",
        started=0.0,
    )


def router(*routes: dict[str, Any], **service: Any) -> Router:
    named = [{"name": f"r{number}", **route} for number, route in enumerate(routes)]
    document = {"_format_version": "3.0", "services": [{"name": "s", "host": "h", **service, "routes": named}]}
    loaded = load(document, {})
    return Router(loaded["routes"].values(), loaded["services"])


def found(routes: Router, path: bytes, request: Exchange | None = None) -> Any:
    match = routes.find(request or exchange(), path)
    return None if match is None else match.route["name"]


def test_the_longest_prefix_wins_and_regular_expressions_come_first() -> None:
    routes = router({"paths": ["/"]}, {"paths": ["/a"]}, {"paths": ["/a/b"]}, {"paths": ["~/a/\\d+$"]})
    assert found(routes, b"/x") == "r0"
    assert found(routes, b"/ab") == "r1"
    assert found(routes, b"/a/b/c") == "r2"
    assert found(routes, b"/a/12") == "r3"
    assert found(routes, b"/a/12x") == "r1"


def test_a_regular_expression_of_higher_priority_wins() -> None:
    routes = router({"paths": ["~/a.*"], "regex_priority": 1}, {"paths": ["~/abcdefgh"], "regex_priority": 0})
    assert found(routes, b"/abcdefgh") == "r0"


def test_a_route_that_asks_for_more_wins() -> None:
    routes = router({"paths": ["/long/path"]}, {"paths": ["/"], "hosts": ["h"]}, {"paths": ["/"], "hosts": ["*.h"]})
    assert found(routes, b"/long/path") == "r1"
    assert found(routes, b"/long/path", exchange(host="other")) == "r0"
    assert found(routes, b"/", exchange(host="A.H:8000")) == "r2"


@pytest.mark.parametrize(("method", "name"), [("POST", "r0"), ("GET", None)])
def test_methods_must_match(method: str, name: str | None) -> None:
    assert found(router({"methods": ["POST"], "paths": ["/"]}), b"/", exchange(method)) == name


def test_headers_must_match() -> None:
    routes = router({"headers": {"X-V": ["1", "2"]}}, {"headers": {"x-w": ["~*^a+$"]}})
    assert found(routes, b"/", exchange(X_V="2")) == "r0"
    assert found(routes, b"/", exchange(X_W="AA")) == "r1"
    assert found(routes, b"/", exchange(X_V="3", X_W="b")) is None


def test_only_a_path_is_stripped() -> None:
    match = router({"paths": ["/a"]}).find(exchange(), b"/a/b")
    kept = router({"paths": ["/a"], "strip_path": False}).find(exchange(), b"/a/b")
    assert match is not None
    assert kept is not None
    assert (match.stripped, kept.stripped) == (b"/a", b"")


def test_a_disabled_service_has_no_routes() -> None:
    assert found(router({"paths": ["/"]}, enabled=False), b"/") is None
