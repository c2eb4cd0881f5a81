"""Docstrings: all that is public has one, and the examples in them are true, on either backend."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import pygrad
from pygrad import Value
from pygrad._backends import core

PACKAGE = Path(pygrad.__file__).parent
MODULES = sorted(
    ".".join(("pygrad", *path.relative_to(PACKAGE).with_suffix("").parts)).replace(".__init__", "")
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__main__"
)
TOP = Path(__file__).resolve().parent.parent
README, CONTRIBUTING = TOP / "README.md", TOP / "CONTRIBUTING.md"


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name == "pygrad.draw":
        pytest.importorskip("graphviz")
    if name == "pygrad.arrays":
        pytest.importorskip("numpy")
    if name == "pygrad.bench.report":
        pytest.importorskip("rich")
    if ({"native", "cffi"} - {pygrad.backend}) & set(name.split(".")):
        pytest.skip("the other backend's")
    failed, _ = doctest.testmod(importlib.import_module(name), extraglobs={"Value": Value})
    assert failed == 0


def test_values_own():
    parser = doctest.DocTestParser()
    for name in ("__doc__", "data", "grad", "backward", "_prev", "_op"):
        text = Value.__doc__ if name == "__doc__" else getattr(Value, name).__doc__
        test = parser.get_doctest(text, {"Value": Value}, name, None, 0)
        assert doctest.DocTestRunner().run(test).failed == 0


def test_all_that_is_public_has_one():
    names = [name for name in MODULES if "._" not in name]
    if not importlib.util.find_spec("rich"):
        names.remove("pygrad.bench.report")
    modules = [importlib.import_module(name) for name in names]
    bare = [m.__name__ for m in modules if not m.__doc__]
    for module in modules:
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not (inspect.isroutine(thing) or inspect.isclass(thing)):
                continue
            bare += [f"{module.__name__}.{name}"] if not thing.__doc__ else []
            for member, value in vars(thing).items() if inspect.isclass(thing) else ():
                public = not member.startswith("_") and inspect.isroutine(value)
                inherited = any(getattr(getattr(base, member, None), "__doc__", None) for base in thing.__mro__)
                if public and not inherited:
                    bare.append(f"{module.__name__}.{name}.{member}")
    assert bare == []


@pytest.mark.parametrize("name", core.functions)
def test_an_operation_shows_its_formula_and_arguments(name):
    op, function = core.OPS[name], core.functions[name]
    methods = [getattr(Value, name)] if op.method == name else []
    for thing in (function, *methods):
        assert op.formula in thing.__doc__
        parameters = inspect.signature(thing).parameters.values()
        assert len(parameters) == {"unary": 1, "nary": 1, "ternary": 3}.get(op.kind, 2)
        assert all(p.kind is p.POSITIONAL_ONLY for p in parameters)


@pytest.mark.skipif(not README.is_file(), reason="README.md is not beside the tests")
@pytest.mark.parametrize("name", core.functions)
def test_the_readme_names_each_operation(name):
    assert f"`{name}`" in README.read_text(encoding="utf-8")


@pytest.mark.skipif(not CONTRIBUTING.is_file(), reason="CONTRIBUTING.md is not beside the tests")
def test_the_tests_that_keep_the_promises_are_there():
    rows = [line for line in CONTRIBUTING.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(rows) > 20
    for row in rows[1:]:
        words = re.findall(r"`([\w/]+\.(?:py|c|sh)|test_\w+)`", row.split("|")[2])
        texts = [(CONTRIBUTING.parent / "tests" / w).read_text(encoding="utf-8") for w in words if "." in w]
        assert texts, row
        for word in words:
            assert "." in word or any(f"{word}(" in text for text in texts), word
