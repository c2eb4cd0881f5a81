"""Steps of optimizers, on the Values of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pygrad._backends.cffi.arena import arena
from pygrad._backends.cffi.value import Value
from pygrad._backends.interface import check_operands
from pygrad._cffi import ffi, lib


def _nodes(values: Sequence[Any]) -> list[int]:
    values = tuple(values)
    check_operands(values, Value, "parameters")
    return [value._node for value in values]


def _state(array: Any, count: int) -> Any:
    """The doubles of a writable buffer with one for each node."""
    if array is None:
        return ffi.NULL
    buffer = ffi.from_buffer("char[]", array, require_writable=True)
    if len(buffer) != 8 * count:
        raise ValueError(f"the state is of {len(buffer)} bytes, not of {count} doubles")
    return ffi.from_buffer("double[]", array, require_writable=True)


def zero_grads(values: Sequence[Value]) -> None:
    nodes = _nodes(values)
    lib.pg_zero_grads(arena, len(nodes), nodes)


def sgd(values: Sequence[Value], velocity: Any, options: tuple[Any, ...], first: bool) -> None:
    nodes = _nodes(values)
    state = _state(velocity, len(nodes))
    lib.pg_sgd(arena, len(nodes), nodes, ffi.new("pg_sgd_options *", options), state, first)


def adam(values: Sequence[Value], mean: Any, square: Any, top: Any, options: tuple[Any, ...], step: float) -> None:
    nodes = _nodes(values)
    states = [_state(array, len(nodes)) for array in (mean, square, top)]
    if ffi.NULL in states[:2]:
        raise TypeError("Adam needs both moments")
    lib.pg_adam(arena, len(nodes), nodes, ffi.new("pg_adam_options *", options), *states, step)
