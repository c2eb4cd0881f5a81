"""Compiles and runs the programs of tests/c: plainly, and under the sanitizers, which look for leaks too."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ON_ONE_BACKEND

ROOT = Path(__file__).resolve().parent.parent
COMPILER = shutil.which(os.environ.get("CC", "cc"))
# As the library is built, and with all warnings as errors.
STRICT = ["-std=c11", "-fopenmp-simd", "-ffp-contract=off", "-pthread", "-O2", "-g", f"-I{ROOT / 'csrc'}"]
STRICT += ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wno-pass-failed"]
#: Sanitizers see to what the source says: optimizing what they add takes longer than it saves.
SANITIZED = ["-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DPG_CHECKED"]
FLAGS = {"plain": [], "sanitized": SANITIZED}

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
    pytest.mark.skipif(not (ROOT / "csrc").is_dir(), reason="csrc/ is not beside the tests"),
    ON_ONE_BACKEND,
]


def compiled(folder, flags, *arguments):
    return subprocess.run([COMPILER, *flags, *map(str, arguments)], cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module", params=FLAGS)
def library(request, tmp_path_factory):
    """The flags, and the library's objects, compiled with them."""
    folder, flags = tmp_path_factory.mktemp(request.param), FLAGS[request.param]
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    if compiled(folder, flags, "empty.c").returncode:
        pytest.skip("this compiler has no sanitizers")
    build = compiled(folder, [*STRICT, *flags], "-c", *sorted((ROOT / "csrc").glob("*.c")))
    assert build.returncode == 0, build.stderr
    return [*STRICT, *flags], sorted(folder.glob("*.o"))


@pytest.mark.parametrize("name", ["test_library", "test_slots", "test_lanemath", "fuzz_library"])
def test_the_library_from_c(name, library, tmp_path):
    flags, objects = library
    build = compiled(tmp_path, flags, ROOT / "tests" / "c" / f"{name}.c", *objects, "-o", name, "-lm")
    assert build.returncode == 0, build.stderr
    run = subprocess.run([str(tmp_path / name)], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "all passed\n"


def test_the_fuzzer_calls_every_function():
    """Of pygrad.h: a function that it forgets is one that nothing tries with wild arguments."""
    header = re.sub(r"/\*.*?\*/", "", (ROOT / "csrc" / "pygrad.h").read_text(), flags=re.S)
    fuzzer = (ROOT / "tests" / "c" / "fuzz_library.c").read_text()
    functions = set(re.findall(r"\b(pg_\w+)\(", header))
    assert "pg_backward" in functions
    assert functions - set(re.findall(r"\b(pg_\w+)\(", fuzzer)) == set()
