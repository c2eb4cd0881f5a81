"""Programs of the C library over the rows of a batch, in lanes and threads."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from pygrad._backends.programs import FrozenGraph, error_of, error_of_run
from pygrad._cffi import ffi, lib

#: An array of pointers, or of numbers as wide as one.
_POINTERS = "Q" if ffi.sizeof("void *") == 8 else "I"
#: A thread is begun for so many instructions and rows: they take ten times as long as beginning it does.
WORTH_A_THREAD = 500_000
MOST_THREADS = lib.PG_MOST_CHUNKS


class Columns:
    """Where numbers of a row are in arrays of doubles, and how many numbers on those of the next row."""

    def __init__(self, blocks: Iterable[tuple[Any, int]] = ()) -> None:
        """``blocks`` are arrays of rows, one after the other, and how many numbers a row of each has."""
        self.addresses, self.steps = array(_POINTERS), array("Q")
        self._arrays: list[Any] = []  # which live as long
        for numbers, width in blocks:
            start = self.start_of(numbers)
            self.addresses.extend(range(start, start + 8 * width, 8))
            self.steps.extend([width] * width)

    def start_of(self, numbers: Any) -> int:
        """The address of an array, which is kept."""
        buffer = ffi.from_buffer(numbers)
        self._arrays.append(buffer)
        return int(ffi.cast("uintptr_t", buffer))

    def pointers(self) -> Any:
        addresses, steps = ffi.from_buffer(self.addresses), ffi.from_buffer(self.steps)
        return ffi.cast("double **", addresses), ffi.cast("uint64_t *", steps)

    def row(self, index: int) -> list[float]:
        """The numbers of a row."""
        return [float(ffi.cast("double *", address)[index * step]) for address, step in zip(self.addresses, self.steps)]


class RowProgram:
    """What computes a graph's outputs, and for each its derivatives in the wanted inputs, for each row; or their sums
    over the rows, ``reduced``. ``by_row`` has a byte for each input: whether it differs from row to row."""

    def __init__(self, graph: FrozenGraph, by_row: bytes, wanted: Sequence[int] = (), reduced: bool = False) -> None:
        made = lib.pg_compile_rows(graph.pointer, len(wanted), list(wanted), by_row, reduced, lib.PG_ALL_PASSES)
        if made == ffi.NULL:
            raise MemoryError("no memory for a program")
        self.pointer = ffi.gc(made, lib.pg_program_free)
        self.inputs, self.outputs = graph.inputs, lib.pg_program_outputs(made)
        self._length = lib.pg_program_instructions(made) + 1
        self._graph, self._by_row = graph.root, by_row

    def run(
        self,
        count: int,
        once: Any,
        columns: Columns,
        outputs: Columns,
        mean: bool = False,
        threads: int | None = None,
        pass_errors: bool = False,
    ) -> None:
        """Compute ``count`` rows. ``once`` is an array of the inputs that are the same in all, in the places of all.

        Raises what the eager run of the first row that fails raises, with its number; or ``pass_errors``."""
        if threads is None:
            threads = max(1, min(_processors(), count * self._length // WORTH_A_THREAD))
        rows = ffi.new("pg_rows *")
        rows.count, rows.once, rows.mean, rows.pass_errors = count, once, mean, pass_errors
        rows.columns, rows.steps = columns.pointers()
        rows.outputs, rows.output_steps = outputs.pointers()
        chunks = lib.pg_row_chunks(self.pointer, count)
        for start in range(0, chunks or 1, lib.PG_MOST_CHUNKS):  # between these KeyboardInterrupt is raised
            end = min(start + lib.PG_MOST_CHUNKS, chunks)
            status = lib.pg_run_rows_aside(self.pointer, rows, start, end, min(threads, MOST_THREADS))
            if status == lib.PG_FAILED:
                raise self._error(rows.failed, once, columns)
            if status:
                raise error_of(status)

    def _error(self, row: int, once: Any, columns: Columns) -> Exception:
        inputs = ffi.new("double[]", self.inputs + 1)
        ffi.memmove(inputs, once, self.inputs * ffi.sizeof("double"))
        for place, number in zip([i for i, differs in enumerate(self._by_row) if differs], columns.row(row)):
            inputs[place] = number
        error = error_of_run(self._graph, inputs)
        return type(error)(f"{error}, in row {row}")


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
