"""Memory over time: nothing is left behind, and the arena stays within a bound of what is alive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import NEEDS_PROCESSES

import pygrad

try:
    import psutil
except ImportError:  # for PyPy it may be there and not load
    psutil = None


@NEEDS_PROCESSES
@pytest.mark.unsanitized
@pytest.mark.skipif(psutil is None, reason="psutil is missing")
def test_soak():
    soak = Path(__file__).with_name("soak.py")
    done = subprocess.run([sys.executable, str(soak), "--share", "0.01"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


#: Programs that scatter what stays alive. Each sets `kept`; a step records about 200 nodes.
PATTERNS = {
    "a leaf kept at each step": "kept.append(Value(float(i))); end = step(kept[-1])",
    "a value in the middle of each graph kept": "end = step(Value(1.0)); kept.append(end)",
    "every other graph dropped": "kept.append(step(Value(1.0))); kept[-1:] = kept[-1:] if i % 2 else []",
    "the oldest dropped": "kept.append(step(Value(1.0))); kept[:] = kept[-50:]",
    "one in ten of many leaves kept": "kept += [Value(1.0) for _ in range(200)][::10]",
}


@pytest.mark.parametrize("name", PATTERNS)
def test_fragments_stay_bounded(name, run_python):
    """The bound: room for twice the most nodes ever alive at once, as room grows by doubling, and for 65,536
    slots more on the cffi backend, which hands dead nodes over in bulk."""
    program = f"""
import pygrad
from pygrad import Value
def step(x):
    out = x
    for _ in range(100):
        out = out * 1.0 + x
    return out
kept, most, end = [], 0, None
for i in range(1500):
    {PATTERNS[name]}
    end = None
    if i % 50 == 0:
        most = max(most, pygrad.live_nodes())
most = max(most, pygrad.live_nodes()) + 500
room, bulk = pygrad.memory().nodes, 65536 if pygrad.backend == "cffi" else 0
print(room <= 2 * (most + bulk), most, room)
"""
    assert run_python(program).startswith("True"), run_python(program)


@pytest.mark.skipif(pygrad.backend != "cffi", reason="it is the cffi backend's")
def test_batches(run_python):
    """How PyPy learns which objects are gone, on any interpreter."""
    program = """
import gc, sys, types
name = sys.implementation.name
sys.implementation.name = "pypy"
from pygrad import Value, live_nodes, operands
from pygrad._backends.cffi import arena
sys.implementation.name = name
assert arena.lifetime.__name__.endswith("batches")
x = Value(2.0)
kept = [x * 1.0 for _ in range(1000)]
assert x in kept[0]._prev and live_nodes() == 2001
del kept[::2]
gc.collect()
print(live_nodes())
out = Value(3.0, (x,), "f")
out._backward = lambda: setattr(x, "grad", out.grad)
out * 2.0
gc.collect()
out._backward = lambda: setattr(x, "grad", 5.0)  # the result is gone, and found to be
(out * 2.0).backward()
del out, kept
gc.collect()
print(live_nodes(), x.grad)
x.__init__(7.0)
gc.collect()
print(live_nodes(), x.data, arena.check())
for _ in range(300_000):
    x * x
gc.collect()
print(live_nodes())
"""
    assert run_python(program) == "1001\n1 5.0\n1 7.0 None\n1\n"
