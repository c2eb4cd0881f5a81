"""``python -m pygrad bench``: that it measures, compares and reports; never how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import count

import pytest
from conftest import ON_ONE_BACKEND

pytest.importorskip("rich")

from pygrad import Value, reference
from pygrad.bench import contenders, measure, models, workloads
from pygrad.bench.contenders import LEAN, PURE, Contender
from pygrad.bench.workloads import Result, Workload


class NoProgress:
    def add_task(self, *arguments, **keywords):
        return 0

    def update(self, task, advance, refresh):
        pass


def figures_of(workload, *contenders, quick=True):
    return measure.measure(workload, list(contenders), quick, NoProgress())


def a_workload(rounds, **others):
    """One whose contenders' `kind` gives their results."""
    return Workload("w", "a workload", "a unit", "base", rounds, lambda c, quick: next(c.kind), **others)


def test_median_middle_half_and_ratio(monkeypatch):
    monkeypatch.setattr(measure, "COMPILES", False)
    times = [[100.0, 4.0, 1.0, 3.0, 2.0, 9.0], [100.0, 2.0, 2.0, 2.0, 2.0, 2.0]]
    slow, base = (
        Contender(name, "", (Result({"t": t}, [1.0]) for t in ts)) for name, ts in zip(("slow", "base"), times)
    )
    first, second = figures_of(a_workload(5), slow, base, quick=False)
    assert (first.contender, first.median, first.low, first.high, first.ratio) == ("slow", 3.0, 2.0, 4.0, 1.5)
    assert (second.contender, second.ratio) == ("base", 1.0)


def test_a_wrong_result_does_not_count():
    right = Contender("base", "", (Result({"t": 1.0}, [2.0]) for _ in count()))
    wrong = Contender("wrong", "", (Result({"t": 0.1}, [2.0001]) for _ in count()))
    good, bad = figures_of(a_workload(3), right, wrong)
    assert good.trouble == "" and bad.trouble == "disagrees" and bad.median != bad.median


@ON_ONE_BACKEND
def test_too_deep_is_said():
    pure, lean = Contender(PURE, "", reference.Value), Contender(LEAN, "", reference.LeanValue)
    figures = figures_of(workloads.WORKLOADS["chain"], pure, lean)
    assert figures[0].trouble == "too deep for it"
    assert [f.measure for f in figures[1:]] == ["record", "reverse", "free"]


@pytest.mark.parametrize("model, steps", [(models.Network, 3), (models.GPT, 10)])
def test_models_learn_alike(model, steps):
    """Scripts as people write them have the same losses as in pure Python."""
    here, lean = model(Value), model(reference.LeanValue)
    losses = [here.step() for _ in range(steps)]
    assert losses == pytest.approx([lean.step() for _ in range(steps)], rel=1e-9)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["moons", "gpt"])
def test_a_compiled_model_learns_alike(name):
    """What is compiled has the losses of what is not."""
    step, model = contenders._compiled()[name], {"moons": models.Network, "gpt": models.GPT}[name](Value)
    losses = [step().values[0] for _ in range(5)]
    assert losses == pytest.approx([model.step() for _ in range(5)], rel=1e-9)


@pytest.mark.parametrize("name", ["programs", "calls"])
def test_programs_agree(monkeypatch, name):
    """Values and gradients of programs are those of what is recorded, and times are told for both."""
    monkeypatch.setattr(measure, "COMPILES", False)
    monkeypatch.setattr(models, "PROGRAMS", models.PROGRAMS[:3])
    found = [c for c in contenders.find_contenders() if c.name in (contenders.EAGER, contenders.COMPILED, "casadi")]
    figures = figures_of(workloads.WORKLOADS[name], *found)
    assert {f.contender for f in figures} >= {contenders.EAGER, contenders.COMPILED}
    assert all(f.trouble == "" and f.median > 0 for f in figures)


def test_what_takes_too_long_is_left_out():
    left_out = Contender("base", "", (Result({"t": "too long", "u": 1.0}, []) for _ in count()))
    assert [f.trouble for f in figures_of(a_workload(1), left_out)] == ["too long", ""]


def test_operations_are_counted():
    assert [models.operations(program) for program in models.PROGRAMS[:3]] == [6, 27, 2700]


@ON_ONE_BACKEND
def test_the_command(tmp_path):
    pytest.importorskip("matplotlib")
    figures, chart = tmp_path / "figures.json", tmp_path / "chart.svg"
    command = [sys.executable, "-m", "pygrad", "bench", "--quick", "--only", "seed,dot"]
    done = subprocess.run(
        [*command, "--json", figures, "--plot", chart],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},  # it prints what any terminal can show
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the walkthrough's training loop" in done.stdout and "pure Python" in done.stdout
    content = json.loads(figures.read_text())
    assert {f["workload"] for f in content["figures"]} == {"seed", "dot"}
    assert all(f["median"] > 0 for f in content["figures"])
    assert "<svg" in chart.read_text()


@pytest.mark.parametrize(
    "arguments, complaint",
    [(["--only", "nonsense"], "no workload nonsense"), (["--plot", "chart.xyz"], "must end in .svg")],
)
def test_bad_arguments(arguments, complaint):
    if "--plot" in arguments:
        pytest.importorskip("matplotlib")
    done = subprocess.run([sys.executable, "-m", "pygrad", "bench", *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and complaint in done.stderr
