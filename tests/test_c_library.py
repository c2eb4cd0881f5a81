"""Compiles and runs tests/c: plainly, and with AddressSanitizer and UndefinedBehaviorSanitizer."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMPILER = shutil.which(os.environ.get("CC", "cc"))
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-g"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
    pytest.mark.skipif(not (ROOT / "csrc").is_dir(), reason="csrc/ is not beside the tests"),
]


def compiled(target, source, flags):
    command = [COMPILER, *STRICT, *flags, f"-I{ROOT / 'csrc'}", str(source)]
    command += [
        str(path) for path in sorted((ROOT / "csrc").glob("*.c")) if not path.name.startswith("cpython")
    ]
    return subprocess.run([*command, "-o", str(target), "-lm"], capture_output=True, text=True)


@pytest.mark.parametrize("flags", [[], SANITIZED], ids=["plain", "sanitized"])
def test_the_library_from_c(flags, tmp_path):
    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    if subprocess.run(
        [COMPILER, *flags, str(empty), "-o", str(tmp_path / "empty")], capture_output=True
    ).returncode:
        pytest.skip("this compiler has no sanitizers")
    build = compiled(tmp_path / "program", ROOT / "tests" / "c" / "test_library.c", flags)
    assert build.returncode == 0, build.stderr
    run = subprocess.run([str(tmp_path / "program")], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "all passed\n"
