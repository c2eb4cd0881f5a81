"""The document this project began with: its cells must print the same with either class."""

from __future__ import annotations

import contextlib
import io
import re
import sys

import pytest

import pygrad
from pygrad import reference, walkthrough

EVERY_CLASS = [pygrad.Value, reference.Value, reference.LeanValue]


def print_cells(Value):
    """The document's cells, as they stand there."""
    w1 = Value(2.0)
    w2 = Value(3.0)
    a = w1 - 1
    b = a**2
    c = w2 - 5
    d = c**2
    s = b + d
    loss = s * 0.5
    print(loss)

    loss.backward()
    print(f"∂loss/∂w1 = {w1.grad}")
    print(f"∂loss/∂w2 = {w2.grad}")
    print(repr(s.grad))

    w1 = Value(2.0)
    w2 = Value(3.0)
    params = [w1, w2]
    learning_rate = 0.1
    for i in range(100):
        loss = 0.5 * ((w1 - 1) ** 2 + (w2 - 5) ** 2)
        print(f"Iteration {i}: loss = {loss.data:.4f}")
        loss.backward()
        for p in params:
            p.data -= learning_rate * p.grad
            p.grad = 0.0
    print(w1, w2)


def printed(function, *arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        function(*arguments)
    return out.getvalue().splitlines()


def test_cells_print_what_the_document_says_with_either_class():
    lines = printed(print_cells, pygrad.Value)
    assert lines == printed(print_cells, reference.Value) and len(lines) == 105
    assert lines[:5] == [
        "Value(data=2.5)",
        "∂loss/∂w1 = 1.0",
        "∂loss/∂w2 = -2.0",
        "0.5",
        "Iteration 0: loss = 2.5000",
    ]
    assert lines[103] == "Iteration 99: loss = 0.0000"


@pytest.mark.parametrize("Value", [pygrad.Value, reference.Value])
def test_expression(Value):
    e = walkthrough.expression(Value)
    assert [v.data for v in e] == [2.0, 3.0, 1.0, 1.0, -2.0, 4.0, 5.0, 2.5]
    assert [v.label for v in e] == list(e._fields)
    e.loss.backward()
    assert [v.grad for v in e] == [1.0, -2.0, 1.0, 0.5, -2.0, 0.5, 0.5, 1.0]


@pytest.mark.parametrize("Value", EVERY_CLASS)
def test_train(Value):
    lines = []
    w1, w2 = walkthrough.train(Value, show=lines.append)
    assert lines == [line for line in printed(print_cells, reference.Value) if line.startswith("Iter")]
    assert w1.data == pytest.approx(1.0, abs=1e-4)
    assert w2.data == pytest.approx(5.0, abs=1e-3)
    assert w1.grad == w2.grad == 0.0


def test_train_goes_the_same_way_to_the_last_bit():
    ends = [[w.data for w in walkthrough.train(Value, show=None)] for Value in EVERY_CLASS]
    assert ends[0] == ends[1] == ends[2]


def test_train_prints_by_default_and_is_silent_when_asked(capsys):
    walkthrough.train(pygrad.Value, iterations=2)
    assert capsys.readouterr().out == "Iteration 0: loss = 2.5000\nIteration 1: loss = 2.0250\n"
    walkthrough.train(pygrad.Value, iterations=2, show=None)
    assert capsys.readouterr().out == ""


def test_run(monkeypatch):
    monkeypatch.setattr(walkthrough, "_ROUNDS", 1)
    lines = printed(walkthrough.run, 3)
    values = [re.sub(r"\s+", " ", line.strip()) for line in lines]
    for expected in (
        "a = w1 - 1 = 1.0",
        "b = a**2 = 1.0",
        "c = w2 - 5 = -2.0",
        "d = c**2 = 4.0",
        "s = b + d = 5.0",
        "loss = s * 0.5 = 2.5",
        "d loss / d w1 = 1.0",
        "d loss / d w2 = -2.0",
    ):
        assert expected in values
    iterations = [line for line in lines if line.startswith("Iteration ")]
    assert iterations == [f"Iteration {i}: loss = {x}" for i, x in enumerate(("2.5000", "2.0250", "1.6402"))]
    assert lines[-1].count("microseconds") == 1
    assert f"({pygrad.backend} backend)" in lines[-1]


def test_run_wants_an_iteration():
    with pytest.raises(ValueError, match="iterations must be at least 1, not 0"):
        walkthrough.run(0)


# The reference is what the engine is tested against, so a little is asked of it as well.


@pytest.mark.parametrize("Value", [reference.Value, reference.LeanValue])
@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x + y + 2,
        lambda x, y: 3 - x - y,
        lambda x, y: 2 * x * y,
        lambda x, y: x / y + 1 / x + y / 4,
        lambda x, y: x**y + x**-1.5 + 2**y,
        lambda x, y: -x * x,
        lambda x, y: (x - y).relu() + (y - x).relu(),
        lambda x, y: x.exp() + y.log() + (x * y).tanh(),
        lambda x, y: x + x,
    ],
)
def test_reference_agrees_with_differences(Value, function):
    x, y = Value(0.7), Value(1.3)
    function(x, y).backward()
    h = 1e-6
    by_x = (function(Value(0.7 + h), y).data - function(Value(0.7 - h), y).data) / (2 * h)
    by_y = (function(x, Value(1.3 + h)).data - function(x, Value(1.3 - h)).data) / (2 * h)
    assert x.grad == pytest.approx(by_x, abs=1e-7)
    assert y.grad == pytest.approx(by_y, abs=1e-7)


@pytest.mark.parametrize("Value", [reference.Value, reference.LeanValue])
def test_reference_at_the_edges(Value):
    x = Value(0.0)
    (x**0).backward()
    assert x.grad == 0.0
    with pytest.raises(ValueError, match="not a real number"):
        Value(-1.0) ** 0.5
    with pytest.raises(ZeroDivisionError):
        Value(0.0) ** -1
    with pytest.raises(ZeroDivisionError):
        Value(1.0) / 0


def test_lean_reference_is_not_recursive():
    x = reference.LeanValue(1.0)
    y = x
    for _ in range(10 * sys.getrecursionlimit()):
        y = y + 1
    y.backward()
    assert x.grad == 1.0
    while y._children:  # let go from the top: the interpreter itself would recurse to free the chain
        y = y._children[0]
