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


class Torchs:
    """Torch's formulas, for one parameter, without the shortcuts of csrc/optim.c."""

    def __init__(self, kind, options):
        defaults = {
            **{"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "nesterov": False, "maximize": False},
            **{"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False},
            **({"weight_decay": 1e-2} if kind is AdamW else {}),
        }
        vars(self).update({**defaults, **options})
        self.kind, self.steps = kind, 0

    def __call__(self, p, g):
        self.steps += 1
        g = -g if self.maximize else g
        if self.kind is AdamW:
            p *= 1 - self.lr * self.weight_decay
        elif self.weight_decay != 0:
            g += self.weight_decay * p
        if self.kind is SGD:
            if self.momentum != 0:
                first = self.steps == 1
                self.velocity = g if first else self.momentum * self.velocity + (1 - self.dampening) * g
                g = g + self.momentum * self.velocity if self.nesterov else self.velocity
            return p - self.lr * g
        if self.steps == 1:
            self.mean = self.square = self.top = 0.0
        beta1, beta2 = self.betas
        self.mean += (1 - beta1) * (g - self.mean)
        self.square = beta2 * self.square + (1 - beta2) * g * g
        self.top = max(self.top, self.square)
        largest = self.top if self.amsgrad else self.square
        scale1, scale2 = 1 - beta1**self.steps, math.sqrt(1 - beta2**self.steps)
        return p - self.lr / scale1 * self.mean / (math.sqrt(largest) / scale2 + self.eps)


@pytest.mark.parametrize("case", CASES)
def test_the_figures_are_those_of_torchs_formulas(case):
    kind, options, expected = CASES[case]
    got = []
    for i, p in enumerate((1.0, -2.0, 0.5)):
        step = Torchs(kind, options)
        for number in range(STEPS):
            p = step(p, grads(number)[i])
        got.append(p)
    assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_what_is_infinite_or_nan_goes_as_by_torchs_formulas(case):
    kind, options, _ = CASES[case]
    numbers = (math.inf, -math.inf, math.nan, 1e308, 5e-324, 1.0)
    pairs = [(p, g) for p in numbers for g in (0.0, 0.5, -1e300, math.inf)]
    params = [Value(p) for p, _ in pairs]
    optimizer, steps = kind(params, **options), [Torchs(kind, options) for _ in pairs]
    expected = [p for p, _ in pairs]
    for _ in range(3):
        for p, (_, g) in zip(params, pairs):
            p.grad = g
        optimizer.step()
        expected = [step(p, g) for step, p, (_, g) in zip(steps, expected, pairs)]
        assert [p.data for p in params] == pytest.approx(expected, rel=1e-12, nan_ok=True)
    if not options.get("weight_decay"):
        assert [p.data for p in params[:3]] == [math.inf] * 3 and params[5].data == -math.inf


@pytest.mark.parametrize("case", ["momentum", "adam", "amsgrad", "adamw"])
@pytest.mark.parametrize("change", [lambda params: [*params, Value(3.0)], lambda params: params[:1]])
def test_other_parameters_after_a_step(case, change):
    kind, options, _ = CASES[case]
    params = [Value(1.0), Value(2.0)]
    optimizer = kind(params, **options)
    params[0].grad = 1.0
    optimizer.step()
    optimizer.params = change(params)
    before = [p.data for p in optimizer.params], optimizer.state_dict()
    with pytest.raises(ValueError, match=rf"make a new optimizer for those, {kind.__name__}\(params, \.\.\.\)"):
        optimizer.step()
    assert ([p.data for p in optimizer.params], optimizer.state_dict()) == before
    optimizer.params = params
    optimizer.step()


def test_other_parameters_where_there_is_no_state():
    params = [Value(1.0)]
    for optimizer in (SGD(params), Adam(params)):
        optimizer.params += [Value(2.0)]  # before the first step, as after each of plain SGD
        optimizer.step()
    optimizer = SGD(params)
    optimizer.step()
    optimizer.params += [Value(2.0)]
    optimizer.step()


def test_a_step_that_fails_is_no_step():
    p = Value(1.0)
    for optimizer in (SGD([p], momentum=0.9), Adam([p])):
        before, optimizer.lr = optimizer.state_dict(), "fast"
        with pytest.raises(TypeError):
            optimizer.step()
        optimizer.lr = before["options"]["lr"]
        assert optimizer.state_dict() == before


def damaged(state):
    """States that are none, each made of a good one."""
    options, arrays = state["options"], state["state"]
    for name in state:
        yield {key: part for key, part in state.items() if key != name}
        for part in (None, "text", 3.5, -1, [1]):
            yield {**state, name: part}
    for name in options:
        yield {**state, "options": {key: value for key, value in options.items() if key != name}}
        if not isinstance(options[name], bool):
            for value in ("text", None, [], Value(1.0), -1.0 if name != "dampening" else "text", math.nan):
                if not (name == "dampening" and value != value):
                    yield {**state, "options": {**options, name: value}}
    yield {**state, "options": {**options, "other": 1.0}}
    for name, numbers in arrays.items():
        for part in (
            None,
            1.0,
            "text",
            [],
            [*numbers, 1.0],
            ["x"] * len(numbers),
            [None] * len(numbers),
            b"12345678",
        ):
            yield {**state, "state": {**arrays, name: part}}
    yield {**state, "state": {**arrays, "other": [0.0] * 3}}
    yield from (None, 3, "text", [], {}, [1, 2, 3])


@pytest.mark.parametrize("case", CASES)
def test_a_state_that_is_refused_changes_nothing(case):
    kind, options, _ = CASES[case]
    params = [Value(x) for x in (1.0, -2.0, 0.5)]
    optimizer = kind(params, **options)
    run(optimizer, params, set_grad)
    before = optimizer.state_dict()
    for state in damaged(before):
        with pytest.raises((ValueError, TypeError)):
            optimizer.load_state_dict(state)
        assert optimizer.state_dict() == before, state
    schedule = StepLR(optimizer, 2)
    schedule.step()
    before = schedule.state_dict(), optimizer.lr
    for state in (None, {}, {"base_lr": 1.0}, *({**before[0], name: "x"} for name in before[0])):
        with pytest.raises((ValueError, TypeError)):
            schedule.load_state_dict(state)
        assert (schedule.state_dict(), optimizer.lr) == before


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
        (lambda: SGD(3.0), TypeError),
        (lambda: SGD([p], lr="0.1"), TypeError),
        (lambda: SGD([p], lr=p), TypeError),
        (lambda: SGD([p], momentum=None), TypeError),
        (lambda: Adam([p], betas=0.9), ValueError),
        (lambda: Adam([p], betas=(0.9, "x")), TypeError),
        (lambda: StepLR(SGD([p]), "2"), TypeError),
        (lambda: StepLR(SGD([p]), 2, gamma=None), TypeError),
        (lambda: StepLR([p], 2), TypeError),
        (lambda: LinearLR(SGD([p]), "x"), TypeError),
        (lambda: CosineAnnealingLR(SGD([p]), math.nan), ValueError),
        (lambda: CosineAnnealingLR(SGD([p]), 2, eta_min="x"), TypeError),
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
