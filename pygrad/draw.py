"""Draw a graph with Graphviz, as the micrograd notebooks do: values are boxes, operations are ovals."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from pygrad.copying import topological

if TYPE_CHECKING:
    import graphviz


def draw_dot(
    root: Any,
    format: str = "svg",
    rankdir: str = "LR",
    max_nodes: int = 500,
    inputs: Sequence[Any] | None = None,
    color_grads: bool = False,
) -> graphviz.Digraph:
    """The graph that ``root`` was computed by, as a ``graphviz.Digraph``: a notebook shows it, ``.source`` is
    its DOT text, ``.render("file")`` writes a picture (for which Graphviz itself must be installed).

    It looks at ``_prev``, ``_op``, ``data``, ``grad`` and ``label`` only, so it draws any class of this kind.
    As ``_prev`` is a set, both operands of ``a + a`` are one edge, and operands are drawn sorted.

    ``format`` is a format of Graphviz's, ``rankdir`` "LR" (left to right) or "TB" (top to bottom).
    ``root`` may also be a list of Values, or a model or a part of one, which is applied to ``inputs`` (zeros
    named x0, x1, ... if it has neurons to count them by) and has its parameters named. With ``color_grads`` a
    box is the redder, the larger the logarithm of its grad; a grad of 0 stays white.

    >>> from pygrad import Value
    >>> a = Value(2.0, label="a")
    >>> draw_dot(a * a, format="png").render("square")  # doctest: +SKIP
    'square.png'

    Raises TypeError where ``root`` is none of these, ValueError for another ``rankdir``, an unknown format or
    a graph of more than ``max_nodes`` values, and ImportError where the Python package graphviz is missing.
    """
    roots, labels = _roots(root, inputs, "draw_dot")
    if rankdir not in ("LR", "TB"):
        raise ValueError(f'rankdir must be "LR" or "TB", not {rankdir!r}')
    try:
        import graphviz
    except ImportError as error:
        raise ImportError("drawing needs the Python package graphviz (the extra viz): pip install graphviz") from error

    operands = _operands(roots, labels, max_nodes)
    colors = _colors(operands) if color_grads else {}
    dot = graphviz.Digraph(format=format, graph_attr={"rankdir": rankdir}, node_attr={"shape": "record"})
    names: dict[Any, str] = {}
    for value, below in operands.items():
        name = names[value] = str(len(names))
        dot.node(name, f"{{ {_text(value, labels)} }}", **colors.get(value, {}))
        target = name
        if value._op:
            target = f"op{name}"
            dot.node(target, graphviz.escape(value._op), shape="oval")
            dot.edge(target, name)
        for operand in below:
            dot.edge(names[operand], target)
    return dot


def _is_value(x: Any) -> bool:
    return not isinstance(x, type) and hasattr(x, "_prev") and hasattr(x, "_op")


def _roots(root: Any, inputs: Sequence[Any] | None, who: str) -> tuple[list[Any], dict[Any, str]]:
    """What to draw, and labels for values that have none."""
    roots = list(root) if isinstance(root, (list, tuple)) else [root]
    if roots and all(map(_is_value, roots)):
        return roots, {}
    from pygrad.nn import Module, Neuron  # here, as nn imports much that drawing does without
    from pygrad.value import Value

    if not isinstance(root, Module):
        what = f"the class {root.__name__}" if isinstance(root, type) else type(root).__name__
        raise TypeError(f"{who} needs a Value, something with _prev and _op, or a model, not {what}")
    model: Any = root
    if inputs is None:
        neuron = model
        while not isinstance(neuron, Neuron):
            parts = [part for x in vars(neuron).values() for part in (x if isinstance(x, list) else [x])]
            neuron = next((part for part in parts if isinstance(part, Module)), None)
            if neuron is None:
                raise TypeError(f"{who} can't tell how many inputs {type(root).__name__} takes: give it inputs")
        inputs = [Value(0.0, label=f"x{i}") for i in range(len(neuron.w))]
    outputs = model(inputs)
    labels = {parameter: name for name, parameter in model.named_parameters()}
    return [outputs] if _is_value(outputs) else list(outputs), labels


def _colors(values: Iterable[Any]) -> dict[Any, dict[str, str]]:
    """Attributes of the boxes: red by the logarithm of the grad's size."""
    sizes = {value: math.log(abs(value.grad)) for value in values if value.grad and math.isfinite(value.grad)}
    low = min(sizes.values(), default=0.0)
    span = max(sizes.values(), default=0.0) - low
    shades = {value: 0.1 + 0.6 * ((size - low) / span if span else 1.0) for value, size in sizes.items()}
    return {value: {"style": "filled", "fillcolor": f"0.0 {shade:.3f} 1.0"} for value, shade in shades.items()}


def _operands(roots: list[Any], labels: dict[Any, str], max_nodes: int) -> dict[Any, list[Any]]:
    """The operands of each value, the roots and all below them, which come first. They are sorted by what
    they show, then by all that is below them, for which a digest stands (what is alike in both may come in
    either order)."""
    import hashlib  # a tenth of the time that importing pygrad takes, for drawing alone

    # It holds every object it has met: a node that nobody else holds would otherwise get a new object on each
    # look, and be taken for another node.
    operands: dict[Any, list[Any]] = {}

    def look(value: Any) -> list[Any]:
        if len(operands) >= max_nodes:
            raise ValueError(
                f"the graph has more than {max_nodes} values, too many to read in a drawing; "
                "draw a part of it, or pass a larger max_nodes"
            )
        operands[value] = list(value._prev)
        return operands[value]

    keys: dict[Any, tuple[str, str, str]] = {}
    for value in topological(roots, look):
        operands[value].sort(key=keys.__getitem__)
        shown = (_text(value, labels), value._op)
        below = [keys[operand] for operand in operands[value]]
        keys[value] = (*shown, hashlib.sha256(repr((shown, below)).encode()).hexdigest())
    return {value: operands[value] for value in topological(roots, operands.__getitem__)}


def _text(value: Any, labels: dict[Any, str]) -> str:
    """What a value's box says."""
    numbers = f"data {value.data:.4f} | grad {value.grad:.4f}"
    label = _label(value, labels)
    return f"{label.translate(_ESCAPES)} | {numbers}" if label else numbers


def _label(value: Any, labels: dict[Any, str]) -> str:
    label = getattr(value, "label", None)
    return labels.get(value, "") if label is None or label == "" else str(label)


#: Characters that mean something in the label of a record.
_ESCAPES = str.maketrans({**{c: f"\\{c}" for c in "\\{}|<>"}, "\n": "\\n"})


def print_graph(
    root: Any, max_nodes: int = 200, inputs: Sequence[Any] | None = None, file: TextIO | None = None
) -> None:
    """Print the graph as a tree for a terminal: each value with its operation, its operands below it.

    A value that is used more than once has its operands shown the first time, and is numbered to be found
    again. Where ``file`` (by default `sys.stdout`) can't encode the tree's lines they are ASCII; such
    characters of labels are escaped. Takes what `draw_dot` takes, raises what it raises.

    >>> from pygrad import Value
    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> print_graph(a * b + a)
    + data -4.0000 grad 0.0000
    ├─ * data -6.0000 grad 0.0000
    │  ├─ a data 2.0000 grad 0.0000 #1
    │  └─ b data -3.0000 grad 0.0000
    └─ #1 a, above
    """
    roots, labels = _roots(root, inputs, "print_graph")
    operands = _operands(roots, labels, max_nodes)
    users = Counter([*set(roots), *(operand for below in operands.values() for operand in below)])
    numbers: dict[Any, int] = {}
    out = file or sys.stdout
    encoding = getattr(out, "encoding", None) or "utf-8"

    def encodable(text: str) -> str:
        return text.encode(encoding, "backslashreplace").decode(encoding)

    drawn = encodable("├─└│") == "├─└│"
    branch, last_branch, line = ("├─ ", "└─ ", "│  ") if drawn else ("|- ", "`- ", "|  ")

    # operations above leaves: what was computed is what one looks for first
    stack = [(value, "", "") for value in reversed(roots)]
    while stack:
        value, first, rest = stack.pop()
        label = _label(value, labels).replace("\n", "\\n")
        name = " ".join(part for part in (value._op, label) if part)
        if value in numbers:
            print(encodable(f"{first}#{numbers[value]} {name}, above".replace(" ,", ",")), file=out)
            continue
        text = f"{name} data {value.data:.4f} grad {value.grad:.4f}".strip()
        if users[value] > 1:
            numbers[value] = len(numbers) + 1
            text += f" #{numbers[value]}"
        print(encodable(first + text), file=out)
        ends = last_branch, "   "
        for operand in sorted(reversed(operands[value]), key=lambda operand: bool(operands[operand])):
            stack.append((operand, rest + ends[0], rest + ends[1]))
            ends = branch, line


__all__ = ["draw_dot", "print_graph"]
