"""Loss functions. Each takes predictions (Values) and targets (numbers) of equal length, or a single one of
each, and returns their mean as one Value. Targets may be Values, as the numbers are that a compiled function gets:
these are not checked."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

from pygrad.value import Value, functions


def _pairs(predictions: Any, targets: Any) -> list[tuple[Any, Any]]:
    if isinstance(predictions, Value):
        return [(predictions, targets)]
    predictions, targets = list(predictions), list(targets)
    if len(predictions) != len(targets):
        raise ValueError(f"{len(predictions)} predictions need as many targets, not {len(targets)}")
    if not predictions:
        raise ValueError("no loss of no predictions")
    return list(zip(predictions, targets))


def _mean(losses: Iterable[Value]) -> Value:
    losses = list(losses)
    return losses[0] if len(losses) == 1 else functions["mean"](losses)


def mse(predictions: Any, targets: Any) -> Value:
    """The mean of ``(prediction - target) ** 2``.

    >>> mse([Value(1.0), Value(2.0)], [0.0, 4.0])
    Value(data=2.5)
    """
    return _mean((prediction - target) ** 2 for prediction, target in _pairs(predictions, targets))


def hinge(scores: Any, labels: Any) -> Value:
    """The mean of ``max(0, 1 - label * score)``; labels are -1 and 1.

    >>> hinge([Value(0.5), Value(2.0)], [1, 1])
    Value(data=0.25)
    """
    pairs = _pairs(scores, labels)
    for _, label in pairs:
        if label not in (-1, 1) and not isinstance(label, Value):
            raise ValueError(f"labels must be -1 or 1, not {label!r}")
    return _mean((1.0 - label * score).relu() for score, label in pairs)


def cross_entropy(logits: Any, targets: Any) -> Value:
    """The mean of ``logsumexp(logits) - logits[target]``, in nats: minus the logarithm of the probability
    that softmax gives the target. One list of logits and the index of its class, or lists of both.

    >>> round(cross_entropy([Value(0.0), Value(0.0)], 1).data, 4)
    0.6931
    """
    if not isinstance(targets, Iterable):
        logits, targets = [logits], [targets]
    losses = []
    for row, target in _pairs(logits, targets):
        row = list(row)
        losses.append(functions["logsumexp"](row) - _taken(row, target))
    return _mean(losses)


def _taken(row: list[Any], target: Any) -> Any:
    """The logit of a class."""
    if isinstance(target, Value):
        return functions["take"](row, target)
    try:
        target = index(target)
    except TypeError:
        raise TypeError(f"targets are indices of classes, not {type(target).__name__}") from None
    if not 0 <= target < len(row):
        raise IndexError(f"class {target} is none of {len(row)}")
    return row[target]


def binary_cross_entropy(logits: Any, targets: Any) -> Value:
    """The mean of ``-target * log(p) - (1 - target) * log(1 - p)`` with p = sigmoid(logit), in nats; targets
    are from 0 to 1. Computed as ``softplus(logit) - target * logit``, which loses nothing for large logits.

    >>> binary_cross_entropy([Value(800.0)], [1.0])
    Value(data=0.0)
    """
    pairs = _pairs(logits, targets)
    for _, target in pairs:
        if not isinstance(target, Value) and not 0.0 <= target <= 1.0:
            raise ValueError(f"targets must be from 0 to 1, not {target!r}")
    return _mean(logit.softplus() - target * logit for logit, target in pairs)


__all__ = ["binary_cross_entropy", "cross_entropy", "hinge", "mse"]
