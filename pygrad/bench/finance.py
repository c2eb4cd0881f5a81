"""Prices by Monte Carlo: of one path as a function of parameters, of the trade's terms, and of the path's normals."""

from __future__ import annotations

from typing import Any


def asian(x: Any, terms: Any, normals: Any) -> Any:
    """The discounted payoff of a call on the arithmetic average of the spot, which moves by Black and Scholes's model
    (Glasserman, Monte Carlo Methods in Financial Engineering, 1.1.2). x has spot, volatility and rate; terms has
    strike and expiry."""
    spot, volatility, rate = x
    strike, expiry = terms
    step = expiry * (1.0 / len(normals))
    drift = (rate - 0.5 * volatility * volatility) * step
    spread = volatility * step**0.5
    total: Any = 0.0
    for z in normals:
        spot = spot * (drift + spread * z).exp()
        total = total + spot
    return (total * (1.0 / len(normals)) - strike).relu() * (-rate * expiry).exp()


PERIOD = 0.25
#: After how many periods each swap ends, from the date of exercise.
ENDS = tuple(periods for periods in (4, 8, 20, 28, 40) for _ in range(3))


def libor(x: Any, swap_rates: Any, normals: Any) -> Any:
    """The discounted payoff of payer swaptions on a curve of forward rates: the model of Giles and Glasserman, Smoking
    Adjoints (2006), with one factor. x: the rates, then the volatilities by periods until a rate is fixed (the longest
    is not used: the rate that is fixed first stands still). A period is one step of Euler's, in logarithms."""
    count = len(x) // 2
    rates, volatilities = list(x[:count]), x[count:]
    for n, z in enumerate(normals):
        drift: Any = 0.0
        for i in range(n + 1, count):
            volatility = volatilities[i - n - 1]
            scaled = PERIOD * volatility
            drift = drift + scaled * rates[i] / (1.0 + PERIOD * rates[i])
            rates[i] = rates[i] * (scaled * drift + volatility * (PERIOD**0.5 * z - 0.5 * scaled)).exp()
    bond: Any = 1.0
    annuity: Any = 0.0
    bonds, annuities = [], []
    for rate in rates[len(normals) :]:
        bond = bond / (1.0 + PERIOD * rate)
        annuity = annuity + PERIOD * bond
        bonds.append(bond)
        annuities.append(annuity)
    value: Any = 0.0
    for periods, swap_rate in zip(ENDS, swap_rates):
        value = value + 100.0 * (1.0 - bonds[periods - 1] - swap_rate * annuities[periods - 1]).relu()
    for rate in rates[: len(normals)]:
        value = value / (1.0 + PERIOD * rate)
    return value
