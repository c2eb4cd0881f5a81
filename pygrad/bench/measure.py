"""Rounds: contenders take turns, results are compared, medians are taken."""

from __future__ import annotations

import gc
import math
import statistics
import sys
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

from pygrad.bench.contenders import FLOATS, Contender
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


def _runner(workload: Workload, contender: Contender, quick: bool) -> Callable[[], Result] | None:
    """One contender's round, or None where it does not take part."""
    if workload.name in contender.programs:
        return contender.programs[workload.name]
    takes_part = (
        contender.kind is not None
        and (not workload.only or contender.name in workload.only)
        and (contender.kind is not float or workload.baseline == FLOATS)
        and all(hasattr(contender.kind, method) for method in workload.needs)
    )
    return workload.start(contender, quick) if takes_part else None


def _agree(xs: Sequence[float], ys: Sequence[float]) -> bool:
    """Whether two contenders computed the same, as far as both tell."""
    return all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) for x, y in zip(xs, ys))


def measure(workload: Workload, contenders: list[Contender], quick: bool, progress: Any) -> list[Figure]:
    """All figures of one workload. ``progress`` is rich's."""
    runners = {c.name: runner for c in contenders if (runner := _runner(workload, c, quick)) is not None}
    rounds = min(workload.rounds, 3) if quick else workload.rounds
    warm_up = 4 * workload.rounds if COMPILES else 1
    task = progress.add_task(workload.title, total=(warm_up + rounds) * len(runners))
    results: dict[str, list[Result]] = {name: [] for name in runners}
    trouble: dict[str, str] = {}
    for _ in range(warm_up + rounds):
        expected: Sequence[float] | None = None
        for name, runner in runners.items():
            progress.update(task, advance=1, refresh=True)
            if name in trouble:
                continue
            gc.collect()
            try:
                result = runner()
            except RecursionError:
                trouble[name] = "too deep for it"
                continue
            except ImportError as error:
                trouble[name] = f"{error.name} is missing"
                continue
            expected = result.values if expected is None else expected
            if not _agree(result.values, expected):
                trouble[name] = "disagrees"
            results[name].append(result)
    return _figures(workload, {name: done[warm_up:] for name, done in results.items()}, trouble)


def _figures(workload: Workload, results: dict[str, list[Result]], trouble: dict[str, str]) -> list[Figure]:
    medians = {
        (name, key): statistics.median(r.amounts[key] for r in rounds)
        for name, rounds in results.items()
        if name not in trouble
        for key in rounds[0].amounts
    }
    figures = []
    for name, rounds in results.items():
        if name in trouble:
            figures.append(Figure(workload, name, trouble=trouble[name]))
            continue
        for key in rounds[0].amounts:
            amounts = sorted(r.amounts[key] for r in rounds)
            if not workload.baseline:
                base = medians[name, next(iter(rounds[0].amounts))]
            else:  # floats only record
                other = key if (workload.baseline, key) in medians else key.replace("reverse", "record")
                base = medians.get((workload.baseline, other), math.nan)
            quarter = len(amounts) // 4
            median = medians[name, key]
            low, high = amounts[quarter], amounts[-1 - quarter]
            figures.append(Figure(workload, name, key, median, low, high, median / base))
    return figures
