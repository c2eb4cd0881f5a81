"""Writes the type stubs of what comes from the op table: the methods of Value and the functions."""

from __future__ import annotations

import re
from pathlib import Path

CSRC = Path(__file__).resolve().parent
STUB = CSRC.parent / "pygrad" / "_operations.pyi"

HEAD = '''"""Generated from csrc/ops.def by csrc/build_stubs.py."""

from collections.abc import Iterable

from pygrad.value import Number, Value

'''
#: What a line of the table is as a function; an operation of lists is no method.
FUNCTIONS = {
    "UNARY": "def {}(x: Value | Number, /) -> Value: ...",
    "BINARY": "def {}(x: Value | Number, y: Value | Number, /) -> Value: ...",
    "NARY": "def {}(values: Iterable[Value | Number], /) -> Value: ...",
    "TERNARY": "def {}(condition: Value | Number, a: Value | Number, b: Value | Number, /) -> Value: ...",
    "INDEXED": "def {}(values: Iterable[Value | Number], index: Value | Number, /) -> Value: ...",
    "PAIRED": "def {}(x: Iterable[Value | Number], y: Iterable[Value | Number], /) -> Value: ...",
}
METHODS = {
    "UNARY": "    def {}(self) -> Value: ...",
    "BINARY": "    def {}(self, other: Value | Number, /) -> Value: ...",
}


def stub(table: str) -> str:
    methods, functions = [], []
    for kind, name, special in re.findall(r'^PG_OP_(\w+)\((\w+), (?:NULL|"__(\w+)__"),', table, re.MULTILINE):
        if kind in METHODS:
            methods.append(METHODS[kind].format(f"__{special}__" if special else name))
            if special and kind == "BINARY":
                methods.append(f"    def __r{special}__(self, other: Number, /) -> Value: ...")
        if kind in FUNCTIONS and not special:
            functions.append(FUNCTIONS[kind].format(name))
    return HEAD + "\n".join(["class _Operations:", *methods, "", *functions, ""])


def write() -> None:
    STUB.write_text(stub((CSRC / "ops.def").read_text(encoding="utf-8")), encoding="utf-8")
