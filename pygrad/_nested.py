"""Nested lists, arrays and models of Values, taken apart and put together again."""

from __future__ import annotations

from typing import Any, Callable


def numpy() -> Any:
    """The module, or an ImportError that says what to install."""
    try:
        import numpy
    except ImportError:
        raise ImportError("this needs numpy: pip install numpy") from None
    return numpy


def is_array(x: Any) -> bool:
    """Whether x is a numpy array; without importing numpy."""
    return hasattr(x, "__array_interface__") and hasattr(x, "tolist") and hasattr(x, "shape")


def map_leaves(change: Callable[[Any], Any], x: Any) -> Any:
    """The same nesting of lists, tuples and arrays, with ``change`` of what is in them. Arrays come back as
    arrays of objects."""
    if isinstance(x, list):
        return [map_leaves(change, item) for item in x]
    if isinstance(x, tuple):
        items = [map_leaves(change, item) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else tuple(items)
    if is_array(x) and x.shape != ():
        out = numpy().empty(x.shape, dtype=object)
        for index, item in zip(numpy().ndindex(x.shape), x.reshape(-1).tolist()):
            out[index] = change(item)
        return out
    return change(x)


def leaves(x: Any) -> list[Any]:
    """What is in a nesting, in order."""
    found: list[Any] = []
    map_leaves(found.append, x)
    return found
