"""Programs as text: a listing for a reader, and C."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from pygrad._backends import programs
from pygrad.value import OPS

_INFIX = {op.name: op.symbol for op in OPS.values() if op.is_operator and op.kind in ("binary", "scalar")}


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
        text = f" {_INFIX[name]} ".join(shown) if name in _INFIX else f"{name}({', '.join(shown)})"
        lines.append(f"{names[result]} = {text}")
    return "\n".join([*lines, "return " + ", ".join(names[register] for register in program.output_registers())])


def _c_number(number: float) -> str:
    if math.isnan(number):
        return "NAN"
    if math.isinf(number):
        return "INFINITY" if number > 0 else "-INFINITY"
    return float(number).hex() if number != int(number) or abs(number) >= 1e15 else f"{number:.1f}"


def _c_body(program: Any, inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """Statements, and what the outputs are called."""
    names = _names(program, inputs)
    names.update({i: _c_number(number) for i, number in enumerate(program.numbers())})
    lines = [
        f"const double {names[result]} = op_{name}({', '.join(names[operand] for operand in operands)});"
        for result, name, operands in program.instructions()
    ]
    return lines, [names[register] for register in program.output_registers()]


_TEMPLATE = """/* Written by pygrad: a function of {count} numbers and, where grad is not NULL, its derivatives in them.
 * Compile it without contraction (-ffp-contract=off) to have the very numbers that Python has. */
{opmath}
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


def c_source(name: str, value: Any, gradient: Any, fixed: Sequence[float]) -> str:
    """A function in C that returns what the program ``value`` computes, and writes what ``gradient`` computes beside.

    The last inputs are ``fixed`` numbers."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"{name!r} is no name of a C function")
    count = value.inputs - len(fixed)
    inputs = [*[f"x[{i}]" for i in range(count)], *[_c_number(number) for number in fixed]]
    statements, (result,) = _c_body(value, inputs)
    both, (result_beside, *partials) = _c_body(gradient, inputs)
    arity = {i.name: len(i.operands) for program in (value, gradient) for i in program.instructions()}
    operations = []
    for used in sorted(arity):
        parameters = ", ".join(f"double {p}" for p in "xyw"[: arity[used]])
        operations.append(f"static inline double op_{used}({parameters}) {{ return {programs.formula(used)}; }}")
    both += [f"grad[{i}] = {partial};" for i, partial in enumerate(partials)]
    return _TEMPLATE.format(
        name=name,
        count=count,
        opmath=programs.opmath(),
        operations="\n".join(operations),
        gradient="\n".join(f"        {line}" for line in [*both, f"return {result_beside};"]),
        value="\n".join(f"    {line}" for line in [*statements, f"return {result};"]),
    )
