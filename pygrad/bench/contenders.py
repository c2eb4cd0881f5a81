"""Who takes part: both backends, the pure-Python classes, plain floats, and other libraries if installed.

A library of another shape than ours has programs of its own for some workloads, written as its documentation says.
A function returns them, or raises ImportError where the library is not installed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from array import array
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Callable, NamedTuple

from pygrad import __version__, backend, optim, reference
from pygrad.bench.models import (
    GPT,
    NAMES,
    WIDTH,
    Network,
    Prepared,
    Program,
    Result,
    add_rows,
    calls,
    each_program,
    leaves,
    model_step,
    recorded,
    seed_loss,
    timed,
)
from pygrad.compiled import compile
from pygrad.value import Value, functions

NATIVE, CFFI, PURE, LEAN, FLOATS = "pygrad native", "pygrad cffi", "pure Python", "lean Python", "floats"
EAGER, COMPILED = f"pygrad {backend}", "pygrad compiled"

Programs = Mapping[str, Callable[[], Result]]  # by workload


class Contender(NamedTuple):
    """A class with the operators of Value, or a library of another shape with its own programs."""

    name: str
    version: str
    kind: Any = None
    backend: Any = None  # of ours: the module
    programs: Programs = MappingProxyType({})


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
    return Result(
        {"record and reverse": seconds / OPERATIONS}, [float(total), *(float(slopes[i]) for i in range(WIDTH))]
    )


def _compiled() -> Programs:
    """Functions of the backend in use, compiled before the time counts."""

    @cache
    def prepare(program: Program) -> Prepared:
        record, numbers = compile(program.function).record((program.numbers,), {})[:2]
        code = record.graph.program(range(len(numbers)))
        inputs = record.graph.inputs_with(numbers)
        return lambda: code.give(code.run(inputs)), lambda: record.numbers(numbers, ((0, len(numbers)),))

    def anew(program: Program) -> Prepared:
        xs = [Value(x) for x in program.numbers]
        return lambda: compile(program.function)(xs), list

    def train(model: Any, optimizer: Any, *arguments: Any) -> Callable[[], Result]:
        def step() -> Result:
            for _ in range(5):  # in training, steps follow one another: the program is in the processor's cache
                model.loss(*arguments).backward()
            optimizer.zero_grad()
            return model_step(model)

        def update() -> None:
            optimizer.step()
            optimizer.zero_grad()

        vars(model).update(loss=compile(model.loss), update=update)
        return step

    network, gpt = Network(Value), GPT(Value)
    vars(gpt).update(chosen=_taken)
    return {
        "programs": partial(each_program, prepare, 500_000),
        "compiling": partial(each_program, anew, 1000),
        "calls": partial(calls, compile(lambda x, y: seed_loss((x, y))), float),
        "moons": train(network, optim.SGD(network.parameters, lr=0.05)),
        "gpt": train(gpt, optim.Adam(gpt.parameters, lr=0.01, betas=(0.9, 0.95)), gpt.tokens(NAMES[0])),
    }


def _taken(items: list[Any], place: Any) -> Any:
    """The item at a place that is a Value; of rows, the row."""
    if isinstance(items[0], list):
        return [functions["take"](column, place) for column in zip(*items)]
    return functions["take"](items, place)


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

    return {"seed": partial(_seed, train), "rows": partial(recorded, leaf, OPERATIONS)}


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

        def read() -> list[Any]:
            value, slopes = both(numbers)
            return [value, *slopes.tolist()]

        read()
        return lambda: jax.block_until_ready(both(numbers)), read

    return {
        "seed": partial(_seed, partial(_descend, gradient)),
        "programs": partial(each_program, prepare, 500_000, most=1000),  # more take minutes
    }


def _autograd() -> Programs:
    """The gradient of a function of a list of numbers. It records and reverses in one call."""
    from autograd import grad, value_and_grad

    both = value_and_grad(lambda xs: add_rows(xs, OPERATIONS))
    return {
        "seed": partial(_seed, partial(_descend, grad(seed_loss))),
        "rows": partial(_rows, partial(both, leaves(float))),
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

    return {
        "seed": partial(_seed, train),
        "rows": partial(_rows, differentiate),
        "programs": partial(each_program, prepare, 500_000),
        "compiling": partial(each_program, lambda program: (lambda: make(program), list), 1000),
    }


def _xad() -> Programs:
    """A tape, its inputs registered, a new recording for each pass."""
    import xad.adj_1st as adjoint

    def train() -> list[float]:
        params = [2.0, 3.0]
        with adjoint.Tape() as tape:
            for _ in range(ITERATIONS):
                xs = [adjoint.Real(p) for p in params]
                tape.registerInputs(xs)
                tape.newRecording()
                loss = seed_loss(xs)
                tape.registerOutput(loss)
                loss.derivative = 1.0
                tape.computeAdjoints()
                params = [p - 0.1 * x.derivative for p, x in zip(params, xs)]
        return params

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

    return {"seed": partial(_seed, train), "rows": rows}


_PURE = {PURE: reference.Value, LEAN: reference.LeanValue, FLOATS: float}
_LIBRARIES = {"torch": _torch, "jax": _jax, "autograd": _autograd, "casadi": _casadi, "xad": _xad}
PEERS = ("micrograd", *_LIBRARIES)


def _contender(name: str) -> Contender:
    if name in _PURE:
        return Contender(name, "", _PURE[name])
    if name in (NATIVE, CFFI):
        backend = importlib.import_module(f"pygrad._backends.{name.split()[1]}")
        return Contender(name, __version__, backend.Value, backend)
    if name == COMPILED:
        return Contender(name, __version__, programs=_compiled())
    version = importlib.metadata.version(name)
    if name == "micrograd":
        return Contender(name, version, importlib.import_module("micrograd.engine").Value)
    return Contender(name, version, programs=_LIBRARIES[name]())


def find_contenders() -> list[Contender]:
    """Everybody who is here, ours first."""
    found = []
    for name in (NATIVE, CFFI, COMPILED, *_PURE, *PEERS):
        with suppress(ImportError):
            found.append(_contender(name))
    return found
