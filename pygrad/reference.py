"""The same arithmetic in pure Python, twice: what the engine must agree with, and what it is timed against.

`Value` is the class as people write it: a closure for each operation, a set of operands, a recursive
topological sort. Tests take it for what a program means. `LeanValue` is what one gets by tuning it: slots,
constants that are no nodes, local gradients in a tuple where the closure was, no recursion. Benchmarks run
both, so that the engine is not compared with an easy opponent only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Callable


def _power(x: float, k: float) -> float:
    """``x ** k``, where Python would answer with a complex number a ValueError."""
    z: float | complex = x**k
    if isinstance(z, complex):
        raise ValueError(f"{x} ** {k} is not a real number")
    return z


def _power_slope(x: float, k: float, z: float) -> float:
    """The derivative of ``z = x ** k`` in x. It may be infinite where z is not."""
    if k == 0:
        return 0.0
    try:
        slope: float = k * x ** (k - 1)
    except (OverflowError, ZeroDivisionError):
        slope = k * (z / x) if x else k * math.inf
    return slope


def _exponent_slope(x: float, z: float) -> float:
    """The derivative of ``z = x ** k`` in k: none (nan) for a negative base."""
    if x == 0:
        return 0.0
    return z * math.log(x) if x > 0 else math.nan


def _nothing() -> None:
    """A leaf's step of the reverse pass."""


class Value:
    """A number and how it was computed, as people write the class.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = a * b
    >>> c.backward()
    >>> c, a.grad, b.grad
    (Value(data=-6.0), -3.0, 2.0)
    """

    def __init__(self, data: float, _children: Iterable[Value] = (), _op: str = "", label: str = "") -> None:
        self.data = data
        self.grad = 0.0
        self.label = label
        self._prev = set(_children)
        self._op = _op
        self._backward: Callable[[], None] = _nothing

    def __repr__(self) -> str:
        return f"Value(data={self.data})"

    def __add__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other), "+")

        def step() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out._backward = step
        return out

    def __mul__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other), "*")

        def step() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = step
        return out

    def __pow__(self, exponent: Any) -> Value:
        if isinstance(exponent, Value):
            out = Value(_power(self.data, exponent.data), (self, exponent), "**")

            def step() -> None:
                self.grad += _power_slope(self.data, exponent.data, out.data) * out.grad
                exponent.grad += _exponent_slope(self.data, out.data) * out.grad

        else:
            out = Value(_power(self.data, exponent), (self,), f"**{exponent}")

            def step() -> None:
                self.grad += _power_slope(self.data, exponent, out.data) * out.grad

        out._backward = step
        return out

    # The other operators are said with these three.

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Value:
        return self * -1

    def __sub__(self, other: Value | float) -> Value:
        return self + (-1 * other)

    def __rsub__(self, other: Value | float) -> Value:
        return (-self) + other

    def __truediv__(self, other: Value | float) -> Value:
        return self * other**-1

    def __rtruediv__(self, other: Value | float) -> Value:
        return self**-1 * other

    def __rpow__(self, other: float) -> Value:
        return Value(other) ** self

    def relu(self) -> Value:
        out = Value(0.0 if self.data < 0 else self.data, (self,), "ReLU")

        def step() -> None:
            self.grad += (out.data > 0) * out.grad

        out._backward = step
        return out

    def exp(self) -> Value:
        out = Value(math.exp(self.data), (self,), "exp")

        def step() -> None:
            self.grad += out.data * out.grad

        out._backward = step
        return out

    def log(self) -> Value:
        out = Value(math.log(self.data), (self,), "log")

        def step() -> None:
            self.grad += out.grad / self.data

        out._backward = step
        return out

    def tanh(self) -> Value:
        out = Value(math.tanh(self.data), (self,), "tanh")

        def step() -> None:
            self.grad += (1 - out.data**2) * out.grad

        out._backward = step
        return out

    def backward(self) -> None:
        """The chain rule from here down. Recursive: a chain of a thousand operations is too deep for it."""
        order: list[Value] = []
        seen = set()

        def visit(node: Value) -> None:
            if node not in seen:
                seen.add(node)
                for child in node._prev:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node._backward()


class LeanValue:
    """The class tuned, still in pure Python. It can't be drawn: it has no ``_prev`` and no ``_op``."""

    __slots__ = ("_children", "_slopes", "data", "grad")

    def __init__(self, data: float, _children: tuple[LeanValue, ...] = (), _slopes: tuple[float, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self._children = _children
        self._slopes = _slopes  # the derivative in each child, known when the operation is recorded

    def __repr__(self) -> str:
        return f"LeanValue(data={self.data})"

    def __add__(self, other: Any) -> LeanValue:
        if isinstance(other, LeanValue):
            return LeanValue(self.data + other.data, (self, other), (1.0, 1.0))
        return LeanValue(self.data + other, (self,), (1.0,))

    __radd__ = __add__

    def __sub__(self, other: Any) -> LeanValue:
        if isinstance(other, LeanValue):
            return LeanValue(self.data - other.data, (self, other), (1.0, -1.0))
        return LeanValue(self.data - other, (self,), (1.0,))

    def __rsub__(self, other: Any) -> LeanValue:
        return LeanValue(other - self.data, (self,), (-1.0,))

    def __mul__(self, other: Any) -> LeanValue:
        if isinstance(other, LeanValue):
            return LeanValue(self.data * other.data, (self, other), (other.data, self.data))
        return LeanValue(self.data * other, (self,), (other,))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> LeanValue:
        if isinstance(other, LeanValue):
            z = self.data / other.data
            return LeanValue(z, (self, other), (1.0 / other.data, -z / other.data))
        return LeanValue(self.data / other, (self,), (1.0 / other,))

    def __rtruediv__(self, other: Any) -> LeanValue:
        z = other / self.data
        return LeanValue(z, (self,), (-z / self.data,))

    def __pow__(self, exponent: Any) -> LeanValue:
        x = self.data
        if isinstance(exponent, LeanValue):
            k = exponent.data
            z = _power(x, k)
            return LeanValue(z, (self, exponent), (_power_slope(x, k, z), _exponent_slope(x, z)))
        z = _power(x, exponent)
        return LeanValue(z, (self,), (_power_slope(x, exponent, z),))

    def __rpow__(self, other: Any) -> LeanValue:
        z = _power(other, self.data)
        return LeanValue(z, (self,), (_exponent_slope(other, z),))

    def __neg__(self) -> LeanValue:
        return LeanValue(-self.data, (self,), (-1.0,))

    def relu(self) -> LeanValue:
        x = self.data
        return LeanValue(0.0 if x < 0 else x, (self,), (1.0 if x > 0 else 0.0,))

    def exp(self) -> LeanValue:
        z = math.exp(self.data)
        return LeanValue(z, (self,), (z,))

    def log(self) -> LeanValue:
        return LeanValue(math.log(self.data), (self,), (1.0 / self.data,))

    def tanh(self) -> LeanValue:
        z = math.tanh(self.data)
        return LeanValue(z, (self,), (1.0 - z * z,))

    def backward(self) -> None:
        """The chain rule from here down, however deep the graph."""
        order: list[LeanValue] = []
        seen = set()
        stack: list[Any] = [self]
        while stack:
            node = stack.pop()
            if node is None:  # everything below the next one has been visited
                order.append(stack.pop())
            elif node._children and node not in seen:  # a leaf has no step
                seen.add(node)
                stack += (node, None)
                stack += node._children
        self.grad = 1.0
        for node in reversed(order):
            grad = node.grad
            for child, slope in zip(node._children, node._slopes):
                child.grad += slope * grad
