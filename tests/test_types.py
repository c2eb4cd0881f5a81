"""Annotations: what users write passes mypy --strict, and the stubs name what there is."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

import pygrad
from pygrad import OPS, Value

HERE = Path(__file__).parent
PACKAGE = Path(pygrad.__file__).parent


def test_a_program_runs():
    runpy.run_path(str(HERE / "typed_program.py"))


def test_a_program_passes_strict_mypy(tmp_path, monkeypatch):
    api = pytest.importorskip("mypy.api")
    if "site-packages" not in PACKAGE.parts:  # mypy does not find an editable installation by itself
        monkeypatch.setenv("MYPYPATH", str(PACKAGE.parent))
    options = ["--strict", "--follow-imports=silent", f"--cache-dir={tmp_path}"]  # the program only
    output, errors, status = api.run([*options, str(HERE / "typed_program.py")])
    assert status == 0, output + errors


def names_in(stub, inside=None):
    body = ast.parse((PACKAGE / stub).read_text(encoding="utf-8")).body
    if inside:
        body = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == inside).body
    named = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return named | {name.asname for node in body if isinstance(node, ast.ImportFrom) for name in node.names}


def test_the_stubs_have_all_operations():
    """A new line in the op table needs one in each stub."""
    for op in OPS.values():
        if op.name in pygrad.__all__:
            assert op.name in names_in("__init__.pyi"), op.name
        if hasattr(Value, op.name):
            assert op.name in names_in("value.pyi", "Value"), op.name
    assert set(pygrad.__all__) <= names_in("__init__.pyi")
