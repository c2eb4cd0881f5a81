"""copy, deepcopy and pickle of Values and graphs: what is shared stays shared, and no depth is too deep.

A copied or unpickled node has the data, grad, operands and attributes of the original. A node with a closure
(``_backward``) can't follow: its closure would go on to change the original's graph.
"""

from __future__ import annotations

import copy
from typing import Any
from weakref import WeakSet

from pygrad.value import OPS, Value, engine, operands

_NAMES = list(OPS)  # by code


def topological(root: Value, known: Any = ()) -> list[Value]:
    """All nodes that the root reaches, operands first and the root last, but not those whose id is in
    `known`."""
    order: list[Value] = []
    met: set[int] = set()
    stack: list[tuple[Value, list[Value]]] = [(root, operands(root))]
    while stack:
        value, left = stack[-1]
        if left:
            operand = left.pop()
            if id(operand) not in met and id(operand) not in known:
                met.add(id(operand))
                stack.append((operand, operands(operand)))
        else:
            order.append(value)
            stack.pop()
    return order


def _record(value: Value, below: tuple[Value, ...]) -> tuple[Any, ...]:
    """The arguments of `rebuild` for a node."""
    d = engine.describe(value)
    if d.has_closure:
        raise TypeError(
            f"a Value with a closure in _backward ({value!r}) can't be copied or pickled: the copy's "
            "closure would change the original. Use local gradients: Value(data, operands, gradients)"
        )
    kind = type(value) if type(value) is not Value else None
    record = (_NAMES[d.op], value.data, value.grad, below, d.exponent, d.symbol, d.local, kind)
    return record[:4] if record[4:] == (None, "", None, None) else record


def _attributes(value: Value) -> dict[str, Any] | None:
    """What a user has set on it. Apart from the record, as it may lead back to the value."""
    return {**engine.describe(value).attributes, **getattr(value, "__dict__", {})} or None


def _set_attributes(self: Value, attributes: dict[str, Any] | None) -> None:
    for name, attribute in (attributes or {}).items():
        setattr(self, name, attribute)


def rebuild(
    op: str,
    data: float,
    grad: float,
    below: tuple[Value, ...],
    exponent: float | None = None,
    symbol: str = "",
    local: tuple[float, ...] | None = None,
    kind: type | None = None,
) -> Value:
    """A node from its record."""
    if op not in OPS:
        raise ValueError(f"this version of pygrad has no operation {op!r}")
    if kind is None:
        value = engine.restore(OPS[op].code, data, grad, below, exponent, symbol, local)
    else:  # a subclass's objects are made by Value.__init__, so they are leaves or custom operations
        value = kind.__new__(kind)
        Value.__init__(value, data, below, symbol if local is None else local)
        value.grad = grad
    return value  # type: ignore[no-any-return]


def _copy(self: Value) -> Value:
    """A new node with the same numbers and the same operands."""
    twin = rebuild(*_record(self, tuple(operands(self))))
    _set_attributes(twin, _attributes(self))
    return twin


def _deepcopy(self: Value, memo: dict[int, Any]) -> Value:
    """A copy of the whole graph below."""
    order = topological(self, memo)
    for value in order:
        memo[id(value)] = rebuild(*_record(value, tuple(memo[id(operand)] for operand in operands(value))))
        memo.setdefault(id(memo), []).append(value)  # the copy module's way: no other object gets its id
    for value in order:
        _set_attributes(memo[id(value)], copy.deepcopy(_attributes(value), memo))
    return memo[id(self)]  # type: ignore[no-any-return]


# -- pickle ------------------------------------------------------------------------------------------


class _Below:
    """All nodes below a root, to be pickled one after the other ahead of it, so that no node has to pickle
    its operands from within. Becomes a plain list."""

    def __init__(self, nodes: list[Value]) -> None:
        self.nodes = nodes
        self.ids = set(map(id, nodes))

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, iter(self.nodes)


_pickling: WeakSet[_Below] = WeakSet()  # alive as long as the memo of the pickler that is at work


def _reduce(self: Value, protocol: Any) -> tuple[Any, ...]:
    below = operands(self)
    record, attributes = _record(self, tuple(below)), _attributes(self)
    if not below or any(id(self) in ahead.ids for ahead in _pickling):
        return rebuild, record, attributes
    ahead = _Below(topological(self)[:-1])
    _pickling.add(ahead)
    return _rebuild_root, (ahead, record), attributes


def _rebuild_root(below: list[Value], record: tuple[Any, ...]) -> Value:
    return rebuild(*record)


Value.__copy__, Value.__deepcopy__ = _copy, _deepcopy
Value.__reduce_ex__, Value.__setstate__ = _reduce, _set_attributes
