"""Bad input: the right exception, nothing recorded, and what was there before unchanged."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from conftest import live_nodes

import pygrad
from pygrad import Value

REFUSED = [
    (ZeroDivisionError, lambda v: v / 0),
    (ZeroDivisionError, lambda v: v / Value(0.0)),
    (ZeroDivisionError, lambda v: 1 / (v * 0)),
    (ZeroDivisionError, lambda v: (v * 0.0) ** -1),
    (ZeroDivisionError, lambda v: 0.0 ** (v * -1)),
    (OverflowError, lambda v: (v * 1e200) ** 2),
    (OverflowError, lambda v: (v * 1000).exp()),
    (OverflowError, lambda v: (v * 1000).expm1()),
    (OverflowError, lambda v: v + 10**400),
    (OverflowError, lambda v: Value(10**400)),
    (ValueError, lambda v: (v * 0).log()),
    (ValueError, lambda v: (-v).log()),
    (ValueError, lambda v: (-v).sqrt()),
    (ValueError, lambda v: (v * -1).log1p() if v.data == 1 else (v - 3).log1p()),
    (ValueError, lambda v: (v * math.inf).sin()),
    (ValueError, lambda v: (-v) ** 0.5),
    (ValueError, lambda v: (-v) ** Value(0.5)),
    (ValueError, lambda v: pygrad.mean([])),
    (ValueError, lambda v: pygrad.logsumexp([])),
    (ValueError, lambda v: pygrad.dot([v], [v, v])),
    (ValueError, lambda v: Value(1.0, (v,), (1.0, 2.0))),
    (TypeError, lambda v: v + "1"),
    (TypeError, lambda v: "1" * v),
    (TypeError, lambda v: v**None),
    (TypeError, lambda v: v + 1j),
    (TypeError, lambda v: v - [1.0]),
    (TypeError, lambda v: pygrad.sum(["1"])),
    (TypeError, lambda v: pygrad.sum(v)),
    (TypeError, lambda v: v.maximum("1")),
    (TypeError, lambda v: pow(v, 2, 3)),
    (TypeError, lambda v: Value("1")),
    (TypeError, lambda v: Value(None)),
    (TypeError, lambda v: Value(v)),
    (TypeError, lambda v: Value()),
    (TypeError, lambda v: Value(1.0, (1.0,), "op")),
    (TypeError, lambda v: Value(1.0, v, "op")),
    (TypeError, lambda v: Value(1.0, (v,), ("1",))),
    (TypeError, lambda v: setattr(v, "data", "1")),
    (TypeError, lambda v: setattr(v, "data", None)),
    (TypeError, lambda v: setattr(v, "grad", v)),
    (OverflowError, lambda v: setattr(v, "data", 10**400)),
    (TypeError, lambda v: setattr(v, "_backward", 3)),
    (AttributeError, lambda v: delattr(v, "_backward")),
    (TypeError, lambda v: pygrad.operands(3)),
    (AttributeError, lambda v: setattr(v, "_prev", set())),
    (TypeError, lambda v: v < 1),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refused(number, no_leak):
    expected, attempt = REFUSED[number]
    v, w = Value(2.0), Value(3.0)
    v.grad = 0.5
    product = v * w
    before = live_nodes()
    with pytest.raises(expected) as caught:
        attempt(v)
    assert str(caught.value)
    del caught
    assert live_nodes() == before
    assert (v.data, v.grad, product.data, product._prev) == (2.0, 0.5, 6.0, {v, w})
    product.backward()
    assert (v.grad, w.grad) == (3.5, 2.0)


def test_what_floats_accept_passes():
    v = Value(2.0)
    assert (v * 1e308 * 1e308).data == math.inf
    assert math.isnan((v * math.nan).exp().data)
    assert (v * math.inf).exp().data == math.inf
    assert (v + True).data == 3.0
    assert (v * Fraction(1, 4)).data == 0.5 and (Decimal("1.5") + v).data == 3.5


def test_an_unset_subclass_says_so():
    class Forgetful(Value):
        def __init__(self):
            pass

    with pytest.raises(AttributeError):
        Forgetful().data


def test_an_unknown_backend(run_python):
    message = run_python("import pygrad", status=1, PYGRAD_BACKEND="cuda")
    assert "ImportError" in message and "cuda" in message
