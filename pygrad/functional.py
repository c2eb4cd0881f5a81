"""Gradients of functions: of floats, lists, tuples or numpy arrays, nested as they may be."""

from __future__ import annotations

import sys
from functools import update_wrapper
from itertools import accumulate
from types import MethodType
from typing import Any, Callable

from pygrad._backends import core
from pygrad._backends.interface import required_number
from pygrad._nested import leaves, map_leaves, numpy
from pygrad._structure import Place, refilled, size
from pygrad.tracing import is_tracing
from pygrad.value import Value

_NUMBERS = {float, int}
_ADVICE = "; jacobian() is for those"


def _as_result(y: Any, advice: str = _ADVICE) -> Value:
    if hasattr(y, "shape") and y.shape == ():  # numpy's way of holding one object
        y = y.item()
    return y if isinstance(y, Value) else Value(_as_number(y, advice))  # it does not depend on its argument


def _as_number(y: Any, advice: str = _ADVICE) -> float:
    if isinstance(y, (list, tuple)) or (hasattr(y, "shape") and y.shape != ()):
        raise TypeError(f"the function must return one number, not {type(y).__name__}{advice}")
    return required_number(y, "what the function returns")


def _is_compiled(f: Any) -> bool:
    compiled = sys.modules.get("pygrad.compiled")  # which is imported by who compiles
    return compiled is not None and isinstance(f, compiled.Compiled)


class _Transform:
    """A function of f's arguments that differentiates it in one argument, or in several.

    A plain f is recorded at each call, with a fresh leaf for each number of those arguments. A compiled one runs as a
    program: no Value is made."""

    def __init__(self, f: Callable[..., Any], argnum: int | tuple[int, ...] = 0) -> None:
        if not callable(f):
            raise TypeError(f"a function is needed, not {type(f).__name__}")
        for place in argnum if isinstance(argnum, tuple) else (argnum,):
            if not hasattr(type(place), "__index__"):
                raise TypeError(f"argnum must be an integer, not {type(place).__name__}")
        update_wrapper(self, f, updated=())
        self.f, self.argnum = f, argnum

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        places = self.argnum if isinstance(self.argnum, tuple) else (self.argnum,)
        for place in places:
            if not -len(args) <= place < len(args):
                raise TypeError(f"there is no argument {place} to differentiate in: {len(args)} were given")
        places = tuple([place % len(args) for place in places])
        if not is_tracing():
            if _is_compiled(self.f):
                return self._of_program(*_run(self.f, args, kwargs, places))
            if isinstance(self.f, MethodType) and _is_compiled(self.f.__func__):
                places = tuple([place + 1 for place in places])
                return self._of_program(*_run(self.f.__func__, (self.f.__self__, *args), kwargs, places))
        lifted = list(args)
        for place in places:
            lifted[place] = map_leaves(lambda number: Value(required_number(number, "an argument")), args[place])
        xs = [lifted[place] for place in places]
        return self._of_values(xs, self.f(*lifted, **kwargs))

    def _in_each(self, results: list[Any]) -> Any:
        """One for each argument: a tuple, or the one itself."""
        return tuple(results) if isinstance(self.argnum, tuple) else results[0]

    def _of_values(self, xs: list[Any], y: Any) -> Any:
        """What is returned, from the arguments as leaves and what f made of them."""
        raise NotImplementedError

    def _of_program(self, y: Any, rows: list[list[Any]]) -> Any:
        """The same from what f returned, with floats for Values, and of each of them the gradients in the arguments."""
        raise NotImplementedError

    def __reduce__(self) -> Any:
        return type(self), (self.f, self.argnum)

    def __repr__(self) -> str:
        return f"<{type(self).__name__.strip('_')} of {self.f!r}>"


def _run(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> tuple[Any, Any]:
    """What a compiled function returns, with floats for Values, and of each of them the gradients in some arguments."""
    if not kwargs and {*map(type, args)} <= _NUMBERS:  # which needs no search
        record = f.of_numbers(args)
        if record is not None and record.template.is_single:
            value, *slopes = record.numbers(args, tuple([(place, place + 1) for place in places]))
            return value, [slopes]
    counts = f.counts(args)
    for place in places:
        if counts[place] < 0:
            raise TypeError(f"argument {place} is static: there is no derivative in it")
        if counts[place] != size(args[place]):  # not all are numbers to f: bools, or what is refused here
            number = map_leaves(lambda x: required_number(x, "an argument"), args[place])
            args = (*args[:place], number, *args[place + 1 :])
            counts[place] = size(number)
    record, numbers = f.record(args, kwargs)
    ends = [*accumulate([max(count, 0) for count in counts])]
    results = record.numbers(numbers, tuple([(ends[place] - counts[place], ends[place]) for place in places]))
    wanted = sum([counts[place] for place in places])

    def row(output: Any) -> list[Any]:
        if not isinstance(output, Place):  # a number, which depends on nothing
            return [refilled(args[place], [0.0] * counts[place]) for place in places]
        parts, start = [], record.outputs + output.index * wanted
        for place in places:
            parts.append(refilled(args[place], results[start : start + counts[place]]))
            start += counts[place]
        return parts

    return record.template.filled(results), [row(output) for output in leaves(record.template.shape)]


def _gradient(y: Value, xs: list[Any]) -> list[Any]:
    """The derivatives of y in lifted arguments. Values of the caller's that y was computed from, such as a
    model's parameters, get their grads back."""
    before = [(value, value.grad) for value in core.nonzero_grads(y)]
    try:
        if before:
            core.zero_graph(y)
        y.backward()
        return [map_leaves(lambda v: v.grad, x, float) for x in xs]
    finally:
        core.zero_graph(y)
        for value, number in before:
            value.grad = number


class _ValueAndGrad(_Transform):
    def _of_values(self, xs: list[Any], y: Any) -> Any:
        y = _as_result(y)
        return y.data, self._in_each(_gradient(y, xs))

    def _of_program(self, y: Any, rows: list[list[Any]]) -> Any:
        return _as_number(y), self._in_each(rows[0])


class _Grad(_ValueAndGrad):
    def _of_values(self, xs: list[Any], y: Any) -> Any:
        return super()._of_values(xs, y)[1]

    def _of_program(self, y: Any, rows: list[list[Any]]) -> Any:
        return super()._of_program(y, rows)[1]


class _Jacobian(_Transform):
    def _of_values(self, xs: list[Any], y: Any) -> Any:
        rows = [_gradient(_as_result(output, ""), xs) for output in leaves(y)]
        return self._in_order(y, rows)

    def _of_program(self, y: Any, rows: list[list[Any]]) -> Any:
        for output in leaves(y):
            _as_number(output, "")
        return self._in_order(y, rows)

    def _in_order(self, y: Any, rows: list[list[Any]]) -> Any:
        count = len(self.argnum) if isinstance(self.argnum, tuple) else 1
        return self._in_each([_stacked(y, [row[i] for row in rows]) for i in range(count)])


def _stacked(y: Any, rows: list[Any]) -> Any:
    """The gradients of the outputs, nested as the outputs are; one array where both are arrays."""
    given = iter(rows)
    nested = map_leaves(lambda _: next(given), y)
    if hasattr(y, "shape") and y.shape != () and rows and hasattr(rows[0], "shape"):
        np = numpy()
        return np.stack([np.asarray(row) for row in rows]).reshape(y.shape + rows[0].shape)
    return nested


def value_and_grad(f: Callable[..., Any], argnum: int | tuple[int, ...] = 0) -> Callable[..., tuple[float, Any]]:
    """The function that returns ``f(*args)`` and its gradient in argument ``argnum``.

    The gradient is nested as the argument is: a float for a float, a list for a list, an array for an array. With a
    tuple of arguments it is a tuple of gradients.
    As ``scipy.optimize.minimize(value_and_grad(f), x0, jac=True)`` wants it. All grads are left as they were,
    those of a model's parameters in f too. Of a compiled function it runs a program, and makes no Values.

    >>> value_and_grad(lambda x: x[0] ** 2 + 3 * x[1])([2.0, 1.0])
    (7.0, [4.0, 3.0])

    Raises TypeError where f returns anything but one number, and what f raises.
    """
    return _ValueAndGrad(f, argnum)


def grad(f: Callable[..., Any], argnum: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The gradient of f in argument ``argnum``, as a function of the same arguments. See `value_and_grad`.

    >>> grad(lambda x: x ** 3)(2.0)
    12.0
    """
    return _Grad(f, argnum)


def jacobian(f: Callable[..., Any], argnum: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The derivatives of all that f returns in all of an argument: the gradient of each output, nested as the
    outputs are. For arrays it is one array, of the shape of the output followed by that of the argument. With a tuple
    of arguments it is a tuple of these.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0]]
    """
    return _Jacobian(f, argnum)


def check_gradients(f: Callable[..., Any], x: Any, step: float = 1e-6, rtol: float = 1e-5, atol: float = 1e-7) -> float:
    """Compare f's gradient at x with central differences. Returns the largest difference found.

    Each number in x is moved by ``step * max(1, abs(number))`` to both sides. AssertionError, with a line for
    each place where ``abs(gradient - difference) > atol + rtol * abs(difference)``.

    >>> check_gradients(lambda x: x[0].sin() * x[1], [0.5, 2.0]) < 1e-8
    True
    """
    numbers = [required_number(number, "an argument") for number in leaves(x)]
    gradient = leaves(grad(f)(x))

    def with_number(i: int, number: float) -> float:
        given = iter([*numbers[:i], number, *numbers[i + 1 :]])
        return _as_result(f(map_leaves(lambda _: Value(next(given)), x)), "").data

    worst, lines = 0.0, []
    for i, number in enumerate(numbers):
        h = step * max(1.0, abs(number))
        difference = (with_number(i, number + h) - with_number(i, number - h)) / (2.0 * h)
        worst = max(worst, abs(gradient[i] - difference))
        if not abs(gradient[i] - difference) <= atol + rtol * abs(difference):
            lines.append(f"  number {i}, at {number}: gradient {gradient[i]}, differences give {difference}")
    if lines:
        raise AssertionError("the gradient and central differences part at:\n" + "\n".join(lines))
    return worst


__all__ = ["check_gradients", "grad", "jacobian", "value_and_grad"]
