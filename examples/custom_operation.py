"""A custom operation, both ways: as a closure, and with local gradients as numbers.

python examples/custom_operation.py
"""

from __future__ import annotations

import math

from pygrad import Value


def sine(x: Value) -> Value:
    """As a closure: Python runs it in its place in the reverse pass."""
    out = Value(math.sin(x.data), (x,), "sine")

    def step() -> None:
        x.grad += math.cos(x.data) * out.grad

    out._backward = step
    return out


def hypotenuse(x: Value, y: Value) -> Value:
    """With local gradients, d out / d x and d out / d y: the reverse pass stays in C."""
    z = math.hypot(x.data, y.data)
    return Value(z, (x, y), (x.data / z, y.data / z))


x, y = Value(3.0, label="x"), Value(4.0, label="y")
out = sine(x) * hypotenuse(x, y)
out.backward()
print(f"sin(x) * hypot(x, y) = {out.data:.6f}")
print(f"d / d x = {x.grad:.6f}, exactly {math.cos(3) * 5 + math.sin(3) * 3 / 5:.6f}")
print(f"d / d y = {y.grad:.6f}, exactly {math.sin(3) * 4 / 5:.6f}")
