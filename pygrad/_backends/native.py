"""The native backend: ``Value`` as a CPython type (csrc/cpython/), and what of it is not hot."""
# ruff: noqa: F403

from __future__ import annotations

import os
import sys

from pygrad import _native
from pygrad._backends.docs import DOCS, documented
from pygrad._backends.interface import Memory, equip, read_table
from pygrad._native import *
from pygrad._native import functions, table

backend = "native"
OPS = read_table(table)


@documented
def memory() -> Memory:
    return Memory(*_native.memory())


#: Docstrings of all that is C, with the signature in the form that CPython reads.
_texts = {
    "Value.backward": f"backward($self, /)\n--\n\n{DOCS['backward']}",
    "Value._step": f"_step($self, /)\n--\n\n{DOCS['_step']}",
    "Value.data": DOCS["data"],
    "Value.grad": DOCS["grad"],
    "live_nodes": f"live_nodes()\n--\n\n{DOCS['live_nodes']}",
    "operands": f"operands(value, /)\n--\n\n{DOCS['operands']}",
}
_arguments = {"unary": "x, /", "binary": "x, y, /", "nary": "values, /", "paired": "x, y, /"}
for _op in OPS.values():
    if _op.name in functions:
        _texts[_op.name] = f"{_op.name}({_arguments[_op.kind]})\n--\n\n{_op.doc}"
    if _op.method == _op.name:
        _texts[f"Value.{_op.name}"] = f"{_op.name}({_arguments[_op.kind].replace('x', '$self', 1)})\n--\n\n{_op.doc}"
_native.document(_texts)
equip(sys.modules[__name__])

if hasattr(_native, "before_fork"):
    os.register_at_fork(
        before=_native.before_fork, after_in_parent=_native.after_fork, after_in_child=_native.after_fork
    )
