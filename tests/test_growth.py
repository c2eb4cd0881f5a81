"""The arena's room stays within a bound of what is alive: a test counts bursts, not iterations.

The bound is CONTRIBUTING's: room for twice the most nodes that were alive at once, and on the cffi backend,
which hands dead nodes over in bulk, for twice 65,536 more. Each program has an arena of its own.
"""

from __future__ import annotations

import sys

import pytest

PROLOGUE = """
import random
import pygrad
from pygrad import Value

most = 0
pick = random.Random(1)

def count():
    global most
    most = max(most, pygrad.live_nodes())

def train(iterations):
    w1, w2 = Value(0.0), Value(0.0)
    for _ in range(iterations):
        loss = 0.5 * ((w1 - 1) ** 2 + (w2 - 5) ** 2)
        w1.grad = w2.grad = 0.0
        loss.backward()
        w1.data -= 0.1 * w1.grad
        w2.data -= 0.1 * w2.grad
    return loss

def graph(x, size):
    out = x
    for _ in range(size):
        out = out * 0.5 + x
    return out
"""
EPILOGUE = """
count()
assert pygrad._backends.core.check() is None
size = 1000  # of the largest graph: it may have gone before it was counted
room, bulk = pygrad.memory().nodes, 65536 if pygrad.backend == "cffi" else 0
print(room <= 2 * (most + size + bulk), room, most)
"""
PROGRAMS = {
    "the walkthrough's loop in bursts": """
for burst in range(12):
    train(20_000 if burst < 4 else 3_000)  # nothing is counted meanwhile: counting releases as well
""",
    "short bursts, each with other leaves": """
for burst in range(3_000):
    train(pick.randrange(1, 40))
""",
    "losses kept for random times": """
kept = []
for burst in range(3_000):
    kept.append(train(pick.randrange(1, 30)))
    while kept and pick.random() < 0.48:
        kept.pop(pick.randrange(len(kept)))
    if burst % 700 == 0:
        count()
""",
    "leaves that live long at high slots": """
kept = []
for burst in range(300):
    held = [Value(1.0) for _ in range(pick.randrange(1, 1000))]
    kept.append(Value(2.0))
    end = graph(kept[-1], 300)
    del held, end
    kept[:] = kept[-100:]
    if burst % 100 == 0:
        count()
""",
    "models made and dropped": """
from pygrad.nn import MLP
model = None
for burst in range(60):
    model = MLP(2, [pick.randrange(2, 16), pick.randrange(2, 16), 1])
    for _ in range(5):
        out = model([1.0, -1.0])
        model.zero_grad()
        out.backward()
""",
    "graphs of random sizes": """
x = Value(1.0)
for burst in range(1_500):
    end = graph(x if burst % 3 else Value(1.0), int(2 ** pick.uniform(0, 8.6)))
    if burst % 700 == 0:
        count()
""",
    "the middle of a graph kept": """
kept = []
for burst in range(400):
    middle = graph(Value(1.0), pick.randrange(1, 300))
    end = graph(middle, pick.randrange(1, 100))
    if burst % 7 == 0:
        kept.append(middle)
        kept[:] = kept[-20:]
    if burst % 100 == 0:
        count()
""",
}


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="elsewhere dead objects live until a collection")
@pytest.mark.parametrize("name", PROGRAMS)
def test_room_stays_within_its_bound(name, run_python):
    output = run_python(PROLOGUE + PROGRAMS[name] + EPILOGUE)
    assert output.startswith("True"), output
