"""Who takes part: both backends, the pure-Python classes, plain floats, and other libraries if installed."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Callable, NamedTuple

from pygrad import __version__, reference
from pygrad.bench import peers
from pygrad.bench.models import Result

NATIVE, CFFI, PURE, LEAN, FLOATS = "pygrad native", "pygrad cffi", "pure Python", "lean Python", "floats"
PEERS = ("micrograd", "torch", "jax", "autograd", "casadi", "xad")


class Contender(NamedTuple):
    """A class with the operators of Value, or a library of another shape with its own programs."""

    name: str
    version: str
    kind: Any = None
    backend: Any = None  # of ours: the module
    programs: Mapping[str, Callable[[], Result]] = MappingProxyType({})  # by workload


_PURE = {PURE: reference.Value, LEAN: reference.LeanValue, FLOATS: float}


def _contender(name: str) -> Contender:
    if name in _PURE:
        return Contender(name, "", _PURE[name])
    if name in (NATIVE, CFFI):
        backend = importlib.import_module(f"pygrad._backends.{name.split()[1]}")
        return Contender(name, __version__, backend.Value, backend)
    version = importlib.metadata.version(name)
    if name == "micrograd":
        return Contender(name, version, importlib.import_module("micrograd.engine").Value)
    return Contender(name, version, programs=getattr(peers, f"with_{name}")())


def find_contenders() -> list[Contender]:
    """Everybody who is here, ours first."""
    found = []
    for name in (NATIVE, CFFI, *_PURE, *PEERS):
        with suppress(ImportError):
            found.append(_contender(name))
    return found
