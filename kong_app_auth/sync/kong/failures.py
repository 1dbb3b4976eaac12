"""What can go wrong with Kong, by the codes that the contract has for it (`AuthStrategyApiSyncError`)."""

from collections.abc import Iterator
from enum import Enum
from itertools import islice
from typing import Final, cast

import msgspec


class Code(Enum):
    """Why a gateway is not as it should be."""

    NO_RESPONSE = "control_plane_error_no_response"
    INVALID_RESPONSE = "control_plane_error_invalid_response"
    UNAVAILABLE = "control_plane_error_unavailable"
    INTERNAL_ERROR = "control_plane_error_internal_error"
    BAD_REQUEST = "control_plane_error_bad_request"
    PLUGIN_CONFLICT = "control_plane_error_plugin_conflict"
    DATA_CONSTRAINT_ERROR = "control_plane_error_data_constraint_error"
    IMPLEMENTATION_NOT_FOUND = "control_plane_error_implementation_not_found"


OF_THE_WHOLE: Final = frozenset((Code.NO_RESPONSE, Code.INVALID_RESPONSE, Code.UNAVAILABLE))
"""After these there is no use in asking the same gateway for more."""

SCHEMA_VIOLATION: Final = 2
PRIMARY_KEY_VIOLATION: Final = 3
FOREIGN_KEY_VIOLATION: Final = 4
UNIQUE_VIOLATION: Final = 5
BAD_CONFIGURATION: Final = 14
"""The `code` of Kong's refusals, as its Admin API gives them."""
MOST_PLACES: Final = 5
LONGEST_PLACES: Final = 300


class Failure(msgspec.Struct, frozen=True):
    """A code, and words of our own: Kong's may quote what others have configured."""

    code: Code
    message: str


class KongFailed(Exception):  # noqa: N818  says what happened
    """An exchange with Kong that did not bring what it should."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(code, message)


def refused_configuration(status: int, code: object, fields: object) -> KongFailed:
    """Read a refusal of a declarative configuration: where it is wrong, without what stands there."""
    if code == BAD_CONFIGURATION:
        places = ", ".join(islice(_places(fields, ""), MOST_PLACES)) or "its form"
        return KongFailed(Code.BAD_REQUEST, f"Kong does not take the configuration: {places[:LONGEST_PLACES]}")
    if status == 500:
        said = "Kong fails on the configuration, perhaps for a reference to what is not in it"
        return KongFailed(Code.INTERNAL_ERROR, said)
    return refusal(status, code, "POST /config")


def _places(fields: object, path: str) -> Iterator[str]:
    """Name the fields that errors are about; the errors themselves may quote values."""
    if isinstance(fields, dict):
        for name, inner in cast("dict[str, object]", fields).items():
            yield from _places(inner, f"{path}.{name}" if path else name)
    elif isinstance(fields, list):
        for index, inner in enumerate(cast("list[object]", fields)):
            yield from _places(inner, f"{path}[{index}]")
    elif isinstance(fields, str) and path:
        yield path


def refusal(status: int, code: object, asked: str) -> KongFailed:
    """Read a refusal of the Admin API: its status, and the `code` in its body. `asked`: what it was asked."""
    said = f"the Admin API answered {status} to {asked}"
    if status in (401, 403):
        return KongFailed(Code.BAD_REQUEST, f"{said}: it wants another token, or one with more rights")
    if code == UNIQUE_VIOLATION or status == 409:
        return KongFailed(Code.PLUGIN_CONFLICT, f"{said}: the service carries such a plugin, which is not ours")
    if code == FOREIGN_KEY_VIOLATION:
        return KongFailed(Code.IMPLEMENTATION_NOT_FOUND, f"{said}: there is no such Gateway Service")
    if code == PRIMARY_KEY_VIOLATION:
        return KongFailed(Code.DATA_CONSTRAINT_ERROR, f"{said}: the id is taken")
    if code == SCHEMA_VIOLATION:
        return KongFailed(Code.BAD_REQUEST, f"{said}: it does not take this configuration, or not this plugin")
    if status in (429, 502, 503, 504):
        return KongFailed(Code.UNAVAILABLE, said)
    if status >= 500:
        return KongFailed(Code.INTERNAL_ERROR, said)
    return KongFailed(Code.BAD_REQUEST, said)
