"""Draw a graph with Graphviz, as the micrograd notebooks do: values are boxes, operations are ovals."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    import graphviz  # type: ignore[import-untyped]


def draw_dot(root: Any, format: str = "svg", rankdir: str = "LR", max_nodes: int = 500) -> graphviz.Digraph:
    """The graph that ``root`` was computed by, as a ``graphviz.Digraph``: a notebook shows it, ``.source`` is
    its DOT text, ``.render("file")`` writes a picture (for which Graphviz itself must be installed).

    It looks at ``_prev``, ``_op``, ``data``, ``grad`` and ``label`` only, so it draws any class of this kind.
    As ``_prev`` is a set, both operands of ``a + a`` are one edge. The same graph gives the same text each
    time; operands are sorted, since a set has no order that would last.

    ``format`` is a format of Graphviz's, ``rankdir`` "LR" (left to right) or "TB" (top to bottom).

    >>> from pygrad import Value
    >>> a = Value(2.0, label="a")
    >>> print(draw_dot(a * a).source)  # doctest: +SKIP
    digraph {
        graph [rankdir=LR]
        node [shape=record]
        0 [label="{ a | data 2.0000 | grad 0.0000 }"]
        1 [label="{ data 4.0000 | grad 0.0000 }"]
        op1 [label="*" shape=oval]
        op1 -> 1
        0 -> op1
    }

    Raises TypeError where ``root`` is not a Value, ValueError for another ``rankdir``, an unknown format or
    a graph of more than ``max_nodes`` values, and ImportError where the Python package graphviz is missing.
    """
    if isinstance(root, type) or not (hasattr(root, "_prev") and hasattr(root, "_op")):
        what = f"the class {root.__name__}" if isinstance(root, type) else type(root).__name__
        raise TypeError(f"draw_dot needs a Value, something with _prev and _op, not {what}")
    if rankdir not in ("LR", "TB"):
        raise ValueError(f'rankdir must be "LR" or "TB", not {rankdir!r}')
    try:
        import graphviz
    except ImportError as error:
        raise ImportError(
            'drawing needs the Python package graphviz: pip install "pygrad-cffi[viz]"'
        ) from error

    # `operands` holds every object it has met: a node that nobody else holds would otherwise get a new object
    # on each look, and be taken for another node.
    operands = _discover(root, max_nodes)
    dot = graphviz.Digraph(format=format, graph_attr={"rankdir": rankdir}, node_attr={"shape": "record"})
    names: dict[Any, str] = {}
    for value in _sorted_postorder(root, operands):
        name = names[value] = str(len(names))
        dot.node(name, f"{{ {_text(value)} }}")
        target = name
        if value._op:
            target = f"op{name}"
            dot.node(target, graphviz.escape(value._op), shape="oval")
            dot.edge(target, name)
        for operand in operands[value]:
            dot.edge(names[operand], target)
    return dot


def _discover(root: Any, max_nodes: int) -> dict[Any, list[Any]]:
    """The operands of every value below root, itself included."""
    operands: dict[Any, list[Any]] = {}
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if value in operands:
            continue
        if len(operands) >= max_nodes:
            raise ValueError(
                f"the graph has more than {max_nodes} values, too many to read in a drawing; "
                "draw a part of it, or pass a larger max_nodes"
            )
        operands[value] = list(value._prev)
        waiting += operands[value]
    return operands


def _postorder(root: Any, operands: dict[Any, list[Any]], leave: Callable[[Any], None]) -> None:
    """Call ``leave`` on each value once, operands first and in their order. A stack, for deep graphs."""
    seen = {root}
    stack = [(root, iter(operands[root]))]
    while stack:
        value, rest = stack[-1]
        for operand in rest:
            if operand not in seen:
                seen.add(operand)
                stack.append((operand, iter(operands[operand])))
                break
        else:
            stack.pop()
            leave(value)


def _sorted_postorder(root: Any, operands: dict[Any, list[Any]]) -> list[Any]:
    """Sort each value's operands by what they show, then by all that is below them, which a digest stands for
    (what is alike in both may come in either order); then list the values, operands first."""
    keys: dict[Any, tuple[str, str, str]] = {}

    def sort(value: Any) -> None:
        operands[value].sort(key=keys.__getitem__)
        shown = (_text(value), value._op)
        below = [keys[operand] for operand in operands[value]]
        keys[value] = (*shown, hashlib.sha256(repr((shown, below)).encode()).hexdigest())

    _postorder(root, operands, sort)
    order: list[Any] = []
    _postorder(root, operands, order.append)
    return order


def _text(value: Any) -> str:
    """What a value's box says."""
    numbers = f"data {value.data:.4f} | grad {value.grad:.4f}"
    label = str(getattr(value, "label", ""))
    return f"{label.translate(_ESCAPES)} | {numbers}" if label else numbers


#: Characters that mean something in the label of a record.
_ESCAPES = str.maketrans({**{c: f"\\{c}" for c in "\\{}|<>"}, "\n": "\\n"})
