"""Functions as they were recorded: graphs over the numbers of their arguments and Values that they find elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from weakref import ref

from pygrad._backends import core, programs
from pygrad.value import Value

Spans = tuple[tuple[int, int], ...]


class Nesting(Protocol):
    """How a function's results are nested: `_structure.Template`, or what a transform makes of one."""

    def filled(self, results: Sequence[Any]) -> Any:
        """The nesting with these results in it, one for each output of the graph."""

    def places(self) -> list[int | None]:
        """For each leaf of it the output that is there, or None for a number of its own."""


def indices(spans: Spans) -> list[int]:
    """All that are in some spans, in order."""
    return [i for span in spans for i in range(*span)]


def numbers_of(leaves: Sequence[Any], values: int) -> Sequence[float]:
    """Numbers, and the data of Values, of which there are so many."""
    if values == len(leaves):
        return programs.data_of(leaves)
    return [leaf.data if isinstance(leaf, Value) else leaf for leaf in leaves] if values else leaves


class Recorded:
    """A graph whose inputs are the leaves of a function's arguments, then Values that it finds elsewhere, ``captured``,
    then the components of a direction, if it is one of tangents."""

    def __init__(
        self, graph: programs.FrozenGraph, template: Nesting, leaves: int, values: int, captured: int, nodes: Any
    ) -> None:
        """``values``: how many of the leaves are Values. ``nodes``: of the captured ones."""
        self.graph, self.template = graph, template
        self.arguments, self._values, self.captured = leaves, values, captured
        self.outputs: int = graph.outputs
        self._nodes = nodes
        self._programs: dict[Spans, programs.Program] = {}
        self.base = ref(self)  # what it was derived from
        #: What transforms make of it.
        self.made: dict[Any, Any] = {}

    def inputs(self, leaves: Sequence[Any], direction: Sequence[float] = ()) -> Any:
        """An array of all inputs."""
        inputs = self.graph.inputs_with(numbers_of(leaves, self._values))
        if self.captured:
            programs.gather(self.captured, self._nodes, inputs + self.arguments)
        if direction:
            inputs[self.graph.inputs - len(direction) : self.graph.inputs] = direction
        return inputs

    def run(self, program: programs.Program, leaves: Sequence[Any], direction: Sequence[float] = ()) -> Any:
        """The outputs of a program for such arguments, to be given back to it."""
        if self.captured or direction:
            return program.run(self.inputs(leaves, direction))
        return program.run(numbers_of(leaves, self._values))

    def numbers(self, leaves: Sequence[Any], spans: Spans = (), direction: Sequence[float] = ()) -> list[float]:
        """The outputs and their derivatives in the leaves of these spans."""
        program = self._programs.get(spans)
        if program is None:
            program = self._programs[spans] = self.graph.program(indices(spans))
        outputs = self.run(program, leaves, direction)
        results = programs.floats(outputs, program.outputs)
        program.give(outputs)
        return results

    def derived(self, graph: programs.FrozenGraph, template: Nesting) -> Recorded:
        """Another graph over these inputs."""
        made = Recorded(graph, template, self.arguments, self._values, self.captured, self._nodes)
        made.base = self.base
        return made

    def found(self) -> list[Value]:
        """The Values that the function finds elsewhere."""
        return [core.object_of(node) for node in self._nodes[0 : self.captured]]
