"""vmap in threads and processes: the same bits, whoever computes them; interrupts, forks and pickles."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import signal
import sys
import threading

import pytest
from conftest import NEEDS_PROCESSES, NEEDS_THREADS
from helpers import in_threads

import pygrad
from pygrad import Value, grad, hessian, hvp, jacobian, jvp, value_and_grad, vmap
from pygrad._backends import rows as backend

np = pytest.importorskip("numpy")

COUNTS = [1, 7, 8, 127, 128, 129, 1000, 4099, 40_000]
HAS_FORK = hasattr(os, "fork") and sys.platform != "emscripten"


@pygrad.compile
def potential(x, k):
    return (x[0] * x[1] - k) ** 2 / (1.0 + abs(x[1])) + x[0].maximum(k) * 0.1


def bits(x):
    """Numbers as bytes, whatever they are nested in."""
    if isinstance(x, Value):
        return np.float64(x.data).tobytes()
    if isinstance(x, (list, tuple)):
        return b"".join(map(bits, x))
    return np.asarray(x, dtype=float).tobytes()


def points(count):
    return np.random.default_rng(count).normal(size=(count, 2))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("reduce", [None, "sum", "mean"])
def test_threads_change_no_bit(count, reduce, no_leak):
    xs = points(count)
    for f in (potential, value_and_grad(potential, (0, 1)), grad(potential, 1)):
        one = bits(vmap(f, (0, None), reduce, threads=1)(xs, 0.5))
        for threads in (2, 3, 7, None):
            assert bits(vmap(f, (0, None), reduce, threads)(xs, 0.5)) == one


def test_gradients_of_a_sum_are_the_same_in_threads(no_leak):
    w, xs = [Value(0.5), Value(-1.5)], points(3000)
    f = vmap(lambda x: (w[0] * x[0] + w[1] * x[1]) ** 2, reduce="sum")
    seen = set()
    for threads in (1, 2, 3, 7):
        f.threads = threads
        for v in w:
            v.grad = 0.0
        f(xs).backward()
        seen.add(bits([v.grad for v in w]))
    assert len(seen) == 1


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_the_first_row_that_fails_whoever_finds_it(threads, no_leak):
    xs = np.ones(20_000)
    f = vmap(lambda x: x.log(), threads=threads)
    assert not f(xs).any()
    for bad in ([19_999], [13, 14, 19_999], [9_000, 9_001, 15_000], range(8_191, 20_000)):
        xs[:] = 1.0
        xs[list(bad)] = -1.0
        for _ in range(5):
            with pytest.raises(ValueError, match=rf"math domain error, in row {bad[0]}$"):
                f(xs)
        passed = vmap(f.f, threads=threads, errors="nan")(xs)
        assert np.flatnonzero(np.isnan(passed)).tolist() == list(bad)


@NEEDS_THREADS
def test_one_vmap_in_several_threads(no_leak):
    """Each with rows of its own, and as many threads again below."""
    made = vmap(potential, (0, None), threads=3), vmap(value_and_grad(potential), (0, None), "mean", 2)
    data = [points(500 + 300 * i) for i in range(4)]
    expected = [[bits(f(xs, 0.25)) for xs in data] for f in made]

    def work(i):
        for _ in range(30):
            for f, results in zip(made, expected):
                assert bits(f(data[i], 0.25)) == results[i]

    in_threads(4, work)


@NEEDS_THREADS
def test_threads_that_record_and_run_at_once(no_leak):
    for _ in range(10):
        w = Value(3.0)
        f = vmap(lambda x, w=w: x[0] * w + x[1], reduce="sum")
        xs, start = points(300), threading.Barrier(4)
        totals = [None] * 4

        def work(i, f=f, xs=xs, start=start, totals=totals):
            start.wait(60)
            totals[i] = bits(f(xs))

        in_threads(4, work)
        assert len(set(totals)) == 1


# -- interrupts ---------------------------------------------------------------------------------------------


class InterruptedLibrary:
    """The C library, whose runs are short, and in one of which a signal comes."""

    PG_MOST_CHUNKS = 1

    def __init__(self, library, at):
        self.library, self.runs, self.at = library, 0, at

    def __getattr__(self, name):
        return getattr(self.library, name)

    def pg_run_rows_aside(self, *arguments):
        status = self.library.pg_run_rows_aside(*arguments)
        self.runs += 1
        if self.runs == self.at:
            signal.raise_signal(signal.SIGINT)
        return status


@pytest.fixture(autouse=True)
def interrupts():
    """KeyboardInterrupt is raised where the tests run in the background too: there a shell ignores its signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "raise_signal") or os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("reduce", [None, "sum"])
def test_an_interrupt_between_chunks(reduce, monkeypatch, no_leak):
    xs, f = points(2000), vmap(potential, (0, None), reduce, 2)
    expected = bits(f(xs, 0.5))
    for at in (1, 2, 5):
        library = InterruptedLibrary(backend.lib, at)
        with monkeypatch.context() as patched:
            patched.setattr(backend, "lib", library)
            with pytest.raises(KeyboardInterrupt):
                f(xs, 0.5)
            assert library.runs == at
            assert bits(f(xs, 0.5)) == expected and library.runs > 10 + at
        assert bits(f(xs, 0.5)) == expected


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@NEEDS_THREADS
def test_an_interrupt_of_a_long_run(run_python):
    """From a timer; the main thread is in C then. More rows than one call does come first, the same after it."""
    program = """
import signal, threading
import numpy as np
import pygrad
from pygrad import vmap
signal.signal(signal.SIGINT, signal.default_int_handler)
started = threading.Event()
@pygrad.compile
def f(x):
    for k in range(20_000):
        x = x * 0.999 + 0.001
    return x
few, many = np.linspace(0.0, 1.0, 50), np.linspace(0.0, 1.0, 10**6)
before = vmap(f)(few)
def interrupt():
    started.wait()
    signal.raise_signal(signal.SIGINT)
timer = threading.Timer(0.05, interrupt)
timer.start()
try:
    started.set()
    vmap(f, reduce="sum", threads=2)(many)
    print("it went on to the end")
except KeyboardInterrupt:
    print((vmap(f)(few) == before).all())
"""
    assert run_python(program) == "True\n"


# -- processes ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not HAS_FORK, reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_fork_after_and_during_a_run():
    """The child has none of the parent's threads, and begins its own."""
    xs, f = points(3000), vmap(value_and_grad(potential), (0, None), threads=3)
    expected, done = bits(f(xs, 0.5)), threading.Event()

    def run():
        while not done.is_set():
            f(xs, 0.5)

    def fork():
        child = os.fork()
        if child == 0:
            os._exit(0 if all(bits(f(xs, 0.5)) == expected for _ in range(3)) else 1)
        return os.waitpid(child, 0)[1]

    assert fork() == 0
    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert [fork() for _ in range(5)] == [0] * 5
    finally:
        done.set()
        thread.join()


def weight(x):
    return x[0] * x[1] ** 3


TRANSFORMS = [grad, value_and_grad, jacobian, hessian]


def test_pickles():
    xs = points(20)
    for f in (potential, vmap(grad(potential), (0, None)).f):
        made = vmap(f, (0, None), None, 2, "nan")
        again = pickle.loads(pickle.dumps(made))
        assert bits(again(xs, 0.5)) == bits(made(xs, 0.5)) and repr(again) == repr(made)
        assert (again.in_axes, again.reduce, again.threads, again.errors) == ((0, None), None, 2, "nan")
    for make in TRANSFORMS:
        made = vmap(make(weight), reduce="sum")
        assert bits(pickle.loads(pickle.dumps(made))(xs)) == bits(made(xs))
    x = [1.0, 2.0]
    for make in (hvp, jvp):
        again = pickle.loads(pickle.dumps(make(weight)))
        assert again.f is weight and again(x, x) == make(weight)(x, x) and repr(again) == repr(make(weight))
    third = grad(grad(grad(cube)))
    assert pickle.loads(pickle.dumps(third))(2.0) == third(2.0) == 6.0


def cube(x):
    return x**3


@NEEDS_PROCESSES
def test_a_pool_maps_vmaps():
    parts = [points(50 + i) for i in range(6)]
    mapped = vmap(hessian(weight)), vmap(value_and_grad(weight), reduce="sum"), grad(grad(cube))
    for method in {"spawn", "fork"}.intersection(multiprocessing.get_all_start_methods()):
        with multiprocessing.get_context(method).Pool(2 if method == "fork" else 1) as pool:
            for f in mapped[:2]:
                assert [bits(part) for part in pool.map(f, parts)] == [bits(f(part)) for part in parts]
            assert pool.map(mapped[2], [1.0, 2.0]) == [6.0, 12.0]


def test_a_vmap_that_is_dropped_while_others_run(no_leak):
    """Programs and their registers go with the last that runs them."""
    rng = random.Random(0)

    def work(i):
        for _ in range(20):
            k = rng.random()
            f = vmap(pygrad.compile(lambda x, k=k: x[0] * k), threads=2)
            assert f(points(300)).tolist() == (points(300)[:, 0] * k).tolist()

    in_threads(3, work)
