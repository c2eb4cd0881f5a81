"""CONTRIBUTING's example of a new operation, in a copy: one line, a build of both backends, and the table's tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ON_ONE_BACKEND

import pygrad

TOP = Path(__file__).resolve().parent.parent
USE = "import pygrad; x = pygrad.Value(3.0); x.square().backward(); print(pygrad.square(x).data, x.grad)"


@pytest.fixture
def copy(tmp_path):
    """The source tree without what was built."""
    if not ((TOP / "csrc").is_dir() and (TOP / "CONTRIBUTING.md").is_file()):
        pytest.skip("the source tree is not beside the tests")
    if shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip("no C compiler")
    pytest.importorskip("setuptools")
    built = shutil.ignore_patterns("*.so", "*.pyd", "_operations.pyi", "__pycache__")
    for folder in ("csrc", "pygrad", "tests"):
        shutil.copytree(TOP / folder, tmp_path / folder, ignore=built)
    for name in ("setup.py", "pyproject.toml", "README.md", "CONTRIBUTING.md", "LICENSE"):
        shutil.copy(TOP / name, tmp_path)
    return tmp_path


@ON_ONE_BACKEND
def test_the_one_line(copy):
    text = (copy / "CONTRIBUTING.md").read_text(encoding="utf-8")
    line, name = re.search(r"```c\n(PG_OP_\w+\((\w+).*\))\n```", text).groups()
    table, readme = copy / "csrc" / "ops.def", copy / "README.md"
    text = table.read_text(encoding="utf-8")
    last = [*re.finditer(r"^PG_OP_UNARY\(.*\n", text, re.MULTILINE)][-1].end()
    table.write_text(text[:last] + line + "\n" + text[last:], encoding="utf-8")
    readme.write_text(readme.read_text(encoding="utf-8") + f"`{name}`\n", encoding="utf-8")

    environment = {**os.environ, "PYTHONPATH": str(copy), "CFLAGS": "-O0"}
    if pygrad.backend == "cffi":
        environment["PYGRAD_NO_NATIVE"] = "1"

    def python(*arguments, backend=pygrad.backend):
        environment["PYGRAD_BACKEND"] = backend
        done = subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    python("setup.py", "-q", "build_ext", "--inplace")
    for backend in {pygrad.backend, "cffi"}:
        assert python("-c", USE, backend=backend) == "9.0 6.0\n"
    stub = (copy / "pygrad" / "_operations.pyi").read_text(encoding="utf-8")
    assert stub.count(f"def {name}(") == 2
    tests = [f"tests/test_{subject}.py" for subject in ("numerics", "docs", "types")]
    printed = python("-m", "pytest", "-p", "no:cacheprovider", "-k", f"{name} or test_types", *tests)
    assert int(re.search(r"(\d+) passed", printed)[1]) >= 8, printed
