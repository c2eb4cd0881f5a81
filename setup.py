import os
import platform
import runpy

from setuptools import Extension, setup

build = runpy.run_path("pygrad/_build.py")

native = Extension(
    "pygrad._native",
    ["csrc/cpython.c", "csrc/cpython_object.c", "csrc/cpython_tools.c", *build["SOURCES"]],
    depends=["csrc/cpython.h", "csrc/cpython_guard.h", *build["HEADERS"]],
    include_dirs=["csrc"],
    extra_compile_args=build["COMPILE_ARGUMENTS"],
    optional=True,  # where it does not compile the cffi backend serves, and pygrad.backend says so
)
wanted = platform.python_implementation() == "CPython" and not os.environ.get("PYGRAD_NO_NATIVE")

setup(cffi_modules=["pygrad/_build.py:ffi"], ext_modules=[native] if wanted else [])
