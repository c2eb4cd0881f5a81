"""Fixtures. The backend under test is the one that PYGRAD_BACKEND chooses; the header says which."""

import gc
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

import pygrad

PYODIDE = sys.platform == "emscripten"
NEEDS_PROCESSES = pytest.mark.skipif(PYODIDE, reason="Pyodide has no processes")
NEEDS_THREADS = pytest.mark.skipif(PYODIDE, reason="Pyodide has no threads")

#: Where an installation has both backends the native one's run tests what neither changes.
ON_ONE_BACKEND = pytest.mark.skipif(
    pygrad.backend == "cffi" and find_spec("pygrad._native") is not None,
    reason="no backend changes it: tested beside the native one",
)

if PYODIDE:
    without = ("adding_an_operation", "bench", "c_library", "examples", "main", "threads", "types")
    collect_ignore = [f"test_{name}.py" for name in without]


def live_nodes():
    """What pygrad.live_nodes() says; where no references are counted, as on PyPy, after collections."""
    return settled() if sys.implementation.name != "cpython" else pygrad.live_nodes()


def settled():
    """The live nodes after as many collections as it takes, until two change nothing: what one frees may be the last
    that held more."""
    counts = [-1, -2, pygrad.live_nodes()]
    while len(counts) < 20 and not counts[-1] == counts[-2] == counts[-3]:
        gc.collect()
        counts.append(pygrad.live_nodes())
    return counts[-1]


#: Where a collection is quick, the nodes are counted around each test, else around all of a file that ask for it: on
#: the cffi backend a look through the graph unfreezes what `small_heap` froze, and PyPy freezes nothing.
AROUND = "function" if pygrad.backend == "native" else "module"


def leaves_no_node():
    """Fails when the test, or on the cffi backend a file's tests together, leave nodes behind."""
    before = settled()
    yield
    assert settled() == before


no_leak = pytest.fixture(scope=AROUND)(leaves_no_node)


def examples(many):
    """How many examples hypothesis tries of what collects: fewer where that is slow, and on PyPy it takes a tenth of a
    second."""
    return many // (1 if pygrad.backend == "native" else 3 if sys.implementation.name == "cpython" else 12)


@pytest.fixture(scope="module", autouse=True)
def small_heap():
    """Collections need not look at what the tests have imported: that makes them fifty times as fast."""
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()
    yield
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()


#: Files whose outcome no version of CPython changes: they test Python code over Value, C, or other programs.
ONCE = (
    "adding_an_operation", "bench", "c_library", "docs", "draw", "examples", "export", "layering", "lecture", "main",
    "nn", "numerics", "optim", "types", "walkthrough",
)  # fmt: skip


def pytest_configure(config):
    config.addinivalue_line("markers", "unsanitized: limits its memory, which a sanitizer does not survive")
    config.addinivalue_line("markers", "once: needs no run on each version of Python")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem.removeprefix("test_") in ONCE:
            item.add_marker(pytest.mark.once)


def pytest_report_header():
    return f"pygrad {pygrad.__version__}, backend {pygrad.backend}"


@pytest.fixture
def run_python():
    """Runs a program in a fresh interpreter and returns what it prints."""
    if PYODIDE:
        pytest.skip("Pyodide has no processes")

    def run(program, *, status=0, **environment):
        result = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}
        )
        assert result.returncode == status, result.stderr
        return result.stdout if status == 0 else result.stderr

    return run
