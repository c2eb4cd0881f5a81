"""xad: a tape, its inputs registered, a new recording for each pass."""

from __future__ import annotations

import xad.adj_1st as adjoint

from pygrad.bench import models
from pygrad.bench.workloads import Result, timed

ITERATIONS, OPERATIONS = 100, 1280


def _train() -> list[float]:
    w1, w2 = 2.0, 3.0
    with adjoint.Tape() as tape:
        for _ in range(ITERATIONS):
            x1, x2 = adjoint.Real(w1), adjoint.Real(w2)
            tape.registerInput(x1)
            tape.registerInput(x2)
            tape.newRecording()
            loss = 0.5 * ((x1 - 1) ** 2 + (x2 - 5) ** 2)
            tape.registerOutput(loss)
            loss.derivative = 1.0
            tape.computeAdjoints()
            w1, w2 = w1 - 0.1 * x1.derivative, w2 - 0.1 * x2.derivative
    return [w1, w2]


def _seed() -> Result:
    seconds, params = timed(_train)
    return Result({"loop": seconds / ITERATIONS}, params)


def _rows() -> Result:
    with adjoint.Tape() as tape:
        leaves = models.leaves(adjoint.Real)
        for leaf in leaves:
            tape.registerInput(leaf)
        tape.newRecording()
        record, root = timed(lambda: models.add_rows(leaves, OPERATIONS))
        tape.registerOutput(root)
        root.derivative = 1.0
        reverse, _ = timed(tape.computeAdjoints)
        values = [root.value, *(w.derivative for w in leaves[: models.WIDTH])]
    return Result({"record": record / OPERATIONS, "reverse": reverse / OPERATIONS}, values)


PROGRAMS = {"seed": _seed, "rows": _rows}
