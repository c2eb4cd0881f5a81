"""Gradients of functions: of floats, lists, tuples or numpy arrays, nested as they may be."""

from __future__ import annotations

from functools import wraps
from typing import Any, Callable

from pygrad._backends import core
from pygrad._backends.interface import required_number
from pygrad._nested import leaves, map_leaves, numpy
from pygrad.value import Value


def _as_result(y: Any, advice: str = "; jacobian() is for those") -> Value:
    if hasattr(y, "shape") and y.shape == ():  # numpy's way of holding one object
        y = y.item()
    if isinstance(y, Value):
        return y
    if isinstance(y, (list, tuple)) or hasattr(y, "shape"):
        raise TypeError(f"the function must return one number, not {type(y).__name__}{advice}")
    return Value(required_number(y, "what the function returns"))  # it does not depend on its argument


def _transformed(f: Callable[..., Any], argnum: int, use: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The function of f's arguments that returns ``use(x, y)``: of argument ``argnum``, lifted (with a fresh
    leaf for each number in it), and of what f makes of it."""
    if not callable(f):
        raise TypeError(f"a function is needed, not {type(f).__name__}")
    if not hasattr(type(argnum), "__index__"):
        raise TypeError(f"argnum must be an integer, not {type(argnum).__name__}")

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not -len(args) <= argnum < len(args):
            raise TypeError(f"there is no argument {argnum} to differentiate in: {len(args)} were given")
        lifted = list(args)
        x = map_leaves(lambda number: Value(required_number(number, "an argument")), args[argnum])
        lifted[argnum] = x
        return use(x, f(*lifted, **kwargs))

    return wrapped


def _gradient(y: Value, x: Any) -> Any:
    """The derivatives of y in a lifted argument. Values of the caller's that y was computed from, such as a
    model's parameters, get their grads back."""
    before = [(value, value.grad) for value in core.nonzero_grads(y)]
    try:
        if before:
            core.zero_graph(y)
        y.backward()
        return map_leaves(lambda v: v.grad, x, float)
    finally:
        core.zero_graph(y)
        for value, number in before:
            value.grad = number


def value_and_grad(f: Callable[..., Any], argnum: int = 0) -> Callable[..., tuple[float, Any]]:
    """The function that returns ``f(*args)`` and its gradient in argument ``argnum``.

    The gradient is nested as the argument is: a float for a float, a list for a list, an array for an array.
    As ``scipy.optimize.minimize(value_and_grad(f), x0, jac=True)`` wants it. All grads are left as they were,
    those of a model's parameters in f too.

    >>> value_and_grad(lambda x: x[0] ** 2 + 3 * x[1])([2.0, 1.0])
    (7.0, [4.0, 3.0])

    Raises TypeError where f returns anything but one number, and what f raises.
    """

    def both(x: Any, y: Any) -> tuple[float, Any]:
        y = _as_result(y)
        return y.data, _gradient(y, x)

    return _transformed(f, argnum, both)


def grad(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """The gradient of f in argument ``argnum``, as a function of the same arguments. See `value_and_grad`.

    >>> grad(lambda x: x ** 3)(2.0)
    12.0
    """
    return _transformed(f, argnum, lambda x, y: _gradient(_as_result(y), x))


def jacobian(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """The derivatives of all that f returns in all of an argument: the gradient of each output, nested as the
    outputs are. For arrays it is one array, of the shape of the output followed by that of the argument.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0]]
    """

    def each(x: Any, y: Any) -> Any:
        rows = map_leaves(lambda output: _gradient(_as_result(output, ""), x), y)
        if hasattr(y, "shape") and y.shape != () and hasattr(x, "shape"):
            np = numpy()
            return np.stack([np.asarray(r) for r in rows.reshape(-1)]).reshape(y.shape + x.shape)
        return rows

    return _transformed(f, argnum, each)


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
