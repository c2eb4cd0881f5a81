"""Derivatives of any order: of each operation against mpmath, of random functions against each other; misuse."""

from __future__ import annotations

import math
import random
from collections import namedtuple
from itertools import product

import pytest
from conftest import live_nodes
from helpers import apply, of_kind

import pygrad
from pygrad import TraceError, Value, grad, hessian, hvp, jacobian, jvp, nn, value_and_grad

mpmath = pytest.importorskip("mpmath")

MPMATH = {name: getattr(mpmath, name) for name in dir(math) if hasattr(mpmath, name)}
ORDERS = (1, 2, 3)


def close(x, y, rel=1e-9, scale=1.0):
    return x == y or abs(x - y) <= rel * max(abs(y), scale)


def leaves(x):
    if isinstance(x, (list, tuple)):
        return [leaf for item in x for leaf in leaves(item)]
    if isinstance(x, dict):
        return leaves([*x.values()])
    return leaves(x.reshape(-1).tolist()) if hasattr(x, "reshape") else [float(x)]


def both(f):
    """A function as it is, and compiled."""
    return pytest.param(f, id="plain"), pytest.param(pygrad.compile(f), id="compiled")


# -- each operation -----------------------------------------------------------------------------------------

#: Where an operation is smooth: the first number is in all their domains, others are tried where mpmath has a value.
POINTS = [0.3, 1.7, 25.0, 1e-3, -0.4, -3.5, -30.0]
EXPONENTS = [0, 1, 2, 3, 7, -1, -2, 0.5, -1.5, 2.5, 1e-3]


def by_mpmath(op, at, orders):
    """The derivative of so many orders in each operand, of the table's formula; None where there is none."""
    f = eval(f"lambda x, y=None: {op.formula}", MPMATH)
    with mpmath.workdps(60):
        try:
            y = mpmath.diff(f, tuple(mpmath.mpf(x) for x in at), tuple(orders))
        except (ZeroDivisionError, ValueError):
            return None
        return float(y) if isinstance(y, mpmath.mpf) and mpmath.isfinite(y) else None


def nested_grad(f, argnums):
    for argnum in argnums:
        f = grad(f, argnum)
    return f


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in of_kind("unary")])
def test_unary_operations(op, no_leak):
    tried = 0
    for plain in (True, False):
        f = (lambda x: apply(op, x)) if plain else pygrad.compile(lambda x: apply(op, x))
        for x in POINTS:
            for order in ORDERS:
                expected = by_mpmath(op, [x], [order])
                if x > 0 or (expected is not None and "log" not in op.name and op.name != "sqrt"):
                    got = nested_grad(f, [0] * order)(x)
                    assert close(got, expected, scale=1e-12), (x, order, got, expected)
                    tried += 1
    assert tried >= 24


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in of_kind("binary")])
def test_binary_operations(op, no_leak):
    """All mixed ones too, whichever operand comes first."""
    f, tried = pygrad.compile(lambda x, y: apply(op, x, y)), 0
    for x, y in product([0.3, 1.7, 25.0, -3.5], [0.6, 2.0, 3.0, -1.5]):
        if op.name == "pow" and x < 0:
            continue
        for order in ORDERS:
            for argnums in product((0, 1), repeat=order):
                expected = by_mpmath(op, [x, y], [argnums.count(0), argnums.count(1)])
                got = nested_grad(f, argnums)(x, y)
                assert close(got, expected, scale=1e-12), (x, y, argnums, got, expected)
                tried += 1
    assert tried >= 160
    assert nested_grad(lambda x, y: apply(op, x, y), (0, 1))(0.3, 0.6) == nested_grad(f, (0, 1))(0.3, 0.6)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers(exponent, no_leak):
    compiled = pygrad.compile(lambda x: x**exponent)
    for x in [0.3, 1.0, 1.7, 25.0, *([-0.4, -3.5] if exponent == int(exponent) else [])]:
        for order in ORDERS:
            slope = math.prod(exponent - k for k in range(order)) if exponent else 0.0
            expected = slope * x ** (exponent - order) if slope else 0.0
            for f in (compiled, lambda x: x**exponent):
                assert close(nested_grad(f, [0] * order)(x), expected, rel=1e-13), (x, order)
    if exponent >= 3 and exponent == int(exponent):
        assert [nested_grad(compiled, [0] * order)(0.0) for order in ORDERS[:2]] == [0.0, 0.0]
        assert nested_grad(compiled, [0] * 3)(0.0) == (6.0 if exponent == 3 else 0.0)


def test_at_the_edge_of_a_power(no_leak):
    """0 ** y is 0 around y > 0; in x it has its real side's slopes."""
    assert hessian(lambda x: x[0] ** x[1])([0.0, 3.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert hessian(lambda x: x**2)(0.0) == 2.0 and hessian(lambda x: x**1)(0.0) == 0.0
    assert hessian(lambda x: x * x)(0.0) == 2.0 and hessian(lambda x: x**0)(0.0) == 0.0


LISTS = {
    "sum": lambda x: mpmath.fsum(x),
    "mean": lambda x: mpmath.fsum(x) / len(x),
    "logsumexp": lambda x: mpmath.log(mpmath.fsum(map(mpmath.exp, x))),
    "dot": lambda x: x[0] * x[2] + x[1] * x[0],
    "where": lambda x: x[1] if x[0] != 0 else x[2],
    "take": lambda x: x[1],
}


def of_list(op, x):
    if op.kind == "nary":
        return apply(op, x)
    if op.kind == "paired":
        return apply(op, x[:2], [x[2], x[0]])
    return pygrad.where(*x) if op.kind == "ternary" else pygrad.take(x, 1)


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in of_kind("nary", "paired", "ternary", "indexed")])
def test_operations_of_lists(op, no_leak):
    """Composed with a product, so that all orders differ from 0."""

    def f(x):
        y = of_list(op, x)
        return y * y * x[1]

    exact, compiled = LISTS[op.name], pygrad.compile(f)
    for x in ([0.3, -1.2, 0.9], [2.0, 2.5, -20.0]):
        first, second, third = compiled_orders = [grad(f)(x), hessian(f)(x), jacobian(hessian(f))(x)]
        assert [grad(compiled)(x), hessian(compiled)(x), jacobian(hessian(compiled))(x)] == compiled_orders
        for i, j, k in product(range(3), repeat=3):
            for got, places in ((first[i], (i,)), (second[i][j], (i, j)), (third[i][j][k], (i, j, k))):
                with mpmath.workdps(60):
                    expected = mpmath.diff(
                        lambda *x: exact(x) ** 2 * x[1],
                        tuple(map(mpmath.mpf, x)),
                        tuple(places.count(n) for n in range(3)),
                    )
                assert close(got, float(expected)), (x, places, got, expected)


def test_ties_and_equal_exponents(no_leak):
    """The parts of logsumexp that shift it cancel, at ties of the largest too."""
    x = [1.5, 1.5, 0.5]
    p = [math.exp(a) / sum(map(math.exp, x)) for a in x]
    expected = [[(p[i] if i == j else 0.0) - p[i] * p[j] for j in range(3)] for i in range(3)]
    for row, exact in zip(hessian(lambda x: pygrad.logsumexp(x))(x), expected):
        assert all(map(close, row, exact))
    assert all(map(math.isfinite, leaves(hessian(lambda x: pygrad.logsumexp(x))([1000.0, 0.0, -1000.0]))))


def test_high_orders(no_leak):
    f, compiled = lambda x: x**7, pygrad.compile(lambda x: x**7)
    for order in range(9):
        expected = float(math.perm(7, order)) * 2.0 ** (7 - order) if order <= 7 else 0.0
        assert order == 0 or nested_grad(f, [0] * order)(2.0) == nested_grad(compiled, [0] * order)(2.0) == expected
    assert close(nested_grad(lambda x: x.sin(), [0] * 8)(0.5), math.sin(0.5))
    assert close(nested_grad(lambda x: x.tanh(), [0] * 6)(0.5), float(mpmath.diff(mpmath.tanh, 0.5, 6)), rel=1e-6)


# -- random functions ---------------------------------------------------------------------------------------

SMOOTH = [
    lambda x, y: x * y,
    lambda x, y: x + y,
    lambda x, y: x - 0.5 * y,
    lambda x, y: x / (1.5 + y * y),
    lambda x, y: (x * 0.5).tanh(),
    lambda x, y: x.sin(),
    lambda x, y: (x.sin() + y.cos()).exp(),
    lambda x, y: (x * x + 1.0).sqrt(),
    lambda x, y: (x * x + 0.5).log(),
    lambda x, y: x.sigmoid() ** (1.0 + y.tanh()),
    lambda x, y: pygrad.logsumexp([x, y, 0.5]),
    lambda x, y: pygrad.dot([x, y], [y, 2.0]).erf(),
    lambda x, y: (x**3 / (1.0 + x**2)).softplus(),
    lambda x, y: pygrad.mean([x.maximum(y), abs(x), y.relu(), x.minimum(0.7)]),
    lambda x, y: pygrad.where(pygrad.greater(x, y), x * x, x * y),
    lambda x, y: x.expm1().log1p() * 0.5,
]


def random_function(rng, steps=7):
    plan = [(rng.choice(SMOOTH), rng.random(), rng.random()) for _ in range(steps)]

    def f(x):
        values = list(x)
        for make, a, b in plan:
            values.append(make(values[int(a * len(values))], values[int(b * len(values))].tanh()))
        return pygrad.sum(values[-3:])

    return f


def moved(x, i, h):
    return [a + (h if i == j else 0.0) for j, a in enumerate(x)]


@pytest.mark.parametrize("seed", range(30))
def test_orders_agree(seed, no_leak):
    """Hessian, products, nested gradients, and differences of the exact gradient; the same of plain and compiled."""
    rng = random.Random(seed)
    plain, n = random_function(rng), rng.randint(1, 4)
    x, v = ([rng.uniform(-1.5, 1.5) for _ in range(n)] for _ in range(2))
    second = hessian(plain)(x)
    size = max(1.0, *map(abs, leaves(second)))
    for f in (plain, pygrad.compile(plain)):
        matrix, slope = hessian(f)(x), grad(f)(x)
        assert leaves(matrix) == pytest.approx(leaves(second), rel=1e-9, abs=1e-9 * size)
        assert leaves(matrix) == pytest.approx(leaves([*zip(*matrix)]), rel=1e-12, abs=1e-12 * size)  # Schwarz
        assert leaves(jacobian(grad(f))(x)) == pytest.approx(leaves(matrix), rel=1e-9, abs=1e-12 * size)
        product = [sum(a * b for a, b in zip(row, v)) for row in matrix]
        assert hvp(f)(x, v) == pytest.approx(product, rel=1e-9, abs=1e-9 * size)
        assert jvp(grad(f))(x, v) == hvp(f)(x, v)
        assert leaves(hvp(f)(x, [v, x])) == pytest.approx([*product, *hvp(f)(x, x)], rel=1e-9, abs=1e-9 * size)
        along = sum(a * b for a, b in zip(slope, v))
        assert jvp(f)(x, v) == pytest.approx(along, rel=1e-9, abs=1e-9 * size)
        assert jvp(f)(x, [v, v]) == pytest.approx([along] * 2, rel=1e-9, abs=1e-9 * size)
        third = jacobian(hessian(f))(x)
        for i in range(n):
            h = 1e-5
            left, right = grad(f)(moved(x, i, -h)), grad(f)(moved(x, i, h))
            differences = [(b - a) / (2 * h) for a, b in zip(left, right)]
            assert matrix[i] == pytest.approx(differences, rel=1e-4, abs=1e-4 * size)
            left, right = leaves(hessian(f)(moved(x, i, -h))), leaves(hessian(f)(moved(x, i, h)))
            differences = [(b - a) / (2 * h) for a, b in zip(left, right)]
            got = [third[a][b][i] for a in range(n) for b in range(n)]
            assert got == pytest.approx(differences, rel=1e-3, abs=1e-3 * max(size, *map(abs, leaves(third))))


def test_a_network(no_leak):
    """In its inputs, through parameters that the function finds; in its weights, given as an argument."""
    model = nn.MLP(2, [5, 1], nonlin="tanh")
    x = [0.4, -0.7]
    for f in (lambda x: model(x), pygrad.compile(lambda x: model(x))):
        matrix = hessian(f)(x)
        for i, h in ((0, 1e-5), (1, 1e-5)):
            left, right = grad(f)(moved(x, i, -h)), grad(f)(moved(x, i, h))
            assert matrix[i] == pytest.approx([(b - a) / (2 * h) for a, b in zip(left, right)], abs=1e-7)
    model.parameters()[0].data += 0.5  # read at each call
    assert hessian(f)(x) == hessian(lambda x: model(x))(x) != matrix
    assert all(p.grad == 0.0 for p in model.parameters())


# -- structures ---------------------------------------------------------------------------------------------

Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize("decorate", [lambda f: f, pygrad.compile])
def test_nested_arguments(decorate, no_leak):
    f = decorate(lambda x: x["a"] ** 2 * x["b"][0] + x["b"][1][0] ** 3)
    x = {"a": 2.0, "b": (3, [0.5])}
    rows = hessian(f)(x)
    assert rows == {
        "a": {"a": 6.0, "b": (4.0, [0.0])},
        "b": ({"a": 4.0, "b": (0.0, [0.0])}, [{"a": 0.0, "b": (0.0, [3.0])}]),
    }
    v = {"a": 1.0, "b": (0.5, [2])}
    assert hvp(f)(x, v) == {"a": 8.0, "b": (4.0, [6.0])}
    assert hvp(f)(x, [v, v]) == [hvp(f)(x, v)] * 2
    assert jvp(f)(x, v) == 12.0 + 2.0 + 1.5
    pair = hessian(decorate(lambda p: p.a * p.b))(Pair(2.0, 3.0))
    assert pair == Pair(Pair(0.0, 1.0), Pair(1.0, 0.0)) and type(pair) is type(pair.a) is Pair
    assert hessian(decorate(lambda x: x**3))(2) == 12.0
    assert hessian(decorate(lambda x: pygrad.sum(list(x))))([]) == []
    assert hessian(decorate(lambda x: 3.0))([1.0, 2.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert hvp(decorate(lambda x: 3.0))([1.0], [1.0]) == [0.0] and jvp(decorate(lambda x: 3.0))([1.0], [1.0]) == 0.0


@pytest.mark.parametrize("decorate", [lambda f: f, pygrad.compile])
def test_several_arguments(decorate, no_leak):
    f = decorate(lambda x, y, k=2.0: k * x**2 * y[0] * y[1])
    assert hessian(f)(3.0, [5.0, 7.0]) == 140.0
    assert hessian(f, 1)(3.0, [5.0, 7.0]) == [[0.0, 18.0], [18.0, 0.0]]
    assert hessian(f, -1)(3.0, [5.0, 7.0], 4.0) == 0.0
    assert hessian(f, (0,))(3.0, [5.0, 7.0], k=4.0) == ((280.0,),)
    (xx, xy), (yx, yy) = hessian(f, (0, 1))(3.0, [5.0, 7.0])
    assert (xx, xy, yx, yy) == (140.0, [84.0, 60.0], [84.0, 60.0], [[0.0, 18.0], [18.0, 0.0]])
    swapped = hessian(f, (1, 0))(3.0, [5.0, 7.0])
    assert swapped == ((yy, yx), (xy, xx))
    assert hessian(f, (0, 0))(3.0, [5.0, 7.0]) == ((140.0, 140.0), (140.0, 140.0))
    assert grad(grad(f, 0), 1)(3.0, [5.0, 7.0]) == xy and jacobian(grad(f, 1), 0)(3.0, [5.0, 7.0]) == yx
    assert grad(grad(f), 2)(3.0, [5.0, 7.0], 2.0) == 210.0
    assert hvp(f)(3.0, 1.0, [5.0, 7.0]) == 140.0 and hvp(f)(3.0, 1.0, [5.0, 7.0], k=4.0) == 280.0
    assert jvp(f)(3.0, 2.0, [5.0, 7.0], 1.0) == 420.0
    value, slope = value_and_grad(grad(f))(3.0, [5.0, 7.0])
    assert (value, slope) == (420.0, 140.0)
    w = Value(3.0)
    assert hessian(f)(w.data, [w, w]) == 36.0 and w.grad == 0.0
    static = pygrad.compile(lambda n, x: x**n, static="n")
    assert hessian(static, 1)(3, 2.0) == 12.0


def test_directions(no_leak):
    """One, or rows of several; rows of one too."""
    f, vector = lambda x: x[0] ** 2 * x[1], lambda x: [x[0] * x[1], x[1]]
    x, e, d = [3.0, 5.0], [1.0, 0.0], [0.0, 1.0]
    assert hvp(f)(x, e) == [10.0, 6.0] and hvp(f)(x, tuple(e)) == (10.0, 6.0)
    assert hvp(f)(x, [e]) == [[10.0, 6.0]] and hvp(f)(x, [e, d, e]) == [[10.0, 6.0], [6.0, 0.0], [10.0, 6.0]]
    assert jvp(f)(x, e) == 30.0 and jvp(f)(x, [e]) == [30.0] and jvp(f)(x, [e, d]) == [30.0, 9.0]
    assert jvp(vector)(x, e) == [5.0, 0.0] and jvp(vector)(x, [d]) == [[3.0, 1.0]]
    assert hvp(lambda x: x**3)(2.0, [1.0, 2.0]) == [12.0, 24.0] and jvp(lambda x: x**3)(2.0, [1.0]) == [12.0]
    assert jvp(lambda x: {"a": x * 2, "b": (x, 1.0)})(2.0, 1.0) == {"a": 2.0, "b": (1.0, 0.0)}


@pytest.mark.parametrize("decorate", [lambda f: f, pygrad.compile])
def test_arrays(decorate, no_leak):
    np = pytest.importorskip("numpy")
    f = decorate(lambda x: (x * x).sum() * x.reshape(-1)[0])
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    matrix = hessian(f)(x)
    assert matrix.shape == (2, 2, 2, 2) and matrix.dtype == float and matrix.flags.writeable
    flat = matrix.reshape(4, 4)
    assert (
        (flat == flat.T).all() and flat[0].tolist() == [6.0, 4.0, 6.0, 8.0] and flat[1].tolist() == [4.0, 2.0, 0.0, 0.0]
    )
    v = np.random.default_rng(0).normal(size=(5, 2, 2))
    assert np.allclose(hvp(f)(x, v[0]).reshape(4), flat @ v[0].reshape(4)) and hvp(f)(x, v[0]).shape == (2, 2)
    assert np.allclose(hvp(f)(x, v).reshape(5, 4), v.reshape(5, 4) @ flat) and hvp(f)(x, v[:1]).shape == (1, 2, 2)
    assert np.allclose(jvp(f)(x, v), v.reshape(5, 4) @ grad(f)(x).reshape(4)) and jvp(f)(x, v[:1]).shape == (1,)
    assert type(jvp(f)(x, v[0])) is float
    assert jacobian(grad(f))(x).tolist() == matrix.tolist()
    assert jacobian(hessian(f))(x).shape == (2,) * 6
    for kind in (np.float32, np.int16):
        assert hessian(f)(x.astype(kind)).tolist() == matrix.tolist()
    assert hessian(f)(np.asfortranarray(x)).tolist() == matrix.tolist()
    assert hessian(f)(np.repeat(x, 2, 1)[:, ::2]).tolist() == matrix.tolist()
    assert hessian(decorate(lambda x: x * x * x))(np.float64(2.0)) == 12.0
    assert hessian(decorate(lambda x: x.sum()))(np.empty((0, 2))).shape == (0, 2, 0, 2)
    row = np.array([[1.0, 2.0, 3.0]])
    assert type(jvp(decorate(lambda x: x.sum()))(row, row)) is float
    mixed = hessian(decorate(lambda x: x["a"][0] * x["b"]))({"a": np.array([1.0, 2.0]), "b": 3.0})
    assert mixed["b"]["a"].tolist() == [1.0, 0.0] and mixed["a"][0]["b"] == 1.0


def test_scipy_minimizes_by_newton():
    optimize = pytest.importorskip("scipy.optimize")
    np = pytest.importorskip("numpy")

    def rosenbrock(x):
        return pygrad.sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))

    for f in (rosenbrock, pygrad.compile(rosenbrock)):
        for method, more in (("trust-exact", {"hess": hessian(f)}), ("Newton-CG", {"hessp": hvp(f)})):
            found = optimize.minimize(value_and_grad(f), np.array([-1.0, 2.0, 0.5]), jac=True, method=method, **more)
            assert found.x == pytest.approx([1.0] * 3, abs=1e-3)


# -- branches, and what has no second derivative --------------------------------------------------------------


def test_branches_follow_the_numbers_of_each_call(no_leak):
    def f(x):
        if x.data > 1.0:
            return x**3
        return pygrad.sum(x**k for k in range(int(abs(x.data)) + 2))

    assert [hessian(f)(x) for x in (2.0, 0.5, -2.5, 3.0)] == [12.0, 0.0, 2.0 - 15.0, 18.0]
    assert grad(grad(f))(2.0) == 12.0 and hvp(f)(2.0, 2.0) == 24.0 and jvp(f)(2.0, 1.0) == 12.0
    with pytest.raises(TraceError, match="data of a Value"):
        hessian(pygrad.compile(f))(2.0)


TRANSFORMS = {
    "hessian": lambda f: lambda x: hessian(f)(x),
    "hvp": lambda f: lambda x: hvp(f)(x, x),
    "jvp": lambda f: lambda x: jvp(f)(x, x),
    "grad of grad": lambda f: lambda x: grad(grad(f))(x),
    "jacobian of grad": lambda f: lambda x: jacobian(grad(f))(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("decorate", [lambda f: f, pygrad.compile])
def test_custom_operations_have_no_second_derivative(name, decorate, no_leak):
    def with_partials(x):
        return Value(4.0, (x,), [4.0]) * 2.0

    def with_a_closure(x):
        out = Value(4.0, (x * 1.0,), "square")
        out._backward = lambda: None
        return out

    for f in (with_partials, with_a_closure):
        with pytest.raises(TraceError, match=r"test_higher_order\.py, line \d+"):
            TRANSFORMS[name](decorate(f))(2.0)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_in_a_compiled_function_they_are_refused(name, no_leak):
    with pytest.raises((TraceError, TypeError), match=r"compiled function|must be a real number, not Value"):
        pygrad.compile(lambda x: TRANSFORMS[name](lambda y: y**3)(x))(2.0)
    assert pygrad.compile(lambda x: x * 2)(1.0).data == 2.0


@pytest.mark.parametrize("name", TRANSFORMS)
def test_errors_are_those_of_the_function(name, no_leak):
    for f in (lambda x: x.log(), pygrad.compile(lambda x: x.log())):
        transform = TRANSFORMS[name](f)
        for _ in range(2):
            with pytest.raises(ValueError, match="math domain error"):
                transform(-1.0)
            transform(1.0)
    with pytest.raises(KeyError):
        TRANSFORMS[name](lambda x: {}[1])(1.0)


def test_all_grads_stay_as_they_were(no_leak):
    w = Value(3.0)
    w.grad = 7.0
    hoard = w * w
    hoard.grad = 5.0
    for f in (lambda x: w * x**2 + hoard, pygrad.compile(lambda x: w * x**2 + hoard)):
        for transform in TRANSFORMS.values():
            before = live_nodes()
            transform(f)(2.0)
            assert (w.grad, hoard.grad) == (7.0, 5.0)
        assert hessian(f)(2.0) == 6.0
        del before


X = [1.0, 2.0]
MISUSE = [
    (TypeError, "a function is needed", lambda: hessian(None)),
    (TypeError, "a function is needed", lambda: hvp(3.0)),
    (TypeError, "a function is needed", lambda: jvp("f")),
    (TypeError, "argnum must be an integer", lambda: hessian(lambda x: x, "0")),
    (TypeError, "there is no argument 1", lambda: hessian(lambda x: x, 1)(1.0)),
    (TypeError, "there is no argument 0", lambda: hessian(lambda: 1.0)()),
    (TypeError, "must return one number", lambda: hessian(lambda x: [x, x])(1.0)),
    (TypeError, "must return one number", lambda: hessian(pygrad.compile(lambda x: [x, x]))(1.0)),
    (TypeError, "must return one number", lambda: hvp(lambda x: (x,))(1.0, 1.0)),
    (TypeError, "must return one number", lambda: grad(grad(lambda x: [x, x]))(1.0)),
    (TypeError, "must return one number", lambda: grad(grad(lambda x: x[0] * x[1]))(X)),
    (TypeError, "must return one number", lambda: grad(hessian(lambda x: x[0] * x[1]))(X)),
    (TypeError, "must return one number", lambda: hessian(jacobian(lambda x: [x, x]))(1.0)),
    (TypeError, "is not differentiated further", lambda: grad(hvp(lambda x: x * x))(1.0, 1.0)),
    (TypeError, "is not differentiated further", lambda: jacobian(jvp(lambda x: x * x))(1.0, 1.0)),
    (TypeError, "is not differentiated further", lambda: hessian(hvp(lambda x: x * x))(1.0, 1.0)),
    (TypeError, "is not differentiated further", lambda: hvp(hvp(lambda x: x * x))(1.0, 1.0, 1.0)),
    (TypeError, "several arguments is not differentiated", lambda: grad(hessian(lambda x: x * x, (0,)))(1.0)),
    (TypeError, "two arguments at least", lambda: hvp(lambda x: x)(1.0)),
    (TypeError, "two arguments at least", lambda: jvp(lambda x: x)(v=1.0)),
    (TypeError, "a component of v must be a real number, not str", lambda: hvp(lambda x: x)(1.0, "a")),
    (TypeError, "a component of v must be a real number", lambda: hvp(lambda x: x)(1.0, None)),
    (TypeError, "a component of v must be a real number", lambda: jvp(lambda x: x[0])(X, [1.0, Value(1.0)])),
    (TypeError, "an argument must be a real number, not str", lambda: hessian(lambda x: x)("a")),
    (TypeError, "an argument must be a real number", lambda: hessian(lambda x: x[0])([1.0, None])),
    (TypeError, "an argument must be a real number", lambda: hessian(pygrad.compile(lambda x: x[0]))([1.0, None])),
    (ValueError, "v has 1 numbers and x 2", lambda: hvp(lambda x: x[0])(X, [1.0])),
    (ValueError, "v has 1 numbers and x 2", lambda: hvp(lambda x: x[0])(X, 1.0)),
    (ValueError, "v has 0 numbers and x 2", lambda: hvp(lambda x: x[0])(X, [])),
    (ValueError, "v has 3 numbers and x 2", lambda: jvp(lambda x: x[0])(X, [1.0, 2.0, 3.0])),
    (ValueError, "v has 3 numbers and x 2", lambda: jvp(lambda x: x[0])(X, [[1.0, 2.0], [3.0]])),
    (ValueError, "v has 4 numbers and x 2", lambda: hvp(lambda x: x[0])(X, [[1.0, 2.0, 3.0], [4.0]])),
    (ValueError, "v has 2 numbers and x 2", lambda: hvp(lambda x: x[0])(X, [[1.0], [4.0]])),
    (ValueError, "other keys", lambda: hvp(lambda x: x["a"])({"a": 1.0, "b": 2.0}, {"b": 1.0, "a": 2.0})),
    (ValueError, "other keys", lambda: jvp(lambda x: x[0]["a"])([{"a": 1.0}], [{"b": 1.0}])),
    (TypeError, "is static", lambda: hessian(pygrad.compile(lambda n, x: x**n, static="n"))(3, 2.0)),
    (OverflowError, "too large", lambda: hessian(lambda x: x * x)(10**400)),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(MISUSE)))
def test_misuse(case, no_leak):
    kind, text, call = MISUSE[case]
    for _ in range(2):
        with pytest.raises(kind, match=text):
            call()


def test_without_numpy(run_python):
    program = """
import sys
sys.modules["numpy"] = None
from pygrad import grad, hessian, hvp, jacobian, jvp
f = lambda x: x[0] ** 2 * x[1]
x = [3.0, 5.0]
print(hessian(f)(x), hvp(f)(x, [1.0, 0.0]), hvp(f)(x, [[1.0, 0.0], [0.0, 1.0]]), jvp(f)(x, [[1.0, 0.0]]))
print(jacobian(grad(f))(x), grad(grad(lambda x: x**3))(2.0))
"""
    lines = ["[[10.0, 6.0], [6.0, 0.0]] [10.0, 6.0] [[10.0, 6.0], [6.0, 0.0]] [30.0]", "[[10.0, 6.0], [6.0, 0.0]] 12.0"]
    assert run_python(program).splitlines() == lines
