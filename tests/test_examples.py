"""Each program in examples/ runs."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example(path):
    result = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_the_custom_operations_agree_with_the_exact_gradients():
    path = next(path for path in EXAMPLES if path.name == "custom_operation.py")
    lines = subprocess.run([sys.executable, str(path)], capture_output=True, text=True).stdout.splitlines()
    for line in lines[1:]:
        ours, exact = line.split(" = ")[1].split(", exactly ")
        assert ours == exact
