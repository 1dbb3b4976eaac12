"""Our plugins as a file: for decK, or put into the operator's own declarative configuration."""

from typing import Any

import yaml

from kong_app_auth.sync.kong.entities import tags_of
from kong_app_auth.sync.kong.merge import merged, read_declared
from kong_app_auth.sync.kong.plan import Policy
from kong_app_auth.sync.kong.wanted import Wanted


def rendered(policy: Policy, wanted: Wanted) -> str:
    """Give our plugins in Kong's declarative format, which decK reads too: the same for the same wishes.

    Services are named by their ids. `_info` tells decK which tags its entities have.
    """
    plugins: list[dict[str, Any]] = []
    for service_id in sorted(wanted.enforced):
        plugin = policy.plugin(service_id)
        plugins.append({"id": plugin.id, **plugin.body(), "service": service_id})
    document = {
        "_format_version": "3.0",
        "_info": {"select_tags": list(tags_of(policy.region))},
        "plugins": plugins,
    }
    text: str = yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=1000)
    return text


def rendered_into(data: bytes, policy: Policy, wanted: Wanted) -> str:
    """Give the operator's declarative configuration with our plugins in it. Raises CannotMerge."""
    declared = read_declared(data)
    services = sorted(wanted.enforced & declared.services.keys())
    return merged(declared, [policy.plugin(each) for each in services])
