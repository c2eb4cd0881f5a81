"""What of a compiled function's arguments and results is numbers, and what selects the program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pygrad._backends.interface import number
from pygrad._nested import map_leaves
from pygrad.value import Value

_FIXED = "as it is"


def key(x: Any, leaves: list[Any]) -> Any:
    """What of an argument selects a program: hashable. Its numbers and Values are added to ``leaves``."""
    kind = type(x)
    if kind is float or kind is int:
        leaves.append(x)
        return float
    if isinstance(x, Value):
        leaves.append(x)
        return Value
    if isinstance(x, (list, tuple)):
        return (kind, *[key(item, leaves) for item in x])
    if isinstance(x, dict):
        return (kind, tuple(x), *[key(item, leaves) for item in x.values()])
    if hasattr(x, "__array_interface__") and hasattr(x, "tolist"):
        if x.shape == ():
            return key(x.item(), leaves)
        return (kind, x.shape, tuple([key(item, leaves) for item in x.reshape(-1).tolist()]))
    if kind is not bool and number(x) is not NotImplemented:
        leaves.append(number(x))
        return float
    return fixed_key(x)


def fixed_key(x: Any) -> Any:
    """The same of what is passed as it is."""
    try:
        hash(x)
    except TypeError:
        raise TypeError(
            f"an argument of type {type(x).__name__} selects the program, and can't, as it is not hashable. A compiled "
            "function takes numbers, Values, arrays, and lists, tuples and dicts of them"
        ) from None
    return _FIXED, type(x), x


def lifted(x: Any, values: Iterator[Value]) -> Any:
    """An argument with a Value in place of each number and Value, in the order of `key`."""

    def change(leaf: Any) -> Any:
        is_leaf = isinstance(leaf, Value) or (type(leaf) is not bool and number(leaf) is not NotImplemented)
        return next(values) if is_leaf else leaf

    return map_leaves(change, x.item() if getattr(x, "shape", None) == () and hasattr(x, "item") else x)


def difference(new: Any, old: Any) -> str:
    """In words, how an argument's key differs from another."""
    if isinstance(new, tuple) and isinstance(old, tuple) and new[:1] == old[:1] and new[0] in (list, tuple):
        for i, (a, b) in enumerate(zip(new[1:], old[1:])):
            if len(new) == len(old) and a != b:
                return f"{difference(a, b)}, at {i}"
    return f"{_described(new)} and was {_described(old)}"


def _described(key: Any) -> str:
    if not isinstance(key, tuple):
        return "a number" if key is float else "a Value"
    kind, *rest = key
    if kind == _FIXED:
        return repr(rest[1])
    if isinstance(kind, type) and issubclass(kind, (list, tuple)):
        return f"a {kind.__name__} of {len(rest)}"
    if isinstance(kind, type) and issubclass(kind, dict):
        return f"a dict with the keys {', '.join(map(repr, rest[0]))}"
    return f"an array of shape {rest[0]}"


class _Place:
    """Stands for a Value in what a function returned."""

    def __init__(self, index: int) -> None:
        self.index = index


class Template:
    """What a function returned, with places for the Values in it."""

    def __init__(self, result: Any) -> None:
        self.outputs: list[Value] = []
        self.shape = map_leaves(self._place, result)
        self.is_single = type(self.shape) is _Place

    def _place(self, x: Any) -> Any:
        if not isinstance(x, Value):
            return x
        self.outputs.append(x)
        return _Place(len(self.outputs) - 1)

    def filled(self, results: Sequence[Any]) -> Any:
        """The same with these in place of the Values."""
        if self.is_single:
            return results[0]
        return map_leaves(lambda x: results[x.index] if type(x) is _Place else x, self.shape)
