import os
import platform
import runpy
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

build = runpy.run_path("csrc/build_cffi.py")
runpy.run_path("csrc/build_stubs.py")["write"]()

native = Extension(
    "pygrad._native",
    [*sorted(glob("csrc/cpython/*.c")), *build["SOURCES"]],
    depends=[*sorted(glob("csrc/cpython/*.h")), *build["HEADERS"]],
    include_dirs=["csrc"],
    extra_compile_args=build["COMPILE_ARGUMENTS"],
    extra_link_args=build["LINK_ARGUMENTS"],
    optional=True,  # where it does not compile the cffi backend serves, and pygrad.backend says so
)


class BuildOnce(build_ext):
    """Compiles the C library, which both extensions hold, once."""

    def build_extensions(self):
        objects, build = {}, self.compiler.compile

        def compile_new(sources, **arguments):
            new = [source for source in sources if source not in objects]
            objects.update(zip(new, build(new, **arguments)))
            return [objects[source] for source in sources]

        self.compiler.compile = compile_new
        super().build_extensions()


wanted = platform.python_implementation() == "CPython" and not os.environ.get("PYGRAD_NO_NATIVE")

setup(
    cffi_modules=["csrc/build_cffi.py:ffi"],
    ext_modules=[native] if wanted else [],
    cmdclass={"build_ext": BuildOnce},
)
