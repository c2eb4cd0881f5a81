"""Where a function finds Values: in variables around it, and in lists and dicts there. A new Value in such a place is
noticed although the old one lives on, in a list of earlier ones or because no garbage was collected."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any
from weakref import ref

from pygrad.value import Value

#: So many items of a list or dict are looked at, and so many places watched: beyond that it would take long.
MOST = 16


def _variable(variables: dict[str, Any], name: str) -> Any:
    return variables.get(name)


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return None


def _item(of: Callable[[], Any], key: Any) -> Any:
    try:
        return of()[key]
    except (LookupError, TypeError):
        return None


def _attribute(get: Callable[[], Any], name: str) -> Any:
    return getattr(get(), "__dict__", {}).get(name)


def _getter(thing: Any) -> Callable[[], Any]:
    """What gets an object and does not keep it, where it can be: it may be what has the function."""
    try:
        return ref(thing)
    except TypeError:
        return lambda: thing


def _roots(function: Any) -> list[Callable[[], Any]]:
    """What gets each variable around a function, and each attribute of a method's object."""
    roots: list[Callable[[], Any]] = []
    if isinstance(function, types.MethodType):
        thing, function = function.__self__, function.__func__
        get = _getter(thing)
        roots += [partial(_attribute, get, name) for name in islice(getattr(thing, "__dict__", ()), MOST)]
    if isinstance(function, types.FunctionType):
        roots += [partial(_cell, cell) for cell in function.__closure__ or ()]
        roots += [partial(_variable, function.__globals__, name) for name in function.__code__.co_names]
    return roots


def places(function: Any) -> dict[Value, Callable[[], Any]]:
    """For each Value that is found so, what gets it."""
    found: dict[Value, Callable[[], Any]] = {}
    for get in _roots(function):
        thing: Any = get()
        keys: Any = ()
        if isinstance(thing, Value):
            found.setdefault(thing, get)
        elif type(thing) is dict:
            keys = list(islice(thing, MOST))
        elif type(thing) is list or type(thing) is tuple:
            keys = range(min(len(thing), MOST))
        for key in keys:
            item = _item(get, key)
            if isinstance(item, Value):
                found.setdefault(item, partial(_item, get, key))
    return dict(islice(found.items(), MOST))
