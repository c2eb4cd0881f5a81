"""The choice of backend: ``PYGRAD_BACKEND=cffi`` or ``native``; without it the best that is there."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

BACKENDS = ("native", "cffi")

wanted = os.environ.get("PYGRAD_BACKEND", "")
if wanted not in ("", *BACKENDS):
    raise ImportError(f"PYGRAD_BACKEND={wanted}: there is no such backend, only {' and '.join(BACKENDS)}")
has_native = importlib.util.find_spec("pygrad._native") is not None
if wanted == "native" and not has_native:
    raise ImportError(
        "PYGRAD_BACKEND=native: this installation has the cffi backend only, since the native one was not "
        "built (it needs CPython and a C compiler, and PYGRAD_NO_NATIVE not to be set)"
    )

#: The backend's module: what it gives stands in interface.py, at `equip`.
core: Any = importlib.import_module(f"pygrad._backends.{wanted or ('native' if has_native else 'cffi')}")
