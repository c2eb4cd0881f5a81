"""Rounds: contenders take turns, results are compared, medians are taken."""

from __future__ import annotations

import gc
import math
import statistics
import sys
from functools import partial
from typing import Any, Callable, NamedTuple

from pygrad.bench.contenders import Contender
from pygrad.bench.models import Result
from pygrad.bench.workloads import Workload

#: Whether the interpreter compiles while it runs, and needs longer until it is at its speed.
COMPILES = sys.implementation.name != "cpython"


class Figure(NamedTuple):
    """One contender's amount in one measure: the median over the rounds, and the quarters about it."""

    workload: Workload
    contender: str
    measure: str = ""
    median: float = math.nan  # seconds, or bytes; nan where there is trouble
    low: float = math.nan
    high: float = math.nan
    ratio: float = math.nan  # how many times the baseline's
    trouble: str = ""  # why there is no figure
    note: str = ""  # how much was done, where not all do the same


def measure(workload: Workload, contenders: list[Contender], quick: bool, progress: Any) -> list[Figure]:
    """All figures of one workload. ``progress`` is rich's."""
    runners: dict[str, Callable[[], Result]] = {}
    for c in contenders:
        if workload.name in c.programs:
            program = c.programs[workload.name]
            runners[c.name] = partial(program, workload.sizes[quick]) if workload.sizes else program
        elif c.kind is not None and (not workload.only or c.name in workload.only):
            size = workload.sizes[quick] if workload.sizes else quick
            runners[c.name] = partial(workload.one_round, c, size)
    rounds = min(workload.rounds, 3) if quick else workload.rounds
    warm_up = 4 * workload.rounds if COMPILES else 1
    task = progress.add_task(workload.title, total=(warm_up + rounds) * len(runners))
    results: dict[str, list[Result]] = {name: [] for name in runners}
    trouble: dict[str, str] = {}
    for _ in range(warm_up + rounds):
        expected: list[float] = []
        for name, runner in runners.items():
            progress.update(task, advance=1, refresh=True)
            if name in trouble:
                continue
            gc.collect()
            try:
                result = runner()
            except RecursionError:
                trouble[name] = "too deep for it"
            except ImportError as error:
                trouble[name] = f"{error.name} is missing"
            else:
                results[name].append(result)
                expected = expected or result.values
                pairs = zip(result.values, expected)  # as far as both tell
                if not all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) for x, y in pairs):
                    trouble[name] = "disagrees"
    return _figures(workload, {name: done[warm_up:] for name, done in results.items()}, trouble)


def _figures(workload: Workload, results: dict[str, list[Result]], trouble: dict[str, str]) -> list[Figure]:
    figures = []
    for name, rounds in results.items():
        if name in trouble:
            figures.append(Figure(workload, name, trouble=trouble[name]))
            continue
        for key, first in rounds[0].amounts.items():
            if isinstance(first, str):
                figures.append(Figure(workload, name, key, trouble=first))
                continue
            amounts = sorted(r.amounts[key] for r in rounds)
            low, high = amounts[len(amounts) // 4], amounts[-1 - len(amounts) // 4]
            median = statistics.median(amounts)
            figures.append(Figure(workload, name, key, median, low, high, note=rounds[0].note))
    medians = {(f.contender, f.measure): f.median for f in figures}

    def base(f: Figure) -> float:
        """The median that a figure's ratio is to."""
        if not workload.baseline:
            return next(median for (name, _), median in medians.items() if name == f.contender)
        record = f.measure.replace("reverse", "record")  # floats only record
        return medians.get((workload.baseline, f.measure), medians.get((workload.baseline, record), math.nan))

    return [f._replace(ratio=f.median / base(f)) for f in figures]
