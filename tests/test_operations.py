"""Each operation of the table against mpmath, which evaluates the table's own formula and differentiates it.

The table is read, not repeated: a new line in csrc/ops.def is tested without a new test.
"""

import itertools
import math

import mpmath
import pytest

import pygrad
from pygrad import OPS, Value

NAMES = {name: getattr(mpmath, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "erf")}
NAMES.update(abs=abs, max=max, min=min, sum=sum, len=len, zip=zip)
POINTS = [-30.5, -4.25, -2.0, -0.75, -1e-3, 1e-6, 0.3, 0.99, 1.0, 2.0, 3.7, 21.5]
OPERATORS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "neg": lambda x: -x,
}
#: Relative error allowed: a few units in the last place, of libm and of the composition.
TOLERANCE = 1e-14


def of_kind(*kinds):
    return [pytest.param(op, id=op.name) for op in OPS.values() if op.kind in kinds]


def formula(op):
    return eval(f"lambda x, y=None: {op.formula}", NAMES)


def apply(op, *values):
    return (OPERATORS.get(op.name) or getattr(Value, op.name))(*values)


def slope(function, at):
    """The exact derivative; None where the formula has a kink or no real value."""
    with mpmath.workdps(400):  # erf(21.5) differs from 1 in its 201st digit
        h = mpmath.mpf(10) ** -20
        left, right = (function(at) - function(at - h)) / h, (function(at + h) - function(at)) / h
        if mpmath.im(left) or mpmath.im(right) or abs(left - right) > 1e-10 * (1 + abs(left)):
            return None
        return mpmath.diff(function, at)


def close(actual, exact):
    return abs(mpmath.mpf(actual) - exact) <= TOLERANCE * abs(exact) + mpmath.mpf(1e-300)


def exact_value(function, *at):
    with mpmath.workdps(60):
        try:
            z = function(*map(mpmath.mpf, at))
        except (ValueError, ZeroDivisionError):
            return None
        return None if mpmath.im(z) or not mpmath.isfinite(z) else mpmath.re(z)


def check(op, function, recorded, operands):
    """One result against the formula, and each operand's gradient against its derivative."""
    at = [v.data for v in operands]
    assert close(recorded.data, exact_value(function, *at))
    recorded.backward()
    for i, operand in enumerate(operands):
        exact = slope(
            lambda t, i=i: function(*(mpmath.mpf(v) if j != i else t for j, v in enumerate(at))),
            mpmath.mpf(at[i]),
        )
        if exact is not None:
            assert close(operand.grad, exact), (op.name, at, i, operand.grad, exact)


@pytest.mark.parametrize("op", of_kind("unary"))
def test_unary(op):
    tested = 0
    for x in POINTS:
        v = Value(x)
        if exact_value(formula(op), x) is None:
            with pytest.raises(ValueError):
                apply(op, v)
        else:
            check(op, formula(op), apply(op, v), [v])
            tested += 1
    assert tested >= 6


@pytest.mark.parametrize("op", of_kind("binary"))
def test_binary(op):
    tested = 0
    for x, y in itertools.product(POINTS, POINTS):
        a, b = Value(x), Value(y)
        if op.name == "pow" and x < 0:
            continue  # the exponent has no derivative there; see test_power
        check(op, formula(op), apply(op, a, b), [a, b])
        tested += 1
    assert tested >= 50


@pytest.mark.parametrize("op", of_kind("scalar"))
def test_scalar(op):
    assert op.name == "pow_scalar"
    for x, k in itertools.product(POINTS, [-3, -2, -1, -0.5, 0, 0.5, 1, 1.7, 2, 3, 10]):
        if x < 0 and k != int(k):
            continue
        a = Value(x)
        check(op, lambda t, k=k: formula(op)(t, mpmath.mpf(k)), a**k, [a])


@pytest.mark.parametrize("op", of_kind("nary"))
def test_nary(op):
    values = [Value(x) for x in (-1.5, 0.25, 3.0, 0.125)]
    check(op, lambda *x: formula(op)(x), getattr(pygrad, op.name)(values), values)


@pytest.mark.parametrize("op", of_kind("paired"))
def test_paired(op):
    values = [Value(x) for x in (-1.5, 0.25, 3.0, 0.125, 2.0, -7.0)]
    check(op, lambda *x: formula(op)(x[:3], x[3:]), getattr(pygrad, op.name)(values[:3], values[3:]), values)


@pytest.mark.parametrize("op", of_kind("unary", "binary"))
def test_infinities_and_nan_pass_or_are_refused(op):
    for at in itertools.product([math.inf, -math.inf, math.nan], repeat=1 if op.kind == "unary" else 2):
        values = [Value(x) for x in at]
        try:
            out = apply(op, *values)
        except ValueError:
            assert math.inf in map(abs, at)
        else:
            out.backward()


def test_power():
    a, b = Value(-2.0), Value(3.0)
    out = a**b
    out.backward()
    assert (out.data, a.grad) == (-8.0, 12.0) and math.isnan(b.grad)
    zero = Value(0.0)
    for k in (0, 1, 2, 3):
        zero.grad = 0.0
        (zero**k).backward()
        assert zero.grad == (1.0 if k == 1 else 0.0)


def test_kinks():
    """Where there is no derivative: relu and abs take 0, a tie of two is shared, sqrt's is infinite."""
    for function, expected in ((Value.relu, 0.0), (Value.abs, 0.0), (Value.sqrt, math.inf)):
        zero = Value(0.0)
        function(zero).backward()
        assert zero.grad == expected
    for function in (Value.minimum, Value.maximum):
        a, b = Value(1.0), Value(1.0)
        function(a, b).backward()
        assert (a.grad, b.grad) == (0.5, 0.5)


def test_every_operation_has_a_docstring():
    for op in OPS.values():
        if op.kind in ("unary", "nary", "paired") and op.name != "neg":
            assert op.formula in getattr(pygrad, op.name).__doc__
