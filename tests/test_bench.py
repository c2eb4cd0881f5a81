"""``python -m pygrad bench``: that it measures, compares and reports; never how fast anything is."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from itertools import count

import pytest
from conftest import ON_ONE_BACKEND

pytest.importorskip("rich")

from pygrad import Value, check_gradients, reference, value_and_grad
from pygrad.bench import cmpad, contenders, finance, fits, measure, models, ours, programs, rows, workloads
from pygrad.bench.contenders import LEAN, PURE, Contender
from pygrad.bench.models import Result
from pygrad.bench.workloads import Workload


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
    step, model = ours.compiled_programs()[name], {"moons": models.Network, "gpt": models.GPT}[name](Value)
    losses = [step().values[0] for _ in range(5)]
    assert losses == pytest.approx([model.step() for _ in range(5)], rel=1e-9)


def test_rows_in_one_call_learn_alike():
    pytest.importorskip("numpy")
    step, model = ours.vmap_programs(1)["moons"], models.Network(Value)
    losses = [step().values[0] for _ in range(5)]
    assert losses == pytest.approx([model.step() for _ in range(5)], rel=1e-9)


@pytest.mark.parametrize("name", ["programs", "calls"])
def test_programs_agree(monkeypatch, name):
    """Values and gradients of programs are those of what is recorded, and times are told for both."""
    monkeypatch.setattr(measure, "COMPILES", False)
    monkeypatch.setattr(programs, "PROGRAMS", programs.PROGRAMS[:3])
    found = [c for c in contenders.find_contenders() if c.name in (contenders.EAGER, contenders.COMPILED, "casadi")]
    figures = figures_of(workloads.WORKLOADS[name], *found)
    assert {f.contender for f in figures} >= {contenders.EAGER, contenders.COMPILED}
    assert all(f.trouble == "" and f.median > 0 for f in figures)


PEERS = [c for c in contenders.find_contenders() if c.name not in (PURE, LEAN, "micrograd")]


@pytest.mark.parametrize(
    "name", ["cmpad", "cmpad-setup", "options", "asian", "swaptions", "scipy", "newton", "break-even"]
)
def test_contenders_agree(monkeypatch, name):
    """Whoever is here, on small sizes."""
    if name in ("scipy", "newton"):
        pytest.importorskip("scipy")
    monkeypatch.setattr(measure, "COMPILES", False)
    monkeypatch.setattr(programs, "PROGRAMS", programs.PROGRAMS[:3])
    workload = workloads.WORKLOADS[name]
    figures = figures_of(workload._replace(rounds=1, sizes=workload.sizes and (10, 10)), *PEERS)
    assert {f.contender for f in figures} >= {contenders.COMPILED, *[c.name for c in PEERS if name in c.programs]}
    assert {f.trouble for f in figures} <= {"", "it does not pay", "compiling takes too long"}


def test_a_part_is_compared_too():
    """Who does fewer rows or points computes the same of these."""
    whole = workloads._row_by_row("asian", next(c for c in PEERS if c.name == contenders.EAGER), 20)
    way = rows.Way(lambda *given: (0.0, []), lambda *given: ([], []), most=1300 * 20)
    assert way.run(rows.asian_options, 20).note == ", 1 x 20 rows" and whole.note == ", 2 x 20 rows"
    assert len(whole.values) == 4 * (1 + 2)  # few rows of the first, and all of each


def test_prices_of_paths():
    """What the models have in closed form: without volatility, and by differences."""
    grown = sum(100.0 * math.exp(0.05 * t / 4) for t in range(1, 5)) / 4
    still = finance.asian([Value(100.0), Value(0.0), Value(0.05)], (90.0, 1.0), [1.0, -2.0, 0.5, 0.0])
    assert still.data == pytest.approx((grown - 90.0) * math.exp(-0.05), rel=1e-12)
    trade = lambda x: finance.asian(x, (95.0, 0.5), [0.3, -0.2, 1.0])  # noqa: E731
    check_gradients(trade, [100.0, 0.2, 0.03])

    discount = 1.0 / (1.0 + 0.25 * 0.05)
    flat = finance.libor([Value(0.05)] * 80 + [Value(0.0)] * 80, [0.045, 0.06, 0.04], [0.7] * 40)
    value = sum(100.0 * (0.05 - rate) * 0.25 * discount**k for rate in (0.045, 0.04) for k in range(1, 5))
    assert flat.data == pytest.approx(value * discount**40, rel=1e-12)
    curve = [0.03 + 0.002 * i for i in range(44)] + [0.2 + 0.01 * i for i in range(44)]
    check_gradients(lambda x: finance.libor(x, [0.05, 0.1], [0.3, -0.4, 0.2] * 13 + [0.1]), curve)


def test_the_problems_of_cmpad():
    """A determinant's gradient is itself times the inverse, transposed; the equations have a solution."""
    np = pytest.importorskip("numpy")
    determinant, equations, fit = cmpad.CMPAD
    matrix = np.array(determinant.numbers).reshape(5, 5)
    value, slopes = value_and_grad(determinant.function)(list(determinant.numbers))
    assert value == pytest.approx(np.linalg.det(matrix), rel=1e-9)
    assert slopes == pytest.approx((value * np.linalg.inv(matrix).T).ravel(), rel=1e-9)
    value, slopes = value_and_grad(equations.function)(list(equations.numbers))
    assert value == pytest.approx(2.0**4 / 24 * math.prod(equations.numbers), rel=1e-12)
    assert slopes == pytest.approx([value / x for x in equations.numbers], rel=1e-12)
    t = np.linspace(-1.0, 1.0, cmpad.POINTS)
    best, squares, *_ = np.linalg.lstsq(np.vander(t, 4, increasing=True), np.sign(t), rcond=None)
    value, slopes = value_and_grad(fit.function)(list(best))
    assert value == pytest.approx(squares[0] / 2) and slopes == pytest.approx([0.0] * 4, abs=1e-9)


def test_a_gradient_saves_evaluations():
    pytest.importorskip("scipy")
    without, given = fits.by_differences(10).amounts, fits.first_order(programs.rosenbrock, fits.residuals, 10).amounts
    names = [name for name in given if name.endswith("evaluations")]
    assert len(names) == 2 and all(given[name] < without[name] for name in names)


def test_what_takes_too_long_is_left_out():
    left_out = Contender("base", "", (Result({"t": "too long", "u": 1.0}, []) for _ in count()))
    assert [f.trouble for f in figures_of(a_workload(1), left_out)] == ["too long", ""]


def test_operations_are_counted():
    assert [programs.operations(program) for program in programs.PROGRAMS[:3]] == [6, 27, 2700]


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
