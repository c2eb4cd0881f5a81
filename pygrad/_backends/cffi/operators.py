"""The operators and methods of ``Value`` and the functions of the same names, made from the op table.

Each method ends with the same lines, which make the object of a result: a call for it would take a tenth of
the time of recording.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return, misc"
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from weakref import ref

from pygrad._backends.cffi import value as values
from pygrad._backends.cffi.arena import arena
from pygrad._backends.cffi.value import INLINE_BELOW, OPS, Node, Value, finish, objects
from pygrad._backends.interface import Op, integral, number
from pygrad._cffi import lib


def _named(function: Any, name: str, doc: str, prefix: str = "Value.") -> Any:
    function.__name__, function.__qualname__, function.__doc__ = name, prefix + name, doc
    return function


def _binary(op: Op) -> Callable[..., Any]:
    code, record, right = op.code, lib.pg_binary, lib.pg_binary_right

    def method(self, y, /):
        kind = type(y)
        if kind is Value:
            node = record(arena, code, self._node, y._node)
        elif kind is float or kind is int:
            node = right(arena, code, self._node, y)
        else:
            return slow(self, y)
        if not 0 < node < INLINE_BELOW:
            call, operand = (record, y._node) if kind is Value else (right, y)
            return finish(node, call, (code, self._node, operand), (self, y))
        out = Node()
        out._node = node
        out.__class__ = Value
        if values.tracking:
            objects[node] = ref(out)
        return out

    def slow(self: Value, y: Any) -> Any:
        if isinstance(y, Value):
            arguments = code, self._node, y._node
            return finish(record(arena, *arguments), record, arguments, (self, y))
        x = number(y)
        if x is not NotImplemented:
            return method(self, x)
        if op.is_operator:
            return NotImplemented  # Python asks the other operand, or raises TypeError
        raise TypeError(f"{op.method} takes a Value or a number, not {type(y).__name__}")

    return method


def _reflected(op: Op) -> Callable[..., Any]:
    code, left = op.code, lib.pg_binary_left

    def method(self, x, /):
        if type(x) is not float and type(x) is not int:
            x = number(x)
            if x is NotImplemented:
                return NotImplemented
        node = left(arena, code, x, self._node)
        if not 0 < node < INLINE_BELOW:
            return finish(node, left, (code, x, self._node), (self,))
        out = Node()
        out._node = node
        out.__class__ = Value
        if values.tracking:
            objects[node] = ref(out)
        return out

    return method


def _scalar(op: Op) -> Callable[..., Any]:
    """x ** k: a number as the exponent is a part of the operation. For two Values there is a method already."""
    code, record, with_value = op.code, lib.pg_scalar, getattr(Value, str(op.method))

    def method(self, y, mod=None, /):
        if mod is not None:
            return NotImplemented
        kind = type(y)
        if kind is int or kind is float:
            is_int = kind is int
        elif isinstance(y, Value):
            return with_value(self, y)
        else:
            is_int, y = integral(y), number(y)
            if y is NotImplemented:
                return NotImplemented
        node = record(arena, code, self._node, y, is_int)
        if not 0 < node < INLINE_BELOW:
            return finish(node, record, (code, self._node, y, is_int), (self,))
        out = Node()
        out._node = node
        out.__class__ = Value
        if values.tracking:
            objects[node] = ref(out)
        return out

    return method


def _unary(op: Op) -> Callable[..., Any]:
    code, record = op.code, lib.pg_unary

    def method(self, /):
        node = record(arena, code, self._node)
        if not 0 < node < INLINE_BELOW:
            return finish(node, record, (code, self._node), (self,))
        out = Node()
        out._node = node
        out.__class__ = Value
        if values.tracking:
            objects[node] = ref(out)
        return out

    return method


def _value(x: Any) -> Value:
    if isinstance(x, Value):
        return x
    value = Value(x)
    lib.pg_mark_number(arena, value._node)
    return value


def _values(items: Iterable[Any]) -> list[Value]:
    try:
        items = iter(items)
    except TypeError:
        raise TypeError("expected a list of Values or numbers") from None
    return [_value(item) for item in items]


def _record_nary(op: Op, operands: list[Value]) -> Value:
    arguments = op.code, len(operands), [operand._node for operand in operands]
    return finish(lib.pg_nary(arena, *arguments), lib.pg_nary, arguments, operands)


def _function(op: Op) -> Callable[..., Value]:
    method: Any = vars(Value).get(str(op.method))

    def unary(x, /):
        return method(_value(x))

    def binary(x, y, /):
        return method(_value(x), _value(y))

    def nary(values, /):
        return _record_nary(op, _values(values))

    def paired(x, y, /):
        first, second = _values(x), _values(y)
        if len(first) != len(second):
            raise ValueError(f"{op.name} needs lists of equal length, not {len(first)} and {len(second)}")
        return _record_nary(op, first + second)

    kinds: dict[str, Any] = {"unary": unary, "binary": binary, "paired": paired}
    return _named(kinds.get(op.kind, nary), op.name, op.doc, "")


functions: dict[str, Callable[..., Value]] = {}
_METHODS = {"unary": _unary, "binary": _binary, "scalar": _scalar}

for _op in OPS.values():
    if _op.kind in _METHODS:
        setattr(Value, str(_op.method), _named(_METHODS[_op.kind](_op), str(_op.method), _op.doc))
    if _op.kind == "binary" and _op.is_operator:
        _name = f"__r{str(_op.method)[2:]}"
        setattr(Value, _name, _named(_reflected(_op), _name, _op.doc))
    if _op.kind not in ("leaf", "custom", "scalar") and not _op.is_operator:
        functions[_op.name] = _function(_op)
