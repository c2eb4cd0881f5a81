"""Who takes part: both backends, the pure-Python classes, plain floats, and other libraries if installed."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from pygrad import __version__, backend, reference
from pygrad.bench.ours import Programs, compiled_programs, vmap_programs
from pygrad.bench.peers import LIBRARIES

NATIVE, CFFI, PURE, LEAN, FLOATS = "pygrad native", "pygrad cffi", "pure Python", "lean Python", "floats"
EAGER, COMPILED = f"pygrad {backend}", "pygrad compiled"


class Contender(NamedTuple):
    """A class with the operators of Value, or a library of another shape with its own programs."""

    name: str
    version: str
    kind: Any = None
    backend: Any = None  # of ours: the module
    programs: Programs = MappingProxyType({})


_PURE = {PURE: reference.Value, LEAN: reference.LeanValue, FLOATS: float}
_COMPILED: dict[str, Callable[[], Programs]] = {
    COMPILED: compiled_programs,
    "pygrad vmap": partial(vmap_programs, 1),
    "pygrad vmap, threads": partial(vmap_programs, None),
}
PEERS = ("micrograd", *LIBRARIES)


def _contender(name: str) -> Contender:
    if name in _PURE:
        return Contender(name, "", _PURE[name])
    if name in (NATIVE, CFFI):
        backend = importlib.import_module(f"pygrad._backends.{name.split()[1]}")
        return Contender(name, __version__, backend.Value, backend)
    if name in _COMPILED:
        return Contender(name, __version__, programs=_COMPILED[name]())
    version = importlib.metadata.version(name)
    if name == "micrograd":
        return Contender(name, version, importlib.import_module("micrograd.engine").Value)
    return Contender(name, version, programs=LIBRARIES[name]())


def find_contenders() -> list[Contender]:
    """Everybody who is here, ours first."""
    found = []
    for name in (NATIVE, CFFI, *_COMPILED, *_PURE, *PEERS):
        with suppress(ImportError):
            found.append(_contender(name))
    return found
