"""While a function is recorded for `pygrad.compile`, no number leaves a Value unseen.

A number that Python takes from a Value, to branch on it or to compute with it, would be that of the first run in all
later ones. It can leave through a few doors: ``data`` and ``grad``, and what reads these (formatting, copying,
``pygrad.data``); and a node can be changed under the trace: by assignment, ``backward()``, an optimizer. While a trace
is on, the doors are guarded; for other threads, and for Values that depend on no input, they are open.
"""

from __future__ import annotations

import os
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from pygrad._backends import core
from pygrad._nested import map_leaves
from pygrad.value import Value

_PACKAGE = str(Path(__file__).parent) + os.sep
#: Modules that call a Value's methods for somebody else.
_BETWEEN = {"copy", "numpy", "pickle", "pprint", "reprlib"}


class TraceError(RuntimeError):
    """A compiled function uses a number that may be another one in the next run, or changes a Value.

    The message names the line, and what to write instead."""


class _Thread(threading.local):
    era = 0  # of the trace that is on in this thread; 0: none
    inputs: Sequence[Value] = ()  # in which functions are differentiated that run without a trace


here = _Thread()
_lock = threading.RLock()  # a finalizer may compile a function while it is held
#: So many are on, in all threads.
traces = 0
_originals: list[tuple[Any, str, Any]] = []


def is_tracing() -> bool:
    """Whether this thread is recording a function to compile it."""
    return traces > 0 and here.era != 0


def constant(x: Any) -> Any:
    """The number that x, a Value or a nesting of them, has now, as a float.

    In a compiled function it is that of the first run, for good: say so with this where it is meant.

    >>> constant(Value(2.0))
    2.0
    """
    era, here.era = here.era, 0
    try:
        return map_leaves(lambda leaf: leaf.data if isinstance(leaf, Value) else leaf, x)
    finally:
        here.era = era


def user_line() -> str:
    """Where the code that called pygrad stands: ``file.py, line 3``."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and (
        frame.f_code.co_filename.startswith(_PACKAGE)
        or str(frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"


_READ = (
    "the {name} of a Value that depends on the function's inputs or parameters is read. It would be the first run's "
    "number in all later runs. Write it with operations of pygrad: maximum, minimum, relu or where for a branch, "
    "softmax or logsumexp for a shift, take for an index; or pygrad.constant(x) where the number of this run is meant"
)
_CHANGED = "{name} in a compiled function: that would happen in the first run alone. Do it outside the function"


def refuse(message: str, **names: str) -> NoReturn:
    """Raise a TraceError with the line of the user's code."""
    raise TraceError(f"{user_line()}: {message.format(**names)}")


def _is_closed(value: Value) -> bool:
    from pygrad._backends import programs

    return here.era != 0 and programs.depends(value, here.era)


def _guarded_number(name: str, original: Any) -> property:
    def read(self: Value) -> Any:
        if _is_closed(self):
            refuse(_READ, name=name)
        return original.__get__(self)

    return property(read, None, None, original.__doc__)


def _guarded_setattr(original: Callable[..., None], numbers: dict[str, Any]) -> Callable[..., None]:
    """``numbers`` are the doors data and grad. What is C can't be called while it is not in its place on the type: then
    the guard does the same."""
    is_python = isinstance(original, types.FunctionType)

    def __setattr__(self: Value, name: str, value: Any) -> None:
        if here.era and name in ("data", "grad", "_backward"):
            refuse(_CHANGED, name=f"{name} of a Value is assigned")
        if is_python:
            original(self, name, value)
        elif name in numbers:
            numbers[name].__set__(self, value)
        else:
            if type(self) is Value and not hasattr(Value, name):
                core.new_attribute(name)
            object.__setattr__(self, name, value)

    return __setattr__


def _guarded_delattr(self: Value, name: str) -> None:
    if name in ("data", "grad"):
        raise AttributeError(f"{name} can't be deleted")
    object.__delattr__(self, name)


def _guarded_call(shown: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*arguments: Any) -> Any:
        if here.era:
            refuse(_CHANGED, name=f"{shown} is called")
        return original(*arguments)

    return guarded


def _close() -> None:
    """Put guards before the doors, and note what was there."""
    from pygrad._backends import programs

    guards: list[tuple[Any, str, Any]] = []
    numbers = {name: vars(Value)[name] for name in ("data", "grad")}
    for name, door in numbers.items():
        guards.append((Value, name, _guarded_number(name, door)))
    guards.append((Value, "__setattr__", _guarded_setattr(vars(Value)["__setattr__"], numbers)))
    guards.append((Value, "__delattr__", _guarded_delattr))
    for name in ("backward", "_step"):
        guards.append((Value, name, _guarded_call(f"{name}()", vars(Value)[name])))
    for name, shown in ("sgd", "step()"), ("adam", "step()"), ("zero_grads", "zero_grad()"):
        guards.append((core, name, _guarded_call(f"an optimizer's or model's {shown}", getattr(core, name))))
    guards.append((programs, "scatter", _guarded_call("a graph's backward()", programs.scatter)))
    for owner, name, guard in guards:
        _originals.append((owner, name, vars(owner)[name]))
        setattr(owner, name, guard)


def _open() -> None:
    while _originals:
        setattr(*_originals.pop())


@contextmanager
def tracing() -> Iterator[int]:
    """Record what this thread computes. Gives the trace's era."""
    from pygrad._backends import programs

    global traces
    era, outer = programs.begin_trace(), here.era
    try:
        with _lock:
            traces += 1
            if traces == 1:
                _close()
        here.era = era
        try:
            yield era
        finally:
            here.era = outer
            with _lock:
                traces -= 1
                if traces == 0:
                    _open()
    finally:
        programs.end_trace()


def _after_fork() -> None:
    """In a child there are no traces of other threads than the one that forked."""
    from pygrad._backends import programs

    global _lock, traces
    _lock = threading.RLock()
    mine = int(here.era != 0)
    for _ in range(traces - mine):
        programs.end_trace()
    traces = min(traces, mine)
    if not mine:
        _open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


__all__ = ["TraceError", "constant"]
