"""Random programs: data and gradients against the pure-Python class."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

import pygrad
from pygrad import Value, reference

BINARY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
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


@settings(max_examples=300, deadline=None)
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


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=400), st.randoms())
def test_objects_dropped_in_any_order_leave_nothing(choices, random):
    before = pygrad.live_nodes()
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
    assert pygrad.live_nodes() == before
