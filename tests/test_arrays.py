"""Arrays of Values, functions of arrays, and scipy's optimizers over them."""

from __future__ import annotations

import math

import pytest

import pygrad
from pygrad import Value, grad, jacobian, value_and_grad

np = pytest.importorskip("numpy")


def rosenbrock(x):
    return sum(100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2 for a, b in zip(x[:-1], x[1:]))


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B"])
def test_scipy_minimize(method):
    optimize = pytest.importorskip("scipy.optimize")
    result = optimize.minimize(value_and_grad(rosenbrock), np.zeros(20), jac=True, method=method)
    assert result.fun < 1e-8 and np.allclose(result.x, 1.0, atol=1e-3)


def test_functions_of_arrays(no_leak):
    got = grad(lambda x: (x * x).sum())(np.array([[1, 2], [3, 4]]))
    assert got.dtype == float and got.tolist() == [[2.0, 4.0], [6.0, 8.0]]
    (got,) = grad(lambda x: np.sum(x[0] ** 2))([np.array([3.0])])
    assert got.dtype == float and got.tolist() == [6.0]
    assert value_and_grad(lambda x: np.sum(x**2))(np.array([3.0]))[0] == 9.0
    matrix = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert jacobian(lambda x: matrix @ x)(np.array([1.0, 2.0])).tolist() == matrix.tolist()


def test_arrays():
    w, x = pygrad.array([[1.0, -2.0], [0.5, 3.0]]), np.array([2.0, 1.0])
    loss = (np.tanh(w @ x) ** 2).sum()
    loss.backward()
    sums = np.array([[1.0, -2.0], [0.5, 3.0]]) @ x
    slope = 2 * np.tanh(sums) * (1 - np.tanh(sums) ** 2)
    assert np.allclose(pygrad.grads(w), np.outer(slope, x))
    assert pygrad.data(w).tolist() == [[1.0, -2.0], [0.5, 3.0]]
    assert pygrad.data([w[0, 0], 2.0]).tolist() == [1.0, 2.0]
    assert pygrad.data(Value(2.0)).shape == () and pygrad.grads([1.0]).tolist() == [0.0]


def test_a_models_arrays():
    from pygrad.nn import MLP

    model = MLP(2, [3, 1])
    assert pygrad.data(model).shape == pygrad.grads(model).shape == (13,)


@pytest.mark.parametrize("two", [np.float64(2), np.float32(2), np.int64(2), np.array(2.0)])
def test_numpy_numbers_keep_the_gradient(two):
    for f, slope in (
        (lambda v: two * v, 2.0),
        (lambda v: v * two, 2.0),
        (lambda v: two - v, -1.0),
        (lambda v: v - two, 1.0),
        (lambda v: two / v, -2.0 / 9.0),
        (lambda v: v**two, 6.0),
        (lambda v: two**v, 8.0 * math.log(2.0)),
    ):
        v = Value(3.0)
        out = f(v)
        assert isinstance(out, Value)
        out.backward()
        assert v.grad == pytest.approx(slope)


def test_arrays_of_floats_with_a_value():
    v = Value(3.0)
    for out in (np.arange(3.0) * v, v * np.arange(3.0), np.arange(3.0) - v, v / np.ones(3), np.ones(3) ** v):
        assert out.dtype == object and all(isinstance(x, Value) for x in out)
    (np.arange(3.0) * v).sum().backward()
    assert v.grad == 3.0


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh"])
def test_numpys_functions(name):
    v = Value(0.5)
    out = getattr(np, name)(np.array([v]))[0]
    assert out.data == pytest.approx(getattr(np, name)(0.5))
    assert out._op == name and getattr(np, name)(v).data == out.data


def test_nothing_turns_to_floats_in_silence():
    a = np.zeros(2)
    with pytest.raises(TypeError):
        a[0] = Value(1.0)
    with pytest.raises(TypeError):
        a *= Value(1.0)
    with pytest.raises(TypeError):
        np.array([Value(1.0)]).astype(float)
    with pytest.raises(ValueError):
        pygrad.array([[1.0], [1.0, 2.0]])
    with pytest.raises((TypeError, ValueError)):
        pygrad.array(["x"])
