"""Graph: values to the bit, gradients and errors of the eager run, over the whole table of operations."""

from __future__ import annotations

import copy
import math
import pickle
import random
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import NEEDS_THREADS
from helpers import apply

import pygrad
from pygrad import OPS, Graph, TraceError, Value
from pygrad._backends import core, programs

#: Numbers at which operations turn, overflow or have no value.
EDGES = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e-320, -1e-320, 1e200, -1e200, 800.0, math.inf, -math.inf, math.nan]
PASSES = {"fold": 1, "simplify": 2, "share": 4, "fuse": 8, "schedule": 16}
REFUSALS = (ArithmeticError, ValueError, IndexError)
TABLE = [op for op in OPS.values() if op.kind not in ("leaf", "custom")]


def bits(x):
    """A number to the bit. All nans are one: which operand's a sum of two nans has, a compiler chooses."""
    return "nan" if math.isnan(x) else struct.pack("d", x)


def all_bits(numbers):
    return [bits(x) for x in numbers]


def agree(ours, theirs):
    """Whether gradients agree to rounding. Where the eager one is infinite or nan, an adjoint or a partial was: there
    a program may have a number, as it computes nothing for what is not asked for, and nothing where a partial is
    plainly 0, so no 0 * inf."""
    return not math.isfinite(theirs) or math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-300)


def some_number(pick, wild):
    return pick.choice(EDGES) if wild and pick.random() < 0.4 else round(pick.uniform(-2.5, 2.5), 3)


def recipe(seed, length=25, wild=False):
    """A program: for each step an operation of the table and where its operands are, a place or a number."""
    pick = random.Random(seed)
    steps = []
    for _ in range(length):
        op = pick.choice(TABLE)
        count = {"unary": 1, "binary": 2, "scalar": 2, "ternary": 3}.get(op.kind, 2 * pick.randrange(1, 4))
        places = [some_number(pick, wild) if pick.random() < 0.15 else pick.randrange(1000) for _ in range(count)]
        if op.kind in ("unary", "scalar") or all(isinstance(p, float) for p in places):
            places[0] = pick.randrange(1000)
        if op.kind == "scalar":
            places[1] = pick.choice([2, 3, -1, 0, 1, 0.5, -1.5, some_number(pick, wild)])
        steps.append((op, places, pick.randrange(-2, 2)))
    return steps


def run_step(step, values):
    op, places, index = step

    def at(place):
        return values[place % len(values)] if isinstance(place, int) else place

    if op.kind == "scalar":
        return at(places[0]) ** places[1]
    operands = [at(place) for place in places]
    half = len(operands) // 2
    if op.kind == "nary":
        return apply(op, operands)
    if op.kind == "paired":
        return apply(op, operands[:half], operands[half:])
    if op.kind == "indexed":
        return apply(op, operands, index if len(operands) > 1 else 0)
    if op.is_operator and not isinstance(operands[0], Value):
        return apply(op, *operands)
    return core.functions[op.name](*operands) if op.name in core.functions else apply(op, *operands)


def first_of(steps, numbers):
    """The leaves, and the values of those steps that are not refused, with these steps."""
    values, kept = [Value(x) for x in numbers], []
    for step in steps:
        try:
            values.append(run_step(step, values))
        except REFUSALS:
            continue
        # places are taken modulo the number of values: fixed, as steps that nothing needs are left out later
        places = [place % (len(values) - 1) if isinstance(place, int) else place for place in step[1]]
        kept.append((step[0], places if step[0].kind != "scalar" else [places[0], step[1][1]], step[2]))
    return values, kept


def needed(steps, inputs, outputs):
    """Whether each of the values is needed for the outputs."""
    marks = [False] * (inputs + len(steps))
    for output in outputs:
        marks[output] = True
    for i in range(len(steps) - 1, -1, -1):
        op, places, _ = steps[i]
        for place in places[:1] if op.kind == "scalar" else places:
            if marks[inputs + i] and isinstance(place, int):
                marks[place] = True
    return marks


def eager(steps, numbers, marks):
    """The same steps at other numbers, those that are needed: the leaves, the values, and the errors. What needs a
    value that is refused has none itself."""
    leaves = [Value(x) for x in numbers]
    values, errors = leaves[:], []
    for mark, (op, places, index) in zip(marks[len(leaves) :], steps):
        of_values = places[:1] if op.kind == "scalar" else places
        value = None
        if mark and all(values[place] is not None for place in of_values if isinstance(place, int)):
            try:
                value = run_step((op, places, index), values)
            except REFUSALS as error:
                errors.append((type(error), str(error)))
        values.append(value)
    return leaves, values, errors


def zeroed(values):
    for value in values:
        if value is not None:
            value.grad = 0.0


def gradients(root, leaves, within=()):
    zeroed([*leaves, *within])
    root.backward()
    return [leaf.grad for leaf in leaves]


def check(steps, numbers, outputs, graph, many):
    """Runs a graph whose inputs are the leaves, and the eager steps, at these numbers. 1 where there is a value."""
    for leaf, number in zip(graph.inputs, numbers):
        leaf.data = number
    before = all_bits(value.data for value in graph.outputs)
    new, values, errors = eager(steps, numbers, needed(steps, len(numbers), outputs))
    if errors:
        with pytest.raises(REFUSALS) as raised:
            graph.forward()
        assert (raised.type, str(raised.value)) in errors
        assert all_bits(value.data for value in graph.outputs) == before
        with pytest.raises(raised.type):
            graph.value_and_grad(numbers)
        return 0
    expected = [values[output] for output in outputs]
    results = graph.forward() if many else [graph.forward()]
    assert all_bits(results) == all_bits(value.data for value in expected)
    assert all_bits(results) == all_bits(value.data for value in graph.outputs)
    rows = [gradients(value, new, values) for value in expected]
    results, ours = graph.value_and_grad(numbers) if many else ([x] for x in graph.value_and_grad(numbers))
    assert all_bits(results) == all_bits(value.data for value in expected)
    for row, other in zip(ours, rows):
        assert all(map(agree, row, other)), (row, other)
    zeroed(graph.inputs)
    graph.backward()
    sums = [sum(column) for column in zip(*rows)]
    if all(math.isfinite(x) for row in rows for x in row):
        assert all(math.isclose(leaf.grad, x, rel_tol=1e-9, abs_tol=1e-9) for leaf, x in zip(graph.inputs, sums))
    assert all(value.grad == 1.0 for value in graph.outputs if value not in graph.inputs)
    return 1


def made(seed, wild, length=30, count=4):
    pick = random.Random(seed)
    numbers = [some_number(pick, wild) for _ in range(count)]
    return pick, numbers, *first_of(recipe(seed, length, wild), numbers)


@pytest.mark.parametrize("wild", [False, True], ids=["tame", "wild"])
def test_random_programs_at_many_inputs(wild):
    runs, used = 0, set()
    for seed in range(150):
        pick, numbers, values, steps = made(seed, wild)
        graph = Graph(values[-1], inputs=values[:4])
        assert len(graph.inputs) == 4 and graph.outputs == (values[-1],)
        used.update(op.name for op, *_ in steps)
        for attempt in range(4):
            others = [some_number(pick, wild) for _ in numbers] if attempt else numbers
            runs += check(steps, others, [len(values) - 1], graph, many=False)
    assert runs > 250 and used == {op.name for op in TABLE}


def test_random_programs_of_many_outputs():
    runs = 0
    for seed in range(60):
        pick, numbers, values, steps = made(1000 + seed, seed % 2)
        outputs = [pick.randrange(len(values)) for _ in range(pick.randrange(1, 6))]
        graph = Graph([values[i] for i in outputs], inputs=values[:4])
        for attempt in range(4):
            others = [some_number(pick, seed % 2) for _ in numbers] if attempt else numbers
            runs += check(steps, others, outputs, graph, many=True)
    assert runs > 100


def test_each_pass_gives_the_same_bits():
    """Alone, with another, all but it, and all."""
    singles = PASSES.values()
    choices = sorted({0, 31, *(a | b for a in singles for b in singles), *(31 - a for a in singles)})
    for seed in range(60):
        pick, numbers, values, _ = made(2000 + seed, seed % 3 == 0)
        frozen = programs.freeze([values[-1], values[len(values) // 2]], values[:4])
        for attempt in range(3):
            others = [some_number(pick, seed % 3 == 0) for _ in numbers] if attempt else numbers
            results = []
            for passes in choices:
                program = frozen.program([0, 1, 2, 3], passes)
                try:
                    results.append(programs.floats(program.run(others), program.outputs))
                except REFUSALS as error:
                    results.append((type(error), str(error)))
            first = results[0]
            if isinstance(first, tuple):
                assert results == [first] * len(results)
                continue
            for result, passes in zip(results, choices):
                assert all_bits(result[:2]) == all_bits(first[:2]), passes
                assert all(map(agree, result[2:], first[2:])), passes


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_each_operation_at_its_edges(op):
    """Each operation alone, its operands inputs or, where it takes them, numbers."""
    pick = random.Random(op.code)
    arity = {"unary": 1, "scalar": 2, "ternary": 3}.get(op.kind, 2)
    runs = 0
    for _ in range(150):
        places = [0 if op.kind == "unary" else k for k in range(arity)]
        if op.kind == "indexed":
            places = [0, 1, 0, 2]
        numbers = [pick.choice(EDGES) for _ in range(3)]
        if op.kind == "scalar" or (arity > 1 and pick.random() < 0.3):
            places[pick.randrange(1, len(places)) if op.is_operator else pick.randrange(len(places))] = numbers[0]
        if op.kind == "scalar":
            places = [0, numbers[1]]
        steps = [(op, places, pick.randrange(-4, 4))]
        if not any(isinstance(place, int) for place in places):
            continue
        values = [Value(1.0) for _ in numbers]
        try:
            values.append(run_step(steps[0], values))
        except REFUSALS:
            values[0].data = values[1].data = values[2].data = 0.5
            try:
                values.append(run_step(steps[0], values))
            except REFUSALS:
                continue
        graph = Graph(values[-1], inputs=values[:3])
        runs += check(steps, numbers, [3], graph, many=False)
    assert runs > 20


# -- inputs and outputs -------------------------------------------------------------------------------


def test_inputs_are_leaves_and_numbers_are_constants():
    x, y = Value(2.0), Value(3.0)
    out = pygrad.sum([x, 1.5, y * 2.0]) + pygrad.where(1.0, x, 7.0) - pygrad.maximum(0.5, y) + pygrad.take([x, 4.0], 0)
    out = out + pygrad.dot([x, 2.0], [3.0, y]) ** 2 + 2.0**x / 3
    graph = Graph(out)
    assert set(graph.inputs) == {x, y} and len(graph.inputs) == 2
    assert graph.forward() == out.data
    x.data = 1.25
    assert graph.forward() == 1.25 + 1.5 + 6.0 + 1.25 - 3.0 + 1.25 + (1.25 * 3.0 + 2.0 * 3.0) ** 2 + 2.0**1.25 / 3


def test_given_inputs_come_first_and_may_be_unused_or_within():
    a, b, unused = Value(2.0), Value(3.0), Value(9.0)
    inner = a * b
    out = inner.exp() + b
    graph = Graph(out, inputs=[unused, inner])
    assert graph.inputs == (unused, inner, b)  # a is below what was given
    value, grad = graph.value_and_grad([1.0, 2.0])
    assert value == math.exp(2.0) + 3.0 and grad == [0.0, math.exp(2.0)]
    inner.data, b.data = 0.0, 5.0
    assert graph.forward() == 6.0 == out.data
    zeroed([a, b, unused, inner])
    graph.backward()
    assert (unused.grad, inner.grad, b.grad, a.grad) == (0.0, 1.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="given twice"):
        Graph(out, inputs=[a, a])


def test_an_input_that_is_an_output_and_an_output_twice():
    x = Value(2.0)
    y = x * x
    graph = Graph([x, y, y, x])
    assert graph.forward() == [2.0, 4.0, 4.0, 2.0]
    assert graph.value_and_grad([3.0]) == ([3.0, 9.0, 9.0, 3.0], [[1.0], [6.0], [6.0], [1.0]])
    graph.backward()
    assert x.grad == 1.0 + 4.0 + 4.0 + 1.0 and y.grad == 1.0
    alone = Graph(x)
    x.grad = 5.0
    assert alone.forward() == 2.0 and alone.value_and_grad(7.0) == (7.0, 1.0)
    alone.backward()
    assert x.grad == 1.0  # as x.backward() has it


def test_graphs_of_nothing():
    empty = Graph([])
    assert empty.forward() == [] and empty.value_and_grad([]) == ([], []) and empty.inputs == ()
    empty.backward()
    x = Value(3.0)
    assert Graph([], inputs=[x]).value_and_grad([1.0]) == ([], [])
    assert Graph(pygrad.sum([])).forward() == 0.0 and Graph(pygrad.dot([], [])).value_and_grad([]) == (0.0, [])
    constant = Graph(pygrad.exp(0.0))
    assert constant.inputs == () and constant.forward() == 1.0
    for graph in (empty, Graph(x), constant):
        assert str(graph) and repr(graph)


def test_the_last_forward_is_that_of_backward():
    x = Value(2.0)
    graph = Graph(x * x)
    x.data = 5.0
    graph.backward()  # at the data that it was frozen with
    assert x.grad == 4.0
    graph.forward()
    x.data = 7.0
    x.grad = 0.0
    graph.value_and_grad(1.0)
    graph.backward()
    assert x.grad == 10.0
    x.grad = 0.25
    graph.backward()
    assert x.grad == 10.25  # added


def test_the_forms_of_value_and_grad():
    x, y = Value(2.0), Value(3.0)
    single, both = Graph(x * y, inputs=[x]), Graph(x * y)
    assert single.value_and_grad(4.0) == (12.0, 3.0) and single.value_and_grad([4]) == (12.0, [3.0])
    assert both.value_and_grad((1.0, 5.0)) == (5.0, [5.0, 1.0])
    assert (x.data, y.data, x.grad) == (2.0, 3.0, 0.0)
    for wrong in (1.0, [1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match="2 inputs"):
            both.value_and_grad(wrong)
    for wrong in (["a", 1.0], [x, y], "ab", [None, 1.0], [1j, 2.0]):
        with pytest.raises(TypeError):
            both.value_and_grad(wrong)
    with pytest.raises(OverflowError):
        both.value_and_grad([10**400, 1])


def test_arrays_of_inputs():
    numpy = pytest.importorskip("numpy")
    x, y = Value(2.0), Value(3.0)
    value, grad = Graph(x * y).value_and_grad(numpy.array([4.0, 5.0]))
    assert value == 20.0 and isinstance(grad, numpy.ndarray) and grad.tolist() == [5.0, 4.0]
    value, grad = Graph(x * y, inputs=[x]).value_and_grad(numpy.float64(4.0))
    assert (value, grad) == (12.0, 3.0) and isinstance(grad, float)


def test_what_is_refused():
    x = Value(1.0)
    for wrong in (1.0, "x", None, [1.0], [x, 2.0], [None]):
        with pytest.raises(TypeError):
            Graph(wrong)
    for wrong in (1.0, x, [1.0]):
        with pytest.raises(TypeError):
            Graph(x * x, inputs=wrong)
    custom = Value(2.0, (x,), (3.0,))
    closure = Value(2.0, (x,), "f")
    closure._backward = lambda: None
    for bad in (custom, closure):
        with pytest.raises(TraceError):
            Graph(bad * 2.0)
        assert Graph(bad * 2.0, inputs=[bad]).value_and_grad(5.0) == (10.0, 2.0)


# -- errors ---------------------------------------------------------------------------------------


def test_the_error_is_that_of_the_first_operation():
    x, y = Value(1.0), Value(1.0)
    out = x.log() + 1.0 / y + (x * 400.0).exp()
    graph = Graph(out)
    before = out.data
    cases = (
        (0.0, 0.0, ValueError, "math domain error"),
        (1.0, 0.0, ZeroDivisionError, "division by zero"),
        (2.0, 0.0, ZeroDivisionError, "division by zero"),
        (2.0, 1.0, OverflowError, "numerical result out of range"),
    )
    for a, b, kind, message in cases:
        x.data, y.data = a, b
        with pytest.raises(kind) as raised:
            graph.forward()
        assert type(raised.value) is kind and str(raised.value) == message and out.data == before
        graph.backward()  # at the last numbers that had a value
    x.data = y.data = 1.0
    assert graph.forward() == before


@pytest.mark.parametrize("passes", range(32))
def test_what_is_not_chosen_raises_still(passes):
    """As in the eager run, which computes both sides."""
    x = Value(2.0)
    for out in (pygrad.where(0.0, x.log(), x), pygrad.take([x, 1.0 / x.log1p(), x**0.5], 0), pygrad.where(x, x, x)):
        frozen = programs.freeze([out], [x])
        program = frozen.program([0], passes)
        assert program.run([2.0])[0] == 2.0
        if out._op == "where" and len(out._prev) == 1:
            continue
        with pytest.raises(ValueError):
            program.run([-1.5])


def test_errors_of_constants_alone():
    """What has no value for its numbers is refused when it is recorded, but a Value may change before it is frozen."""
    x = Value(1.0)
    out = x.log() * 2.0
    x.data = -1.0
    graph = Graph(out)
    with pytest.raises(ValueError, match="math domain error"):
        graph.forward()
    x.data = 1.0
    assert graph.forward() == 0.0


# -- size -----------------------------------------------------------------------------------------


def test_a_deep_graph(no_leak):
    x = Value(1.0)
    node = x
    for _ in range(200_000):
        node = node * 0.999 + 1e-3
    graph = Graph(node)
    assert graph.forward() == node.data
    expected = gradients(node, [x])
    x.grad = 0.0
    graph.backward()
    assert agree(x.grad, expected[0])


@pytest.mark.parametrize("length", [1, 63, 64, 65, 511, 512, 513, 1022, 1023, 1024, 1025, 1026, 2048])
def test_chains_of_some_lengths(length):
    """Depths about the sizes of tables."""
    x = Value(1.0)
    node = x
    for _ in range(length):
        node = node.sin()
    graph = Graph(node)
    assert graph.forward() == node.data
    graph.backward()
    ours, x.grad = x.grad, 0.0
    node.backward()
    assert x.grad == ours


def test_wide_graphs():
    x = [Value(0.001 * i) for i in range(3000)]
    out = pygrad.logsumexp([a * b for a, b in zip(x, x[1:])]) + pygrad.dot(x, x[::-1]) + pygrad.take(x, -1)
    graph = Graph(out)
    assert graph.forward() == out.data
    expected = gradients(out, x)
    zeroed(x)
    graph.backward()
    assert all(map(agree, [a.grad for a in x], expected))


def test_many_outputs():
    """One reverse pass for all of them."""
    x = [Value(0.001 * i) for i in range(3000)]
    products = [a * b for a, b in zip(x, x[1:])]
    graph = Graph(products)
    assert graph.forward() == [product.data for product in products]
    expected = gradients(pygrad.sum(products), x)
    zeroed(x)
    graph.backward()
    assert all(map(agree, [a.grad for a in x], expected))


def test_shared_nodes_are_computed_once():
    x = Value(0.5)
    node = x
    for _ in range(500):  # 2 ** 500 paths
        node = node + node * 1e-3
    graph = Graph(node)
    assert graph.forward() == node.data
    graph.backward()
    ours, x.grad = x.grad, 0.0
    node.backward()
    assert agree(ours, x.grad)


@NEEDS_THREADS
@pytest.mark.parametrize("length", [50, 15_000])
def test_threads_run_one_graph(length):
    """Short programs hold the GIL while they run, long ones do not."""
    x = Value(1.0)
    node = x
    for _ in range(length):
        node = node.sin() + x * 0.5
    graph = Graph(node)
    numbers = [0.1 * i for i in range(8)]
    expected = [graph.value_and_grad(number) for number in numbers]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(graph.value_and_grad, numbers * 20)) == expected * 20


# -- text and copies ------------------------------------------------------------------------------


def test_the_listing():
    x, y = Value(2.0, label="speed"), Value(3.0)
    out = (x * 2.0 + y) ** 2 - pygrad.maximum(x, y)
    lines = str(Graph(out, inputs=[x, y])).split("\n")
    assert lines[:2] == ["x0  # speed", "x1"] and lines[-1].startswith("return v")
    assert any(" ** 2.0" in line for line in lines) and any("maximum(x0, x1)" in line for line in lines)
    assert "instructions, 2 inputs" in repr(Graph(out))
    for seed in range(30):
        _, _, values, _ = made(3000 + seed, True)
        graph = Graph(values[-3:])
        assert len(str(graph).split("\n")) >= len(graph.inputs) + 1


def copies(graph, path):
    graph.save(path)
    yield Graph.load(path)
    for protocol in (0, 2, pickle.HIGHEST_PROTOCOL):
        yield pickle.loads(pickle.dumps(graph, protocol))
    yield copy.copy(graph)
    yield copy.deepcopy(graph)


def test_saved_and_pickled_graphs_compute_the_same(tmp_path):
    for seed in range(20):
        pick, numbers, values, _ = made(4000 + seed, seed % 2, count=3)
        many = seed % 3 == 0
        graph = Graph(values[-3:] if many else values[-1], inputs=values[:3])
        values[0].label = "ein \N{LATIN SMALL LETTER E WITH ACUTE}\0\n\ud800"
        for other in copies(graph, tmp_path / "graph"):
            assert str(other) == str(graph) and [v.label for v in other.inputs] == [v.label for v in graph.inputs]
            assert all_bits(v.data for v in other.inputs) == all_bits(v.data for v in graph.inputs)
            assert all_bits(v.data for v in other.outputs) == all_bits(v.data for v in graph.outputs)
            numbers = [some_number(pick, seed % 2) for _ in numbers]
            try:
                expected = repr(graph.value_and_grad(numbers))
            except REFUSALS as error:
                with pytest.raises(type(error)):
                    other.value_and_grad(numbers)
            else:
                assert repr(other.value_and_grad(numbers)) == expected


def test_a_graph_that_has_no_value_is_saved_too(tmp_path):
    x = Value(1.0)
    graph = Graph(x.log() + 1.0 / x)
    for number in (-1.0, 0.0):
        x.data = number
        graph.save(tmp_path / "graph")
        loaded = Graph.load(tmp_path / "graph")
        assert bits(loaded.inputs[0].data) == bits(number)
        with pytest.raises(REFUSALS):
            loaded.forward()
        loaded.inputs[0].data = 1.0
        assert loaded.forward() == 1.0


def test_nothing_is_left(no_leak):
    for seed in range(10):
        _, _, values, _ = made(5000 + seed, False)
        graph = Graph(values[-2:])
        graph.forward()
        graph.backward()
        pickle.loads(pickle.dumps(graph)).forward()
    assert core.check() is None
