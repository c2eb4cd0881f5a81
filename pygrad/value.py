"""``Value`` and what goes with it, from the backend that was chosen."""

from pygrad._backends import core

OPS, Value, backend, functions = core.OPS, core.Value, core.backend, core.functions
live_nodes, memory, operands = core.live_nodes, core.memory, core.operands

__all__ = ["OPS", "Value", "backend", "functions", "live_nodes", "memory", "operands"]
