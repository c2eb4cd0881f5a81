"""Fixtures. The backend under test is the one that PYGRAD_BACKEND chooses; the header says which."""

import gc
import os
import subprocess
import sys

import pytest

import pygrad

if sys.platform == "emscripten":  # Pyodide has no processes and no threads
    without = ("bench", "c_library", "examples", "main", "threads", "types")
    collect_ignore = [f"test_{name}.py" for name in without]


def live_nodes():
    """What pygrad.live_nodes() says; where no references are counted, as on PyPy, after collections."""
    return settled() if sys.implementation.name != "cpython" else pygrad.live_nodes()


def settled():
    """The live nodes after as many collections as it takes: what one frees may be the last that held more."""
    counts = [-1, -2, -3]
    while len(counts) < 20 and not counts[-1] == counts[-2] == counts[-3]:
        gc.collect()
        counts.append(pygrad.live_nodes())
    return counts[-1]


@pytest.fixture
def no_leak():
    """Fails when the test leaves nodes behind."""
    before = settled()
    yield
    assert settled() == before


@pytest.fixture(scope="module", autouse=True)
def small_heap():
    """Collections need not look at what the tests have imported: that makes them fifty times as fast."""
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()
    yield
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()


def pytest_configure(config):
    config.addinivalue_line("markers", "unsanitized: limits its memory, which a sanitizer does not survive")


def pytest_report_header():
    return f"pygrad {pygrad.__version__}, backend {pygrad.backend}"


@pytest.fixture
def run_python():
    """Runs a program in a fresh interpreter and returns what it prints."""
    if sys.platform == "emscripten":
        pytest.skip("Pyodide has no processes")

    def run(program, *, status=0, **environment):
        result = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}
        )
        assert result.returncode == status, result.stderr
        return result.stdout if status == 0 else result.stderr

    return run
