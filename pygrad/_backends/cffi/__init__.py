"""The cffi backend: ``Value`` in Python over the C library. It runs on every interpreter."""
# ruff: noqa: F401  all that is imported here is the backend: see `equip`

from __future__ import annotations

import sys

from pygrad._backends.cffi.arena import check, live_nodes, memory
from pygrad._backends.cffi.operators import functions
from pygrad._backends.cffi.optim import adam, sgd, zero_grads
from pygrad._backends.cffi.value import (
    OPS,
    Value,
    closure,
    fill,
    node_attributes,
    nonzero_grads,
    object_attributes,
    operands,
    raw_info,
    set_closure,
    use,
    zero_graph,
)
from pygrad._backends.interface import equip

backend = "cffi"
equip(sys.modules[__name__])
