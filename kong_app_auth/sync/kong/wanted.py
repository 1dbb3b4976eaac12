"""Which Gateway Services our plugin belongs on: what the registry says, and nothing else."""

from collections.abc import Iterable
from typing import Final

import msgspec

from kong_app_auth.registry.changes import Change
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Table

_OF_INTEREST: Final = frozenset((Table.SERVICES, Table.APIS))


class Wanted(msgspec.Struct, frozen=True):
    """`enforced`: the services whose API accepts somebody. `linked`: all that an API implements."""

    enforced: frozenset[str] = frozenset()
    linked: frozenset[str] = frozenset()


def wanted_of(contents: Contents) -> Wanted:
    """Read what is wanted. An API without an auth strategy in any of its publications accepts nobody.

    Its services carry no plugin of ours: published like that, everybody may call them.
    """
    accepting = {api.id for api in contents.apis.values() if api.accepts}
    return Wanted(
        enforced=frozenset(service.id for service in contents.services.values() if service.api_id in accepting),
        linked=frozenset(contents.services),
    )


def concerns(changes: Iterable[Change]) -> bool:
    """Say whether changes of a registry may change what is wanted."""
    return any(change.table in _OF_INTEREST for change in changes)
