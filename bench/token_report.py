"""The page, the figures and the picture of what tokens cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.machine import Machine


class Cost(msgspec.Struct, frozen=True):
    """Microseconds of CPU of an allowed request in the workers, the median over the rounds; and how many a second."""

    name: str
    cpu_us: float
    least_us: float
    most_us: float
    per_second: float
    bar_us: float | None = None


class Results(msgspec.Struct, frozen=True):
    """A run. `rotations`: milliseconds, none where there is no Node; `seconds`: how long all of it took."""

    plan: str
    machine: Machine
    seconds: float
    connections: int
    costs: list[Cost]
    rotations: list[float]
    rotation_bar_ms: float

    @property
    def within_bars(self) -> bool:
        """Whether no figure is beyond its bar."""
        return all(one.bar_us is None or one.cpu_us <= one.bar_us for one in self.costs) and all(
            one <= self.rotation_bar_ms for one in self.rotations
        )


def keep(results: Results, directory: Path) -> None:
    """Write `tokens.md`, `tokens.json` and `tokens.svg`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "tokens.md").write_text(markdown(results))
    (directory / "tokens.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    draw(results.costs, directory / "tokens.svg")


def markdown(results: Results) -> str:
    """The page."""
    machine = results.machine
    rows = [
        f"| {one.name} | {one.cpu_us:.1f} µs | {one.least_us:.1f}–{one.most_us:.1f} | {one.per_second:,.0f} "
        f"| {_verdict(one.cpu_us, one.bar_us, 'µs')} |"
        for one in results.costs
    ]
    rotation = "not measured: there is no Node for the identity provider"
    if results.rotations:
        worst = max(results.rotations)
        rotation = (
            f"{worst:.0f} ms at most of {len(results.rotations)}: {_verdict(worst, results.rotation_bar_ms, 'ms')}"
        )
    return "\n".join(
        [
            "# Figures of tokens",
            "",
            f"Measured {machine.date} by `python -m bench.token_requests` ({results.plan} run,",
            f"{results.seconds:.0f} s) at {machine.commit}, on {machine.cores} cores of {machine.cpu}",
            f"(load before: {machine.load_before:.1f}), Python {machine.python}, at {results.connections} connections.",
            "Hit: the token's signature was found good before.",
            "",
            "| allowed request | CPU in a worker | spread | a second | bar |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"From a provider's rotation to the first accepted token: {rotation}.",
            "",
            "![CPU of an allowed request](tokens.svg)",
            "",
        ]
    )


def _verdict(found: float, bar: float | None, unit: str) -> str:
    if bar is None:
        return ""
    met = "met" if found <= bar else f"**missed by {100 * (found / bar - 1):.0f} %**"
    return f"≤ {bar:,.0f} {unit}: {met}"


def draw(costs: Sequence[Cost], path: Path) -> None:
    """Draw into an SVG file whose bytes depend on nothing but the figures."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "kong-app-auth"
    from matplotlib import pyplot

    figure: Any
    axes: Any
    figure, axes = pyplot.subplots(figsize=(8, 3.5), layout="constrained")
    places = range(len(costs))
    errors = [[one.cpu_us - one.least_us for one in costs], [one.most_us - one.cpu_us for one in costs]]
    drawn = axes.barh(places, [one.cpu_us for one in costs], xerr=errors, color="#1b6ca8")
    axes.bar_label(drawn, [f"{one.cpu_us:.0f}" for one in costs], fontsize=8, padding=4)
    for place, one in zip(places, costs, strict=True):
        if one.bar_us is not None:
            axes.plot([one.bar_us] * 2, [place - 0.4, place + 0.4], color="#c0392b", linewidth=2)
    axes.set_yticks(places, [one.name for one in costs])
    axes.invert_yaxis()
    axes.set_title("CPU µs of an allowed request in a worker; the bar in red", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
