"""Docstrings: all that is public has one, and the examples in them are true, on either backend."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import pygrad
from pygrad import Value

PACKAGE = Path(pygrad.__file__).parent
MODULES = sorted(
    ".".join(("pygrad", *path.relative_to(PACKAGE).with_suffix("").parts)).replace(".__init__", "")
    for path in PACKAGE.rglob("*.py")
    if path.stem not in ("_build", "__main__") and not {"peers"} & set(path.parts)
)

OF_ONE_BACKEND = {
    "pygrad._native_backend": "native",
    "pygrad._cffi_backend": "cffi",
    "pygrad._arena": "cffi",
    "pygrad._batches": "cffi",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name == "pygrad.draw":
        pytest.importorskip("graphviz")
    if name == "pygrad.arrays":
        pytest.importorskip("numpy")
    if name == "pygrad.bench.report":
        pytest.importorskip("rich")
    if OF_ONE_BACKEND.get(name, pygrad.backend) != pygrad.backend:
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
    modules = [importlib.import_module(name) for name in MODULES if "._" not in name]
    bare = [m.__name__ for m in modules if not m.__doc__]
    for module in modules:
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not (inspect.isroutine(thing) or inspect.isclass(thing)):
                continue
            bare += [f"{module.__name__}.{name}"] if not thing.__doc__ else []
            for member, value in vars(thing).items() if inspect.isclass(thing) else ():
                public = not member.startswith("_") and inspect.isroutine(value)
                inherited = any(
                    getattr(getattr(base, member, None), "__doc__", None) for base in thing.__mro__
                )
                if public and not inherited:
                    bare.append(f"{module.__name__}.{name}.{member}")
    assert bare == []
