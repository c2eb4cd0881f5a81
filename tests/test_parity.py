"""Both backends in one process: the same results, the same exceptions and messages, the same signatures."""

from __future__ import annotations

import importlib
import inspect
import math
import random
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from helpers import arguments_of
from test_errors import REFUSED

import pygrad
from pygrad import OPS
from pygrad._backends.interface import Attribute

pytest.importorskip("pygrad._native", reason="the native backend is not built")
BACKENDS = [importlib.import_module(f"pygrad._backends.{name}") for name in ("native", "cffi")]


class Face:
    """A backend under the names that pygrad gives it."""

    def __init__(self, backend):
        self.Value, self.operands, self.core = backend.Value, backend.operands, backend
        self.__dict__.update(backend.functions)


FACES = [Face(backend) for backend in BACKENDS]


def shown(x):
    """A result as something that can be compared: what is a nan equals itself."""
    if isinstance(x, (list, tuple)):
        return [shown(item) for item in x]
    if hasattr(type(x), "backward"):
        return "Value", repr(x), repr(x.grad), x._op, [repr(operand.grad) for operand in _operands(x)]
    return x if isinstance(x, (str, type(None))) else repr(x)


def _operands(value):
    return next(face for face in FACES if isinstance(value, face.Value)).operands(value)


def outcome(call):
    try:
        return shown(call())
    except Exception as error:
        return type(error).__name__, re.sub(r"\b(decimal|numpy)\.", "", str(error))  # so C names other types


def compare(program):
    """The program takes a face and returns what is to be the same."""
    native, cffi = (outcome(lambda face=face: program(face)) for face in FACES)
    assert native == cffi


class Length:
    def __float__(self):
        return 2.0

    def __len__(self):
        return 2


class Real:
    def __float__(self):
        return 2.5


class Index:
    def __index__(self):
        return 3


class Broken:
    def __float__(self):
        raise LookupError("on purpose")


NUMBERS = [
    *(0, -1, 3, 2.5, True, 10**30, 10**400, 2**53 + 1, math.inf, math.nan, -0.0),
    *(Fraction(1, 3), Decimal("1.5"), "1", b"1", None, 1j, [1.0], (1.0,), {}, object, Ellipsis),
    *(Length(), Real(), Index(), Broken()),
]
try:
    import numpy

    NUMBERS += [
        numpy.array(2.0),
        numpy.array([2.0]),
        numpy.float32(1.5),
        numpy.int64(3),
        numpy.complex128(1 + 1j),
    ]
    NUMBERS += [numpy.bool_(True), numpy.array("x"), numpy.array([1.0, 2.0])]
except ImportError:
    pass


def with_subclass(face):
    class Forgetful(face.Value):
        def __init__(self):
            pass

    return Forgetful()


USES = {
    "made": lambda p, v, n: p.Value(n),
    "data": lambda p, v, n: (setattr(v, "data", n), v.data),
    "grad": lambda p, v, n: (setattr(v, "grad", n), v.grad),
    "+": lambda p, v, n: v + n,
    "r-": lambda p, v, n: n - v,
    "/": lambda p, v, n: v / n,
    "r/": lambda p, v, n: n / v,
    "**": lambda p, v, n: v**n,
    "r**": lambda p, v, n: n**v,
    "pow": lambda p, v, n: pow(v, n, 3),
    "maximum": lambda p, v, n: v.maximum(n),
    "function": lambda p, v, n: p.maximum(n, v),
    "exp": lambda p, v, n: p.exp(n),
    "sum": lambda p, v, n: p.sum([v, n]),
    "sum of": lambda p, v, n: p.sum(n),
    "dot": lambda p, v, n: p.dot([v, n], [n, 1.0]),
    "dot of": lambda p, v, n: p.dot(n, [1.0]),
    "partial": lambda p, v, n: p.Value(1.0, (v,), (n,)),
    "partials": lambda p, v, n: p.Value(1.0, (v,), n),
    "children": lambda p, v, n: p.Value(1.0, n, "op"),
    "child": lambda p, v, n: p.Value(1.0, (n,), "op"),
    "label": lambda p, v, n: (p.Value(1.0, label=n), v)[1],
    "closure": lambda p, v, n: setattr(v, "_backward", n),
    "format": lambda p, v, n: f"{v:{n}}",
    "operands": lambda p, v, n: p.operands(n),
    "zero_graph": lambda p, v, n: p.core.zero_graph(n),
    "zero_grads": lambda p, v, n: p.core.zero_grads([n]),
    "info": lambda p, v, n: p.core.info(n),
    "restored": lambda p, v, n: p.core.restore(0, n, 0.0, ()),
    "restored power": lambda p, v, n: p.core.restore(OPS["pow_scalar"].code, 1.0, 0.0, (v,), n),
    "restored code": lambda p, v, n: p.core.restore(n, 1.0, 0.0, (v,)),
    "initialized again": lambda p, v, n: (v.__init__(n), v)[1],
    "compared": lambda p, v, n: v == n,
}


@pytest.mark.parametrize("use", USES)
def test_whatever_stands_for_a_number(use):
    for n in NUMBERS:
        compare(lambda face, n=n: USES[use](face, face.Value(2.0), n))


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refused(number, monkeypatch):
    attempt = REFUSED[number][1]

    def program(face):
        monkeypatch.setitem(attempt.__globals__, "Value", face.Value)
        monkeypatch.setitem(attempt.__globals__, "pygrad", face)
        return attempt(face.Value(2.0))

    compare(program)


USES_OF_MISUSE = {
    "a subclass without a node": [
        lambda p, v: with_subclass(p).data,
        lambda p, v: setattr(with_subclass(p), "data", 1.0),
        lambda p, v: with_subclass(p) * 2.0,
        lambda p, v: v * with_subclass(p),
        lambda p, v: -with_subclass(p),
        lambda p, v: with_subclass(p) ** 2,
        lambda p, v: 2.0 - with_subclass(p),
        lambda p, v: p.sum([with_subclass(p)]),
        lambda p, v: p.Value(1.0, (with_subclass(p),), (1.0,)),
        lambda p, v: with_subclass(p).backward(),
        lambda p, v: with_subclass(p)._prev,
        lambda p, v: with_subclass(p)._op,
        lambda p, v: setattr(with_subclass(p), "_backward", print),
        lambda p, v: repr(with_subclass(p)),
        lambda p, v: p.core.zero_grads([with_subclass(p)]),
    ],
    "attributes": [
        lambda p, v: v.missing,
        lambda p, v: v.label,
        lambda p, v: delattr(v, "label"),
        lambda p, v: (setattr(v, "note", "n"), v.note),
        lambda p, v: (setattr(v, "note", [1]), v.note),
        lambda p, v: (setattr(v, "note", "n"), delattr(v, "note"), v.note),
        lambda p, v: (v * 2.0, setattr(v, "note", []), v.note, p.core.info(v).attributes),
        lambda p, v: delattr(v, "data"),
        lambda p, v: delattr(v, "grad"),
        lambda p, v: delattr(v, "_backward"),
        lambda p, v: setattr(v, "__float__", 1),
        lambda p, v: setattr(v, "_op", "+"),
        lambda p, v: (v * 2.0, setattr(v, "_backward", print)),
        lambda p, v: (setattr(v, "_backward", len), v * 2.0, setattr(v, "_backward", print), v._backward),
    ],
    "descriptions": [
        lambda p, v: repr(p.Value),
        lambda p, v: str(inspect.signature(p.Value)),
        lambda p, v: f"{v:.3f} {v!r} {v}",
        lambda p, v: (p.Value(1.0, (v,), "name")._op, p.Value(1.0, (), "name")._op),
        lambda p, v: [(v**k)._op for k in (2, 0.5, -1, True, 10**23, 2.0)],
        lambda p, v: p.Value(1.0, (v,), "a\0b"),
        lambda p, v: p.Value(1.0, (v,), "\ud800")._op,
        lambda p, v: p.Value(1.0, (v for v in [v]), iter([2.0])),
        lambda p, v: tuple(p.core.info(p.Value(1.0, (v, v), (1.0, 2.0)))),
        lambda p, v: tuple(p.core.info(v**3)),
        lambda p, v: tuple(p.core.info(v)),
        lambda p, v: p.Value(),
        lambda p, v: hash(v) == hash(v),
        lambda p, v: float(v),
        lambda p, v: int(v),
        lambda p, v: v < 1,
        lambda p, v: v @ v,
        lambda p, v: v[0],
        lambda p, v: v(),
    ],
    "state": [
        lambda p, v: p.core.sgd([v], bytearray(4), (0.1, 0.9, 0.0, 0.0, False, False), True),
        lambda p, v: p.core.adam([v], None, None, None, (0.1, 0.9, 0.99, 1e-8, 0.0, False, False), 1.0),
        lambda p, v: p.core.adam([v], bytearray(8), bytearray(16), None, (0.1, 0.9, 0.9, 1e-8, 0.0, 0, 0), 1.0),
        lambda p, v: p.core.sgd([1.0], None, (0.1, 0.0, 0.0, 0.0, False, False), True),
        lambda p, v: (p.core.sgd([v], None, (0.1, 0.0, 0.0, 1.0, False, False), True), v.data),
        lambda p, v: p.core.restore(OPS["add"].code, 1.0, 0.0, (v,)),
        lambda p, v: p.core.restore(9999, 1.0, 0.0, (v,)),
        lambda p, v: p.core.restore(OPS["custom"].code, 1.0, 0.0, (v,), None, "f"),
        lambda p, v: p.core.restore(OPS["custom"].code, 1.0, 0.0, (), None, "", ()),
        lambda p, v: p.core.restore(OPS["custom"].code, 1.0, 0.0, (v,), None, "", (2.0, 3.0)),
        lambda p, v: p.core.restore(OPS["sum"].code, 1.0, 0.0, [v] * 3),
        lambda p, v: p.core.restore(OPS["dot"].code, 1.0, 0.0, [v] * 3),
    ],
}


@pytest.mark.parametrize(
    ("group", "number"), [(group, i) for group, uses in USES_OF_MISUSE.items() for i in range(len(uses))]
)
def test_uses(group, number):
    use = USES_OF_MISUSE[group][number]
    compare(lambda face: use(face, face.Value(2.0)))


ARITY = [
    "exp()",
    "exp(1, 2)",
    "exp(x=1.0)",
    "maximum(1)",
    "maximum(x=1, y=2)",
    "sum()",
    "dot([1])",
    "dot(x=[1], y=[1])",
]
ARITY += [
    "Value(1.0).exp(2)",
    "Value(1.0).maximum(y=1)",
    "Value(1.0).backward(1)",
    "Value(1, 2, 3, 4, 5)",
    "Value(x=1)",
]


@pytest.mark.parametrize("call", ARITY)
def test_wrong_arguments_are_a_type_error(call):
    """The messages are Python's own, and its builtins word them in other ways than its functions."""
    for face in FACES:
        with pytest.raises(TypeError):
            eval(call, vars(face))


@pytest.mark.parametrize("seed", range(30))
def test_random_programs(seed):
    def program(face):
        pick = random.Random(seed)
        values = [face.Value(pick.uniform(-2.0, 2.0)) for _ in range(4)]
        log = []
        for _ in range(60):
            op = pick.choice([op for op in OPS.values() if op.kind not in ("leaf", "custom")])
            x, y, k = pick.choice(values), pick.choice(values), pick.choice([2, 0.5, -1, 3.0])
            function = getattr(face, op.name, None) or (lambda *a, op=op: getattr(a[0], op.method)(*a[1:]))
            try:
                values.append(function(*((x, k) if op.kind == "scalar" else arguments_of(op, x, y, k))))
            except (ArithmeticError, ValueError) as error:
                log.append(str(error))
        values[-1].backward()
        return [log, values, [v.grad for v in values]]

    compare(program)


MEMBERS = sorted(name for name in dir(BACKENDS[0].Value) if not name.startswith("__"))


def public(kind):
    """Without the attributes that some test has set."""
    names = {name for name in dir(kind) if not name.startswith("_")}
    return {name for name in names if not isinstance(inspect.getattr_static(kind, name), Attribute)}


def test_members():
    values, functions = [face.Value for face in FACES], [backend.functions for backend in BACKENDS]
    assert public(values[0]) == public(values[1])
    assert list(functions[0]) == list(functions[1])
    sources = [path.read_text(encoding="utf-8") for path in Path(pygrad.__file__).parent.rglob("*.py")]
    used = {name for source in sources for name in re.findall(r"(?<![.\w])core\.(\w+)", source)}
    assert {"info", "restore"} < used < {*dir(BACKENDS[0])} & {*dir(BACKENDS[1])}


def described(member):
    try:
        signature = str(inspect.signature(member))
    except (TypeError, ValueError):
        signature = None
    return inspect.getdoc(member), signature


@pytest.mark.parametrize("name", MEMBERS)
def test_signatures_and_docstrings(name):
    native, cffi = (described(getattr(face.Value, name)) for face in FACES)
    assert native == cffi


def test_the_class_itself():
    native, cffi = (described(face.Value) for face in FACES)
    assert native == cffi == (native[0], "(data, _children=(), _op='', label='')")


@pytest.mark.parametrize("name", [*pygrad.functions, "live_nodes", "memory", "operands"])
def test_signatures_of_functions(name):
    native, cffi = (described(getattr(b, name, None) or b.functions[name]) for b in BACKENDS)
    assert native == cffi and native[0] and native[1]
