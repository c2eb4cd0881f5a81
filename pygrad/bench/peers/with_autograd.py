"""autograd: the gradient of a function of a list of numbers. It records and reverses in one call."""

from __future__ import annotations

from typing import Any

from autograd import grad, value_and_grad

from pygrad.bench import models
from pygrad.bench.workloads import Result, timed

ITERATIONS, OPERATIONS = 100, 1280


def _loss(params: Any) -> Any:
    w1, w2 = params
    return 0.5 * ((w1 - 1) ** 2 + (w2 - 5) ** 2)


def _train() -> list[float]:
    gradient, params = grad(_loss), [2.0, 3.0]
    for _ in range(ITERATIONS):
        params = [p - 0.1 * g for p, g in zip(params, gradient(params))]
    return params


def _seed() -> Result:
    seconds, params = timed(_train)
    return Result({"loop": seconds / ITERATIONS}, list(params))


def _total(leaves: Any) -> Any:
    return models.add_rows(leaves, OPERATIONS)


def _rows() -> Result:
    leaves = models.leaves(float)
    seconds, (root, grads) = timed(lambda: value_and_grad(_total)(leaves))
    return Result({"record and reverse": seconds / OPERATIONS}, [root, *grads[: models.WIDTH]])


PROGRAMS = {"seed": _seed, "rows": _rows}
