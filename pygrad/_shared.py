"""What both backends share: the op table as Python sees it, numbers, and methods off the hot path."""

from __future__ import annotations

from typing import Any, NamedTuple

#: Attribute values that cannot be part of a reference cycle: they may live with the node.
CONSTANTS = frozenset({str, bytes, int, float, complex, bool, type(None)})


class Op(NamedTuple):
    """A line of the op table (csrc/ops.def)."""

    code: int
    name: str
    symbol: str
    formula: str
    kind: str  # "leaf", "unary", "binary", "scalar", "nary", "paired" or "custom"


def number(x: Any) -> Any:
    """``x`` as a float, or NotImplemented for what is no number (arrays and Values among it)."""
    kind = type(x)
    if kind is float or kind is int:
        return float(x)
    if isinstance(x, str) or hasattr(kind, "__len__"):
        return NotImplemented
    if hasattr(kind, "__float__") or hasattr(kind, "__index__"):
        return float(x)
    return NotImplemented


def required_number(x: Any, what: str) -> float:
    result = number(x)
    if result is NotImplemented:
        raise TypeError(f"{what} must be a real number, not {type(x).__name__}")
    return result


def document(function: Any, name: str, op: Op) -> Any:
    """Name a function that was made from the op table, and write its docstring."""
    function.__name__ = name
    function.__qualname__ = f"Value.{name}"
    function.__doc__ = f"``{op.formula}``, recorded as one node {op.symbol!r}."
    return function


def represent(self: Any) -> str:
    return f"Value(data={self.data!r})"


def refuse_pickle(self: Any, protocol: int) -> Any:
    raise TypeError("a Value stands in a graph and can't be copied or pickled; copy its .data instead")
