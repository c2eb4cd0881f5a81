"""Programs of ours that are no plain operations on Values: compiled functions, and rows in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, partial
from time import perf_counter
from typing import Any, Callable

from pygrad import optim
from pygrad.batches import vmap
from pygrad.bench import fits
from pygrad.bench.cmpad import CMPAD
from pygrad.bench.models import GPT, NAMES, Network, Result, flat, model_step
from pygrad.bench.programs import PROGRAMS, Prepared, Program, calls, each_program, rosenbrock, seed_loss
from pygrad.bench.rows import Way, row_by_row
from pygrad.compiled import compile
from pygrad.functional import value_and_grad
from pygrad.value import Value, functions

Programs = Mapping[str, Callable[..., Result]]  # by workload: of nothing, or of its size


@cache
def _prepared(program: Program) -> Prepared:
    record, numbers = compile(program.function).record((program.numbers,), {})[:2]
    code = record.graph.program(range(len(numbers)))
    inputs = record.graph.inputs_with(numbers)
    return lambda: code.give(code.run(inputs)), lambda: record.numbers(numbers, ((0, len(numbers)),))


def _anew(program: Program) -> Prepared:
    xs = [Value(x) for x in program.numbers]
    return lambda: compile(program.function)(xs), list


def _set_up(program: Program) -> Prepared:
    """Compiled for one value and gradient."""

    def run() -> Any:
        return value_and_grad(compile(program.function))(program.numbers)

    return run, lambda: flat(run())


def _train(model: Any, loss: Callable[..., Any], optimizer: Any, *arguments: Any) -> Callable[[], Result]:
    def step() -> Result:
        for _ in range(5):  # in training, steps follow one another: the program is in the processor's cache
            loss(*arguments).backward()
        optimizer.zero_grad()
        return model_step(model)

    def update() -> None:
        optimizer.step()
        optimizer.zero_grad()

    vars(model).update(loss=loss, update=update)
    return step


def _taken(items: list[Any], place: Any) -> Any:
    """The item at a place that is a Value; of rows, the row."""
    if isinstance(items[0], list):
        return [functions["take"](column, place) for column in zip(*items)]
    return functions["take"](items, place)


def _break_even() -> Result:
    """So many calls for value and gradient until a compiled function has saved the time that its first one took."""
    amounts: dict[str, Any] = {}
    values: list[float] = []
    for program in PROGRAMS:
        numbers, repeats = list(program.numbers), 20
        eager, compiled = value_and_grad(program.function), value_and_grad(compile(program.function))
        eager(numbers)
        times = [perf_counter()]
        compiled(numbers)
        for function in eager, compiled:
            times.append(perf_counter())
            for _ in range(repeats):
                result = function(numbers)
            values += flat(result)
        times.append(perf_counter())
        first, before, after = (end - start for start, end in zip(times, times[1:]))
        saved = (before - after) / repeats
        amounts[f"{program.name}, runs"] = math.ceil(first / saved) if saved > 0.0 else "it does not pay"
    return Result(amounts, values)


_compiled_once = cache(compile)


def compiled_programs() -> Programs:
    """Functions of the backend in use, compiled before the time counts."""
    network, gpt = Network(Value), GPT(Value)
    vars(gpt).update(chosen=_taken)
    adam = optim.Adam(gpt.parameters, lr=0.01, betas=(0.9, 0.95))
    return {
        "programs": partial(each_program, _prepared, 500_000),
        "compiling": partial(each_program, _anew, 1000),
        "break-even": _break_even,
        "calls": partial(calls, compile(lambda x, y: seed_loss((x, y))), float),
        "moons": _train(network, compile(network.loss), optim.SGD(network.parameters, lr=0.05)),
        "gpt": _train(gpt, compile(gpt.loss), adam, gpt.tokens(NAMES[0])),
        "cmpad": partial(each_program, _prepared, 500_000, programs=CMPAD),
        "cmpad-setup": partial(each_program, _set_up, 1000, programs=CMPAD),
        "scipy": partial(fits.first_order, compile(rosenbrock), compile(fits.residuals)),
        "newton": partial(fits.second_order, compile(rosenbrock)),
        **row_by_row(lambda function: value_and_grad(_compiled_once(function))).programs(),
    }


def vmap_programs(threads: int | None) -> Programs:
    """Compiled functions, mapped over the rows of arrays: in so many threads, or as many as there are processors."""
    import numpy as np

    @cache
    def mean(function: Callable[..., Any]) -> Any:
        return vmap(value_and_grad(compile(function)), in_axes=(None, None, 0), reduce="mean", threads=threads)

    @cache
    def each(function: Callable[..., Any]) -> Any:
        return vmap(value_and_grad(compile(function)), threads=threads)

    network = Network(Value)
    hinge = vmap(compile(network.point_loss), reduce="mean", threads=threads)
    decay = compile(network.decay)
    inputs, labels = np.array(network.inputs), np.array(network.labels, float)
    optimizer = optim.SGD(network.parameters, lr=0.05)
    return {
        "moons": _train(network, lambda: hinge(inputs, labels) + decay(), optimizer),
        **Way(
            lambda model, x, terms, rows: mean(model.function)(np.array(x), np.array(terms), rows),
            lambda model, rows: each(model.function)(rows),
            convert=np.array,
        ).programs(),
    }
