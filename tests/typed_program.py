"""A user's program, to be accepted by mypy --strict (tests/test_types.py). It also runs."""

from __future__ import annotations

import pygrad
from pygrad import Value, draw_dot, value_and_grad
from pygrad.nn import MLP
from pygrad.optim import Adam
from pygrad.optim.lr_scheduler import StepLR


def square(x: Value) -> Value:
    out = Value(x.data**2, (x,), "square")

    def step() -> None:
        x.grad += 2 * x.data * out.grad

    out._backward = step
    return out


def total(xs: list[Value]) -> Value:
    return sum((x * 2 for x in xs), Value(0.0))


w: Value = Value(2.0, label="w")
loss: Value = (square(w) - 1) ** 2 / 3 + 2 * w.tanh() + pygrad.exp(w) + total([w])
loss.backward()
slope: float = w.grad
w.data -= 0.1 * slope
model = MLP(2, [3, 1])
optimizer = Adam(model.parameters(), lr=0.1)
schedule = StepLR(optimizer, step_size=10)
optimizer.zero_grad()
pygrad.dot([w], [1.0]).backward()
optimizer.step()
schedule.step()
value, gradient = value_and_grad(lambda x: x**2)(3.0)
names: set[Value] = loss._prev
print(draw_dot, value, gradient, len(names), pygrad.softmax([w, 1.0]))
