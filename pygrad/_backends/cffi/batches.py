"""Which objects are gone, where references are not counted, as on PyPy: weak references say so, in batches.

A finalizer for each result would cost more than recording it, and a list of weak references nearly half of
that, as the collector must copy them. So 128 objects at a time have a batch: each refers to it, it has weak
references to them, and here is one weak reference to it. Results mostly die together. Then so does their
batch, with its weak references, and its nodes are released as a whole; else `release_dead` may check each.

A batch is looked at by whoever has taken it from the queue. An interrupt just then loses its nodes, no more.
"""

from __future__ import annotations

import gc
from collections import deque
from typing import Any
from weakref import ref

from pygrad._cffi import ffi, lib

if "Node" in globals():
    raise ImportError("pygrad has live Values: its modules can't be loaded again in this process")

#: Nothing is wrapped in line, and numbers are read by calls: PyPy compiles calls into line by itself.
INLINE_BELOW = 0
USE_VIEWS = False

_SIZE = 128  # of a batch: from 64 on recording takes the same time


class Node:
    """What Value has as slots."""

    __slots__ = ("__weakref__", "_batch", "_held", "_node")

    _node: int


class _Batch:
    __slots__ = ("__weakref__", "nodes", "objects")

    def __init__(self) -> None:
        self.objects: list[ref[Any]] = []
        self.nodes: list[int] = []


get_node, _set_node = Node.__dict__["_node"].__get__, Node.__dict__["_node"].__set__
_set_batch = Node.__dict__["_batch"].__set__
_current = _Batch()
_batches = deque([(ref(_current), _current.nodes)])


def adopt(value: Any, node: int) -> None:
    """From now on the object has this reference to the node. That of the one it had is found to be gone."""
    global _current
    batch = _current
    _set_node(value, node)
    _set_batch(value, batch)
    batch.objects.append(ref(value))  # before its node: who sees the node sees the object
    batch.nodes.append(node)
    if len(batch.nodes) >= _SIZE:
        fresh = _Batch()
        _batches.append((ref(fresh), fresh.nodes))
        _current = fresh


def new(kind: type, node: int) -> Any:
    """A new object for a reference to a node, which it takes over."""
    value: Any = object.__new__(kind)  # here assigning a class is slow
    adopt(value, node)
    return value


def release_dead(arena: Any, check_each: bool = False) -> None:
    """Give the references of dead objects back: of the batches that nothing is left of, or of all."""
    for _ in range(len(_batches)):
        try:
            entry = _batches.popleft()
        except IndexError:  # other threads are at it
            break
        batch, dead = entry[0](), entry[1]
        if batch is not None:
            dead = _take_dead(batch) if check_each else []
            if batch is _current or batch.nodes:
                _batches.append(entry)
        lib.pg_release(arena, len(dead), dead)
    lib.pg_release(arena, 0, ffi.NULL)  # the arena's quota begins anew, also where nothing is dead


def _take_dead(batch: _Batch) -> list[int]:
    nodes = batch.nodes.copy()
    references = batch.objects.copy()
    living = [(reference, get_node(value)) for reference in references if (value := reference()) is not None]
    left = {node for _, node in living}
    kept, dead = [], []
    for node in nodes:
        if node in left:
            left.discard(node)  # its number may stand here once more, for an object that is gone
            kept.append(node)
        else:
            dead.append(node)
    batch.objects[: len(references)] = [reference for reference, _ in living]
    batch.nodes[: len(nodes)] = kept
    return dead


collect = gc.collect  # lets go of objects that nothing refers to


def subclassed(kind: Any) -> None:
    """Here a ``__del__`` of its own is in nobody's way."""


def living(kind: type) -> list[Any]:
    """The objects of exactly that class."""
    batches = [entry[0]() for entry in _batches.copy()]
    found = [reference() for batch in batches if batch is not None for reference in batch.objects.copy()]
    return [value for value in found if type(value) is kind]
