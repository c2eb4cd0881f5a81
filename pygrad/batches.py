"""`vmap`: functions of one example, run for all rows of a batch in lanes and threads."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import update_wrapper
from itertools import chain, islice
from typing import Any
from weakref import ref

from pygrad import _structure
from pygrad._backends import programs
from pygrad._backends.rows import MOST_THREADS, Blocks, RowProgram
from pygrad._nested import leaves as leaves_of
from pygrad._nested import map_leaves, numpy
from pygrad.compiled import Compiled, Record
from pygrad.derivatives import Recording, record
from pygrad.recorded import Recorded
from pygrad.tracing import is_tracing, refuse
from pygrad.transform import Transform, check_around, compiled_in
from pygrad.value import Value, functions

_NUMBERS = {float, int}
#: What operations raise that have no value.
_ERRORS = {IndexError, OverflowError, ValueError, ZeroDivisionError}


class Batched:
    """What `vmap` returns. See there."""

    def __init__(
        self, f: Callable[..., Any], in_axes: Any, reduce: str | None, threads: int | None, errors: str
    ) -> None:
        if not callable(f):
            raise TypeError(f"a function is needed, not {type(f).__name__}")
        if isinstance(f, Batched):
            raise TypeError("a function over rows can't be run over rows again: give f an example of several rows")
        for axis in in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,):
            if axis is not None and (type(axis) is not int or axis != 0):
                raise ValueError(f"in_axes is 0 for rows, None for what all share, or a tuple of these, not {axis!r}")
        if reduce not in (None, "sum", "mean"):
            raise ValueError(f'reduce is None, "sum" or "mean", not {reduce!r}')
        if errors not in ("raise", "nan"):
            raise ValueError(f'errors is "raise" or "nan", not {errors!r}')
        if threads is not None and (type(threads) is not int or threads < 1):
            raise ValueError(f"threads is a number from 1 to {MOST_THREADS}, or None: as many as pay; not {threads!r}")
        update_wrapper(self, f, updated=())
        self.f, self.in_axes, self.reduce, self.threads, self.errors = f, in_axes, reduce, threads, errors
        self._f = _with_program(f)
        #: The last call: shapes of rows, the function as recorded, its leaves, and which of these differ by row.
        self._last: tuple[Any, Any, Sequence[Any], bytes, list[tuple[int, int]]] = None, None, (), b"", []

    def __call__(self, /, *args: Any) -> Any:
        if is_tracing():
            return self._traced(args)
        axes = self._axes(len(args))
        count = _count([x for x, axis in zip(args, axes) if axis == 0])
        shapes = [_shape_of_rows(x) if axis == 0 else None for x, axis in zip(args, axes)]
        recorded: Any = self._last[1]() if None not in shapes and shapes == self._last[0] else None
        base = recorded and recorded.base()
        if isinstance(base, Record) and base.is_current():
            _, _, leaves, by_row, widths = self._last
        else:
            recorded, leaves, spans = self._recorded(args, axes, count)
            by_row, widths = _columns(spans, axes, recorded.graph.inputs)
            if 0 not in by_row[: len(leaves)]:  # else a default's numbers, which may be others at the next call
                self._last = shapes, ref(recorded), leaves, by_row, widths
        if self.reduce is None or not isinstance(recorded, Record):
            check_around(leaves, recorded)
        rows = Blocks()
        for place, width in widths:
            rows.add(_numbers(args[place], place, shapes[place]), width)
        return self._plan(recorded, by_row)(recorded, leaves, count, rows, self)

    def _recorded(self, args: tuple[Any, ...], axes: tuple[int | None, ...], count: int) -> Recording:
        """The function as recorded for a row: the first, or, where errors pass, one that raises none then."""
        row = 0
        while True:
            try:
                return record(self._f, tuple([x[row] if axis == 0 else x for x, axis in zip(args, axes)]), {}, ())
            except Exception as error:
                if type(error) not in _ERRORS:
                    raise
                if self.errors == "raise" or row == count - 1:
                    raise type(error)(f"{error}, in row {row}") from error
            row += 1

    def _axes(self, count: int) -> tuple[int | None, ...]:
        axes = tuple(self.in_axes) if isinstance(self.in_axes, (tuple, list)) else (self.in_axes,) * count
        if len(axes) != count:
            raise TypeError(f"in_axes is for {len(axes)} arguments, and {count} were given")
        if 0 not in axes:
            raise TypeError("no argument has rows: in_axes is 0 for those that have")
        return axes

    def _plan(self, recorded: Recorded, by_row: bytes) -> Any:
        """What runs the recorded function, made once."""
        key = "rows", by_row, self.reduce is None
        plan = recorded.made.get(key)
        if plan is None:
            plan = recorded.made[key] = (_Outputs if self.reduce is None else _Sums)(recorded, by_row)
        return plan

    def _traced(self, args: tuple[Any, ...]) -> Any:
        """In a compiled function: written out, a row after the other."""
        if isinstance(self.f, Transform):
            refuse("a gradient of rows is asked for in a compiled function: take it of the compiled function instead")
        axes = self._axes(len(args))
        count = _count([x for x, axis in zip(args, axes) if axis == 0])
        results = [self.f(*[x[i] if axis == 0 else x for x, axis in zip(args, axes)]) for i in range(count)]
        if self.reduce is None:
            return results
        columns = zip(*map(leaves_of, results))
        reduced = iter([functions[self.reduce](list(column)) for column in columns])
        return map_leaves(lambda _: next(reduced), results[0])

    def __reduce__(self) -> Any:
        return Batched, (self.f, self.in_axes, self.reduce, self.threads, self.errors)

    def __repr__(self) -> str:
        return f"<vmap of {self.f!r}>"


def _with_program(f: Any) -> Any:
    """The function, compiled where it is not."""
    if isinstance(f, Transform):
        return f.of(_with_program(f.f))
    return f if compiled_in(f) is not None else Compiled(f)


# -- rows of arguments --


def _shape_of_rows(x: Any) -> tuple[Any, ...] | None:
    """What all rows of an argument have in common, if it is an array of floats, or rows are numbers or flat lists of
    numbers: what one of them records is what others of this shape record."""
    if hasattr(type(x), "__array_interface__"):
        return (float, *x.shape[1:]) if x.dtype == float else None
    if {*map(type, x)} <= _NUMBERS:
        return (float,)
    kind = type(x[0])
    if (kind is list or kind is tuple) and {*map(type, x)} == {kind} and {*map(len, x)} == {len(x[0])}:
        return (kind, len(x[0])) if {*map(type, chain.from_iterable(x))} <= _NUMBERS else None
    return None


def _columns(
    spans: Sequence[tuple[int, int] | None], axes: Sequence[int | None], inputs: int
) -> tuple[bytes, list[tuple[int, int]]]:
    """For each input whether it differs from row to row; and the arguments that have rows, with the numbers in one."""
    by_row, widths = bytearray(inputs), []
    for place, (span, axis) in enumerate(zip(spans, axes)):
        if axis is None:
            continue
        if span is None:
            raise TypeError(f"argument {place} is static: it can't differ from row to row")
        widths.append((place, span[1] - span[0]))
        by_row[slice(*span)] = b"\1" * (span[1] - span[0])
    return bytes(by_row), widths


def _count(rows: Iterable[Any]) -> int:
    """How many rows there are: as many in each argument."""
    counts = []
    for x in rows:
        if not (isinstance(x, (list, tuple)) or (hasattr(type(x), "__array_interface__") and x.shape != ())):
            raise TypeError(
                f"rows are a numpy array or a list, not {type(x).__name__}; what all share has None in in_axes"
            )
        counts.append(len(x))
    if len({*counts}) > 1:
        raise ValueError(f"the arguments have different numbers of rows: {', '.join(map(str, counts))}")
    if not counts[0]:
        raise ValueError("there are no rows")
    return counts[0]


def _numbers(x: Any, place: int, shape: Any) -> Any:
    """An array of the numbers in all rows of argument ``place``, row after row."""
    if hasattr(type(x), "__array_interface__") and x.dtype.kind in "fiu":
        if x.dtype == float and x.flags.carray:
            return x  # as C has them
        numbers = numpy().ascontiguousarray(x, dtype=float)
        return numbers if numbers.flags.aligned else numbers.copy()
    try:
        if shape is None:
            return array("d", _leaves_of_rows(x, place))
        return array("d", x if shape == (float,) else chain.from_iterable(x))
    except OverflowError:
        raise OverflowError(f"a number in the rows of argument {place} is too large for a float") from None


def _leaves_of_rows(x: Any, place: int) -> Iterator[float]:
    structure = _structure.key(x[0], [])
    for i, row in enumerate(x):
        found: list[Any] = []
        key = _structure.key(row, found)
        for leaf in found:
            if isinstance(leaf, Value):
                raise TypeError(
                    f"row {i} of argument {place} has a Value in it: rows are numbers. Values that all rows share are "
                    "found in the function, or are an argument with None in in_axes; derivatives are vmap(grad(f))"
                )
        if key != structure:
            raise ValueError(
                f"row {i} of argument {place} is not nested as row 0 is, or differs in what is no number, as a bool"
            )
        yield from found


# -- results --


class _Sums:
    """The outputs of a recorded function added up over rows."""

    def __init__(self, recorded: Recorded, by_row: bytes) -> None:
        self._wanted = recorded.wanted if isinstance(recorded, Record) else ()
        self._program = RowProgram(recorded.graph, by_row, self._wanted, reduced=True)
        places = recorded.template.places()
        #: Where there are numbers that the function returned as they are: in each row.
        self._places = places if None in places else None

    def __call__(self, recorded: Recorded, leaves: Sequence[Any], count: int, rows: Blocks, of: Batched) -> Any:
        sums, outputs = programs.doubles(self._program.outputs), Blocks()
        outputs.add(programs.buffer(sums), self._program.outputs)
        self._program.run(
            count, recorded.inputs(leaves), rows, outputs, of.reduce == "mean", of.threads, of.errors == "nan"
        )
        if isinstance(recorded, Record):
            results = recorded.template.filled(recorded.values_of(leaves, sums))
        else:
            results = recorded.template.filled(programs.floats(sums, self._program.outputs))
        return _times(results, count, self._places) if self._places and of.reduce == "sum" else results


def _times(x: Any, count: int, places: Sequence[int | None]) -> Any:
    """The same nesting with its numbers so many times, but for those that are outputs: which each leaf is, or None."""
    given = iter(places)

    def change(leaf: Any) -> Any:
        is_array = hasattr(type(leaf), "__array_interface__")  # of outputs, or of numbers, and then of these alone
        outputs = {*islice(given, int(leaf.size) if is_array else 1)}
        is_number = leaf.dtype.kind in "fiu" if is_array else type(leaf) in _NUMBERS
        return leaf * count if is_number and outputs == {None} else leaf

    return map_leaves(change, x, whole=True)


class _Outputs:
    """The outputs of a recorded function for each row, in arrays."""

    def __init__(self, recorded: Recorded, by_row: bytes) -> None:
        self._program = RowProgram(recorded.graph, by_row)
        self._layout, self._places = _structure.layout(recorded.template, recorded.outputs)

    def __call__(self, recorded: Recorded, leaves: Sequence[Any], count: int, rows: Blocks, of: Batched) -> Any:
        outputs = _Arrays(self._program.outputs, count, self._places)
        results = outputs.like(self._layout)
        self._program.run(
            count, recorded.inputs(leaves), rows, outputs.blocks(), threads=of.threads, pass_errors=of.errors == "nan"
        )
        outputs.repeat()
        return results


class _Arrays:
    """Arrays with a row for each row, for outputs that are nested."""

    def __init__(self, outputs: int, count: int, places: Sequence[int | None]) -> None:
        """``places``: of the leaves that come, in their order, the outputs that they are; None for numbers."""
        self._count, self._places = count, iter(places)
        self._blocks = Blocks()
        self._starts, self._steps = [0] * outputs, [0] * outputs
        self._repeated: list[tuple[Any, Any]] = []
        self._first: dict[int, Any] = {}

    def like(self, x: Any) -> Any:
        """Lists of numbers are rows of an array, of lists too; tuples and dicts have an array for each of theirs."""
        if isinstance(x, dict):
            return {key: self.like(item) for key, item in x.items()}
        if isinstance(x, tuple):
            items = [self.like(item) for item in x]
            return type(x)(*items) if hasattr(x, "_fields") else tuple(items)
        shape = _shape(x)
        if shape is not None:
            return self._array(leaves_of(x), shape)
        if isinstance(x, list) or getattr(x, "shape", ()) != ():
            return [self.like(item) for item in x]
        next(self._places)
        return x  # a string, or what else the function returned

    def _array(self, numbers: list[Any], shape: tuple[int, ...]) -> Any:
        made = numpy().empty((self._count, len(numbers)))
        start, width = self._blocks.keep(made), len(numbers)
        for i, number in enumerate(numbers):
            place = next(self._places)
            if place is None:
                made[:, i] = number
            elif place in self._first:
                self._repeated.append((made[:, i], self._first[place]))
            else:
                self._starts[place], self._steps[place] = start + 8 * i, width
                self._first[place] = made[:, i]
        return made.reshape((self._count, *shape))

    def blocks(self) -> Blocks:
        """Of outputs that stand side by side one block."""
        first = 0
        for k in range(1, len(self._starts) + 1):
            step = self._steps[first] if self._starts else 0
            if k == len(self._starts) or self._starts[k] != self._starts[k - 1] + 8 or self._steps[k] != step:
                self._blocks.add_some(self._starts[first], k - first, step)
                first = k
        return self._blocks

    def repeat(self) -> None:
        """Copy what stands in several places."""
        for to, column in self._repeated:
            to[:] = column


def _shape(x: Any) -> tuple[int, ...] | None:
    """That of an array, a list of lists, or a number; None where lists are not even, or have something else in them."""
    if hasattr(type(x), "__array_interface__"):
        is_number = x.dtype.kind in "fiub" or all(isinstance(item, (int, float)) for item in leaves_of(x))
        return tuple(x.shape) if is_number else None
    if not isinstance(x, list):
        return () if isinstance(x, (int, float)) else None
    shapes = {_shape(item) for item in x}
    inner = shapes.pop() if len(shapes) == 1 else None
    return None if inner is None else (len(x), *inner)


def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    reduce: str | None = None,
    threads: int | None = None,
    errors: str = "raise",
) -> Callable[..., Any]:
    """A function of one example, run for each row of its arguments as a program in lanes and threads.

    f is a function as `compile` takes it, compiled or not, or `grad`, `value_and_grad`, `jacobian` or `hessian` of one.
    Rows are an array or a list, the same number in each argument: the first axis. ``in_axes`` is a tuple of 0 and None
    for the arguments, or one of these for all; what has None is shared by all rows.

    reduce: None for arrays with a row for each row: of numbers, or of gradients; what f returns as a list is an axis, a
    tuple or dict has arrays. With ``"sum"`` or ``"mean"`` the result is added up over the rows: for f itself one Value,
    whose ``backward()`` reaches the Values that f found outside or that all rows share; for a transform of f what it
    returns for one example, without an array of all rows' gradients.

    threads: how many at most; None for as many as pay. Results do not depend on it.
    errors: ``"raise"`` what the first row that fails raises, with its number, or ``"nan"`` for that row's results.
    (Recording needs one row that does not fail.)

    >>> w = Value(2.0)
    >>> total = vmap(lambda x, y: (w * x - y) ** 2, reduce="mean")([1.0, 2.0], [2.0, 6.0])
    >>> total.backward()
    >>> total, w.grad
    (Value(data=2.0), -4.0)

    Each row's numbers are those of a call to the bit, but for exp, log and the like, which are within their promised
    accuracy (docs/compiled.md). Raises TypeError and ValueError for arguments that are not rows alike.
    """
    return Batched(f, in_axes, reduce, threads, errors)


__all__ = ["vmap"]
