"""Lives of graphs in any order, beside a pure-Python model; the arena's invariants checked at each step."""

from __future__ import annotations

import copy
import gc
import math
import pickle

from conftest import examples, settled
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import pygrad
from pygrad import Value, reference
from pygrad._backends import core
from pygrad.copying import topological

picks = st.integers(0, 10**6)
numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))


def same(x, y):
    return x == y or math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(x) and math.isnan(y))


class Lives(RuleBasedStateMachine):
    """Pairs of a Value and its model. Only operations whose model records the same nodes."""

    def __init__(self):
        super().__init__()
        self.before = settled()
        self.pairs = []

    def pick(self, i):
        return self.pairs[i % len(self.pairs)]

    @initialize(x=numbers)
    def begin(self, x):
        self.leaf(x)

    @rule(x=numbers)
    def leaf(self, x):
        self.pairs.append((Value(x), reference.Value(x)))

    @precondition(lambda self: self.pairs)
    @rule(
        i=picks,
        j=picks,
        name=st.sampled_from(["add", "mul", "square", "relu", "constant", "closure", "local"]),
    )
    def combine(self, i, j, name):
        (a, x), (b, y) = self.pick(i), self.pick(j)
        if abs(x.data) > 1e6 or abs(y.data) > 1e6:
            return
        if name == "closure":
            pair = scaled(Value, a), scaled(reference.Value, x)
        elif name == "local":
            pair = Value(a.data * 2 + b.data, (a, b), (2.0, 1.0)), by_closure(x, y)
        else:
            operation = {
                "add": lambda p, q: p + q,
                "mul": lambda p, q: p * q,
                "square": lambda p, q: p**2,
                "relu": lambda p, q: p.relu(),
                "constant": lambda p, q: p * 0.5,
            }[name]
            pair = operation(a, b), operation(x, y)
        self.pairs.append(pair)

    @precondition(lambda self: self.pairs)
    @rule(i=picks)
    def drop(self, i):
        self.pairs.pop(i % len(self.pairs))

    @precondition(lambda self: self.pairs)
    @rule(i=picks, x=numbers, name=st.sampled_from(["data", "grad"]))
    def mutate(self, i, x, name):
        for value in self.pick(i):
            setattr(value, name, x)

    @precondition(lambda self: self.pairs)
    @rule(i=picks, name=st.sampled_from(["label", "note", "partner"]), j=picks)
    def attribute(self, i, name, j):
        value, model = self.pick(i)
        other = self.pick(j)[0]
        if name == "partner" and (other is value or other._prev or hasattr(other, "partner")):
            return  # set late it may be the cycle that is never collected: see the README
        setattr(value, name, other if name == "partner" else str(j))
        setattr(model, name, getattr(value, name))

    @precondition(lambda self: self.pairs)
    @rule(i=picks)
    def closure(self, i):
        """A closure where there are no results yet: its own step, and a count."""
        value, model = self.pick(i)
        if not value._op or hasattr(model, "counted"):
            return
        for v in (value, model):
            step = v._backward

            def again(step=step):
                step()

            try:
                v._backward = again
            except RuntimeError:
                settled()  # a dropped result that is part of a cycle lives until it is collected
                if self.used(value):
                    return
                v._backward = again
        model.counted = True

    def used(self, value):
        """Whether a result of it is there, below any value that is."""
        return any(value in v._prev for root, _ in self.pairs for v in topological([root]))

    @precondition(lambda self: self.pairs)
    @rule(i=picks)
    def backward(self, i):
        value, model = self.pick(i)
        value.backward()
        model.backward()

    @precondition(lambda self: self.pairs)
    @rule(i=picks, duplicate=st.sampled_from([copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]))
    def duplicate(self, i, duplicate):
        value, model = self.pick(i)
        try:
            twin = duplicate(value)
        except TypeError:
            return  # there is a closure in it
        assert same(twin.data, model.data) and same(twin.grad, model.grad)
        twin.backward()  # touches nothing of ours

    @rule()
    def collect(self):
        gc.collect()
        pygrad.live_nodes()

    @invariant()
    def agrees(self):
        assert core.check() is None
        for value, model in self.pairs:
            assert same(value.data, model.data)
            assert same(value.grad, model.grad) or abs(model.grad) > 1e9
            assert getattr(value, "label", "") == getattr(model, "label", "")
            assert len(value._prev) == len(model._prev) or value._op in ("*", "")

    def teardown(self):
        self.pairs.clear()
        assert settled() == self.before


def scaled(kind, x):
    """Twice x, by a closure."""
    out = kind(x.data * 2, (x,), "twice")

    def step():
        x.grad += 2.0 * out.grad

    out._backward = step
    return out


def by_closure(x, y):
    """The model of the operation with local gradients 2 and 1."""
    out = reference.Value(x.data * 2 + y.data, (x, y), "local")

    def step():
        x.grad += 2.0 * out.grad
        y.grad += out.grad

    out._backward = step
    return out


Lives.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
TestLives = Lives.TestCase
