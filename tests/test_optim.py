"""Optimizers and schedules, step for step against torch's figures; these against torch where installed."""

from __future__ import annotations

import math

import pytest

from pygrad import Value, nn
from pygrad.optim import SGD, Adam, AdamW
from pygrad.optim.lr_scheduler import CosineAnnealingLR, LinearLR, StepLR

STEPS = 6


def grads(step):
    return [0.5 * step - 1.0, math.sin(step), -0.25]


#: What the parameters 1, -2 and 0.5 are after six steps with these grads, by torch 2.13.
CASES = {
    "sgd": (SGD, {"lr": 0.1}, [0.85, -2.017616164972238, 0.6500000000000001]),
    "momentum": (SGD, {"lr": 0.1, "momentum": 0.9}, [1.1978140000000002, -2.455856788683437, 0.94574225]),
    "dampening": (
        SGD,
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
        [1.2629079975857784, -2.2902981942156018, 0.8393563024855172],
    ),
    "nesterov": (
        SGD,
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "maximize": True},
        [1.0819935999999999, -1.6994959214302976, 0.04514239999999992],
    ),
    "adam": (Adam, {}, [1.0023533597625085, -2.0025455898621503, 0.50599999976]),
    "adam decay": (
        Adam,
        {"lr": 0.05, "betas": (0.8, 0.9), "eps": 0.0001, "weight_decay": 0.1},
        [1.0688423831168918, -2.0132556331234928, 0.7986641878525302],
    ),
    "amsgrad": (
        Adam,
        {"lr": 0.05, "amsgrad": True, "maximize": True},
        [0.8823500308189292, -1.8727205068924955, 0.20000001200000025],
    ),
    "adamw": (AdamW, {"lr": 0.05}, [1.11438834833858, -2.12110319753936, 0.7981271116717276]),
}


def run(optimizer, params, set_grad):
    for step in range(STEPS):
        for p, g in zip(params, grads(step)):
            set_grad(p, g)
        optimizer.step()


def set_grad(p, g):
    p.grad = g


@pytest.mark.parametrize("case", CASES)
def test_like_torch(case):
    kind, options, expected = CASES[case]
    params = [Value(x) for x in (1.0, -2.0, 0.5)]
    run(kind(params, **options), params, set_grad)
    assert [p.data for p in params] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_the_figures_are_torchs(case):
    torch = pytest.importorskip("torch")
    kind, options, expected = CASES[case]
    params = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (1.0, -2.0, 0.5)]

    def set_tensor(p, g):
        p.grad = torch.tensor(g, dtype=torch.float64)

    run(getattr(torch.optim, kind.__name__)(params, **options), params, set_tensor)
    assert [p.item() for p in params] == pytest.approx(expected, rel=1e-12)


#: Rates of eight epochs from 0.8 on, by torch 2.13.
SCHEDULES = [
    (StepLR, {"step_size": 3, "gamma": 0.5}, [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2]),
    (LinearLR, {"total_iters": 4}, [0.266666666667, 0.4, 0.533333333333, 0.666666666667, 0.8, 0.8, 0.8, 0.8]),
    (
        CosineAnnealingLR,
        {"T_max": 5, "eta_min": 0.1},
        [
            0.8,
            0.733155948031,
            0.558155948031,
            0.341844051969,
            0.166844051969,
            0.1,
            0.166844051969,
            0.341844051969,
        ],
    ),
]


@pytest.mark.parametrize("kind, options, expected", SCHEDULES)
def test_schedules(kind, options, expected):
    optimizer = SGD([Value(1.0)], lr=0.8)
    schedule, rates = kind(optimizer, **options), []
    for _ in range(8):
        rates.append(schedule.get_last_lr())
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(expected, rel=1e-9)


def test_a_schedule_goes_on_where_it_was():
    optimizer, other = (SGD([Value(1.0)], lr=0.8) for _ in range(2))
    schedule, resumed = StepLR(optimizer, 2), StepLR(other, 2)
    for _ in range(5):
        schedule.step()
    resumed.load_state_dict(schedule.state_dict())
    assert other.lr == optimizer.lr and resumed.last_epoch == 5


@pytest.mark.parametrize("case", CASES)
def test_an_optimizer_goes_on_where_it_was(case):
    kind, options, _ = CASES[case]
    params = [Value(x) for x in (1.0, -2.0, 0.5)]
    optimizer = kind(params, **options)
    run(optimizer, params, set_grad)
    copies = [Value(p.data) for p in params]
    other = kind(copies)
    other.load_state_dict(optimizer.state_dict())
    run(optimizer, params, set_grad)
    run(other, copies, set_grad)
    assert [p.data for p in params] == [p.data for p in copies]


def test_zero_grad(no_leak):
    params = [Value(1.0), Value(2.0)]
    (params[0] * params[1]).backward()
    SGD(params).zero_grad()
    assert [p.grad for p in params] == [0.0, 0.0]


def test_bad_arguments():
    p = Value(1.0)
    for call, error in (
        (lambda: SGD([]), ValueError),
        (lambda: SGD([1.0]), TypeError),
        (lambda: SGD([p, p]), ValueError),
        (lambda: SGD([p], lr=-1.0), ValueError),
        (lambda: SGD([p], nesterov=True), ValueError),
        (lambda: Adam([p], betas=(0.9, 1.0)), ValueError),
        (lambda: Adam([p], eps=math.nan), ValueError),
        (lambda: StepLR(SGD([p]), 0), ValueError),
        (lambda: LinearLR(SGD([p]), start_factor=0.0), ValueError),
        (lambda: CosineAnnealingLR(SGD([p]), 0), ValueError),
        (lambda: SGD([p]).load_state_dict(Adam([p]).state_dict()), ValueError),
    ):
        with pytest.raises(error):
            call()
    optimizer = Adam([p, Value(2.0)])
    optimizer.step()
    for given in (nn.MLP(2, [1]), p):
        with pytest.raises(TypeError, match="an optimizer takes"):
            SGD(given)
    with pytest.raises(ValueError, match="2 parameters, not of 1"):
        Adam([p]).load_state_dict(optimizer.state_dict())
