"""Each program in examples/ runs, and finds what it sets out to find."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ON_ONE_BACKEND

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples/ is not beside the tests")


@pytest.fixture
def run_example(tmp_path):
    """Runs an example in a directory of its own and returns what it prints."""

    def run(name, *arguments):
        result = subprocess.run(
            [sys.executable, str(EXAMPLES / name), *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=tmp_path,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_walkthrough(run_example):
    printed = run_example("walkthrough.py")
    assert "loss = 2.5, d loss / d w1 = 1.0, d loss / d w2 = -2.0" in printed
    assert printed.endswith("w1 = 1.0000, w2 = 4.9999\n")


def test_custom_operations_agree_with_the_exact_gradients(run_example):
    for line in run_example("custom_operation.py").splitlines()[1:]:
        ours, exact = line.split(" = ")[1].split(", exactly ")
        assert ours == exact


def test_pendulum(run_example):
    fitted, true = re.search(r"fitted length (\S+) m, true length (\S+) m", run_example("pendulum.py")).groups()
    assert abs(float(fitted) - float(true)) < 0.01


@ON_ONE_BACKEND  # a small network of the same kind: test_bench.py
def test_two_moons(run_example, tmp_path):
    pytest.importorskip("matplotlib")
    printed = run_example("two_moons.py", "--steps", "41", "--output", "moons.png")
    right = [int(n) for n in re.findall(r"(\d+) of 100 right", printed)]
    assert right[-1] > 90 > right[0]
    assert (tmp_path / "moons.png").read_bytes().startswith(b"\x89PNG")


def test_character_gpt(run_example):
    pytest.importorskip("names")
    pytest.importorskip("rich")
    printed = run_example("character_gpt.py", "--steps", "200", "--samples", "5")
    first, last = map(float, re.search(r"loss: (\S+) at first, (\S+) in the end", printed).groups())
    assert last < first
    assert len(printed.split("in the end\n")[1].splitlines()) == 5


@ON_ONE_BACKEND
def test_greeks_on_dask(run_example):
    pytest.importorskip("distributed")
    pytest.importorskip("numpy")
    printed = run_example("greeks_on_dask.py", "--options", "5000", "--chunk", "1000", "--workers", "2")
    assert "5000 options in 5 chunks on 2 workers" in printed
    assert float(printed.split()[-1]) < 1e-12


@ON_ONE_BACKEND
def test_training_on_dask(run_example):
    pytest.importorskip("distributed")
    pytest.importorskip("numpy")
    printed = run_example("training_on_dask.py", "--points", "200", "--steps", "41", "--workers", "2")
    assert "200 points on 2 workers" in printed
    losses = [float(number) for number in re.findall(r"loss (\S+)", printed)]
    assert losses[-1] < losses[0] / 4 and int(re.search(r"(\d+) of 200 right", printed).group(1)) > 180


@pytest.mark.parametrize("name", ["greeks_on_dask.py", "training_on_dask.py"])
def test_without_dask(name, tmp_path):
    (tmp_path / "distributed.py").write_text("raise ModuleNotFoundError(name='distributed')")
    command = [sys.executable, "-c", f"import runpy; runpy.run_path({str(EXAMPLES / name)!r}, run_name='__main__')"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert result.returncode == 1 and re.fullmatch(r"\w+ is missing: pip install distributed numpy\n", result.stderr)


@ON_ONE_BACKEND
def test_notebook(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("graphviz")
    if not shutil.which("dot"):
        pytest.skip("Graphviz's program is not installed")
    notebook = nbformat.read(EXAMPLES / "walkthrough.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert outputs[0]["data"]["text/plain"] == "Value(data=2.5)"
    assert outputs[1]["data"]["text/plain"] == "(1.0, -2.0)"


def test_all_examples_are_tested():
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(path.name in text for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb"))
