import os
import platform
import runpy
from glob import glob

from setuptools import Extension, setup

build = runpy.run_path("csrc/build_cffi.py")
runpy.run_path("csrc/build_stubs.py")["write"]()

native = Extension(
    "pygrad._native",
    [*sorted(glob("csrc/cpython/*.c")), *build["SOURCES"]],
    depends=[*sorted(glob("csrc/cpython/*.h")), *build["HEADERS"]],
    include_dirs=["csrc"],
    extra_compile_args=build["COMPILE_ARGUMENTS"],
    optional=True,  # where it does not compile the cffi backend serves, and pygrad.backend says so
)
wanted = platform.python_implementation() == "CPython" and not os.environ.get("PYGRAD_NO_NATIVE")

setup(cffi_modules=["csrc/build_cffi.py:ffi"], ext_modules=[native] if wanted else [])
