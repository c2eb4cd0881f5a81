"""The cffi backend: ``Value`` in Python over the C library. It runs on every interpreter."""
# ruff: noqa: F401  all that is imported here is the backend: see `equip`

from __future__ import annotations

import sys

from pygrad._backends.cffi.arena import arena_address, check, live_nodes, memory, record
from pygrad._backends.cffi.operators import functions
from pygrad._backends.cffi.optim import adam, sgd, zero_grads
from pygrad._backends.cffi.value import (
    OPS,
    Value,
    adopt,
    caller,
    closure,
    fill,
    node_attributes,
    node_of,
    nodes_of,
    nonzero_grads,
    object_attributes,
    object_of,
    operands,
    raw_info,
    set_closure,
    use,
    zero_graph,
)
from pygrad._backends.interface import equip

backend = "cffi"
equip(sys.modules[__name__])
