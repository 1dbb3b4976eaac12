"""Plugins that come with Kong: only `request-termination`, which answers instead of the upstream."""

import json
from typing import Final

from kong_app_auth.devgateway import answers
from kong_app_auth.devgateway.exchange import Exchange
from kong_app_auth.devgateway.instances import PluginConfig
from kong_app_auth.devgateway.outcomes import ExitArgs, ExitRequest
from kong_app_auth.devgateway.plugin_info import PluginInfo
from kong_app_auth.devgateway.plugins import LoadedPlugin
from kong_app_auth.devgateway.schema import Fields

_FIELDS: Final[Fields] = (
    {"status_code": {"type": "integer", "required": True, "default": 503, "between": [100, 599]}},
    {"message": {"type": "string"}},
    {"content_type": {"type": "string"}},
    {"body": {"type": "string"}},
    {"echo": {"type": "boolean", "required": True, "default": False}},
    {"trigger": {"type": "string"}},
)
_MESSAGES: Final = {401: "Unauthorized", 404: "Not found", 500: answers.UNEXPECTED, 503: "Service unavailable"}


class RequestTermination:
    """Ends every request with the configured status, and message or body; `echo` and `trigger` are not followed."""

    async def handle_event(self, config: PluginConfig, exchange: Exchange) -> None:
        """End the request. Raise ExitRequest, always."""
        given = json.loads(config.json)
        status = given["status_code"]
        if "body" in given:
            kind, body = given.get("content_type", answers.JSON), given["body"]
        else:
            words = given.get("message") or _MESSAGES.get(status, "")
            kind, body = answers.JSON, json.dumps({"message": words, "request_id": exchange.kong_request_id})
        raise ExitRequest(ExitArgs(status, body.encode(), {b"Content-Type": kind.encode()}))

    def close(self) -> None:
        """Do nothing: there is no connection."""


BUNDLED: Final = (
    LoadedPlugin(
        PluginInfo(
            name="request-termination",
            priority=2,
            version=answers.VERSION,
            phases=("access",),
            fields=_FIELDS,
            protocol="ProtoBuf:1",
            socket="",
        ),
        RequestTermination(),
    ),
)
