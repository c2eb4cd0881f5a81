"""What both backends share: the op table as Python sees it, what a number is, and all of Value that is not hot.

A backend is a module with what `equip` says; pygrad's other modules use nothing of it but that.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from numbers import Complex, Real
from typing import Any, Callable, NamedTuple

from pygrad._backends.docs import DOCS

#: The kinds of operations, in the order of `enum pg_kind`.
KINDS = ("leaf", "unary", "binary", "scalar", "nary", "paired", "ternary", "indexed", "custom")


class Op(NamedTuple):
    """A line of the op table (csrc/ops.def)."""

    code: int
    name: str
    method: str | None  # of Value, that records it: "__add__", "exp"; None for functions of lists
    symbol: str
    formula: str
    kind: str  # one of KINDS
    doc: str
    #: In each operand, or those of each list: expressions in x, y, w, the result z, n and i; "" where there is none.
    partials: tuple[str, ...]

    @property
    def is_operator(self) -> bool:
        """Whether Python spells it with an operator: then there is no function of its name."""
        return self.method != self.name and self.kind in ("unary", "binary", "scalar")


def read_table(rows: Iterable[tuple[str, str | None, str, str, int, str, tuple[str, ...]]]) -> dict[str, Op]:
    """The op table by name, from (name, method, symbol, formula, kind, doc, partials) of each line."""
    table = {}
    for code, (name, method, symbol, formula, kind, doc, partials) in enumerate(rows):
        if method is None and KINDS[kind] in ("unary", "binary"):
            method = name
        table[name] = Op(code, name, method, symbol, formula, KINDS[kind], doc, partials)
    return table


class Memory(NamedTuple):
    """What the C library has allocated for nodes: bytes, and the number of nodes they have room for."""

    bytes: int
    nodes: int


class NodeInfo(NamedTuple):
    """What a node is, beside its numbers and operands."""

    op: int
    symbol: str
    exponent: float | int | None  # of a power by a number
    partials: tuple[float, ...] | None  # local gradients of a custom operation
    has_closure: bool
    attributes: dict[str, Any]


# -- numbers -----------------------------------------------------------------------------------------


def number(x: Any) -> Any:
    """``x`` as a float, or NotImplemented for what is no real number (arrays and Values among it)."""
    kind = type(x)
    if kind is float or kind is int:
        return float(x)
    if (isinstance(x, (str, Complex)) and not isinstance(x, Real)) or hasattr(kind, "__len__"):
        return NotImplemented
    return float(x) if hasattr(kind, "__float__") or hasattr(kind, "__index__") else NotImplemented


def required_number(x: Any, what: str) -> float:
    """``x`` as a float; an array of one number and no dimension is one too. TypeError for what is none."""
    if getattr(x, "shape", None) == () and hasattr(x, "item"):
        x = x.item()
    result = number(x)
    if result is NotImplemented:
        raise TypeError(f"{what} must be a real number, not {type(x).__name__}")
    return result  # type: ignore[no-any-return]


def integral(exponent: Any) -> bool:
    """Whether an exponent is shown as an integer."""
    return hasattr(type(exponent), "__index__")


# -- attributes --------------------------------------------------------------------------------------

#: Values that cannot be part of a reference cycle.
CONSTANTS = frozenset({str, bytes, int, float, complex, bool, type(None)})
#: So many different names may be given to attributes: each stays on the class.
MOST_NAMES = 1000
_MISSING = object()


class Attribute:
    """An attribute that a user has set on a Value. It lasts as long as the node is in a graph.

    A constant lives with the node: ``node_attributes(value, create)`` is the dict for those. Anything else could
    refer back to its object: it lives with the object, where the garbage collector sees it, and results recorded
    from then on hold the object: ``object_attributes(value, create)``. Where there are results already that is
    None, and the node has it too. (A ``__getattr__`` on the class would do without this descriptor, and make each
    operation slower.)
    """

    def __init__(self, name: str, backend: Any) -> None:
        self.name = name
        self._places = backend.node_attributes, backend.object_attributes

    def __get__(self, value: Any, owner: type | None = None) -> Any:
        if value is None:
            return self
        for place in self._places:
            found = (place(value, False) or {}).get(self.name, _MISSING)
            if found is not _MISSING:
                return found
        if self.name == "label":  # as drawing code expects
            return ""
        raise AttributeError(f"'Value' object has no attribute {self.name!r}")

    def __set__(self, value: Any, attribute: Any) -> None:
        place, other = self._places
        attributes = None if type(attribute) in CONSTANTS else other(value, True)
        if attributes is not None:
            place, other = other, place
        else:
            attributes = place(value, True)
        attributes[self.name] = attribute  # first: threads that set constants lose none
        (other(value, False) or {}).pop(self.name, None)

    def __delete__(self, value: Any) -> None:
        self.__get__(value)  # raises where there is none
        for place in self._places:
            (place(value, False) or {}).pop(self.name, None)


def _new_attribute(backend: Any) -> Callable[[str], None]:
    """What gives Value a place for an attribute of a name that it does not have yet."""
    left = MOST_NAMES

    def add(name: str) -> None:
        nonlocal left
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(f"{name} would have no effect on a Value: define it in a subclass")
        if left == 0:
            raise AttributeError(
                f"Values have {MOST_NAMES} attributes of different names by now: keep {name!r} and its like in a dict"
            )
        left -= 1
        setattr(backend.Value, name, Attribute(name, backend))

    return add


# -- Value -------------------------------------------------------------------------------------------


def check_operands(operands: Sequence[Any], kind: type, what: str) -> None:
    """TypeError where they are not all Values of this backend."""
    for operand in operands:
        if not isinstance(operand, kind):
            raise TypeError(f"{what} must be Values, not {type(operand).__name__}")


def _checked_partials(gradients: Iterable[Any], count: int) -> tuple[float, ...]:
    partials = tuple([required_number(gradient, "a local gradient") for gradient in gradients])
    if len(partials) != count:
        raise ValueError(f"{count} children need {count} local gradients, not {len(partials)}")
    return partials


def encoded(symbol: str) -> bytes:
    if not isinstance(symbol, str):
        raise TypeError(f"a symbol must be a string, not {type(symbol).__name__}")
    if "\0" in symbol:
        raise ValueError("_op can't hold a NUL character")
    return symbol.encode("utf-8", "surrogatepass")


def decoded(symbol: bytes) -> str:
    return symbol.decode("utf-8", "surrogatepass")


def _choosing(op: Op, of_list: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """The function of an operation that chooses, from the one that takes all operands in one list."""

    def ternary(condition: Any, a: Any, b: Any, /) -> Any:
        return of_list([condition, a, b])

    def indexed(values: Iterable[Any], index: Any, /) -> Any:
        return of_list([*values, index])

    function = ternary if op.kind == "ternary" else indexed
    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = f"{op.doc}\n\n{DOCS[op.name]}"
    return function


def equip(backend: Any) -> None:
    """Give a backend's Value all that both have from Python. The backend is a module with

    - ``Value``: operators and methods from the op table, ``data``, ``grad``, ``backward``, ``_step``
    - ``fill(value, op, data, grad, operands, exponent, exponent_is_int, symbol, partials)``: give an object its node
    - ``node_attributes(value, create)``, ``object_attributes(value, create)``: see `Attribute`
    - ``closure(value)``, ``set_closure(value, closure)``; ``operands(value)``
    - ``raw_info(value)``: op code, symbol, exponent, whether it is an integer, partials; bytes, as C has them
    - ``use(initialize, new_attribute, number, required_number)``: take Value.__init__, what makes room for an
      attribute, and what says which number an object is

    for programs (programs.py)

    - ``arena_address()``, ``record(call, *arguments)``: calls a recording function on the arena, and makes room
    - ``caller(address)``: what calls a pg_function
    - ``node_of(value)``, ``nodes_of(values)`` (an array), ``object_of(node)``
    - ``adopt(result, operands)``: the object of what was recorded

    and, for pygrad's other modules, ``OPS``, ``functions``, ``zero_graph(root)``, ``nonzero_grads(root)`` (a list
    of the Values, the root and all below it, whose grad is not 0), ``zero_grads``, ``sgd``, ``adam``,
    ``live_nodes``, ``memory``, ``check``, ``backend`` (its name). ``info``, ``restore`` and ``new_attribute`` it gets.
    """
    Value, kinds = backend.Value, [op.kind for op in backend.OPS.values()]

    def __init__(
        self: Any, data: Any, _children: Iterable[Any] = (), _op: str | Iterable[float] = "", label: str = ""
    ) -> None:
        number = required_number(data, "data")
        operands = tuple(_children)
        symbol, partials = (_op, None) if isinstance(_op, str) else ("", _checked_partials(_op, len(operands)))
        check_operands(operands, Value, "_children")
        op = backend.OPS["custom" if operands else "leaf"].code
        backend.fill(self, op, number, 0.0, operands, 0.0, False, encoded(symbol), partials if operands else None)
        if label:
            self.label = label

    def represent(self: Any) -> str:
        return f"Value(data={self.data!r})"

    def format_value(self: Any, spec: str) -> str:
        """``f"{v:.3f}"`` is the number; without a format, what ``str`` gives."""
        return format(self.data, spec) if spec else str(self)

    def describe(value: Any) -> tuple[int, str, float | int | None, tuple[float, ...] | None]:
        op, symbol, exponent, is_int, partials = backend.raw_info(value)
        if kinds[op] != "scalar":
            exponent = None
        elif is_int:
            exponent = int(exponent)
        return op, decoded(symbol), exponent, None if partials is None else tuple(array("d", partials))

    def shown_op(self: Any) -> str:
        _, symbol, exponent, _ = describe(self)
        return symbol if exponent is None else f"{symbol}{exponent}"

    def prev(self: Any) -> set[Any]:
        return set(backend.operands(self))

    def get_closure(self: Any) -> Callable[[], Any]:
        closure = backend.closure(self)
        return self._step if closure is None else closure  # type: ignore[no-any-return]

    def set_closure(self: Any, closure: Any) -> None:
        if not callable(closure):
            raise TypeError(f"_backward must be callable, not {type(closure).__name__}")
        backend.set_closure(self, closure)

    def info(value: Any) -> NodeInfo:
        op, symbol, exponent, partials = describe(value)
        node, own = backend.node_attributes(value, False), backend.object_attributes(value, False)
        attributes = {**(node or {}), **(own or {})}
        return NodeInfo(op, symbol, exponent, partials, backend.closure(value) is not None, attributes)

    def restore(
        op: int,
        data: float,
        grad: float,
        operands: Sequence[Any],
        exponent: float | None = None,
        symbol: str = "",
        partials: Iterable[float] | None = None,
    ) -> Any:
        """A node made from its description, computing nothing. ValueError for what describes none."""
        if not isinstance(op, int) or op not in range(len(backend.OPS)):
            raise ValueError(f"there is no operation with the code {op}")
        operands = tuple(operands)
        check_operands(operands, Value, "operands")
        if partials is not None:
            partials = _checked_partials(partials, len(operands))
        numbers = required_number(data, "data"), required_number(grad, "grad")
        number = 0.0 if exponent is None else required_number(exponent, "an exponent")
        value = Value.__new__(Value)
        backend.fill(value, op, *numbers, operands, number, integral(exponent), encoded(symbol), partials)
        return value

    for op in backend.OPS.values():
        if op.kind in ("ternary", "indexed"):
            backend.functions[op.name] = _choosing(op, backend.functions[op.name])
    for function in backend.functions.values():
        function.__module__ = "pygrad"  # where pickle finds it
    __init__.__qualname__ = "Value.__init__"  # which messages about arguments show
    Value.__doc__ = DOCS["Value"]
    Value.__repr__ = represent
    Value.__format__ = format_value
    if "__abs__" not in vars(Value):
        Value.__abs__ = Value.abs
    Value._op = property(shown_op, doc=DOCS["_op"])
    Value._prev = property(prev, doc=DOCS["_prev"])
    Value._backward = property(get_closure, set_closure, doc=DOCS["_backward"])
    Value.label = Attribute("label", backend)
    backend.info = info
    backend.restore = restore
    backend.new_attribute = _new_attribute(backend)
    backend.use(__init__, backend.new_attribute, number, required_number)
