"""The cffi builder: compiles csrc/ (without cpython.c) into ``pygrad._cffi``, in API mode.

The declarations are read from csrc/pygrad.h itself, so that each prototype stands once.
"""

import sys
from pathlib import Path

from cffi import FFI

SOURCES = ["csrc/arena.c", "csrc/graph.c", "csrc/pass.c", "csrc/optim.c"]
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


#: What stands before cffi's wrappers. They release the GIL around each call, which here costs half the call,
#: and beside a busy thread a switch interval of 5 ms. No call waits for anything, so they need not.
PREAMBLE = """
#include "pygrad.h"
#if defined(Py_BEGIN_ALLOW_THREADS) && !defined(PYPY_VERSION) && !defined(Py_GIL_DISABLED)
#undef Py_BEGIN_ALLOW_THREADS
#undef Py_END_ALLOW_THREADS
#define Py_BEGIN_ALLOW_THREADS {
#define Py_END_ALLOW_THREADS }
enum { PG_KEEPS_GIL = 1 };
#else
enum { PG_KEEPS_GIL = 0 };
#endif
"""

ffi = FFI()
ffi.cdef(declarations() + "enum { PG_KEEPS_GIL, ... };")
ffi.set_source(
    "pygrad._cffi",
    PREAMBLE,
    sources=SOURCES,
    depends=HEADERS,
    include_dirs=["csrc"],
    extra_compile_args=COMPILE_ARGUMENTS,
)
