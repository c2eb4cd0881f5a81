"""Threads with graphs of their own, threads that share leaves, and fork."""

import os
import threading

import pytest

import pygrad
from pygrad import Value


def in_threads(count, work):
    errors = []

    def guarded(i):
        try:
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not errors and not any(thread.is_alive() for thread in threads)


def test_graphs_of_their_own(no_leak):
    def work(i):
        for round_number in range(30):
            x = Value(1.0 + i)
            out = x
            for _ in range(200):  # beside 7 others this makes the arena grow, again and again
                out = out * 1.0 + x
            kept = [out * k for k in range(round_number)]
            out.backward()
            assert out.data == 201.0 * (1 + i)
            assert x.grad == 201.0
            assert all(v._prev for v in kept)

    in_threads(8, work)


def test_shared_leaves(no_leak):
    shared = [Value(float(i)) for i in range(10)]

    def work(i):
        for _ in range(200):
            out = pygrad.sum(v * i for v in shared)
            assert out.data == 45.0 * i

    in_threads(6, work)
    pygrad.sum(shared).backward()
    assert [v.grad for v in shared] == [1.0] * 10


def test_data_and_grad_while_the_arena_grows(run_python):
    """In a fresh process, whose arena is small. Threads change often, or each call into C waits 5 ms."""
    program = """
import sys, threading
from pygrad import Value
sys.setswitchinterval(1e-5)
watched, stop, wrong = Value(5.0), threading.Event(), []
def watch():
    while not stop.is_set():
        watched.grad = 3.0
        if (watched.data, watched.grad) != (5.0, 3.0):
            wrong.append(1)
thread = threading.Thread(target=watch)
thread.start()
hoard = [Value(0.0) for _ in range(20_000)]
stop.set()
thread.join()
print(len(hoard), wrong)
"""
    assert run_python(program) == "20000 []\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_beside_a_reverse_pass():
    x = Value(1.0)
    deep = x
    for _ in range(200_000):
        deep = deep + 1.0
    done = threading.Event()

    def passes():
        while not done.is_set():
            deep.backward()

    thread = threading.Thread(target=passes)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                y = Value(3.0)
                (y * y).backward()
                os._exit(0 if y.grad == 6.0 else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        thread.join()
