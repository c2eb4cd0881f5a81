"""Scalar autograd: the small pure-Python ``Value`` class, computed by a C library.

>>> from pygrad import Value
>>> w = Value(2.0)
>>> loss = (w - 5) ** 2
>>> loss.backward()
>>> w.grad
-6.0
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from pygrad import copying as _copying  # gives Value its copy and pickle methods  # noqa: F401
from pygrad._version import __version__
from pygrad.arrays import array, data, grads
from pygrad.draw import draw_dot, print_graph
from pygrad.functional import check_gradients, grad, hessian, hvp, jacobian, jvp, value_and_grad
from pygrad.tracing import TraceError, constant
from pygrad.value import OPS, Value, backend, functions, live_nodes, memory, operands


def softmax(values: Iterable[Any]) -> list[Value]:
    """``exp(x_i) / sum(exp(x_j))`` for each x_i, as a list of Values.

    One log-sum-exp node and one node for each element, so large values do not overflow.

    >>> softmax([0.0, 0.0])
    [Value(data=0.5), Value(data=0.5)]
    """
    values = [v if isinstance(v, Value) else Value(v) for v in values]
    total = functions["logsumexp"](values)
    return [v.exp_minus(total) for v in values]


#: What is imported when a program names it. (The cffi module, through which programs are reached on both backends,
#: takes a while, and turns the GIL on where it is off.)
_MODULES = ("engine", "losses", "nn", "optim")
_LATER = {"compile": "compiled", "Graph": "graph", "vmap": "batches"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"pygrad.{name}")
    if name in _LATER:
        return getattr(importlib.import_module(f"pygrad.{_LATER[name]}"), name)
    raise AttributeError(f"module 'pygrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_MODULES]


globals().update(functions)  # exp(v), tanh(v), sum(values), dot(xs, ys), ...: all from the op table

__all__ = ["OPS", "Graph", "TraceError", "Value", "__version__", "array", "backend", "check_gradients", "compile"]
__all__ += [
    "constant",
    "data",
    "draw_dot",
    "grad",
    "grads",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "live_nodes",
    "memory",
]
__all__ += ["operands", "print_graph", "softmax", "value_and_grad", "vmap", *functions]
