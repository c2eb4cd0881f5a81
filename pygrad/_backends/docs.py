"""Docstrings of Value, its members and the backends' functions: both backends have them from here."""

from typing import Any

DOCS = {
    "Value": """A number that remembers how it was computed.

``data`` is the number, ``grad`` what `backward` has added up of the derivatives of its roots with respect
to it; both are float64 and can be assigned.

>>> x, y = Value(2.0), Value(-3.0)
>>> z = x * y + x ** 2
>>> z.backward()
>>> z, x.grad, y.grad
(Value(data=-2.0), 1.0, 2.0)

A custom operation gives its value, its operands and either local gradients or a name, in which case
the step is assigned afterwards, as a closure: ``out._backward = step``.

>>> Value(8.0, (x,), (12.0,))  # x ** 3 and its derivative
Value(data=8.0)

Raises TypeError where data, an operand or a local gradient is not what it should be, and ValueError
where there is not one local gradient for each operand.
""",
    "data": """The value, a float64.""",
    "grad": """The gradient, or adjoint: d root / d this value, added up over all calls of `backward`.""",
    "backward": """Run the chain rule from here: set this grad to 1.0 and add to the grad of every node it was
computed from. A second call adds again; a training loop sets ``p.grad = 0.0`` in between.

What a closure raises is passed on; the grads above it are written by then, those below are not.
""",
    "_step": """This one node's step of the reverse pass, from its present grad.""",
    "_prev": """The set of operands: the very objects, while somebody holds them.""",
    "_backward": """The node's step of the reverse pass, a callable without arguments: `_step`, or a closure that is set
before the value is used.

Raises TypeError for what can't be called, and RuntimeError where results were recorded already.
""",
    "_op": """The operation's symbol, '' for a leaf; a power shows its exponent, as in '**2'.""",
    "live_nodes": """How many nodes are in use: those that an object or a graph still reaches.

>>> import pygrad
>>> before = pygrad.live_nodes()
>>> x = pygrad.Value(1.0)
>>> pygrad.live_nodes() - before
1
""",
    "memory": """The arena's memory. It grows by doubling and is used again, never given back.

>>> import pygrad
>>> pygrad.memory().bytes / pygrad.memory().nodes < 48
True
""",
    "where": """Both a and b are computed; the one that is not taken gets no gradient. A condition is a number or a
Value that is not 0 where it holds, as `greater` gives it; it gets no gradient.

>>> import pygrad
>>> x = pygrad.Value(-2.0)
>>> pygrad.where(pygrad.greater(x, 0.0), x, 0.1 * x)
Value(data=-0.2)
""",
    "take": """The element of a list of Values or numbers that an index, a number or a Value, says. Only that one gets
a gradient.

>>> import pygrad
>>> pygrad.take([1.5, 2.5, 3.5], 1)
Value(data=2.5)

Raises IndexError for what is no whole number within the list; as in a list, -1 is the last.
""",
    "operands": """A node's operands in order, a repeated one as often as it was used.""",
}


def documented(function: Any) -> Any:
    """Give a function the docstring that stands here under its name."""
    function.__doc__ = DOCS[function.__name__]
    return function
