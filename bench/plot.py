"""The picture of the comparison: CPU an event and events a second, for each server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.throughput import WORKS, Cost

_COLOURS = ("#1b6ca8", "#d98880", "#e5b567", "#8fae7e", "#b8b8b8")


def draw(costs: Sequence[Cost], path: Path) -> None:
    """Draw into an SVG file whose bytes depend on nothing but the figures."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "kong-app-auth"
    from matplotlib import pyplot

    figure: Any
    axes: Any
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7), layout="constrained")
    for row, work in enumerate(WORKS):
        some = [cost for cost in costs if cost.work == work]
        _bars(axes[row][0], some, "cpu_us", f"{work}: CPU µs per event (less is better)")
        _bars(axes[row][1], some, "events_per_second", f"{work}: events per second (more is better)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def _bars(axes: Any, costs: Sequence[Cost], figure: str, title: str) -> None:
    servers = list(dict.fromkeys(cost.server for cost in costs))
    connections = sorted({cost.connections for cost in costs})
    width = 0.8 / max(1, len(servers))
    for number, server in enumerate(servers):
        own = {cost.connections: getattr(cost, figure) for cost in costs if cost.server == server}
        places = [place + (number - (len(servers) - 1) / 2) * width for place in range(len(connections))]
        spreads = [own[one] for one in connections]
        heights = [spread.median for spread in spreads]
        errors = [
            [spread.median - spread.least for spread in spreads],
            [spread.most - spread.median for spread in spreads],
        ]
        drawn = axes.bar(places, heights, width, yerr=errors, label=server, color=_COLOURS[number % len(_COLOURS)])
        labels = [f"{height / 1000:.1f}k" if height >= 1000 else f"{height:.0f}" for height in heights]
        axes.bar_label(drawn, labels, fontsize=7, padding=2)
    axes.set_xticks(range(len(connections)), [f"{one} conn." for one in connections])
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
