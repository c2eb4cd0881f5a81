"""jax: the gradient of a function, compiled by jit before the time counts. (Unrolled rows of products are
not for it: it compiles each operation.)"""

from __future__ import annotations

from typing import Any

import jax

from pygrad.bench.workloads import Result, timed

ITERATIONS = 100
jax.config.update("jax_enable_x64", True)


def _loss(params: Any) -> Any:
    w1, w2 = params
    return 0.5 * ((w1 - 1) ** 2 + (w2 - 5) ** 2)


_gradient = jax.jit(jax.grad(_loss))


def _train() -> list[Any]:
    params = [2.0, 3.0]
    for _ in range(ITERATIONS):
        params = [p - 0.1 * g for p, g in zip(params, _gradient(params))]
    return params


def _seed() -> Result:
    _gradient([2.0, 3.0])
    seconds, params = timed(_train)
    return Result({"loop": seconds / ITERATIONS}, [float(p) for p in params])


PROGRAMS = {"seed": _seed}
