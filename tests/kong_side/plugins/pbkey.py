"""The plugin that was recorded on a real Kong, by scenario. What its calls gave goes to a file for the test to read."""

import os
from pathlib import Path
from typing import Any

Schema: list[Any] = []


class Plugin:
    """Makes the calls of the scenario that a file names."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def access(self, kong: Any) -> None:
        directory = Path(os.environ["RECORDED"])
        scenario = (directory / "scenario").read_text().replace("-", "_")
        results = getattr(self, scenario)(kong)
        (directory / "results").write_text(repr(results))

    def headers_multi_value_and_binary(self, kong: Any) -> Any:
        return [
            kong.request.get_headers(1000),
            kong.request.get_headers(2),
            kong.request.get_header("apikey"),
            kong.request.get_header("no-such"),
        ]

    headers_over_limit = headers_multi_value_and_binary

    def query_repeated_bare_empty_encoded(self, kong: Any) -> Any:
        return [
            kong.request.get_query(),
            kong.request.get_raw_query(),
            kong.request.get_query_arg("apikey"),
            kong.request.get_query_arg("nope"),
            kong.request.get_path(),
            kong.request.get_path_with_query(),
            kong.request.get_method(),
        ]

    query_absent = query_repeated_bare_empty_encoded

    def route_service_and_context(self, kong: Any) -> Any:
        return [
            kong.router.get_service(),
            kong.router.get_route(),
            kong.client.get_ip(),
            kong.client.get_forwarded_ip(),
            kong.client.get_credential(),
            kong.client.get_consumer(),
            kong.node.get_id(),
            kong.request.get_scheme(),
            kong.request.get_host(),
            kong.request.get_http_version(),
            kong.nginx.get_var("request_id"),
            kong.nginx.get_var("kong_request_id"),
        ]

    def allow_write_calls(self, kong: Any) -> Any:
        kong.service.request.set_headers({"X-List": ["a", "b"], "X-Application-ID": "app-1"})
        kong.service.request.clear_header("apikey")
        kong.service.request.set_raw_query("a=1")
        kong.client.authenticate(None, {"id": "app-1"})
        credential = kong.client.get_credential()
        kong.ctx.shared.set("authenticated_groups", ["g1"])
        groups = kong.ctx.shared.get("authenticated_groups")
        kong.log.notice("hello")
        kong.response.set_header("X-Resp", "1")
        return [credential, groups]

    def deny_exit(self, kong: Any) -> None:
        headers = {"Content-Type": "application/json", "WWW-Authenticate": "Key"}
        kong.response.exit(401, '{"message":"Unauthorized"}', headers)

    def authenticate_with_neither(self, kong: Any) -> None:
        kong.client.authenticate(None, None)

    def set_headers_empty_and_null(self, kong: Any) -> None:
        kong.service.request.set_headers({"X-Empty": ""})
        kong.service.request.set_headers({"X-None": None})
