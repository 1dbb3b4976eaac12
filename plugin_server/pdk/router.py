"""`kong.router`: the Gateway Service and the Route that matched."""

from typing import Any

from plugin_server.pdk.namespace import Namespace, empty_call
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.values import from_struct, to_text

_GET_SERVICE = empty_call("kong.router.get_service")
_GET_ROUTE = empty_call("kong.router.get_route")


class Router(Namespace):
    """`kong.router`."""

    __slots__ = ()

    def get_service(self) -> dict[str, Any] | None:
        """Give the matched service; None for a route without one."""
        reply = self._channel.ask(_GET_SERVICE)
        return _entity(pb.Service.FromString(reply)) if reply else None

    def get_route(self) -> dict[str, Any] | None:
        """Give the matched route."""
        reply = self._channel.ask(_GET_ROUTE)
        return _entity(pb.Route.FromString(reply)) if reply else None


def _entity(message: pb.Service | pb.Route) -> dict[str, Any]:
    """Give the fields that are set, references as `{"id": …}`."""
    return {field.name: _plain(value) for field, value in message.ListFields()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return to_text(value)
    if isinstance(value, pb.Reference):
        return {"id": to_text(value.id)}
    if isinstance(value, pb.Struct):
        return from_struct(value)
    if isinstance(value, bool | int):
        return value
    return [_plain(item) for item in value]
