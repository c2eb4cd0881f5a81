"""Compiles and runs the programs of tests/c: plainly, and under the sanitizers."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMPILER = shutil.which(os.environ.get("CC", "cc"))
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-O2", "-g"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DPG_CHECKED"]

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
    pytest.mark.skipif(not (ROOT / "csrc").is_dir(), reason="csrc/ is not beside the tests"),
]


def compiled(target, flags, *sources):
    command = [COMPILER, *flags, f"-I{ROOT / 'csrc'}", *map(str, sources), "-o", str(target), "-lm"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("flags", [[], SANITIZED], ids=["plain", "sanitized"])
@pytest.mark.parametrize("name", ["test_library", "test_slots", "fuzz_library"])
def test_the_library_from_c(name, flags, tmp_path):
    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    if compiled(tmp_path / "empty", flags, empty).returncode:
        pytest.skip("this compiler has no sanitizers")
    library = sorted((ROOT / "csrc").glob("*.c"))
    build = compiled(tmp_path / name, [*STRICT, *flags], ROOT / "tests" / "c" / f"{name}.c", *library)
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
