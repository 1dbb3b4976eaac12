"""The values that travel between the PDK and a plugin server: what Lua has, with its strings as bytes."""

from typing import TypeAlias

LuaValue: TypeAlias = bool | int | float | bytes | list["LuaValue"] | dict[bytes, "LuaValue"] | None


def tostring(value: LuaValue) -> bytes:
    """Write a scalar as Lua's `tostring` does."""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, float):
        return f"{value:.14g}".encode()
    if isinstance(value, bytes):
        return value
    return b"nil" if value is None else b"table"
