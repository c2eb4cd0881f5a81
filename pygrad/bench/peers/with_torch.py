"""torch: tensors without dimensions that require a gradient; updates under no_grad."""

from __future__ import annotations

from typing import Any

import torch

from pygrad.bench import models
from pygrad.bench.workloads import Result, timed

ITERATIONS, OPERATIONS = 100, 1280


def _leaf(x: float) -> Any:
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def _train() -> list[Any]:
    w1, w2 = _leaf(2.0), _leaf(3.0)
    for _ in range(ITERATIONS):
        loss = 0.5 * ((w1 - 1) ** 2 + (w2 - 5) ** 2)
        loss.backward()
        with torch.no_grad():
            for p in (w1, w2):
                p -= 0.1 * p.grad
                p.grad = None
    return [w1, w2]


def _seed() -> Result:
    seconds, params = timed(_train)
    return Result({"loop": seconds / ITERATIONS}, [p.item() for p in params])


def _rows() -> Result:
    record, (root, weights) = timed(lambda: models.rows(_leaf, OPERATIONS))
    reverse, _ = timed(root.backward)
    amounts = {"record": record / OPERATIONS, "reverse": reverse / OPERATIONS}
    return Result(amounts, [root.item(), *(w.grad.item() for w in weights)])


PROGRAMS = {"seed": _seed, "rows": _rows}
