"""Where micrograd keeps its class: ``from pygrad.engine import Value``."""

from pygrad.value import Value

__all__ = ["Value"]
