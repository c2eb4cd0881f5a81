"""casadi: a symbolic expression and its gradient, built once as a Function, then called."""

from __future__ import annotations

from typing import Any

import casadi

from pygrad.bench import models
from pygrad.bench.workloads import Result, timed

ITERATIONS, OPERATIONS = 100, 1280


def _train() -> list[float]:
    w = casadi.SX.sym("w", 2)
    loss = 0.5 * ((w[0] - 1) ** 2 + (w[1] - 5) ** 2)
    gradient = casadi.Function("gradient", [w], [casadi.gradient(loss, w)])
    params = casadi.DM([2.0, 3.0])
    for _ in range(ITERATIONS):
        params = params - 0.1 * gradient(params)
    return [float(params[0]), float(params[1])]


def _seed() -> Result:
    seconds, params = timed(_train)
    return Result({"loop": seconds / ITERATIONS}, params)


def _differentiate() -> tuple[Any, list[float]]:
    numbers = models.leaves(float)
    symbols = casadi.SX.sym("x", len(numbers))
    root = models.add_rows(casadi.vertsplit(symbols), OPERATIONS)
    function = casadi.Function("rows", [symbols], [root, casadi.gradient(root, symbols)])
    return function(numbers)


def _rows() -> Result:
    seconds, (root, slopes) = timed(_differentiate)
    values = [float(root), *(float(slopes[i]) for i in range(models.WIDTH))]
    return Result({"record and reverse": seconds / OPERATIONS}, values)


PROGRAMS = {"seed": _seed, "rows": _rows}
