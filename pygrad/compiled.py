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
from functools import cached_property, update_wrapper
from itertools import chain, repeat
from typing import Any, NamedTuple

from pygrad import _places, _structure, tracing
from pygrad._backends import core, programs
from pygrad.graph import Graph, frozen
from pygrad.recorded import Recorded, numbers_of
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


_OF_TWIN = "._twin"


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
        values: Sequence[int] = range(len(leaves))
        if {*map(type, leaves)} != {Value}:
            values = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Value)]
        arguments = [*map(Value, numbers_of(leaves, len(values)))]
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
        super().__init__(graph, template, len(leaves), len(values), len(captured), nodes)
        self._places = values
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
        self._rows = [self._program.used(k, len(self.wanted)) for k in range(self.outputs)]
        #: For numbers and Values as they come: the one Value that is returned, or None where that is `values`'s work.
        self.call: Callable[[Sequence[Any]], Any] = lambda args: None
        if template.is_single and self._rows == [None] and self._program.length <= programs.LONG:
            self.call = programs.caller(self._program, self.arguments, self.captured, self._nodes)

    def is_current(self) -> bool:
        """Whether a call would find it."""
        return not self.is_stale and not self.is_moved()

    def is_moved(self) -> bool:
        """Whether another Value stands where the function found one."""
        for get, reference in self._found:
            value = reference()
            if value is None or get() is not value:
                return True
        return False

    def values(self, leaves: Sequence[Any]) -> list[Value]:
        """A Value for each output, with local gradients to the Values that it came from."""
        result = self.call(leaves)
        if result is not None:
            return [result]
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
    captured = [core.object_of(node) for node in graph.sources(len(arguments))]
    return graph, captured, programs.hold_nodes(captured)


def _signature(function: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some of C's have none
        return None


class Compiled:
    """What `compile` returns: called as the function is, it runs programs. See there."""

    def __init__(self, function: Callable[..., Any], static: Iterable[str] = ()) -> None:
        if not callable(function):
            raise TypeError(f"a function is needed, not {type(function).__name__}")
        update_wrapper(self, function, updated=())
        self._function = function
        self.static = frozenset([static] if isinstance(static, str) else static)
        signature = _signature(self.function)
        parameters = list(signature.parameters.values()) if signature else []
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

    @property
    def function(self) -> Any:
        """What was compiled. A model that has its own call, compiled, is not kept by it: there is no cycle."""
        return self._function() if type(self._function) is weakref.WeakMethod else self._function

    @cached_property
    def _signature(self) -> inspect.Signature | None:
        """As it is at the first call: what calls itself comes out of a pickle before its defaults do."""
        return _signature(self.function)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if tracing.traces and is_tracing():
            return self.function(*args, **kwargs)
        leaves: Sequence[Any] = args
        record = self._by_types.get((*map(type, args),))
        if record is None or kwargs or record.is_moved():
            record, leaves, _ = self.record(args, kwargs)
        else:
            self._hits += 1
            result = record.call(args)
            if result is not None:
                return result
        return record.template.filled(record.values(leaves))

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Record, list[Any], list[int]]:
        """The record for some arguments, made where there is none; the numbers and Values in them; and how many of
        these there are up to the end of each argument, -1 for one that is static."""
        args, kwargs = self._bound(args, kwargs)
        leaves: list[Any] = []
        parts, ends = [], []
        for name, x in self._named(args, kwargs):
            is_static = name in self.static
            parts.append((name, _structure.fixed_key(x) if is_static else _structure.key(x, leaves)))
            ends.append(-1 if is_static else len(leaves))
        key = tuple(parts)
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
        return record, leaves, ends

    def of_numbers(self, args: tuple[Any, ...]) -> Record | None:
        """The record for arguments that are all floats and ints, if there is one already."""
        record = self._by_types.get((*map(type, args),))
        if record is None or record.is_moved():
            return None
        self._hits += 1
        return record

    def is_static(self, args: tuple[Any, ...], place: int) -> bool:
        """Whether the positional argument at a place is."""
        return bool(self.static) and [*self._named(args, {})][place][0] in self.static

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments in their places, defaults among them."""
        if (self._is_simple and not kwargs and len(args) == len(self._names)) or self._signature is None:
            return args, kwargs
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{getattr(self, '__name__', 'a compiled function')}: {error}") from None
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
                self._records.popitem(last=False)[1].is_stale = True
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
        record, leaves, _ = self.record(args, kwargs)
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
            for record in self._records.values():
                record.is_stale = True
            self._records.clear()
            self._by_types.clear()
            self._hits = self._misses = 0

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """By name where its module has it under its function's, as functions are; else with its function."""
        static = tuple(sorted(self.static))
        name = getattr(self, "__qualname__", "")
        if _named(self, name) is not self:
            return Compiled, (self.function, static)
        if protocol < 4 or not isinstance(self.function, types.FunctionType):
            return name
        return _restored, (self._twin, static)

    @property
    def _twin(self) -> Any:
        """Its function once more, named as the attribute that it is: so pickle finds it, and cloudpickle takes it along
        where it takes functions along, as from `__main__`."""
        kept = vars(self).get("_twin")
        if kept is not None:
            return kept
        f = self.function
        twin: Any = types.FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
        twin.__kwdefaults__, twin.__module__, twin.__doc__ = f.__kwdefaults__, f.__module__, f.__doc__
        twin.__qualname__ = f"{f.__qualname__}{_OF_TWIN}"
        vars(twin).update(vars(f))
        return vars(self).setdefault("_twin", twin)  # of two threads one comes first

    def __repr__(self) -> str:
        return f"<compiled {self.function!r}>"


def _named(thing: Any, name: str) -> Any:
    """What the module of a function has under a name."""
    found: Any = sys.modules.get(str(getattr(thing, "__module__", None)))
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _restored(twin: Any, static: tuple[str, ...]) -> Compiled:
    """Out of a pickle: the compiled function that has this twin, or a new one."""
    name = twin.__qualname__.removesuffix(_OF_TWIN)
    found = _named(twin, name)
    if isinstance(found, Compiled) and found._twin is twin:
        return found
    twin.__qualname__ = name
    return Compiled(twin, static)


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
