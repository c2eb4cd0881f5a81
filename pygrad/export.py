"""Programs as text: a listing for a reader, and C."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from pygrad._backends import programs
from pygrad.value import OPS

_INFIX = {op.name: op.symbol for op in OPS.values() if op.is_operator and op.kind in ("binary", "scalar")}

#: What a C function can't be called: C's own words, and what <math.h> declares (there with an f or l behind, too).
_KEYWORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof
    main"""
_MATH = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor fma
    fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan
    nearbyint nextafter nexttoward pow remainder remquo rint round scalbln scalbn sin sinh sqrt tan tanh tgamma trunc
    fpclassify isfinite isgreater isgreaterequal isinf isless islessequal islessgreater isnan isnormal isunordered
    signbit double_t float_t math_errhandling"""
_RESERVED = r"_[_A-Z]|op_|pgm_|given$|(FP|FLT|DBL|LDBL|DECIMAL|HUGE|MATH)_|(NAN|INFINITY|PYGRAD_OPMATH_H)$"


def _is_name(name: Any) -> bool:
    """Whether a C function may be called that."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
        return False
    declared = _MATH.split()
    is_math = name in declared or (name[-1] in "fl" and name[:-1] in declared)
    return not (is_math or name in _KEYWORDS.split() or re.match(_RESERVED, name))


def _names(program: Any, inputs: Sequence[str]) -> dict[int, str]:
    """What each register is called."""
    numbers = program.numbers()
    names = {i: repr(number) for i, number in enumerate(numbers)}
    names.update({len(numbers) + i: name for i, name in enumerate(inputs)})
    names.update({i.result: f"v{k + 1}" for k, i in enumerate(program.instructions())})
    return names


def listing(program: Any, labels: Sequence[str]) -> str:
    """A line for each instruction, and one for the outputs."""
    names = _names(program, [f"x{i}" for i in range(len(labels))])
    lines = [f"x{i}  # {label}" if label else f"x{i}" for i, label in enumerate(labels)]
    for result, name, operands in program.instructions():
        shown = [names[operand] for operand in operands]
        if name == "squared":  # a product that the graph has as a power
            name, shown = "pow", [shown[0], "2.0"]
        text = f" {_INFIX[name]} ".join(shown) if name in _INFIX else f"{name}({', '.join(shown)})"
        lines.append(f"{names[result]} = {text}")
    return "\n".join([*lines, "return " + ", ".join(names[register] for register in program.output_registers())])


def _c_number(number: float) -> str:
    if math.isnan(number):
        return "NAN"
    if math.isinf(number):
        return "INFINITY" if number > 0 else "-INFINITY"
    return float(number).hex() if number != int(number) or abs(number) >= 1e15 else f"{number:.1f}"


def _needed(program: Any) -> list[Any]:
    """The instructions that the outputs need. Others may be there to raise an error, which C does not."""
    needed, kept = set(program.output_registers()), []
    for instruction in reversed(program.instructions()):
        if instruction.result in needed:
            needed.update(instruction.operands)
            kept.append(instruction)
    return kept[::-1]


def _c_body(program: Any, inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """Statements, and what the outputs are called."""
    names = _names(program, inputs)
    numbers = {i: _c_number(number) for i, number in enumerate(program.numbers())}
    names.update(numbers)
    lines = []
    for result, name, operands in _needed(program):
        shown = [names[operand] for operand in operands]
        if name.startswith("pow"):  # of these C compilers know better ways for some exponents, which round otherwise
            shown = [f"given({x})" if i in numbers and x != "2.0" else x for i, x in zip(operands, shown)]
        lines.append(f"const double {names[result]} = op_{name}({', '.join(shown)});")
    return lines, [names[register] for register in program.output_registers()]


_TEMPLATE = """/* Written by pygrad: a function of {count} numbers and, where grad is not NULL, its derivatives in them.
 * Compile it without contraction (-ffp-contract=off) to have the very numbers that Python has. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wunused-function"
#endif
{opmath}
/* A number that the compiler does not see. */
static inline double given(double x) {{ volatile double y = x; return y; }}

{operations}

double {name}(const double *x, double *grad);
double {name}(const double *x, double *grad)
{{
    (void)x;
    if (grad) {{
{gradient}
    }}
{value}
}}
"""


def c_source(name: str, value: Any, gradient: Any) -> str:
    """A function in C that returns what the program ``value`` computes, and writes what ``gradient`` does beside."""
    if not _is_name(name):
        raise ValueError(f"{name!r} is no name of a C function")
    inputs = [f"x[{i}]" for i in range(value.inputs)]
    statements, (result,) = _c_body(value, inputs)
    both, (result_beside, *partials) = _c_body(gradient, inputs)
    arity = {i.name: len(i.operands) for program in (value, gradient) for i in _needed(program)}
    operations = []
    for used in sorted(arity):
        parameters = ", ".join(f"double {p}" for p in "xyw"[: arity[used]])
        operations.append(f"static inline double op_{used}({parameters}) {{ return {programs.formula(used)}; }}")
    both += [f"grad[{i}] = {partial};" for i, partial in enumerate(partials)]
    return _TEMPLATE.format(
        name=name,
        count=value.inputs,
        opmath=programs.opmath(),
        operations="\n".join(operations),
        gradient="\n".join(f"        {line}" for line in [*both, f"return {result_beside};"]),
        value="\n".join(f"    {line}" for line in [*statements, f"return {result};"]),
    )
