"""JSON objects that can be read in one way only: I-JSON (RFC 7493), as RFC 8725 asks for tokens.

Two readers that disagree on a token let in what one of them has refused. So members that are there twice, numbers that
a double or 64 bits cannot hold, NaN, lone surrogates, and anything but UTF-8 are refused, and so is deep nesting.
"""

import json
import math
from typing import Any, Final, cast

MOST_DEPTH: Final = 16
"""Objects and arrays within one another. Providers' tokens have three or four."""
MOST_DIGITS: Final = 20
"""Characters of an integer: 64 bits and a sign."""
MOST_FLOAT_CHARACTERS: Final = 40


def decode(data: bytes) -> dict[str, Any]:
    """Decode an object; ValueError for all else, with a text that quotes nothing of it."""
    try:
        text = data.decode()
        value = _decode(text)
        if "\\u" in text:
            # Only an escape can make a lone surrogate; what has one cannot be written as UTF-8.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("not a JSON object that can be read in one way only") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - what a client sent is wrong, not what our code gave
    members = cast("dict[str, Any]", value)
    if text.count("{") + text.count("[") > MOST_DEPTH and _deeper(members, MOST_DEPTH):
        raise ValueError("nested too deeply")
    return members


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError("the number is too large")
    return int(digits)


def _float(characters: str) -> float:
    number = float(characters) if len(characters) <= MOST_FLOAT_CHARACTERS else math.inf
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number


def _constant(_name: str) -> float:
    raise ValueError("NaN and infinity are no JSON")


def _deeper(value: object, most: int) -> bool:
    """Say whether objects and arrays lie more than `most` deep."""
    level: list[Any] = [value]
    for _ in range(most):
        level = [inner for one in level for inner in _inner(one)]
        if not level:
            return False
    return True


def _inner(value: Any) -> list[Any]:
    """Objects and arrays that lie immediately in this one."""
    values: list[Any] = list(cast("dict[str, Any]", value).values()) if isinstance(value, dict) else value
    return [one for one in values if isinstance(one, dict | list)]


_decode = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_float, parse_constant=_constant
).decode
