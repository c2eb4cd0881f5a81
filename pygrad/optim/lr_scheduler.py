"""Learning-rate schedules with torch's names and arguments. Call ``step()`` after each step or epoch.

>>> from pygrad import Value
>>> from pygrad.optim import SGD
>>> optimizer = SGD([Value(1.0)], lr=0.8)
>>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
>>> for _ in range(4):
...     schedule.step()
>>> optimizer.lr
0.2
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pygrad._backends.interface import required_number

if TYPE_CHECKING:
    from pygrad.optim import Optimizer


class Schedule:
    """Sets an optimizer's ``lr`` to ``base_lr * factor(last_epoch)``, beginning at epoch 0."""

    eta_min = 0.0  # what the rate goes down to, for a factor of 0

    def __init__(self, optimizer: Optimizer) -> None:
        if not hasattr(optimizer, "lr"):
            raise TypeError(f"a schedule takes an optimizer, not {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.base_lr = optimizer.lr
        self.last_epoch = 0
        self._apply()

    def factor(self, epoch: int) -> float:
        """What the base rate is multiplied with in an epoch."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on to the next epoch."""
        self.last_epoch += 1
        self._apply()

    def get_last_lr(self) -> float:
        """The rate in force."""
        return self.optimizer.lr

    def _apply(self) -> None:
        self.optimizer.lr = self.eta_min + (self.base_lr - self.eta_min) * self.factor(self.last_epoch)

    def state_dict(self) -> dict[str, float]:
        """Where the schedule is, as plain numbers."""
        return {"base_lr": self.base_lr, "last_epoch": self.last_epoch}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore what `state_dict` gave. Anything else is a ValueError or TypeError, and changes nothing."""
        if not isinstance(state, Mapping) or not {"base_lr", "last_epoch"} <= state.keys():
            raise ValueError("a schedule's state has base_lr and last_epoch, as state_dict() returns them")
        base_lr, last_epoch = (required_number(state[name], name) for name in ("base_lr", "last_epoch"))
        self.base_lr, self.last_epoch = base_lr, int(last_epoch)
        self._apply()


def _at_least_one(number: float, what: str) -> None:
    if not required_number(number, what) >= 1:
        raise ValueError(f"{what} must be at least 1, not {number}")


class StepLR(Schedule):
    """The rate times ``gamma`` after each ``step_size`` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        _at_least_one(step_size, "step_size")
        self.step_size, self.gamma = step_size, required_number(gamma, "gamma")
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))


class LinearLR(Schedule):
    """From ``start_factor`` to ``end_factor`` times the rate in ``total_iters`` steps, then constant."""

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1.0 / 3.0, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        factors = required_number(start_factor, "start_factor"), required_number(end_factor, "end_factor")
        if not 0.0 < factors[0] <= 1.0 or not 0.0 <= factors[1] <= 1.0:
            raise ValueError("start_factor must be above 0, and both factors at most 1")
        _at_least_one(total_iters, "total_iters")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        done = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


class CosineAnnealingLR(Schedule):
    """From the rate down to ``eta_min`` along half a cosine in ``T_max`` epochs, and up again after that.
    Loshchilov and Hutter, SGDR (2017), equation 5, without restarts."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        _at_least_one(T_max, "T_max")
        self.T_max, self.eta_min = T_max, required_number(eta_min, "eta_min")
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * epoch / self.T_max))


__all__ = ["CosineAnnealingLR", "LinearLR", "Schedule", "StepLR"]
