"""``python -m pygrad bench``: how fast this is, beside pure Python and whatever of its kind is installed.

Contenders take turns within each round, so that a machine that slows down for a while slows all of them;
medians and ratios within one run are what counts. What a contender computes is compared with what the
others compute before its time counts.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pygrad.bench.workloads import WORKLOADS


def add_arguments(command: argparse.ArgumentParser) -> None:
    names = ", ".join(WORKLOADS)
    command.add_argument("--only", metavar="NAMES", help=f"workloads, separated by commas, of: {names}")
    command.add_argument("--quick", action="store_true", help="fewer rounds and smaller graphs")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    command.add_argument("--plot", type=Path, metavar="FILE", help="write a chart: .svg, .png or .pdf")
    command.set_defaults(command=main)


def main(options: argparse.Namespace) -> None:
    """Measure, and print a table of medians and ratios; figures and a chart can be written to files."""
    names = WORKLOADS if options.only is None else options.only.split(",")
    if unknown := [name for name in names if name not in WORKLOADS]:
        sys.exit(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    if options.plot is not None and options.plot.suffix not in (".svg", ".png", ".pdf"):
        sys.exit(f"{options.plot}: the chart's file must end in .svg, .png or .pdf")
    # scipy's vectors are small: threads of BLAS that wait for each other would be most of its time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from pygrad.bench import report

        if options.plot is not None:
            import matplotlib  # noqa: F401 -- rather now than after the long run
    except ImportError as error:
        sys.exit(f"{error.name} is needed for this (the extra bench): pip install {error.name}")
    from pygrad.bench.contenders import find_contenders
    from pygrad.bench.measure import measure

    contenders = find_contenders()
    report.show_machine(contenders)
    figures = []
    with report.progress() as progress:
        for name in names:
            figures += measure(WORKLOADS[name], contenders, options.quick, progress)
    report.show(figures)
    if options.json is not None:
        report.write_json(figures, contenders, options.json)
    if options.plot is not None:
        report.write_plot(figures, options.plot)
    if any(figure.trouble == "disagrees" for figure in figures):
        sys.exit("a contender computed something else than the others: see the table")
