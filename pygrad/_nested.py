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


def map_leaves(change: Callable[[Any], Any], x: Any, dtype: type = object, whole: bool = False) -> Any:
    """The same nesting of lists, tuples, dicts and arrays (of ``dtype``), with ``change`` of what is in them. Arrays
    that hold no objects are taken apart, or as a ``whole``."""
    if isinstance(x, (list, tuple)):
        items = [map_leaves(change, item, dtype, whole) for item in x]
        if isinstance(x, list):
            return items
        return type(x)(*items) if hasattr(x, "_fields") else tuple(items)
    if isinstance(x, dict):
        return {key: map_leaves(change, item, dtype, whole) for key, item in x.items()}
    is_array = hasattr(type(x), "__array_interface__") and x.shape != ()  # numpy's, which need not be imported
    if is_array and not (whole and x.dtype != object):
        out = numpy().empty(x.shape, dtype)
        for index, item in zip(numpy().ndindex(x.shape), x.reshape(-1).tolist()):
            out[index] = change(item)
        return out
    return change(x)


def leaves(x: Any) -> list[Any]:
    """What is in a nesting, in order."""
    found: list[Any] = []
    map_leaves(found.append, x)
    return found
