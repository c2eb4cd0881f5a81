"""The engine's own figures: recording, the reverse pass and freeing, per operation, as the graph grows;
memory a node; and the seed's loop against the pure-Python class.

    python benchmarks/engine.py            # 10^3 to 10^6 operations
    python benchmarks/engine.py --full     # to 10^7

Times are medians of interleaved rounds. "float" is the same arithmetic on plain floats in the same run.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import time

import pygrad
from pygrad import Value, reference, walkthrough


def rows(kind: type, operations: int) -> object:
    """Rows of products, w . x + ..., of a fixed width: half the operations are '*', half '+'."""
    width = 32
    ws = [kind(0.5 + i / width) for i in range(width)]
    xs = [kind(1.0 - i / width) for i in range(width)]
    total = kind(0.0)
    for _ in range(operations // (2 * width)):
        for w, x in zip(ws, xs):
            total = total + w * x
    return total


def timed(action: object) -> tuple[float, object]:
    start = time.perf_counter()
    result = action()  # type: ignore[operator]
    return time.perf_counter() - start, result


def one_round(operations: int) -> tuple[float, float, float, float]:
    """Nanoseconds an operation: float, record, reverse, free."""
    plain, _ = timed(lambda: rows(float, operations))
    record, root = timed(lambda: rows(Value, operations))
    reverse, _ = timed(root.backward)  # type: ignore[attr-defined]
    holder = [root]
    del root

    def free() -> None:
        holder.clear()
        pygrad.live_nodes()  # hands over what is dead

    freeing, _ = timed(free)
    done = operations // 64 * 64
    return tuple(t / done * 1e9 for t in (plain, record, reverse, freeing))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="up to 10^7 operations")
    options = parser.parse_args()
    print(f"pygrad {pygrad.__version__}, {pygrad.backend} backend, Python {platform.python_version()}")
    print(f"{'operations':>10} {'float':>8} {'record':>8} {'reverse':>8} {'free':>8}   ns an operation")
    sizes = [1_000, 10_000, 32_000, 100_000, 1_000_000] + ([10_000_000] if options.full else [])
    for size in sizes:
        gc.collect()
        results = [one_round(size) for _ in range(max(3, min(101, 2_000_000 // size)))]
        medians = [statistics.median(column) for column in zip(*results)]
        print(f"{size:>10} " + " ".join(f"{m:8.2f}" for m in medians))
    print(f"memory in C: {pygrad.memory().bytes / pygrad.memory().nodes:.2f} bytes a node")
    engine, pure = walkthrough.measure([Value, reference.Value])
    ratio = f"{pure / engine:.2f} times as long"
    print(f"the seed's loop: {engine:.2f} us an iteration, pure Python {pure:.2f}: {ratio}")


if __name__ == "__main__":
    main()
