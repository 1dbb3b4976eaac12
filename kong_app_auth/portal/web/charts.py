"""Charts made by the server: bars by day, allowed and refused, as SVG. The table beside it says the same in numbers."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import msgspec

WIDTH: Final = 720
HEIGHT: Final = 220
_LEFT: Final = 52
_BOTTOM: Final = 28
_TOP: Final = 18
_STEPS: Final = (1, 2, 2.5, 5, 10)


class Bar(msgspec.Struct, frozen=True):
    """The requests of a day."""

    day: date
    allowed: int
    refused: int


class Piece(msgspec.Struct, frozen=True):
    """A rectangle, in the chart's units."""

    x: float
    y: float
    width: float
    height: float
    kind: str


class Mark(msgspec.Struct, frozen=True):
    """A word at an axis; `line`: a line across goes with it."""

    x: float
    y: float
    text: str


class Chart(msgspec.Struct, frozen=True):
    """What the template draws. `bars` are for the table."""

    width: int
    height: int
    left: int
    pieces: tuple[Piece, ...]
    lines: tuple[Mark, ...]
    days: tuple[Mark, ...]
    bars: tuple[Bar, ...]
    allowed: int
    refused: int


def chart(bars: Sequence[Bar]) -> Chart:
    """Lay out bars by day: allowed at the bottom, refused on top."""
    top = _round_up(max((one.allowed + one.refused for one in bars), default=0))
    height = HEIGHT - _BOTTOM - _TOP
    slot = (WIDTH - _LEFT) / max(1, len(bars))
    pieces: list[Piece] = []
    days: list[Mark] = []
    every = max(1, -(-len(bars) // 8))
    for number, one in enumerate(bars):
        x, width, foot = _LEFT + slot * number + slot * 0.14, slot * 0.72, float(_TOP + height)
        for kind, count in (("allowed", one.allowed), ("refused", one.refused)):
            tall = max(height * count / top, 1.5) if count else 0.0
            if count:
                foot -= tall
                pieces.append(Piece(round(x, 1), round(foot, 1), round(width, 1), round(tall, 1), kind))
        if number % every == 0:
            days.append(Mark(round(x + width / 2, 1), HEIGHT - 6, f"{one.day:%-d %b}"))
    lines = tuple(
        Mark(_LEFT, round(_TOP + height * (1 - part / 4), 1), _short(top * part / 4)) for part in range(5) if top >= 4
    )
    return Chart(
        WIDTH,
        HEIGHT,
        _LEFT,
        tuple(pieces),
        lines or (Mark(_LEFT, _TOP + height, "0"),),
        tuple(days),
        tuple(bars),
        sum(one.allowed for one in bars),
        sum(one.refused for one in bars),
    )


def _round_up(count: int) -> float:
    """The next number that an axis ends with; 4 at least."""
    power = 10.0 ** max(0, len(str(count)) - 1)
    return max(4.0, next(step * power for step in _STEPS if step * power >= count))


def _short(value: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
