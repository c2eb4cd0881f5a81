"""vmap: rows against single runs, whatever the function, its arguments and its results; errors by row; misuse."""

from __future__ import annotations

import math
import random
import sys
from collections import namedtuple
from decimal import Decimal

import pytest
from conftest import examples, settled
from helpers import apply, of_kind
from hypothesis import given, settings
from hypothesis import strategies as st

import pygrad
from pygrad import TraceError, Value, grad, hessian, hvp, jacobian, jvp, nn, value_and_grad, vmap
from pygrad._backends.rows import MOST_THREADS

np = pytest.importorskip("numpy")

#: Values of these are rounded once, or chosen: rows have the bits of single runs. Others may be off by an ulp or two.
EXACT = ("add", "sub", "mul", "div", "minimum", "maximum", "greater", "where", "neg", "abs", "relu", "sqrt")
EXACT += ("sum", "mean", "dot", "take")
KINDS = ("unary", "binary", "scalar", "nary", "paired", "ternary", "indexed")
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, 1e200, -1e300, 5e-324, math.inf, -math.inf, math.nan]
ROWS_AROUND_LANES = [*range(1, 41), 127, 128, 129, 500]


def plain(x):
    """Numbers in place of Values and arrays."""
    if isinstance(x, (list, tuple)):
        return [plain(item) for item in x]
    if hasattr(x, "tolist"):
        return x.tolist()
    return x.data if isinstance(x, Value) else x


def exactly(x):
    """Numbers as repr has them: nan equals itself, and 0.0 is not -0.0."""
    return repr(plain(x))


def ulps(x, y):
    if x == y or (math.isnan(x) and math.isnan(y)):
        return 0.0
    size = max(abs(x), abs(y))
    return abs(x - y) / math.ulp(size) if math.isfinite(size) else math.inf


def step(op, x, y, z, k):
    """An operation of the table, of some Values and a number."""
    if op.kind == "unary":
        return apply(op, x)
    if op.kind == "binary":
        return apply(op, x, k if op.is_operator and k != 2.0 else y)
    if op.kind == "scalar":
        return apply(op, x, 2)
    if op.kind == "nary":
        return apply(op, [x, y, k, z])
    if op.kind == "paired":
        return apply(op, [x, y, k], [z, k, x])
    if op.kind == "ternary":
        return pygrad.where(x, y, z)
    return pygrad.take([x, y, k, 1.5], pygrad.greater(z, y) * 2 + pygrad.greater(y, z))


def random_function(rng, steps=10):
    """Of some Values: the list of all results on its way."""
    ops = [op for op in of_kind(*KINDS) if op.name in EXACT or op.kind == "scalar"]
    plan = [(rng.choice(ops), [rng.random() for _ in range(3)], rng.choice(SPECIAL)) for _ in range(steps)]

    def f(*xs):
        values = list(xs)
        for op, places, k in plan:
            values.append(step(op, *[values[int(place * len(values))] for place in places], k))
        return values[len(xs) :]

    return f


def outcome(f, *args):
    try:
        return plain(f(*args))
    except (ArithmeticError, ValueError, IndexError) as error:
        return error


def numbers(rng, count):
    return [rng.choice(SPECIAL) if rng.random() < 0.1 else rng.gauss(0, 2) for _ in range(count)]


# -- rows are single runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("start", range(0, len(ROWS_AROUND_LANES), 11))
def test_rows_are_single_runs(start, no_leak):
    """To the bit, values and derivatives; a row that fails has the eager run's error, or is nan."""
    for count in ROWS_AROUND_LANES[start : start + 11]:
        rng = random.Random(count)
        f, arguments = random_function(rng), rng.randint(1, 3)
        compiled, everything = pygrad.compile(f), tuple(range(arguments))
        axes = [rng.choice((0, None)) for _ in range(arguments)]
        axes[rng.randrange(arguments)] = 0
        args = [numbers(rng, 1)[0] if axis is None else numbers(rng, count) for axis in axes]
        if rng.random() < 0.5:
            args = [x if axis is None else np.array(x) for x, axis in zip(args, axes)]
        rows = [[x if axis is None else x[i] for x, axis in zip(args, axes)] for i in range(count)]
        single = [outcome(lambda *row, f=f: f(*map(Value, row)), *row) for row in rows]
        failed = [i for i, result in enumerate(single) if isinstance(result, Exception)]
        if failed:
            with pytest.raises(type(single[failed[0]])) as caught:
                vmap(compiled, axes)(*args)
            assert str(caught.value) == f"{single[failed[0]]}, in row {failed[0]}"
        if len(failed) == count:
            continue
        many = plain(vmap(compiled, axes, errors="nan")(*args))
        slopes = plain(vmap(jacobian(compiled, everything), axes, errors="nan")(*args))
        for i in range(count):
            nan = [math.nan] * 10
            assert exactly(many[i]) == exactly(nan if i in failed else single[i]), (count, i)
            row = [nan] * arguments if i in failed else jacobian(compiled, everything)(*rows[i])
            assert exactly([slope[i] for slope in slopes]) == exactly(row), (count, i)


POINTS = [0.0, -0.0, 5e-324, 1e-200, 1e-8, 0.3, 0.5, 1.0, 1.5, 2.0, 3.7, 36.7, 700.0, 745.0, 1e8, 1e200]
POINTS += [-x for x in POINTS] + [math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in of_kind("unary", "binary", "scalar")])
def test_each_operation(op, no_leak):
    """Values and derivatives at all sorts of points, side by side; what is refused is nan."""
    if op.kind == "scalar":
        exponents = [0, 1, 2, 3, -1, 0.5, -2.5, 1e5]
        for exponent in exponents:
            check_operation(lambda x, y=exponent: x**y, [POINTS], op.name in EXACT or exponent in (0, 1, 2))
        return
    pairs = [POINTS] if op.kind == "unary" else [*zip(*[(x, y) for x in POINTS for y in POINTS])]
    check_operation(lambda *xs: apply(op, *xs), pairs, op.name in EXACT)


def check_operation(f, columns, is_exact):
    compiled, everything = pygrad.compile(f), tuple(range(len(columns)))
    rows = [*zip(*columns)]
    values = vmap(compiled, errors="nan")(*map(list, columns)).tolist()
    slopes = [s.tolist() for s in vmap(grad(compiled, everything), errors="nan")(*map(np.array, columns))]
    for i, row in enumerate(rows):
        single = outcome(lambda *row: f(*map(Value, row)), *row)
        if isinstance(single, Exception):
            assert math.isnan(values[i]) and all(math.isnan(s[i]) for s in slopes), row
            with pytest.raises(type(single)) as caught:
                vmap(compiled)(*[[1.0, x] for x in row])
            assert str(caught.value) == f"{single}, in row 1"
            continue
        by_itself = grad(compiled, everything)(*row)
        if is_exact:
            assert exactly(values[i]) == exactly(single), row
            assert exactly([s[i] for s in slopes]) == exactly(by_itself), row
        else:
            assert ulps(values[i], single) <= 4, (row, values[i], single)
            for slope, expected in zip(slopes, by_itself):
                assert ulps(slope[i], expected) <= 8, (row, slope[i], expected)


def test_a_long_program(no_leak):
    """Of registers beyond any cache, with what is the same in all rows beside what is not."""

    def f(x, w):
        state, shared = x, w
        for k in range(2000):
            shared = shared * 0.5 + 0.25 * k
            state = (state * 0.75 - shared).maximum(-50.0) + w
        return [state, shared]

    compiled = pygrad.compile(f)
    xs = [0.5 * i for i in range(50)]
    many = vmap(compiled, (0, None))(xs, 1.25)
    assert exactly(many) == exactly([compiled(x, 1.25) for x in xs])


# -- arguments ----------------------------------------------------------------------------------------------


def doubled(x):
    return [leaf * 2 + 1 for leaf in leaves(x)]


def leaves(x):
    if isinstance(x, (list, tuple)):
        return [leaf for item in x for leaf in leaves(item)]
    if isinstance(x, dict):
        return leaves([*x.values()])
    return leaves(x.reshape(-1).tolist()) if hasattr(x, "reshape") else [x]


Point = namedtuple("Point", "x y")
leaf = st.one_of(
    st.floats(-1e3, 1e3), st.integers(-(10**6), 10**6), st.floats(width=32, allow_nan=False).map(np.float32)
)
shapes = st.recursive(
    st.just(float),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
        st.builds(Point, inner, inner),
        st.sampled_from([(2,), (2, 0), (1, 3), (2, 1, 2)]).map(np.zeros),
    ),
    max_leaves=6,
)


def filled(shape, draw):
    if shape is float:
        return draw(leaf)
    if isinstance(shape, dict):
        return {name: filled(item, draw) for name, item in shape.items()}
    if isinstance(shape, Point):
        return Point(*[filled(item, draw) for item in shape])
    if isinstance(shape, (list, tuple)):
        return type(shape)([filled(item, draw) for item in shape])
    return np.array([draw(st.floats(-9, 9)) for _ in range(shape.size)]).reshape(shape.shape)


@settings(max_examples=examples(60), deadline=None)
@given(shapes, st.integers(1, 18), st.data())
def test_rows_nested_as_they_may_be(shape, count, data):
    rows = [filled(shape, data.draw) for _ in range(count)]
    compiled = pygrad.compile(doubled)
    expected = [[leaf * 2 + 1 for leaf in map(float, leaves(row))] for row in rows]
    for given_rows in (rows, tuple(rows)):
        assert plain(vmap(compiled)(given_rows)) == (expected if expected[0] else [])
    if expected[0]:
        slopes = vmap(grad(lambda x: pygrad.sum(doubled(x))))(rows)
        single = grad(lambda x: pygrad.sum(doubled(x)))(rows[0])
        assert [float(x) for x in leaves(single)] == [2.0] * len(expected[0])
        assert all(number == 2.0 for number in leaves(slopes))


ARRAYS = [
    np.arange(24.0).reshape(12, 2),
    np.arange(24, dtype=np.float32).reshape(12, 2) / 3,
    np.arange(24, dtype=np.float16).reshape(12, 2),
    np.arange(24, dtype=np.longdouble).reshape(12, 2),
    np.arange(24, dtype=np.int8).reshape(12, 2),
    np.arange(24, dtype=np.uint64).reshape(12, 2) + 2**60,
    np.arange(24.0).astype(">f8").reshape(12, 2),
    np.asfortranarray(np.arange(24.0).reshape(12, 2)),
    np.arange(96.0).reshape(24, 4)[::2, 1::2],
    np.arange(24.0).reshape(12, 2)[::-1],
    np.arange(24.0).reshape(2, 12).T,
    np.broadcast_to(np.arange(2.0), (12, 2)),
    np.arange(24.0).reshape(12, 2).astype(object),
    np.frombuffer(np.arange(24.0).tobytes()).reshape(12, 2),  # read-only
    np.frombuffer(b"x" + np.arange(24.0).tobytes(), dtype="u1")[1:].view("f8").reshape(12, 2),  # between addresses
]


@pytest.mark.parametrize("case", range(len(ARRAYS)))
def test_arrays_of_all_kinds(case):
    x = ARRAYS[case]
    before, expected = x.copy(), [[float(a) * float(b) - float(a), float(b)] for a, b in x]
    f = pygrad.compile(lambda row: [row[0] * row[1] - row[0], row[1]])
    for rows in (x, list(x), [list(row) for row in x], [tuple(row) for row in x.tolist()]):
        got = vmap(f)(rows)
        assert got.dtype == float and got.tolist() == expected
    product = pygrad.compile(lambda a, b: a * b - a)
    assert vmap(product)(x[:, 0], x[:, 1]).tolist() == [row[0] for row in expected]
    slopes = vmap(grad(lambda row: row[0] * row[1]))(x)
    assert slopes.dtype == float and slopes.tolist() == [[float(b), float(a)] for a, b in x]
    assert (x == before).all() and x.dtype == before.dtype


def test_numbers_of_all_kinds(no_leak):
    rows = [1, 2.5, np.float32(0.5), np.int64(3), Decimal("1.5"), np.array(4.0)]
    assert vmap(lambda x: x * 2)(rows).tolist() == [2.0, 5.0, 1.0, 6.0, 3.0, 8.0]
    assert vmap(lambda x: x * 2)([2**60 + 1, 10**300]).tolist() == [2.0 * (2**60 + 1), 2e300]
    with pytest.raises(OverflowError, match="too large"):
        vmap(lambda x: x * 2)([1.0, 10**400])


def test_shared_arguments(no_leak):
    x, k = np.arange(20.0), {"scale": 2.0, "shift": [1, 3.0]}
    f = pygrad.compile(lambda x, k, n="up": x * k["scale"] + k["shift"][1] if n == "up" else x)
    assert vmap(f, (0, None))(x, k).tolist() == (x * 2 + 3).tolist()
    assert vmap(f, (0, None, None))(x, k, "down").tolist() == x.tolist()
    assert vmap(f, [0, None])(list(x), k).tolist() == (x * 2 + 3).tolist()
    w = Value(3.0)  # read, where nothing flows back
    assert vmap(lambda x, w: x * w, (0, None))(x, w).tolist() == (x * 3).tolist()
    assert vmap(grad(lambda x, w: x * w * w, argnum=1), (0, None))(x, 3.0).tolist() == (x * 6).tolist()
    static = pygrad.compile(lambda n, x: x**n, static="n")
    assert vmap(static, (None, 0))(2, x).tolist() == (x * x).tolist()
    assert vmap(static, (None, 0))(3, x[:2]).tolist() == [0.0, 1.0]


def test_functions_of_all_kinds(no_leak):
    class Line:
        def __init__(self, a):
            self.a = Value(a)

        @pygrad.compile
        def at(self, x, y=1.0):
            return self.a * x * y

        def plain(self, x):
            return self.a * x

        def __call__(self, x):
            return self.a * x

    line = Line(3.0)
    for f in (line.at, line.plain, line, vmap(line.at).f):
        assert vmap(f)([1.0, 2.0]).tolist() == [3.0, 6.0]
    assert vmap(line.at)([1.0, 2.0], [2.0, 5.0]).tolist() == [6.0, 30.0]
    assert vmap(grad(line.at, argnum=1))([1.0, 2.0], [2.0, 5.0]).tolist() == [3.0, 6.0]
    assert vmap(pygrad.sum)([[1.0, 2.0], [3.0, 4.0]]).tolist() == [3.0, 7.0]
    assert vmap(lambda *xs: pygrad.sum(list(xs)))([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]).tolist() == [9.0, 12.0]


def test_a_parameter_that_changes_between_calls(no_leak):
    w = Value(2.0)
    f = vmap(lambda x: w * x)
    assert f([1.0, 2.0]).tolist() == [2.0, 4.0]
    w.data = 5.0
    assert f([1.0, 2.0]).tolist() == [5.0, 10.0]
    w = Value(7.0)
    assert f([1.0, 2.0]).tolist() == [7.0, 14.0]


# -- results ------------------------------------------------------------------------------------------------


def test_results_are_arrays_nested_as_the_function_has_them(no_leak):
    xs = [1.0, -2.0, 3.0]

    def f(x):
        y = x * 2
        return {
            "one": y,
            "list": [x, y],
            "square": [[x, y], [y, 1.0]],
            "pair": (y, [y]),
            "point": Point(x, y),
            "uneven": [[x], [x, y]],
            "array": np.array([[x, y]]),
            "words": "text",
            "mixed": ["text", x, None, y, [True, "more"]],
            "objects": np.array(["text", x, 1.0], dtype=object),
            "constants": [1.0, math.nan, 3],
            "numbers": np.arange(2.0),
            "empty": [[], (), {}],
        }

    result = vmap(f)(xs)
    x, y = np.array(xs), 2 * np.array(xs)
    assert result["one"].tolist() == y.tolist() and result["one"].dtype == float
    assert result["list"].tolist() == [[a, 2 * a] for a in xs]
    assert result["square"].tolist() == [[[a, 2 * a], [2 * a, 1.0]] for a in xs]
    assert plain(result["pair"]) == [y.tolist(), [[b] for b in y]] and type(result["pair"]) is tuple
    assert plain(result["point"]) == [x.tolist(), y.tolist()] and type(result["point"]) is Point
    assert plain(result["uneven"]) == [[[a] for a in xs], [[a, 2 * a] for a in xs]]
    assert result["array"].tolist() == [[[a, 2 * a]] for a in xs]
    assert result["words"] == "text"
    assert plain(result["mixed"]) == ["text", xs, None, y.tolist(), [[1.0] * 3, "more"]]
    assert plain(result["objects"]) == ["text", xs, [1.0] * 3]
    assert exactly(result["constants"]) == exactly([[1.0, math.nan, 3.0]] * 3)
    assert plain(result["numbers"]) == [[0.0, 1.0]] * 3
    assert plain(result["empty"][0]) == [] and result["empty"][1:] == [(), {}]
    result["one"][:] = 0.0  # the arrays are the caller's
    assert vmap(f)(xs)["one"].tolist() == y.tolist()


def test_results_that_do_not_depend_on_rows(no_leak):
    w, runs = Value(2.0), []

    def f(x):
        runs.append(x)
        return [w * w, w, x, 5.0, Value(7.0)]

    for count in (1, 7, 8, 9, 300):
        xs = [float(i) for i in range(count)]
        assert vmap(f)(xs).tolist() == [[4.0, 2.0, x, 5.0, 7.0] for x in xs]
        total = vmap(f, reduce="sum")(xs)
        assert plain(total) == [4.0 * count, 2.0 * count, sum(xs), 5.0 * count, 7.0 * count]
        assert plain(vmap(f, reduce="mean")(xs)) == [4.0, 2.0, sum(xs) / count, 5.0, 7.0]
        total[0].backward()
        assert w.grad == 4.0 * count
        w.grad = 0.0
    assert len(runs) == 15  # recorded anew for each vmap, and then run without the function


@pytest.mark.parametrize("count", [1, 3])
def test_sums_of_numbers_that_the_function_returned(count, no_leak):
    xs = [1.0] * count
    assert vmap(lambda x: 5.0, reduce="sum")(xs) == 5.0 * count
    assert vmap(lambda x: 5, reduce="mean")(xs) == 5
    result = vmap(lambda x: {"a": ("text", None, True, 2), "b": np.array([x, 3.0]), "c": np.ones(2)}, reduce="sum")(xs)
    assert result["a"] == ("text", None, True, 2 * count)
    assert plain(result["b"]) == [count, 3.0 * count] or [count, 3.0 * count] == [
        float(v) for v in plain([*result["b"]])
    ]
    assert result["c"].tolist() == [count, count] and result["c"].dtype == float
    assert vmap(value_and_grad(lambda x: 5.0), reduce="sum")(xs) == (5.0 * count, 0.0)
    value, slope = vmap(value_and_grad(lambda x: 5.0), reduce="sum")([np.ones(2)] * count)
    assert value == 5.0 * count and slope.tolist() == [0.0, 0.0]
    assert vmap(jacobian(lambda x: [x * 2, 5.0]), reduce="sum")(xs) == [2.0 * count, 0.0]


def test_minus_zero_stays(no_leak):
    """But in derivatives, as in a grad."""
    assert exactly(vmap(lambda x: [-x, x])([0.0, -0.0])) == "[[-0.0, 0.0], [0.0, -0.0]]"
    assert exactly(vmap(value_and_grad(lambda x: -(x * x)))([0.0])) == "[[-0.0], [0.0]]"
    assert exactly(vmap(hessian(lambda x: -(x**3)))([0.0])) == "[0.0]"
    w = Value(-0.0)
    assert exactly(vmap(lambda x: w)([1.0])) == "[-0.0]"


# -- sums and means -----------------------------------------------------------------------------------------


def loss_of(model):
    return lambda x, y: pygrad.sum((p - t) ** 2 for p, t in zip(model(x), y))


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("count", [1, 8, 300])
def test_gradients_of_a_model(reduce, count, no_leak):
    """As a loop over the rows has them; calls before and after, and other grads, add up."""
    rng = random.Random(count)
    model = nn.MLP(3, [4, 2], nonlin="tanh")
    loss = loss_of(model)
    xs = [[rng.gauss(0, 1) for _ in range(3)] for _ in range(count)]
    ys = [[rng.gauss(0, 1) for _ in range(2)] for _ in range(count)]
    expected = pygrad.sum(loss(x, y) for x, y in zip(xs, ys)) / (count if reduce == "mean" else 1)
    expected.backward()
    grads = [p.grad for p in model.parameters()]
    model.zero_grad()
    f = vmap(loss, reduce=reduce)
    for data in ((xs, ys), (np.array(xs), np.array(ys))):
        total = f(*data)
        assert type(total) is Value and total.data == pytest.approx(expected.data, rel=1e-12)
        (total * 2.0 + 1.0).backward()
        assert [p.grad for p in model.parameters()] == pytest.approx([2 * g for g in grads], rel=1e-9, abs=1e-12)
        model.zero_grad()


def test_values_that_all_rows_share(no_leak):
    w, b = [Value(1.5), Value(-2.0)], Value(0.5)
    xs = np.random.default_rng(0).normal(size=(37, 2))

    def f(w, x, k):
        return [(w[0] * x[0] + w[1] * x[1] + b) ** 2 * k, b * k, x[0]]

    first, second, third = vmap(f, (None, 0, None), "sum")(w, xs, 2.0)
    (first + second).backward()
    got = [v.grad for v in (*w, b)]
    for v in (*w, b):
        v.grad = 0.0
    losses, others, _ = zip(*[f(w, x.tolist(), 2.0) for x in xs])
    pygrad.sum([*losses, *others]).backward()
    assert got == pytest.approx([v.grad for v in (*w, b)], rel=1e-9)
    assert third.data == pytest.approx(xs[:, 0].sum()) and not pygrad.operands(third)
    total = vmap(lambda v, x: v * x, (None, 0), "mean")(b, [1.0, 3.0])
    total.backward()
    assert set(total._prev) >= {b} and total.data == 1.0


@pytest.mark.parametrize("make", [grad, value_and_grad, jacobian, hessian])
def test_transforms_added_up(make, no_leak):
    f = pygrad.compile(lambda x, k: pygrad.sum(k * a * a * b for a, b in zip(x, x[1:])))
    transform, xs = make(f), np.random.default_rng(1).normal(size=(29, 3))
    single = [flat(transform(x, 0.5)) for x in xs]
    rows = vmap(transform, (0, None))(xs, 0.5)
    total, mean = (vmap(transform, (0, None), reduce)(xs, 0.5) for reduce in ("sum", "mean"))
    columns = [sum(column) for column in zip(*single)]
    assert flat(total) == pytest.approx(columns, rel=1e-12)
    assert flat(mean) == pytest.approx([number / 29 for number in columns], rel=1e-12)
    assert type(total) is type(transform(xs[0], 0.5))
    if make is not value_and_grad:
        assert rows.shape == (29, *total.shape) and exactly(flat(list(rows))) == exactly(flat(single))


def flat(x):
    return [float(number) for number in leaves(x)]


def test_jacobian_and_hessian_rows_are_nested_as_a_single_one(no_leak):
    x = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert vmap(jacobian(lambda x: [x[0] * x[1], x[0]]))(x).tolist() == [[[b, a], [1.0, 0.0]] for a, b in x]
    assert vmap(hessian(lambda x: x[0] ** 2 * x[1]))(x).tolist() == [[[2 * b, 2 * a], [2 * a, 0.0]] for a, b in x]
    nested = vmap(hessian(lambda x: x["a"] ** 2 * x["b"]))([{"a": a, "b": b} for a, b in x])
    assert nested["a"]["a"].tolist() == [2 * b for _, b in x] and nested["b"]["b"].tolist() == [0.0] * 3
    by_x, by_y = vmap(grad(lambda x, y: x * x * y, argnum=(0, 1)))([1.0, 2.0], [3.0, 4.0])
    assert by_x.tolist() == [6.0, 16.0] and by_y.tolist() == [1.0, 4.0]
    assert vmap(grad(grad(grad(lambda x: x**5))))([1.0, 2.0]).tolist() == [60.0, 240.0]
    array = np.arange(12.0).reshape(3, 2, 2)
    assert vmap(hessian(lambda x: x[0, 0] ** 2))(array).shape == (3, 2, 2, 2, 2)


def test_written_out_in_a_compiled_function(no_leak):
    w = Value(3.0)

    @pygrad.compile
    def f(xs):
        return [vmap(lambda x: w * x, reduce="mean")(xs), pygrad.sum(vmap(lambda x: x * x)(xs))]

    assert plain(f([1.0, 2.0])) == [4.5, 5.0]
    f([1.0, 2.0])[0].backward()
    assert w.grad == 1.5
    rows = np.arange(6.0).reshape(3, 2)
    assert vmap(lambda row: vmap(lambda x, k: x * k, (0, None))(row, 2.0))(rows).tolist() == (rows * 2).tolist()
    pair = pygrad.compile(lambda xs: vmap(lambda x: {"a": x, "b": (x * 2, 1.0)}, reduce="sum")(xs))([1.0, 2.0])
    assert plain(pair["a"]) == 3.0 and plain(pair["b"]) == [6.0, 2.0]
    with pytest.raises(TraceError, match="a gradient of rows is asked for"):
        vmap(lambda row: vmap(grad(lambda x: x * x))(row))(rows)
    with pytest.raises(TypeError, match="no argument has rows"):
        pygrad.compile(lambda x: vmap(lambda y: y, None)(x))(1.0)


def test_sums_without_numpy(run_python):
    program = """
import sys
sys.modules["numpy"] = None
from pygrad import Value, grad, vmap
w = Value(2.0)
total = vmap(lambda x: w * x[0] + x[1], reduce="sum")([[1.0, 2.0], [3.0, 4.0]])
total.backward()
print(total, w.grad, vmap(grad(lambda x: x * x), reduce="mean")([1.0, 3.0]))
try:
    vmap(lambda x: x)([1.0])
except ImportError as error:
    print(error)
"""
    assert run_python(program) == "Value(data=14.0) 4.0 4.0\nthis needs numpy: pip install numpy\n"


# -- errors -------------------------------------------------------------------------------------------------

FAILURES = [
    (lambda x: x.log(), ValueError, "math domain error"),
    (lambda x: 1 / x, ZeroDivisionError, "division by zero"),
    (lambda x: (x - 1) ** 0.5, ValueError, "real"),
    (lambda x: (1 / (x + 1e-3)).exp(), OverflowError, "range"),
    (lambda x: pygrad.take([x, 1.0], x - 3), IndexError, "whole number"),
]


@pytest.mark.parametrize("case", range(len(FAILURES)))
@pytest.mark.parametrize("row", [0, 7, 8, 300])
def test_the_first_row_that_fails(case, row, no_leak):
    f, kind, text = FAILURES[case]
    rows = [2.0] * 301
    assert vmap(f)(rows).shape == (301,)
    rows[row] = 0.0
    rows[300] = 0.0
    for transform in (lambda f: f, grad, value_and_grad, hessian):
        for reduce in (None, "sum", "mean"):
            for threads in (None, 3):
                with pytest.raises(kind, match=f"{text}.*, in row {row}$"):
                    vmap(transform(f), reduce=reduce, threads=threads)(rows)
    values = vmap(f, errors="nan")(rows)
    assert [i for i in range(301) if math.isnan(values[i])] == sorted({row, 300})
    value, slope = vmap(value_and_grad(f), errors="nan")(rows)
    assert np.isnan(slope).tolist() == np.isnan(value).tolist() == np.isnan(values).tolist()
    assert math.isnan(vmap(f, reduce="sum", errors="nan")(rows).data)
    assert math.isnan(vmap(grad(f), reduce="mean", errors="nan")(rows))


def test_what_fails_in_all_rows(no_leak):
    w = Value(0.0)
    f = vmap(lambda x: [x, w.log()])
    with pytest.raises(ValueError, match=r"math domain error, in row 0$"):
        f([1.0] * 20)
    passing = vmap(f.f, errors="nan")
    with pytest.raises(ValueError, match=r"math domain error, in row 19$"):  # it is not known what would be nan
        passing([1.0] * 20)
    w.data = 1.0
    assert f([1.0] * 20).tolist() == passing([1.0] * 20).tolist() == [[1.0, 0.0]] * 20
    w.data = 0.0
    assert np.isnan(passing([1.0] * 20)).all()
    with pytest.raises(ValueError, match=r"math domain error, in row 0$"):
        f([1.0] * 20)


def test_nan_of_a_row_is_no_error(no_leak):
    xs = [math.nan, math.inf, -math.inf, 1.0]
    assert exactly(vmap(lambda x: [x * 0.0, x.tanh(), x.exp()])(xs)[:3]) == exactly(
        [[math.nan] * 3, [math.nan, 1.0, math.inf], [math.nan, -1.0, 0.0]]
    )


# -- misuse -------------------------------------------------------------------------------------------------

ROWS = [1.0, 2.0]
MADE_WRONG = [
    (TypeError, "a function is needed, not NoneType", lambda: vmap(None)),
    (TypeError, "can't be run over rows again", lambda: vmap(vmap(lambda x: x))),
    (ValueError, "in_axes is 0 for rows", lambda: vmap(lambda x: x, in_axes=1)),
    (ValueError, "in_axes is 0 for rows", lambda: vmap(lambda x: x, in_axes=(0, -1))),
    (ValueError, "in_axes is 0 for rows", lambda: vmap(lambda x: x, in_axes=False)),
    (ValueError, "in_axes is 0 for rows", lambda: vmap(lambda x: x, in_axes="0")),
    (ValueError, "in_axes is 0 for rows", lambda: vmap(lambda x: x, in_axes={0: 0})),
    (ValueError, "reduce is None", lambda: vmap(lambda x: x, reduce="max")),
    (ValueError, "reduce is None", lambda: vmap(lambda x: x, reduce=[])),
    (ValueError, 'errors is "raise"', lambda: vmap(lambda x: x, errors="x")),
    (ValueError, 'errors is "raise"', lambda: vmap(lambda x: x, errors=None)),
    (ValueError, f"threads is a number from 1 to {MOST_THREADS}", lambda: vmap(lambda x: x, threads=0)),
    (ValueError, "threads is a number", lambda: vmap(lambda x: x, threads="a")),
    (ValueError, "threads is a number", lambda: vmap(lambda x: x, threads=-1)),
    (ValueError, "threads is a number", lambda: vmap(lambda x: x, threads=True)),
    (ValueError, "threads is a number", lambda: vmap(lambda x: x, threads=2.0)),
]
CALLED_WRONG = [
    (TypeError, "no argument has rows", lambda: vmap(lambda: 1.0)()),
    (TypeError, "no argument has rows", lambda: vmap(lambda: 1.0, ())()),
    (TypeError, "no argument has rows", lambda: vmap(lambda x: x, None)(ROWS)),
    (TypeError, "too many positional", lambda: vmap(lambda: 1.0)(ROWS)),
    (TypeError, "in_axes is for 2 arguments, and 1", lambda: vmap(lambda x: x, (0, 0))(ROWS)),
    (TypeError, "unexpected keyword", lambda: vmap(lambda x: x)(x=ROWS)),
    (ValueError, "there are no rows", lambda: vmap(lambda x: x)([])),
    (ValueError, "there are no rows", lambda: vmap(lambda x: x)(np.empty((0, 3)))),
    (ValueError, "different numbers of rows: 2, 1", lambda: vmap(lambda x, y: x)(ROWS, [1.0])),
    (TypeError, "not str", lambda: vmap(lambda x: x)("ab")),
    (TypeError, "not float", lambda: vmap(lambda x: x)(1.0)),
    (TypeError, "not Value", lambda: vmap(lambda x: x)(Value(1.0))),
    (TypeError, "not ndarray", lambda: vmap(lambda x: x)(np.array(1.0))),
    (TypeError, "not dict", lambda: vmap(lambda x: x)({0: 1.0})),
    (TypeError, "not generator", lambda: vmap(lambda x: x)(x for x in ROWS)),
    (TypeError, "row 0 of argument 0 has a Value in it", lambda: vmap(lambda x: x)([Value(1.0)])),
    (TypeError, "row 1 of argument 0 has a Value in it", lambda: vmap(lambda x: x)([1.0, Value(1.0)])),
    (TypeError, "row 1 of argument 1 has a Value", lambda: vmap(lambda x, y: x)(ROWS, [[1.0], [Value(1.0)]])),
    (TypeError, "has a Value in it", lambda: vmap(lambda x: x)(np.array([Value(1.0)]))),
    (TypeError, "has a Value in it", lambda: grad(vmap(lambda x: x, reduce="sum"))(ROWS)),
    (ValueError, "row 1 of argument 0 is not nested as row 0", lambda: vmap(lambda x: x[0])([[1.0, 2.0], [1.0]])),
    (ValueError, "row 2 of argument 0 is not nested", lambda: vmap(lambda x: 1.0)([[1.0], [1.0], (1.0,)])),
    (ValueError, "row 1 of argument 0 is not nested", lambda: vmap(lambda x: 1.0)([1.0, [1.0]])),
    (ValueError, "row 1 of argument 0 is not nested", lambda: vmap(lambda x: 1.0)([1.0, None])),
    (ValueError, "row 1 of argument 0 is not", lambda: vmap(lambda x: x["a"])([{"a": 1, "b": 2}, {"b": 1, "a": 2}])),
    (ValueError, "row 1 of argument 0 is not", lambda: vmap(lambda x: 1.0)(["a", "b"])),
    (ValueError, "row 1 of argument 0 is not", lambda: vmap(lambda x: 1.0)(np.array(["a", "b"]))),
    (ValueError, "row 1 of argument 0 is not", lambda: vmap(lambda x: 1.0)([True, False])),
    (ValueError, "row 1 of argument 0 is not", lambda: vmap(lambda x: 1.0)(np.array([True, False]))),
    (ValueError, "row 1 of argument 0 is not", lambda: vmap(lambda x: 1.0)(np.array([[True, True], [True, False]]))),
    (ValueError, "row 1 of argument 0 is not", lambda: vmap(lambda x: 1.0)(np.array([1j, 2j]))),
    (TypeError, "not hashable", lambda: vmap(lambda x: 1.0)([{1.0}, {2.0}])),
    (TypeError, "argument 0 is static", lambda: vmap(pygrad.compile(lambda n, x: x, static="n"))([1, 2], ROWS)),
    (TypeError, "no argument 3 to differentiate", lambda: vmap(grad(lambda x: x, argnum=3))(ROWS)),
    (TypeError, "must return one number", lambda: vmap(grad(lambda x: [x, x]))(ROWS)),
    (TypeError, "must return one number", lambda: vmap(grad(lambda x: [x, x]), reduce="sum")(ROWS)),
    (TypeError, "give it rows of v", lambda: vmap(hvp(lambda x: x * x))(ROWS, ROWS)),
    (TypeError, "give it rows of v", lambda: vmap(jvp(lambda x: x * x))(ROWS, ROWS)),
    (TypeError, "nor over rows", lambda: vmap(hessian(lambda x, y: x * y, argnum=(0, 1)))(ROWS, ROWS)),
    (TraceError, "operation of your own", lambda: vmap(lambda x: Value(1.0, (x,), [1.0]))(ROWS)),
    (TraceError, "data of a Value", lambda: vmap(lambda x: x if x.data > 0 else -x)(ROWS)),
    (TypeError, "object of type set", lambda: vmap(lambda x: {x * 2})(ROWS)),
    (KeyError, "mine", lambda: vmap(lambda x: {}["mine"])(ROWS)),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(MADE_WRONG)))
def test_what_is_no_vmap(case):
    kind, text, make = MADE_WRONG[case]
    with pytest.raises(kind, match=text):
        make()


@pytest.mark.parametrize("case", range(len(CALLED_WRONG)))
def test_what_are_no_rows(case, no_leak):
    kind, text, call = CALLED_WRONG[case]
    for _ in range(2):
        with pytest.raises(kind, match=text):
            call()


def test_an_error_leaves_it_usable(no_leak):
    f = vmap(lambda x: x[0].log())
    for _ in range(3):
        for bad in ([[0.0]], [["a"], ["b"]], [[1.0], []], [[Value(1.0)]], []):
            with pytest.raises((TypeError, ValueError, AttributeError)):
                f(bad)
        assert f([[1.0]] * 9).tolist() == [0.0] * 9


def test_how_it_is_called(no_leak):
    def squares(x):
        "Of a number."
        return x * x

    f = vmap(squares)
    assert f.__name__ == "squares" and f.__doc__ == "Of a number." and "squares" in repr(f)
    assert vmap(squares, 0, "sum", 2, "nan")(ROWS).data == 5.0
    assert vmap(squares, threads=10**6)(ROWS).tolist() == [1.0, 4.0]


# -- nothing is left ----------------------------------------------------------------------------------------


def test_calls_leave_no_node(no_leak):
    w = Value(2.0)
    f, total = vmap(lambda x: w * x), vmap(lambda x: w * x, reduce="sum")
    xs = np.arange(100.0)
    f(xs), total(xs)
    before = settled()
    for _ in range(20):
        f(xs)
        total(xs).backward()
        vmap(lambda x: w * x)(xs)
    assert settled() == before


@pytest.mark.unsanitized
@pytest.mark.skipif(sys.platform != "linux", reason="reads what the process holds as Linux tells it")
def test_memory_of_repeated_calls_stays_bounded(run_python):
    """A leak of one array a call would be 4 MB."""
    program = """
import gc, resource
import numpy as np
import pygrad
from pygrad import grad, hessian, hvp, vmap
def held():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
xs, v = np.ones((2000, 4)), np.ones((50, 50))
long = [0.5 * i for i in range(50)]
f = pygrad.compile(lambda x: pygrad.sum(a * a for a in x))
def failing(row):
    try:
        vmap(lambda x: x[0].log())(row)
    except ValueError:
        pass
many, total = vmap(f), vmap(f, reduce="sum", threads=2)
def calls():
    many(xs), total(xs), vmap(grad(f), errors="nan")(xs), vmap(f)(xs.tolist()), failing(xs - 1.0)
    hessian(lambda x: pygrad.sum(a * b * b for a, b in zip(x, x[1:])))(long)
    hvp(f)(long, v)
for _ in range(10):
    calls()
before = held()
for _ in range(60):
    calls()
print(held() - before < 3 * 2**20, held() - before)
"""
    assert run_python(program).startswith("True")


def test_a_default_that_changes_between_calls():
    weights = [2.0]
    f = pygrad.vmap(lambda x, w=weights: x * w[0])
    assert f([1.0, 2.0]).tolist() == [2.0, 4.0]
    weights[0] = 5.0
    assert f([1.0, 2.0]).tolist() == [5.0, 10.0]


def test_rows_within_a_differentiated_function():
    """Results that are numbers would lose their derivatives without a word; a sum over rows has them."""
    for inner in (
        lambda x: pygrad.vmap(lambda y: x * y)([1.0, 2.0])[0],
        lambda x: pygrad.vmap(lambda y, z: z * y, in_axes=(0, None))([1.0, 2.0], x)[0],
        lambda x: pygrad.vmap(pygrad.grad(lambda y, z: z * y), in_axes=(0, None), reduce="sum")([1.0, 2.0], x),
    ):
        with pytest.raises(TypeError, match=r"itself differentiated write grad\(grad\(f\)\)"):
            pygrad.grad(inner)(2.0)
    assert pygrad.grad(lambda x: pygrad.vmap(lambda y: x * y, reduce="sum")([1.0, 2.0]))(2.0) == 3.0
