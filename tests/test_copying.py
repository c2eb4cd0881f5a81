"""copy, deepcopy and pickle: numbers, sharing, depth."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest
from conftest import NEEDS_PROCESSES
from helpers import arguments_of

import pygrad
from pygrad import OPS, Value
from pygrad.nn import MLP


def through_pickle(x, protocol=pickle.HIGHEST_PROTOCOL):
    return pickle.loads(pickle.dumps(x, protocol))


BOTH = pytest.mark.parametrize("duplicate", [copy.deepcopy, through_pickle])


@BOTH
def test_every_operation(duplicate):
    x, y = Value(0.5), Value(0.75)
    results = [x + y, x - y, x * y, x / y, x**y, x**3, x**0.5, -x, abs(x), Value(1.0, (x, y), (2.0, 3.0))]
    for op in OPS.values():
        function = pygrad.functions.get(op.name)
        if function is not None:
            results.append(function(*arguments_of(op, x, y)))
    kinds = {op.name for op in OPS.values()}
    assert len(results) >= len(kinds) - 2
    for original in results:
        x.grad = y.grad = 0.0
        original.backward()
        x.grad = y.grad = 0.0
        a, b, twin = duplicate((x, y, original))
        assert (twin.data, twin.grad, twin._op) == (original.data, 1.0, original._op)
        original.backward()
        twin.backward()
        assert (a.grad, b.grad) == (x.grad, y.grad)


@BOTH
def test_sharing(duplicate, no_leak):
    x = Value(2.0, label="x")
    h = x * x
    pair = [h + 1, h.tanh(), x]
    first, second, leaf = duplicate(pair)
    assert first is not pair[0] and first._prev & second._prev
    assert leaf in next(iter(second._prev))._prev and leaf.label == "x"
    first.backward()
    assert leaf.grad == 4.0 and x.grad == 0.0


@BOTH
@pytest.mark.parametrize("depth", [1, 2, 3, 1000, 1001, 1002, 5_000])
def test_depth(duplicate, depth, no_leak):
    x = end = Value(1.0)
    for _ in range(depth):
        end = end * 0.5 + x
    twin = duplicate(end)
    twin.backward()
    end.backward()
    leaf = twin
    while leaf._op:
        leaf = (
            next(v for v in leaf._prev if v._op)
            if any(v._op for v in leaf._prev)
            else next(v for v in leaf._prev if v.data == 1.0)
        )
    assert leaf.grad == x.grad


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_protocols_and_size(protocol):
    x = end = Value(1.0)
    for _ in range(3000):
        end = end * 1.0 + x
    text = pickle.dumps(end, protocol)
    assert pickle.loads(text).data == end.data
    assert len(text) < 6000 * 250


def test_the_python_pickler():
    x = end = Value(1.0)
    for _ in range(3000):
        end = end + x
    import io

    file = io.BytesIO()
    pickle._Pickler(file).dump([end, x])
    assert len(file.getvalue()) < 3000 * 250
    again, leaf = pickle.loads(file.getvalue())
    again.backward()
    assert leaf.grad == 3001.0


def test_copy():
    x = Value(2.0, label="x")
    y = x**2
    twin = copy.copy(y)
    assert twin is not y and twin._prev == {x} and twin._op == "**2" and twin.data == 4.0
    twin.backward()
    assert x.grad == 4.0 and y.grad == 0.0
    assert copy.copy(x).label == "x"


@BOTH
def test_models(duplicate):
    model = MLP(2, [3, 1])
    twin = duplicate(model)
    assert twin([0.1, 0.2]).data == model([0.1, 0.2]).data
    twin.parameters()[0].data += 1.0
    assert twin.parameters()[0].data != model.parameters()[0].data


class Parameter(Value):
    def __init__(self, data, name):
        super().__init__(data)
        self.name = name


@BOTH
def test_subclasses(duplicate):
    p = Parameter(2.0, "p")
    p.grad = 5.0
    twin = duplicate(p)
    assert type(twin) is Parameter and (twin.data, twin.grad, twin.name) == (2.0, 5.0, "p")
    q, square = duplicate([p, p * p])
    assert square._prev == {q}


class Slotted(Value):
    __slots__ = ("__private", "note", "unset")

    def __init__(self, data, note):
        super().__init__(data)
        self.note, self.__private = note, [note]

    def state(self):
        return self.note, self.__private, hasattr(self, "unset")


class Both(Slotted):
    """With a dict beside its slots."""

    def state(self):
        return super().state(), self.more, self.label


class Stateful(Value):
    def __init__(self, data):
        super().__init__(data)
        self.log = ["made"]

    def __getstate__(self):
        return {"saved": self.log}

    def __setstate__(self, state):
        self.log = [*state["saved"], "restored"]

    def state(self):
        return self.log[0]


class Inherits(Parameter):
    def __getstate__(self):
        return super().__getstate__(), "more"

    def __setstate__(self, state):
        super().__setstate__(state[0])
        self.more = state[1]

    def state(self):
        return self.name, vars(self).get("more", "more")


class Reduced(Value):
    def __init__(self, data, unit):
        super().__init__(data)
        self.unit = unit

    def __reduce__(self):
        return Reduced, (self.data, self.unit), {"reduced": True}

    def state(self):
        return self.unit, vars(self).get("reduced", True)


class ReducedEx(Value):
    def __reduce_ex__(self, protocol):
        return ReducedEx, (self.data,), {"protocol": protocol >= 0}

    def state(self):
        return vars(self).get("protocol", True)


class NewArguments(Value):
    def __new__(cls, data, unit):
        self = super().__new__(cls)
        self.__dict__["made"] = unit
        return self

    def __init__(self, data, unit):
        super().__init__(data)

    def __getnewargs__(self):
        return self.data, self.made

    def state(self):
        return self.made


class NewKeywords(NewArguments):
    def __getnewargs_ex__(self):
        return (self.data,), {"unit": self.made}


class DeepCopied(Parameter):
    def __deepcopy__(self, memo):
        return DeepCopied(self.data, self.name)

    def state(self):
        return self.name


def both():
    value = Both(2.0, "n")
    value.more, value.label = {"a": 1}, "labelled"
    return value


OWN_STATE = {
    "slots": lambda: Slotted(2.0, "n"),
    "slots and a dict": both,
    "getstate": lambda: Stateful(2.0),
    "getstate and super": lambda: Inherits(2.0, "n"),
    "reduce": lambda: Reduced(2.0, "m"),
    "reduce_ex": lambda: ReducedEx(2.0),
    "getnewargs": lambda: NewArguments(2.0, "m"),
    "getnewargs_ex": lambda: NewKeywords(2.0, "m"),
    "deepcopy": lambda: DeepCopied(2.0, "n"),
}


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        through_pickle,
        lambda x: through_pickle(x, 0),
        lambda x: pickle.loads(pickle._dumps(x)),
    ],
    ids=["copy", "deepcopy", "pickle", "protocol 0", "python"],
)
@pytest.mark.parametrize("name", OWN_STATE)
def test_the_state_of_subclasses(name, duplicate, no_leak):
    value = OWN_STATE[name]()
    twin = duplicate(value)
    assert twin is not value and type(twin) is type(value) and twin.data == 2.0
    assert twin.state() == value.state()
    if duplicate is not copy.copy:
        leaf, product = duplicate([value, value * 3.0])  # and as a part of a graph
        assert leaf in product._prev and leaf.state() == value.state() and product.data == 6.0
        product.backward()
        assert leaf.grad == 3.0


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, through_pickle])
def test_closures_are_refused(duplicate):
    x = Value(1.0)
    out = Value(2.0, (x,), "twice")
    out._backward = lambda: None
    with pytest.raises(TypeError, match="local gradients"):
        duplicate(out)
    with pytest.raises(TypeError, match="local gradients"):
        copy.deepcopy(out + 1)


def test_public_functions_are_pickled_by_name():
    for name in pygrad.__all__:
        thing = getattr(pygrad, name)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1) if callable(thing) else ():
            assert pickle.loads(pickle.dumps(thing, protocol)) is thing, name


# -- compiled functions, with the models that are in them --


@pygrad.compile(static="n")
def power(x, n=3):
    return x if n == 1 else x * power(x, n - 1)


class Loss:
    def __init__(self, model):
        self.model = model

    def __call__(self, x, y):
        return (self.model(x) - y) ** 2

    @pygrad.compile
    def of(self, x, y):
        return self(x, y)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_compiled_function_is_pickled_by_its_name(protocol):
    for dumps in (pickle.dumps, pickle._dumps):
        for function in (power, Loss.of):
            assert pickle.loads(dumps(function, protocol)) is function
            assert copy.copy(function) is copy.deepcopy(function) is function
        assert pickle.loads(dumps(pygrad.grad(power), protocol))(2.0) == 12.0


@BOTH
def test_a_model_in_a_compiled_function_is_copied(duplicate):
    model = MLP(2, [3, 1])
    loss = Loss(model)
    x, y = [0.5, -1.0], 2.0
    expected = pygrad.compile(loss)(x, y).data
    model_of = {
        pygrad.compile(loss): lambda f: f.function.model,
        loss.of: lambda f: f.__self__.model,
        pygrad.vmap(loss, reduce="sum"): lambda f: f.f.model,
        pygrad.vmap(loss.of, reduce="sum"): lambda f: f.f.__self__.model,
    }
    for f, its_model in model_of.items():
        example = (x, y) if f is loss.of or hasattr(f, "cache_info") else ([x], [y])
        twin, again = duplicate((f, its_model(f)))
        assert twin(*example).data == f(*example).data == expected
        assert its_model(twin) is again is not model  # what is shared stays shared
        again.parameters()[-1].data += 1.0
        assert twin(*example).data != expected and f(*example).data == expected


WRITER = """
import cloudpickle, pygrad, sys
from pygrad import Value, exp, grad, hessian, jvp, nn, vmap, where

model = nn.MLP(2, [1])
model.load_state_dict({"layers.0.neurons.0.w.0": 1.0, "layers.0.neurons.0.w.1": 2.0, "layers.0.neurons.0.b": 3.0})

@pygrad.compile
def loss(x, y):
    "A docstring."
    return model(x) * y

@pygrad.compile(static="n")
def power(x, n=3, *, by=1.0):
    return x * by if n == 1 else x * power(x, n - 1)

class Scaled:
    @pygrad.compile
    def of(self, x, y):
        return loss(x, y) * 10.0

def closure(model):
    return pygrad.compile(lambda x, y: model(x) * y)

def plain(x):
    return x * exp(where(x, x, 1.0))

rows = [[1.0, 1.0], [0.0, 1.0]], [1.0, 2.0]
checks = [
    (loss, ([1.0, 1.0], 2.0)),
    (closure(model), ([1.0, 1.0], 2.0)),
    (Scaled().of, ([1.0, 1.0], 2.0)),
    (power, (2.0,)),
    (power, (2.0, 4)),
    (vmap(loss, reduce="sum"), rows),
    (vmap(closure(model), reduce="mean"), rows),
    (grad(loss), ([1.0, 1.0], 2.0)),
    (grad(grad(plain)), (2.0,)),
    (hessian(power), (2.0,)),
    (jvp(plain), (2.0, 1.0)),
]
again = [(cloudpickle.loads(cloudpickle.dumps(f)), args) for f, args in checks]  # and what came out of a pickle
plainly = [(f, args, repr(f(*args))) for f, args in [*checks, *again]]
sys.stdout.buffer.write(cloudpickle.dumps((plainly, cloudpickle.dumps(loss))))
"""

READER = """
import pickle, sys
checks, loss = pickle.load(sys.stdin.buffer)
for f, args, expected in checks:
    assert repr(f(*args)) == expected, (f, args, expected)
    assert repr(f(*args)) == expected
f = pickle.loads(loss)
assert (f.__name__, f.__qualname__, f.__doc__, f.function.__qualname__) == ("loss", "loss", "A docstring.", "loss")
print(len(checks))
"""


@NEEDS_PROCESSES
def test_cloudpickle_takes_the_functions_of_main_to_another_process():
    pytest.importorskip("cloudpickle")
    written = subprocess.run([sys.executable, "-c", WRITER], capture_output=True, timeout=120)
    assert written.returncode == 0, written.stderr.decode()
    read = subprocess.run([sys.executable, "-c", READER], input=written.stdout, capture_output=True, timeout=120)
    assert read.returncode == 0, read.stderr.decode()
    assert int(read.stdout) == 22
