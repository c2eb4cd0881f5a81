"""Annotations: what users write passes mypy --strict, and the stubs name what there is."""

from __future__ import annotations

import ast
import importlib
import inspect
import runpy
from pathlib import Path

import pytest
from conftest import ON_ONE_BACKEND
from helpers import of_kind

import pygrad
from pygrad import Value
from pygrad._backends import core

HERE = Path(__file__).parent
PACKAGE = Path(pygrad.__file__).parent


def test_a_program_runs():
    runpy.run_path(str(HERE / "typed_program.py"))


@ON_ONE_BACKEND
def test_a_program_passes_strict_mypy(tmp_path, monkeypatch):
    api = pytest.importorskip("mypy.api")
    if "site-packages" not in PACKAGE.parts:  # mypy does not find an editable installation by itself
        monkeypatch.setenv("MYPYPATH", str(PACKAGE.parent))
    options = ["--strict", "--follow-imports=silent", f"--cache-dir={tmp_path}"]  # the program only
    output, errors, status = api.run([*options, str(HERE / "typed_program.py")])
    assert status == 0, output + errors


def stub(name):
    """The functions and classes of a stub, and what it re-exports, by name."""
    body = ast.parse((PACKAGE / name).read_text(encoding="utf-8")).body
    named = {node.name: node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.names[0].name != "*":
            named.update((name.asname, node) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module != "pygrad._operations":  # which is a stub itself
            named.update(dict.fromkeys(importlib.import_module(node.module).__all__, node))
    return named


def parameters(node):
    return len(node.args.posonlyargs + node.args.args)


def test_the_stubs_have_all_operations_and_no_others():
    """They are written from csrc/ops.def at build, and the module has what C made of it."""
    functions = stub("_operations.pyi")
    methods = {node.name: node for node in functions.pop("_Operations").body}
    reflected = {f"__r{op.method[2:]}" for op in of_kind("binary") if op.is_operator}
    assert set(methods) == {op.method for op in core.OPS.values() if op.method} | reflected
    assert {name for name in functions if name} == set(core.functions)
    for op in of_kind("unary", "binary"):
        operands = 1 if op.kind == "unary" else 2
        assert parameters(methods[op.method]) == operands and callable(getattr(Value, op.method))
    for name, function in core.functions.items():
        assert parameters(functions[name]) == len(inspect.signature(function).parameters), name


def test_the_stub_of_the_package_has_all_that_is_public():
    assert set(pygrad.__all__) <= {*stub("__init__.pyi"), *stub("_operations.pyi")}
