"""The choice of backend: ``PYGRAD_BACKEND=cffi`` or ``native``; without it the best that is there."""

from __future__ import annotations

import os

wanted = os.environ.get("PYGRAD_BACKEND", "")
if wanted not in ("", "cffi"):
    raise ImportError(f"PYGRAD_BACKEND={wanted}: this build of pygrad has the cffi backend only")

from pygrad._cffi_backend import OPS, Value, backend, functions, live_nodes, memory, operands  # noqa: E402

__all__ = ["OPS", "Value", "backend", "functions", "live_nodes", "memory", "operands"]
