"""Derivatives of any order of recorded functions: graphs that the C library derives from graphs."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from types import MethodType
from typing import Any, Optional

from pygrad._backends import core, programs
from pygrad._backends.rows import Blocks, RowProgram
from pygrad._nested import leaves as leaves_of
from pygrad._nested import map_leaves
from pygrad._structure import Template, count, is_flat, layout, refiller, size
from pygrad.graph import frozen
from pygrad.recorded import Recorded, Spans, indices
from pygrad.transform import Transform, compiled_in, lifted, required_argument, result_of

_NUMBERS = {float, int}
#: A recorded function, its leaves, and from where to where those of each argument are.
Recording = tuple[Recorded, Sequence[Any], Sequence[Optional[tuple[int, int]]]]


def fast(f: Any, args: tuple[Any, ...]) -> Recording | None:
    """As `record`, for a compiled function of numbers that is recorded already."""
    if not {*map(type, args)} <= _NUMBERS or isinstance(f, (MethodType, Transform)):
        return None
    found: Recorded | None = f.of_numbers(args)
    return None if found is None else (found, args, [(i, i + 1) for i in range(len(args))])


def record(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> Recording:
    """A function as recorded for these arguments, differentiable in those at some places: with the numbers and Values
    that are its leaves, and from where to where those of each argument are (None where they are not among them)."""
    if isinstance(f, Transform):
        recording: Recording = f.recorded(args, kwargs, places)
        return recording
    compiled = compiled_in(f)
    if compiled is None:
        return _record_plain(f, args, kwargs, places)
    if compiled is not f:
        places = tuple([place + 1 for place in places])
        recorded, leaves, spans = _record_compiled(compiled, (f.__self__, *args), kwargs, places)
        return recorded, leaves, spans[1:]
    return _record_compiled(compiled, args, kwargs, places)


def _record_compiled(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> Recording:
    for place in places:
        x = args[place]
        if not is_flat(x) and count(x) != size(x) and not f.is_static(args, place):
            # not all are numbers to f: bools, or what is refused here
            args = (*args[:place], map_leaves(required_argument, x), *args[place + 1 :])
    recorded, leaves, ends = f.record(args, kwargs)
    spans: list[tuple[int, int] | None] = []
    start = 0
    for end in ends:
        spans.append(None if end < 0 else (start, end))
        start = max(start, end)
    return recorded, leaves, spans


def _record_plain(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> Recording:
    places = tuple(sorted({*places}))
    given, xs = lifted(args, places)
    inputs = leaves_of(xs)
    template = Template(result_of(f, given, kwargs, xs))
    graph = frozen(template.outputs, inputs)
    others = [core.object_of(node) for node in graph.sources(len(inputs))]
    recorded = Recorded(graph, template, len(inputs), False, len(others), programs.hold_nodes(others))
    spans: list[tuple[int, int] | None] = [None] * len(args)
    start = 0
    for place, x in zip(places, xs):
        spans[place] = start, start + size(x)
        start += size(x)
    return recorded, [value.data for value in inputs], spans


def record_derivatives(
    transform: Transform, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]
) -> Recording:
    """As `record`, of what a transform makes of its function."""
    mine = transform.places_in(args)
    recorded, leaves, spans = record(transform.f, args, kwargs, (*places, *mine))
    key = type(transform), transform.is_many, mine
    if key not in recorded.made:
        wanted = spans_of(spans, mine)
        likes = [refiller(args[place])([0.0] * (end - start)) for place, (start, end) in zip(mine, wanted)]
        graph = recorded.graph.derived(indices(wanted), values=transform.has_values)
        template = Derivatives(transform, recorded, likes, wanted, transform.has_values)
        template.filled([0.0] * graph.outputs)  # raises where the function returned what the transform does not take
        recorded.made[key] = recorded.derived(graph, template)
    return recorded.made[key], leaves, spans


def spans_of(spans: Sequence[tuple[int, int] | None], places: Iterable[int]) -> Spans:
    """Those of some arguments."""
    chosen = []
    for place in places:
        span = spans[place]
        if span is None:
            raise TypeError(f"argument {place} is static: there is no derivative in it")
        chosen.append(span)
    return tuple(chosen)


class Derivatives:
    """How the results of a transform are nested: the outputs of a recorded function, if ``with_values``, and the
    derivatives of each in arguments nested as ``likes``, whose leaves are those in ``spans``."""

    def __init__(
        self, transform: Transform, recorded: Recorded, likes: list[Any], spans: Spans, with_values: bool
    ) -> None:
        self._inner, self._outputs = recorded.template, recorded.outputs
        self._of_rows, self._is_many = type(transform).of_rows, transform.is_many
        self._fill, self._sizes = [*map(refiller, likes)], [end - start for start, end in spans]
        self._with_values = with_values
        self._places: list[int | None] = []

    def filled(self, results: Sequence[float]) -> Any:
        first = self._outputs if self._with_values else 0
        values = results[:first] if first else [0.0] * self._outputs
        rows = [self._row(results, first, place) for place in self._inner.places()]
        return self._of_rows(self._inner.filled(values), rows, self._is_many)

    def _row(self, results: Sequence[float], start: int, place: int | None) -> list[Any]:
        """The derivatives of one leaf of what the function returned."""
        if place is None:  # a number, which depends on nothing
            return [fill([0.0] * n) for fill, n in zip(self._fill, self._sizes)]
        parts = []
        start += place * sum(self._sizes)
        for fill, n in zip(self._fill, self._sizes):
            parts.append(fill(list(results[start : start + n])))
            start += n
        return parts

    def places(self) -> list[int | None]:
        if not self._places:
            self._places = layout(self, self._outputs * (sum(self._sizes) + self._with_values))[1]
        return self._places


def tangents(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> Recording:
    """f's derivatives along a direction in some arguments, as a recorded function with the components of it as further
    inputs."""
    recorded, leaves, spans = record(f, args, kwargs, places)
    key = "tangents", places
    if key not in recorded.made:
        graph = recorded.graph.derived(indices(spans_of(spans, places)), tangents=True)
        recorded.made[key] = recorded.derived(graph, recorded.template)
    return recorded.made[key], leaves, spans


def along_rows(tangents: Recorded, leaves: Sequence[Any], directions: Any, n: int, count: int, results: Any) -> None:
    """Write the tangents along some directions of n components to an array, one after the other."""
    rows = Blocks()
    rows.add(directions, n)
    _run_along(tangents, leaves, rows, n, count, results)


def along_units(tangents: Recorded, leaves: Sequence[Any], n: int, results: Any) -> None:
    """The same along each of the n unit vectors."""
    one_among_zeros = array("d", [0.0]) * (2 * n)
    one_among_zeros[n] = 1.0
    rows = Blocks()
    rows.add_some(rows.keep(one_among_zeros) + 8 * n, n, -1)  # each begins a number before the last
    _run_along(tangents, leaves, rows, n, n, results)


def _run_along(tangents: Recorded, leaves: Sequence[Any], rows: Blocks, n: int, count: int, results: Any) -> None:
    program = tangents.made.get("rows")
    if program is None:
        inputs = tangents.graph.inputs
        program = tangents.made["rows"] = RowProgram(tangents.graph, bytes(inputs - n) + b"\1" * n)
    outputs = Blocks()
    outputs.add(results, tangents.outputs)
    program.run(count, tangents.inputs(leaves), rows, outputs)
