"""The cffi backend: ``Value`` in Python over the C library. It runs on every interpreter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable
from weakref import ref

from pygrad import _arena as store
from pygrad._arena import KEPT, arena, buried, live_nodes, memory
from pygrad._batches import COUNTED, watch
from pygrad._cffi import ffi, lib
from pygrad._docs import DOCS, documented
from pygrad._shared import (
    KINDS,
    Attribute,
    Description,
    Op,
    format_value,
    number,
    represent,
    required_number,
    show_op,
)

backend = "cffi"


def _read_table() -> dict[str, Op]:
    table = {}
    while (info := lib.pg_op(len(table))) != ffi.NULL:
        name = store.text(info.name)
        symbol, formula, doc = map(store.text, (info.symbol, info.formula, info.doc))
        table[name] = Op(len(table), name, symbol, formula, KINDS[info.kind], doc)
    return table


#: The op table by name.
OPS = _read_table()
_BY_CODE = list(OPS.values())


class _Held:
    """What a Value carries beyond its node: everything here may be part of a reference cycle."""

    __slots__ = ("attributes", "closure", "operands")

    def __init__(self) -> None:
        self.operands: tuple[Value, ...] = ()  # whose closures or attributes this graph needs
        self.closure: Callable[[], Any] | None = None
        self.attributes: dict[str, Any] = {}


class _Node:
    """A Value in the making. Not having ``Value.__setattr__``, it is filled at full speed; then its
    class is set."""

    __slots__ = ("__weakref__", "_held", "_node") if COUNTED else ("__weakref__", "_batch", "_held", "_node")

    _node: int
    _held: _Held


_get_node = _Node.__dict__["_node"].__get__
_set_node = _Node.__dict__["_node"].__set__
_set_held = _Node.__dict__["_held"].__set__
_set_batch = None if COUNTED else _Node.__dict__["_batch"].__set__

#: Results below this number are wrapped in line. PyPy compiles the call of `_finish` into line by itself.
PLAIN = KEPT if COUNTED else 0


def _wrap(node: int) -> Value:
    """A new object for a reference to a node."""
    if COUNTED:
        out = _Node()
        out._node = node
        out.__class__ = Value
    else:  # there assigning a class is slow, and brings no finalizer
        out = object.__new__(Value)
        _set_node(out, node)
        _set_batch(out, watch(out, node))
    if store.tracking:
        store.objects[node] = ref(out)
    return out  # type: ignore[return-value]


def _finish(node: int, call: Callable[..., int], arguments: tuple, operands: Iterable[Any]) -> Value:
    """A result that is not simply a node: an error, a full arena, or one whose operands must be held."""
    if node < 0:
        node = store.record(call, *arguments)  # raises, or makes room
    out = _wrap(node & (KEPT - 1))
    if node >= KEPT:
        _hold(out).operands = tuple(v for v in operands if isinstance(v, Value))
        store.objects[out._node] = ref(out)
    return out


def _hold(value: Value) -> _Held:
    try:
        return value._held
    except AttributeError:
        held = _Held()
        _set_held(value, held)
        return held


def _keep(value: Value) -> _Held:
    """From now on the graphs above this node hold its object; graphs recorded before can't, so that
    with any of those the object is pinned."""
    node = value._node
    store.release_buried()
    with store.lock:
        lib.pg_keep(arena, node)
        store.objects[node] = ref(value)
        if lib.pg_references(arena, node) > 1:
            store.pinned[node] = value
    return _hold(value)


def _object(node: int) -> Value:
    """The one object of a node that somebody else holds a reference to."""
    if not store.tracking:
        store.track(Value)
    value = store.find_object(node)
    if value is not None:
        return value
    with store.lock, store.without_collections():  # in which somebody else could make one
        value = store.find_object(node)
        if value is None:
            lib.pg_retain(arena, node)
            value = _wrap(node)
    if len(buried) > 10000:
        store.release_buried()
    return value


def _run_host_steps(waiting: Any) -> None:
    """Run the closures that a reverse pass stops for."""
    try:
        while waiting:
            node = lib.pg_pass_node(waiting)
            if node < 0:
                store.raise_status(node)
            value = store.find_object(node)
            closure = value._held.closure if value is not None else None
            if closure is not None:
                closure()
            waiting, resumed = ffi.NULL, waiting
            waiting = lib.pg_pass_resume(resumed)
    except BaseException:
        if waiting:
            lib.pg_pass_abandon(waiting)
        raise


# -- methods made from the op table ------------------------------------------------------------------


def _document(function: Any, name: str, op: Op) -> Any:
    """Name a function that was made from the op table, and give it its docstring."""
    function.__name__ = name
    function.__qualname__ = f"Value.{name}"
    function.__doc__ = op.doc
    return function


def _binary(op: Op, name: str) -> Callable[[Value, Any], Value]:
    code, record, right = op.code, lib.pg_binary, lib.pg_binary_right

    def method(self: Value, other: Any) -> Value:
        kind = type(other)
        if kind is Value:
            node = record(arena, code, self._node, other._node)
        elif kind is float or kind is int:
            node = right(arena, code, self._node, other)
        else:
            return slow(self, other)
        if not 0 < node < PLAIN:
            call = record if kind is Value else right
            return _finish(
                node, call, (code, self._node, other._node if kind is Value else other), (self, other)
            )
        out = _Node()
        out._node = node
        out.__class__ = Value
        if store.tracking:
            store.objects[node] = ref(out)
        return out  # type: ignore[return-value]

    def slow(self: Value, other: Any) -> Value:
        if isinstance(other, Value):
            arguments: tuple = (code, self._node, other._node)
            return _finish(record(arena, *arguments), record, arguments, (self, other))
        x = number(other)
        if x is not NotImplemented:
            return method(self, x)
        if name.startswith("__"):
            return NotImplemented  # Python asks the other operand, or raises TypeError
        raise TypeError(f"{name} takes a Value or a number, not {type(other).__name__}")

    return _document(method, name, op)


def _reflected(op: Op, name: str) -> Callable[[Value, Any], Value]:
    code, left = op.code, lib.pg_binary_left

    def method(self: Value, other: Any) -> Value:
        if type(other) is not float and type(other) is not int:
            other = number(other)
            if other is NotImplemented:
                return NotImplemented
        node = left(arena, code, other, self._node)
        if not 0 < node < PLAIN:
            return _finish(node, left, (code, other, self._node), (self,))
        out = _Node()
        out._node = node
        out.__class__ = Value
        if store.tracking:
            store.objects[node] = ref(out)
        return out  # type: ignore[return-value]

    return _document(method, name, op)


def _power(scalar: Op, binary: Op) -> Callable[[Value, Any], Value]:
    code, record = scalar.code, lib.pg_scalar
    with_value = _binary(binary, "__pow__")

    def method(self: Value, other: Any) -> Value:
        kind = type(other)
        if kind is not int and kind is not float:
            if isinstance(other, Value):
                return with_value(self, other)
            integral, other = hasattr(kind, "__index__"), number(other)
            if other is NotImplemented:
                return NotImplemented
        else:
            integral = kind is int
        node = record(arena, code, self._node, other, integral)
        if not 0 < node < PLAIN:
            return _finish(node, record, (code, self._node, other, integral), (self,))
        out = _Node()
        out._node = node
        out.__class__ = Value
        if store.tracking:
            store.objects[node] = ref(out)
        return out  # type: ignore[return-value]

    return _document(method, "__pow__", scalar)


def _unary(op: Op, name: str) -> Callable[[Value], Value]:
    code, record = op.code, lib.pg_unary

    def method(self: Value) -> Value:
        node = record(arena, code, self._node)
        if not 0 < node < PLAIN:
            return _finish(node, record, (code, self._node), (self,))
        return _wrap(node)

    return _document(method, name, op)


# -- Value -------------------------------------------------------------------------------------------


class Value(_Node):
    __doc__ = DOCS["Value"]

    __slots__ = ()

    def __init__(
        self,
        data: Any,
        _children: Iterable[Value] = (),
        _op: str | Sequence[float] = "",
        label: str = "",
    ) -> None:
        data = required_number(data, "data")
        operands = tuple(_children)
        if operands or not isinstance(_op, str):
            node = _record_custom(data, operands, _op)
        else:
            node = store.record(lib.pg_leaf, data)
        if COUNTED:
            try:
                buried.append(_get_node(self))  # __init__ called once more makes a new node
            except AttributeError:
                pass
        _set_node(self, node & (KEPT - 1))
        if not COUNTED:
            _set_batch(self, watch(self, node & (KEPT - 1)))
        if store.tracking:
            store.objects[self._node] = ref(self)
        if node >= KEPT:
            store.objects[self._node] = ref(self)
            _hold(self).operands = operands
        if type(self) is not Value:
            _keep(self)
        if label:
            self.label = label

    if COUNTED:

        def __del__(self, bury: Callable[[int], None] = buried.append) -> None:
            try:
                bury(self._node)
            except AttributeError:
                pass  # __init__ refused its arguments

    @property
    @documented
    def data(self) -> float:
        try:
            return store.data_view[self._node]
        except ValueError:  # the arrays are just being moved
            return lib.pg_data(arena, self._node)

    @property
    @documented
    def grad(self) -> float:
        try:
            return store.grad_view[self._node]
        except ValueError:
            return lib.pg_grad(arena, self._node)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "data":
            try:
                store.data_view[self._node] = value
            except (TypeError, ValueError):  # no float; or the arrays are just being moved
                lib.pg_set_data(arena, self._node, required_number(value, name))
        elif name == "grad":
            try:
                store.grad_view[self._node] = value
            except (TypeError, ValueError):
                lib.pg_set_grad(arena, self._node, required_number(value, name))
        elif name == "_backward":
            _set_closure(self, value)
        else:
            if type(self) is Value and not hasattr(Value, name):
                setattr(Value, name, Attribute(name, _constants, _others))
            object.__setattr__(self, name, value)

    @documented
    def backward(self) -> None:
        waiting = lib.pg_backward(arena, self._node)
        if waiting:
            _run_host_steps(waiting)

    @property
    def _backward(self) -> Callable[[], Any]:
        held = getattr(self, "_held", None)
        return held.closure if held is not None and held.closure is not None else self._step

    @documented
    def _step(self) -> None:
        lib.pg_step(arena, self._node)

    @property
    @documented
    def _prev(self) -> set[Value]:
        return set(operands(self))

    @property
    @documented
    def _op(self) -> str:
        node = self._node
        symbol = store.text(lib.pg_symbol(arena, node))
        if _BY_CODE[lib.pg_op_of(arena, node)].kind != "scalar":
            return show_op(symbol, None)
        integral = ffi.new("int *")
        exponent = lib.pg_scalar_of(arena, node, integral)
        return show_op(symbol, int(exponent) if integral[0] else exponent)

    __repr__ = represent
    __format__ = format_value


def _constants(value: Value, create: bool) -> dict[str, Any] | None:
    if not create:
        return store.labels.get(value._node)
    with store.lock:
        lib.pg_label(arena, value._node)
        return store.labels.setdefault(value._node, {})


def _others(value: Value, create: bool) -> dict[str, Any] | None:
    if create:
        return _keep(value).attributes
    held = getattr(value, "_held", None)
    return held.attributes if held is not None else None


Value.label = Attribute("label", _constants, _others)  # type: ignore[attr-defined]


def _set_closure(value: Value, closure: Any) -> None:
    if not callable(closure):
        raise TypeError(f"_backward must be callable, not {type(closure).__name__}")
    _keep(value).closure = closure
    lib.pg_host_step(arena, value._node, 1)


def _nodes(values: Sequence[Any], what: str) -> list[int]:
    for value in values:
        if not isinstance(value, Value):
            raise TypeError(f"{what} must be Values, not {type(value).__name__}")
    return [value._node for value in values]


def _record_custom(data: float, operands: tuple, op: Any) -> int:
    nodes = _nodes(operands, "_children")
    if isinstance(op, str):
        return store.record(lib.pg_custom, data, len(nodes), nodes, ffi.NULL, op.encode())
    local = [required_number(gradient, "a local gradient") for gradient in op]
    if len(local) != len(nodes):
        raise ValueError(f"{len(nodes)} children need {len(nodes)} local gradients, not {len(local)}")
    if not nodes:
        return store.record(lib.pg_leaf, data)
    return store.record(lib.pg_custom, data, len(nodes), nodes, local, ffi.NULL)


@documented
def operands(value: Value) -> list[Value]:
    if not isinstance(value, Value):
        raise TypeError(f"expected a Value, not {type(value).__name__}")
    node, room = value._node, 2
    while True:
        nodes = ffi.new("pg_node[]", room)
        count = lib.pg_operands(arena, node, room, nodes)
        if count <= room:
            return [_object(nodes[i]) for i in range(count)]
        room = count


# -- what the other modules need beside Value --------------------------------------------------------


def describe(value: Value) -> Description:
    node = value._node
    op, integral = lib.pg_op_of(arena, node), ffi.new("int *")
    exponent = lib.pg_scalar_of(arena, node, integral) if _BY_CODE[op].kind == "scalar" else None
    if exponent is not None and integral[0]:
        exponent = int(exponent)
    gradients = lib.pg_local(arena, node)
    local = None
    if gradients != ffi.NULL:
        local = tuple(ffi.unpack(gradients, lib.pg_operands(arena, node, 0, ffi.NULL)))
    held = getattr(value, "_held", None)
    attributes = {**store.labels.get(node, {}), **(held.attributes if held is not None else {})}
    has_closure = held is not None and held.closure is not None
    return Description(op, store.text(lib.pg_symbol(arena, node)), exponent, local, has_closure, attributes)


def restore(
    op: int,
    data: float,
    grad: float,
    operands: tuple[Value, ...],
    exponent: float | None,
    symbol: str,
    local: tuple[float, ...] | None,
) -> Value:
    """A node made from its description, computing nothing."""
    nodes = _nodes(operands, "operands")
    k, integral = (0.0, False) if exponent is None else (exponent, isinstance(exponent, int))
    given = ffi.NULL if local is None else ffi.new("double[]", local)
    name = ffi.NULL if local is not None else ffi.new("char[]", symbol.encode())
    arguments = (op, data, grad, len(nodes), nodes, k, integral, given, name)
    return _finish(lib.pg_restore(arena, *arguments), lib.pg_restore, arguments, operands)


def check() -> int:
    """For tests: 0, or the number of the arena's first invariant found broken."""
    store.release_buried()
    return int(lib.pg_check(arena))


def zero_graph(root: Value) -> None:
    status = lib.pg_zero_graph(arena, root._node)
    if status:
        store.raise_status(status)


def zero_grads(values: Sequence[Value]) -> None:
    nodes = _nodes(values, "parameters")
    lib.pg_zero_grads(arena, len(nodes), nodes)


def _state(array: Any) -> Any:
    return ffi.NULL if array is None else ffi.from_buffer("double[]", array, require_writable=True)


def sgd(values: Sequence[Value], velocity: Any, options: tuple[float, ...], first: bool) -> None:
    nodes = _nodes(values, "parameters")
    lib.pg_sgd(arena, len(nodes), nodes, ffi.new("pg_sgd_options *", options), _state(velocity), first)


def adam(
    values: Sequence[Value], mean: Any, square: Any, top: Any, options: tuple[float, ...], step: int
) -> None:
    nodes, states = _nodes(values, "parameters"), map(_state, (mean, square, top))
    lib.pg_adam(arena, len(nodes), nodes, ffi.new("pg_adam_options *", options), *states, step)


# -- functions ---------------------------------------------------------------------------------------


def _value(x: Any) -> Value:
    return x if isinstance(x, Value) else Value(x)


def _fold(op: Op, values: tuple[Value, ...]) -> Value:
    arguments = (op.code, len(values), [value._node for value in values])
    return _finish(lib.pg_nary(arena, *arguments), lib.pg_nary, arguments, values)


def _function(op: Op) -> Callable[..., Value]:
    if op.kind == "unary":

        def function(x: Any) -> Value:
            return getattr(_value(x), op.name)()
    elif op.kind == "binary":

        def function(x: Any, y: Any) -> Value:  # type: ignore[misc]
            return getattr(_value(x), op.name)(_value(y))
    elif op.kind == "nary":

        def function(values: Iterable[Any]) -> Value:
            return _fold(op, tuple(map(_value, values)))
    else:

        def function(x: Iterable[Any], y: Iterable[Any]) -> Value:  # type: ignore[misc]
            first, second = tuple(map(_value, x)), tuple(map(_value, y))
            if len(first) != len(second):
                raise ValueError(f"{op.name} needs lists of equal length, not {len(first)} and {len(second)}")
            return _fold(op, first + second)

    _document(function, op.name, op).__qualname__ = op.name
    return function


#: Operations that Python spells with an operator; the others are methods under their own names.
_OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv"}


def _equip() -> dict[str, Callable[..., Value]]:
    """Give Value its methods from the op table; return the functions of the same names."""
    functions = {}
    for op in OPS.values():
        if op.name in _OPERATORS:
            name = _OPERATORS[op.name]
            setattr(Value, f"__{name}__", _binary(op, f"__{name}__"))
            setattr(Value, f"__r{name}__", _reflected(op, f"__r{name}__"))
        elif op.name == "pow":
            Value.__pow__ = _power(OPS["pow_scalar"], op)
            Value.__rpow__ = _reflected(op, "__rpow__")
        elif op.name == "neg":
            Value.__neg__ = _unary(op, "__neg__")
        elif op.kind in ("unary", "binary"):
            setattr(Value, op.name, {"unary": _unary, "binary": _binary}[op.kind](op, op.name))
            functions[op.name] = _function(op)
        elif op.kind in ("nary", "paired"):
            functions[op.name] = _function(op)
    Value.__abs__ = Value.abs
    return functions


functions = _equip()
__all__ = [
    "OPS",
    "Value",
    "adam",
    "backend",
    "check",
    "describe",
    "functions",
    "live_nodes",
    "memory",
    "operands",
    "restore",
    "sgd",
    "zero_grads",
    "zero_graph",
]
