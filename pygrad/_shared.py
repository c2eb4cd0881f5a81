"""What both backends share: the op table as Python sees it, numbers, and methods off the hot path."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

#: Attribute values that cannot be part of a reference cycle: they may live with the node.
CONSTANTS = frozenset({str, bytes, int, float, complex, bool, type(None)})


#: The kinds of operations, in the order of `enum pg_kind`.
KINDS = ("leaf", "unary", "binary", "scalar", "nary", "paired", "custom")


class Op(NamedTuple):
    """A line of the op table (csrc/ops.def)."""

    code: int
    name: str
    symbol: str
    formula: str
    kind: str  # one of KINDS
    doc: str


class Memory(NamedTuple):
    """What the C library has allocated for nodes: bytes, and the number of nodes they have room for."""

    bytes: int
    nodes: int


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


class Description(NamedTuple):
    """What a node is, beside its numbers and operands."""

    op: int
    symbol: str
    exponent: float | int | None  # of a power by a number
    local: tuple[float, ...] | None  # local gradients of a custom operation
    has_closure: bool
    attributes: dict[str, Any]


_MISSING = object()


class Attribute:
    """An attribute that a user has set on a Value. It lasts as long as the node is in a graph.

    A constant lives with the node: ``constants(value, create)`` is the dict for those. Anything else could
    refer back to its object: it lives with the object, where the garbage collector sees it, and graphs
    hold the object: ``others(value, create)``. (A ``__getattr__`` on the class would do without this
    descriptor, and make each operation slower.)
    """

    def __init__(self, name: str, constants: Callable[..., Any], others: Callable[..., Any]) -> None:
        self.name = name
        self._constants = constants
        self._others = others

    def __get__(self, value: Any, owner: type | None = None) -> Any:
        if value is None:
            return self
        for attributes in self._constants(value, False), self._others(value, False):
            found = attributes.get(self.name, _MISSING) if attributes else _MISSING
            if found is not _MISSING:
                return found
        if self.name == "label":  # as drawing code expects
            return ""
        raise AttributeError(f"'Value' object has no attribute {self.name!r}")

    def __set__(self, value: Any, attribute: Any) -> None:
        place, other = self._constants, self._others
        if type(attribute) not in CONSTANTS:
            place, other = other, place
        place(value, True)[self.name] = attribute  # first: threads that set constants lose none
        self._forget(other(value, False))

    def __delete__(self, value: Any) -> None:
        self.__get__(value)  # raises where there is none
        self._forget(self._constants(value, False))
        self._forget(self._others(value, False))

    def _forget(self, attributes: dict[str, Any] | None) -> None:
        if attributes:
            attributes.pop(self.name, None)


# -- methods of Value that are the same on both backends --------------------------------------------


def represent(self: Any) -> str:
    return f"Value(data={self.data!r})"


def format_value(self: Any, spec: str) -> str:
    """``f"{v:.3f}"`` is the number; without a format, what ``str`` gives."""
    return format(self.data, spec) if spec else str(self)


def show_op(symbol: str, exponent: float | None) -> str:
    """The operation's symbol; a power shows its exponent, as in '**2'."""
    return symbol if exponent is None else f"{symbol}{exponent}"
