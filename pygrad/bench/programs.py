"""Functions of lists of numbers whose value and gradient are timed, for classes with the operators of Value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from time import perf_counter
from typing import Any, Callable, NamedTuple

from pygrad.bench.models import GPT, NAMES, Network, Result, flat
from pygrad.copying import topological
from pygrad.functional import value_and_grad
from pygrad.value import Value


class Program(NamedTuple):
    """A loss, as a function of a list."""

    name: str
    function: Callable[[list[Any]], Any]
    numbers: tuple[float, ...]


def seed_loss(params: Any) -> Any:
    w1, w2 = params
    return 0.5 * ((w1 - 1) ** 2 + (w2 - 5) ** 2)


def rosenbrock(xs: list[Any]) -> Any:
    return sum(100.0 * (y - x * x) ** 2 + (1.0 - x) ** 2 for x, y in zip(xs, xs[1:]))


def price(xs: list[Any]) -> Any:
    """Of call options, by Black and Scholes: spot, strike, rate, volatility and time of each."""
    total: Any = 0.0
    for i in range(0, len(xs), 5):
        spot, strike, rate, volatility, time = xs[i : i + 5]
        spread = volatility * time.sqrt()
        d = ((spot / strike).log() + (rate + 0.5 * volatility * volatility) * time) / spread
        later = strike * (-rate * time).exp()
        total = total + spot * _normal(d) - later * _normal(d - spread)
    return total


def _normal(x: Any) -> Any:
    return 0.5 * (1.0 + (x * 0.5**0.5).erf())


def _of_parameters(name: str, model: Callable[[Any], Any], loss: Callable[[Any], Any]) -> Program:
    """The loss of a model as a function of its parameters."""

    def function(xs: list[Any]) -> Any:
        given = iter(xs)
        return loss(model(lambda _: next(given)))

    return Program(name, function, tuple(model(float).parameters))


#: From few operations to many.
PROGRAMS = (
    Program("the walkthrough's loss", seed_loss, (2.0, 3.0)),
    Program("an option's price", price, (100.0, 105.0, 0.02, 0.25, 0.5)),
    Program("100 options", price, (100.0, 105.0, 0.02, 0.25, 0.5) * 100),
    Program("Rosenbrock, 1,000", rosenbrock, tuple(map(math.sin, range(1000)))),
    _of_parameters("two moons", Network, lambda model: model.loss()),
    _of_parameters("GPT, a name", GPT, lambda model: model.loss(model.tokens(NAMES[0]))),
)


@cache
def operations(program: Program) -> int:
    """So many a run of it records."""
    return recorded_operations(program.function, program.numbers)


def recorded_operations(function: Callable[..., Any], numbers: Iterable[float], *others: Any) -> int:
    root = function([Value(x) for x in numbers], *others)
    return sum(1 for value in topological([root]) if value._op)


#: What is timed of a program, and what gives its value and gradient.
Prepared = tuple[Callable[[], Any], Callable[[], Iterable[Any]]]


def each_program(
    prepare: Callable[[Program], Prepared],
    runs: int = 20_000,
    most: float = math.inf,
    programs: Sequence[Program] | None = None,
) -> Result:
    """Seconds an operation of each program; small ones run until there were so many ``runs`` of operations. Those of
    more than ``most`` operations are left out."""
    amounts: dict[str, Any] = {}
    values: list[float] = []
    for program in PROGRAMS if programs is None else programs:
        count = operations(program)
        if count > most:
            amounts[program.name] = "compiling takes too long"
            continue
        run, read = prepare(program)
        run()  # the first one warms up
        repeats = max(1, runs // count)
        start = perf_counter()
        for _ in range(repeats):
            run()
        amounts[program.name] = (perf_counter() - start) / (repeats * count)
        values += map(float, read())
    return Result(amounts, values)


def calls(function: Callable[[Any, Any], Any], kind: Callable[[float], Any], repeats: int = 5_000) -> Result:
    """Seconds of a call of a function of two numbers, which are of that kind, and of its `value_and_grad`."""
    x, y, gradient = kind(2.0), kind(3.0), value_and_grad(function, (0, 1))
    start = perf_counter()
    for _ in range(repeats):
        function(x, y)
    middle = perf_counter()
    for _ in range(repeats):
        gradient(2.0, 3.0)
    end = perf_counter()
    amounts = {"call": (middle - start) / repeats, "value_and_grad": (end - middle) / repeats}
    return Result(amounts, flat(gradient(2.0, 3.0)))
