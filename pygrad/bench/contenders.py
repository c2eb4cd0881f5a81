"""Who takes part: both backends, the pure-Python classes, plain floats, and other libraries if installed."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any, Callable, NamedTuple

from pygrad import __version__, reference

NATIVE, CFFI, PURE, LEAN, FLOATS = "pygrad native", "pygrad cffi", "pure Python", "lean Python", "floats"


class Contender(NamedTuple):
    """``kind`` has the operators of Value; a library of another shape has its own ``programs``, by workload."""

    name: str
    version: str
    kind: Any = None
    module: str = ""
    functions: dict[str, Callable[..., Any]] = {}  # noqa: RUF012: never changed
    programs: dict[str, Callable[[], Any]] = {}  # noqa: RUF012


def _backend(name: str, module: str) -> list[Contender]:
    try:
        backend = importlib.import_module(module)
    except ImportError:
        return []
    return [Contender(name, __version__, backend.Value, module, backend.functions)]


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


def find_contenders() -> list[Contender]:
    return [
        *_backend(NATIVE, "pygrad._native_backend"),
        *_backend(CFFI, "pygrad._cffi_backend"),
        Contender(PURE, "", reference.Value, "pygrad.reference"),
        Contender(LEAN, "", reference.LeanValue, "pygrad.reference"),
        Contender(FLOATS, "", float, "builtins"),
        *(c for name in ("micrograd", "torch", "jax", "autograd", "casadi", "xad") for c in _peer(name)),
    ]
