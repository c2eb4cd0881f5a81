"""The polynomials of csrc/lanemath.h, by Remez' exchange, as the text that stands there.

    python benchmarks/minimax.py [NAME ...]

Needs mpmath alone. Each polynomial is the one of its degree whose largest weighted error is least; its coefficients are
then rounded to doubles, and the error that is printed is that of the rounded ones, the largest at 2,001 points.
"""

from __future__ import annotations

import sys

import mpmath
from mpmath import mpf

mpmath.mp.dps = 60


def remez(function, weight, low, high, degree):
    """Coefficients, lowest first: the least of the largest |weight * (polynomial - function)| on [low, high]."""
    middle, half = (low + high) / 2, (high - low) / 2
    points = [middle - half * mpmath.cos(mpmath.pi * (i + mpf(1) / 2) / (degree + 2)) for i in range(degree + 2)]
    grid = [middle - half * mpmath.cos(mpmath.pi * i / (24 * degree)) for i in range(24 * degree + 1)]
    values, weights = [function(x) for x in grid], [weight(x) for x in grid]
    for _ in range(30):
        rows = [[*(x**k for k in range(degree + 1)), (-1) ** i / weight(x)] for i, x in enumerate(points)]
        *coefficients, level = mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix([function(x) for x in points]))
        errors = [w * (at(coefficients, x) - v) for x, v, w in zip(grid, values, weights)]
        peaks = []  # the largest of each stretch of one sign
        for x, error in zip(grid, errors):
            if peaks and (error > 0) == (peaks[-1][1] > 0):
                peaks[-1] = max(peaks[-1], (x, error), key=lambda peak: abs(peak[1]))
            else:
                peaks.append((x, error))
        while len(peaks) > degree + 2:
            peaks.pop(0 if abs(peaks[0][1]) < abs(peaks[-1][1]) else -1)
        if len(peaks) < degree + 2 or max(abs(error) for _, error in peaks) < abs(level) * mpf("1.001"):
            break
        points = [x for x, _ in peaks]
    return coefficients


def at(coefficients, x):
    value = mpf(0)
    for c in reversed(coefficients):
        value = value * x + c
    return value


def ratio_rest(z):
    """(r coth(r / 2) - 2) / z with z = r^2"""
    r = mpmath.sqrt(z)
    return (r * mpmath.coth(r / 2) - 2) / z if z > 1e-6 else mpf(1) / 6 - z / 360 + z**2 / 15120 - z**3 / 604800


def log_rest(z):
    """(2 atanh(s) / s - 2) / z with z = s^2"""
    return sum(2 * z**k / (2 * k + 3) for k in range(60))


def erf_rest(z):
    """erf(x) / x - 1 with z = x^2"""
    return 2 / mpmath.sqrt(mpmath.pi) * mpmath.hyp1f1(mpf(1) / 2, mpf(3) / 2, -z) - 1


def erfc_scaled(t):
    """erfc(x) exp(x^2) with t = 1 / (x + 2)"""
    x = 1 / t - 2
    return mpmath.erfc(x) * mpmath.exp(x * x)


def sin_rest(z):
    """(1 - sin(r) / r) / z with z = r^2"""
    return sum((-z) ** k / mpmath.factorial(2 * k + 3) for k in range(25))


def cos_rest(z):
    """(cos(r) - 1 + z / 2) / z^2 with z = r^2"""
    return sum((-z) ** k / mpmath.factorial(2 * k + 4) for k in range(25))


NEARLY_0 = mpf(10) ** -30
#: name: function, weight, interval, degree. The intervals reach a little over what the reductions leave.
TABLES = {
    "ratio": (ratio_rest, lambda z: z ** mpf("1.5") / 2 + NEARLY_0, mpf(0), mpf("0.12012"), 4),
    "log": (log_rest, lambda z: z / 2 + NEARLY_0, mpf(0), mpf("0.02944"), 6),
    "softplus": (log_rest, lambda z: z / 2 + NEARLY_0, mpf(0), mpf("0.04001"), 7),
    "erf": (erf_rest, lambda z: mpf(1), mpf(0), mpf(1), 11),
    "erfc": (erfc_scaled, lambda t: mpmath.exp(-((1 / t - 2) ** 2)), mpf(1) / 8, mpf(1) / 3, 11),
    "sin": (sin_rest, lambda z: z + NEARLY_0, mpf(0), mpf("0.61694"), 5),
    "cos": (cos_rest, lambda z: z * z + NEARLY_0, mpf(0), mpf("0.61694"), 5),
}


def worked_out(name):
    """A table's coefficients, and the largest weighted error of their polynomial."""
    function, weight, low, high, degree = TABLES[name]
    coefficients = [float(c) for c in remez(function, weight, low, high, degree)]
    points = [low + (high - low) * i / 2000 for i in range(2001)]
    return coefficients, max(abs(weight(x) * (at(coefficients, x) - function(x))) for x in points)


def printed(name):
    """A table as it stands in the header."""
    coefficients, error = worked_out(name)
    head = f"/* error: 2^{mpmath.nstr(mpmath.log(error, 2), 4)} */\nstatic const double pgl_{name}_table[] = {{\n"
    return head + "".join(f"    {c.hex()},\n" for c in coefficients) + "};\n"


if __name__ == "__main__":
    for name in sys.argv[1:] or TABLES:
        print(printed(name), end="")
