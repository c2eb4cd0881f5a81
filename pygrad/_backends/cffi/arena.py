"""The arena under the cffi backend: its memory as Python sees it, room in it, and the release of nodes.

Two things here are for speed, since each call of C costs several times a Python operation:

- ``data`` and ``grad`` are read through memory views. `grow` alone moves the arrays, and releases the views
  first; a reader that meets a released view asks C instead and opens new ones.
- Dead objects' references are handed to C in bulk: when the arena is full, or its quota used up, or when
  somebody counts. Which objects are dead, the lifetime says: counted.py on CPython, batches.py elsewhere.

Nothing here takes a lock, as an interrupt could come between taking it and giving it back. What must not be
divided is one call of C code: of the library, of a method of a list or dict, or of several under ``map``.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections import deque
from itertools import chain, compress
from typing import Any, Callable

from pygrad._backends.docs import documented
from pygrad._backends.interface import Memory
from pygrad._cffi import ffi, lib

if sys.implementation.name == "cpython":
    from pygrad._backends.cffi import counted as lifetime
else:
    from pygrad._backends.cffi import batches as lifetime  # type: ignore[no-redef]

if "arena" in globals():
    raise ImportError("pygrad has live Values: its modules can't be loaded again in this process")

arena = lib.pg_arena_new(0, ffi.NULL, ffi.NULL, 0)
if arena == ffi.NULL:
    raise MemoryError("no memory for pygrad's arena")

attributes: dict[int, dict[str, Any]] = {}  # of a node that has any


def text(c_string: Any) -> str:
    return ffi.string(c_string).decode()  # type: ignore[no-any-return]


def checked(status: int) -> int:
    """What C has answered; where that is an error it is raised."""
    if status < 0:
        raise getattr(builtins, text(lib.pg_status_exception(status)))(text(lib.pg_status_text(status)))
    return status


# -- numbers -----------------------------------------------------------------------------------------


class _Numbers:
    """One number of every node: read and written through `view`, which is a memory view where there may be one."""

    __slots__ = ("_array", "_get", "_set", "view")

    def __init__(self, name: str) -> None:
        self.view: Any = self  # by calls
        self._get, self._set = getattr(lib, f"pg_{name}"), getattr(lib, f"pg_set_{name}")
        self._array = getattr(lib, f"pg_{name}_array")

    def __getitem__(self, node: int) -> float:
        return self._get(arena, node)  # type: ignore[no-any-return]

    def __setitem__(self, node: int, number: float) -> None:
        self._set(arena, node, number)

    def new_view(self, capacity: int) -> Any:
        return memoryview(ffi.buffer(self._array(arena), 8 * (capacity + 1))).cast("B").cast("d")


data, grad = _Numbers("data"), _Numbers("grad")
_opened: list[tuple[Any, Any]] = []  # all pairs of views that are not released


def open_views() -> None:
    """New views in place of released ones."""
    capacity = lib.pg_capacity(arena)
    views = data.new_view(capacity), grad.new_view(capacity)
    still_there = map(capacity.__eq__, map(lib.pg_capacity, (arena,)))  # unless another thread has moved them
    _opened.extend(compress([views], still_there))
    if _opened and _opened[-1] is views:
        data.view, grad.view = views


# -- room --------------------------------------------------------------------------------------------


def grow(nodes: int = 0) -> int:
    """Make room for so many nodes (0: as pg_grow sees fit). Returns a status."""
    close = map(memoryview.release, chain.from_iterable(_opened))
    move = map(lib.pg_grow, (arena,), (nodes,))
    status: int = deque(chain(close, map(list.clear, (_opened,)), move), maxlen=1).pop()
    lib.pg_set_quota(arena, min(lib.pg_capacity(arena) // 8, 65536))
    if lifetime.USE_VIEWS:
        open_views()
    return status


def _crowded() -> bool:
    capacity = lib.pg_capacity(arena)
    return bool(capacity - lib.pg_live_nodes(arena) < min(capacity // 4, 65536))


def make_room() -> None:
    """Release what is dead and, where too little is free after that, grow."""
    release_dead()
    if _crowded():
        release_dead(check_each=True)
    if _crowded():
        grow()  # without memory for that, there may be room still


def collect() -> bool:
    """For want of memory: whether nodes came free by letting go of objects that nobody refers to."""
    before = lib.pg_live_nodes(arena)
    lifetime.collect()
    release_dead(check_each=True)
    return bool(lib.pg_live_nodes(arena) < before)


def record(call: Callable[..., int], *arguments: Any) -> int:
    """Call a recording function, making room where it asks. The result may carry PG_HOLD_OPERANDS_BIT."""
    result = call(arena, *arguments)
    if result == lib.PG_FULL:
        make_room()
        result = call(arena, *arguments)
    while result == lib.PG_FULL:  # the free slots may all lie below the operands: then only growth helps
        status = grow()
        if status and not collect():
            checked(status)
        result = call(arena, *arguments)
    if result < 0:
        checked(result)
    return result


def arena_address() -> int:
    return int(ffi.cast("uintptr_t", arena))


# -- release -----------------------------------------------------------------------------------------


def release_dead(check_each: bool = False) -> None:
    """Hand the dead objects' references back, and forget what was kept for nodes that are freed."""
    lifetime.release_dead(arena, check_each)
    while node := lib.pg_pop_freed(arena):
        gone = attributes.pop(node, None), lib.pg_recycle(arena, node)  # noqa: F841  dropped after that


@documented
def live_nodes():  # type: ignore[no-untyped-def]
    while True:
        before = lib.pg_live_nodes(arena)
        release_dead(check_each=True)  # which may run finalizers
        if lib.pg_live_nodes(arena) == before:
            return before


@documented
def memory() -> Memory:
    return Memory(lib.pg_bytes(arena), lib.pg_capacity(arena))


def check() -> str | None:
    """For tests: None, or a sentence about the arena's first invariant found broken."""
    release_dead()
    broken = lib.pg_check(arena)
    return None if broken == ffi.NULL else text(broken)


# -- fork --------------------------------------------------------------------------------------------

if hasattr(os, "register_at_fork") and not lib.PG_KEEPS_GIL:
    os.register_at_fork(  # where calls keep the GIL no thread is inside one when another forks
        before=lambda: lib.pg_lock(arena),
        after_in_parent=lambda: lib.pg_unlock(arena),
        after_in_child=lambda: lib.pg_unlock(arena),
    )

grow(65535)
