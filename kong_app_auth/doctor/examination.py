"""The whole examination, in the order in which one part needs the other."""

from collections.abc import Callable, Iterator

from kong_app_auth.doctor.check import Check, good, guarded, wrong
from kong_app_auth.doctor.in_kong import look_at_kong
from kong_app_auth.doctor.in_redis import Registry, look_at_redis
from kong_app_auth.doctor.on_node import look_at_apps_file, look_at_metrics, look_at_replica, look_at_socket
from kong_app_auth.registry.connection import Client
from kong_app_auth.settings import Settings


def examine(settings: Settings, connect: Callable[[], Client]) -> Iterator[Check]:
    """Check a set-up; nothing is changed and nothing raises. `connect` makes a client of the region's Redis.

    What needs the region or Redis is left out where they are not to be had: what is wrong with those is said first.
    """
    region = settings.region
    registry = Registry()
    if region is None:
        yield wrong(
            "settings", "no region is set", "Set --region or APP_AUTH_REGION to the region that this node serves."
        )
    else:
        yield good("settings", f"this node serves the region {region}")
        yield from guarded("redis", lambda: look_at_redis(settings, region, connect, registry))
        yield from guarded("replica", lambda: look_at_replica(settings, region, registry.position))
    yield from guarded("plugin server", lambda: look_at_socket(settings))
    yield from guarded("plugin server", lambda: look_at_metrics(settings))
    if region is not None:
        yield from guarded("apps file", lambda: look_at_apps_file(settings, region))
    if settings.kong_admin_url is not None:
        url = settings.kong_admin_url
        yield from guarded("kong", lambda: look_at_kong(url, region, registry.services))
