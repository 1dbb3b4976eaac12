"""Writes the figures of docs/growing.md from bench/results: `python -m scripts.growth_table`.

What was measured was measured at one size; other sizes are in proportion to it and marked so. A test compares the page
with what this would write.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kong_app_auth.settings import Settings

ROOT: Final = Path(__file__).parents[1]
FILE: Final = ROOT / "docs" / "growing.md"
RESULTS: Final = ROOT / "bench" / "results"
SIZES: Final = (10**4, 10**6, 10**8)
_BEGIN: Final = "<!-- made by scripts/growth_table.py -->\n"
_END: Final = "<!-- end of what is made -->"


def figures() -> tuple[dict[str, Any], dict[str, Any]]:
    """What was measured of the data plane, and of the control plane."""
    data: dict[str, Any] = json.loads((RESULTS / "latest.json").read_text())
    control: dict[str, Any] = json.loads((RESULTS / "control-plane.json").read_text())
    return data, control


def amount(number: float) -> str:
    """Bytes as people read them, in powers of 1,000."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{_digits(number / size)} {unit}"
    return f"{_digits(number / 1e3)} kB"


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 1:
        return f"{_digits(seconds * 1000)} ms"
    return f"{_digits(seconds)} s" if seconds < 120 else f"{_digits(seconds / 60)} min"


def _digits(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:,.0f}"


def _row(name: str, at: int, measured: float, shown: Callable[[float], str]) -> str:
    cells = [f"**{shown(measured)}**" if size == at else f"≈ {shown(measured * size / at)}" for size in SIZES]
    return f"| {name} | {at:,} | {' | '.join(cells)} |\n"


def sizes_table() -> str:
    """What each part costs, by the number of credentials in a region."""
    data, control = figures()
    copy, snapshot = data["copy"], control["snapshot"]
    keys, records = copy["credentials"], snapshot["records"]
    valkey = next(one for one in data["memory"] if one["process"] == "valkey")
    sizes = " | ".join(f"{size:,}" for size in SIZES)
    return (
        f"| credentials in a region | measured at | {sizes} |\n|---|---:|---:|---:|---:|\n"
        + _row("gateway node: its copy on disk", keys, copy["file_bytes"], amount)
        + _row("gateway node: to fetch that copy", keys, copy["seconds"], duration)
        + _row("Valkey: memory of its own", keys, valkey["anonymous"], amount)
        + _row("sync daemon: to fill an empty Valkey", keys, copy["filling_seconds"], duration)
        + _row("portal: a snapshot of the feed, on the wire", records, snapshot["bytes"], amount)
        + _row("portal: the time of that snapshot", records, snapshot["seconds"], duration)
    )


def processes_table() -> str:
    """The memory of a gateway node's processes, as measured."""
    data, _ = figures()
    lines = "".join(
        f"| {one['process']} | {amount(one['anonymous'])} | {amount(one['peak'])} |\n"
        for one in data["memory"]
        if one["process"] != "valkey"
    )
    at = data["copy"]["credentials"]
    head = f"| process, at {at:,} credentials | of its own | most resident, the copy's pages counted in |\n"
    return f"{head}|---|---:|---:|\n{lines}"


def rates_table() -> str:
    """What a request costs in the plugin server, and how many a core could take if it did nothing else."""
    data, _ = figures()
    ours = [one for one in data["costs"] if one["server"] == "kong-app-auth"]
    lines = "".join(
        f"| {one['work']} | {one['connections']} | {one['cpu_us']['median']:.0f} µs | "
        f"{one['events_per_second']['median']:,.0f} | ≈ {1e6 / one['cpu_us']['median']:,.0f} |\n"
        for one in sorted(ours, key=lambda one: (one["work"], one["connections"]))
    )
    head = (
        "| request | connections | CPU | a second, on 2 cores shared with the driver | a second and core, computed |\n"
    )
    return f"{head}|---|---:|---:|---:|---:|\n{lines}"


def largest() -> str:
    """How many credentials fit into a copy of the default size."""
    data, _ = figures()
    limit = Settings.model_fields["replica_map_size"].default
    fits = limit * data["copy"]["credentials"] / data["copy"]["file_bytes"]
    return (
        f"With the default `replica_map_size` of {amount(limit)} a node holds ≈ {fits / 1e6:,.0f} million credentials "
        f"({data['copy']['file_bytes'] / data['copy']['credentials']:.0f} bytes each, applications counted in).\n"
    )


def made() -> str:
    """All that stands between the marks."""
    data, control = figures()
    machine = data["machine"]
    head = (
        f"Measured on {machine['cores']} cores of {machine['cpu']}: the data plane at {machine['commit']} "
        f"({machine['date']}), the control plane at {control['machine']['commit']} ({control['machine']['date']}). "
        "**Bold** was measured at this size; ≈ is computed in proportion to what was, and is no more than that.\n"
    )
    return "\n".join([head, sizes_table(), largest(), processes_table(), rates_table()])


def rewritten(text: str) -> str:
    """The page with its figures made anew. Raises ValueError where the marks around them are missing."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{FILE.name} has no place for the figures")
    return before + begin + "\n" + made() + "\n" + end + after


if __name__ == "__main__":
    FILE.write_text(rewritten(FILE.read_text()))
