"""Damaged pickles and calls with any arguments: an exception, or a Value, and never a crash."""

from __future__ import annotations

import io
import pickle
import random
import struct

import pytest

import pygrad
from pygrad import OPS, Value
from pygrad._backends import core
from pygrad.copying import rebuild

#: What unpickling raises by itself for what is no pickle, or names nothing that is there.
BAD_PICKLE = (
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
)
BAD_PICKLE += (struct.error, KeyError, OverflowError, MemoryError, AssertionError)


@pytest.fixture(autouse=True)
def sound():
    x = Value(2.0)
    y = x * x
    yield
    y.backward()
    assert (x.data, x.grad, y._prev) == (2.0, 4.0, {x}) and core.check() is None


def graph():
    x, y = Value(0.5, label="x"), Value(1.5)
    end = pygrad.dot([x, y], [y, x]) + x**3 - Value(2.0, (x, y), (1.0, 2.0)).exp() + pygrad.sum([x, y, 1.0])
    return [end, -x]


LISTS = (("builtins", "list"), ("builtin", "list"))


class Careful(pickle._Unpickler):
    """In Python, as C's takes gigabytes for a large number of a memo. It calls only pygrad: a name that
    was changed could be anything's. And it makes no bytearray, of which there are none in a graph: one takes as many
    gigabytes as its changed size says."""

    dispatch = pickle._Unpickler.dispatch.copy()
    del dispatch[pickle.BYTEARRAY8[0]]

    def find_class(self, module, name):
        if not module.startswith("pygrad") and (module.strip("_"), name) not in LISTS:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return super().find_class(module, name)


def load(text):
    """Whether it is still a pickle."""
    try:
        loaded = Careful(io.BytesIO(text)).load()
        for value in loaded if isinstance(loaded, list) else ():
            if isinstance(value, Value):
                value.backward()
                assert value._prev is not None and repr(value)
    except BAD_PICKLE:
        return False
    return True


@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_pickles_with_changed_bytes(protocol):
    text, pick, loaded = pickle.dumps(graph(), protocol), random.Random(protocol), 0
    for _ in range(500):
        damaged = bytearray(text)
        for place in pick.sample(range(len(text)), pick.choice([1, 1, 2])):
            damaged[place] = pick.choice([damaged[place] ^ 1 << pick.randrange(8), pick.randrange(256)])
        loaded += load(bytes(damaged))
    assert loaded  # many bytes are the digits of numbers


@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_pickles_that_end_early(protocol):
    text = pickle.dumps(graph(), protocol)
    assert not any(load(text[:end]) for end in range(len(text)))


def anything(pick):
    x = Value(2.0)
    numbers = [None, True, 0, 1, -1, 2**31, 2**64, 1.5, float("nan"), Ellipsis, object, Value, int]
    others = [
        "",
        "add",
        "a\0",
        b"",
        (),
        [],
        {},
        x,
        (x,),
        (x, x),
        [x] * 3,
        (x, None),
        (1.0,),
        (1.0, 2.0),
        ("a",),
    ]
    return pick.choice([*numbers, *others])


def fitting(pick):
    """Arguments that are right but for one, or not even that."""
    count = pick.randrange(4)
    arguments = [1.0, 0.0, tuple(Value(float(i)) for i in range(count))]
    arguments += [pick.choice([None, 2, 0.5]), pick.choice(["", "f"]), pick.choice([None, (1.0,) * count])]
    for _ in range(pick.choice([0, 1, 1, 2])):
        arguments[pick.randrange(len(arguments))] = anything(pick)
    return arguments


def made(function, *arguments):
    try:
        value = function(*arguments)
    except (ValueError, TypeError, OverflowError):
        return 0
    assert isinstance(value, Value)
    value.backward()
    value._prev, value._op, repr(value)
    return 1


@pytest.mark.parametrize("seed", range(4))
def test_rebuild_and_restore_with_any_arguments(seed, no_leak):
    pick, done = random.Random(seed), 0
    for _ in range(1000):
        name = pick.choice([*OPS, *OPS, "none", anything(pick)])
        done += made(rebuild, name, *fitting(pick), pick.choice([None, None, Value, type("Sub", (Value,), {}), int]))
        code = pick.choice([*range(len(OPS)), -1, len(OPS), 255, 256, 9999, 2**31, 2**64, anything(pick)])
        done += made(core.restore, code, *fitting(pick))
    assert done > 100


def test_state_of_the_wrong_kind():
    for state in (1, "a", [1], {1: 2}, (1, 2), {"_prev": 1}, {"data": "x"}, {"_backward": 1}):
        with pytest.raises((TypeError, AttributeError)):
            Value(1.0).__setstate__(state)
