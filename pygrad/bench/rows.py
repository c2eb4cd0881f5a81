"""One function for many rows of numbers: its mean and the mean's gradient, or the value and gradient of each row."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache, partial
from itertools import chain
from typing import Any, Callable, NamedTuple

from pygrad.bench.finance import PERIOD, asian, libor
from pygrad.bench.models import Result, flat, timed
from pygrad.bench.programs import price, recorded_operations

MEASURE = "gradient"
#: So many rows are compared where not all are computed.
FEW = 10


class Rows(NamedTuple):
    """A function of parameters, of numbers without derivatives, and of a row. ``points`` has the first two of them:
    for each, the mean over the rows is wanted. Without points it is a function of a row alone."""

    name: str
    function: Callable[..., Any]
    rows: list[list[float]]
    points: tuple[tuple[list[float], list[float]], ...] = ()

    def operations(self) -> int:
        """So many a row records."""
        x, *others = (*self.points[0], self.rows[0]) if self.points else (self.rows[0],)
        return recorded_operations(self.function, x, *others)


class Way(NamedTuple):
    """How a contender does it."""

    #: Of a function, for parameters, terms and rows as `convert` makes them: the mean, and its gradient.
    mean: Callable[[Rows, list[float], list[float], Any], tuple[Any, Iterable[Any]]]
    #: Of a function, for such rows: of each row the value, and its gradient.
    each: Callable[[Rows, Any], tuple[Iterable[Any], Iterable[Iterable[Any]]]]
    convert: Callable[[list[list[float]]], Any] = list
    most: float = float("inf")  # operations: it does a part where there are more

    def programs(self) -> dict[str, Callable[[int], Result]]:
        """By workload, for a size."""
        return {name: partial(self.run, make) for name, make in MODELS.items()}

    def run(self, make: Callable[[int], Rows], size: int) -> Result:
        """A round."""
        model = make(size)
        operations = model.operations()
        times = int(min(self.most / operations, len(model.rows) * max(1, len(model.points))))
        rows = model.rows[: max(FEW, times)]
        points = model.points[: max(1, times // len(rows))]
        given = self.convert(rows)
        if model.points:
            values = flat(self.mean(model, *points[0], self.convert(rows[:FEW])))
            seconds, results = timed(lambda: [self.mean(model, *point, given) for point in points])
            if len(rows) == len(model.rows):
                values += chain.from_iterable(map(flat, results))
        else:
            seconds, results = timed(lambda: self.each(model, given))
            values = list(chain.from_iterable(map(flat, zip(*results))))
        done = len(rows) * max(1, len(points))
        note = f", {len(points)} x {len(rows):,} rows" if points else f", {len(rows):,} rows"
        return Result({MEASURE: seconds / (operations * done)}, values, note)


def mean_of(results: Iterable[tuple[float, Iterable[float]]]) -> tuple[float, list[float]]:
    """Of values, and of their gradients."""
    values, slopes = zip(*results)
    return sum(values) / len(values), [sum(column) / len(values) for column in zip(*slopes)]


def row_by_row(differentiated: Callable[[Any], Callable[..., tuple[float, Iterable[float]]]]) -> Way:
    """Calls, for each row, of what makes of a function its value and its gradient in the first argument."""

    def mean(model: Rows, x: list[float], terms: list[float], rows: Any) -> Any:
        call = differentiated(model.function)
        return mean_of([call(x, terms, row) for row in rows])

    def each(model: Rows, rows: Any) -> Any:
        return tuple(zip(*map(differentiated(model.function), rows)))

    return Way(mean, each, most=1e7)


def _normals(rows: int, columns: int) -> list[list[float]]:
    draw = random.Random(20)
    return [[draw.gauss(0.0, 1.0) for _ in range(columns)] for _ in range(rows)]


@cache
def options(rows: int) -> Rows:
    """Black-Scholes prices of calls: spot, strike, rate, volatility and expiry, each with its gradient."""
    draw = random.Random(5)
    limits = ((80.0, 120.0), (80.0, 120.0), (0.0, 0.05), (0.1, 0.4), (0.1, 2.0))
    return Rows("options", price, [[draw.uniform(*limit) for limit in limits] for _ in range(rows)])


@cache
def asian_options(paths: int) -> Rows:
    """A trade for each ten paths; a year of daily steps."""
    draw = random.Random(7)
    points = [
        ([100.0, draw.uniform(0.1, 0.4), draw.uniform(0.0, 0.05)], [draw.uniform(80.0, 120.0), draw.uniform(0.5, 2.0)])
        for _ in range(max(1, paths // 10))
    ]
    return Rows("asian", asian, _normals(paths, 252), tuple(points))


@cache
def swaptions(paths: int) -> Rows:
    """15 swaptions on 80 rates of 5 %, 40 steps: the value and 160 sensitivities."""
    point = ([0.05] * 80 + [0.2] * 80, [0.045, 0.05, 0.055] * 5)
    return Rows("swaptions", libor, _normals(paths, int(10 / PERIOD)), (point,))


MODELS = {"options": options, "asian": asian_options, "swaptions": swaptions}
