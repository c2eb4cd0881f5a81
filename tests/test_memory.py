"""Memory over time: nothing is left behind, and the arena stays within a bound of what is alive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

try:
    import psutil
except ImportError:  # for PyPy it may be there and not load
    psutil = None


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
