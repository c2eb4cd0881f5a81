"""Rows by other libraries: each as its documentation says it is done fast. Those that have arrays are given columns."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import Any, Callable

from pygrad.bench.finance import ENDS, PERIOD
from pygrad.bench.models import Network, Result, timed
from pygrad.bench.rows import Rows, Way, mean_of

Programs = dict[str, Callable[..., Result]]


def torch() -> Programs:
    """The scalar code on columns: a tensor for each number of a row."""
    import torch

    leaf = partial(torch.tensor, dtype=torch.float64, requires_grad=True)

    def convert(rows: list[list[float]]) -> Any:
        return list(torch.tensor(rows, dtype=torch.float64).T)

    def mean(model: Rows, x: list[float], terms: list[float], columns: Any) -> Any:
        xs = [leaf(number) for number in x]
        value = model.function(xs, terms, columns).mean()
        value.backward()
        return value, [0.0 if xi.grad is None else xi.grad for xi in xs]

    def each(model: Rows, columns: Any) -> Any:
        columns = [column.detach().requires_grad_() for column in columns]
        values = model.function(columns)
        values.sum().backward()
        return values.detach(), torch.stack([column.grad for column in columns]).T

    return Way(mean, each, convert, most=2e7).programs()


def autograd() -> Programs:
    """The scalar code on columns, which are numpy's arrays."""
    import autograd.numpy as np
    from autograd import value_and_grad

    def convert(rows: list[list[float]]) -> Any:
        return list(np.array(rows).T)

    def mean(model: Rows, x: list[float], terms: list[float], columns: Any) -> Any:
        return value_and_grad(lambda xs: np.mean(model.function(xs, terms, columns)))(x)

    def each(model: Rows, columns: Any) -> Any:
        values = []

        def total(columns: Any) -> Any:
            values.append(model.function(columns))
            return np.sum(values[0])

        _, slopes = value_and_grad(total)(columns)
        return values[0]._value, np.stack(slopes).T

    return Way(mean, each, convert, most=2e7).programs()


def casadi() -> Programs:
    """A function of a row, mapped over a matrix in C; the mean's sums are taken there."""
    import casadi

    @cache
    def of_one(function: Any, lengths: tuple[int, ...]) -> Any:
        symbols = [casadi.SX.sym(name, length) for name, length in zip("xtr", lengths)]
        value = function(*map(casadi.vertsplit, symbols))
        slopes = casadi.densify(casadi.gradient(value, symbols[0]))
        return casadi.Function("one", symbols, [value, slopes])

    @cache
    def mapped(function: Any, lengths: tuple[int, ...], rows: int) -> Any:
        one = of_one(function, lengths)
        return one.map(rows) if len(lengths) == 1 else one.map("mean", "serial", rows, [0, 1], [0, 1])

    def mean(model: Rows, x: list[float], terms: list[float], rows: Any) -> Any:
        lengths = (len(x), len(terms), rows.size1())
        value, slopes = mapped(model.function, lengths, rows.size2())(x, terms, rows)
        return value / rows.size2(), (slopes / rows.size2()).nonzeros()

    def each(model: Rows, rows: Any) -> Any:
        values, slopes = mapped(model.function, (rows.size1(),), rows.size2())(rows)
        return values.nonzeros(), slopes.full().T

    return Way(mean, each, lambda rows: casadi.DM(rows).T).programs()


def on_tape(tape: Any, kind: Any, function: Callable[..., Any], x: Iterable[float], *others: Any) -> Any:
    """A new recording of xad's: the value, and its derivatives in x."""
    xs = [kind(number) for number in x]
    tape.registerInputs(xs)
    tape.newRecording()
    value = function(xs, *others)
    tape.registerOutput(value)
    value.derivative = 1.0
    tape.computeAdjoints()
    return value.value, [x.derivative for x in xs]


def xad() -> Programs:
    """A recording for each row, on one tape."""
    from xad.adj_1st import Real, Tape

    def mean(model: Rows, x: list[float], terms: list[float], rows: Any) -> Any:
        with Tape() as tape:
            return mean_of([on_tape(tape, Real, model.function, x, terms, row) for row in rows])

    def each(model: Rows, rows: Any) -> Any:
        with Tape() as tape:
            return tuple(zip(*[on_tape(tape, Real, model.function, row) for row in rows]))

    return Way(mean, each, most=1e6).programs()


def jax() -> Programs:
    """Functions of arrays, vectorized by hand and compiled by jit. (The scalar code would take it minutes.)"""
    import jax
    import jax.numpy as jnp

    def asian(x: Any, terms: Any, normals: Any) -> Any:
        (spot, volatility, rate), (strike, expiry) = x, terms
        step = expiry / normals.shape[1]
        moves = (rate - 0.5 * volatility**2) * step + volatility * jnp.sqrt(step) * normals
        averages = (spot * jnp.exp(jnp.cumsum(moves, axis=1))).mean(axis=1)
        return jnp.maximum(averages - strike, 0.0).mean() * jnp.exp(-rate * expiry)

    def swaptions(x: Any, swap_rates: Any, normals: Any) -> Any:
        rates, volatilities = jnp.split(x, 2)
        steps = normals.shape[1]
        rates = jnp.broadcast_to(rates, (len(normals), len(rates)))
        for n in range(steps):
            moving = rates[:, n + 1 :]
            volatility = volatilities[: moving.shape[1]]
            drift = jnp.cumsum(PERIOD * volatility * moving / (1.0 + PERIOD * moving), axis=1)
            spread = PERIOD**0.5 * normals[:, n, None]
            moving = moving * jnp.exp(volatility * (PERIOD * drift + spread - 0.5 * PERIOD * volatility))
            rates = jnp.concatenate([rates[:, : n + 1], moving], axis=1)
        factors = 1.0 / (1.0 + PERIOD * rates)
        bonds = jnp.cumprod(factors[:, steps:], axis=1)
        annuities = PERIOD * jnp.cumsum(bonds, axis=1)
        ends = jnp.array(ENDS) - 1
        payoffs = jnp.maximum(1.0 - bonds[:, ends] - swap_rates * annuities[:, ends], 0.0)
        return (100.0 * payoffs.sum(axis=1) * jnp.prod(factors[:, :steps], axis=1)).mean()

    by_hand = {name: jax.jit(jax.value_and_grad(f)) for name, f in (("asian", asian), ("swaptions", swaptions))}

    @cache
    def of_each(function: Any) -> Any:
        return jax.jit(jax.vmap(jax.value_and_grad(lambda row: function(list(row)))))

    def mean(model: Rows, x: list[float], terms: list[float], rows: Any) -> Any:
        return jax.device_get(by_hand[model.name](jnp.array(x), jnp.array(terms), rows))

    def each(model: Rows, rows: Any) -> Any:
        return jax.device_get(of_each(model.function)(rows))

    return {"moons": _jax_moons(), **Way(mean, each, jnp.array).programs()}


def _jax_moons() -> Callable[[], Result]:
    """Training the network, vectorized by hand."""
    import jax
    import jax.numpy as jnp

    network = Network(float)
    inputs, labels = jnp.array(network.inputs), jnp.array(network.labels, float)
    layers = [
        (jnp.array([weights for weights, _ in layer]), jnp.array([bias for _, bias in layer]))
        for layer in network.layers
    ]

    def loss(layers: Any) -> Any:
        x = inputs
        for weights, bias in layers:
            x = x @ weights.T + bias
            if weights.shape[0] > 1:
                x = jnp.maximum(x, 0.0)
        decay = sum((p**2).sum() for layer in layers for p in layer)
        return jnp.maximum(1.0 - labels * x[:, 0], 0.0).mean() + 1e-4 * decay

    def update(layers: Any) -> Any:
        value, slopes = jax.value_and_grad(loss)(layers)
        return value, jax.tree.map(lambda p, slope: p - 0.05 * slope, layers, slopes)

    updated = jax.jit(update)

    def step() -> float:
        nonlocal layers
        value, layers = updated(layers)
        return float(value)

    def round_of_steps() -> Result:
        for _ in range(5):  # as the compiled ones
            updated(layers)
        seconds, value = timed(step)
        return Result({"step": seconds}, [value])

    return round_of_steps
