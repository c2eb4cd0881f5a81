"""Optimizers with torch's names, arguments, defaults and formulas. A step is one call to C.

>>> from pygrad import Value
>>> from pygrad.optim import SGD
>>> w = Value(2.0)
>>> optimizer = SGD([w], lr=0.1)
>>> for _ in range(3):
...     optimizer.zero_grad()
...     loss = (w - 5) ** 2
...     loss.backward()
...     optimizer.step()
>>> round(w.data, 3)
3.464
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Any

from pygrad._backends import core
from pygrad._backends.interface import check_operands, required_number
from pygrad.optim import lr_scheduler
from pygrad.value import Value


class Optimizer:
    """What optimizers share: the parameters, their options, and a state of numbers for each parameter."""

    #: The options, which are attributes: they may be changed between steps, as schedules do with ``lr``.
    options: tuple[str, ...] = ()
    #: The names of the state's arrays, each of which has a number for each parameter.
    arrays: tuple[str, ...] = ()

    lr: float

    def __init__(self, params: Iterable[Value], **options: Any) -> None:
        if hasattr(params, "parameters"):
            raise TypeError("an optimizer takes parameters: model.parameters(), not the model")
        if isinstance(params, Value) or not isinstance(params, Iterable):
            raise TypeError(f"an optimizer takes a list of parameters, not {type(params).__name__}")
        self.params = list(params)
        if not self.params:
            raise ValueError("an optimizer needs parameters, and got none")
        check_operands(self.params, Value, "parameters")
        if len(set(map(id, self.params))) < len(self.params):
            raise ValueError("a parameter is given twice, and would be updated twice")
        vars(self).update(_checked(options))
        self.steps = 0
        self.state: dict[str, array[float]] = {}
        self.initial_lr = self.lr

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0."""
        core.zero_grads(self.params)

    def step(self) -> None:
        """Update every parameter's data by its grad."""
        raise NotImplementedError

    def _array(self, name: str) -> array[float]:
        """That part of the state; a new one is not kept before the step is done."""
        numbers = self.state.get(name) or array("d", bytes(8 * len(self.params)))
        if len(numbers) != len(self.params):
            raise ValueError(
                f"the optimizer's state is of {len(numbers)} parameters, and params has {len(self.params)} "
                f"now: make a new optimizer for those, {type(self).__name__}(params, ...)"
            )
        return numbers

    def state_dict(self) -> dict[str, Any]:
        """Options and state, as plain numbers, strings and lists."""
        return {
            "options": {name: getattr(self, name) for name in self.options},
            "steps": self.steps,
            "state": {name: list(numbers) for name, numbers in self.state.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave. Anything else is a ValueError or TypeError, and changes nothing."""
        try:
            options, steps, given = dict(state["options"]), state["steps"], dict(state["state"])
        except (KeyError, TypeError, ValueError):
            raise ValueError("a state has options, steps and state, as state_dict() returns them") from None
        if set(options) != set(self.options) or not set(given) <= set(self.arrays):
            names = ", ".join(sorted(map(str, {*options, *given})))
            raise ValueError(f"the state is of another optimizer than {type(self).__name__}: it has {names}")
        options = _checked(options)
        if not isinstance(steps, int) or steps < 0:
            raise ValueError(f"steps must be an integer from 0 on, not {steps!r}")
        arrays = {name: array("d", list(numbers)) for name, numbers in given.items()}
        for name, numbers in arrays.items():
            if len(numbers) != len(self.params):
                raise ValueError(f"the state {name!r} is of {len(numbers)} parameters, not of {len(self.params)}")
        vars(self).update(options, steps=steps, state=arrays)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.options)
        return f"{type(self).__name__}({len(self.params)} parameters, {options})"


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options as numbers and flags. Refuses what torch refuses."""
    checked: dict[str, Any] = {}
    for name, value in options.items():
        if name in ("nesterov", "amsgrad", "maximize"):
            checked[name] = bool(value)
        elif name == "betas":
            betas = value if isinstance(value, Iterable) else ()
            checked[name] = pair = tuple(required_number(beta, "a beta") for beta in betas)
            if len(pair) != 2 or not all(0.0 <= beta < 1.0 for beta in pair):
                raise ValueError(f"betas must be two numbers from 0 to below 1, not {value!r}")
        else:
            checked[name] = required_number(value, name)
            if name != "dampening" and not checked[name] >= 0.0:
                raise ValueError(f"{name} must not be negative, and is {value}")
    if checked.get("nesterov") and (checked["momentum"] <= 0.0 or checked["dampening"] != 0.0):
        raise ValueError("Nesterov momentum needs a momentum above 0 and no dampening")
    return checked


class SGD(Optimizer):
    """Gradient descent, with plain momentum or Nesterov's, and weight decay as a part of the gradient.

    Formulas: Sutskever et al., On the importance of initialization and momentum in deep learning (2013), in
    torch's variant, where the rate multiplies the whole velocity.
    """

    options = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
    arrays = ("velocity",)
    momentum: float

    def __init__(
        self,
        params: Iterable[Value],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        values = lr, momentum, dampening, weight_decay, nesterov, maximize
        super().__init__(params, **dict(zip(self.options, values)))

    def step(self) -> None:
        first = "velocity" not in self.state
        velocity = self._array("velocity") if self.momentum else None
        core.sgd(self.params, velocity, tuple(getattr(self, name) for name in self.options), first)
        if velocity is not None:
            self.state["velocity"] = velocity
        self.steps += 1


class Adam(Optimizer):
    """Adam. Kingma and Ba, Adam: a method for stochastic optimization (2015); ``amsgrad``: Reddi et al., On
    the convergence of Adam and beyond (2018)."""

    options = ("lr", "betas", "eps", "weight_decay", "amsgrad", "maximize")
    arrays = ("mean", "square", "top")
    _decoupled = False
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    amsgrad: bool
    maximize: bool

    def __init__(
        self,
        params: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        values = lr, betas, eps, weight_decay, amsgrad, maximize
        super().__init__(params, **dict(zip(self.options, values)))

    def step(self) -> None:
        state = {name: self._array(name) for name in self.arrays if name != "top" or self.amsgrad}
        options = (self.lr, *self.betas, self.eps, self.weight_decay, self._decoupled, self.maximize)
        core.adam(self.params, state["mean"], state["square"], state.get("top"), options, self.steps + 1)
        self.state.update(state)
        self.steps += 1


class AdamW(Adam):
    """Adam with weight decay apart from the gradient. Loshchilov and Hutter, Decoupled weight decay
    regularization (2019)."""

    _decoupled = True

    def __init__(
        self,
        params: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
