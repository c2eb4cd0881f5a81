"""Problems of cmpad, B. M. Bell's comparison of libraries for derivatives (cmpad.readthedocs.io), as scalar code."""

from __future__ import annotations

import math
from typing import Any

from pygrad.bench.programs import Program


def det_by_minor(x: Any) -> Any:
    """The determinant of a matrix, row by row, expanded along the first row: so many products as permutations."""
    size = math.isqrt(len(x))

    def minor(row: int, columns: tuple[int, ...]) -> Any:
        if row == size - 1:
            return x[row * size + columns[0]]
        total: Any = 0.0
        for k, column in enumerate(columns):
            term = x[row * size + column] * minor(row + 1, columns[:k] + columns[k + 1 :])
            total = total - term if k % 2 else total + term
        return total

    return minor(0, tuple(range(size)))


END, STEPS = 2.0, 10


def an_ode(x: Any) -> Any:
    """The last y at time 2, from zeros, where y[0]' = x[0] and y[i]' = x[i] y[i - 1]: by the classical method of Runge
    and Kutta, which has no error up to 4 equations. It is 2**n / n! times the product of x."""
    h = END / STEPS

    def slope(y: list[Any]) -> list[Any]:
        return [x[0], *(xi * before for xi, before in zip(x[1:], y))]

    def moved(y: list[Any], step: float, by: list[Any]) -> list[Any]:
        return [yi + step * d for yi, d in zip(y, by)]

    y: list[Any] = [0.0] * len(x)
    for _ in range(STEPS):
        first = slope(y)
        second = slope(moved(y, h / 2, first))
        third = slope(moved(y, h / 2, second))
        fourth = slope(moved(y, h, third))
        slopes = zip(first, second, third, fourth)
        y = moved(y, h / 6, [a + 2.0 * (b + c) + d for a, b, c, d in slopes])
    return y[-1]


POINTS = 100


def llsq_obj(x: Any) -> Any:
    """Half the sum of squares of what a polynomial with coefficients x differs from sign(t), t from -1 to 1."""
    total: Any = 0.0
    for i in range(POINTS):
        t = 2.0 * i / (POINTS - 1) - 1.0
        power = 1.0
        value: Any = 0.0
        for coefficient in x:
            value = value + coefficient * power
            power *= t
        sign = float((t > 0.0) - (t < 0.0))
        total = total + (sign - value) ** 2
    return 0.5 * total


CMPAD = (
    Program("det_by_minor, 5 x 5", det_by_minor, tuple(math.sin(i * i) for i in range(1, 26))),
    Program("an_ode, 10 steps", an_ode, (0.5, 0.8, 1.1, 1.4)),
    Program("llsq_obj, 100 points", llsq_obj, (0.1, 1.2, -0.3, 0.4)),
)
