"""copy, deepcopy and pickle of Values and graphs: what is shared stays shared, and no depth is too deep.

A copied or unpickled node has the data, grad, operands and attributes of the original. A node with a closure
(``_backward``) can't follow: its closure would go on to change the original's graph.
"""

from __future__ import annotations

import copy
import copyreg
from collections.abc import Container, Sequence
from typing import Any, Callable
from weakref import WeakSet

from pygrad._backends import core
from pygrad.value import OPS, Value, operands

_NAMES = list(OPS)  # by code


def topological(
    roots: Sequence[Any], operands: Callable[[Any], list[Any]] = operands, known: Container[int] = ()
) -> list[Any]:
    """All that the roots reach, each once, operands first and in their order, but nothing whose id is in `known`."""
    order: list[Any] = []
    met: set[int] = set()
    stack = [*reversed(roots)]
    while stack:
        value = stack.pop()
        if value is None:  # all that is below the next one stands in the order
            order.append(stack.pop())
        elif id(value) not in met and id(value) not in known:
            met.add(id(value))
            stack += (value, None, *reversed(operands(value)))
    return order


def _record(value: Value, below: tuple[Value, ...]) -> tuple[Any, ...]:
    """The arguments of `rebuild` for a node."""
    d = core.info(value)
    if d.has_closure:
        raise TypeError(
            f"a Value with a closure in _backward ({value!r}) can't be copied or pickled: the copy's "
            "closure would change the original. Use local gradients: Value(data, operands, gradients)"
        )
    record = (_NAMES[d.op], value.data, value.grad, below, d.exponent, d.symbol, d.partials)
    if type(value) is not Value:
        return *record, type(value), *_new_arguments(value)
    return record[:4] if record[4:] == (None, "", None) else record


def _new_arguments(value: Value) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a subclass's ``__new__`` is to be called with."""
    if hasattr(value, "__getnewargs_ex__"):
        return value.__getnewargs_ex__()  # type: ignore[no-any-return]
    return (value.__getnewargs__() if hasattr(value, "__getnewargs__") else ()), {}


def _get_state(self: Value) -> Any:
    """What a user has set on it, in pickle's form: a dict, or where there are slots a tuple of two.

    Apart from the record, as it may lead back to the value."""
    attributes = {**core.info(self).attributes, **getattr(self, "__dict__", {})} or None
    names = set(copyreg._slotnames(type(self))) - set(copyreg._slotnames(Value))  # type: ignore[attr-defined]
    slots = {name: getattr(self, name) for name in sorted(names) if hasattr(self, name)}
    return (attributes, slots) if slots else attributes


def _set_state(self: Value, state: Any) -> None:
    for attributes in state if isinstance(state, tuple) else (state,):
        if not isinstance(attributes, (dict, type(None))):
            raise TypeError(f"a Value's state is a dict, not {type(attributes).__name__}")
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
    arguments: tuple[Any, ...] = (),
    keywords: dict[str, Any] | None = None,
) -> Value:
    """A node from its record; ValueError or TypeError for what is none."""
    if not isinstance(op, str) or op not in OPS:
        raise ValueError(f"this version of pygrad has no operation {op!r}")
    if kind is None:
        value: Value = core.restore(OPS[op].code, data, grad, below, exponent, symbol, local)
        return value
    if not isinstance(kind, type) or not issubclass(kind, Value):
        raise TypeError(f"{kind!r} is no class of Values")
    value = kind.__new__(kind, *arguments, **(keywords or {}))
    # a subclass's objects are made by Value.__init__, so they are leaves or custom operations
    Value.__init__(value, data, below, symbol if local is None else local)
    value.grad = grad
    return value


def _reduced(value: Value) -> Any:
    """What a subclass's own ``__reduce_ex__`` or ``__reduce__`` says, or None."""
    if type(value).__reduce_ex__ is not Value.__reduce_ex__:
        return value.__reduce_ex__(4)
    return value.__reduce__() if type(value).__reduce__ is not Value.__reduce__ else None


def _copy(self: Value) -> Value:
    """A new node with the same numbers and the same operands."""
    reduced = _reduced(self) or (rebuild, _record(self, tuple(operands(self))), self.__getstate__())
    if isinstance(reduced, str):  # the name of something that is there once
        return self
    make, arguments, state = (*reduced, None)[:3]
    value: Value = make(*arguments)
    if state is not None:
        value.__setstate__(state)
    return value


def _deepcopy(self: Value, memo: dict[int, Any]) -> Value:
    """A copy of the whole graph below."""
    order, states = topological([self], known=memo), []
    for value in order:
        kind: Any = type(value)
        if kind.__deepcopy__ is not _deepcopy and value is not self:
            memo[id(value)] = value.__deepcopy__(memo)
        elif isinstance(reduced := _reduced(value), str):
            memo[id(value)] = value
        else:
            if reduced:
                make, arguments, state = (*reduced, None)[:3]
                arguments = copy.deepcopy(arguments, memo)
            else:
                record = _record(value, tuple([memo[id(operand)] for operand in operands(value)]))
                make, state = rebuild, value.__getstate__()
                arguments = *record[:8], *(copy.deepcopy(part, memo) for part in record[8:])
            memo[id(value)] = make(*arguments)
            states.append((value, state))
        memo.setdefault(id(memo), []).append(value)  # the copy module's way: no other object gets its id
    for value, state in states:
        if state is not None:
            memo[id(value)].__setstate__(copy.deepcopy(state, memo))
    return memo[id(self)]  # type: ignore[no-any-return]


class _Below:
    """All nodes below a root, to be pickled one after the other ahead of it, so that no node has to pickle
    its operands from within. Becomes a plain list."""

    def __init__(self, nodes: list[Value]) -> None:
        self.nodes = nodes
        self.ids = set(map(id, nodes))

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, iter(self.nodes)


_pickling: WeakSet[_Below] = WeakSet()  # alive as long as the memo of the pickler that is at work


def _reduce(self: Value) -> tuple[Any, ...]:
    below = operands(self)
    record, state = _record(self, tuple(below)), self.__getstate__()
    if not below or any(id(self) in ahead.ids for ahead in _pickling):
        return rebuild, record, state
    ahead = _Below(topological([self])[:-1])
    _pickling.add(ahead)
    return _rebuild_root, (ahead, record), state


def _rebuild_root(below: list[Value], record: tuple[Any, ...]) -> Value:
    return rebuild(*record)


_value: Any = Value
_value.__copy__, _value.__deepcopy__ = _copy, _deepcopy
_value.__getstate__, _value.__setstate__ = _get_state, _set_state
_value.__reduce__ = _reduce
