"""`Graph`: the graph of Values, frozen, and run again as a program in C."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from pygrad import export
from pygrad._backends import core, programs
from pygrad._backends.interface import required_number
from pygrad._nested import numpy
from pygrad.tracing import refuse
from pygrad.value import Value

_CUSTOM = (
    "an operation of your own (local gradients, or a closure in _backward) is in the graph. Its value is known, but "
    "not how to compute it again: write it with operations of pygrad"
)


def frozen(outputs: Sequence[Value], inputs: Sequence[Value], era: int = 0) -> programs.FrozenGraph:
    """See `programs.freeze`. TraceError where there is an operation that can't be run again."""
    try:
        return programs.freeze(outputs, inputs, era)
    except programs.NoFormula:
        return refuse(_CUSTOM)


def _values(x: Any, what: str) -> list[Value]:
    if isinstance(x, Value):
        raise TypeError(f"{what} are a list of Values: write [value]")
    found = list(x)
    for value in found:
        if not isinstance(value, Value):
            raise TypeError(f"{what} must be Values, not {type(value).__name__}")
    return found


class Graph:
    """The graph of a Value, or of several, frozen: computed again in C from what its inputs hold, as often as needed.

    ``inputs`` are the leaves that it depends on: first those that are given, if any are; numbers written in expressions
    are constants. ``str(graph)`` is the program, a line an instruction.

    >>> w = Value(2.0)
    >>> graph = Graph((w - 5) ** 2)
    >>> w.data = 4.0
    >>> graph.forward()
    1.0
    >>> graph.backward()
    >>> w.grad
    -2.0

    Raises TraceError where an operation of the user's own is in the graph, and TypeError for what are no Values.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]

    def __init__(self, root: Value | Iterable[Value], inputs: Iterable[Value] | None = None) -> None:
        outputs = [root] if isinstance(root, Value) else _values(root, "outputs")
        given = [] if inputs is None else _values(inputs, "inputs")
        if len(set(given)) < len(given):
            raise ValueError("an input is given twice")
        graph = frozen(outputs, given)
        others = [core.object_of(node) for node in graph.sources(len(given))]
        arguments = len(others) if inputs is None else len(given)
        self._set(graph, outputs, [*given, *others], arguments, isinstance(root, Value))

    def _set(
        self,
        graph: programs.FrozenGraph,
        outputs: Iterable[Value],
        inputs: Iterable[Value],
        arguments: int,
        is_single: bool,
    ) -> Graph:
        self._frozen = graph
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self._arguments = arguments  # so many of the inputs are those of value_and_grad and of C
        self._is_single = is_single
        self._nodes = programs.nodes_of(self.inputs)
        self._last = [value.data for value in self.inputs]
        return self

    @classmethod
    def of(cls, *parts: Any) -> Graph:
        """A graph that is frozen already, of the parts that `_set` takes."""
        return cls.__new__(cls)._set(*parts)

    def forward(self) -> Any:
        """Compute the outputs from the inputs' present data. They are written to the outputs' data, and returned: a
        float, or a list of them. The errors are those of the eager run; then nothing is written."""
        last = [value.data for value in self.inputs]
        results = self._run((), last)
        self._last = last
        for value, result in zip(self.outputs, results):
            value.data = result
        return results[0] if self._is_single else results

    def backward(self) -> None:
        """Add the derivatives of the output, or of the sum of the outputs, to the grads of the inputs, at the data of
        the last `forward`. The outputs' grads are 1 then; grads inside the graph are not kept."""
        frozen = self._frozen if self._is_single else self._frozen.summed()
        programs.scatter(self._nodes, self._run(range(len(self.inputs)), self._last, frozen)[1:])
        inputs = set() if self._is_single else set(self.inputs)
        for value in self.outputs:
            if value not in inputs:  # which has got its 1 with the rest
                value.grad = 1.0

    def value_and_grad(self, x: Any) -> Any:
        """The value for other numbers of the inputs (of those that were given, if any were), and its derivatives in
        them: two floats, or a float and a list or array, as x is. Of several outputs, two lists of these. What other
        Values hold is read now; nothing is written."""
        is_list = hasattr(x, "__len__")
        numbers = [required_number(item, "an input") for item in (x if is_list else [x])]
        if len(numbers) != self._arguments:
            raise ValueError(f"the graph has {self._arguments} inputs, not {len(numbers)}")
        others = [value.data for value in self.inputs[self._arguments :]]
        values, rows = self._split(self._run(range(self._arguments), numbers + others), self._arguments)
        shaped: list[Any] = rows if is_list else [row[0] for row in rows]
        if is_list and hasattr(type(x), "__array_interface__"):
            shaped = [numpy().array(row) for row in rows]
        return (values[0], shaped[0]) if self._is_single else (values, shaped)

    def _run(
        self, wanted: Iterable[int], inputs: Sequence[float], frozen: programs.FrozenGraph | None = None
    ) -> list[float]:
        program = (frozen or self._frozen).program(wanted)
        outputs = program.run(inputs)
        results = programs.floats(outputs, program.outputs)
        program.give(outputs)
        return results

    def _split(self, results: list[float], count: int) -> tuple[list[float], list[list[float]]]:
        """The outputs, and for each of them its derivatives."""
        n = len(self.outputs)
        return results[:n], [results[n + k * count : n + (k + 1) * count] for k in range(n)]

    def __str__(self) -> str:
        return export.listing(self._frozen.program(), [_label(value) for value in self.inputs])

    def __repr__(self) -> str:
        return f"<Graph of {self._frozen.program().length} instructions, {len(self.inputs)} inputs>"

    def to_c(self, name: str = "f") -> str:
        """The value and its gradient as a C11 function that needs nothing else:
        ``double name(const double *x, double *grad)``. x has a number for each input (each that was given, if any
        were); those of the others are written into the function. grad may be NULL.

        Raises ValueError where the graph has several outputs, or the name is none in C."""
        if not self._is_single:
            raise ValueError(f"a C function returns one number, and this graph has {len(self.outputs)} outputs")
        frozen = self._frozen
        if len(self.inputs) > self._arguments:
            frozen = frozen.bound([value.data for value in self.inputs[self._arguments :]])
        return export.c_source(name, frozen.program(), frozen.program(range(self._arguments)))

    # -- files --

    def __reduce__(self) -> Any:
        return _restored, (self._bytes(),)

    def _bytes(self) -> bytes:
        inputs = [(value.data, _label(value)) for value in self.inputs]
        state = {"inputs": inputs, "arguments": self._arguments, "single": self._is_single}
        return self._frozen.to_bytes(json.dumps(state).encode())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph, and the numbers that its inputs hold, to a file that `load` reads."""
        data = self._bytes()  # before the file that is there is touched
        with open(path, "wb") as file:
            file.write(data)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Graph:
        """A graph that was saved, over new Values. ValueError for a damaged file, or one of another version."""
        with open(path, "rb") as file:
            return _restored(file.read())


def _label(value: Value) -> str:
    label: Any = value.label
    return label if isinstance(label, str) else ""


def _restored(data: bytes) -> Graph:
    graph, extra = programs.FrozenGraph.from_bytes(data)
    try:
        state = json.loads(extra)
        inputs = [Value(float(number), label=str(label)) for number, label in state["inputs"]]
        arguments, is_single = int(state["arguments"]), bool(state["single"])
    except (TypeError, KeyError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"the graph is damaged: {error}") from None
    outputs = [Value(0.0) for _ in range(graph.outputs)]
    if len(inputs) != graph.inputs or not 0 <= arguments <= len(inputs) or (is_single and len(outputs) != 1):
        raise ValueError("the graph is damaged: it has another number of inputs or outputs")
    made = Graph.of(graph, outputs, inputs, arguments, is_single)
    try:
        made.forward()
    except (ArithmeticError, ValueError, IndexError):
        pass  # the numbers that were saved have no value: others may
    return made


__all__ = ["Graph"]
