"""What all transforms of functions have: which function, and in which arguments it is differentiated."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import update_wrapper
from types import MethodType
from typing import Any, Callable

from pygrad import tracing
from pygrad._backends.interface import required_number
from pygrad._nested import leaves as leaves_of
from pygrad._nested import map_leaves
from pygrad.copying import topological
from pygrad.value import Value


class Transform:
    """A function of f's arguments that differentiates it in one argument, or in several."""

    #: Whether the value of f is among the results.
    has_values = False

    def __init__(self, f: Callable[..., Any], argnum: int | tuple[int, ...] = 0) -> None:
        if not callable(f):
            raise TypeError(f"a function is needed, not {type(f).__name__}")
        for place in argnum if isinstance(argnum, tuple) else (argnum,):
            if not hasattr(type(place), "__index__"):
                raise TypeError(f"argnum must be an integer, or a tuple of them, not {type(place).__name__}")
        update_wrapper(self, f, updated=())
        self.f, self.argnum = f, argnum

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    @property
    def is_many(self) -> bool:
        return isinstance(self.argnum, tuple)

    def places_in(self, args: tuple[Any, ...]) -> tuple[int, ...]:
        """The arguments to differentiate in."""
        places = self.argnum if isinstance(self.argnum, tuple) else (self.argnum,)
        for place in places:
            if not -len(args) <= place < len(args):
                raise TypeError(f"there is no argument {place} to differentiate in: {len(args)} were given")
        return tuple([place % len(args) for place in places])

    def recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> Any:
        """The derivative as a recorded function, itself differentiable in the arguments at some places. See
        `derivatives.record`."""
        raise NotImplementedError

    @classmethod
    def of_rows(cls, y: Any, rows: list[list[Any]], is_many: bool) -> Any:
        """What is returned, from what f returned, with floats for Values, and of each of them the gradients in the
        arguments."""
        raise NotImplementedError

    def of(self, f: Callable[..., Any]) -> Transform:
        """The same of another function."""
        return type(self)(f, self.argnum)

    def __reduce__(self) -> Any:
        return type(self), (self.f, self.argnum)

    def __repr__(self) -> str:
        return f"<{type(self).__name__.strip('_')} of {self.f!r}>"


def in_each(results: list[Any], is_many: bool) -> Any:
    """One for each argument: a tuple, or the one itself."""
    return tuple(results) if is_many else results[0]


def lifted(args: tuple[Any, ...], places: Iterable[int]) -> tuple[list[Any], list[Any]]:
    """The arguments with a leaf for each number of some of them, and these."""
    chosen = list(args)
    for place in {*places}:
        chosen[place] = map_leaves(lambda number: Value(required_argument(number)), args[place])
    return chosen, [chosen[place] for place in places]


_NESTED = "Within a function that is itself differentiated write grad(grad(f)): derivatives are numbers"


def required_argument(x: Any) -> float:
    """A number to differentiate in. TypeError for what is none."""
    if isinstance(x, Value):
        raise TypeError(f"an argument must be a real number, not Value. {_NESTED}")
    return required_number(x, "an argument")


def result_of(f: Any, args: list[Any], kwargs: dict[str, Any], xs: list[Any]) -> Any:
    """What f returns, while `check_around` looks out for the leaves in some of these arguments, ``xs``."""
    outer = tracing.here.inputs
    tracing.here.inputs = [*outer, *leaves_of(xs)]
    try:
        return f(*args, **kwargs)
    finally:
        tracing.here.inputs = outer


def check_around(values: Iterable[Any], recorded: Any = None) -> None:
    """TypeError where something that is computed here as plain numbers, from Values among these and those that a
    recorded function finds, depends on what a function is differentiated in that runs now."""
    if not tracing.here.inputs:
        return
    found = [*values, *(recorded.found() if recorded else ())]
    reached = topological([value for value in found if isinstance(value, Value)])
    if not {*reached}.isdisjoint(tracing.here.inputs):
        raise TypeError(
            f"numbers are computed of what depends on an argument of the function around. {_NESTED}, as rows that no "
            "vmap(..., reduce=...) adds up"
        )


def compiled_in(f: Any) -> Any:
    """The compiled function that f is, or is a bound method of; or None."""
    compiled = sys.modules.get("pygrad.compiled")  # which is imported by who compiles
    function = f.__func__ if isinstance(f, MethodType) else f
    return function if compiled is not None and isinstance(function, compiled.Compiled) else None
