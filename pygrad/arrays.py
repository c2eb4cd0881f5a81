"""To and from numpy arrays."""

from __future__ import annotations

from typing import Any, Callable

from pygrad._nested import map_leaves, numpy
from pygrad.value import Value


def array(numbers: Any) -> Any:
    """A numpy array of Values, of the shape of a nested list or array of numbers. (numpy's own operators,
    ``@``, ``sum``, ``np.exp`` and others call those of the Values in it.)

    >>> w = array([[1.0, 2.0], [3.0, 4.0]])
    >>> (w @ w).sum()
    Value(data=54.0)

    Raises ValueError where the nesting is of no regular shape, TypeError for what is no number.
    """
    np = numpy()
    given = np.asarray(numbers)
    out = np.empty(given.shape, dtype=object)
    out.reshape(-1)[:] = [x if isinstance(x, Value) else Value(x) for x in given.reshape(-1).tolist()]
    return out


def _numbers(x: Any, number: Callable[[Any], float]) -> Any:
    if hasattr(x, "parameters"):  # a model
        x = x.parameters()
    elif hasattr(x, "__iter__") and not isinstance(x, (list, tuple)) and not hasattr(x, "shape"):
        x = list(x)
    return numpy().asarray(map_leaves(number, x), dtype=float)


def data(x: Any) -> Any:
    """The data of a Value, a nested list or array of them, or a model's parameters: floats of that shape.

    >>> data([[Value(1.0), 2.0]])
    array([[1., 2.]])
    """
    return _numbers(x, lambda leaf: leaf.data if isinstance(leaf, Value) else float(leaf))


def grads(x: Any) -> Any:
    """The grads, as `data` gives the data; a plain number's is 0.

    >>> x = array([1.0, 2.0])
    >>> (x * x).sum().backward()
    >>> grads(x)
    array([2., 4.])
    """
    return _numbers(x, lambda leaf: leaf.grad if isinstance(leaf, Value) else 0.0)


__all__ = ["array", "data", "grads"]
