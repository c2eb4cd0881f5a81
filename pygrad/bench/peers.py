"""Other libraries' programs for our workloads, each written as its library's documentation says. A function
returns them by workload, or raises ImportError where its library is not installed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from pygrad.bench.models import WIDTH, Result, add_rows, leaves, rows, timed

Programs = dict[str, Callable[[], Result]]
#: Seconds by measure, and what was computed: the total of the rows, and its derivatives in the weights.
Times = tuple[dict[str, float], Sequence[Any]]

ITERATIONS, OPERATIONS = 100, 1280


def _loss(params: Any) -> Any:
    w1, w2 = params
    return 0.5 * ((w1 - 1) ** 2 + (w2 - 5) ** 2)


def _descend(gradient: Callable[[Any], Any]) -> list[Any]:
    params: list[Any] = [2.0, 3.0]
    for _ in range(ITERATIONS):
        params = [p - 0.1 * g for p, g in zip(params, gradient(params))]
    return params


def _seed(train: Callable[[], Sequence[Any]]) -> Result:
    seconds, params = timed(train)
    return Result({"loop": seconds / ITERATIONS}, [float(p) for p in params])


def _rows(differentiate: Callable[[], Times]) -> Result:
    times, values = differentiate()
    amounts = {measure: seconds / OPERATIONS for measure, seconds in times.items()}
    return Result(amounts, [float(value) for value in values])


def with_torch() -> Programs:
    """Tensors without dimensions that require a gradient; updates under no_grad."""
    import torch

    def leaf(x: float) -> Any:
        return torch.tensor(x, dtype=torch.float64, requires_grad=True)

    def train() -> list[Any]:
        params = [leaf(2.0), leaf(3.0)]
        for _ in range(ITERATIONS):
            _loss(params).backward()
            with torch.no_grad():
                for p in params:
                    p -= 0.1 * p.grad
                    p.grad = None
        return params

    def differentiate() -> Times:
        record, (root, weights) = timed(lambda: rows(leaf, OPERATIONS))
        reverse, _ = timed(root.backward)
        return {"record": record, "reverse": reverse}, [root, *(w.grad for w in weights)]

    return {"seed": partial(_seed, train), "rows": partial(_rows, differentiate)}


def with_jax() -> Programs:
    """The gradient of a function, compiled by jit before the time counts. (Unrolled rows of products are not
    for it: it compiles each operation.)"""
    import jax

    jax.config.update("jax_enable_x64", True)
    gradient = jax.jit(jax.grad(_loss))
    gradient([2.0, 3.0])
    return {"seed": partial(_seed, partial(_descend, gradient))}


def with_autograd() -> Programs:
    """The gradient of a function of a list of numbers. It records and reverses in one call."""
    from autograd import grad, value_and_grad

    both = value_and_grad(lambda xs: add_rows(xs, OPERATIONS))

    def differentiate() -> Times:
        seconds, (root, grads) = timed(partial(both, leaves(float)))
        return {"record and reverse": seconds}, [root, *grads[:WIDTH]]

    return {"seed": partial(_seed, partial(_descend, grad(_loss))), "rows": partial(_rows, differentiate)}


def with_casadi() -> Programs:
    """A symbolic expression and its gradient, built once as a Function, then called."""
    import casadi

    def train() -> list[Any]:
        w = casadi.SX.sym("w", 2)
        gradient = casadi.Function("gradient", [w], [casadi.gradient(_loss((w[0], w[1])), w)])
        params = casadi.DM([2.0, 3.0])
        for _ in range(ITERATIONS):
            params = params - 0.1 * gradient(params)
        return [params[0], params[1]]

    def total_and_slopes() -> Any:
        numbers = leaves(float)
        symbols = casadi.SX.sym("x", len(numbers))
        root = add_rows(casadi.vertsplit(symbols), OPERATIONS)
        return casadi.Function("rows", [symbols], [root, casadi.gradient(root, symbols)])(numbers)

    def differentiate() -> Times:
        seconds, (root, slopes) = timed(total_and_slopes)
        return {"record and reverse": seconds}, [root, *(slopes[i] for i in range(WIDTH))]

    return {"seed": partial(_seed, train), "rows": partial(_rows, differentiate)}


def with_xad() -> Programs:
    """A tape, its inputs registered, a new recording for each pass."""
    import xad.adj_1st as adjoint

    def train() -> tuple[float, float]:
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
        return w1, w2

    def differentiate() -> Times:
        with adjoint.Tape() as tape:
            start = leaves(adjoint.Real)
            for leaf in start:
                tape.registerInput(leaf)
            tape.newRecording()
            record, root = timed(lambda: add_rows(start, OPERATIONS))
            tape.registerOutput(root)
            root.derivative = 1.0
            reverse, _ = timed(tape.computeAdjoints)
            values = [root.value, *(w.derivative for w in start[:WIDTH])]
        return {"record": record, "reverse": reverse}, values

    return {"seed": partial(_seed, train), "rows": partial(_rows, differentiate)}
