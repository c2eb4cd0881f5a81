"""Minima by scipy: with derivatives of ours, and with the differences that scipy takes where it is given none."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Callable

from pygrad.bench.models import Result
from pygrad.bench.programs import rosenbrock
from pygrad.functional import hessian, hvp, jacobian, value_and_grad

TIMES = [0.25 * i for i in range(1, 21)]
RATES = [2.0 * t / (0.7 + t) + 0.1 + 0.05 * (-1) ** i for i, t in enumerate(TIMES)]


def residuals(p: Any) -> list[Any]:
    """What a reaction's rates by Michaelis and Menten, and a constant, differ from the measured ones."""
    highest, half, constant = p
    return [highest * t / (half + t) + constant - rate for t, rate in zip(TIMES, RATES)]


class Minima:
    """Times, evaluations and results as they come. Results are rounded: each way stops at another distance."""

    def __init__(self, size: int) -> None:
        self.start = [0.5, -0.5] * (size // 2)
        self.amounts: dict[str, float] = {}
        self.values: list[float] = []
        self.evaluations = 0

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.evaluations += 1
            return function(*arguments)

        return call

    def add(self, name: str, minimum: Callable[[], Any]) -> None:
        self.evaluations, start = 0, perf_counter()
        found = minimum().x
        self.amounts[name] = perf_counter() - start
        self.amounts[f"{name}, evaluations"] = self.evaluations
        self.values += [round(float(x), 2) for x in found]

    def result(self) -> Result:
        return Result(self.amounts, self.values)


_CLOSE = {"ftol": 1e-12, "gtol": 1e-8, "maxfun": 10**6}


def first_order(f: Callable[..., Any], fit: Callable[..., Any], size: int) -> Result:
    """With gradients and a Jacobian; f and fit may be compiled. Evaluations are those of f and its gradient, and those
    of the residuals."""
    return _first_order(value_and_grad(f), True, jacobian(fit), size)


def by_differences(size: int) -> Result:
    """The same of plain floats."""
    return _first_order(lambda x: rosenbrock(x.tolist()), None, "2-point", size)


def _first_order(f: Callable[..., Any], has_gradient: bool | None, slopes: Any, size: int) -> Result:
    from scipy.optimize import least_squares, minimize

    minima = Minima(size)
    f, fit = minima.counted(f), minima.counted(residuals)
    how = {"jac": has_gradient, "method": "L-BFGS-B", "options": _CLOSE}
    minima.add(f"Rosenbrock, {size}", lambda: minimize(f, minima.start, **how))
    minima.add("a fit", lambda: least_squares(fit, [1.0, 1.0, 0.0], jac=slopes))
    return minima.result()


def second_order(f: Callable[..., Any], size: int) -> Result:
    """With second derivatives, and with differences of gradients in their place. Evaluations are those of f and its
    gradient."""
    from scipy.optimize import minimize

    minima = Minima(size)
    both, product, matrix = minima.counted(value_and_grad(f)), hvp(f), hessian(f)

    def add(name: str, method: str, **second: Any) -> None:
        minima.add(name, lambda: minimize(both, minima.start, jac=True, method=method, **second))

    add(f"{size}: differences", "Newton-CG")
    add(f"{size}: hvp", "Newton-CG", hessp=product)
    add(f"{size}: hessian", "trust-exact", hess=matrix)
    return minima.result()
