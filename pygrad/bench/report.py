"""The table, the file of figures and the chart."""

from __future__ import annotations

import json
import math
import platform
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pygrad import __version__
from pygrad.bench.contenders import CFFI, NATIVE, Contender
from pygrad.bench.measure import Figure

console = Console()


def progress() -> Progress:
    return Progress(console=console, transient=True)


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
    versions = ", ".join(f"{c.name} {c.version}" for c in contenders if c.version and c.programs or c.name == "micrograd")
    console.print(f"also here: {versions or 'no other library (see the extra, peers)'}", highlight=False)


def _amount(value: float, measure: str) -> str:
    if measure == "bytes":
        return f"{value:.0f} B"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if value >= size:
            break
    return f"{value / size:.3g} {unit}"


def _ratio(figure: Figure) -> str:
    """How the contender compares with the baseline, in words."""
    ratio = figure.ratio
    if math.isnan(ratio):
        return ""
    if figure.contender == figure.workload.baseline and ratio == 1.0:
        return "1"
    if ratio < 0.5 and figure.workload.name not in ("rows", "growth"):
        return f"1 / {1 / ratio:.1f}"
    return f"{ratio:.2f}"


def show(figures: list[Figure]) -> None:
    workload = None
    for figure in figures:
        if figure.workload is not workload:
            if workload is not None:
                console.print(table)
            workload = figure.workload
            table = Table(title=f"{workload.title}: {workload.name}", title_justify="left")
            for header in ("", "", f"{workload.unit}", "middle half of rounds", f"times {workload.baseline}"):
                table.add_column(header, justify="left" if header == "" else "right")
        if figure.trouble:
            table.add_row(figure.contender, "", figure.trouble, "", "")
            continue
        spread = f"{_amount(figure.low, figure.measure)} to {_amount(figure.high, figure.measure)}"
        table.add_row(
            figure.contender, figure.measure, _amount(figure.median, figure.measure), spread, _ratio(figure)
        )
    if workload is not None:
        console.print(table)


def write_json(figures: list[Figure], contenders: list[Contender], path: Path) -> None:
    records = [
        {
            "workload": f.workload.name,
            "contender": f.contender,
            "measure": f.measure,
            "unit": "bytes" if f.measure == "bytes" else "seconds",
            "for": f.workload.unit,
            "median": None if f.trouble else f.median,
            "low": None if f.trouble else f.low,
            "high": None if f.trouble else f.high,
            "baseline": f.workload.baseline,
            "ratio": None if math.isnan(f.ratio) else f.ratio,
            "trouble": f.trouble or None,
        }
        for f in figures
    ]
    content = {"machine": _machine(), "versions": {c.name: c.version for c in contenders}, "figures": records}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    console.print(f"wrote {path}")


def check_plot(path: Path) -> None:
    """Fail before the long run, not after it."""
    try:
        import matplotlib  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        sys.exit("matplotlib is needed for --plot; install the extra: pip install 'pygrad-cffi[bench]'")
    if path.suffix not in (".svg", ".png", ".pdf"):
        sys.exit(f"{path}: the chart's file must end in .svg, .png or .pdf")


#: The measures in the chart: the time of a whole step, where there is one, else of recording.
_CHARTED = ("loop", "step", "record", "reverse")


def write_plot(figures: list[Figure], path: Path) -> None:
    """A panel for each workload with times: bars on a logarithmic scale, the fastest on top."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels: dict[tuple[str, str], list[Figure]] = {}
    for f in figures:
        if f.measure in _CHARTED and not f.trouble and f.workload.name != "chain":
            panels.setdefault((f.workload.title, f.measure), []).append(f)
    if not panels:
        console.print("nothing to draw: the chart shows seed, rows, moons and gpt")
        return
    heights = [len(panel) + 1.5 for panel in panels.values()]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(8, 0.3 * sum(heights)), height_ratios=heights, squeeze=False, layout="constrained"
    )
    for ax, ((title, measure), panel) in zip(axes[:, 0], panels.items()):
        _draw_panel(ax, title, measure, sorted(panel, key=lambda f: f.median, reverse=True))
    figure.savefig(path, dpi=150)
    plt.close(figure)
    console.print(f"wrote {path}")


def _draw_panel(ax: Any, title: str, measure: str, panel: list[Figure]) -> None:
    best = min(f.median for f in panel)
    colors = ["#c8102e" if f.contender == NATIVE else "#e88ba0" if f.contender == CFFI else "#9aa5b1" for f in panel]
    bars = ax.barh([f.contender for f in panel], [f.median for f in panel], color=colors, left=0)
    labels = [
        f" {_amount(f.median, f.measure)}" + ("" if f.median == best else f"   ({f.median / best:.3g}×)") for f in panel
    ]
    ax.bar_label(bars, labels, fontsize=8)
    ax.set_xscale("log")
    ax.set_xlim(best / 3, max(f.median for f in panel) * 12)
    what = "" if measure in ("loop", "step") else f", {measure}"
    ax.set_title(f"{title}{what}: time of {panel[0].workload.unit}", loc="left", fontsize=10)
    ax.tick_params(labelsize=8)
    ax.xaxis.set_major_formatter(lambda value, _: _amount(value, measure))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
