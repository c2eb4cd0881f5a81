"""Graph.to_c: what it writes compiles without a warning, and computes what the graph does."""

from __future__ import annotations

import ctypes
import os
import random
import re
import shutil
import subprocess

import pytest
from conftest import PYODIDE
from test_graphs import EDGES, REFUSALS, TABLE, agree, bits, made, run_step, some_number

import pygrad
from pygrad import Graph, Value
from pygrad._backends import programs

COMPILER = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off", "-O2"]
needs_compiler = pytest.mark.skipif(COMPILER is None or PYODIDE, reason="no C compiler")


def compiled(folder, sources, flags=FLAGS):
    """A library of C functions, from the text of each."""
    paths = []
    for name, text in sources.items():
        paths.append(folder / f"{name}.c")
        paths[-1].write_text(text)
    library = folder / "library.so"
    command = [COMPILER, *flags, "-shared", "-fPIC", *map(str, paths), "-o", str(library), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


def call(library, name, numbers, with_gradient=True):
    function = getattr(library, name)
    function.restype = ctypes.c_double
    array = ctypes.c_double * max(len(numbers), 1)
    gradient = array()
    value = function(array(*numbers), gradient if with_gradient else None)
    return value, list(gradient)[: len(numbers)]


def check(library, name, graph, numbers):
    """1 where there is a value."""
    try:
        value, expected = graph.value_and_grad(numbers)
    except REFUSALS:
        call(library, name, numbers)  # has no errors
        return 0
    ours, gradient = call(library, name, numbers)
    assert bits(ours) == bits(value) == bits(call(library, name, numbers, with_gradient=False)[0])
    assert all(map(agree, gradient, expected)), (gradient, expected)
    return 1


@needs_compiler
def test_random_graphs(tmp_path):
    graphs, sources = {}, {}
    for seed in range(16):
        pick, numbers, values, _ = made(seed, seed % 3 == 0, length=60)
        name = f"f{seed}"
        graphs[name] = pick, Graph(values[-1], inputs=values[: seed % 5])  # what is not given is written in
        sources[name] = graphs[name][1].to_c(name)
    library, runs = compiled(tmp_path, sources), 0
    for name, (pick, graph) in graphs.items():
        for _ in range(20):
            numbers = [some_number(pick, pick.random() < 0.3) for _ in range(graph._arguments)]
            runs += check(library, name, graph, numbers)
    assert runs > 50


@needs_compiler
def test_each_operation(tmp_path):
    """One function for each: that all formulas are C, and are the table's."""
    graphs = {}
    for op in TABLE:
        arity = {"unary": 1, "ternary": 3}.get(op.kind, 2)
        for exponent in (3, 2, -0.5) if op.kind == "scalar" else (None,):
            values = [Value(0.5), Value(0.75), Value(0.25)]
            places = [0, exponent] if op.kind == "scalar" else [0, 1, 2, 0][: 4 if op.kind == "indexed" else arity]
            values.append(run_step((op, places, 1), values))
            graphs[f"{op.name}_{len(graphs)}"] = Graph(values[-1] * 1.5, inputs=values[:3])
    text = "\n".join(graph.to_c(name) for name, graph in graphs.items())
    operations = dict.fromkeys(re.findall(r"^static inline double op_.*\n", text, re.M))
    bodies = re.findall(r"^double \w+\(.*\n\{[^\0]*?^\}", text, re.M)
    head = graphs["add_0"].to_c("add_0").split("static inline double op_")[0]
    declared = "".join(re.findall(r"^double \w+\(.*;\n", text, re.M))
    library = compiled(tmp_path, {"all": head + "".join(operations) + declared + "\n".join(bodies)})
    pick, runs = random.Random(1), 0
    for name, graph in graphs.items():
        for _ in range(60):
            runs += check(library, name, graph, [pick.choice([*EDGES, 0.3, 1.7, -2.5]) for _ in range(3)])
    assert runs > 30 * len(graphs)


@needs_compiler
def test_graphs_without_inputs_or_instructions(tmp_path):
    x, y, z = Value(2.0), Value(-0.0), Value(1e300)
    graphs = {
        "constant": Graph(pygrad.exp(0.0)),
        "nothing": Graph(pygrad.sum([])),
        "itself": Graph(x),
        "chosen": Graph(pygrad.where(0.0, x.log(), y)),  # the logarithm is there to raise its error
        "one_unused": Graph(x * 3.0, inputs=[y, x]),
        "fixed": Graph(x * y + z, inputs=[x]),
        "large": Graph(x * 1e22 + 1e15 - 123456789012345678 + 5e-324, inputs=[x]),
        "v1": Graph(x * x + y),
        "x": Graph(x * x),
        "grad": Graph(x * x),
    }
    for i, number in enumerate((float("inf"), float("-inf"), float("nan"), -5e-324, 0.1, -1e-5)):
        graphs[f"number_{i}"] = Graph(x + number, inputs=[x])
    library = compiled(tmp_path, {name: graph.to_c(name) for name, graph in graphs.items()})
    for name, graph in graphs.items():
        for numbers in ([2.0, 3.0], [-0.0, 0.0], [float("inf"), 1.0]):
            assert check(library, name, graph, numbers[: graph._arguments]) or name == "chosen"
    assert call(library, "chosen", [2.0, 3.0][: graphs["chosen"]._arguments])[0] in (2.0, 3.0, -0.0)


@needs_compiler
def test_other_compilers_and_no_optimization(tmp_path):
    _, numbers, values, _ = made(77, False, length=60)
    graph = Graph(values[-1], inputs=values[:4])
    source = {"f": graph.to_c()}
    for i, flags in enumerate((["-O0"], ["-O3", "-Wconversion"], ["-O2", "-Wshadow"], ["-std=c17"])):
        (tmp_path / str(i)).mkdir()
        assert check(compiled(tmp_path / str(i), source, [*FLAGS, *flags]), "f", graph, numbers)
    clang = shutil.which("clang")
    if clang:
        command = [clang, *FLAGS, "-c", str(tmp_path / "0" / "f.c"), "-o", str(tmp_path / "f.o")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_names():
    x = Value(2.0)
    graph = Graph(x * x)
    for name in ("f", "loss", "_f", "F", "a1", "f_1", "grad", "x", "opera", "expo", "powder", "lo", "int32", "Main"):
        assert f"double {name}(const double *x" in graph.to_c(name)
    bad = ["", " ", "1f", "a b", "a-b", "f(", "f;", "é", "f\n", "f\0", "x" + chr(0x660), "*/", None, 1, b"f", ["f"]]
    bad += ["int", "double", "return", "while", "inline", "sizeof", "restrict", "_Bool", "__f", "_F", "main"]
    bad += ["exp", "pow", "sqrt", "fma", "expf", "powl", "sinh", "isnan", "NAN", "INFINITY", "HUGE_VAL", "DBL_MIN"]
    bad += ["given", "op_mul", "op_x", "pgm_pow", "PYGRAD_OPMATH_H"]
    for name in bad:
        with pytest.raises(ValueError, match="is no name of a C function"):
            graph.to_c(name)


def test_what_has_no_c():
    x = Value(2.0)
    for outputs in ([], [x], [x, x * x]):
        with pytest.raises(ValueError, match="outputs"):
            Graph(outputs).to_c()


def test_numbers_of_other_values_are_read_when_it_is_written():
    x, y = Value(2.0), Value(3.0)
    graph = Graph(x * y, inputs=[x])
    assert "3.0" in graph.to_c()
    y.data = 7.0
    assert "7.0" in graph.to_c() and "3.0" not in graph.to_c()[-400:]


def test_formulas_are_of_words_that_c_has():
    """Each formula that a program can call for, and no operation of lists among instructions."""
    names, code = [], 2
    while programs.text(programs.lib.pg_name(code)):
        names.append(programs.text(programs.lib.pg_name(code)))
        code += 1
    assert len(set(names)) == len(names)
    for name in names:
        formula = programs.formula(name)
        assert (formula == "") == (name in ("number", "input", "sum", "mean", "logsumexp", "dot", "take")), name
        called = set(re.findall(r"(\w+)\(", formula))
        assert all(f" {word}(" in programs.opmath() for word in called if word.startswith("pgm_")), name
