"""Graphs and programs of the C library as Python objects, for both backends: they are reached through cffi, in the
arena of whichever backend was chosen."""

from __future__ import annotations

import builtins
import sys
import time
import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from pygrad._backends import core
from pygrad._cffi import ffi, lib

arena = ffi.cast("pg_arena *", core.arena_address())

#: A program of more instructions runs with the GIL released: others may go on, and taking it again costs little then.
LONG = 20_000
#: So many seconds a trace waits for others to end.
PATIENCE = 10.0


class NoFormula(Exception):
    """A graph has a custom operation."""


def text(c_string: Any) -> str:
    return ffi.string(c_string).decode()  # type: ignore[no-any-return]


def check(status: int) -> None:
    """Raise what a status of the library means."""
    if status == lib.PG_NO_FORMULA:
        raise NoFormula
    if status:
        raise error_of(status)


def error_of(status: int) -> Exception:
    kind = getattr(builtins, text(lib.pg_status_exception(status)))
    return kind(text(lib.pg_status_text(status)))  # type: ignore[no-any-return]


def owned(pointer: Any, free: Any) -> Any:
    """What the library made, freed with its last reference."""
    if pointer == ffi.NULL:
        raise MemoryError("no memory for a graph or a program")
    return ffi.gc(pointer, free)


def _arrays(graph: Any) -> tuple[bytes, array[int], array[float], array[int]]:
    """An op code for each node; operands, those of a list after their count; numbers; outputs."""
    size = lib.pg_graph_measure(graph)
    ops = ffi.new("uint8_t[]", size.nodes + 1)
    operands, outputs = (ffi.new("uint32_t[]", n + 1) for n in (size.operands, size.outputs))
    numbers = ffi.new("double[]", size.numbers + 1)
    lib.pg_graph_write(graph, ops, operands, numbers, outputs)
    return (
        bytes(ffi.buffer(ops, size.nodes)),
        array("I", ffi.unpack(operands, size.operands) if size.operands else []),
        array("d", ffi.unpack(numbers, size.numbers) if size.numbers else []),
        array("I", ffi.unpack(outputs, size.outputs) if size.outputs else []),
    )


def error_of_run(graph: Any, inputs: Any) -> Exception:
    """What the eager run of these inputs raises: the error of the graph's first operation that has no value."""
    node = ffi.new("uint32_t *")
    error = error_of(lib.pg_graph_error(graph, inputs, node) or lib.PG_FAILED)
    if hasattr(error, "add_note"):  # from Python 3.11 on
        ops, *_ = _arrays(graph)
        error.add_note(f"raised by node {node[0]} of the compiled graph, '{text(lib.pg_name(ops[node[0]]))}'")
    return error


class Instruction(NamedTuple):
    """Of a program: the register of its result, the operation's name, and the registers of its operands."""

    result: int
    name: str
    operands: tuple[int, ...]


class Program:
    """What computes a graph's outputs and, for each, its derivatives in the wanted inputs."""

    def __init__(self, graph: FrozenGraph, wanted: Sequence[int], passes: int) -> None:
        self.pointer = owned(lib.pg_compile(graph.pointer, len(wanted), wanted, passes), lib.pg_program_free)
        self.inputs, self.outputs = graph.inputs, lib.pg_program_outputs(self.pointer)
        self.length = lib.pg_program_instructions(self.pointer)
        self._graph = graph.root  # not the object, which has its programs: they go together with it
        self._run = lib.pg_run_aside if self.length > LONG else lib.pg_run
        self._spare: list[Any] = []

    def run(self, inputs: Any) -> Any:
        """The outputs, an array that is to be given back to `give`. Inputs are an array, or a list or tuple of numbers.
        Raises what the eager run of these inputs raises."""
        try:
            outputs = self._spare.pop()
        except IndexError:
            outputs = ffi.new("double[]", self.outputs + 1)
        status = self._run(self.pointer, inputs, outputs)
        if status:
            self.give(outputs)
            raise error_of_run(self._graph, inputs) if status == lib.PG_FAILED else error_of(status)
        return outputs

    def give(self, outputs: Any) -> None:
        if len(self._spare) < 4:
            self._spare.append(outputs)

    def used(self, k: int, count: int) -> list[int] | None:
        """Which of output k's derivatives, so many, are not 0 whatever the inputs are: None for all."""
        which = ffi.new("uint32_t[]", count + 1)
        used = lib.pg_program_used(self.pointer, k, which)
        return None if used == count else ffi.unpack(which, used) if used else []

    def numbers(self) -> list[float]:
        """The first registers; those of the inputs come next."""
        count = ffi.new("uint32_t *")
        numbers = lib.pg_program_numbers(self.pointer, count)
        return ffi.unpack(numbers, count[0]) if count[0] else []

    def output_registers(self) -> list[int]:
        return [lib.pg_program_output(self.pointer, i) for i in range(self.outputs)]

    def instructions(self) -> list[Instruction]:
        """In the order of a run."""
        listing = ffi.new("pg_listing[]", self.length + 1)
        check(lib.pg_program_list(self.pointer, self.length, listing))
        return [
            Instruction(i.result, text(lib.pg_name(i.op)), tuple(i.operands)[: i.arity])
            for i in listing[0 : self.length]
        ]


class FrozenGraph:
    """The graph of some outputs, apart from the arena."""

    def __init__(self, pointer: Any) -> None:
        self.pointer = owned(pointer, lib.pg_graph_free)
        self.root = self.pointer  # of a derived graph: whose errors a run raises
        self.inputs: int = lib.pg_graph_inputs(pointer)
        self._programs: dict[tuple[tuple[int, ...], int], Program] = {}
        self._summed: FrozenGraph | None = None

    @property
    def outputs(self) -> int:
        return int(lib.pg_graph_measure(self.pointer).outputs)

    def sources(self, start: int) -> list[int]:
        """The arena's node of each input from there on, right after `freeze`."""
        count = self.inputs - start
        return ffi.unpack(lib.pg_graph_sources(self.pointer) + start, count) if count else []

    def program(self, wanted: Iterable[int] = (), passes: int = lib.PG_ALL_PASSES) -> Program:
        """The program for the outputs and their derivatives in the wanted inputs, made once."""
        key = tuple(wanted), passes
        try:
            return self._programs[key]
        except KeyError:
            return self._programs.setdefault(key, Program(self, *key))

    def inputs_with(self, numbers: Sequence[float]) -> Any:
        """An array for the inputs, with the first of them in it."""
        inputs = ffi.new("double[]", self.inputs + 1)
        inputs[0 : len(numbers)] = numbers
        return inputs

    def derived(self, wanted: Sequence[int], values: bool = False, tangents: bool = False) -> FrozenGraph:
        """The graph of the outputs' derivatives in the wanted inputs, after the outputs themselves if ``values``; or
        ``tangents``, along a direction whose components are more inputs, the last ones."""
        how = (lib.PG_WITH_VALUES if values else 0) | (lib.PG_TANGENTS if tangents else 0)
        graph = FrozenGraph(lib.pg_derive(self.pointer, len(wanted), list(wanted), how))
        graph.root = self.root
        return graph

    # -- files --

    def arrays(self) -> tuple[bytes, array[int], array[float], array[int]]:
        """See `_arrays`."""
        return _arrays(self.pointer)

    def to_bytes(self, extra: bytes) -> bytes:
        """A form that names the operations, so that other versions can read it, and something extra."""
        ops, operands, numbers, outputs = self.arrays()
        used = sorted(set(ops))
        names = "\n".join(text(lib.pg_name(op)) for op in used).encode()
        place = bytes(used.index(op) if op in used else 0 for op in range(256))
        parts = [names, ops.translate(place), *(_little(a) for a in (operands, numbers, outputs)), extra]
        body = array("I", map(len, parts))
        payload = b"".join([_little(body), *parts])
        return MAGIC + _little(array("I", [VERSION, zlib.crc32(payload)])) + payload

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[FrozenGraph, bytes]:
        """The graph and what is extra. ValueError for what `to_bytes` did not make."""
        if not isinstance(data, bytes) or not data.startswith(MAGIC):
            raise ValueError("this is no graph that pygrad saved")
        start = len(MAGIC)
        version, checksum = _words(data[start : start + 8], 2)
        payload = data[start + 8 :]
        if version != VERSION:
            raise ValueError(f"the graph was saved in form {version}; this version of pygrad reads form {VERSION}")
        if zlib.crc32(payload) != checksum:
            raise ValueError("the graph is damaged: its checksum differs")
        sizes = _words(payload[:24], 6)
        if sum(sizes) + 24 != len(payload):
            raise ValueError("the graph is damaged: its parts are of other lengths")
        parts, at = [], 24
        for size in sizes:
            parts.append(payload[at : at + size])
            at += size
        codes = _codes_of(parts[0])
        if any(place >= len(codes) for place in set(parts[1])):
            raise ValueError("the graph is damaged: it has a node of no operation")
        ops = parts[1].translate(bytes([*codes, *bytes(256 - len(codes))]))
        operands, numbers, outputs = (_array(kind, part) for kind, part in zip("IdI", parts[2:5]))
        return cls.of_arrays(ops, operands, numbers, outputs), parts[5]

    @classmethod
    def of_arrays(cls, ops: bytes, operands: array[int], numbers: array[float], outputs: array[int]) -> FrozenGraph:
        """See `arrays`. ValueError for what is no graph."""
        size = ffi.new("pg_graph_size *", (len(ops), len(operands), len(numbers), len(outputs)))
        graph = ffi.new("pg_graph **")
        arrays = (ffi.from_buffer("uint32_t[]", operands), ffi.from_buffer("double[]", numbers))
        status = lib.pg_graph_read(size, ops, *arrays, ffi.from_buffer("uint32_t[]", outputs), graph)
        if status == lib.PG_NO_MEMORY:
            raise MemoryError("no memory for a graph")
        if status:
            raise ValueError(f"the graph is damaged: {text(lib.pg_status_text(status))}")
        return cls(graph[0])

    def summed(self) -> FrozenGraph:
        """The graph whose one output is the sum of this one's: one reverse pass has its derivatives."""
        if self._summed is None:
            ops, operands, numbers, outputs = self.arrays()
            operands.extend([len(outputs), *outputs])
            self._summed = FrozenGraph.of_arrays(ops + bytes([_code("sum")]), operands, numbers, array("I", [len(ops)]))
        return self._summed

    def bound(self, numbers: Sequence[float]) -> FrozenGraph:
        """The graph with numbers in place of its last inputs."""
        ops, operands, others, outputs = self.arrays()
        kept = self.inputs - len(numbers)
        ops = ops[:kept] + bytes([_code("number")]) * len(numbers) + ops[self.inputs :]
        return FrozenGraph.of_arrays(ops, operands, array("d", numbers) + others, outputs)


MAGIC, VERSION = b"pygrad graph\n", 1


def _codes_of(names: bytes) -> list[int]:
    known, code = {}, 0
    while name := text(lib.pg_name(code)) or (code < 2 and "-"):
        known[name] = code
        code += 1
    try:
        return [known[name] for name in names.decode().split("\n") if name]
    except (KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"this version of pygrad has no operation {error}") from None


def _little(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _array(kind: str, data: bytes) -> array[Any]:
    numbers = array(kind)
    if len(data) % numbers.itemsize:
        raise ValueError("the graph is damaged: a part ends within a number")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _words(data: bytes, count: int) -> list[int]:
    words = _array("I", data).tolist()
    if len(words) != count:
        raise ValueError("the graph is damaged: it is cut off")
    return words


# -- from and to the arena ---------------------------------------------------------------------------


def freeze(outputs: Sequence[Any], inputs: Sequence[Any], era: int = 0) -> FrozenGraph:
    """The graph of some Values. NoFormula where a custom operation is in it. See pg_freeze."""
    graph = ffi.new("pg_graph **")
    check(lib.pg_freeze(arena, len(outputs), nodes_of(outputs), len(inputs), nodes_of(inputs), era, graph))
    return FrozenGraph(graph[0])


def begin_trace() -> int:
    """An era. Nodes of earlier ones were there before the trace. Eras are counted anew when no trace is on: until then
    there may be none left, and other threads are to finish theirs."""
    last = time.monotonic() + PATIENCE
    while not (era := lib.pg_begin_trace(arena)):
        if time.monotonic() > last:
            raise RuntimeError("too many functions are traced at once")
        time.sleep(0.001)
    return int(era)


def end_trace() -> None:
    lib.pg_end_trace(arena)


def depends(value: Any, era: int) -> bool:
    """Whether a Value is older than a trace, or was computed from one that is."""
    answer = lib.pg_depends(arena, core.node_of(value), era)
    if answer < 0:
        raise error_of(answer)
    return bool(answer)


def nodes_of(values: Sequence[Any]) -> Any:
    return ffi.from_buffer("pg_node[]", core.nodes_of(values))


def hold_nodes(values: Sequence[Any]) -> Any:
    """The nodes of Values, which stay in use as long as the array is there."""
    nodes, count = nodes_of(values), len(values)
    for node in nodes:
        check(lib.pg_retain(arena, node))
    return ffi.gc(nodes + 0, lambda _: lib.pg_release(arena, count, nodes))


def joined(values: Sequence[Any], nodes: Any, count: int) -> Any:
    """The nodes of Values, and then those of an array."""
    size = ffi.sizeof("pg_node")
    return ffi.from_buffer("pg_node[]", b"".join([core.nodes_of(values), ffi.buffer(nodes, count * size)]))


def chosen(places: Sequence[int], nodes: Any, numbers: Any) -> tuple[Any, Any]:
    """The nodes and numbers at some places of two arrays."""
    return ffi.new("pg_node[]", [nodes[i] for i in places]), ffi.new("double[]", [numbers[i] for i in places])


def doubles(count: int) -> Any:
    return ffi.new("double[]", count + 1)


def buffer(numbers: Any) -> Any:
    """The memory of an array."""
    return ffi.buffer(numbers)


def floats(numbers: Any, count: int) -> list[float]:
    """The first numbers of an array of doubles."""
    return ffi.unpack(numbers, count) if count else []


def data_of(values: Sequence[Any]) -> list[float]:
    """The data of Values."""
    data = ffi.new("double[]", len(values) + 1)
    gather(len(values), nodes_of(values), data)
    return floats(data, len(values))


def gather(count: int, nodes: Any, data: Any) -> None:
    """Write the data of nodes to an array of doubles."""
    check(lib.pg_gather(arena, count, nodes, data))


def scatter(nodes: Any, grads: Sequence[float]) -> None:
    """Add numbers to the grads of nodes."""
    check(lib.pg_scatter(arena, len(grads), nodes, list(grads)))


def custom(data: float, count: int, nodes: Any, partials: Any, operands: Callable[[], tuple[Any, ...]]) -> Any:
    """A Value with local gradients. ``operands()`` are the Values, for a result that must hold them."""
    result = core.record(lib.pg_custom, data, count, nodes, partials, ffi.NULL)
    return core.adopt(result, operands() if result >> lib.PG_HOLD_OPERANDS_BIT else ())


def caller(program: Program, arguments: int, captured: int, nodes: Any) -> Callable[[Sequence[Any]], Any]:
    """What runs a program on numbers and Values and records its one result, in one call of C, or returns None."""
    function = ffi.new("pg_function *", (program.pointer, arguments, captured, nodes))
    made: Any = core.caller(int(ffi.cast("uintptr_t", function)))
    made.parts = function, program, nodes  # which live as long
    return made  # type: ignore[no-any-return]


def _code(name: str) -> int:
    """That of an operation of programs."""
    code = 0
    while text(lib.pg_name(code)) != name:
        code += 1
    return code


def formula(name: str) -> str:
    """The value of an operation of programs, as C in x, y and w."""
    return text(lib.pg_formula(_code(name)))


def opmath() -> str:
    """The C functions that formulas call; they need <math.h> alone."""
    return text(lib.pg_opmath)
