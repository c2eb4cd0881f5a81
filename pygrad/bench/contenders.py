"""Who takes part: both backends, the pure-Python classes, plain floats, and other libraries if installed."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator, Mapping
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
    module: str = ""  # where the class is
    backend: Any = None  # of ours: the module
    programs: Mapping[str, Callable[[], Result]] = MappingProxyType({})  # by workload


def _backend(name: str) -> Contender:
    module = f"pygrad._backends.{name}"
    backend = importlib.import_module(module)
    return Contender(f"pygrad {name}", __version__, backend.Value, module, backend)


def _peer(name: str) -> Contender:
    version = importlib.metadata.version(name)
    if name == "micrograd":
        module = "micrograd.engine"
        return Contender(name, version, importlib.import_module(module).Value, module)
    return Contender(name, version, programs=getattr(peers, f"with_{name}")())


def _installed(make: Callable[[str], Contender], names: tuple[str, ...]) -> Iterator[Contender]:
    for name in names:
        try:
            yield make(name)
        except ImportError:
            pass


def find_contenders() -> list[Contender]:
    """Everybody who is here, ours first."""
    return [
        *_installed(_backend, ("native", "cffi")),
        Contender(PURE, "", reference.Value, "pygrad.reference"),
        Contender(LEAN, "", reference.LeanValue, "pygrad.reference"),
        Contender(FLOATS, "", float, "builtins"),
        *_installed(_peer, PEERS),
    ]
