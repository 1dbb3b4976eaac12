"""The ids that Kong gives to what a declarative configuration names without one."""

import uuid
from typing import Final

_NAMESPACE: Final = uuid.UUID("fd02801f-0957-4a15-a55a-c8d9606f30b5")


def deterministic_id(kind: str, key: str) -> str:
    """Give the id of an entity of `kind` (`services`, `routes`, …) by its name. (Observed in Kong 3.9.1.)"""
    return str(uuid.uuid5(uuid.uuid5(_NAMESPACE, kind), key))
