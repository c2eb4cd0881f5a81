"""The walkthrough: a small expression, its gradients, and gradient descent on it.

    loss = ((w1 - 1)**2 + (w2 - 5)**2) * 0.5

``python -m pygrad`` prints it. Every function here takes the class to compute with, since any class of this
kind runs the same code.

>>> from pygrad import Value
>>> e = expression(Value)
>>> e.loss.backward()
>>> e.loss, e.w1.grad, e.w2.grad
(Value(data=2.5), 1.0, -2.0)
"""

from __future__ import annotations

import statistics
from collections import namedtuple
from time import perf_counter
from typing import Any, Callable, Optional

import pygrad
from pygrad import reference

Show = Optional[Callable[[str], Any]]

_FORMULAS = {"a": "w1 - 1", "b": "a**2", "c": "w2 - 5", "d": "c**2", "s": "b + d", "loss": "s * 0.5"}
_ROUNDS = 15
_LOOPS_A_ROUND = 10

#: Every named value of the walkthrough's expression.
Expression = namedtuple("Expression", "w1 w2 a b c d s loss")


def expression(Value: Callable[[float], Any]) -> Expression:
    """Build the expression step by step, at w1 = 2 and w2 = 3, each value labelled with its name."""
    w1 = Value(2.0)
    w2 = Value(3.0)
    a = w1 - 1
    b = a**2
    c = w2 - 5
    d = c**2
    s = b + d
    loss = s * 0.5
    built = Expression(w1, w2, a, b, c, d, s, loss)
    for name, value in zip(built._fields, built):
        value.label = name
    return built


def train(
    Value: Callable[[float], Any], iterations: int = 100, learning_rate: float = 0.1, show: Show = print
) -> list[Any]:
    """Gradient descent on the expression; the two weights as they end. ``show=None`` prints nothing.

    >>> from pygrad import Value
    >>> w1, w2 = train(Value, iterations=2)
    Iteration 0: loss = 2.5000
    Iteration 1: loss = 2.0250
    """
    params = [Value(2.0), Value(3.0)]
    w1, w2 = params
    for i in range(iterations):
        loss = 0.5 * ((w1 - 1) ** 2 + (w2 - 5) ** 2)
        if show is not None:
            show(f"Iteration {i}: loss = {loss.data:.4f}")
        loss.backward()
        for p in params:
            p.data -= learning_rate * p.grad
            p.grad = 0.0  # backward() adds to what is there
    return params


def time_training(Value: Callable[[float], Any], iterations: int = 100) -> tuple[float, list[Any]]:
    """Seconds that an iteration of the training loop takes, printing off, and the two weights."""
    start = perf_counter()
    for _ in range(_LOOPS_A_ROUND):
        params = train(Value, iterations, show=None)
    return (perf_counter() - start) / (_LOOPS_A_ROUND * iterations), params


def measure(classes: list[Any], iterations: int = 100) -> list[float]:
    """Microseconds an iteration of the training loop takes with each class.

    The classes take turns, so that a machine that slows down for a while slows all of them down; the
    median of the rounds is what counts. The first round warms up and is left out.
    """
    rounds = [[time_training(kind, iterations)[0] for kind in classes] for _ in range(_ROUNDS + 1)]
    return [statistics.median(times) * 1e6 for times in zip(*rounds[1:])]


def run(iterations: int = 100) -> None:
    """Print the whole walkthrough, then how long the loop takes here and in pure Python."""
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, not {iterations}")

    print("loss = ((w1 - 1)**2 + (w2 - 5)**2) * 0.5")

    print("\nForward pass, at w1 = 2 and w2 = 3")
    e = expression(pygrad.Value)
    for name, formula in _FORMULAS.items():
        print(f"  {name:<4} = {formula:<7} = {getattr(e, name).data:4}")

    print("\nBackward pass")
    e.loss.backward()
    print(f"  d loss / d w1 = {e.w1.grad:4}")
    print(f"  d loss / d w2 = {e.w2.grad:4}")

    print("\nGradient descent, learning rate 0.1")
    w1, w2 = train(pygrad.Value, iterations)
    print(f"\nThe weights now: w1 = {w1.data:.4f}, w2 = {w2.data:.4f} (the minimum is at 1 and 5)")

    engine, pure = measure([pygrad.Value, reference.Value], iterations)
    print(
        f"One iteration: {engine:.2f} microseconds with pygrad ({pygrad.backend} backend), "
        f"{pure:.2f} with the pure-Python class, {pure / engine:.1f} times as long."
    )
