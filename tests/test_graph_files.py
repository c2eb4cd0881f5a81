"""Damaged files and pickles of graphs: a ValueError, or a graph that runs, and never a crash."""

from __future__ import annotations

import json
import pickle
import random
import struct
import sys
import zlib
from array import array
from functools import partial

import pytest
from test_graphs import REFUSALS, made

import pygrad
from pygrad import OPS, Graph, Value
from pygrad._backends import core, programs
from pygrad._backends.programs import MAGIC, VERSION, FrozenGraph

START = len(MAGIC) + 8
HELPERS = ("number", "input", "sign", "gate", "muladd", "index", "pow_dx", "finish_logsumexp")


@pytest.fixture(autouse=True)
def sound():
    yield
    assert core.check() is None


def saved(graph):
    function, (data,) = graph.__reduce__()
    return function, data


def graphs():
    x, y = Value(0.5, label="x"), Value(1.5)
    out = pygrad.dot([x, y], [y, 2.0]) + x**3 - pygrad.where(x, y, 3.0) + pygrad.take([x, y, 1.0], 1)
    yield Graph(out + pygrad.logsumexp([x, out]), inputs=[x])
    for seed in range(3):
        _, _, values, _ = made(seed, False, length=12)
        yield Graph(values[-2:])


def sealed(payload, version=VERSION):
    """With a right checksum."""
    return MAGIC + struct.pack("<II", version, zlib.crc32(payload)) + payload


def built(names, ops, operands, numbers, outputs, extra):
    parts = [names, ops]
    for kind, part in zip("IdI", (operands, numbers, outputs)):
        part = array(kind, part)
        if sys.byteorder == "big":
            part.byteswap()
        parts.append(part.tobytes())
    parts.append(extra)
    return sealed(struct.pack("<6I", *map(len, parts)) + b"".join(parts))


def taken_apart(data):
    payload = data[START:]
    sizes, at, parts = struct.unpack("<6I", payload[:24]), 24, []
    for size in sizes:
        parts.append(payload[at : at + size])
        at += size
    for i, kind in ((2, "I"), (3, "d"), (4, "I")):
        parts[i] = array(kind, parts[i])
        if sys.byteorder == "big":
            parts[i].byteswap()
    return parts


def exercise(graph):
    """All that a graph can do: it may refuse numbers, or having several outputs."""
    str(graph), repr(graph)
    pick = random.Random(1)
    for _ in range(2):
        numbers = [pick.uniform(-2.0, 2.0) for _ in range(graph._arguments)]
        for attempt in (graph.forward, graph.backward, partial(graph.value_and_grad, numbers), graph.to_c):
            try:
                attempt()
            except REFUSALS:
                pass
    for passes in (0, 1, 2, 4, 8, 16, 21, 31):
        program = graph._frozen.program(range(graph._frozen.inputs), passes)
        try:
            program.give(program.run([0.5] * graph._frozen.inputs))
        except REFUSALS:
            pass
        assert len(program.instructions()) == program.length
    _, again = saved(graph)
    assert saved(saved(graph)[0](again))[1] == again


def loads(function, data):
    """Whether it is a graph still. Nothing but a ValueError may come of what is none."""
    try:
        graph = function(data)
    except ValueError as error:
        assert str(error)
        return 0
    exercise(graph)
    return 1


def test_every_byte_changed_and_every_end():
    for graph in graphs():
        function, data = saved(graph)
        assert loads(function, data)
        for place in range(len(data)):
            damaged = bytearray(data)
            damaged[place] ^= 1 << place % 8
            assert not loads(function, bytes(damaged))
            assert not loads(function, data[:place])
        assert not loads(function, data + b"\0")


def test_files(tmp_path):
    path = tmp_path / "graph"
    x = Value(2.0)
    Graph(x * x).save(path)
    data = path.read_bytes()
    for damaged in (b"", b"x", MAGIC, data[:-1], data[: START + 3], sealed(b"", 2), sealed(b""), sealed(b"1" * 24)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError):
            Graph.load(path)
    path.write_bytes(sealed(data[START:], VERSION + 1))
    with pytest.raises(ValueError, match="form 2"):
        Graph.load(path)
    with pytest.raises(FileNotFoundError):
        Graph.load(tmp_path / "none")
    for wrong in (None, 1, "text", bytearray(data), [data]):
        with pytest.raises(ValueError):
            FrozenGraph.from_bytes(wrong)


def test_pickles_with_changed_bytes():
    text, pick, loaded = pickle.dumps(next(graphs())), random.Random(3), 0
    start = text.index(MAGIC)
    for _ in range(300):
        damaged = bytearray(text)
        damaged[pick.randrange(start, start + len(MAGIC) + 40)] = pick.randrange(256)
        try:
            exercise(pickle.loads(bytes(damaged)))
        except ValueError:
            continue
        loaded += 1
    assert loaded < 10  # a byte may be drawn that was there


def test_changed_bytes_below_a_right_checksum():
    """Of the arrays of a graph, and of what is beside them."""
    pick, loaded, tried = random.Random(4), 0, 0
    for graph in graphs():
        function, data = saved(graph)
        payload = data[START:]
        for _ in range(700):
            damaged = bytearray(payload)
            for _ in range(pick.choice([1, 1, 2, 4])):
                place = pick.randrange(len(damaged))
                damaged[place] = pick.choice([damaged[place] ^ 1 << pick.randrange(8), pick.randrange(256), 0, 255])
            tried += 1
            loaded += loads(function, sealed(bytes(damaged)))
    assert 0 < loaded < tried


def test_changed_words_below_a_right_checksum():
    """Whole numbers of the arrays put in place of others: most often what is nearly right."""
    pick, loaded = random.Random(5), 0
    for graph in graphs():
        function, data = saved(graph)
        for _ in range(500):
            parts = taken_apart(data)
            for _ in range(pick.choice([1, 1, 2, 3])):
                which = pick.choice([1, 2, 2, 3, 4])
                part = bytearray(parts[1]) if which == 1 else parts[which]
                if not part:
                    continue
                place, number = pick.randrange(len(part)), pick.randrange(len(parts[1]) + 1)
                if which == 3:
                    part[place] = pick.choice([0.0, -1.0, 1e308, float("nan"), float("inf"), 2.0])
                elif pick.random() < 0.2:
                    del part[place]
                elif pick.random() < 0.2:
                    part.insert(place, number)
                else:
                    part[place] = number if which == 1 else pick.choice([number, number, 2**32 - 1, 2**31])
                parts[which] = bytes(part) if which == 1 else part
            loaded += loads(function, built(*parts))
    assert loaded > 50


def test_graphs_drawn_at_random():
    """Any operations, the helpers' too, over any operands: many are graphs."""
    pick, loaded = random.Random(6), 0
    function, _ = saved(next(graphs()))
    extra = json.dumps({"inputs": [[0.5, "a"], [1.5, ""]], "arguments": 1, "single": False}).encode()
    names = [*[name for name in OPS if name not in ("leaf", "custom")], "number", "input"]
    arity = {"unary": 1, "binary": 2, "scalar": 2, "ternary": 3}
    for _ in range(1500):
        ops, operands, numbers = [names.index("input")] * 2, [], [2.0]
        ops.append(names.index("number"))
        for node in range(3, pick.randrange(3, 12)):
            name = pick.choice(names[:-1])
            ops.append(names.index(name))
            if name == "number":
                numbers.append(pick.uniform(-2.0, 2.0))
                continue
            kind = OPS[name].kind
            count = arity.get(kind, pick.choice([0, 1, 2, 4]))
            if kind not in arity:
                operands.append(count)
            few = [pick.randrange(node) for _ in range(count)]
            if kind == "scalar":
                few[1] = 2
            operands += few
        if pick.random() < 0.1:
            ops[pick.randrange(len(ops))] = pick.randrange(len(names))
        outputs = [pick.randrange(len(ops)) for _ in range(pick.randrange(3))]
        loaded += loads(function, built("\n".join(names).encode(), bytes(ops), operands, numbers, outputs, extra))
    assert loaded > 200


INPUT = {"inputs": [[0.5, ""]], "arguments": 1, "single": True}


def one(names, ops, operands, numbers=(), outputs=(1,), state=INPUT):
    extra = state if isinstance(state, bytes) else json.dumps(state).encode()
    return built("\n".join(names).encode(), bytes(ops), operands, numbers, outputs, extra)


def test_structures_that_are_refused():
    function, _ = saved(next(graphs()))
    unary = (["input", "exp"], [0, 1])
    exercise(function(one(*unary, [0])))
    bad = {
        "an operand that is the node": one(*unary, [1]),
        "an operand after the node": one(*unary, [2]),
        "a huge operand": one(*unary, [2**32 - 1]),
        "no operand": one(*unary, []),
        "an operand too many": one(*unary, [0, 0]),
        "a number too many": one(*unary, [0], [1.0]),
        "no number": one(["input", "number"], [0, 1], []),
        "an output beyond": one(*unary, [0], outputs=[2]),
        "a huge output": one(*unary, [0], outputs=[2**32 - 1]),
        "an input that is not first": one(["input", "exp"], [0, 1, 0], [0], outputs=[1]),
        "a code without a name": one(["input", "exp"], [0, 2], [0]),
        "an unknown name": one(["input", "exp", "mystery"], [0, 2], [0]),
        "a name that is no text": built(b"\xff", b"", [], [], [], b"{}"),
        "three hundred names": built(b"exp\n" * 300, b"", [], [], [], b"{}"),
        "a leaf": one(["input", "leaf"], [0, 1], []),
        "a custom operation": one(["input", "custom"], [0, 1], [0]),
        "the mark of a code without a name": one(["input", "-"], [0, 1], [0]),
        "an exponent that is no number": one(["input", "pow_scalar"], [0, 1], [0, 0]),
        "an odd dot": one(["input", "dot"], [0, 1], [1, 0]),
        "a take of nothing": one(["input", "take"], [0, 1], [0]),
        "a mean of nothing": one(["input", "mean"], [0, 1], [0]),
        "a logsumexp of nothing": one(["input", "logsumexp"], [0, 1], [0]),
        "a list that is too long": one(["input", "sum"], [0, 1], [2, 0]),
        "a list that is far too long": one(["input", "sum"], [0, 1], [2**32 - 1, 0]),
        "a list without its length": one(["input", "sum"], [0, 1], []),
        "two operands of three": one(["input", "where"], [0, 1], [0, 0]),
    }
    for name in HELPERS[2:]:
        bad[f"the helper {name}"] = one(["input", name], [0, 1], [0, 0, 0])
    for what, data in bad.items():
        assert not loads(function, data), what
    for good in (
        one(["input", "sum"], [0, 1], [0]),
        one(["input", "dot"], [0, 1], [0]),
        one(["input"], [0], [], (), [0]),
    ):
        exercise(function(good))


def test_states_that_are_refused():
    """What stands beside the arrays: JSON."""
    function, _ = saved(next(graphs()))
    states = [
        b"", b"{", b"\xff", b"[]", b"1", b"null", b'"text"', b"{}", b"[" * 100_000, b'{"a":' * 100_000,
        {**INPUT, "inputs": []}, {**INPUT, "inputs": [[1.0, ""], [2.0, ""]]}, {**INPUT, "inputs": None},
        {**INPUT, "inputs": 1}, {**INPUT, "inputs": "x"}, {**INPUT, "inputs": [1]}, {**INPUT, "inputs": [[1.0]]},
        {**INPUT, "inputs": [[[1.0], ""]]}, {**INPUT, "inputs": [["x", ""]]}, {**INPUT, "inputs": [[10**400, ""]]},
        {**INPUT, "inputs": [[None, ""]]}, {**INPUT, "arguments": -1}, {**INPUT, "arguments": 2},
        {**INPUT, "arguments": None}, {**INPUT, "arguments": float("inf")}, {**INPUT, "arguments": float("nan")},
        {**INPUT, "arguments": [1]}, {"inputs": [[0.5, ""]], "arguments": 1}, {"single": True},
        b'{"inputs": [[' + b"1" * 5000 + b', ""]], "arguments": 1, "single": true}',
    ]  # fmt: skip
    for state in states:
        assert not loads(function, one(["input", "exp"], [0, 1], [0], state=state)), repr(state)[:50]
    with pytest.raises(ValueError):  # a single graph has one output
        function(one(["input", "exp"], [0, 1], [0], outputs=[0, 1]))
    for label in (1, None, ["x"], "\ud800\0\n"):
        exercise(function(one(["input", "exp"], [0, 1], [0], state={**INPUT, "inputs": [[0.5, label]]})))


def test_arrays_as_they_were_written():
    """An order of the names of one's own, as another version may have."""
    x, y = Value(2.0), Value(3.0)
    function, data = saved(Graph(x * y - x, inputs=[x, y]))
    names, ops, *rest = taken_apart(data)
    turned = names.split(b"\n")[::-1]
    ops = bytes(len(turned) - 1 - place for place in ops)
    graph = function(built(b"\n".join(turned), ops, *rest))
    assert graph.value_and_grad([4.0, 5.0]) == (16.0, [4.0, 4.0])
    assert programs.FrozenGraph.from_bytes(data)[0].arrays() == graph._frozen.arrays()
