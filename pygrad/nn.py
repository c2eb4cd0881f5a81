"""Neurons, layers and multilayer perceptrons, with micrograd's names.

>>> from pygrad.nn import MLP
>>> model = MLP(3, [2, 1])
>>> model
MLP of [Layer of [ReLUNeuron(3), ReLUNeuron(3)], Layer of [LinearNeuron(2)]]
>>> len(model.parameters())
11
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MethodType
from typing import Any, TypeVar
from weakref import WeakMethod

from pygrad._backends import core
from pygrad._backends.interface import required_number
from pygrad.value import Value, functions

_ACTIVATIONS = {True: "relu", False: "", None: "", "relu": "relu", "tanh": "tanh", "none": ""}
_TITLES = {"relu": "ReLU", "tanh": "Tanh", "": "Linear"}


class Module:
    """A part of a model. Its parameters are the Values that its attributes hold: directly, in other modules,
    or in lists, tuples and dicts of these. A subclass with parameters elsewhere overrides `parameters`."""

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Each parameter once, with where it is: ``layers.0.neurons.2.w.1``."""
        seen: set[int] = set()
        waiting: list[tuple[str, Any]] = [("", self)]
        while waiting:
            name, thing = waiting.pop()
            if not isinstance(thing, (Value, Module, list, tuple, Mapping)) or id(thing) in seen:
                continue
            seen.add(id(thing))
            if isinstance(thing, Value):
                yield name, thing
            else:
                inside = vars(thing) if isinstance(thing, Module) else thing
                items = inside.items() if isinstance(inside, Mapping) else enumerate(inside)
                parts = [(f"{name}.{key}" if name else str(key), part) for key, part in items]
                waiting += reversed(parts)

    def parameters(self) -> list[Value]:
        """All parameters, in the order in which they were made attributes."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0."""
        core.zero_grads(self.parameters())

    def compile(self: M) -> M:
        """Let calls of the model run as programs, recorded once for each structure of its arguments: see
        `pygrad.compile`. A call is then one node, with local gradients to the parameters. Returns the model itself.

        >>> model = Neuron(2).compile()
        >>> len(model([1.0, 2.0])._prev) == len(model.parameters())
        True
        """
        if not hasattr(type(self), "_plain"):
            self.__class__ = _compiled_class(type(self))
        return self

    def state_dict(self) -> dict[str, float]:
        """The parameters' data by name, plain floats: to be kept in any format.

        >>> Neuron(1, nonlin=False).state_dict().keys()
        dict_keys(['w.0', 'b'])
        """
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set the parameters' data from what `state_dict` returned. KeyError, and no change, where a name is
        missing or is unknown."""
        parameters = dict(self.named_parameters())
        if not isinstance(state, Mapping):
            raise TypeError(f"a state is a mapping of names to numbers, not {type(state).__name__}")
        missing = [name for name in parameters if name not in state]
        unknown = [str(name) for name in state if name not in parameters]
        complaints = []
        for what, names in ("missing", missing), ("unknown", unknown):
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            complaints += [f"{what}: {', '.join(names[:5])}{more}"] if names else []
        if complaints:
            raise KeyError("; ".join(complaints))
        for name, number in {name: required_number(state[name], name) for name in parameters}.items():
            parameters[name].data = number


M = TypeVar("M", bound=Module)


def _compiled_class(kind: type[Any]) -> type[Any]:
    """The same class but for its calls. (Python looks `__call__` up in the class, not in the object.)"""
    from pygrad.compiled import Compiled

    if "_compiled_class" in vars(kind):
        return kind._compiled_class  # type: ignore[no-any-return]

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        if "_compiled" not in vars(self):
            vars(self)["_compiled"] = Compiled(WeakMethod(MethodType(kind.__call__, self)))
        return vars(self)["_compiled"](*args, **kwargs)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        state = {name: part for name, part in vars(self).items() if name != "_compiled"}
        return _compiled_copy, (kind, state)

    members: dict[str, Any] = {"__call__": __call__, "__reduce_ex__": __reduce_ex__, "_plain": kind}
    bases: tuple[type[Any], ...] = (kind,)
    made: Any = type(str(kind.__name__), bases, members)
    made.__module__, made.__qualname__, made.__doc__ = kind.__module__, kind.__qualname__, kind.__doc__
    kind._compiled_class = made
    return made  # type: ignore[no-any-return]


def _compiled_copy(kind: type[Any], state: dict[str, Any]) -> Any:
    copy: Any = object.__new__(kind)
    vars(copy).update(state)
    return copy.compile()


def _check_nonlin(nonlin: Any) -> None:
    if nonlin not in _ACTIVATIONS:
        raise ValueError(f"nonlin must be True, False, 'relu', 'tanh' or 'none', not {nonlin!r}")


class Neuron(Module):
    """``activation(w . x + b)``, w drawn from -1 to 1 and b zero.

    nonlin: True or ``"relu"``, ``"tanh"``, or False or ``"none"`` for a linear neuron.
    """

    def __init__(self, nin: int, nonlin: bool | str | None = True) -> None:
        _check_nonlin(nonlin)
        self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(0.0)
        self.nonlin = nonlin

    def __call__(self, x: Sequence[Any]) -> Value:
        activation = functions["dot"](self.w, x) + self.b
        name = _ACTIVATIONS[self.nonlin]
        return getattr(activation, name)() if name else activation

    def __repr__(self) -> str:
        return f"{_TITLES[_ACTIVATIONS[self.nonlin]]}Neuron({len(self.w)})"


class Layer(Module):
    """``nout`` neurons side by side; a layer of one gives a Value, not a list. Keywords are `Neuron`'s."""

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        self.neurons = [Neuron(nin, **kwargs) for _ in range(nout)]

    def __call__(self, x: Sequence[Any]) -> Any:
        try:
            x = [xi if isinstance(xi, Value) else Value(xi) for xi in x]  # once, not for each neuron
        except TypeError as error:
            raise TypeError(f"a model takes one example, not a batch: [model(x) for x in X] ({error})") from None
        if self.neurons and len(x) != len(self.neurons[0].w):
            raise ValueError(f"a layer of {len(self.neurons[0].w)} inputs was given {len(x)}")
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(repr, self.neurons))}]"


class MLP(Module):
    """Layers of the sizes ``nouts`` on ``nin`` inputs; the last is linear, the others as ``nonlin`` says."""

    def __init__(self, nin: int, nouts: Sequence[int], nonlin: bool | str | None = True) -> None:
        if not isinstance(nouts, Iterable):
            raise TypeError(f"nouts is a list of sizes, one for each layer, not {nouts!r}")
        _check_nonlin(nonlin)
        sizes = [nin, *nouts]
        last = len(nouts) - 1
        self.layers = [
            Layer(inputs, outputs, nonlin=nonlin if i < last else False)
            for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:]))
        ]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x if hasattr(x, "__len__") else [x])
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(repr, self.layers))}]"


__all__ = ["MLP", "Layer", "Module", "Neuron"]
