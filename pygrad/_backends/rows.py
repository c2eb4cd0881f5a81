"""Programs of the C library over the rows of a batch, in lanes and threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from pygrad._backends.programs import FrozenGraph, error_of, error_of_run, owned
from pygrad._cffi import ffi, lib

#: A thread is begun for so many instructions and rows: they take ten times as long as beginning it does.
WORTH_A_THREAD = 500_000
MOST_THREADS = lib.PG_MOST_CHUNKS


class Blocks:
    """Where the numbers of rows are: side by side in arrays of doubles."""

    def __init__(self) -> None:
        self._blocks: list[tuple[int, int, int]] = []  # the first number's address; how many; the step to the next row
        self._arrays: list[Any] = []  # which live as long

    def add(self, numbers: Any, width: int) -> int:
        """An array whose rows of ``width`` numbers follow each other. Returns its address."""
        start = self.keep(numbers)
        self.add_some(start, width, width)
        return start

    def keep(self, numbers: Any) -> int:
        """The address of an array of which some are to be added."""
        buffer = ffi.from_buffer(numbers)
        self._arrays.append(buffer)
        return int(ffi.cast("uintptr_t", buffer))

    def add_some(self, start: int, width: int, step: int) -> None:
        self._blocks.append((start, width, step))

    def made(self) -> Any:
        made = ffi.new("pg_block[]", len(self._blocks) + 1)
        for block, (start, width, step) in zip(made, self._blocks):
            block.start, block.width, block.step = ffi.cast("double *", start), width, step
        return made

    def row(self, index: int) -> list[float]:
        """The numbers of a row."""
        numbers: list[float] = []
        for start, width, step in self._blocks:
            numbers += ffi.unpack(ffi.cast("double *", start) + index * step, width) if width else []
        return numbers


class RowProgram:
    """What computes a graph's outputs, and for each its derivatives in the wanted inputs, for each row; or their sums
    over the rows, ``reduced``. ``by_row`` has a byte for each input: whether it differs from row to row."""

    def __init__(self, graph: FrozenGraph, by_row: bytes, wanted: Sequence[int] = (), reduced: bool = False) -> None:
        made = lib.pg_compile_rows(graph.pointer, len(wanted), list(wanted), by_row, reduced, lib.PG_ALL_PASSES)
        self.pointer = owned(made, lib.pg_program_free)
        self.inputs, self.outputs = graph.inputs, lib.pg_program_outputs(made)
        self._length = lib.pg_program_instructions(made) + 1
        self._graph, self._by_row = graph.root, by_row

    def run(
        self,
        count: int,
        once: Any,
        inputs: Blocks,
        outputs: Blocks,
        mean: bool = False,
        threads: int | None = None,
        pass_errors: bool = False,
    ) -> None:
        """Compute ``count`` rows. ``once`` is an array of the inputs that are the same in all, in the places of all.

        Raises what the eager run of the first row that fails raises, with its number; or ``pass_errors``."""
        if threads is None:
            worth = count * self._length // WORTH_A_THREAD
            threads = min(_processors(), worth) if worth > 1 else 1
        threads = min(threads, MOST_THREADS)
        rows = ffi.new("pg_rows *")
        rows.count, rows.once, rows.mean, rows.pass_errors = count, once, mean, pass_errors
        blocks = inputs.made(), outputs.made()
        rows.inputs, rows.outputs = blocks
        chunks = lib.pg_row_chunks(self.pointer, count)
        at_once = lib.PG_MOST_CHUNKS
        if count * self._length > 10 * WORTH_A_THREAD * chunks:  # a chunk takes long beside beginning threads
            at_once = min(at_once, 2 * threads)
        for start in range(0, chunks or 1, at_once):  # between these KeyboardInterrupt is raised
            end = min(start + at_once, chunks)
            status = lib.pg_run_rows_aside(self.pointer, rows, start, end, threads)
            if status == lib.PG_FAILED:
                raise self._error(rows.failed, once, inputs)
            if status:
                raise error_of(status)

    def _error(self, row: int, once: Any, by_row: Blocks) -> Exception:
        inputs = ffi.new("double[]", self.inputs + 1)
        ffi.memmove(inputs, once, self.inputs * ffi.sizeof("double"))
        for place, number in zip([i for i, differs in enumerate(self._by_row) if differs], by_row.row(row)):
            inputs[place] = number
        error = error_of_run(self._graph, inputs)
        return type(error)(f"{error}, in row {row}")


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
