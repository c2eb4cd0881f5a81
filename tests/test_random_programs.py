"""Random programs: data and gradients against the pure-Python class."""

import gc
import math
import sys

from conftest import examples, live_nodes
from hypothesis import given, settings
from hypothesis import strategies as st

import pygrad
from pygrad import Value, reference
from pygrad._backends import core


def divide(a, b):
    """The reference takes ``a * b**-1`` for a quotient. That is rounded twice, and what is refused at a
    point, as ``(-1.0) ** (x / x)`` is not, would differ."""
    if not isinstance(a, reference.Value):
        return a / b
    out = reference.Value(a.data / b.data, (a, b), "/")

    def step():
        a.grad += out.grad / b.data
        b.grad -= out.grad * out.data / b.data

    out._backward = step
    return out


BINARY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divide,
    "+c": lambda a, b: a + 1.5,
    "c-": lambda a, b: 0.25 - a,
    "c*": lambda a, b: -2 * a,
    "c/": lambda a, b: 3.0 / a,
    "**": lambda a, b: a**b,
    "**2": lambda a, b: a**2,
    "**-1": lambda a, b: a**-1,
    "c**": lambda a, b: 1.5**a,
    "neg": lambda a, b: -a,
    "relu": lambda a, b: a.relu(),
    "exp": lambda a, b: a.exp(),
    "log": lambda a, b: a.log(),
    "tanh": lambda a, b: a.tanh(),
}

programs = st.tuples(
    st.lists(st.floats(-3, 3).map(lambda x: round(x, 3)), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 99), st.integers(0, 99)), max_size=25),
)


def run(kind, leaves, steps):
    """All values of a program after backward from the last; a step that is refused is left out."""
    values, refused = [kind(x) for x in leaves], []
    for i, (name, a, b) in enumerate(steps):
        try:
            out = BINARY[name](values[a % len(values)], values[b % len(values)])
            if isinstance(out.data, complex):
                raise ValueError
            if not abs(out.data) < 1e6:  # beyond, rounding differs too much to compare
                raise OverflowError
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            refused.append((i, type(error)))
        else:
            values.append(out)
    try:
        values[-1].backward()
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return values, None  # pure Python fails in backward where a slope is infinite or not real
    return values, refused


@settings(max_examples=300 if sys.implementation.name == "cpython" else 100, deadline=None)
@given(programs)
def test_a_random_program(program):
    for kind in (reference.Value, reference.LeanValue):
        leaves, steps = program
        if kind is reference.LeanValue:
            steps = [s for s in steps if s[0] != "**"]
        expected, refused = run(kind, leaves, steps)
        if refused is None:
            continue
        actual, actually_refused = run(Value, leaves, steps)
        assert actually_refused == refused
        for ours, theirs in zip(actual, expected):
            assert math.isclose(ours.data, theirs.data, rel_tol=1e-9, abs_tol=1e-12)
            if math.isfinite(theirs.grad) and abs(theirs.grad) < 1e12:
                assert math.isclose(ours.grad, theirs.grad, rel_tol=1e-6, abs_tol=1e-6)


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.integers(0, 3), max_size=400), st.randoms())
def test_objects_dropped_in_any_order_leave_nothing(choices, random):
    before = live_nodes()
    values = [Value(1.0)]
    for choice in choices:
        if choice == 0:
            values.append(Value(0.5))
        elif choice == 1 and values:
            values.append(random.choice(values) + random.choice(values))
        elif choice == 2 and values:
            values.append(random.choice(values) * 0.5)
        elif values:
            values.pop(random.randrange(len(values)))
    values.clear()
    assert live_nodes() == before


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 99), st.integers(0, 99)), max_size=40))
def test_closures_labels_and_collections_in_any_order(steps):
    """Beside the pure-Python class, with the arena's invariants checked; nothing may be left."""
    before = live_after_collection()
    results = []
    for kind in (Value, reference.Value):
        leaves = [kind(0.5), kind(-0.25)]
        pool, used = leaves[:], set()
        for choice, i, j in steps:
            a, b = pool[i % len(pool)], pool[j % len(pool)]
            if choice < 4:
                used |= {id(a), id(b)}
                pool.append((a + b, a * b, square(kind, a * 0.5), b.tanh())[choice])
            elif choice == 4:
                a.label = f"label {i}"
            elif choice == 5:
                a.note = [i] if id(a) in used else [a]  # a cycle through the object
            elif choice == 6 and len(pool) > 3:
                del pool[2 + i % (len(pool) - 2)]
            elif kind is Value:
                gc.collect()
                assert all(type(v) is Value for v in a._prev)
        pool[-1].backward()
        results.append([v.grad for v in leaves] + [v.data for v in pool])
        assert core.check() is None
    assert all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9) for x, y in zip(*results))
    del leaves, pool
    a = b = None
    assert live_after_collection() == before


def live_after_collection():
    """Collected until nothing more goes: a pinned object is let go of when its results are gone."""
    live = None
    while live != pygrad.live_nodes():
        live = pygrad.live_nodes()
        gc.collect()
    return live


def square(kind, x):
    out = kind(x.data**2, (x,), "square")

    def step():
        x.grad += 2 * x.data * out.grad

    out._backward = step
    return out
