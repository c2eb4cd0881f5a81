"""Each operation over its whole range against mpmath: subnormal, tiny, huge, infinite and nan operands."""

from __future__ import annotations

import math

import pytest

from pygrad import OPS, Value

mpmath = pytest.importorskip("mpmath")
from test_operations import NAMES  # noqa: E402

POINTS = [
    0.0,
    5e-324,
    1e-310,
    2.2e-308,
    1e-200,
    1e-20,
    1e-8,
    1e-3,
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
    return float(abs(mpmath.mpf(got) - exact) / math.ulp(size)) if hasattr(math, "ulp") else 0.0


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


@pytest.mark.parametrize("x", [5e-324, 1e-308, 1e-5, 0.3, 1.0, 7.7, 1e5, 1e300])
@pytest.mark.parametrize("k", [-3, -1, -0.5, 0, 0.5, 1, 2, 3, 2.5])
def test_powers(x, k):
    exact = mpmath.mpf(x) ** mpmath.mpf(k)
    if not 1e-300 < exact < 1e300:
        return
    v = Value(x)
    out = v**k
    out.backward()
    assert ulps(out.data, exact) <= 2.0
    slope = mpmath.mpf(k) * mpmath.mpf(x) ** (mpmath.mpf(k) - 1)
    if 1e-300 < abs(slope) < 1e300 or k == 0:
        assert ulps(v.grad, slope) <= 4.0
