"""``Value`` in Python over the C library: its object, its numbers, and what is attached to it."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return, valid-type, misc, assignment"
from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from operator import is_
from typing import Any
from weakref import ref

from pygrad._backends.cffi import arena as store
from pygrad._backends.cffi.arena import arena, lifetime  # type: ignore[attr-defined]
from pygrad._backends.docs import DOCS, documented
from pygrad._backends.interface import read_table, required_number
from pygrad._cffi import ffi, lib

if "Value" in globals():
    raise ImportError("pygrad has live Values: its modules can't be loaded again in this process")

HOLD_OPERANDS = 1 << lib.PG_HOLD_OPERANDS_BIT
INLINE_BELOW, Node = lifetime.INLINE_BELOW, lifetime.Node


def _rows() -> Iterator[tuple[Any, ...]]:
    code = 0
    while (row := lib.pg_op(code)) != ffi.NULL:
        special = None if row.special == ffi.NULL else store.text(row.special)
        name, symbol, formula, doc = map(store.text, (row.name, row.symbol, row.formula, row.doc))
        yield name, special, symbol, formula, row.kind, doc, tuple(map(store.text, row.partials))
        code += 1


#: The op table by name.
OPS = read_table(_rows())


# -- the object of a node ----------------------------------------------------------------------------


class _Held:
    """What a Value carries beyond its node: everything here may be part of a reference cycle."""

    __slots__ = ("attributes", "closure", "operands")

    def __init__(self) -> None:
        self.operands: tuple[Value, ...] = ()  # whose closures or attributes this graph needs
        self.closure: Callable[[], Any] | None = None
        self.attributes: dict[str, Any] | None = None


_set_held = Node.__dict__["_held"].__set__
_NOTHING = _Held()  # of an object without

#: Node -> weak reference to its object. Objects that others hold are in it from the start, all others from a
#: first look on: most programs never look, and an entry for each operation would cost a third of its time.
objects: dict[int, ref[Any]] = {}
tracking = False  # whether every new object goes into `objects`
_next_sweep = 1000  # entries


def _discard(node: int, entry: ref[Any]) -> None:
    """Take that entry out, if it is still there: all in one call of C code."""
    still_there = map(is_, (entry,), map(objects.get, (node,)))
    list(map(objects.pop, compress((node,), still_there)))


def _sweep_objects() -> None:
    """Take out the entries of dead objects, each time that the table has doubled."""
    global _next_sweep
    for node, entry in objects.copy().items():
        if entry() is None:
            _discard(node, entry)
    _next_sweep = 2 * len(objects) + 1000


def _hold_node(node: int) -> Value:
    """A new object with a reference of its own to a node, which somebody else holds."""
    return lifetime.new(Value, lib.pg_retain(arena, node) or node)


def object_of(node: int) -> Any:
    """The one object of a node that somebody else holds a reference to."""
    global tracking
    if not tracking:
        tracking = True
        for living in lifetime.living(Value):
            objects.setdefault(living._node, ref(living))
    made = None
    while (value := (entry := objects.get(node)) and entry()) is None:
        if entry is not None:
            _discard(node, entry)
        made = _hold_node(node)
        objects.setdefault(node, ref(made))  # another thread's may stand there by now: then this one goes
    if len(objects) > _next_sweep:
        _sweep_objects()
    return value


def finish(result: int, call: Callable[..., int], arguments: tuple[Any, ...], operands: Iterable[Any]) -> Value:
    """A result that is not simply a node: an error, a full arena, or one whose operands must be held."""
    if result < 0:
        result = store.record(call, *arguments)  # raises, or makes room
    node = result & (HOLD_OPERANDS - 1)
    value: Value = lifetime.new(Value, node)
    if tracking or result >= HOLD_OPERANDS:
        objects[node] = ref(value)
    if result >= HOLD_OPERANDS:
        _hold(value).operands = tuple([v for v in operands if isinstance(v, Value)])
    return value


def _hold(value: Value) -> _Held:
    if not hasattr(value, "_held"):
        _set_held(value, _Held())
    return value._held


def _need_object(value: Value) -> bool:
    """From now on results hold this object. False where some were recorded already, which don't."""
    status = lib.pg_need_object(arena, value._node)
    for look_harder in (store.release_dead, store.collect):  # dead results count as well
        if status == lib.PG_HAS_RESULTS:
            look_harder()
            status = lib.pg_need_object(arena, value._node)
    if status == lib.PG_HAS_RESULTS:
        return False
    objects[value._node] = ref(value)
    _hold(value)
    return True


def check_value(value: Any) -> None:
    if not isinstance(value, Value):
        raise TypeError(f"expected a Value, not {type(value).__name__}")


def node_of(value: Value) -> int:
    """The number of a Value's node."""
    check_value(value)
    return value._node


def nodes_of(values: Iterable[Value]) -> array[int]:
    """Those of Values, as an array."""
    return array("I", map(node_of, values))


def adopt(result: int, operands: tuple[Value, ...]) -> Value:
    """The object of what was recorded, whose reference it takes over."""
    return finish(result, store.record, (), operands)


# -- Value -------------------------------------------------------------------------------------------

_initialize: Callable[..., None]
_new_attribute: Callable[[str], None]
_NONE, _EMPTY = (), ""


def caller(address: int) -> Callable[[Sequence[Any]], Any]:
    """What calls the pg_function at an address with numbers and Values; None where that takes another way."""
    function = ffi.cast("pg_function *", address)
    zeros = [0] * function.arguments

    def call(args: Sequence[Any]) -> Any:
        nodes = zeros
        if not {*map(type, args)} <= {float, int}:
            nodes = [x._node if isinstance(x, Value) else 0 for x in args]
            args = tuple([0.0 if isinstance(x, Value) else x for x in args])
        result = lib.pg_call(arena, function, args, nodes)
        if 0 < result < HOLD_OPERANDS:
            return finish(result, store.record, (), ())
        if result > 0:
            lib.pg_release(arena, 1, [result - HOLD_OPERANDS])
        return None

    return call


def use(initialize: Callable[..., None], new_attribute: Callable[[str], None], *_: Any) -> None:
    global _initialize, _new_attribute
    _initialize, _new_attribute = initialize, new_attribute


#: Where C puts a pass that waits. Making such a place takes as long as a small pass.
_places = [ffi.new("pg_pass **")]


def _run_closures(waiting: Any, node: int) -> None:
    """Run the closures that a reverse pass stops for, beginning at a node."""
    while store.checked(node):
        value = (entry := objects.get(node)) and entry()
        if (closure := getattr(value, "_held", _NOTHING).closure) is not None:
            closure()
        node = lib.pg_resume(waiting)


def _unset_node(self: Any) -> int:
    try:
        return lifetime.get_node(self)
    except AttributeError:
        kind = type(self).__name__
        raise AttributeError(f"this {kind} has no data: its __init__ must call Value.__init__") from None


_data, _grad = store.data, store.grad


def _property(numbers: Any, name: str) -> property:
    def get(self: Any) -> float:
        try:
            return numbers.view[self._node]
        except ValueError:  # a released view
            store.open_views()
            return numbers[self._node]

    return property(get, doc=DOCS[name])


class Value(Node):
    __slots__ = ()
    __module__ = "pygrad"

    def __init__(self, data, _children=_NONE, _op=_EMPTY, label=_EMPTY):
        kind = type(data)
        if (kind is float or kind is int) and _children is _NONE and _op is _EMPTY and label is _EMPTY:
            _replace_node(self, store.record(lib.pg_leaf, data))
        else:
            _initialize(self, data, _children, _op, label)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._node = property(_unset_node)  # its message says what was forgotten
        lifetime.subclassed(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "data":
            numbers = _data
        elif name == "grad":
            numbers = _grad
        else:
            if type(self) is Value and not hasattr(Value, name):
                _new_attribute(name)
            object.__setattr__(self, name, value)
            return
        if type(value) is not float and type(value) is not int:
            value = required_number(value, name)
        try:
            numbers.view[self._node] = value
        except ValueError:  # a released view
            store.open_views()
            numbers[self._node] = value

    def __delattr__(self, name: str) -> None:
        if name in ("data", "grad"):
            raise AttributeError(f"{name} can't be deleted")
        object.__delattr__(self, name)

    data, grad = _property(_data, "data"), _property(_grad, "grad")

    @documented
    def backward(self, /):
        try:
            waiting = _places.pop()
        except IndexError:
            waiting = ffi.new("pg_pass **")
        try:
            node = lib.pg_backward(arena, self._node, waiting)
            if node:
                _run_closures(waiting, node)
        except BaseException:
            if waiting[0]:
                lib.pg_abandon(waiting[0])
            raise
        _places.append(waiting)

    @documented
    def _step(self, /):
        lib.pg_reverse_node(arena, self._node)


# -- what a node is made from, and what is attached to it --------------------------------------------


def _replace_node(value: Value, result: int, operands: tuple[Value, ...] = ()) -> None:
    """Give an object the node that was recorded for it."""
    node = result & (HOLD_OPERANDS - 1)
    lifetime.adopt(value, node)
    if tracking or result >= HOLD_OPERANDS:
        objects[node] = ref(value)
    if result >= HOLD_OPERANDS:
        _hold(value).operands = operands
    if type(value) is not Value:
        _need_object(value)


def fill(
    value: Value,
    op: int,
    data: float,
    grad: float,
    operands: tuple[Value, ...],
    exponent: float,
    is_int: bool,
    symbol: bytes,
    partials: tuple[float, ...] | None,
) -> None:
    nodes = [operand._node for operand in operands]
    given = (ffi.NULL, symbol) if partials is None else (partials, ffi.NULL)
    node = store.record(lib.pg_restore, op, data, grad, len(nodes), nodes, exponent, is_int, *given)
    _replace_node(value, node, operands)


def _objects(find: Callable[..., int], value: Value) -> list[Value]:
    """The objects of nodes that a function of the library finds from a value's."""
    check_value(value)
    held, count, room = _hold_node(value._node), 2, 0  # the object may get another node meanwhile
    while count > room:
        room = count
        nodes = ffi.new("pg_node[]", room)
        count = store.checked(find(arena, held._node, room, nodes))
    return [object_of(node) for node in ffi.unpack(nodes, count)]


@documented
def operands(value, /):
    return _objects(lib.pg_operands, value)


def nonzero_grads(root: Value) -> list[Value]:
    return _objects(lib.pg_nonzero_grads, root)


def raw_info(value: Value) -> tuple[int, bytes, float, int, bytes | None]:
    check_value(value)
    held = _hold_node(value._node)
    node = held._node
    op, is_int = lib.pg_op_of(arena, node), ffi.new("int *")
    exponent, partials = lib.pg_exponent(arena, node, is_int), lib.pg_partials(arena, node)
    given = ffi.buffer(partials, 8 * lib.pg_operands(arena, node, 0, ffi.NULL))[:] if partials else None
    return op, ffi.string(lib.pg_symbol(arena, node)), exponent, is_int[0], given


def node_attributes(value: Value, create: bool) -> dict[str, Any] | None:
    check_value(value)
    if not create:
        return store.attributes.get(value._node)
    lib.pg_notify_free(arena, value._node)
    return store.attributes.setdefault(value._node, {})


def object_attributes(value: Value, create: bool) -> dict[str, Any] | None:
    check_value(value)
    if create:
        if not _need_object(value):
            return None
        if value._held.attributes is None:
            value._held.attributes = {}
    return getattr(value, "_held", _NOTHING).attributes


def closure(value: Value) -> Callable[[], Any] | None:
    check_value(value)
    return getattr(value, "_held", _NOTHING).closure


def set_closure(value: Value, closure: Callable[[], Any]) -> None:
    check_value(value)
    store.checked(lib.pg_set_external(arena, value._node, 1) if _need_object(value) else lib.PG_HAS_RESULTS)
    _hold(value).closure = closure


def zero_graph(root: Value) -> None:
    check_value(root)
    store.checked(lib.pg_zero_graph(arena, root._node))
