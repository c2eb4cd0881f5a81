"""Prices and sensitivities of a million options (Black-Scholes), on the workers of a Dask cluster.

The client draws the options and sends them to the workers in chunks. The price of one option is a compiled function;
what computes it and its derivatives for all rows of a chunk is pickled and sent after them. A worker records it and
runs it as a program in C: price, the derivatives in all five arguments, and the second one in the spot. The client
gathers the rows, adds them up, and checks some against the closed forms.

pip install distributed numpy
python examples/greeks_on_dask.py [--options 1000000] [--workers 2] [--scheduler tcp://host:8786]
"""

import argparse
import math
import time

import pygrad

GREEKS = "delta", "strike", "rho", "vega", "theta"  # derivatives in spot, strike, rate, volatility, expiry


def normal(x, erf=pygrad.erf):
    """The probability that a normal variate is below x."""
    return 0.5 * (1.0 + erf(x / math.sqrt(2.0)))


@pygrad.compile
def price(spot, strike, rate, volatility, expiry):
    """Of a European call."""
    spread = volatility * pygrad.sqrt(expiry)
    d1 = (pygrad.log(spot / strike) + (rate + 0.5 * volatility**2) * expiry) / spread
    return spot * normal(d1) - strike * pygrad.exp(-rate * expiry) * normal(d1 - spread)


# One thread each: Dask runs a task for each of a worker's.
price_and_greeks = pygrad.vmap(pygrad.value_and_grad(price, argnum=(0, 1, 2, 3, 4)), threads=1)
gamma = pygrad.vmap(pygrad.hessian(price), threads=1)


def compute(chunk):
    """On a worker: a row of price, greeks and gamma for each row of the chunk. A task unpickles the functions, and
    records them anew, which takes milliseconds: chunks are large, so that it does not matter."""
    import numpy as np

    columns = list(chunk.T)
    prices, greeks = price_and_greeks(*columns)
    return np.column_stack([prices, *greeks, gamma(*columns)])


def closed_form(spot, strike, rate, volatility, expiry):
    """The row of one option as textbooks have it."""
    root = math.sqrt(expiry)
    d1 = (math.log(spot / strike) + (rate + 0.5 * volatility**2) * expiry) / (volatility * root)
    density = math.exp(-0.5 * d1**2) / math.sqrt(2.0 * math.pi)
    n1, n2 = normal(d1, math.erf), normal(d1 - volatility * root, math.erf)
    discounted = strike * math.exp(-rate * expiry)
    return [
        spot * n1 - discounted * n2,
        n1,
        -discounted / strike * n2,
        discounted * expiry * n2,
        spot * density * root,
        spot * density * volatility / (2.0 * root) + rate * discounted * n2,
        density / (spot * volatility * root),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--options", type=int, default=1_000_000)
    parser.add_argument("--chunk", type=int, default=50_000, help="options in one task")
    parser.add_argument("--workers", type=int, default=2, help="processes of the local cluster")
    parser.add_argument("--scheduler", help="the address of a cluster that runs; without it a local one is started")
    arguments = parser.parse_args()
    try:
        import numpy as np
        from distributed import Client
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error.name} is missing: pip install distributed numpy") from None

    low, high = [50.0, 50.0, 0.0, 0.1, 0.1], [150.0, 150.0, 0.05, 0.5, 3.0]
    options = np.random.default_rng(1).uniform(low, high, (arguments.options, 5))
    chunks = [options[i : i + arguments.chunk] for i in range(0, len(options), arguments.chunk)]

    local = {"n_workers": arguments.workers, "threads_per_worker": 1, "dashboard_address": ":0"}  # a LocalCluster
    with Client(arguments.scheduler) if arguments.scheduler else Client(**local) as client:
        begin = time.perf_counter()
        rows = np.concatenate(client.gather(client.map(compute, client.scatter(chunks))))
        seconds = time.perf_counter() - begin
        workers = len(client.nthreads())

    print(f"{len(rows)} options in {len(chunks)} chunks on {workers} workers: {seconds:.2f} s, to and fro included")
    for name, total in zip(("value", *GREEKS, "gamma"), rows.sum(axis=0)):
        print(f"total {name:8} {total:20.6f}")
    checked = range(0, len(rows), max(1, len(rows) // 1000))
    worst = max(
        abs(got - expected) / max(1.0, abs(expected))
        for i in checked
        for got, expected in zip(rows[i].tolist(), closed_form(*options[i].tolist()))
    )
    print(f"{len(checked)} rows checked, largest difference from the closed form {worst:.1e}")


if __name__ == "__main__":
    main()
