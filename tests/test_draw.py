"""Drawings, read as DOT text: no test here needs Graphviz's program."""

from __future__ import annotations

import io
import sys

import pytest
from conftest import live_nodes

import pygrad
from pygrad import reference, walkthrough

BOTH = pytest.mark.parametrize("Value", [pygrad.Value, reference.Value])


@pytest.fixture
def draw_dot():
    pytest.importorskip("graphviz")
    return pygrad.draw_dot


def lines(dot):
    return [line.strip() for line in dot.source.splitlines()]


@BOTH
def test_one_operation(draw_dot, Value):
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    c = a * b
    c.label = "c"
    c.backward()
    assert lines(draw_dot(c)) == [
        "digraph {",
        "graph [rankdir=LR]",
        "node [shape=record]",
        '0 [label="{ a | data 2.0000 | grad -3.0000 }"]',
        '1 [label="{ b | data -3.0000 | grad 2.0000 }"]',
        '2 [label="{ c | data -6.0000 | grad 1.0000 }"]',
        'op2 [label="*" shape=oval]',
        "op2 -> 2",
        "0 -> op2",
        "1 -> op2",
        "}",
    ]


@BOTH
def test_leaf(draw_dot, Value):
    assert '0 [label="{ data 1.5000 | grad 0.0000 }"]' in lines(draw_dot(Value(1.5)))


def test_int_data(draw_dot):
    assert '0 [label="{ data 1.0000 | grad 0.0000 }"]' in lines(draw_dot(reference.Value(1)))


@BOTH
def test_walkthrough(draw_dot, Value):
    e = walkthrough.expression(Value)
    e.loss.backward()
    source = draw_dot(e.loss).source
    for label in e._fields:
        assert source.count(f"{{ {label} | data") == 1
    assert "{ w2 | data 3.0000 | grad -2.0000 }" in source
    assert source.count('label="**2"') == 2


@BOTH
def test_repeated_operand_is_one_edge(draw_dot, Value):
    a = Value(1.0)
    assert lines(draw_dot(a + a)).count("0 -> op1") == 1


@BOTH
def test_shared_value_is_one_node(draw_dot, Value):
    a = Value(2.0, label="a")
    b = a * a
    assert draw_dot(b * a + b).source.count("{ a |") == 1


@BOTH
def test_values_nobody_holds_are_told_apart(draw_dot, Value):
    # The objects of inner nodes and constants may be made anew by each look at _prev.
    x = Value(1.0)
    for _ in range(50):
        x = x * 2
    source = draw_dot(x).source
    assert source.count(" [label=") == 1 + 3 * 50
    assert source.count(" -> ") == 3 * 50


def test_custom_operation_without_a_name(draw_dot):
    x = pygrad.Value(2.0)
    got = lines(draw_dot(pygrad.Value(8.0, (x,), (12.0,))))
    assert "0 -> 1" in got
    assert not any(line.startswith("op") for line in got)


def build(Value):
    weights = [Value(0.0) for _ in range(4)]
    hidden = [(w * x + 1).tanh() for w in weights[:2] for x in (1.0, 2.0)]
    out = hidden[0]
    for h, w in zip(hidden[1:], weights[1:]):
        out = out + h * w
    return out


@BOTH
def test_same_graph_same_text(draw_dot, Value):
    root = build(Value)
    assert draw_dot(root).source == draw_dot(root).source


def test_order_does_not_hang_on_addresses(draw_dot, run_python):
    expected = draw_dot(walkthrough.expression(pygrad.Value).loss).source
    assert draw_dot(walkthrough.expression(reference.Value).c).source  # another class in between
    program = (
        "from pygrad import *; from pygrad import walkthrough; held = [object() for _ in range(%d)];"
        "print(draw_dot(walkthrough.expression(Value).loss).source, end='')"
    )
    for number in (0, 77):
        assert run_python(program % number) == expected


def test_label_is_escaped(draw_dot):
    source = draw_dot(pygrad.Value(1.0, label='{a|b} <p> \\n "q"\nz')).source
    assert r"{ \{a\|b\} \<p\> \\n \"q\"\nz | data" in source


def test_operation_name_is_escaped(draw_dot):
    x = pygrad.Value(1.0)
    assert r'op1 [label="<a\\b>" shape=oval]' in lines(draw_dot(pygrad.Value(1.0, (x,), "<a\\b>")))


def test_label_of_another_kind(draw_dot):
    x = reference.Value(1.0)
    x.label = 7
    assert "{ 7 | data" in draw_dot(x).source


def test_options(draw_dot):
    x = pygrad.Value(1.0)
    assert draw_dot(x).format == "svg"
    dot = draw_dot(x, format="png", rankdir="TB")
    assert dot.format == "png"
    assert "graph [rankdir=TB]" in lines(dot)


@pytest.mark.parametrize("rankdir", ["RL", "lr", "", None])
def test_wrong_rankdir(rankdir):
    with pytest.raises(ValueError, match='rankdir must be "LR" or "TB"'):
        pygrad.draw_dot(pygrad.Value(1.0), rankdir=rankdir)


def test_unknown_format(draw_dot):
    with pytest.raises(ValueError, match="nonsense"):
        draw_dot(pygrad.Value(1.0), format="nonsense")


@pytest.mark.parametrize("root", [1.0, None, "x", [], [1.0], pygrad.Value, reference.LeanValue(1.0)])
def test_wrong_root(root):
    with pytest.raises(TypeError, match="draw_dot needs a Value"):
        pygrad.draw_dot(root)


def test_too_large(draw_dot):
    x = pygrad.Value(1.0)
    for _ in range(250):
        x = x * 2  # two nodes
    with pytest.raises(ValueError, match=r"more than 500 values.*max_nodes"):
        draw_dot(x)
    assert draw_dot(x, max_nodes=501).source.count("{ data") == 501


def test_deep_graph_needs_no_recursion(draw_dot):
    x = pygrad.Value(1.0)
    depth = 3 * sys.getrecursionlimit()
    for _ in range(depth):
        x = -x
    assert draw_dot(x, max_nodes=depth + 1).source.count("{ data") == depth + 1


def test_drawing_keeps_nothing(draw_dot):
    before = live_nodes()
    draw_dot(build(pygrad.Value))
    assert live_nodes() == before


def test_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match="pip install graphviz"):
        pygrad.draw_dot(pygrad.Value(1.0))


# -- models, colours and text ----------------------------------------------------------------------------


def test_a_model_is_drawn_with_its_names(draw_dot):
    from pygrad.nn import MLP

    source = draw_dot(MLP(2, [2, 1])).source
    assert "layers.0.neurons.1.w.0" in source and "{ x1 |" in source and "ReLU" in source
    part = draw_dot(MLP(2, [2, 1]).layers[0], inputs=[1.0, 2.0]).source
    assert "neurons.0.b" in part and part.count("label=ReLU") == 2


def test_a_model_that_does_not_tell_its_inputs(draw_dot):
    from pygrad.nn import Module

    class Mine(Module):
        def __call__(self, x):
            return x[0] * 2

    with pytest.raises(TypeError, match="give it inputs"):
        draw_dot(Mine())
    assert draw_dot(Mine(), inputs=[pygrad.Value(3.0)]).source.count("{ data") == 3


def test_several_roots_share_what_is_below(draw_dot):
    x = pygrad.Value(2.0, label="x")
    source = draw_dot([x * 2, x + 1]).source
    assert source.count("{ x |") == 1 and source.count("{ data") == 4


def test_colours_by_the_size_of_the_gradient(draw_dot):
    a, b = pygrad.Value(100.0, label="a"), pygrad.Value(0.001, label="b")
    out = a * b
    assert "fillcolor" not in draw_dot(out, color_grads=True).source  # all grads are 0
    out.backward()
    lines = draw_dot(out, color_grads=True).source.splitlines()
    shade = {name: next(line for line in lines if f"{{ {name} |" in line).split("fillcolor=")[1] for name in "ab"}
    assert shade["b"].startswith('"0.0 0.700') and shade["a"].startswith('"0.0 0.100')


def test_print_graph(capsys):
    a, b = pygrad.Value(2.0, label="a"), pygrad.Value(-3.0)
    pygrad.print_graph(a * b + a**2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "+ data -2.0000 grad 0.0000" and lines[-1].strip(" │├└─").startswith("#1 a, above")
    with pytest.raises(ValueError, match="max_nodes"):
        pygrad.print_graph(a + 1, max_nodes=2)
    with pytest.raises(TypeError, match="print_graph needs a Value"):
        pygrad.print_graph(1.0)


@pytest.mark.parametrize("encoding, tree", [("utf-8", "├─└"), ("cp437", "├─└"), ("cp1252", "|-`"), ("ascii", "|-`")])
def test_print_graph_to_any_encoding(encoding, tree):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    a, b = pygrad.Value(2.0, label="a"), pygrad.Value(-3.0, label="größe ∂\\'")
    pygrad.print_graph(a * b, file=file)
    file.flush()
    size = "größe" if encoding != "ascii" else "gr\\xf6\\xdfe"
    label = size + (" ∂\\'" if encoding == "utf-8" else " \\u2202\\'")
    branch, line, last = tree
    assert file.buffer.getvalue().decode(encoding).splitlines() == [
        "* data -6.0000 grad 0.0000",
        f"{branch}{line} a data 2.0000 grad 0.0000",
        f"{last}{line} {label} data -3.0000 grad 0.0000",
    ]


def test_what_is_printed_where_stdout_is_ascii(run_python):
    program = "from pygrad import *; v = Value(1.0, label='µ'); print_graph(v * 2)"
    assert run_python(program, PYTHONIOENCODING="ascii").splitlines()[1:] == [
        "|- data 2.0000 grad 0.0000",
        "`- \\xb5 data 1.0000 grad 0.0000",
    ]


def test_print_graph_of_a_deep_one(capsys):
    out = pygrad.Value(1.0)
    for _ in range(3000):
        out = -out
    pygrad.print_graph(out, max_nodes=5000)
    assert len(capsys.readouterr().out.splitlines()) == 3001


def test_labels_that_are_no_strings(capsys):
    v = pygrad.Value(2.0)
    v.label = 5
    w = v * v
    w.label = "two\nlines"
    pygrad.print_graph(w)
    assert capsys.readouterr().out.startswith("* two\\nlines data 4.0000 grad 0.0000\n└─ 5 data")
    v.label = None
    pygrad.print_graph(v)
    assert capsys.readouterr().out == "data 2.0000 grad 0.0000\n"
