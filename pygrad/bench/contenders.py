"""Who takes part: both backends, the pure-Python classes, plain floats, and other libraries if installed."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Callable, NamedTuple

from pygrad import __version__, reference

NATIVE, CFFI, PURE, LEAN, FLOATS = "pygrad native", "pygrad cffi", "pure Python", "lean Python", "floats"


class Contender(NamedTuple):
    """A class with the operators of Value, or a library of another shape with its own programs."""

    name: str
    version: str
    kind: Any = None
    module: str = ""  # where the class is
    backend: Any = None  # of ours: the module
    programs: Mapping[str, Callable[[], Any]] = MappingProxyType({})  # by workload

    def settle(self) -> None:
        """Finish what the contender puts off: our cffi backend hands dead nodes over in bulk."""
        if self.backend is not None:
            self.backend.live_nodes()


def _backend(name: str) -> list[Contender]:
    module = f"pygrad._backends.{name}"
    try:
        backend = importlib.import_module(module)
    except ImportError:
        return []
    return [Contender(f"pygrad {name}", __version__, backend.Value, module, backend)]


def _peer(name: str) -> list[Contender]:
    """Another library, if it is installed."""
    try:
        version = importlib.metadata.version(name)
        if name == "micrograd":
            engine = importlib.import_module("micrograd.engine")
            return [Contender(name, version, engine.Value, "micrograd.engine")]
        programs = importlib.import_module(f"pygrad.bench.peers.with_{name}").PROGRAMS
    except ImportError:
        return []
    return [Contender(name, version, programs=programs)]


PEERS = ("micrograd", "torch", "jax", "autograd", "casadi", "xad")


def find_contenders() -> list[Contender]:
    """Everybody who is here, ours first."""
    return [
        *_backend("native"),
        *_backend("cffi"),
        Contender(PURE, "", reference.Value, "pygrad.reference"),
        Contender(LEAN, "", reference.LeanValue, "pygrad.reference"),
        Contender(FLOATS, "", float, "builtins"),
        *(c for name in PEERS for c in _peer(name)),
    ]
