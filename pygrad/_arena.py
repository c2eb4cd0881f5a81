"""The arena under the cffi backend: its memory as Python sees it, its errors, the release of nodes.

Three things here are for speed, since each call into C costs several times a Python operation:

- ``data`` and ``grad`` are read through memory views, where `VIEWS` says so. `make_room` alone moves the
  arrays; it releases the views first, and a reader that meets a released view asks C instead (see
  ``Value.data``).
- A dead object's node number is put on a list, `buried`, and the numbers are handed to C in one call
  when the arena is full, or when somebody counts. Where no references are counted `_batches` says
  which objects are dead.
- The object of a node is looked up (``_prev`` needs it) in `objects`, a table that is begun when first
  asked for: see `find_object`.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, Callable
from weakref import ref

from pygrad import _batches
from pygrad._cffi import ffi, lib
from pygrad._docs import documented
from pygrad._shared import Memory

KEPT = 1 << 32  # set in a result whose operands' objects must be held

arena = lib.pg_arena_new(0, ffi.NULL, ffi.NULL, 0)
if arena == ffi.NULL:
    raise MemoryError("no memory for pygrad's arena")

lib.pg_pace(arena, 1 << 16)  # so that `buried` stays short, however large the arena

#: PyPy compiles calls into line, and takes ten times as long for a view.
VIEWS = sys.implementation.name == "cpython"
buried: list[int] = []  # nodes whose object is gone, one entry for each reference to release
labels: dict[int, dict[str, Any]] = {}  # attributes of a node that are plain constants
objects: dict[int, ref] = {}  # node -> weak reference to its object
pinned: dict[int, Any] = {}  # node -> object, where results recorded earlier do not hold it
_released = 0  # nodes released since the pinned ones were last looked at
tracking = False  # whether every new object goes into `objects`
lock = threading.RLock()  # of this module's tables; a finalizer may come back here, hence R
_taking = threading.Lock()  # of the front of `buried`


def text(c_string: Any) -> str:
    return ffi.string(c_string).decode()


def raise_status(status: int) -> None:
    raise getattr(builtins, text(lib.pg_status_exception(status)))(text(lib.pg_status_text(status)))


# -- memory ------------------------------------------------------------------------------------------


class _Calls:
    """What a memory view of one of the arrays does, by calls."""

    def __init__(self, get: Callable[..., float], set: Callable[..., None]) -> None:
        self.get, self.set = get, set

    def __getitem__(self, node: int) -> float:
        return self.get(arena, node)

    def __setitem__(self, node: int, number: float) -> None:
        self.set(arena, node, number)


data_view: Any = _Calls(lib.pg_data, lib.pg_set_data)
grad_view: Any = _Calls(lib.pg_grad, lib.pg_set_grad)


def _open_views() -> None:
    global data_view, grad_view
    size = 8 * (lib.pg_capacity(arena) + 1)
    data_view = memoryview(ffi.buffer(lib.pg_data_array(arena), size)).cast("B").cast("d")
    grad_view = memoryview(ffi.buffer(lib.pg_grad_array(arena), size)).cast("B").cast("d")


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """A block in which no finalizer of garbage is to come back to this module."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _grow() -> int:
    """Double the arena, which moves its arrays."""
    if not VIEWS:
        return lib.pg_grow(arena, 0)
    with without_collections():  # one that recorded while the views are closed would be slow, or grow again
        data_view.release()
        grad_view.release()
        status = lib.pg_grow(arena, 0)
        _open_views()
    return status


def make_room(grow: bool) -> None:
    """Release what is dead and, where that is not a quarter of the arena or `grow` says so, double it."""
    with lock:
        capacity = lib.pg_capacity(arena)
        for thoroughly in (False,) if _batches.COUNTED else (False, True):
            if not _batches.COUNTED:
                _batches.sweep(buried, thoroughly)
            release_buried()
            if not grow and lib.pg_live_nodes(arena) <= capacity - capacity // 4:
                return
        status = _grow()
        if status and (grow or lib.pg_live_nodes(arena) == capacity) and not _collect():
            raise_status(status)


def _collect() -> bool:
    """For want of memory: whether nodes came free by collecting objects that nobody refers to any more."""
    if _batches.COUNTED:
        return False
    before = lib.pg_live_nodes(arena)
    gc.collect()
    _batches.sweep(buried, thoroughly=True)
    release_buried()
    return lib.pg_live_nodes(arena) < before


def record(call: Callable[..., int], *arguments: Any) -> int:
    """Call a recording function, making room where it asks. The result may carry `KEPT`."""
    node = call(arena, *arguments)
    tries = 0
    while node == lib.PG_FULL:
        make_room(grow=tries > 0)  # free slots may all lie below the operands: then only growth helps
        tries += 1
        node = call(arena, *arguments)
    if node < 0:
        raise_status(node)
    return node


# -- release -----------------------------------------------------------------------------------------


def release_buried() -> None:
    """Hand the dead objects' references back, and let go of pinned objects from time to time."""
    if _release() >= len(pinned):  # so that looking at them costs no more than the releases did
        unpin()


def _release() -> int:
    """Hand the dead objects' references back, and forget what was stored for nodes that are freed. Returns
    how many references that were since the pinned objects were last looked at."""
    global _released
    nodes: list[int] = []
    if _taking.acquire(blocking=False):  # who fails meets another thread, or a finalizer, doing just this
        nodes = buried.copy()
        del buried[: len(nodes)]
        _taking.release()
    lib.pg_release(arena, len(nodes), nodes)
    with lock:
        for node in nodes if objects else ():
            entry = objects.get(node)
            if entry is not None and entry() is None:
                del objects[node]
        node = lib.pg_next_freed(arena, 0)
        while node:
            labels.pop(node, None)
            node = lib.pg_next_freed(arena, node)
        _released += len(nodes)
        return _released


def unpin() -> None:
    """Let go of the pinned objects of which no result is left."""
    global _released
    with lock:
        for node in sorted(pinned, reverse=True):  # results first: an operand may be pinned for theirs alone
            if node in pinned and lib.pg_references(arena, node) == 1:  # its own object's
                del pinned[node]  # this may run finalizers, which may come here
                _release()
        _released = 0


@documented
def live_nodes() -> int:
    if not _batches.COUNTED:
        _batches.sweep(buried, thoroughly=True)
    while True:
        release_buried()
        unpin()
        if not buried:  # a finalizer may have added to it
            break
    return lib.pg_live_nodes(arena)


@documented
def memory() -> Memory:
    return Memory(lib.pg_bytes(arena), lib.pg_capacity(arena))


# -- the object of a node ----------------------------------------------------------------------------


def track(kind: type) -> None:
    """Begin to keep `objects`: from now on each new object is entered, and the living ones are here.

    A weak reference for each recorded operation would cost a third of its time, and most programs
    never look at ``_prev``; so the table is begun by the first look, from the garbage collector's list.
    """
    global tracking
    tracking = True
    with lock:
        for thing in gc.get_objects() if _batches.COUNTED else _batches.objects():
            if issubclass(type(thing), kind):
                node = getattr(thing, "_node", 0)
                if node:
                    objects[node] = ref(thing)


def find_object(node: int) -> Any:
    """The living object of a node, or None."""
    entry = objects.get(node)
    return entry() if entry is not None else None


# -- fork --------------------------------------------------------------------------------------------


def _before_fork() -> None:
    lock.acquire()
    _taking.acquire()
    if not lib.PG_KEEPS_GIL:  # where calls keep it, no thread is inside one now, and none must meet the lock
        lib.pg_lock(arena)


def _after_fork() -> None:
    if not lib.PG_KEEPS_GIL:
        lib.pg_unlock(arena)
    _taking.release()
    lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)

if VIEWS:
    _open_views()
