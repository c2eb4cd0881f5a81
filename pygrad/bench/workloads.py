"""What is measured, for classes like Value; other libraries' programs for the same are in `contenders`."""

from __future__ import annotations

import subprocess
import sys
from functools import cache, partial
from time import perf_counter
from typing import Any, Callable, NamedTuple

from pygrad import walkthrough
from pygrad.bench import fits, models, programs
from pygrad.bench.cmpad import CMPAD
from pygrad.bench.contenders import CFFI, COMPILED, EAGER, FLOATS, LEAN, NATIVE, PURE, Contender
from pygrad.bench.models import Result, timed
from pygrad.bench.programs import Prepared, Program
from pygrad.bench.rows import MEASURE, row_by_row


class Workload(NamedTuple):
    name: str
    title: str
    unit: str  # what one amount is for
    baseline: str  # the contender that ratios are to; "": to each one's own first measure
    rounds: int
    one_round: Callable[[Contender, Any], Result]  # of a quick run or a full one, or of a size
    only: tuple[str, ...] = ()  # contenders with a class; empty for all
    sizes: tuple[int, int] | None = None  # full and quick, where programs take one


def _seed(contender: Contender, quick: bool) -> Result:
    seconds, params = walkthrough.time_training(contender.kind)
    return Result({"loop": seconds}, [p.data for p in params])


def _rows(contender: Contender, quick: bool) -> Result:
    # a deeper graph is too deep for a class that sorts by recursion
    return models.recorded(contender.kind, 1280, repeats=20)


#: The one model that all rounds of a class train.
_trained = cache(lambda model, kind: model(kind))


def _step(model: Callable[[Any], Any], contender: Contender, quick: bool) -> Result:
    return models.model_step(_trained(model, contender.kind))


def _chain(contender: Contender, quick: bool) -> Result:
    depth = 10**5 if quick else 10**6
    record, (root, leaf) = timed(lambda: models.chain(contender.kind, depth))
    reverse, _ = timed(root.backward)
    values = [root.data, leaf.grad]
    start = perf_counter()
    del root
    if contender.backend is not None:  # our cffi backend hands dead nodes over in bulk
        contender.backend.live_nodes()
    free = perf_counter() - start
    return Result({"record": record / depth, "reverse": reverse / depth, "free": free / depth}, values)


def _dot(contender: Contender, quick: bool) -> Result:
    terms, repeats = 64, 200
    xs = [contender.kind(i / terms) for i in range(terms)]
    ys = [contender.kind(1.0 - i / terms) for i in range(terms)]
    dot = contender.backend.functions["dot"]

    def written_out() -> None:
        for _ in range(repeats):
            total = xs[0] * ys[0]
            for x, y in zip(xs[1:], ys[1:]):
                total = total + x * y
            total.backward()

    def one_node() -> None:
        for _ in range(repeats):
            dot(xs, ys).backward()

    out, _ = timed(written_out)
    node, _ = timed(one_node)
    return Result({"written out": out / repeats, "one node": node / repeats}, [v.grad for v in xs])


def _growth(contender: Contender, quick: bool) -> Result:
    amounts, totals = {}, []
    for power in range(3, 6 if quick else 8):
        result = models.recorded(contender.kind, 10**power, max(1, 10 ** (5 - power)))
        amounts.update({f"{name} 10^{power}": seconds for name, seconds in result.amounts.items()})
        totals.append(result.values[0])
    return Result(amounts, totals)


_MEMORY = """
import importlib, sys
import psutil
from pygrad.bench.models import rows
module, name = sys.argv[1:]
kind = getattr(importlib.import_module(module), name)
rows(kind, 6400)
process = psutil.Process()
before = process.memory_info().rss
root, _ = rows(kind, 640000)
print((process.memory_info().rss - before) / 640000, root.data)
"""


def _memory(contender: Contender, quick: bool) -> Result:
    """The growth of the resident memory of a process that records a graph."""
    import psutil  # noqa: F401 -- the process below needs it

    module = getattr(contender.backend, "__name__", contender.kind.__module__)
    command = [sys.executable, "-c", _MEMORY, module, contender.kind.__name__]
    amount, value = map(float, subprocess.check_output(command, text=True).split())
    return Result({"bytes": amount}, [value])


def _programs(of: tuple[Program, ...] | None, contender: Contender, quick: bool) -> Result:
    """Recorded and reversed. Floats have the time of an operation of `rows` for each."""
    if contender.kind is float:
        return Result({program.name: _float_operation() for program in of or programs.PROGRAMS}, [])
    return programs.each_program(partial(_eager, contender.kind), programs=of)


def _float_operation() -> float:
    seconds: float = models.recorded(float, 1280, repeats=20).amounts["record"]
    return seconds


def _eager(kind: Callable[[float], Any], program: Program) -> Prepared:
    xs, fresh = ([kind(x) for x in program.numbers] for _ in range(2))

    def read() -> list[Any]:
        root = program.function(fresh)
        root.backward()
        return [root.data, *(x.grad for x in fresh)]

    return lambda: program.function(xs).backward(), read


def _recording(contender: Contender, quick: bool) -> Result:
    def prepare(program: Program) -> Prepared:
        xs = [contender.kind(x) for x in program.numbers]
        return lambda: program.function(xs), list

    return programs.each_program(prepare, 1000)


def _calls(contender: Contender, quick: bool) -> Result:
    return programs.calls(lambda x, y: programs.seed_loss((x, y)), contender.kind)


def _row_by_row(name: str, contender: Contender, size: int) -> Result:
    """Recorded and reversed. Floats have the time of an operation of `rows`."""
    if contender.kind is float:
        return Result({MEASURE: _float_operation()}, [])

    def differentiated(function: Callable[..., Any]) -> Any:
        def call(x: list[float], *others: list[float]) -> tuple[float, list[float]]:
            xs = [contender.kind(number) for number in x]
            value = function(xs, *others)
            value.backward()
            return value.data, [leaf.grad for leaf in xs]

        return call

    return row_by_row(differentiated).programs()[name](size)


def _scipy(contender: Contender, size: int) -> Result:
    """Without a gradient for floats."""
    if contender.kind is float:
        return fits.by_differences(size)
    return fits.first_order(programs.rosenbrock, fits.residuals, size)


def _newton(contender: Contender, size: int) -> Result:
    return fits.second_order(programs.rosenbrock, size)


_OURS = (NATIVE, CFFI)
_FULL = (*_OURS, PURE, LEAN)  # classes with exp and log
_CLASSES = (*_FULL, "micrograd")
_NETWORK, _GPT = partial(_step, models.Network), partial(_step, models.GPT)
_WITH_FLOATS = (FLOATS, *_OURS)
_SIZES = "rows of products, from 10^3 to 10^7"
_GIVEN, _CMPAD = partial(_programs, None), partial(_programs, CMPAD)


def _rows_of(name: str, title: str, sizes: tuple[int, int]) -> Workload:
    unit = "an operation"
    return Workload(name, title, unit, FLOATS, 5, partial(_row_by_row, name), _WITH_FLOATS, sizes)


_WORKLOADS = (
    Workload("seed", "the walkthrough's training loop", "an iteration", PURE, 15, _seed, _CLASSES),
    Workload("rows", "rows of products", "an operation", FLOATS, 15, _rows),
    Workload("moons", "a 2-16-16-1 network on two moons", "a step", PURE, 5, _NETWORK, _CLASSES),
    Workload("gpt", "a character GPT with Adam", "a step", LEAN, 5, _GPT, _FULL),
    Workload("chain", "a chain of operations", "an operation", LEAN, 3, _chain, _FULL),
    Workload("dot", "a dot product of 64 terms", "a product", "", 9, _dot, _OURS),
    Workload("programs", "programs: value and gradient", "an operation", FLOATS, 15, _GIVEN, _WITH_FLOATS),
    Workload("compiling", "until a program is there", "an operation", EAGER, 9, _recording, (EAGER,)),
    Workload("break-even", "until compiling pays", "a function", EAGER, 5, _recording, (COMPILED,)),
    Workload("calls", "calls of a function of two numbers", "a call", EAGER, 15, _calls, (EAGER,)),
    Workload("cmpad", "cmpad's problems: value and gradient", "an operation", FLOATS, 9, _CMPAD, _WITH_FLOATS),
    Workload("cmpad-setup", "the same, set-up included", "an operation", FLOATS, 5, _CMPAD, _WITH_FLOATS),
    _rows_of("options", "Black-Scholes prices of rows, each with its gradient", (10_000, 500)),
    _rows_of("asian", "Asian options, 252 steps: means over paths, for each trade", (1000, 20)),
    _rows_of("swaptions", "15 swaptions on 80 rates, 40 steps: means over paths", (1000, 10)),
    Workload("scipy", "minima by scipy, with gradients", "a minimum", FLOATS, 5, _scipy, (FLOATS, EAGER), (100, 20)),
    Workload("newton", "minima by scipy, to second order", "a minimum", EAGER, 5, _newton, (EAGER,), (100, 20)),
    Workload("growth", _SIZES, "an operation", FLOATS, 3, _growth, _WITH_FLOATS),
    Workload("memory", "memory of a graph", "an operation", PURE, 1, _memory, _CLASSES),
)
WORKLOADS = {workload.name: workload for workload in _WORKLOADS}
