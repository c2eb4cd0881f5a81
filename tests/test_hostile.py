"""Python that re-enters, raises, interrupts, or runs out of room: nothing crashes, nothing is lost."""

from __future__ import annotations

import gc
import signal
import sys
import threading

import pytest
from conftest import NEEDS_PROCESSES, NEEDS_THREADS, settled

import pygrad
from pygrad import Value
from pygrad._backends import core

ON_CPYTHON = pytest.mark.skipif(sys.implementation.name != "cpython", reason="needs CPython")


def custom(x, step):
    out = Value(x.data, (x,), "custom")
    out._backward = lambda: step(out)
    return out


@pytest.fixture(autouse=True)
def sound():
    yield
    gc.collect()
    assert core.check() is None


def test_closures_that_record_and_call_backward(no_leak):
    x = Value(2.0)

    def step(out):
        hoard = [x * k for k in range(5000)]  # makes the arena grow within the pass
        hoard[-1].backward()
        inner = x * 2
        inner.backward()
        out.grad = 1.0

    end = custom(x, step) * 3
    end.backward()
    assert end.data == 6.0 and end.grad == 1.0


def test_an_exception_leaves_the_arena_usable(no_leak):
    x = Value(2.0)

    def step(out):
        raise LookupError("on purpose")

    middle = custom(x * 1.0, step)
    top = middle * 3.0
    with pytest.raises(LookupError, match="on purpose"):
        (top + x).backward()
    assert (top.grad, middle.grad) == (1.0, 3.0)  # written above the closure, not below it
    y = x * x
    x.grad = 0.0
    y.backward()
    assert x.grad == 4.0


def test_a_closure_that_takes_its_root_away(no_leak):
    x = Value(2.0)
    roots = []

    def step(out):
        roots.clear()
        gc.collect()
        [Value(float(i)) for i in range(100)]
        x.grad += out.grad

    roots.append(custom(x * 1.0, step) * 3.0)
    roots[0].backward()
    assert x.grad == 3.0


def test_init_again_within_the_pass(no_leak):
    x = Value(2.0)
    root = custom(x, lambda out: root.__init__(7.0)) * 1.0
    root.backward()
    assert root.data == 7.0 and root._op == ""


def test_finalizers_and_weak_references_that_come_back():
    import weakref

    class Loud(Value):
        def __del__(self):
            results.append((Value(1.0) + 2.0).data)
            Value(5.0).backward()

    results = []
    x = Loud(1.0)
    y = x * 2
    reference = weakref.ref(y, lambda _: results.append((Value(4.0) * 2).data))
    del x, y
    gc.collect()
    pygrad.live_nodes()
    assert reference() is None and sorted(results) == [3.0, 8.0]


@ON_CPYTHON
@pytest.mark.parametrize("kept", [False, True])
def test_weak_references_to_values_that_go_deep_in_a_chain(kept):
    """CPython puts the end of some objects off, where many are nested."""
    import weakref

    before = settled()
    for depth in range(20, 120):
        v = Value(1.0)
        reference = weakref.ref(v)
        if kept:
            v._backward = lambda: None
        chain = [v, v * 2.0]
        del v
        for _ in range(depth):
            chain = [chain]
        del chain
        assert reference() is None
    assert settled() == before and core.check() is None


@ON_CPYTHON
def test_a_finalizer_that_finds_a_node_while_its_object_is_made():
    """Up to CPython 3.11 making an object may collect garbage first."""

    class Looks:
        def __init__(self):
            self.itself = self

        def __del__(self):
            found.append(root._prev)

    x, hoard, thresholds = Value(1.0), [Value(0.0) for _ in range(1100)], gc.get_threshold()
    try:
        for _ in range(100):
            found = []
            root = x * 2.0 + 1.0
            hoard.append(Value(0.0))  # in the place of the object of x * 2.0: there is no dead one left
            Looks()
            gc.set_threshold(1)
            operands = root._prev
            gc.set_threshold(*thresholds)
            assert all(other == operands for other in found)
    finally:
        gc.set_threshold(*thresholds)


def test_float_and_hash_that_come_back():
    class Number:
        def __float__(self):
            (Value(1.0) * 2).backward()
            gc.collect()
            return 3.0

    class Hashed(Value):
        def __hash__(self):
            return int((Value(2.0) + 1).data)

        def __eq__(self, other):
            return self is other

    v = Value(2.0)
    assert (v * Number()).data == 6.0 and pygrad.sum([v, Number()]).data == 5.0
    assert (Hashed(1.0) + Hashed(2.0))._prev


def test_a_list_that_changes_while_it_is_read():
    xs = [Value(1.0), Value(2.0)]

    class Number:
        def __float__(self):
            xs.clear()
            gc.collect()
            return 3.0

    for call in (
        lambda: pygrad.dot(xs, [Number(), 1.0]),
        lambda: pygrad.sum(xs.append(Number()) or xs),
    ):
        xs[:] = [Value(1.0), Value(2.0)]
        try:
            result = call()
        except ValueError:
            continue  # the lists are of unequal length by then
        assert isinstance(result, Value)


@ON_CPYTHON
def test_an_interrupt_in_a_long_pass():
    if not hasattr(signal, "raise_signal") or threading.current_thread() is not threading.main_thread():
        pytest.skip("needs signals")
    x = Value(1.0)
    out, calls = x, []

    def step(o):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)

    for _ in range(50):
        out = custom(out, step)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # in a background job it is ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            out.backward()
    finally:
        signal.signal(signal.SIGINT, handler)
    assert 3 <= len(calls) < 50


def test_a_low_recursion_limit(run_python):
    program = """
import sys, gc
from pygrad import Value, operands
x = out = Value(1.0)
held = []
for i in range(20000):
    out = out * 1.0 + x
    if i % 100 == 0:
        held.append(out)
        step = out._backward
        out._backward = lambda step=step: step()
sys.setrecursionlimit(50)
out.backward()
print(x.grad)
del out, held
gc.collect()
"""
    assert run_python(program) == "20001.0\n"


def test_gc_frozen_and_disabled(no_leak):
    x = Value(1.0)
    try:
        gc.disable()
        gc.freeze() if hasattr(gc, "freeze") else None
        out = custom(x * 2.0, lambda o: None) + x
        out.backward()
        assert out._prev and x.grad == 1.0
    finally:
        gc.unfreeze() if hasattr(gc, "unfreeze") else None
        gc.enable()


@NEEDS_THREADS
def test_overlapping_passes_of_two_threads():
    x = Value(1.0)
    shared = x
    for _ in range(1000):
        shared = shared + x
    errors = []

    def work():
        try:
            for _ in range(200):
                (shared * 2.0).backward()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and core.check() is None


@NEEDS_THREADS
def test_a_first_look_beside_threads_that_build_tuples(run_python):
    """A tuple that is being built must not be found by whoever looks for a node's object."""
    program = """
import sys, threading
from pygrad import Value
sys.setswitchinterval(1e-6)
hoard = [[] for _ in range(100_000)]
errors, stop = [], False
def build():
    while not stop:
        try:
            tuple(i for i in range(20))
        except SystemError as error:
            errors.append(error)
            break
threads = [threading.Thread(target=build) for _ in range(4)]
for thread in threads:
    thread.start()
x = Value(1.0)
y = x * 2.0
assert x in y._prev
stop = True
for thread in threads:
    thread.join()
print(errors)
"""
    assert run_python(program) == "[]\n"


@pytest.mark.skipif(not hasattr(gc, "freeze"), reason="needs gc.freeze")
def test_a_frozen_object_is_found(run_python):
    program = """
import gc
import pygrad
from pygrad import Value
x = Value(1.0)
y = x * 2.0
gc.freeze()
print(x in y._prev)
v = Value(1.0)
v.itself = [v]
del v
gc.collect()
print(pygrad.live_nodes())  # x, y and the 2.0
"""
    assert run_python(program) == "True\n3\n"


def test_modules_loaded_again(run_python):
    """Values made before and after work together: a module that holds them refuses to be loaded twice."""
    program = """
import importlib, sys
import pygrad
before = pygrad.Value(2.0)
before.label = "x"
product = before * 3.0
for name, module in sorted(sys.modules.items()):
    if name.split(".")[0] == "pygrad" and str(getattr(module, "__file__", "")).endswith(".py"):
        try:
            importlib.reload(module)
        except ImportError as error:
            assert "live Values" in str(error), error
after = pygrad.Value(5.0)
result = before * after + product
result.backward()
print(before.grad, after.grad, before.label, before in product._prev, type(before) is pygrad.Value)
"""
    assert run_python(program) == "8.0 2.0 x True True\n"


@NEEDS_THREADS
def test_a_pass_beside_threads_that_record():
    x = deep = Value(1.0)
    for _ in range(500_000):
        deep = deep * 1.0  # two nodes
    stop, sums = threading.Event(), []

    def record():
        while not stop.is_set():
            a = Value(3.0)
            b = a * a
            b.backward()
            sums.append(a.grad)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        x.grad = 0.0
        deep.backward()
        assert x.grad != 0.0
    stop.set()
    for thread in threads:
        thread.join()
    assert set(sums) == {6.0}


@NEEDS_PROCESSES
@pytest.mark.parametrize(
    "program",
    [
        "graph = sum([Value(1.0) * 2 for _ in range(1000)], Value(0.0))",
        "v = Value(1.0); out = Value(2.0, (v,), 'f'); out._backward = lambda: out; v.partner = out",
        """
import threading
x = Value(1.0)
def work():
    while True:
        (x * 2.0).backward()
threading.Thread(target=work, daemon=True).start()
""",
        """
class Late:
    def __del__(self):
        Value(1.0).backward()
keep = Late()
keep.itself = keep
""",
    ],
)
def test_the_interpreter_ends_in_silence(program):
    import os
    import subprocess

    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore:The global interpreter lock",
            "-c",
            "from pygrad import Value\n" + program,
        ],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@ON_CPYTHON
def test_another_interpreter(run_python):
    """It works there, or the import says why not."""
    program = """
try:
    import _interpreters as interpreters
    run = interpreters.exec
    made = interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    run = interpreters.run_string
    made = interpreters.create()
import pygrad
text = '''
try:
    import pygrad
    v = pygrad.Value(2.0)
    (v * v).backward()
    print("works", v.grad, flush=True)
except ImportError as error:
    print("refused", "interpreter" in str(error), flush=True)
'''
result = run(made, text)
v = pygrad.Value(3.0)
(v * v).backward()
print(v.grad)
"""
    lines = run_python(program).splitlines()
    assert lines[0] in ("works 4.0", "refused True") and lines[1] == "6.0"


def test_a_subclass_with_a_finalizer(no_leak):
    """Its nodes are given back as others are, and its own __del__ runs once for each class that has one."""
    gone = []

    class Watched(Value):
        def __del__(self):
            gone.append("Watched")

    class Twice(Watched):
        def __del__(self):
            gone.append("Twice")
            super().__del__()

    for _ in range(5):
        Watched(1.0)
        Twice(2.0) * 3
    gc.collect()
    assert sorted(gone) == ["Twice"] * 5 + ["Watched"] * 10
