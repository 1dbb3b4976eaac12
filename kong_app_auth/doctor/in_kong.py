"""Kong, by its Admin API: whether it has the plugin, and whether every service that an API implements carries it."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

from kong_app_auth.doctor.check import Check, UnexpectedAnswer, good, told, wrong
from kong_app_auth.doctor.http import Url, ask, ask_all
from kong_app_auth.doctor.on_node import PLUGIN

_KONG: Final = "kong"
_SHOWN: Final = 10
_SCOPES: Final = ("service", "route", "consumer", "consumer_group")


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Config(msgspec.Struct, frozen=True):
    region: object = None


class _Plugin(msgspec.Struct, frozen=True):
    """A use of a plugin, as the Admin API shows it."""

    name: str
    enabled: bool = True
    service: _Id | None = None
    route: _Id | None = None
    consumer: _Id | None = None
    consumer_group: _Id | None = None
    config: msgspec.Raw = msgspec.Raw(b"{}")
    """Left as it came: those of other plugins may be anything."""

    @property
    def scope(self) -> str:
        if self.route is not None:
            return "on routes"
        return "on services" if self.service is not None else "global"

    @property
    def region(self) -> object:
        try:
            return msgspec.json.decode(self.config, type=_Config).region
        except msgspec.MsgspecError:
            return None

    @property
    def for_everybody(self) -> bool:
        return self.consumer is None and self.consumer_group is None


class _Service(msgspec.Struct, frozen=True):
    id: str
    name: str | None = None


class _Route(msgspec.Struct, frozen=True):
    id: str
    service: _Id | None = None


class _Plugins(msgspec.Struct, frozen=True):
    available_on_server: dict[str, object] | list[object] = {}


class _Information(msgspec.Struct, frozen=True):
    """What the Admin API says at `/`."""

    plugins: _Plugins = _Plugins()


class _Enabled(msgspec.Struct, frozen=True):
    """What the Admin API says at `/plugins/enabled`."""

    enabled_plugins: list[str] = []


def look_at_kong(admin_url: str, region: str | None, linked: Sequence[str] | None) -> Iterator[Check]:
    """Look at Kong. `linked` are the ids of the services that the registry names, None where that is not known."""
    try:
        url = Url.parse(admin_url)
    except ValueError as error:
        yield wrong(_KONG, f"kong_admin_url: {error}", "Set it to Kong's Admin API, such as http://127.0.0.1:8001.")
        return
    try:
        status = ask(url, "/status").status
    except (OSError, UnexpectedAnswer) as error:
        yield wrong(_KONG, f"{url!r} does not answer: {told(error)}", "Check kong_admin_url, and Kong's admin_listen.")
        return
    if status != 200:
        yield wrong(_KONG, f"{url!r}/status answers {status}", "Look into Kong's error log.")
        return
    yield good(_KONG, f"{url!r} answers")
    try:
        yield _available(url)
        uses = [one for one in ask_all(url, "/plugins", _Plugin) if one.name == PLUGIN and one.enabled]
        yield from _used(uses, region)
        if linked is not None:
            yield from _protected(url, uses, linked)
    except (OSError, UnexpectedAnswer) as error:
        yield wrong(_KONG, f"{url!r} cannot be read: {told(error)}", "Is this Kong's Admin API, and is it whole?")


def _available(url: Url) -> Check:
    """Kong 3.9 answers 500 on `/` where a plugin server has a start command; `/plugins/enabled` answers then too."""
    answer = ask(url, "/")
    names: Collection[object]
    if answer.status == 200:
        names = answer.read(_Information).plugins.available_on_server
    else:
        answer = ask(url, "/plugins/enabled")
        names = answer.read(_Enabled).enabled_plugins if answer.status == 200 else ()
    if PLUGIN in names:
        return good(_KONG, f"has the plugin {PLUGIN}")
    return wrong(
        _KONG,
        f"does not have the plugin {PLUGIN}",
        f"In kong.conf set plugins = bundled,{PLUGIN} and pluginserver_names = {PLUGIN}, and the server's",
        "pluginserver_app_auth_socket and pluginserver_app_auth_query_cmd; then restart Kong.",
    )


def _used(uses: Sequence[_Plugin], region: str | None) -> Iterator[Check]:
    scopes = Counter(use.scope for use in uses)
    if not uses:
        yield wrong(_KONG, f"the plugin {PLUGIN} is used nowhere", "Put it on the services that are to be protected.")
        return
    yield good(_KONG, "uses it: " + ", ".join(f"{n} {scope}" for scope, n in sorted(scopes.items())))
    others = sorted({str(use.region) for use in uses if use.region != region})
    if region is not None and others:
        yield wrong(
            _KONG,
            f"uses it for {', '.join(others)} too, but this node has the registry of {region}: those requests get 503",
            "Set config.region of the plugin to the region of the node's plugin server.",
        )


def _protected(url: Url, uses: Sequence[_Plugin], linked: Sequence[str]) -> Iterator[Check]:
    everybody = [use for use in uses if use.for_everybody]
    everywhere = any(use.scope == "global" for use in everybody)
    services = {use.service.id for use in everybody if use.service is not None and use.route is None}
    routes = {use.route.id for use in everybody if use.route is not None}
    present = {service.id: service.name or "without a name" for service in ask_all(url, "/services", _Service)}
    with_open_routes = {
        route.service.id
        for route in ask_all(url, "/routes", _Route)
        if route.service is not None and route.id not in routes
    }
    missing = [service for service in linked if service not in present]
    if missing:
        yield wrong(
            _KONG,
            f"does not have services that APIs are implemented by: {_shown(missing)}",
            "Give Kong's service the id that stands in apps.yaml, or correct the id there.",
        )
    unprotected = [
        service
        for service in linked
        if service in present and not everywhere and service not in services and service in with_open_routes
    ]
    if unprotected:
        named = _shown([f"{present[service]} ({service})" for service in unprotected])
        yield wrong(
            _KONG,
            f"lets requests to linked services through without asking: {named}",
            f"Put the plugin {PLUGIN} on each of them now: traffic passes unauthenticated.",
        )
    if not missing and not unprotected:
        yield good(_KONG, f"protects every service that an API is implemented by; there are {len(linked)}")
    unlinked = sorted(services - set(linked))
    if unlinked:
        yield good(
            _KONG,
            f"has the plugin on services that no API is implemented by: {_shown(unlinked)}",
            "Their requests get 403.",
        )


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
