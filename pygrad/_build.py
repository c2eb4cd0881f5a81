"""The cffi builder: compiles csrc/ (without cpython.c) into ``pygrad._cffi``, in API mode.

The declarations are read from csrc/pygrad.h itself, so that each prototype stands once.
"""

import sys
from pathlib import Path

from cffi import FFI

SOURCES = ["csrc/arena.c", "csrc/graph.c", "csrc/pass.c"]
HEADERS = [
    "csrc/pygrad.h",
    "csrc/ops.def",
    "csrc/ops.h",
    "csrc/bits.h",
    "csrc/compiler.h",
    "csrc/arena.h",
    "csrc/lock.h",
    "csrc/pass.h",
]
#: Calls inside an extension need no detour for symbols that nobody outside may replace.
COMPILE_ARGUMENTS = [] if sys.platform == "win32" else ["-fvisibility=hidden"]


def declarations() -> str:
    """pygrad.h without its preprocessor lines, which cffi does not read."""
    header = Path(__file__).resolve().parent.parent / "csrc" / "pygrad.h"
    lines = header.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


ffi = FFI()
ffi.cdef(declarations())
ffi.set_source(
    "pygrad._cffi",
    '#include "pygrad.h"',
    sources=SOURCES,
    depends=HEADERS,
    include_dirs=["csrc"],
    extra_compile_args=COMPILE_ARGUMENTS,
)
