"""Gradients of functions of floats, lists and tuples; tests/test_arrays.py has those of arrays."""

from __future__ import annotations

import multiprocessing
import pickle
import random
import sys
from collections import namedtuple
from fractions import Fraction

import pytest
from conftest import NEEDS_PROCESSES, live_nodes

import pygrad
from pygrad import Value, check_gradients, grad, jacobian, value_and_grad


def rosenbrock(x):
    return sum(100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2 for a, b in zip(x[:-1], x[1:]))


def test_the_shape_of_the_argument(no_leak):
    assert grad(lambda x: x**3)(2) == 12.0
    assert grad(lambda x: x[0] * x[1][0])([2.0, [3.0, 4.0]]) == [3.0, [2.0, 0.0]]
    assert grad(lambda x: x[0] * x[1])((2.0, 3.0)) == (3.0, 2.0)
    point = namedtuple("point", "x y")
    assert grad(lambda p: p.x * p.y)(point(2.0, 3.0)) == point(3.0, 2.0)
    assert isinstance(grad(lambda p: p.x * p.y)(point(2.0, 3.0)), point)
    assert grad(lambda a, b: a * b, argnum=1)(2.0, 3.0) == 2.0
    assert value_and_grad(lambda x: 5.0)(1.0) == (5.0, 0.0)


def test_jacobian(no_leak):
    def shared(x):
        h = (x[0] * x[1]).tanh()  # both outputs stand on it: its grad must not add up
        return [h * 2, h + x[0]]

    x = [0.3, -0.7]
    rows = jacobian(shared)(x)
    for i in range(2):
        assert rows[i] == pytest.approx(grad(lambda x, i=i: shared(x)[i])(x))
    assert jacobian(lambda x: x**2)(3.0) == 6.0


def test_check_gradients():
    assert check_gradients(rosenbrock, [0.5, -0.3, 0.8]) < 1e-4

    def wrong(x):
        return Value(x[0].data ** 2 + x[1].data, (x[0], x[1]), (2.0 * x[0].data, 3.0))

    with pytest.raises(AssertionError, match=r"number 1, at 2\.0: gradient 3\.0"):
        check_gradients(wrong, [1.0, 2.0])


def test_bad_functions():
    with pytest.raises(TypeError, match=r"one number, not list.*jacobian"):
        grad(lambda x: [x])(1.0)
    with pytest.raises(TypeError):
        grad(lambda x: x)("text")
    with pytest.raises(TypeError, match="no argument 2"):
        grad(lambda x: x, argnum=2)(1.0)
    with pytest.raises(ZeroDivisionError):
        grad(lambda x: 1 / x)(0.0)


def test_without_numpy(run_python):
    program = "import sys; sys.modules['numpy'] = None\nimport pygrad\n"
    assert "pip install numpy" in run_python(program + "pygrad.array([1.0])", status=1)
    assert run_python(program + "print(pygrad.grad(lambda x: x[0] ** 2)([3.0]))") == "[6.0]\n"


# -- nothing but the answer ------------------------------------------------------------------------------

TRANSFORMS = [grad, value_and_grad, jacobian, lambda f: lambda x: check_gradients(f, x)]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=["grad", "value_and_grad", "jacobian", "check_gradients"])
def test_every_grad_stays_as_it_was(transform, no_leak):
    w, unused = Value(2.0), Value(5.0)
    inner = w * w + unused  # a graph that f finds, with grads in it
    inner.backward()
    w.grad, unused.grad = 3.0, -0.0
    values = [w, unused, inner, *inner._prev]
    kept = []

    def f(x):
        out = x * w * inner + w + w * w
        kept.append(out)
        return out

    before = [(v, repr(v.grad)) for v in values]
    transform(f)(10.0)
    transform(f)(10.0)
    assert [(v, repr(v.grad)) for v in values] == before
    assert all(out.grad == 0.0 and all(v.grad == 0.0 for v in out._prev - set(values)) for out in kept)


def test_a_value_of_ones_own_as_result_and_as_another_argument(no_leak):
    w = Value(2.0)
    w.grad = 7.0
    assert value_and_grad(lambda x: w)(1.0) == (2.0, 0.0)
    assert jacobian(lambda x: [w, w, x])(1.0) == [0.0, 0.0, 1.0]
    assert grad(lambda x, v: x * v + v)(1.0, w) == 2.0
    assert w.grad == 7.0


def test_many_grads_stay_as_they_were(no_leak):
    weights = [Value(float(i)) for i in range(1000)]
    for i, w in enumerate(weights):
        w.grad = i + 0.5
    assert grad(lambda x: pygrad.dot(weights, weights) * x + pygrad.sum(weights))(1.0) == 332833500.0
    assert [w.grad for w in weights] == [i + 0.5 for i in range(1000)]


def test_every_grad_stays_as_it_was_where_the_pass_raises(no_leak):
    w = Value(2.0)
    w.grad = 3.0

    def f(x, error=ArithmeticError):
        out = Value((x * w).data, (x, w), "refuses")

        def step():
            raise error

        out._backward = step
        return out * 2.0 + w

    for transform in (grad, value_and_grad, jacobian):
        with pytest.raises(ArithmeticError):
            transform(f)(1.0)
        with pytest.raises(ZeroDivisionError):
            transform(lambda x: (w * x) / 0)(1.0)
        assert w.grad == 3.0


def test_closures_run(no_leak):
    w = Value(2.0)
    w.grad = 3.0

    def scaled(x):
        out = Value(x.data * w.data, (x, w), "scaled")

        def step():
            x.grad += w.data * out.grad
            w.grad += x.data * out.grad

        out._backward = step
        return out

    assert grad(scaled)(5.0) == 2.0 and jacobian(lambda x: [scaled(x), scaled(scaled(x))])(5.0) == [2.0, 4.0]
    assert w.grad == 3.0


def test_no_argument_to_differentiate_in():
    for transform in (grad, value_and_grad, jacobian):
        for argnum in (3, -2):
            with pytest.raises(TypeError, match=f"^there is no argument {argnum} to differentiate in: 1 were given$"):
                transform(lambda x: x, argnum=argnum)(1.0)
        for argnum in ("x", 1.0, None, (0, "x")):
            with pytest.raises(TypeError, match=r"^argnum must be an integer, or a tuple of them, not "):
                transform(lambda x: x, argnum=argnum)
        with pytest.raises(TypeError, match=r"^a function is needed, not float$"):
            transform(3.0)


# -- of compiled functions: the same answers, and no Values ---------------------------------------------------

Point = namedtuple("Point", "x y")


def mixed(x, y=2.0, *, scale=1.0):
    return pygrad.tanh(x * y) * scale + x / y


CASES = [
    (lambda x: x**3, (2,), 0),
    (lambda x: x[0] * x[1][0], ([2.0, [3.0, 4.0]],), 0),
    (lambda x: x[0] * x[1], ((2.0, 3.0),), 0),
    (lambda p: p.x * p.y**2, (Point(2.0, 3.0),), 0),
    (lambda d: d["a"] * d["b"][1], ({"a": 2.0, "b": [1.0, 3.0]},), 0),
    (rosenbrock, ([0.5, -0.3, 0.8, 1.2],), 0),
    (mixed, (0.5, 3.0), 0),
    (mixed, (0.5, 3.0), 1),
    (mixed, (0.5, 3.0), -1),
    (mixed, (0.5, 3.0), (0, 1)),
    (mixed, (0.5, 3.0), (1, 0)),
    (mixed, (0.5, 3.0), (1, -1, 0)),
    (mixed, (0.5,), (0,)),
    (mixed, (0.5, 3.0), ()),
    (lambda x, y: x[0] * y["k"] + x[1], ([1.0, 2.0], {"k": 3.0}), (1, 0)),
    (lambda x: 5.0, (1.0,), 0),
    (lambda x: 5, ([1.0, [2.0]],), (0,)),
    (lambda x: x[0], ([1.0, 2.0, 3.0],), 0),
    (lambda x, *rest: x * sum(rest), (1.0, 2.0, 3.0), 2),
    (lambda x: x[0] * 2 + x[1], ([True, 2.0],), 0),
    (lambda x: x * 2, (Fraction(1, 3),), 0),
    (lambda x: sum(x, 0.0) if x else Value(1.0), ([],), 0),
    (lambda mode, x: x * x if mode == "square" else x, ("square", 3.0), 1),
    (lambda x, flag, none, y: x[0] * y if flag and none is None else x[0], ([1.5], True, None, 2.0), (3, 0)),
    (lambda x, words, y: x[0] * x[1] * y, ([3.0, 2.0], ["a", None, 7.0, True], 2.0), (2, 0)),
]


def same(a, b):
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == pytest.approx(b, rel=1e-14)


#: Where nothing counts references nodes go at some collection: `no_leak` waits for it, once for the file.
COUNTED = sys.implementation.name == "cpython"


@pytest.mark.parametrize("case", range(len(CASES)))
def test_of_a_compiled_function_they_are_the_same(case, no_leak):
    f, args, argnum = CASES[case]
    compiled = pygrad.compile(f)
    for transform in (grad, value_and_grad, jacobian):
        expected = transform(f, argnum)(*args)
        assert same(transform(compiled, argnum)(*args), expected)
        before = pygrad.live_nodes()
        assert same(transform(compiled, argnum)(*args), expected)
        assert not COUNTED or pygrad.live_nodes() <= before  # a collection may come in between
    if COUNTED:  # elsewhere a Value that f made lives on for a while, as a parameter would
        assert compiled.cache_info().misses == 1


JACOBIANS = [
    lambda x: [x[0] * x[1], x[0] + x[1]],
    lambda x: [x[0], 3.0, x[1], x[0]],
    lambda x: [],
    lambda x: ({"a": x[0], "b": [x[1] * x[1]]}, 4),
    lambda x: [[x[0] * 2], [[x[1] * x[0]]], ()],
    lambda x: Point(x[0].exp(), x[1].exp()),
]


@pytest.mark.parametrize("case", range(len(JACOBIANS)))
def test_jacobians_of_a_compiled_function(case, no_leak):
    f = JACOBIANS[case]
    for argnum in (0, (0,)):
        for x in ([2.0, 3.0], (2.0, 3.0), Point(2.0, 3.0)):
            assert same(jacobian(pygrad.compile(f), argnum)(x), jacobian(f, argnum)(x))


def test_of_a_compiled_function_static_arguments_have_no_place_among_the_numbers(no_leak):
    @pygrad.compile(static=("n", "sizes"))
    def f(n, x, sizes, y, **options):
        return x**n * y * len(sizes) * options.get("k", 1.0)

    def plain(n, x, sizes, y, **options):
        return f.function(n, x, sizes, y, **options)

    args = (3, 2.0, (1.0, 2.0, 3.0), 5.0)
    for argnum in (1, 3, (3, 1)):
        assert same(grad(f, argnum)(*args), grad(plain, argnum)(*args))
        assert same(grad(f, argnum)(*args, k=2.0), grad(plain, argnum)(*args, k=2.0))
    for argnum in (0, 2, (1, 0)):
        with pytest.raises(TypeError, match=r"^argument [02] is static: there is no derivative in it$"):
            grad(f, argnum)(*args)


def test_of_a_compiled_function_bad_ones(no_leak):
    for transform in (grad, value_and_grad):
        for f in (lambda x: [x], lambda x: "text", lambda x: None, lambda x: {"a": x}):
            with pytest.raises(TypeError) as eager:
                transform(f)(1.0)
            with pytest.raises(TypeError) as compiled:
                transform(pygrad.compile(f))(1.0)
            assert str(compiled.value) == str(eager.value)
    for f in (lambda x: [x, None], lambda x: [x, "text"]):
        with pytest.raises(TypeError, match="what the function returns must be a real number, not"):
            jacobian(pygrad.compile(f))(1.0)
    with pytest.raises(TypeError, match="an argument must be a real number, not str"):
        grad(pygrad.compile(lambda x: x[0]))([1.0, "text"])
    with pytest.raises(TypeError, match="no argument 2"):
        grad(pygrad.compile(lambda x: x), argnum=2)(1.0)
    for x in (0.0, -0.0):
        with pytest.raises(ZeroDivisionError):
            grad(pygrad.compile(lambda x: 1 / x))(x)
    with pytest.raises(OverflowError):
        grad(pygrad.compile(lambda x: x))(10**400)


def test_of_a_compiled_function_every_grad_stays_and_no_value_is_made(no_leak):
    w, v = Value(2.0), Value(3.0)
    w.grad, v.grad = 7.0, -0.0
    f = pygrad.compile(lambda x, y: [w * x[0] * y, w * w, v])
    rows = jacobian(f, argnum=(0, 1))
    assert rows([5.0, 6.0], v) == ([[6.0, 0.0], [0.0, 0.0], [0.0, 0.0]], [10.0, 0.0, 0.0])
    before = live_nodes()
    w.data = 4.0
    for _ in range(10):
        assert rows([5.0, 6.0], v) == ([[12.0, 0.0], [0.0, 0.0], [0.0, 0.0]], [20.0, 0.0, 0.0])
    assert live_nodes() == before and (w.grad, repr(v.grad)) == (7.0, "-0.0")
    assert f.cache_info().misses == 1


def test_of_a_compiled_function_arrays(no_leak):
    np = pytest.importorskip("numpy")

    def f(x, m):
        return (m @ x) * x[0]

    compiled = pygrad.compile(f)
    for dtype in (float, np.float32, np.int64):
        x, m = np.arange(1, 4).astype(dtype), np.arange(6).reshape(2, 3).astype(dtype)
        for argnum in (0, 1, (1, 0)):
            got, expected = jacobian(compiled, argnum)(x, m), jacobian(f, argnum)(x, m)
            for a, b in zip(got, expected) if isinstance(argnum, tuple) else [(got, expected)]:
                assert a.shape == b.shape and a.dtype == b.dtype == float and np.allclose(a, b, rtol=1e-14, atol=0)
        gradient = grad(pygrad.compile(lambda x: (x * x).sum()))(x)
        assert gradient.dtype == float and gradient.tolist() == [2.0, 4.0, 6.0]
    assert compiled.cache_info().currsize == 1
    assert grad(pygrad.compile(lambda x: x * x))(np.array(3.0)) == 6.0
    assert grad(pygrad.compile(lambda x: x[0] * x[1]))([np.float32(3.0), np.array(2.0)]) == [2.0, 3.0]
    assert jacobian(pygrad.compile(lambda x: x[:0]))(np.ones(3)).shape == jacobian(lambda x: x[:0])(np.ones(3)).shape


def test_scipy_minimizes_a_compiled_function():
    optimize, np = pytest.importorskip("scipy.optimize"), pytest.importorskip("numpy")
    start = np.array([-1.2, 1.0, 0.5])
    results = [optimize.minimize(value_and_grad(f), start, jac=True) for f in (rosenbrock, pygrad.compile(rosenbrock))]
    assert results[1].x == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)
    assert results[0].nit == results[1].nit


def test_check_gradients_of_a_compiled_function():
    assert check_gradients(pygrad.compile(rosenbrock), [0.5, -0.3, 0.8]) < 1e-4


def test_descent_by_transforms_is_the_same(no_leak):
    rng = random.Random(1)
    points = [(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(10)]

    def loss(w, points):
        return sum((w["a"] * x + w["b"][0] - y) ** 2 for x, y in points) / len(points)

    ends = []
    for f in (loss, pygrad.compile(loss)):
        w = {"a": 0.0, "b": [0.0]}
        history = []
        for _ in range(50):
            value, slope = value_and_grad(f)(w, points)
            w = {"a": w["a"] - 0.1 * slope["a"], "b": [w["b"][0] - 0.1 * slope["b"][0]]}
            history.append(value)
        ends.append([*history, w["a"], w["b"][0]])
    assert ends[0] == pytest.approx(ends[1], rel=1e-13)
    assert ends[0][0] == ends[1][0]


@pygrad.compile
def shared(x):
    return x[0] ** 2 * x[1]


def test_transforms_are_pickled():
    for transform in (grad, value_and_grad, jacobian):
        for argnum in (0, (0,)):
            made = transform(shared, argnum)
            again = pickle.loads(pickle.dumps(made))
            assert again.f is shared and again([3.0, 2.0]) == made([3.0, 2.0])
            assert repr(again) == repr(made) and "shared" in repr(made)
        assert transform(shared).__name__ == "shared"
    nested = pickle.loads(pickle.dumps(grad(pygrad.compile(rosenbrock))))
    assert nested([1.0, 1.0]) == [0.0, 0.0]


@NEEDS_PROCESSES
def test_a_pool_maps_transforms():
    numbers = [[float(i), 2.0] for i in range(20)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(grad(shared), numbers) == [[4.0 * i, float(i * i)] for i in range(20)]
    if "fork" in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(grad(shared), numbers) == [[4.0 * i, float(i * i)] for i in range(20)]


def test_products_are_not_run_over_rows():
    for product in (pygrad.hvp, pygrad.jvp):
        with pytest.raises(TypeError, match="is not differentiated further, nor run over rows"):
            pygrad.vmap(product(rosenbrock))([[1.0, 1.0]], [[1.0, 0.0]])


def test_of_a_compiled_method(no_leak):
    class Line:
        def __init__(self, a):
            self.a = Value(a)

        @pygrad.compile
        def at(self, x, y=1.0):
            return [self.a * x * y, x]

        @pygrad.compile(static="n")
        def power(self, n, x):
            return self.a * x**n

    line, other = Line(2.0), Line(5.0)
    for _ in range(2):
        assert jacobian(line.at)(3.0) == [2.0, 1.0] and jacobian(other.at, argnum=(1, 0))(3.0, 4.0)[0] == [15.0, 0.0]
        before = live_nodes()
        assert grad(line.power, argnum=1)(2, 3.0) == 12.0 and grad(other.power, argnum=-1)(2, 3.0) == 30.0
        assert live_nodes() == before and line.a.grad == 0.0
    with pytest.raises(TypeError, match=r"^there is no argument 3 to differentiate in: 2 were given$"):
        grad(line.power, argnum=3)(2, 3.0)
    with pytest.raises(TypeError, match="is static"):
        grad(line.power)(2, 3.0)


@pytest.mark.parametrize("compiled", [False, True])
def test_derivatives_within_a_differentiated_function(compiled):
    """They are numbers: what depends on the outer argument would lose its derivative without a word."""
    make = pygrad.compile if compiled else lambda f: f
    of_one, of_two = make(lambda y: y**3), make(lambda y, x: x * y * y)
    for inner in (
        lambda x: pygrad.grad(of_one)(x),
        lambda x: pygrad.grad(of_two)(3.0, x),
        lambda x: pygrad.value_and_grad(make(lambda y: x * y))(3.0)[1],
        lambda x: pygrad.hessian(make(lambda y: x * y * y))(3.0),
        lambda x: pygrad.hvp(make(lambda y: x * y * y))(3.0, 1.0),
        lambda x: pygrad.jvp(make(lambda y: x * y))(3.0, 1.0),
    ):
        for outer in (pygrad.grad, pygrad.hessian):
            with pytest.raises(TypeError, match=r"itself differentiated write grad\(grad\(f\)\)"):
                outer(inner)(2.0)
    assert pygrad.grad(lambda x: x * x * pygrad.grad(of_one)(3.0))(2.0) == 108.0  # it does not depend on x
    assert pygrad.grad(of_one)(2.0) == 12.0


def test_a_hessian_in_no_numbers():
    assert pygrad.hessian(lambda x: Value(1.0))([]) == []
    assert pygrad.hessian(lambda x, y: x[0] * x[0], (0, 1))([2.0], []) == (([[2.0]], [[]]), ([], []))


def test_keywords_of_a_compiled_function_of_numbers():
    f = pygrad.compile(lambda x, **kwargs: x * kwargs.get("k", 1.0))
    assert pygrad.grad(f)(2.0) == 1.0
    assert pygrad.value_and_grad(f)(2.0, k=3.0) == (6.0, 3.0)
