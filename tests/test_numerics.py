"""Each operation of the table against mpmath, which evaluates the table's own formula and its differences.

The table is read, not repeated: a new line in csrc/ops.def is tested without a new test. Values are within
2 ulp (the C library promises 1, and a composed formula adds one) and partials within 4, at operands from
subnormal to huge.
"""

from __future__ import annotations

import math
import random
from itertools import chain, product

import pytest
from helpers import apply, of_kind

import pygrad
from pygrad import Value

mpmath = pytest.importorskip("mpmath")

#: What formulas call, beside Python's own functions: in floats, and in mpmath's numbers.
FUNCTIONS = [name for name in dir(math) if hasattr(mpmath, name)]
PYTHON = {name: getattr(math, name) for name in FUNCTIONS}
MPMATH = {name: getattr(mpmath, name) for name in FUNCTIONS}

POINTS = [0.0, 5e-324, 3e-317, 2.2e-308, 1e-200, 1e-20, 1e-8, 3e-3, 0.1, 0.5, 1.0, 1.5, 2.0, 3.7, 10.0]
POINTS += [36.7, 100.0, 700.0, 745.0, 1e3, 1e8, 1e20, 1e200, 1.7e308]
POINTS += [-x for x in POINTS]
FEWER = [0.0, 5e-324, 1e-310, 1e-200, 1e-8, 0.1, 1.0, 3.7, 36.7, 700.0, 1e200, 1.7e308]
FEWER += [-x for x in FEWER]
EXPONENTS = [0, 1.0, 2, 3.0, 0.5, 1.5, 1.07, 0.99, 30.5, 1e-8, 100, 1e5]
EXPONENTS += [-y for y in EXPONENTS[1:]]
#: The formulas are the same C on each backend: the native one's run sees to all points, the cffi one's to a fifth.
SHARE = 1 if pygrad.backend == "native" else 5
INFINITE = [math.inf, -math.inf]
#: Exponentials of a difference: the error with which that is rounded is a relative error of theirs.
OF_DIFFERENCES = ("exp_minus", "logsumexp")
#: Differences are taken at a distance far below the smallest float, with digits for that beside the largest.
STEP, DIGITS = mpmath.mpf(2) ** -1200, 2450


def some(name, count, arity=1):
    """Points drawn for a name, the same in each run: half of them of any size, half near 0."""
    rng = random.Random(name)
    for i in range(count):
        if i % 2:
            yield tuple(rng.choice((-1, 1)) * 10 ** rng.uniform(-40, 40) for _ in range(arity))
        else:
            yield tuple(rng.uniform(-30, 30) for _ in range(arity))


def points_of(op):
    if op.kind == "unary":
        return [*((x,) for x in POINTS), *some(op.name, 60)]
    if op.method == "__pow__":
        return [*product(POINTS, EXPONENTS), *((abs(x), y % 5) for x, y in some(op.name, 60, 2))]
    return [*product(FEWER, FEWER), *some(op.name, 60, 2)]


def each(*kinds):
    return pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in of_kind(*kinds)])


# -- three answers: pygrad's, Python's and mpmath's --------------------------------------------------


def evaluated(op, at, words):
    """The table's formula at a point, in the numbers of whoever gives the words."""
    return eval(f"lambda x, y=None: {op.formula}", words)(*at)


def recorded(op, *at):
    """(value, partials) of an operation at a point; a list stands for a list."""
    given = [[Value(x) for x in a] if isinstance(a, list) else Value(a) for a in at]
    if op.kind == "scalar":
        given[1] = at[1]
    out = apply(op, *given)
    out.backward()
    leaves = chain.from_iterable(a if isinstance(a, list) else [a] for a in given)
    return out.data, [v.grad for v in leaves if isinstance(v, Value)]


def by_python(op, *at):
    """The formula's value in floats."""
    z = evaluated(op, at, PYTHON)
    if isinstance(z, complex):
        raise ValueError("no real value")
    if op.method == "__pow__" and math.isinf(z) and all(map(math.isfinite, at)):
        raise OverflowError("PyPy's square overflows in silence")
    return z


def outcome(function, op, *at):
    try:
        return function(op, *at)
    except (OverflowError, ZeroDivisionError, ValueError) as error:
        return type(error)


def exact(op, *at):
    """The formula's value in mpmath's numbers; None where it has none that is real and finite."""
    try:
        z = evaluated(op, at, MPMATH)
    except (ZeroDivisionError, ValueError):
        return None
    return None if isinstance(z, mpmath.mpc) or not mpmath.isfinite(z) else mpmath.mpf(z)


def same(x, y):
    return x == y or (math.isnan(x) and math.isnan(y))


def ulps(got, exact):
    """How far a float is from an exact value, in units of that value's last place."""
    if got == exact:
        return 0.0
    size = abs(float(exact))
    if math.isinf(size) or math.isinf(got):
        return 0.0 if math.isinf(size) and got == math.copysign(size, exact) else math.inf
    return float(abs(mpmath.mpf(got) - exact) / math.ulp(size))


def check_partials(got, function, at, z, allowed):
    """Each within so many ulp of the derivative; at a kink between its sides; nan where it has none."""
    for i, partial in enumerate(got):
        left, right = (function(*at[:i], at[i] + step, *at[i + 1 :]) for step in (-STEP, STEP))
        if left is None and right is None:
            assert math.isnan(partial), (at, i, partial)
        elif left is None or right is None:
            continue  # see test_where_there_is_no_derivative
        else:
            left, right = (z - left) / STEP, (right - z) / STEP
            if abs(left - right) <= mpmath.ldexp(abs(left), -60) + STEP / 1000:
                assert ulps(partial, (left + right) / 2) <= allowed, (at, i, partial, float(left))
            else:
                assert min(left, right) <= partial <= max(left, right), (at, i, partial)


# -- numbers -----------------------------------------------------------------------------------------


@each("unary", "binary", "scalar")
def test_values_and_partials(op):
    """Refused is what Python refuses in the formula, and where that has no real value.

    Where Python refuses an intermediate result only, as exp(1000) in sigmoid's, a value is finite and right.
    """
    values = 0
    for at in points_of(op)[::SHARE]:
        python, got = outcome(by_python, op, *at), outcome(recorded, op, *at)
        with mpmath.workprec(DIGITS):
            numbers = [*map(mpmath.mpf, at)]
            z = exact(op, *numbers)
            if isinstance(got, type):
                assert got is python or (z is None and got is ValueError), (at, got, python)
                continue
            value, partials = got
            assert z is not None, (at, value)
            assert math.isfinite(value) or not isinstance(python, type), (at, value, python)
            rounded = 2.0 * max(map(abs, at)) if op.name in OF_DIFFERENCES else 0.0
            assert ulps(value, z) <= 2.0 + rounded, (at, value, float(z))
            check_partials(partials, lambda *x: exact(op, *x), numbers, z, 4.0 + rounded)
        values += 1
    assert values > 20 // SHARE


@each("binary", "scalar")
def test_values_are_pythons(op):
    """Of what Python computes from two numbers there is one value: its own, to the last bit."""
    for at in points_of(op):
        python, got = outcome(by_python, op, *at), outcome(recorded, op, *at)
        assert isinstance(python, type) or got[0] == python, (at, got, python)


@each("unary", "binary", "scalar")
def test_at_infinity(op):
    """What the formula gives in floats, its exceptions too."""
    pairs = [*product(INFINITE, POINTS + INFINITE), *product(POINTS, INFINITE)]
    for at in [(x,) for x in INFINITE] if op.kind == "unary" else pairs:
        python, got = outcome(by_python, op, *at), outcome(recorded, op, *at)
        if isinstance(got, type) or isinstance(python, type):
            assert got is python, (at, got, python)
            continue
        assert same(got[0], python), (at, got, python)
        assert op.kind != "unary" or not math.isnan(got[1][0]), (at, got)


@each("unary", "binary", "scalar")
def test_nan_passes_through(op):
    """The value is nan, unless it is the same whatever stands there, as 1 ** y. So is a unary's partial."""
    tried = [0.3, 0.5, 2.0, math.inf]
    others = [()] if op.kind == "unary" else [(y,) for y in [*POINTS, *INFINITE, math.nan]]
    for other, order in product(others, (1, -1) if others[0] else (1,)):
        at = (math.nan, *other)[::order]
        got = outcome(recorded, op, *at)
        if isinstance(got, type):
            assert got is outcome(by_python, op, *at), (at, got)
        elif not math.isnan(got[0]):
            assert all(recorded(op, *(x, *other)[::order])[0] == got[0] for x in tried), (at, got)
        elif op.kind == "unary" and not math.isnan(got[1][0]):
            assert len({recorded(op, x)[1][0] for x in tried}) == 1, (at, got)


def test_where_there_is_no_derivative():
    """relu and abs take 0, a tie of two is shared, sqrt's is infinite; a power of 0 has its real side's."""
    table = {op.name: op for op in of_kind("unary", "binary")}
    for zero in (0.0, -0.0):
        assert recorded(table["relu"], zero) == (0.0, [0.0])
        assert recorded(table["abs"], zero) == (0.0, [0.0])
    assert recorded(table["sqrt"], 0.0) == (0.0, [math.inf])
    for name, x in product(("minimum", "maximum"), (2.0, 0.0, math.inf)):
        assert recorded(table[name], x, x) == (x, [0.5, 0.5])
    for exponent, value, by_base in (
        (0.0, 1.0, 0.0),
        (0.5, 0.0, math.inf),
        (1.0, 0.0, 1.0),
        (1.5, 0.0, 0.0),
        (2.0, 0.0, 0.0),
        (3.0, 0.0, 0.0),
    ):
        assert recorded(table["pow"], 0.0, exponent) == (value, [by_base, 0.0])
    value, (by_base, by_exponent) = recorded(table["pow"], -2.0, 3.0)
    assert (value, by_base) == (-8.0, 12.0) and math.isnan(by_exponent)  # next to 3 the power is not real


# -- lists -------------------------------------------------------------------------------------------

LISTS = [[scale * (i * 1.7 - 9.0) for i in range(12)] for scale in (5e-324, 1e-300, 1.0, 1e150)]
LISTS += [[-1.5, 0.25, 3.0, 0.125], [2.5], [0.0, 0.0], [1000.0, 1001.0, -1000.0], []]
LISTS += [[x for (x,) in some(f"list {n}", n)] for n in (3, 10)]


@each("nary", "paired")
def test_lists(op):
    """A value is within n rounding errors of the operands' contributions."""
    for x in LISTS[::SHARE]:
        at = [x] if op.kind == "nary" else [x, [3.0 * a - 1.0 for a in x[::-1]]]
        python, got = outcome(by_python, op, *at), outcome(recorded, op, *at)
        n, size = len(x), max(map(abs, x), default=0.0)

        def function(*numbers, n=n):
            return exact(op, *([numbers] if op.kind == "nary" else [numbers[:n], numbers[n:]]))

        with mpmath.workprec(DIGITS):
            numbers = [*map(mpmath.mpf, chain.from_iterable(at))]
            z = function(*numbers)
            if isinstance(got, type):
                assert got is ValueError and isinstance(python, type) and z is None, (x, got, python)
                continue
            value, partials = got
            contributed = sum(abs(a * p) for a, p in zip(numbers, partials))
            error = 2.0 * math.ulp(float(z)) + n * (2.0**-53 * contributed + 5e-324)
            assert abs(mpmath.mpf(value) - z) <= error, (x, value)
            rounded = 2.0 * n + 4.0 * size if op.name in OF_DIFFERENCES else 0.0
            check_partials(partials, function, numbers, z, 4.0 + rounded)


@each("nary", "paired")
def test_lists_at_infinity(op):
    """What the formula gives in floats, where it gives anything; nan passes through."""
    for x in product([*INFINITE, math.nan, 0.5], repeat=2):
        at = [[*x]] if op.kind == "nary" else [[*x], [2.0, -1.0]]
        python, got = outcome(by_python, op, *at), recorded(op, *at)[0]
        assert isinstance(python, type) or same(got, python), (x, got, python)
        assert math.isnan(got) or not any(map(math.isnan, x)), (x, got)


def test_empty_lists_and_all_impossible():
    assert pygrad.sum([]).data == pygrad.dot([], []).data == 0.0
    assert pygrad.logsumexp([-math.inf, -math.inf]).data == -math.inf
