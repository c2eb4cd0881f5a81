"""Other libraries, of another shape than ours: programs of their own, written as their documentation says.

A function returns them by workload, or raises ImportError where the library is not installed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import cache, partial
from typing import Any, Callable

from pygrad.bench import row_peers
from pygrad.bench.cmpad import CMPAD
from pygrad.bench.models import WIDTH, Result, add_rows, flat, leaves, recorded, timed
from pygrad.bench.ours import Programs
from pygrad.bench.programs import Prepared, Program, each_program, seed_loss

ITERATIONS, OPERATIONS = 100, 1280


def _descend(gradient: Callable[[Any], Any]) -> list[Any]:
    params: list[Any] = [2.0, 3.0]
    for _ in range(ITERATIONS):
        params = [p - 0.1 * g for p, g in zip(params, gradient(params))]
    return params


def _seed(train: Callable[[], Iterable[Any]]) -> Result:
    seconds, params = timed(train)
    return Result({"loop": seconds / ITERATIONS}, [float(p) for p in params])


def _rows(differentiate: Callable[[], tuple[Any, Any]]) -> Result:
    """For libraries that record and reverse in one call, which returns the total and its derivatives."""
    seconds, (total, slopes) = timed(differentiate)
    return Result({"record and reverse": seconds / OPERATIONS}, flat((total, [slopes[i] for i in range(WIDTH)])))


def _cmpad(prepare: Callable[[Program], Prepared], set_up: Callable[[Program], Prepared], runs: int = 1000) -> Programs:
    return {
        "cmpad": partial(each_program, prepare, runs, programs=CMPAD),
        "cmpad-setup": partial(each_program, set_up, 1000, programs=CMPAD),
    }


def _recorded(program: Program, xs: list[Any]) -> Prepared:
    """Recorded and reversed, of leaves with a grad."""

    def read() -> list[Any]:
        for x in xs:
            x.grad = None
        root = program.function(xs)
        root.backward()
        return [root, *(x.grad for x in xs)]

    return read, read


def _torch() -> Programs:
    """Tensors without dimensions that require a gradient; updates under no_grad."""
    import torch

    leaf = partial(torch.tensor, dtype=torch.float64, requires_grad=True)

    def train() -> list[Any]:
        params = [leaf(2.0), leaf(3.0)]
        for _ in range(ITERATIONS):
            seed_loss(params).backward()
            with torch.no_grad():
                for p in params:
                    p -= 0.1 * p.grad
                    p.grad = None
        return params

    def prepare(program: Program) -> Prepared:
        return _recorded(program, [leaf(x) for x in program.numbers])

    return {
        "seed": partial(_seed, train),
        "rows": partial(recorded, leaf, OPERATIONS),
        **_cmpad(prepare, prepare),
        **row_peers.torch(),
    }


def _jax() -> Programs:
    """The gradient of a function, compiled by jit before the time counts. (Unrolled rows of products are not
    for it: it compiles each operation.)"""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    gradient = jax.jit(jax.grad(seed_loss))
    gradient([2.0, 3.0])
    methods = {"exp": jnp.exp, "log": jnp.log, "sqrt": jnp.sqrt, "erf": jax.scipy.special.erf}
    for name, function in methods.items():
        setattr(jax.core.Tracer, name, function)

    @cache
    def prepare(program: Program) -> Prepared:
        both = jax.jit(jax.value_and_grad(lambda array: program.function(list(array))))
        numbers = jnp.array(program.numbers)

        both(numbers)
        return lambda: jax.block_until_ready(both(numbers)), lambda: flat(jax.device_get(both(numbers)))

    def set_up(program: Program) -> Prepared:
        return lambda: prepare.__wrapped__(program)[1](), prepare(program)[1]

    return {
        "seed": partial(_seed, partial(_descend, gradient)),
        "programs": partial(each_program, prepare, 500_000, most=1000),  # more take minutes
        **_cmpad(prepare, set_up, 500_000),
        **row_peers.jax(),
    }


def _autograd() -> Programs:
    """The gradient of a function of a list of numbers. It records and reverses in one call."""
    import autograd.numpy as np
    import autograd.scipy.special as special
    from autograd import grad, value_and_grad
    from autograd.numpy.numpy_boxes import ArrayBox

    for name, function in {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "erf": special.erf}.items():
        setattr(ArrayBox, name, function)
    ArrayBox.relu = lambda x: np.maximum(x, 0.0)

    def prepare(program: Program) -> Prepared:
        differentiate = partial(value_and_grad(program.function), list(program.numbers))
        return differentiate, lambda: flat(differentiate())

    both = value_and_grad(lambda xs: add_rows(xs, OPERATIONS))
    return {
        "seed": partial(_seed, partial(_descend, grad(seed_loss))),
        "rows": partial(_rows, partial(both, leaves(float))),
        **_cmpad(prepare, prepare),
        **row_peers.autograd(),
    }


def _casadi() -> Programs:
    """A symbolic expression and its gradient, built once as a Function, then called."""
    import casadi

    def train() -> list[Any]:
        w = casadi.SX.sym("w", 2)
        gradient = casadi.Function("gradient", [w], [casadi.gradient(seed_loss((w[0], w[1])), w)])
        params = casadi.DM([2.0, 3.0])
        for _ in range(ITERATIONS):
            params = params - 0.1 * gradient(params)
        return [params[0], params[1]]

    def differentiate() -> Any:
        numbers = leaves(float)
        symbols = casadi.SX.sym("x", len(numbers))
        total = add_rows(casadi.vertsplit(symbols), OPERATIONS)
        return casadi.Function("rows", [symbols], [total, casadi.gradient(total, symbols)])(numbers)

    casadi.SX.relu = lambda x: casadi.fmax(x, 0.0)

    def make(program: Program) -> Any:
        symbols = casadi.SX.sym("x", len(program.numbers))
        value = program.function(casadi.vertsplit(symbols))
        return casadi.Function("program", [symbols], [value, casadi.densify(casadi.gradient(value, symbols))])

    @cache
    def prepare(program: Program) -> Prepared:
        """It is run on buffers: a call with numbers would take longer than a small program."""
        function = make(program)
        numbers, value, slopes = (array("d", x) for x in (program.numbers, [0.0], program.numbers))
        buffer, run = function.buffer()
        buffer.set_arg(0, memoryview(numbers))
        buffer.set_res(0, memoryview(value))
        buffer.set_res(1, memoryview(slopes))
        # the buffer has no more than the addresses of what is kept here
        return run, lambda kept=(function, buffer, numbers): [*value, *slopes]

    def set_up(program: Program) -> Prepared:
        return lambda: make(program)(program.numbers), prepare(program)[1]

    return {
        "seed": partial(_seed, train),
        "rows": partial(_rows, differentiate),
        "programs": partial(each_program, prepare, 500_000),
        "compiling": partial(each_program, lambda program: (lambda: make(program), list), 1000),
        **_cmpad(prepare, set_up, 500_000),
        **row_peers.casadi(),
    }


def _xad() -> Programs:
    """A tape, its inputs registered, a new recording for each pass."""
    import xad.adj_1st as adjoint
    import xad.math

    def method(function: Callable[[Any], Any]) -> Any:
        return lambda x: function(x)  # one of C would not be bound

    for name in ("exp", "log", "sqrt", "erf"):
        setattr(adjoint.Real, name, method(getattr(xad.math, name)))
    adjoint.Real.relu = lambda x: xad.math.fmax(x, 0.0)

    def prepare(program: Program) -> Prepared:
        def read() -> list[float]:
            with adjoint.Tape() as tape:
                return flat(row_peers.on_tape(tape, adjoint.Real, program.function, program.numbers))

        return read, read

    def train() -> list[float]:
        with adjoint.Tape() as tape:
            return _descend(lambda params: row_peers.on_tape(tape, adjoint.Real, seed_loss, params)[1])

    def rows() -> Result:
        with adjoint.Tape() as tape:
            start = leaves(adjoint.Real)
            tape.registerInputs(start)
            tape.newRecording()
            record, total = timed(lambda: add_rows(start, OPERATIONS))
            tape.registerOutput(total)
            total.derivative = 1.0
            reverse, _ = timed(tape.computeAdjoints)
            values = [total.value, *(w.derivative for w in start[:WIDTH])]
        return Result({"record": record / OPERATIONS, "reverse": reverse / OPERATIONS}, values)

    return {"seed": partial(_seed, train), "rows": rows, **_cmpad(prepare, prepare), **row_peers.xad()}


LIBRARIES = {"torch": _torch, "jax": _jax, "autograd": _autograd, "casadi": _casadi, "xad": _xad}
