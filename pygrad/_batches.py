"""How the cffi backend learns which objects are gone where nothing counts references, as on PyPy.

A finalizer for each result would cost more than recording it, and a list of weak references nearly half of
that, as the collector must copy them. So objects are made in batches: each refers to its batch, the batch to
weak references to its objects, and from here there is one weak reference to the batch. Results mostly die
together. Then so does their batch, with its weak references, and the collector has nothing to copy; where one
of them lives on, the batch does, and says which.
"""

from __future__ import annotations

import sys
import threading
from typing import Any
from weakref import ref

#: Whether an object dies with its last reference, so that ``__del__`` is called in time and costs little.
COUNTED = sys.implementation.name == "cpython"
_SIZE = 128  # of a batch: from 64 on recording takes the same time


class _Batch:
    __slots__ = ("__weakref__", "nodes", "objects")

    def __init__(self) -> None:
        self.objects: list[ref] = []
        self.nodes: list[int] = []


_current = _Batch()
_batches = [(ref(_current), _current.nodes)]
_lock = threading.Lock()


def watch(value: Any, node: int) -> _Batch:
    """From now on `sweep` finds that this object, which holds a reference to the node, is gone. The object
    must refer to what this returns."""
    batch = _current
    batch.objects.append(ref(value))  # before its node: who sees the node sees the object
    batch.nodes.append(node)
    if len(batch.nodes) >= _SIZE:
        _begin()
    return batch


def _begin() -> None:
    global _current
    batch = _Batch()
    _batches.append((ref(batch), batch.nodes))
    _current = batch


def sweep(dead: list[int], thoroughly: bool = False) -> None:
    """Append to `dead` the nodes whose objects have gone: of the batches that nothing is left of, or of all,
    which looks at each object."""
    if not _lock.acquire(blocking=False):  # another thread is at it
        return
    try:
        batches = _batches.copy()
        left = []
        for entry in batches:
            batch = entry[0]()
            if batch is None:
                dead.extend(entry[1])
                continue
            if thoroughly:
                _sweep_batch(batch, dead)
            if batch is _current or batch.nodes:
                left.append(entry)
        _batches[: len(batches)] = left
    finally:
        _lock.release()


def _sweep_batch(batch: _Batch, dead: list[int]) -> None:
    nodes = batch.nodes.copy()
    references = batch.objects.copy()
    living = [(reference, value._node) for reference in references if (value := reference()) is not None]
    left = {node for _, node in living}
    kept = []
    for node in nodes:
        if node in left:
            left.discard(node)  # its number may stand here once more, for an object that is gone
            kept.append(node)
        else:
            dead.append(node)
    batch.objects[: len(references)] = [reference for reference, _ in living]
    batch.nodes[: len(nodes)] = kept


def objects() -> list[Any]:
    """Those that are there."""
    batches = [entry[0]() for entry in _batches.copy()]
    return [v for batch in batches if batch is not None for r in batch.objects if (v := r()) is not None]
