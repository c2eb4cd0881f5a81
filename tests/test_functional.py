"""Gradients of functions of floats, lists and tuples; tests/test_arrays.py has those of arrays."""

from __future__ import annotations

from collections import namedtuple

import pytest

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
            with pytest.raises(TypeError, match=r"^argnum must be an integer, not "):
                transform(lambda x: x, argnum=argnum)
        with pytest.raises(TypeError, match=r"^a function is needed, not float$"):
            transform(3.0)
