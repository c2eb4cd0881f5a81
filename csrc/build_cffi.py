"""The cffi builder: compiles the C library into ``pygrad._cffi``, in API mode.

The declarations are read from csrc/pygrad.h itself, so that each prototype stands once.
"""

from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path
from typing import Any

from cffi import FFI

CSRC = Path(__file__).resolve().parent
#: Of the C library, as paths from the checkout's top.
SOURCES = sorted(f"csrc/{path.name}" for path in CSRC.glob("*.c"))
HEADERS = sorted(f"csrc/{path.name}" for path in [*CSRC.glob("*.h"), *CSRC.glob("*.def")])
#: Calls inside an extension need no detour for symbols that nobody outside may replace. A product and a sum round twice
#: wherever they stand, or a program would not give what the eager run gives. Loops over lanes are marked for the
#: vectorizer (`omp simd`), which needs nothing at run time. MSVC knows C11 when told to.
COMPILE_ARGUMENTS = ["-fvisibility=hidden", "-ffp-contract=off", "-fopenmp-simd", "-Wno-pass-failed"]
#: What an extension does not use is left out: the native one reaches programs through this one.
LINK_ARGUMENTS: list[str] = []
if sysconfig.get_platform().startswith("win"):
    COMPILE_ARGUMENTS = ["/std:c11"]
elif sys.platform == "linux":
    COMPILE_ARGUMENTS += ["-ffunction-sections", "-fdata-sections"]
    LINK_ARGUMENTS = ["-Wl,--gc-sections"]
elif sys.platform == "darwin":
    LINK_ARGUMENTS = ["-Wl,-dead_strip"]


def declarations() -> str:
    """pygrad.h without its preprocessor lines, which cffi does not read."""
    lines = (CSRC / "pygrad.h").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


#: What stands before cffi's wrappers. They release the GIL around each call, which here costs half the call,
#: and beside a busy thread a switch interval of 5 ms. No call waits for anything, so they need not.
PREAMBLE = """
#include "pygrad.h"
#if defined(Py_BEGIN_ALLOW_THREADS) && !defined(PYPY_VERSION)
#undef Py_BEGIN_ALLOW_THREADS
#undef Py_END_ALLOW_THREADS
#define Py_BEGIN_ALLOW_THREADS {
#define Py_END_ALLOW_THREADS }
enum { PG_KEEPS_GIL = 1 };
#else
enum { PG_KEEPS_GIL = 0 };
#endif
#ifdef PYPY_VERSION
#define PG_ASIDE(call) return call;
#else
#define PG_ASIDE(call) \\
    PyThreadState *state = PyEval_SaveThread(); \\
    const int status = call; \\
    PyEval_RestoreThread(state); \\
    return status;
#endif
/* Long runs, beside which other threads may go on. */
static int pg_run_aside(pg_program *program, const double *inputs, double *outputs)
{ PG_ASIDE(pg_run(program, inputs, outputs)) }
static int pg_run_rows_aside(pg_program *program, pg_rows *rows, uint64_t from, uint64_t to, int threads)
{ PG_ASIDE(pg_run_rows(program, rows, from, to, threads)) }
#ifdef Py_GIL_DISABLED
/* cffi says of its modules that they do without the GIL. The Python code around this one does not. */
static PyObject *pg_with_gil(PyObject *module)
{
    if (module) PyUnstable_Module_SetGIL(module, Py_MOD_GIL_USED);
    return module;
}
#define _cffi_init(...) pg_with_gil(_cffi_init(__VA_ARGS__))
#endif
"""
#: PyUnstable_Module_SetGIL is not in the limited API, which cffi chooses from 3.15 on.
FREE_THREADED: dict[str, Any] = {"py_limited_api": False, "undef_macros": ["Py_TARGET_ABI3T"]}


def opmath() -> str:
    """opmath.h as a C string, for exported C to carry."""
    lines = (CSRC / "opmath.h").read_text(encoding="utf-8").splitlines()
    return "const char pg_opmath[] =\n" + "\n".join(json.dumps(line + "\n") for line in lines) + ";\n"


ffi = FFI()
ffi.cdef(
    declarations()
    + """
enum { PG_KEEPS_GIL, ... };
int pg_run_aside(pg_program *program, const double *inputs, double *outputs);
int pg_run_rows_aside(pg_program *program, pg_rows *rows, uint64_t from, uint64_t to, int threads);
extern const char pg_opmath[];
"""
)
ffi.set_source(
    "pygrad._cffi",
    PREAMBLE + opmath(),
    sources=SOURCES,
    depends=HEADERS,
    include_dirs=["csrc"],
    extra_compile_args=COMPILE_ARGUMENTS,
    extra_link_args=LINK_ARGUMENTS,
    **(FREE_THREADED if sysconfig.get_config_var("Py_GIL_DISABLED") else {}),
)
