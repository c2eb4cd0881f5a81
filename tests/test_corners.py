"""Corners that programs seldom reach: the exception is Python's own, and no node is left behind."""

from fractions import Fraction

import pytest
from conftest import live_nodes

import pygrad
from pygrad import Value
from pygrad.optim import SGD, Adam


class Unmade(Value):
    """Its __init__ does not call Value's, so it has no node."""

    def __init__(self):
        pass


NO_NODE = {
    "left operand": lambda v, u: u + v,
    "right operand": lambda v, u: v * u,
    "with a number": lambda v, u: u - 1,
    "number on the left": lambda v, u: 1 / u,
    "power": lambda v, u: u**2,
    "method": lambda v, u: u.tanh(),
    "function": lambda v, u: pygrad.exp(u),
    "two arguments": lambda v, u: pygrad.minimum(v, u),
    "list": lambda v, u: pygrad.sum([v, u, v]),
    "first list": lambda v, u: pygrad.dot([u, v], [v, v]),
    "second list": lambda v, u: pygrad.dot([v, v], [v, u]),
    "child": lambda v, u: Value(1.0, (v, u), "f"),
    "child with a local gradient": lambda v, u: Value(1.0, (u,), (1.0,)),
    "data": lambda v, u: u.data,
    "grad": lambda v, u: u.grad,
    "setting data": lambda v, u: setattr(u, "data", 1.0),
    "backward": lambda v, u: u.backward(),
    "one step": lambda v, u: u._backward(),
    "operands": lambda v, u: pygrad.operands(u),
    "op": lambda v, u: u._op,
    "prev": lambda v, u: u._prev,
    "optimizer": lambda v, u: SGD([v, u], lr=1.0).step(),
}


@pytest.mark.parametrize("name", NO_NODE)
def test_a_value_without_a_node(name, no_leak):
    v, u = Value(2.0), Unmade()
    before = live_nodes()
    with pytest.raises(AttributeError, match=r"has no data: its __init__ must call Value\.__init__"):
        NO_NODE[name](v, u)
    assert live_nodes() == before and v.data == 2.0 and v.grad == 0.0


WRONG_COUNTS = {
    "one of two": lambda v: pygrad.minimum(v),
    "three of two": lambda v: pygrad.maximum(v, v, v),
    "one list of two": lambda v: pygrad.dot([v]),
    "three lists of two": lambda v: pygrad.dot([v], [v], [v]),
    "no second list": lambda v: pygrad.dot([v], 5),
    "no first list": lambda v: pygrad.dot(5, [v]),
    "none of one": lambda v: pygrad.exp(),
    "a method's operand": lambda v: v.minimum(),
}


@pytest.mark.parametrize("name", WRONG_COUNTS)
def test_a_wrong_number_of_arguments(name, no_leak):
    v = Value(2.0)
    with pytest.raises(TypeError):
        WRONG_COUNTS[name](v)


def test_lists_that_fail_while_they_are_read(no_leak):
    def values():
        yield Value(1.0)
        yield Value(2.0) * 3
        raise KeyError("the third")

    for call in (pygrad.sum, lambda x: pygrad.dot([1.0], x), lambda x: pygrad.dot(x, [1.0])):
        with pytest.raises(KeyError, match="the third"):
            call(values())


@pytest.mark.parametrize("name", ["data", "grad"])
def test_numbers_of_other_types_and_deletion(name):
    v = Value(2.0)
    setattr(v, name, Fraction(1, 4))
    assert getattr(v, name) == 0.25 and type(getattr(v, name)) is float
    with pytest.raises(AttributeError):
        delattr(v, name)
    assert getattr(v, name) == 0.25


@pytest.mark.parametrize("make", [lambda ps: SGD(ps, lr=0.1, momentum=0.9), lambda ps: Adam(ps, amsgrad=True)])
def test_parameters_that_change_under_an_optimizer(make, no_leak):
    parameters = [Value(1.0), Value(2.0)]
    optimizer = make(list(parameters))
    optimizer.step()
    optimizer.params.append(Value(3.0))
    with pytest.raises(ValueError):
        optimizer.step()
    optimizer.params[2] = "3"
    with pytest.raises((TypeError, ValueError)):
        optimizer.step()
    with pytest.raises(TypeError):
        optimizer.zero_grad()
    del optimizer.params[2]
    optimizer.zero_grad()
    optimizer.step()


def test_lists_over_operands_with_closures(no_leak):
    """Their results hold the operands' objects, and so the closures, wherever in the list these stand."""
    for build in (
        lambda x, f: pygrad.sum([x, f, x]),
        lambda x, f: pygrad.mean([f, f]),
        lambda x, f: pygrad.logsumexp([x, f]),
        lambda x, f: pygrad.dot([x, f], [x, x]),
        lambda x, f: pygrad.dot([x, x], iter([f, x])),
        lambda x, f: Value(1.0, (x, f), (1.0, 2.0)),
    ):
        ran = []
        x = Value(3.0)
        f = Value(5.0, (x,), "f")
        f._backward = lambda ran=ran: ran.append(True)
        total = build(x, f)
        del f
        total.backward()
        assert ran == [True] and total.grad == 1.0
        assert next(v for v in pygrad.operands(total) if v._op == "f")._prev == {x}
