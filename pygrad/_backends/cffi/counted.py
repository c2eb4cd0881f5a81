"""Which objects are gone, where references are counted, as on CPython: ``__del__`` puts the node on a list.

The list is handed to C as a whole, when the arena is full or when somebody counts.
"""

from __future__ import annotations

import gc
from typing import Any

from pygrad._cffi import lib

if "Node" in globals():
    raise ImportError("pygrad has live Values: its modules can't be loaded again in this process")

#: Results below this number are wrapped in line by the operators, since a call costs a tenth of recording.
INLINE_BELOW = 1 << lib.PG_HOLD_OPERANDS_BIT
#: A number is read in a third of the time that a call of C takes.
USE_VIEWS = True

pending_releases: list[int] = []  # nodes whose object is gone, one entry for each reference to give back


class Node:
    """A Value in the making: filled at full speed, without ``Value.__setattr__``, then given its class."""

    __slots__ = ("__weakref__", "_held", "_node")

    _node: int

    def __del__(self, release: Any = pending_releases.append) -> None:
        try:
            release(self._node)
        except AttributeError:
            pass  # __init__ refused its arguments


def subclassed(kind: Any) -> None:
    """Let objects of a class with a ``__del__`` of its own give their nodes back too."""
    if (own := vars(kind).get("__del__")) is None:
        return

    def __del__(self: Any) -> None:
        try:
            own(self)
        finally:
            Node.__del__(self)
            if hasattr(self, "_node"):  # or a class above would give it back again
                _drop_node(self)

    kind.__del__ = __del__


_drop_node = Node.__dict__["_node"].__delete__
get_node, _set_node = Node.__dict__["_node"].__get__, Node.__dict__["_node"].__set__


def new(kind: type, node: int) -> Any:
    """A new object for a reference to a node, which it takes over."""
    value = Node()
    value._node = node
    value.__class__ = kind
    return value


def adopt(value: Any, node: int) -> None:
    """From now on the object has this reference to the node. The one it had is given back."""
    old = getattr(value, "_node", 0)
    _set_node(value, node)
    if old:
        pending_releases.append(old)


def release_dead(arena: Any, check_each: bool = False) -> None:
    """Give the references of the dead objects back.

    The steps run in one call of C code, so no interrupt comes between them. What a collection finds dead meanwhile is
    put on the list after it was emptied: between the first two steps nothing is allocated that could start one.
    """
    dead: list[int] = []
    take = map(dead.extend, (pending_releases,))
    empty = map(list.clear, (pending_releases,))
    release = map(lib.pg_release, (arena,), map(len, (dead,)), (dead,))
    next(zip(take, empty, release))


def collect() -> None:
    """Let go of objects that nothing refers to: here they have gone already."""


def living(kind: type) -> list[Any]:
    """The objects of exactly that class.

    gc.get_objects() is no way to them: a tuple that it finds while another thread fills it can't be finished.
    """
    if gc.get_freeze_count():
        gc.unfreeze()  # what is frozen isn't found; frozen again, what became garbage since would never be collected
    return [thing for thing in gc.get_referrers(kind) if type(thing) is kind]
