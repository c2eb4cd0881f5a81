"""`compile`: functions that are recorded once for each structure of arguments and then run as programs in C."""

from __future__ import annotations

import gc
import inspect
import sys
import threading
import types
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import update_wrapper
from itertools import chain, repeat
from typing import Any, NamedTuple

from pygrad import _places, _structure, tracing
from pygrad._backends import core, programs
from pygrad.graph import Graph, frozen
from pygrad.recorded import Recorded
from pygrad.tracing import is_tracing, refuse
from pygrad.value import Value

#: Programs that a compiled function keeps: those used last.
MOST_PROGRAMS = 64
#: A function that has been recorded more often than this gets a warning.
MANY_PROGRAMS = 16

_NOTE = (
    "A compiled function is recorded with Values as its arguments. What has to be a plain number in it, as a length or "
    'an index, is named: pygrad.compile(static=("n",))'
)


class CacheInfo(NamedTuple):
    """As `functools.lru_cache` has it: calls that found their program, and calls that had to be recorded."""

    hits: int
    misses: int
    maxsize: int
    currsize: int


class Record(Recorded):
    """A function as recorded for one structure of arguments."""

    template: _structure.Template

    def __init__(
        self,
        function: Callable[[Iterator[Value]], Any],
        leaves: Sequence[Any],
        objects: Iterable[Any],
        places: dict[Value, Callable[[], Any]],
        forget: Any,
    ) -> None:
        """``function`` takes a Value for each of the leaves; ``forget(self)`` is called when the record is of no more
        use, as a Value that it reads is gone, or one of the objects. ``places`` are where it finds Values."""
        arguments = [Value(leaf.data if isinstance(leaf, Value) else leaf) for leaf in leaves]
        self.is_stale = False
        with tracing.tracing() as era:
            template = _structure.Template(function(iter(arguments)))
            outputs = template.outputs
            graph, captured, nodes = _freeze(outputs, arguments, era)
            older = {value for value in captured if programs.depends(value, era)}
            if not older.union(outputs).issuperset(captured):
                del graph, captured, nodes
                gc.collect()  # a function that calls itself is garbage, with the numbers that it saw as Values
                graph, captured, nodes = _freeze(outputs, arguments, era)
        self._places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Value)]
        super().__init__(graph, template, len(leaves), bool(self._places), len(captured), nodes)
        #: Where some of them were found, and are looked for at each call.
        self._found = [(places[value], weakref.ref(value)) for value in captured if value in places]
        del places
        me = weakref.ref(self)
        #: When one of these goes the function would find another in its place. Not so a constant that it returns.
        returned = [weakref.ref(value) for value in set(outputs).intersection(captured) - older]
        lasting = [*objects, *(older.union(captured) - set(outputs)), *older.intersection(outputs)]
        self._watched = [weakref.ref(thing, lambda _: forget(me())) for thing in lasting]
        template.outputs = []
        del captured, older, outputs, lasting, arguments
        for value in filter(None, (reference() for reference in returned)):
            self._watched.append(weakref.ref(value, lambda _: forget(me())))
        #: The inputs that are Values: an output has local gradients to them.
        self.wanted = (*self._places, *range(self.arguments, self.arguments + self.captured))
        self._program = self.graph.program(self.wanted)
        self._rows = self._used()
        #: For numbers and Values as they come: the one Value that is returned, or None where that is `values`'s work.
        self.call: Callable[[tuple[Any, ...]], Any] = lambda args: None
        if template.is_single and self._rows == [None] and self._program.length <= programs.LONG:
            self.call = programs.caller(self._program, self.arguments, self.captured, self._nodes)

    def is_moved(self) -> bool:
        """Whether another Value stands where the function found one."""
        for get, reference in self._found:
            value = reference()
            if value is None or get() is not value:
                return True
        return False

    def _used(self) -> list[list[int] | None]:
        """For each output the wanted inputs that it depends on: None for all."""
        constants, n = self._program.constant_outputs(), len(self.wanted)
        rows: list[list[int] | None] = []
        for start in range(self.outputs, self.outputs + self.outputs * n, n or 1):
            used = [i for i in range(n) if constants[start + i] != 0.0]
            rows.append(None if len(used) == n else used)
        return rows or [None] * self.outputs

    def values(self, leaves: Sequence[Any]) -> list[Value]:
        """A Value for each output, with local gradients to the Values that it came from."""
        outputs = self.run(self._program, leaves)
        results = self.values_of(leaves, outputs)
        self._program.give(outputs)
        return results

    def values_of(self, leaves: Sequence[Any], outputs: Any) -> list[Value]:
        """The same from an array of the outputs and their derivatives in the `wanted` inputs."""
        if not self.wanted:
            return [Value(outputs[k]) for k in range(self.outputs)]
        arguments = [leaves[i] for i in self._places]
        nodes = programs.joined(arguments, self._nodes, self.captured) if arguments else self._nodes
        return [self._value(k, arguments, nodes, outputs) for k in range(self.outputs)]

    def _value(self, k: int, arguments: list[Value], nodes: Any, outputs: Any) -> Any:
        count, used = len(self.wanted), self._rows[k]
        partials = outputs + (self.outputs + k * count)
        if used is not None:
            if not used:
                return Value(outputs[k])
            nodes, partials = programs.chosen(used, nodes, partials)

        def operands() -> tuple[Value, ...]:
            every = [*arguments, *self.found()]
            return tuple(every if used is None else [every[i] for i in used])

        return programs.custom(outputs[k], count if used is None else len(used), nodes, partials, operands)


def _freeze(outputs: list[Value], arguments: list[Value], era: int) -> tuple[programs.FrozenGraph, list[Value], Any]:
    """The graph, the Values in it that the function found elsewhere, or made and kept, and their nodes."""
    core.live_nodes()  # hands back what is dead: then a reference means that somebody holds a node
    graph = frozen(outputs, arguments, era)
    captured = [core.object_of(node) for node in graph.sources()[len(arguments) :]]
    return graph, captured, programs.hold_nodes(captured)


class Compiled:
    """What `compile` returns: called as the function is, it runs programs. See there."""

    def __init__(self, function: Callable[..., Any], static: Iterable[str] = ()) -> None:
        if not callable(function):
            raise TypeError(f"a function is needed, not {type(function).__name__}")
        update_wrapper(self, function, updated=())
        self.function = function
        self.static = frozenset([static] if isinstance(static, str) else static)
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):  # some of C's have none
            self._signature = None
        parameters = list(self._signature.parameters.values()) if self._signature else []
        self._others = {p.kind: p.name for p in parameters}  # of *args and **kwargs, where it has them
        takes_any = self._others.get(inspect.Parameter.VAR_KEYWORD)
        unknown = self.static.difference([p.name for p in parameters if p.name != takes_any])
        if unknown and (takes_any is None or takes_any in unknown):
            raise ValueError(f"static names no parameter of the function: {', '.join(sorted(map(str, unknown)))}")
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self._names = [p.name for p in parameters if p.kind in positional]
        self._is_simple = bool(parameters) and len(self._names) == len(parameters)
        self._records: OrderedDict[Any, Record] = OrderedDict()
        #: The same, by the types of arguments that are numbers and Values alone.
        self._by_types: dict[tuple[type, ...], Record] = {}
        self._lock = threading.RLock()
        self._hits = self._misses = 0
        self._last: Any = ()  # the key of the last record made
        self._lost = False  # whether a record went because a Value did

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if tracing.traces and is_tracing():
            return self.function(*args, **kwargs)
        leaves: Sequence[Any] = args
        record = self._by_types.get((*map(type, args),))
        if record is None or kwargs or record.is_moved():
            record, leaves = self.record(args, kwargs)
        else:
            self._hits += 1
            result = record.call(args)
            if result is not None:
                return result
        return record.template.filled(record.values(leaves))

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Record, list[Any]]:
        """The record for some arguments, made where there is none, and the numbers and Values in them."""
        args, kwargs = self._bound(args, kwargs)
        leaves: list[Any] = []
        key = tuple(
            [
                (name, _structure.fixed_key(x) if name in self.static else _structure.key(x, leaves))
                for name, x in self._named(args, kwargs)
            ]
        )
        record = self._records.get(key)
        if record is None or record.is_moved():
            self._lost |= record is not None
            record = self._make(key, lambda values: self._run_plain(args, kwargs, values), leaves)
        else:
            self._hits += 1
            try:
                self._records.move_to_end(key)
            except KeyError:  # another thread has dropped it
                pass
        if len(args) == len(leaves) == len(key) and {*map(type, args)} <= {float, int, Value}:
            self._by_types[tuple(map(type, args))] = record
            if self._records.get(key) is not record:  # it has been dropped already
                self._by_types.pop(tuple(map(type, args)), None)
        return record, leaves

    def of_numbers(self, args: tuple[Any, ...]) -> Record | None:
        """The record for arguments that are all floats and ints, if there is one already."""
        record = self._by_types.get((*map(type, args),))
        if record is None or record.is_moved():
            return None
        self._hits += 1
        return record

    def counts(self, args: tuple[Any, ...]) -> list[int]:
        """How many numbers and Values are in each of the positional arguments; -1 in one that is static."""
        return [-1 if name in self.static else _structure.count(x) for name, x in self._named(args, {})]

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments in their places, defaults among them."""
        if self._signature is None or (self._is_simple and not kwargs and len(args) == len(self._names)):
            return args, kwargs
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.args, bound.kwargs

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        others = self._others.get(inspect.Parameter.VAR_POSITIONAL, "")
        return chain(zip(chain(self._names, repeat(others)), args), sorted(kwargs.items()))

    def _run_plain(self, args: tuple[Any, ...], kwargs: dict[str, Any], values: Iterator[Value]) -> Any:
        """What the function returns for Values in place of the numbers of its arguments."""
        lifted = [x if name in self.static else _structure.lifted(x, values) for name, x in self._named(args, kwargs)]
        try:
            return self.function(*lifted[: len(args)], **dict(zip(sorted(kwargs), lifted[len(args) :])))
        except TypeError as error:
            if hasattr(error, "add_note"):  # from Python 3.11 on
                error.add_note(_NOTE)
            raise

    def _make(self, key: Any, function: Callable[[Iterator[Value]], Any], leaves: Sequence[Any]) -> Record:
        me = weakref.ref(self)

        def forget(record: Record) -> None:
            owner = me()
            if record is not None:
                record.is_stale = True  # before it is looked for: it may not be there yet
            if owner is not None and record is not None and owner._records.get(key) is record:
                owner._records.pop(key, None)
                owner._by_types.clear()
                owner._lost = True

        record = Record(function, leaves, [*_structure.referents(key)], _places.places(self.function), forget)
        with self._lock:
            self._records[key] = record
            self._misses += 1
            while len(self._records) > MOST_PROGRAMS:
                self._records.popitem(last=False)
                self._by_types.clear()
            if self._misses == MANY_PROGRAMS + 1:
                self._warn(key)
            self._last, self._lost = key, False
        if record.is_stale:
            forget(record)
        return record

    def _warn(self, key: Any) -> None:
        reason = "its arguments are those of a program that was dropped"
        if self._lost:
            reason = "a Value or another object that it used is gone"
        elif len(key) != len(self._last):
            reason = f"it has {len(key)} arguments and had {len(self._last)}"
        else:
            for (name, new), (_, old) in zip(key, self._last):
                if new != old:
                    reason = f"{name or 'an argument'} is {_structure.difference(new, old)}"
        warnings.warn(
            f"{getattr(self, '__name__', 'a compiled function')} has been recorded {self._misses} times, now because "
            f"{reason}. Recording takes longer than a plain call: let its arguments have the same structure each time",
            RuntimeWarning,
            stacklevel=5,
        )

    def graph(self, /, *args: Any, **kwargs: Any) -> Graph:
        """The `Graph` for these arguments. Its inputs are their numbers, as Values, and then the Values that the
        function finds elsewhere; its outputs are what the function returns."""
        if is_tracing():
            refuse("a graph is asked for in a compiled function: call the function there, without .graph")
        record, leaves = self.record(args, kwargs)
        given = [leaf if isinstance(leaf, Value) else Value(leaf) for leaf in leaves]
        inputs = [*given, *record.found()]
        return Graph.of(
            record.graph, record.values(leaves), inputs, len(given) or len(inputs), record.template.is_single
        )

    def cache_info(self) -> CacheInfo:
        """How often a call found its program or had to be recorded, and how many programs there are."""
        return CacheInfo(self._hits, self._misses, MOST_PROGRAMS, len(self._records))

    def cache_clear(self) -> None:
        """Drop all programs: the next call is recorded again."""
        with self._lock:
            self._records.clear()
            self._by_types.clear()
            self._hits = self._misses = 0

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        """By name where its module has it under its function's, as functions are; else with its function."""
        found: Any = sys.modules.get(str(getattr(self, "__module__", None)))
        for part in str(getattr(self, "__qualname__", "")).split("."):
            found = getattr(found, part, None)
        return self.__qualname__ if found is self else (Compiled, (self.function, tuple(sorted(self.static))))

    def __repr__(self) -> str:
        return f"<compiled {self.function!r}>"


def compile(function: Callable[..., Any] | None = None, *, static: Iterable[str] = ()) -> Any:
    """A function that is recorded once for each structure of its arguments, and then run as a program in C.

    Its arguments are numbers, Values, arrays, and lists, tuples and dicts of them. Strings, None, bools, other objects,
    and the parameters named in ``static``, are passed as they are and select the program. Values that the function
    finds elsewhere, as a model's parameters, are read at each call. It returns what the function returns; each Value
    in that is one node with local gradients, so that ``backward()`` goes on through it.

    >>> @compile
    ... def loss(w, x):
    ...     return (w * x - 1.0) ** 2
    >>> w = Value(2.0)
    >>> y = loss(w, 3.0)
    >>> y.backward()
    >>> y, w.grad
    (Value(data=25.0), 30.0)

    The function is called when it is recorded and not at later calls: what it prints or appends, it does then alone.
    Raises TraceError where it takes a number out of a Value that may be another one in the next run, and what the
    function raises.
    """
    if function is None:
        return lambda decorated: Compiled(decorated, static)
    return Compiled(function, static)


__all__ = ["compile"]
