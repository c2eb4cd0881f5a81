"""What of a compiled function's arguments and results is numbers, and what selects the program."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any
from weakref import ref

from pygrad._backends.interface import number, required_number
from pygrad._nested import leaves as leaves_of
from pygrad._nested import map_leaves, numpy
from pygrad.value import Value, operands

_FIXED = "as it is"
_FLAT = "flat"  # a list, tuple or array with numbers alone in it, or a list or tuple of Values: these may be long
_NUMBERS = {float, int}
_VALUES = {Value}


def key(x: Any, leaves: list[Any]) -> Any:
    """What of an argument selects a program: hashable. Its numbers and Values are added to ``leaves``."""
    kind = type(x)
    if kind is float or kind is int:
        leaves.append(x)
        return float
    if isinstance(x, Value):
        leaves.append(x)
        return Value
    if (kind is list or kind is tuple) and x and {*map(type, x)} == _VALUES:
        leaves += x
        return _FLAT, kind, len(x), Value
    if is_flat(x):
        leaves += x if kind is list or kind is tuple else x.reshape(-1).tolist()
        return _FLAT, kind, len(x) if kind is list or kind is tuple else x.shape, float
    if isinstance(x, (list, tuple)):
        items = [key(item, leaves) for item in x]
        for leaf in (float, Value) if kind is list or kind is tuple else ():
            if items == [leaf] * len(items):
                return _FLAT, kind, len(items), leaf
        return (kind, *items)
    if isinstance(x, dict):
        return (
            kind,
            tuple([name if type(name) is str else _exact(name) for name in x]),
            *[key(item, leaves) for item in x.values()],
        )
    if hasattr(type(x), "__array_interface__") and x.shape != ():
        items = [_single_key(item, leaves) for item in x.reshape(-1).tolist()]
        return (_FLAT, kind, x.shape, float) if items == [float] * len(items) else (kind, x.shape, tuple(items))
    return _single_key(x, leaves)


def is_flat(x: Any) -> bool:
    """Whether nothing but plain numbers is in a list or tuple, or in an array."""
    kind = type(x)
    if kind is list or kind is tuple:
        return {*map(type, x)} <= _NUMBERS
    return hasattr(type(x), "__array_interface__") and x.shape != () and x.dtype.kind in "fiu" and x.dtype.itemsize <= 8


def refiller(x: Any) -> Callable[[list[float]], Any]:
    """What puts numbers in the nesting that x is."""
    if is_flat(x):
        if hasattr(x, "shape"):
            return lambda numbers: numpy().array(numbers).reshape(x.shape)
        return (lambda numbers: numbers) if type(x) is list else tuple

    def refill(numbers: list[float]) -> Any:
        given = iter(numbers)
        return map_leaves(lambda _: next(given), x, float)

    return refill


def numbers_in(x: Any, what: str) -> list[float]:
    """All numbers of a nesting. TypeError for what is none."""
    if is_flat(x):
        return x.reshape(-1).tolist() if hasattr(x, "shape") else list(x)
    return [required_number(item, what) for item in leaves_of(x)]


def size(x: Any) -> int:
    """How many things there are in a nesting."""
    if is_flat(x):
        return int(x.size) if hasattr(x, "shape") else len(x)
    return len(leaves_of(x))


def _single_key(x: Any, leaves: list[Any]) -> Any:
    """The same of what is not taken apart."""
    if type(x) is float:
        leaves.append(x)
        return float
    leaf = _leaf(x)
    if leaf is NotImplemented:
        return fixed_key(x.item() if hasattr(type(x), "__array_interface__") else x)
    leaves.append(leaf)
    return Value if isinstance(leaf, Value) else float


def _leaf(x: Any) -> Any:
    """The number that an argument is, or the Value; NotImplemented for all else."""
    if getattr(x, "shape", None) == () and hasattr(x, "item"):  # numpy's scalars and arrays of no dimension
        item = x.item()
        x = item if type(item) is not type(x) else float(x)  # a long double's item is one
    if isinstance(x, Value):
        return x
    return NotImplemented if type(x) is bool else number(x)


def count(x: Any) -> int:
    """How many numbers and Values there are in an argument."""
    found: list[Any] = []
    key(x, found)
    return len(found)


def fixed_key(x: Any) -> Any:
    """The same of what is passed as it is."""
    try:
        hash(x)
    except TypeError:
        raise TypeError(
            f"an argument of type {type(x).__name__} selects the program, and can't, as it is not hashable. A compiled "
            "function takes numbers, Values, arrays, and lists, tuples and dicts of them"
        ) from None
    return _FIXED, type(x), _exact(x)


def _exact(x: Any) -> Any:
    """What is equal for things that a function can't tell apart: not 1 and True, nor 0.0 and -0.0. An object that is
    equal to itself alone is not kept alive."""
    kind = type(x)
    if kind is str:
        return x
    if isinstance(x, (float, complex)):
        return kind, repr(x)
    if isinstance(x, (tuple, frozenset)):
        return (kind, *map(_exact, x)) if isinstance(x, tuple) else (kind, frozenset(map(_exact, x)))
    if kind is types.MethodType:
        return kind, _exact(x.__func__), _exact(x.__self__)
    if kind.__eq__ is object.__eq__:  # type: ignore[comparison-overlap]
        try:
            return ref(x)
        except TypeError:
            pass
    return kind, x


def referents(key: Any) -> Iterator[Any]:
    """The objects in a key that it does not keep alive."""
    if isinstance(key, (tuple, frozenset)):
        for part in key:
            yield from referents(part)
    elif type(key) is ref:
        yield key()


def lifted(x: Any, values: Iterator[Value]) -> Any:
    """An argument with a Value in place of each number and Value, in the order of `key`."""
    kind = type(x)
    if (kind is list or kind is tuple) and ({*map(type, x)} == _VALUES or is_flat(x)):
        return kind(islice(values, len(x)))
    return map_leaves(lambda leaf: leaf if _leaf(leaf) is NotImplemented else next(values), x)


def difference(new: Any, old: Any) -> str:
    """In words, how an argument's key differs from another."""
    new, old = _written_out(new), _written_out(old)
    if isinstance(new, tuple) and isinstance(old, tuple) and new[0] == old[0] and len(new) == len(old):
        if isinstance(new[0], type) and issubclass(new[0], (list, tuple)):
            for i, (a, b) in enumerate(zip(new[1:], old[1:])):
                if a != b:
                    return f"{difference(a, b)}, at {i}"
        elif isinstance(new[0], type) and issubclass(new[0], dict) and new[1] == old[1]:
            for name, a, b in zip(new[1], new[2:], old[2:]):
                if a != b:
                    return f"{difference(a, b)}, at {_shown(name)}"
    return f"{_described(new)} and was {_described(old)}"


def _written_out(key: Any) -> Any:
    if not isinstance(key, tuple) or key[0] != _FLAT:
        return key
    _, kind, size, leaf = key
    return (kind, *[leaf] * size) if isinstance(size, int) else (kind, size)


def _described(key: Any) -> str:
    if not isinstance(key, tuple):
        return "a number" if key is float else "a Value"
    kind, *rest = key
    if kind == _FIXED:
        return _shown(rest[1])
    if isinstance(kind, type) and issubclass(kind, (list, tuple)):
        return f"a {kind.__name__} of {len(rest)}"
    if isinstance(kind, type) and issubclass(kind, dict):
        return f"a dict with the keys {', '.join(map(_shown, rest[0]))}"
    return f"an array of shape {rest[0]}"


def _shown(exact: Any) -> str:
    """What `_exact` was given, as repr has it."""
    if type(exact) is ref:
        return repr(exact())
    if not isinstance(exact, tuple):
        return repr(exact)
    kind, *rest = exact
    if issubclass(kind, (float, complex)):
        return str(rest[0])
    if issubclass(kind, tuple):
        return f"({', '.join(map(_shown, rest))}{',' if len(rest) == 1 else ''})"
    if issubclass(kind, frozenset):
        return f"frozenset({{{', '.join(map(_shown, rest[0]))}}})"
    return _shown(rest[0]) if kind is types.MethodType else repr(rest[0])


class Place:
    """Stands for a Value in what a function returned."""

    def __init__(self, index: int) -> None:
        self.index = index


class Template:
    """What a function returned, with places for the Values in it."""

    def __init__(self, result: Any) -> None:
        self.outputs: list[Value] = []
        first: dict[Value, int] = {}
        self.shape = map_leaves(lambda x: self._placed(x, first), result, whole=True)
        self.is_single = type(self.shape) is Place

    def _placed(self, x: Any, first: dict[Value, int]) -> Any:
        if getattr(x, "shape", None) == () and hasattr(x, "item") and isinstance(x.item(), Value):
            x = x.item()
        if not isinstance(x, Value):
            if _hides_results(x):
                raise TypeError(
                    f"a compiled function returned an object of type {type(x).__name__}, which would be that of the "
                    "first run in all later ones: return Values, or lists, tuples, dicts or arrays of them"
                )
            return x
        if x not in first:
            first[x] = len(self.outputs)
            self.outputs.append(x)
        return Place(first[x])  # what is one object stays one

    def places(self) -> list[int | None]:
        """For each leaf the index of the Value that was there, or None."""
        return [leaf.index if isinstance(leaf, Place) else None for leaf in leaves_of(self.shape)]

    def filled(self, results: Sequence[Any]) -> Any:
        """The same with these in place of the Values."""
        if self.is_single:
            return results[0]

        def fill(x: Any) -> Any:
            if type(x) is Place:
                return results[x.index]
            return x.copy() if hasattr(type(x), "__array_interface__") else x

        return map_leaves(fill, self.shape, whole=True)


def layout(template: Any, count: int) -> tuple[Any, list[int | None]]:
    """How a template (see `recorded.Nesting`) nests so many results: it filled with numbers, and for each leaf of that
    the result that is there, or None."""
    first, second = (template.filled([float(start + i) for i in range(count)]) for start in (1, count + 1))
    pairs = zip(leaves_of(first), leaves_of(second))
    return first, [int(a) - 1 if a != b and a == a else None for a, b in pairs]


def _hides_results(x: Any) -> bool:
    """Whether Values that were computed are in an object that is not taken apart, or may come out of it."""
    kind = type(x)
    if hasattr(kind, "__next__") or hasattr(kind, "__await__"):
        return True
    inside = list(x) if isinstance(x, (set, frozenset)) else list(getattr(x, "__dict__", {}).values())
    return any(isinstance(item, Value) and bool(operands(item)) for item in leaves_of(inside))
