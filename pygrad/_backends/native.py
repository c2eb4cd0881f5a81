"""The native backend: ``Value`` as a CPython type (csrc/cpython/), and what of it is not hot."""
# ruff: noqa: F403

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pygrad import _native
from pygrad._backends.docs import DOCS, documented
from pygrad._backends.interface import Memory, equip, read_table
from pygrad._native import *
from pygrad._native import operations, table

backend = "native"
OPS = read_table(table)
functions = {name: getattr(operations, name) for name in OPS if hasattr(operations, name)}

#: Arguments as `inspect.signature` and editors show them, by the kind of operation.
_ARGUMENTS = {"unary": "x, /", "binary": "x, y, /", "nary": "values, /", "paired": "x, y, /"}


def record(call: Callable[..., int], *arguments: Any) -> int:
    """Call a recording function of the cffi module on this arena, making room where it asks. MemoryError without."""
    from pygrad._cffi import ffi, lib

    arena = ffi.cast("pg_arena *", _native.arena_address())
    while (result := call(arena, *arguments)) == lib.PG_FULL:
        _native._grow()
    return result


def caller(address: int) -> Callable[[Sequence[Any]], Any]:
    """What calls the pg_function at an address with numbers and Values; None where that takes another way."""
    return partial(_native._call, address)


@documented
def memory() -> Memory:
    return Memory(*_native.memory())


def _document() -> None:
    """All that is C, with the signature in the form that CPython reads."""
    document, methods = _native.document, vars(_native.Value)
    for name in ("backward", "_step"):
        document(methods[name], f"{name}($self, /)\n--\n\n{DOCS[name]}")
    for name in ("data", "grad"):
        document(methods[name], DOCS[name])
    document(_native.live_nodes, f"live_nodes()\n--\n\n{DOCS['live_nodes']}")
    document(_native.operands, f"operands(value, /)\n--\n\n{DOCS['operands']}")
    for op in OPS.values():
        if op.name in functions and op.kind in _ARGUMENTS:
            document(functions[op.name], f"{op.name}({_ARGUMENTS[op.kind]})\n--\n\n{op.doc}")
        if op.method == op.name:
            arguments = _ARGUMENTS[op.kind].replace("x", "$self", 1)
            document(methods[op.name], f"{op.name}({arguments})\n--\n\n{op.doc}")


_document()
equip(sys.modules[__name__])

if hasattr(_native, "before_fork"):
    os.register_at_fork(
        before=_native.before_fork, after_in_parent=_native.after_fork, after_in_child=_native.after_fork
    )
