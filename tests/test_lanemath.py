"""csrc/lanemath.h: against mpmath, that its loops and those of programs become vector instructions, and that its tables
are the script's."""

from __future__ import annotations

import ctypes
import math
import os
import platform
import random
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

import pygrad

ROOT = Path(__file__).resolve().parent.parent
HEADER = ROOT / "csrc" / "lanemath.h"
COMPILER = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off", "-O2", f"-I{ROOT / 'csrc'}"]

mpmath = pytest.importorskip("mpmath")
pytestmark = [
    pytest.mark.skipif(not HEADER.is_file(), reason="csrc/ is not beside the tests"),
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
]
LANES = 8
#: Each function, in mpmath's; from where to where; and the ulp that its comment promises.
FUNCTIONS = {
    "exp": (mpmath.exp, -746, 710, 0.9),
    "expm1": (mpmath.expm1, -40, 710, 1.7),
    "log": (mpmath.log, 0, 1e3, 1.1),
    "log1p": (mpmath.log1p, -1, 1e3, 1.2),
    "tanh": (mpmath.tanh, -22, 22, 1.3),
    "tanh_dx": (lambda x: mpmath.sech(x) ** 2, -372, 372, 3.3),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), -745, 40, 1.9),
    "sigmoid_dx": (lambda x: mpmath.sech(x / 2) ** 2 / 4, -745, 745, 3.3),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), -745, 40, 1.7),
    "erf": (mpmath.erf, -6, 6, 1.8),
    "erf_dx": (lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x), -27.2, 27.2, 1.0),
    "sin": (mpmath.sin, -4e4, 4e4, 1.0),
    "cos": (mpmath.cos, -4e4, 4e4, 1.0),
}


def test_every_function_is_here():
    assert set(re.findall(r"^PGL_OVER\w+\((\w+)", HEADER.read_text(), flags=re.M)) == set(FUNCTIONS)


def compiled(folder, *flags):
    """A C file with one loop over lanes a function, compiled."""
    source, target = folder / "lanes.c", folder / "lanes.out"
    others = ("tanh_dx", "sigmoid", "sigmoid_dx", "softplus")  # which odd operands go to: no part of the loop
    lines = ['#include "opmath.h"', "double outside(double x);"]
    lines += [f"#define pgm_{name} outside" for name in others if "-c" in flags]
    lines += ['#include "lanemath.h"']
    lines += [f"void {name}_lanes(const double *x, double *z);" for name in FUNCTIONS]
    lines += [f"void {name}_lanes(const double *x, double *z) {{ pgl_{name}_lanes(x, z); }}" for name in FUNCTIONS]
    source.write_text("\n".join([*lines, ""]))
    command = [COMPILER, *FLAGS, *flags, str(source), "-o", str(target)]
    done = subprocess.run([*command, *([] if "-c" in flags else ["-lm"])], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return ctypes.CDLL(str(compiled(tmp_path_factory.mktemp("lanes"), "-shared", "-fPIC")))


def ulps(got, exact):
    size = max(abs(float(exact)), 2.0**-1022)
    return float(abs(mpmath.mpf(got) - exact) / mpmath.mpf(2) ** (math.frexp(size)[1] - 53))


@pytest.mark.skipif(os.name == "nt", reason="compilers for ctypes differ there")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_against_mpmath(library, name):
    function, low, high, bound = FUNCTIONS[name]
    rng, lanes = random.Random(name), getattr(library, f"{name}_lanes")
    points = [rng.uniform(low, high) for _ in range(800)] + [rng.uniform(max(low, -2), 2) for _ in range(800)]
    points += [rng.choice((-1, 1) if low < 0 else (1,)) * 2 ** rng.uniform(-1074, -1) for _ in range(400)]
    with mpmath.workprec(200 if low > -1 else 1200):  # 1 - x, where x is tiny
        for i in range(0, len(points), LANES):
            x, z = (ctypes.c_double * LANES)(*points[i : i + LANES]), (ctypes.c_double * LANES)()
            lanes(x, z)
            for a, b in zip(x, z):
                assert ulps(b, function(mpmath.mpf(a))) <= bound, (a, b)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for the instructions of x86-64")
def test_the_loops_are_vectorized(tmp_path):
    objdump = shutil.which("objdump")
    if objdump is None:
        pytest.skip("no objdump")
    target = compiled(tmp_path, "-c")
    text = subprocess.run([objdump, "-d", str(target)], capture_output=True, text=True, check=True).stdout
    found = set()
    for name, body in re.findall(r"<(?:pgl_)?(\w+)_lanes[\w.]*>:\n(.*?)(?:\n\n|\Z)", text, flags=re.S):
        assert not re.search(r"\bv?(mul|div)sd\b", body), name
        if re.search(r"\bv?mulpd\b", body):
            found.add(name)
    assert found == set(FUNCTIONS)


#: What a run of an operation is to be made of, once at least for each pattern of operands.
PACKED = {"add": {"add": 3}, "mul": {"mul": 3}, "muladd": {"mul": 7, "add": 7}, "div": {"div": 3}}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for the instructions of x86-64")
@pytest.mark.parametrize("kernel, packed", [("lanes", r"v?{}pd.*%xmm"), ("lanes_avx2", "v{}pd.*%ymm")])
def test_programs_run_in_packed_instructions(kernel, packed, tmp_path):
    """By the lines of ops.def that instructions come from."""
    objdump = shutil.which("objdump")
    if objdump is None:
        pytest.skip("no objdump")
    source, target = ROOT / "csrc" / f"{kernel}.c", tmp_path / "kernel.o"
    flags = ["-std=c11", "-O2", "-g", "-ffp-contract=off", "-fopenmp-simd"]
    subprocess.run([COMPILER, *flags, "-c", str(source), "-o", str(target)], check=True)
    text = subprocess.run([objdump, "-dl", str(target)], capture_output=True, text=True, check=True).stdout
    by_line = dict.fromkeys(range(1, 1000), "")
    for line, instructions in re.findall(r"^\S*ops\.def:(\d+).*\n((?: .*\n)*)", text, flags=re.M):
        by_line[int(line)] += instructions
    if not any(by_line.values()):
        pytest.skip("this objdump or compiler does not tell lines")
    table = (ROOT / "csrc" / "ops.def").read_text().splitlines()
    for name, wanted in PACKED.items():
        (line,) = (i for i, text in enumerate(table, 1) if re.match(rf"PG_OP_\w+\({name},", text))
        for instruction, times in wanted.items():
            assert len(re.findall(packed.format(instruction), by_line[line])) >= times, (name, instruction)


def test_the_tables_are_what_the_script_prints():
    script = ROOT / "benchmarks" / "minimax.py"
    if not script.is_file():
        pytest.skip("benchmarks/ is not beside the tests")
    made, header = runpy.run_path(str(script)), " ".join(HEADER.read_text().split())
    tables = re.findall(r"pgl_(\w+)_table\[\]", header)
    assert set(tables) == set(made["TABLES"])
    for name in tables:
        assert " ".join(made["printed"](name).split()) in header


POWERS = (0.5, -0.5, 1.5, -1.0, -2.0, 3.0, 4.0, 2.0, 1.0, 0.0, 0.3, -3.0, 5.0, 7.5)


@pytest.mark.parametrize("y", POWERS)
def test_powers_over_rows(y):
    """The few that are short products, quotients and roots in lanes, and others; and what libm says of odd numbers."""
    np = pytest.importorskip("numpy")
    rng = random.Random(int(100 * y))
    x = [rng.uniform(1e-3, 1e3) for _ in range(300)] + [10.0 ** rng.uniform(-38, 38) for _ in range(300)]
    f = pygrad.compile(lambda x: x**y)
    values, slopes = pygrad.vmap(pygrad.value_and_grad(f))(np.array(x))
    with mpmath.workprec(200):
        for number, value, slope in zip(x, values, slopes):
            exact = mpmath.mpf(number) ** mpmath.mpf(y)
            assert abs(value - exact) <= 2 * math.ulp(float(exact))
            assert abs(slope - y * exact / number) <= 4 * math.ulp(float(y * exact / number))
    odd = [0.0, -0.0, 1e-310, 1e-200, 1e200, 1e308, math.inf, -math.inf, math.nan, -1.0, -2.5, 1.0]
    for number, value in zip(odd, pygrad.vmap(f, errors="nan")(np.array(odd))):
        try:
            expected = f(number).data
        except (ArithmeticError, ValueError):
            expected = math.nan
        assert value == pytest.approx(expected, rel=1e-15, abs=0.0, nan_ok=True)
        assert math.copysign(1.0, value) == math.copysign(1.0, expected) or math.isnan(value)
