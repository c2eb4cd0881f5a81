"""The steps of the micrograd lecture, written anew, in its order: what people have in their notebooks."""

from __future__ import annotations

import math
import random

import pytest

from pygrad import Value, operands
from pygrad.nn import MLP


def test_an_expression_and_its_graph():
    a, b, c = Value(2.0, label="a"), Value(-3.0, label="b"), Value(10.0, label="c")
    e = a * b
    e.label = "e"
    d = e + c
    d.label = "d"
    f = Value(-2.0, label="f")
    big_l = d * f
    assert big_l.data == -8.0 and big_l._prev == {d, f} and d._op == "+"
    # by hand, from the end
    big_l.grad = 1.0
    f.grad, d.grad = d.data, f.data
    c.grad, e.grad = d.grad, d.grad
    a.grad, b.grad = b.data * e.grad, a.data * e.grad
    by_hand = [v.grad for v in (a, b, c, e, d, f)]
    for v in (a, b, c, e, d, f):
        v.grad = 0.0
    big_l.backward()
    assert [v.grad for v in (a, b, c, e, d, f)] == by_hand


def neuron():
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    n = x1 * w1 + x2 * w2 + b
    return (x1, x2, w1, w2), n


EXPECTED = [-1.5, 0.5, 1.0, 0.0]


def test_a_neuron_by_calling_each_step():
    leaves, n = neuron()
    o = n.tanh()
    o.grad = 1.0
    order, seen = [], set()

    def build(v):
        if v not in seen:
            seen.add(v)
            for child in v._prev:
                build(child)
            order.append(v)

    build(o)
    for v in reversed(order):
        v._backward()
    assert [v.grad for v in leaves] == pytest.approx(EXPECTED)


def test_a_neuron_by_backward():
    leaves, n = neuron()
    o = n.tanh()
    o.backward()
    assert o.data == pytest.approx(math.sqrt(0.5)) and [v.grad for v in leaves] == pytest.approx(EXPECTED)


def test_tanh_written_out():
    leaves, n = neuron()
    e = (2 * n).exp()
    o = (e - 1) / (e + 1)
    o.backward()
    assert [v.grad for v in leaves] == pytest.approx(EXPECTED)


def test_a_value_used_twice():
    a = Value(3.0)
    b = a + a
    b.backward()
    assert a.grad == 2.0 and b._prev == {a} and operands(b) == [a, a]


def test_methods_added_to_the_class():
    """As notebooks grow the class, cell by cell."""

    def cube(self):
        out = Value(self.data**3, (self,), "cube")

        def step():
            self.grad += 3 * self.data**2 * out.grad

        out._backward = step
        return out

    Value.cube = cube
    try:
        v = Value(2.0)
        v.cube().backward()
        assert v.grad == 12.0
    finally:
        del Value.cube


def test_a_network_learns_four_points():
    random.seed(4)
    model = MLP(3, [4, 4, 1], nonlin="tanh")
    xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]
    for _ in range(150):
        predictions = [model(x) for x in xs]
        loss = sum((p - y) ** 2 for y, p in zip(ys, predictions))
        for p in model.parameters():
            p.grad = 0.0
        loss.backward()
        for p in model.parameters():
            p.data += -0.03 * p.grad
    assert loss.data < 0.05
