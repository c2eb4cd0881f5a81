"""Long runs: resident memory stays flat, and no node is left behind.

    python tests/soak.py                 # a million iterations and more, some minutes on the cffi backend
    python tests/soak.py --share 0.01    # a hundredth of that, as the tests run it

PYGRAD_BACKEND chooses the backend. Each part prints a line; the program ends with 1 where one fails.
"""

from __future__ import annotations

import argparse
import gc
import sys

import psutil

import pygrad
from pygrad import Value, nn, walkthrough


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(psutil.Process().memory_info().rss)


def seed_loop(count: int) -> None:
    walkthrough.train(Value, count, show=None)


def network_with_closures(count: int) -> None:
    """A small network with a custom activation, written as a closure, in each neuron."""
    model = nn.MLP(2, [3, 1], nonlin=False)

    def leaky(x: Value) -> Value:
        out = Value(x.data if x.data > 0 else 0.1 * x.data, (x,), "leaky")

        def step() -> None:
            x.grad += out.grad * (1.0 if x.data > 0 else 0.1)

        out._backward = step
        return out

    for i in range(count):
        hidden = [leaky(h) for h in model.layers[0]([i % 3, i % 5])]
        loss = (model.layers[1](hidden) - 1.0) ** 2
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.001 * p.grad


def big_graphs(count: int) -> None:
    """Graphs of ten million nodes at full length, freed and built again."""
    for _ in range(3):
        x = end = Value(1.0)
        for _ in range(count):
            end = end + x
        end.backward()


PARTS = {
    "seed's loop": (seed_loop, 10**6),
    "network": (network_with_closures, 10**5),
    "graphs": (big_graphs, 10**7),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the full length (default: %(default)s)")
    share = parser.parse_args().share
    failed = False
    for name, (run, count) in PARTS.items():
        count = max(100, int(count * share))
        run(count)  # the first time makes room
        gc.collect()
        live, before = pygrad.live_nodes(), resident()
        run(count)
        gc.collect()
        left, grown = pygrad.live_nodes() - live, resident() - before
        fine = left == 0 and grown < 4 * 2**20
        failed = failed or not fine
        print(f"{name}, {count} times: {left} nodes left, {grown / 2**20:+.1f} MiB", "" if fine else "FAILED")
    sys.exit(failed)


if __name__ == "__main__":
    main()
