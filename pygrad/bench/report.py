"""The table, the file of figures and the chart."""

from __future__ import annotations

import itertools
import json
import math
import platform
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pygrad import __version__
from pygrad.bench.contenders import CFFI, NATIVE, PEERS, Contender
from pygrad.bench.measure import Figure

console = Console()
if not console.is_terminal:
    console.width = 100  # a file or a pipe has no width; 80 is too narrow for the tables


def progress() -> Progress:
    return Progress(console=console, transient=True, auto_refresh=False)  # no thread beside what is measured


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _machine() -> dict[str, str]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "pygrad": __version__,
        "python": f"{python}, {platform.python_compiler()}",
        "system": platform.platform(),
        "processor": _processor(),
    }


def show_machine(contenders: list[Contender]) -> None:
    for name, value in _machine().items():
        console.print(f"{name}: {value}", highlight=False)
    peers = ", ".join(f"{c.name} {c.version}" for c in contenders if c.name in PEERS)
    console.print(f"other libraries: {peers or 'none is installed'}", highlight=False)
    missing = ", ".join(name for name in PEERS if name not in {c.name for c in contenders})
    if peers and missing:
        console.print(f"not installed: {missing}", highlight=False)


def _unit(measure: str) -> str:
    """What is counted: the last word of a measure where it is no time."""
    word = measure.rpartition(" ")[2]
    return word if word in ("bytes", "evaluations", "runs") else "seconds"


def _amount(value: float, measure: str) -> str:
    if _unit(measure) != "seconds":
        return f"{value:,.0f} B" if measure == "bytes" else f"{value:,.0f}"
    micro = "us" if console.options.ascii_only else "µs"  # as rich does with a table's lines
    units = (("s", 1.0), ("ms", 1e-3), (micro, 1e-6))
    unit, size = next(((unit, size) for unit, size in units if value >= size), ("ns", 1e-9))
    return f"{value / size:.3g} {unit}"


def _ratio(ratio: float) -> str:
    """A multiple of the baseline's amount: below a twentieth, a fraction of it."""
    if math.isnan(ratio):
        return ""
    return f"1/{1 / ratio:.3g}" if ratio < 0.05 else f"{ratio:.3g}"


def show(figures: list[Figure]) -> None:
    """One table a workload: the median, the middle half of the rounds, and the ratio to the baseline."""
    for workload, group in itertools.groupby(figures, key=lambda f: f.workload):
        title = f"\n{workload.title} ({workload.name})"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        rows = list(group)
        ratio = f"/ {workload.baseline or 'written out'}" if any(f.ratio == f.ratio for f in rows) else " "
        for header in ("", "", workload.unit, "from", "to", ratio):
            table.add_column(header, justify="right" if header else "left", no_wrap=True)
        for f in rows:
            amounts = [_amount(x, f.measure) for x in (f.median, f.low, f.high)]
            shown = [*amounts, _ratio(f.ratio)] if not f.trouble else [f.trouble]
            table.add_row(f.contender, *([f.measure + f.note] if f.measure else []), *shown)
        console.print(table)


def write_json(figures: list[Figure], contenders: list[Contender], path: Path) -> None:
    records = [
        {
            **{name: None if value != value else value for name, value in f._asdict().items()},  # nan is no JSON
            "workload": f.workload.name,
            "unit": _unit(f.measure),
            "for": f.workload.unit,
            "baseline": f.workload.baseline,
            "trouble": f.trouble or None,
            "note": f.note or None,
        }
        for f in figures
    ]
    content = {"machine": _machine(), "versions": {c.name: c.version for c in contenders}, "figures": records}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    console.print(f"wrote {path}")


_COLORS = {NATIVE: "#c8102e", CFFI: "#e88ba0"}

#: The measures in the chart: the time of a whole step, where there is one, else of recording.
_CHARTED = ("loop", "step", "record", "reverse")


def write_plot(figures: list[Figure], path: Path) -> None:
    """A panel for each workload with times: bars on a logarithmic scale, the fastest on top."""
    from matplotlib.figure import Figure as Chart

    panels: dict[tuple[str, str], list[Figure]] = {}
    for f in figures:
        if f.measure in _CHARTED and not f.trouble and f.workload.name != "chain":
            panels.setdefault((f.workload.title, f.measure), []).append(f)
    if not panels:
        console.print("nothing to draw: the chart shows seed, rows, moons and gpt")
        return
    heights = [len(panel) + 1.5 for panel in panels.values()]
    chart = Chart(figsize=(8, 0.3 * sum(heights)), layout="constrained")
    for ax, panel in zip(chart.subplots(len(panels), height_ratios=heights, squeeze=False).flat, panels.values()):
        _draw_panel(ax, sorted(panel, key=lambda f: f.median, reverse=True))
    chart.savefig(path, dpi=150)
    console.print(f"wrote {path}")


def _draw_panel(ax: Any, panel: list[Figure]) -> None:
    workload, measure = panel[0].workload, panel[0].measure
    amounts = [f.median for f in panel]
    colors = [_COLORS.get(f.contender, "#9aa5b1") for f in panel]
    bars = ax.barh([f.contender for f in panel], amounts, color=colors)
    labels = [f" {_amount(amount, measure)}   ({amount / amounts[-1]:.3g}×)" for amount in amounts]
    ax.bar_label(bars, labels, fontsize=8)
    ax.set_xscale("log")
    ax.set_xlim(amounts[-1] / 3, amounts[0] * 12)
    what = "" if measure in ("loop", "step") else f", {measure}"
    ax.set_title(f"{workload.title}{what}: time of {workload.unit}", loc="left", fontsize=10)
    ax.tick_params(labelsize=8)
    ax.xaxis.set_major_formatter(lambda value, _: _amount(value, measure))
    ax.spines[["top", "right"]].set_visible(False)
