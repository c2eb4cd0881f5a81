"""The native backend: ``Value`` as a CPython type (csrc/cpython.c), and what of it is not hot."""

from __future__ import annotations

import os
from typing import Any

from pygrad import _native
from pygrad._docs import DOCS, documented
from pygrad._native import (
    Value,
    adam,
    check,
    constants,
    functions,
    live_nodes,
    operands,
    restore,
    sgd,
    zero_grads,
    zero_graph,
)
from pygrad._shared import KINDS, Attribute, Description, Memory, Op, format_value, represent, show_op

backend = "native"

#: The op table by name.
OPS = {
    name: Op(code, name, symbol, formula, KINDS[kind], doc)
    for code, name, symbol, formula, kind, doc in _native.table
}


@documented
def memory() -> Memory:
    return Memory(*_native.memory())


def describe(value: Value) -> Description:
    op, symbol, exponent = _native.describe(value)
    attributes = {**(constants(value, False) or {}), **(value._attributes or {})}
    return Description(op, symbol, exponent, _native.local(value), _native.has_closure(value), attributes)


def _others(value: Value, create: bool) -> dict[str, Any] | None:
    return _native.kept_attributes(value) if create else value._attributes


def _equip() -> None:
    def add_attribute(name: str) -> None:
        setattr(Value, name, Attribute(name, constants, _others))

    def shown_op(self: Value) -> str:
        _, symbol, exponent = _native.describe(self)
        return show_op(symbol, exponent)

    def prev(self: Value) -> set[Value]:
        return set(operands(self))

    Value.__doc__ = DOCS["Value"]
    _native.document(
        {name: text for name, text in DOCS.items() if name not in ("Value", "_op", "_prev", "memory")}
    )
    Value.__repr__ = represent
    Value.__format__ = format_value
    Value._op = property(shown_op, doc=DOCS["_op"])
    Value._prev = property(prev, doc=DOCS["_prev"])
    add_attribute("label")
    _native.on_new_attribute(add_attribute)


_equip()

if hasattr(_native, "before_fork"):
    os.register_at_fork(
        before=_native.before_fork, after_in_parent=_native.after_fork, after_in_child=_native.after_fork
    )

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
