"""Each operation over its whole range against mpmath: subnormal, tiny, huge, infinite and nan operands."""

from __future__ import annotations

import math

import pytest

import pygrad
from pygrad import OPS, Value

mpmath = pytest.importorskip("mpmath")
from test_operations import NAMES  # noqa: E402

POINTS = [
    0.0,
    5e-324,
    3e-317,
    1e-310,
    2.2e-308,
    1e-200,
    1e-20,
    1e-8,
    3e-3,
    0.1,
    0.5,
    1.0,
    1.5,
    2.0,
    3.7,
    10.0,
    36.7,
    100.0,
]
POINTS += [700.0, 745.0, 1e3, 1e8, 1e20, 1e200, 1.7e308]
POINTS += [-x for x in POINTS] + [math.inf, -math.inf, math.nan]
UNARY = [op.name for op in OPS.values() if op.kind == "unary"]


def ulps(got, exact):
    """How far a float is from an exact value, in units of that value's last place."""
    if got == exact:
        return 0.0
    size = abs(float(exact))
    if math.isinf(size) or math.isinf(got):
        return 0.0 if math.isinf(got) and (got > 0) == (exact > 0) else math.inf
    return float(abs(mpmath.mpf(got) - exact) / math.ulp(size))


def apply(name, x):
    v = Value(x)
    out = {"neg": lambda v: -v, "abs": abs}.get(name, lambda v: getattr(v, name)())(v)
    out.backward()
    return out.data, v.grad


def exact_of(op, x):
    """Value and slope by mpmath, or None where they are not finite real numbers."""
    with mpmath.workprec(2200):  # enough for 1 + 5e-324

        def f(t):
            return eval(op.formula, {**NAMES, "x": t})

        try:
            value = f(mpmath.mpf(x))
            if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value):
                return None
            return value, DERIVATIVES[op.name](mpmath.mpf(x))
        except (ValueError, ZeroDivisionError, OverflowError):
            return None


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


#: Slopes in closed form. (Of differences mpmath would have to take steps far below 1e-324.)
DERIVATIVES = {
    "neg": lambda x: mpmath.mpf(-1),
    "abs": mpmath.sign,
    "relu": lambda x: mpmath.mpf(1 if x > 0 else 0),
    "exp": mpmath.exp,
    "expm1": mpmath.exp,
    "log": lambda x: 1 / x,
    "log1p": lambda x: 1 / (1 + x),
    "sqrt": lambda x: 1 / (2 * mpmath.sqrt(x)),
    "sin": mpmath.cos,
    "cos": lambda x: -mpmath.sin(x),
    "tanh": lambda x: 4 * sigmoid(2 * x) * sigmoid(-2 * x),
    "sigmoid": lambda x: sigmoid(x) * sigmoid(-x),
    "softplus": sigmoid,
    "erf": lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x),
}


@pytest.mark.parametrize("name", UNARY)
def test_values_and_slopes(name):
    """Values within 2 ulp (the C library promises 1, and a composed formula adds one), slopes within 4."""
    if name not in DERIVATIVES:
        pytest.fail(f"{name} needs its derivative here")
    for x in POINTS:
        if not math.isfinite(x):
            continue
        exact = exact_of(OPS[name], x)
        try:
            value, slope = apply(name, x)
        except (ValueError, OverflowError):
            assert exact is None or abs(exact[0]) > 1.7e308, x
            continue
        assert exact is not None or name == "sqrt", x
        if exact is None:
            continue
        assert ulps(value, exact[0]) <= 2.0, (x, value, float(exact[0]))
        assert ulps(slope, exact[1]) <= 4.0, (x, slope, float(exact[1]))


@pytest.mark.parametrize("name", UNARY)
def test_nan_passes_through(name):
    value, slope = apply(name, math.nan)
    assert math.isnan(value)
    assert math.isnan(slope) or name in ("abs", "relu", "neg")


@pytest.mark.parametrize(
    "name, low, high",
    [
        ("exp", 0.0, math.inf),
        ("expm1", -1.0, math.inf),
        ("tanh", -1.0, 1.0),
        ("sigmoid", 0.0, 1.0),
        ("softplus", 0.0, math.inf),
        ("erf", -1.0, 1.0),
        ("relu", 0.0, math.inf),
        ("abs", math.inf, math.inf),
    ],
)
def test_at_infinity(name, low, high):
    assert apply(name, -math.inf)[0] == low and apply(name, math.inf)[0] == high
    for x in (-math.inf, math.inf):
        slope = apply(name, x)[1]
        assert not math.isnan(slope) and abs(slope) in (0.0, 1.0, math.inf), (x, slope)


def test_where_there_is_no_derivative():
    assert apply("relu", 0.0)[1] == 0.0 and apply("relu", -0.0)[1] == 0.0
    assert apply("abs", 0.0)[1] == 0.0
    assert apply("sqrt", 0.0) == (0.0, math.inf)
    for name in ("maximum", "minimum"):
        a, b = Value(2.0), Value(2.0)
        getattr(a, name)(b).backward()
        assert (a.grad, b.grad) == (0.5, 0.5)


def power(x, y):
    """``x ** y`` as CPython has it; on PyPy a square overflows to inf in silence."""
    z = x**y
    if not isinstance(z, complex) and math.isinf(z) and math.isfinite(x) and math.isfinite(y):
        raise OverflowError
    return z


BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": power,
    "pow_scalar": power,
    "minimum": lambda x, y: x if math.isnan(x) or x < y else y,
    "maximum": lambda x, y: x if math.isnan(x) or x > y else y,
    "exp_minus": lambda x, y: math.exp(x - y),
}
#: Slopes at x, y, given the value z, all of them mpmath's.
SLOPES = {
    "add": lambda x, y, z: (1, 1),
    "sub": lambda x, y, z: (1, -1),
    "mul": lambda x, y, z: (y, x),
    "div": lambda x, y, z: (1 / y, -z / y),
    "pow": lambda x, y, z: (y * x ** (y - 1) if y else 0, z * mpmath.log(x) if x > 0 else math.nan),
    "minimum": lambda x, y, z: (x < y, y < x) if x != y else (0.5, 0.5),
    "maximum": lambda x, y, z: (x > y, y > x) if x != y else (0.5, 0.5),
    "exp_minus": lambda x, y, z: (z, -z),
}
SLOPES["pow_scalar"] = SLOPES["pow"]
EXPONENTS = [0.0, 1.0, 2.0, 3.0, 0.5, 1.5, 1.07, 0.99, 30.5, 1e-8, 100.0, 1e5, math.inf]
EXPONENTS += [-y for y in EXPONENTS] + [math.nan]


def record(name, x, y):
    """(z, the slope at x, the slope at y): the last is nan where y is a number of the operation."""
    a, b = Value(x), y if name == "pow_scalar" else Value(y)
    if name in ("minimum", "maximum"):
        out = getattr(a, name)(b)
    elif name == "exp_minus":
        out = a.exp_minus(b)
    elif name.startswith("pow"):
        out = a**b
    else:
        out = BINARY[name](a, b)
    out.backward()
    return out.data, a.grad, b.grad if isinstance(b, Value) else math.nan


def outcome(function, *arguments):
    try:
        result = function(*arguments)
    except (OverflowError, ZeroDivisionError, ValueError) as error:
        return type(error)
    return ValueError if isinstance(result, complex) else result


@pytest.mark.parametrize("name", [op.name for op in OPS.values() if op.kind in ("binary", "scalar")])
def test_two_operands(name):
    """Values are Python's own, and so are its exceptions; slopes are within 4 ulp of the exact ones."""
    for x in POINTS:
        for y in EXPONENTS if name.startswith("pow") else POINTS:
            expected, got = outcome(BINARY[name], x, y), outcome(record, name, x, y)
            if isinstance(expected, type):  # of a complex power so large that it overflows too, either
                assert got is expected or (x < 0.0 and got is ValueError), (x, y, expected, got)
                continue
            assert not isinstance(got, type), (x, y, expected, got)
            assert got[0] == expected or (math.isnan(got[0]) and math.isnan(expected)), (x, y)
            if not (math.isfinite(x) and math.isfinite(y)) or (name.startswith("pow") and x == 0.0):
                continue
            with mpmath.workprec(400):
                a, b = mpmath.mpf(x), mpmath.mpf(y)
                if name == "exp_minus":
                    z = mpmath.exp(x - y)  # of the difference as it is rounded
                else:
                    z = a**b if name.startswith("pow") else BINARY[name](a, b)
                for slope, exact in zip(got[1:], SLOPES[name](a, b, z)):
                    if not (name == "pow_scalar" and slope is got[2]) and not math.isnan(exact):
                        assert ulps(slope, exact) <= 4.0, (x, y, slope, float(exact))


def test_slopes_of_powers_of_zero():
    assert record("pow", 0.0, 2.0) == (0.0, 0.0, 0.0)
    assert record("pow", 0.0, 1.0) == (0.0, 1.0, 0.0)
    assert record("pow", 0.0, 0.5) == (0.0, math.inf, 0.0)
    assert record("pow", 0.0, 0.0) == (1.0, 0.0, 0.0)
    assert math.isnan(record("pow", -2.0, 3.0)[2])  # next to 3 the power is not real


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1.0, 1e150])
def test_lists(scale):
    """A sum of n terms is within n rounding errors of their absolute sum."""
    xs = [scale * (i * 0.37 - 9.0) for i in range(50)]
    for got, exact, size in (
        (pygrad.sum([Value(x) for x in xs]), mpmath.fsum(xs), mpmath.fsum(xs, absolute=True)),
        (pygrad.dot(xs, [Value(x) for x in xs]), mpmath.fdot(xs, xs), mpmath.fdot(xs, xs)),
    ):
        assert abs(mpmath.mpf(got.data) - exact) <= 50 * (2**-53 * size + 5e-324)
