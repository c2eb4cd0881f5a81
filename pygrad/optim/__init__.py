"""Optimizers with torch's names, arguments, defaults and formulas. The update of all parameters is one call
to C.

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

from pygrad.optim import lr_scheduler
from pygrad.value import Value, engine


class Optimizer:
    """What optimizers share: the parameters, their options, and a state of numbers for each parameter."""

    #: The options, which are attributes: they may be changed between steps, as schedules do with ``lr``.
    options: tuple[str, ...] = ()
    #: Those of the state's arrays that there are.
    arrays: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Value], **options: Any) -> None:
        if hasattr(params, "parameters"):
            raise TypeError("an optimizer takes parameters: model.parameters(), not the model")
        if isinstance(params, Value):
            raise TypeError("an optimizer takes a list of parameters, even of a single one")
        self.params = list(params)
        if not self.params:
            raise ValueError("an optimizer needs parameters, and got none")
        for p in self.params:
            if not isinstance(p, Value):
                raise TypeError(f"parameters must be Values, not {type(p).__name__}")
        if len(set(map(id, self.params))) < len(self.params):
            raise ValueError("a parameter is given twice, and would be updated twice")
        for name, value in options.items():
            setattr(self, name, value)
        self.steps = 0
        self.state: dict[str, array[float]] = {}
        self.initial_lr = self.lr

    lr: float

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0."""
        engine.zero_grads(self.params)

    def step(self) -> None:
        """Update every parameter's data by its grad."""
        raise NotImplementedError

    def _array(self, name: str) -> array[float]:
        if name not in self.state:
            self.state[name] = array("d", bytes(8 * len(self.params)))
        return self.state[name]

    def state_dict(self) -> dict[str, Any]:
        """Options and state, as plain numbers, strings and lists."""
        return {
            "options": {name: getattr(self, name) for name in self.options},
            "steps": self.steps,
            "state": {name: list(numbers) for name, numbers in self.state.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. ValueError, and no change, where it is of other
        parameters."""
        arrays = {name: array("d", numbers) for name, numbers in state["state"].items()}
        for name, numbers in arrays.items():
            if len(numbers) != len(self.params):
                raise ValueError(
                    f"the state {name!r} is of {len(numbers)} parameters, not of {len(self.params)}"
                )
        if set(state["options"]) != set(self.options):
            raise ValueError(
                f"the state is of another optimizer: it has the options {sorted(state['options'])}"
            )
        for name, value in state["options"].items():
            setattr(self, name, value)
        self.steps, self.state = state["steps"], arrays

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.options)
        return f"{type(self).__name__}({len(self.params)} parameters, {options})"


def _check(**options: float) -> None:
    """Refuse a negative option, as torch does."""
    for name, value in options.items():
        if not value >= 0.0:
            raise ValueError(f"{name} must not be negative, and is {value}")


class SGD(Optimizer):
    """Gradient descent, with momentum, Nesterov's or the plain one, and weight decay as a part of the
    gradient.

    Formulas: Sutskever et al., On the importance of initialization and momentum in deep learning (2013), in
    torch's variant, where the rate multiplies the whole velocity.
    """

    options = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")

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
        _check(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0.0 or dampening != 0.0):
            raise ValueError("Nesterov momentum needs a momentum above 0 and no dampening")
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
        )

    momentum: float

    def step(self) -> None:
        first = "velocity" not in self.state
        velocity = self._array("velocity") if self.momentum else None
        engine.sgd(self.params, velocity, tuple(getattr(self, name) for name in self.options), first)
        self.steps += 1


class Adam(Optimizer):
    """Adam. Kingma and Ba, Adam: a method for stochastic optimization (2015); ``amsgrad``: Reddi et al., On
    the convergence of Adam and beyond (2018)."""

    options = ("lr", "betas", "eps", "weight_decay", "amsgrad", "maximize")
    _decoupled = False

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
        _check(lr=lr, eps=eps, weight_decay=weight_decay)
        if len(betas) != 2 or not all(0.0 <= beta < 1.0 for beta in betas):
            raise ValueError(f"betas must be two numbers from 0 to below 1, not {betas}")
        super().__init__(
            params,
            lr=lr,
            betas=tuple(betas),
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
        )

    betas: tuple[float, float]
    eps: float
    weight_decay: float
    amsgrad: bool
    maximize: bool

    def step(self) -> None:
        self.steps += 1
        options = (self.lr, *self.betas, self.eps, self.weight_decay, self._decoupled, self.maximize)
        top = self._array("top") if self.amsgrad else None
        engine.adam(self.params, self._array("mean"), self._array("square"), top, options, self.steps)


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
