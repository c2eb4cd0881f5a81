"""pygrad.nn: micrograd's names, against micrograd itself where it is installed, and what goes beyond it."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import sys
import weakref

import pytest

import pygrad
from pygrad import Value, losses, reference, softmax
from pygrad.engine import Value as EngineValue
from pygrad.nn import MLP, Layer, Module, Neuron

POINTS = [([0.5, -1.0], 1), ([-0.3, 0.8], -1), ([1.5, 0.2], 1), ([-1.1, -0.4], -1)]


def train(model, steps=10):
    history = []
    for _ in range(steps):
        loss = sum(((1 + -label * model(x)).relu() for x, label in POINTS), 0.0)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.05 * p.grad
        history.append(loss.data)
    return history


def test_engine_is_the_value():
    assert EngineValue is Value


def test_modules_are_there_without_an_import(run_python):
    program = """
import sys, pygrad
modules = ["engine", "losses", "nn", "optim"]
print([name for name in modules if f"pygrad.{name}" in sys.modules or name not in dir(pygrad)])
pygrad.nn.MLP, pygrad.engine.Value, pygrad.losses.mse, pygrad.optim.lr_scheduler.StepLR
print({*pygrad.__all__} - {*dir(pygrad)}, "importlib" in dir(pygrad), hasattr(pygrad, "nonsense"))
"""
    assert run_python(program) == "[]\nset() False False\n"


def test_against_micrograd():
    nn = pytest.importorskip("micrograd.nn")
    random.seed(7)
    theirs = nn.MLP(2, [4, 4, 1])
    random.seed(7)
    ours = MLP(2, [4, 4, 1])
    assert repr(ours) == repr(theirs)
    assert [p.data for p in ours.parameters()] == [p.data for p in theirs.parameters()]
    assert train(ours) == pytest.approx(train(theirs), rel=1e-9)


def test_microgradss_own_nn_over_our_value(monkeypatch):
    """Their module with our class put in trains as with theirs."""
    nn = pytest.importorskip("micrograd.nn")
    random.seed(7)
    expected = train(nn.MLP(2, [4, 4, 1]))
    monkeypatch.setattr(nn, "Value", Value)
    random.seed(7)
    assert train(nn.MLP(2, [4, 4, 1])) == pytest.approx(expected, rel=1e-9)


def engine_expression(kind):
    """An expression of all the operators that micrograd has, twenty of them."""
    a, b = kind(-4.0), kind(2.0)
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + (b + a).relu()
    d = d + 3 * d + (b - a).relu()
    e = c - d
    g = e**2 / 2.0
    g = g + 10.0 / e
    return a, b, g


def test_an_engine_expression():
    a, b, g = engine_expression(Value)
    x, y, h = engine_expression(reference.Value)
    g.backward()
    h.backward()
    assert (g.data, a.grad, b.grad) == pytest.approx((h.data, x.grad, y.grad), rel=1e-12)


def test_an_engine_expression_against_torch():
    torch = pytest.importorskip("torch")
    x, y, h = engine_expression(lambda n: torch.tensor(n, dtype=torch.float64, requires_grad=True))
    h.backward()
    a, b, g = engine_expression(Value)
    g.backward()
    expected = (h.item(), x.grad.item(), y.grad.item())
    assert (g.data, a.grad, b.grad) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "nonlin, expected", [(True, 0.0), ("relu", 0.0), ("tanh", -0.964), (False, -2.0), ("none", -2.0)]
)
def test_nonlin(nonlin, expected):
    neuron = Neuron(2, nonlin=nonlin)
    for p, x in zip(neuron.parameters(), (1.0, -2.0, -1.0)):
        p.data = x
    assert neuron([1.0, Value(1.0)]).data == pytest.approx(expected, abs=1e-4)


def test_shapes():
    assert len(Layer(3, 2)([1.0, 2.0, 3.0])) == 2
    assert isinstance(MLP(3, [2, 1])([1.0, 2.0, 3.0]), Value)
    assert len(MLP(3, [4, 4, 1]).parameters()) == 41
    with pytest.raises(ValueError, match="equal length"):
        Neuron(2)([1.0])
    with pytest.raises(TypeError, match="nouts"):
        MLP(2, 1)
    for make in (lambda: Neuron(2, nonlin="cube"), lambda: MLP(4, [8], nonlin="gelu")):
        with pytest.raises(ValueError, match="nonlin"):
            make()
    with pytest.raises(ValueError, match="a layer of 2 inputs was given 3"):
        MLP(2, [3, 1])([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="one example, not a batch"):
        MLP(2, [3, 1])([[1.0, 2.0], [3.0, 4.0]])


def test_state_dict():
    model, other = MLP(2, [3, 1], nonlin="tanh"), MLP(2, [3, 1], nonlin="tanh")
    state = model.state_dict()
    assert "layers.0.neurons.2.w.1" in state and len(state) == 13
    other.load_state_dict(state)
    assert other([0.3, 0.4]).data == model([0.3, 0.4]).data
    before = other.state_dict()
    with pytest.raises(KeyError, match="missing"):
        other.load_state_dict({name: 0.0 for name in list(state)[1:]})
    with pytest.raises((TypeError, ValueError)):
        other.load_state_dict({**state, "layers.1.neurons.0.b": "x"})
    with pytest.raises(KeyError, match=r"missing: layers\.0\.neurons\.0\.w\.0, .* and 8 more"):
        other.load_state_dict({})
    for bad in (None, [], "text"):
        with pytest.raises(TypeError, match="a mapping of names"):
            other.load_state_dict(bad)
    assert other.state_dict() == before


def test_parameters_are_found_wherever_they_are():
    class Mine(Module):
        def __init__(self):
            self.a = Value(1.0)
            self.more = {"b": [Value(2.0), (Value(3.0), Neuron(1))]}
            self.again = self.a
            self.other = "text"

    names = [name for name, _ in Mine().named_parameters()]
    assert names == ["a", "more.b.0", "more.b.1.0", "more.b.1.1.w.0", "more.b.1.1.b"]


def test_losses():
    x = [Value(0.3), Value(-1.2), Value(2.0)]
    assert losses.mse(x, [0.0, 0.0, 1.0]).data == pytest.approx((0.09 + 1.44 + 1.0) / 3)
    assert losses.hinge(x, [1, 1, -1]).data == pytest.approx((0.7 + 2.2 + 3.0) / 3)
    assert losses.hinge(x[0], -1).data == pytest.approx(1.3)
    expected = -sum(p.log().data for p in (softmax(x)[2], softmax(x)[0])) / 2
    assert losses.cross_entropy([x, x], [2, 0]).data == pytest.approx(expected)
    assert losses.cross_entropy([Value(1e4), Value(0.0)], 1).data == 1e4
    p = x[0].sigmoid().data
    assert losses.binary_cross_entropy(x[0], 0.25).data == pytest.approx(
        -(0.25 * Value(p).log().data + 0.75 * Value(1 - p).log().data)
    )
    assert losses.binary_cross_entropy([Value(-1e4)], [1.0]).data == 1e4
    for call, error in (
        (lambda: losses.mse(x, [1.0]), ValueError),
        (lambda: losses.mse([], []), ValueError),
        (lambda: losses.hinge(x, [1, 0, 1]), ValueError),
        (lambda: losses.cross_entropy(x, 3), IndexError),
        (lambda: losses.cross_entropy([x, x], [2.0, 0.0]), TypeError),
        (lambda: losses.cross_entropy([x], [[0, 0, 1]]), TypeError),
        (lambda: losses.binary_cross_entropy(x[0], 2.0), ValueError),
    ):
        with pytest.raises(error):
            call()


def test_a_compiled_model(no_leak):
    model = MLP(2, [4, 1])
    expected, x = model([1.0, 2.0]).data, [Value(1.0), Value(2.0)]
    assert model.compile() is model and model.compile() is model and isinstance(model, MLP)
    assert repr(model) == repr(MLP(2, [4, 1])) and len(model.parameters()) == 17
    y = model(x)
    assert y.data == expected and len(y._prev) == 19
    y.backward()
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model)):
        assert type(copied) is type(model) and copied([1.0, 2.0]).data == expected
    gradient = [p.grad for p in model.parameters()]
    model.zero_grad()
    model._plain.__call__(model, x).backward()
    assert [p.grad for p in model.parameters()] == pytest.approx(gradient, rel=1e-12)
    model.layers[1].neurons[0].b.data += 1.0  # read at each call
    assert model([1.0, 2.0]).data == pytest.approx(expected + 1.0)
    del model.layers[1], y  # noticed as the Values that it had are gone
    gc.collect()
    assert len(model([1.0, 2.0])) == 4


class Doubled(MLP):
    def __call__(self, x):
        return super().__call__(x) * 2.0


def test_a_compiled_model_of_another_class():
    model = Doubled(2, [3, 1])
    expected = model([0.5, 0.25]).data
    assert model.compile()([0.5, 0.25]).data == expected
    assert pickle.loads(pickle.dumps(model))([0.5, 0.25]).data == expected
    assert pygrad.compile(lambda x: model(x) + 1.0)([0.5, 0.25]).data == expected + 1.0


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="elsewhere objects go with a collection")
def test_a_compiled_model_goes_without_a_collection():
    model = MLP(2, [3, 1]).compile()
    model([1.0, 2.0]).backward()
    gone = weakref.ref(model)
    gc.disable()
    try:
        del model
        assert gone() is None
    finally:
        gc.enable()
