"""The programs that are timed, written as people write them for any class with the operators of Value."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from time import perf_counter
from typing import Any, Callable, NamedTuple


class Result(NamedTuple):
    """One round of one contender: seconds (or what else is counted) for each measure, or why there are none, and what
    was computed."""

    amounts: dict[str, Any]
    values: list[float]
    note: str = ""  # how much was done, where not all do the same: shown behind the measure


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    start = perf_counter()
    result = action()
    return perf_counter() - start, result


def flat(result: tuple[Any, Iterable[Any]]) -> list[float]:
    """A value and its derivatives."""
    value, slopes = result
    return [float(value), *map(float, slopes)]


WIDTH = 32


def leaves(kind: Callable[[float], Any]) -> list[Any]:
    """What `rows` starts from: the weights, the inputs, and a zero to add to."""
    ws = [kind(0.5 + i / WIDTH) for i in range(WIDTH)]
    xs = [kind(1.0 - i / WIDTH) for i in range(WIDTH)]
    return [*ws, *xs, kind(0.0)]


def add_rows(leaves: list[Any], operations: int) -> Any:
    """Rows of products, ``total + w * x``: half the operations are products."""
    ws, xs, total = leaves[:WIDTH], leaves[WIDTH : 2 * WIDTH], leaves[-1]
    for _ in range(operations // (2 * WIDTH)):
        for w, x in zip(ws, xs):
            total = total + w * x
    return total


def rows(kind: Callable[[float], Any], operations: int) -> tuple[Any, list[Any]]:
    """Rows of products over leaves of their own: the total and the weights."""
    start = leaves(kind)
    return add_rows(start, operations), start[:WIDTH]


def recorded(kind: Callable[[float], Any], operations: int, repeats: int = 1) -> Result:
    """Seconds to record and to reverse an operation of `rows`; its total and the weights' grads."""
    times = {"record": 0.0} if kind is float else {"record": 0.0, "reverse": 0.0}
    root: Any = None
    for _ in range(repeats):
        del root  # or two graphs would be alive while the next is recorded
        seconds, (root, weights) = timed(lambda: rows(kind, operations))
        times["record"] += seconds
        if kind is not float:
            times["reverse"] += timed(root.backward)[0]
    done = repeats * (operations - operations % (2 * WIDTH))  # whole rows
    values = [root] if kind is float else [root.data, *(w.grad for w in weights)]
    return Result({name: seconds / done for name, seconds in times.items()}, [float(value) for value in values])


def chain(kind: Callable[[float], Any], depth: int) -> tuple[Any, Any]:
    """``depth`` operations one on top of the other: the end, and the leaf at the bottom."""
    x = end = kind(0.5)
    for _ in range(depth // 2):
        end = end * 0.999 + x
    return end, x


def moons(points: int = 100, noise: float = 0.1) -> tuple[list[tuple[float, float]], list[int]]:
    """Two interleaved half circles with some noise; labels are -1 and 1."""
    draw = random.Random(1337)
    xs = []
    for i in range(points):
        angle = math.pi * draw.random()
        x, y = math.cos(angle), math.sin(angle)
        if i % 2:
            x, y = 1.0 - x, 0.5 - y
        xs.append((x + draw.gauss(0.0, noise), y + draw.gauss(0.0, noise)))
    return xs, [1 if i % 2 else -1 for i in range(points)]


class Network:
    """2-16-16-1 with ReLU, neuron by neuron; trained on the hinge loss with weight decay."""

    def __init__(self, kind: Callable[[float], Any]) -> None:
        draw = random.Random(42)
        self.layers = [
            [([kind(draw.uniform(-1.0, 1.0)) for _ in range(inputs)], kind(0.0)) for _ in range(outputs)]
            for inputs, outputs in ((2, 16), (16, 16), (16, 1))
        ]
        self.parameters = [p for layer in self.layers for weights, bias in layer for p in (*weights, bias)]
        self.inputs, self.labels = moons()

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            sums = [sum((w * xi for w, xi in zip(weights, x)), bias) for weights, bias in layer]
            x = sums if layer is self.layers[-1] else [s.relu() for s in sums]
        return x[0]

    def point_loss(self, x: Any, label: Any) -> Any:
        return (1 - label * self(x)).relu()

    def decay(self) -> Any:
        squares = [p * p for p in self.parameters]
        return 1e-4 * sum(squares[1:], squares[0])

    def loss(self) -> Any:
        """Of all the points."""
        losses = [self.point_loss(x, label) for x, label in zip(self.inputs, self.labels)]
        return sum(losses[1:], losses[0]) * (1.0 / len(losses)) + self.decay()

    def update(self, learning_rate: float = 0.05) -> None:
        for p in self.parameters:
            p.data -= learning_rate * p.grad
            p.grad = 0.0

    def step(self) -> float:
        """One step of gradient descent; the loss before it."""
        loss = self.loss()
        loss.backward()
        self.update()
        return float(loss.data)


def model_step(model: Any) -> Result:
    """The next step of training."""
    seconds, loss = timed(model.step)
    return Result({"step": seconds}, [loss])


_NAMES = (
    "robert joseph thomas daniel george edward andrew joshua steven ashley justin nathan samuel amanda jordan carmen "
    "sharon pamela ronald martha gloria teresa sophia olivia albert walter dennis jerome harold philip"
)
NAMES = _NAMES.split()  # all of six letters, so that each step is as long as the next


class GPT:
    """One layer, 16 wide, 4 heads, context of 16: about 4,000 parameters. Adam is a loop in Python. (No largest number
    is taken off before an exponential: that would be a branch on data.)"""

    width, heads, context = 16, 4, 16

    def __init__(self, kind: Callable[[float], Any]) -> None:
        draw = random.Random(42)
        self.letters = sorted(set("".join(NAMES)))
        self.end = len(self.letters)  # the token before and after a name
        self.parameters: list[Any] = []

        def matrix(outputs: int, inputs: int) -> list[list[Any]]:
            made = [[kind(draw.gauss(0.0, 0.08)) for _ in range(inputs)] for _ in range(outputs)]
            self.parameters += [p for row in made for p in row]
            return made

        width, tokens = self.width, len(self.letters) + 1
        self.embedding, self.position = matrix(tokens, width), matrix(self.context, width)
        self.query, self.key, self.value, self.mix = (matrix(width, width) for _ in range(4))
        self.expand, self.contract = matrix(4 * width, width), matrix(width, 4 * width)
        self.head = matrix(tokens, width)
        self.first, self.second = [0.0] * len(self.parameters), [0.0] * len(self.parameters)
        self.steps = 0

    def chosen(self, items: list[Any], token: Any) -> Any:
        return items[token]

    def logits(self, token: Any, place: int, past: list[tuple[list[Any], list[Any]]]) -> list[Any]:
        """The next token's logits; ``past`` holds the key and the value of each place before, and grows by one."""
        x = _normalize([t + p for t, p in zip(self.chosen(self.embedding, token), self.position[place])])
        query = _linear(self.query, x)
        past.append((_linear(self.key, x), _linear(self.value, x)))
        size = self.width // self.heads
        mixed = []
        for low in range(0, self.width, size):
            part = slice(low, low + size)
            weights = _softmax([_product(query[part], key[part]) * size**-0.5 for key, _ in past])
            mixed += [_product(weights, [value[i] for _, value in past]) for i in range(low, low + size)]
        x = [a + b for a, b in zip(x, _linear(self.mix, mixed))]
        hidden = [h.relu() for h in _linear(self.expand, _normalize(x))]
        return _linear(self.head, [a + b for a, b in zip(x, _linear(self.contract, hidden))])

    def tokens(self, name: str) -> list[int]:
        return [self.end, *(self.letters.index(letter) for letter in name), self.end]

    def loss(self, tokens: list[Any]) -> Any:
        past: list[Any] = []
        losses = []
        for place, (token, following) in enumerate(zip(tokens, tokens[1:])):
            losses.append(-self.chosen(_softmax(self.logits(token, place, past)), following).log())
        return sum(losses[1:], losses[0]) * (1.0 / len(losses))

    def step(self) -> float:
        """One step of training, on one name; the loss before it."""
        loss = self.loss(self.tokens(NAMES[self.steps % len(NAMES)]))
        self.steps += 1
        loss.backward()
        self.update()
        return float(loss.data)

    def update(self, rate: float = 0.01, beta1: float = 0.9, beta2: float = 0.95, eps: float = 1e-8) -> None:
        first, second = self.first, self.second
        scale1, scale2 = 1.0 - beta1**self.steps, 1.0 - beta2**self.steps
        for i, p in enumerate(self.parameters):
            grad = p.grad
            first[i] = beta1 * first[i] + (1.0 - beta1) * grad
            second[i] = beta2 * second[i] + (1.0 - beta2) * grad * grad
            p.data -= rate * (first[i] / scale1) / ((second[i] / scale2) ** 0.5 + eps)
            p.grad = 0.0


def _product(xs: Any, ys: Any) -> Any:
    return sum(x * y for x, y in zip(xs, ys))


def _linear(matrix: list[list[Any]], x: list[Any]) -> list[Any]:
    return [_product(row, x) for row in matrix]


def _normalize(x: list[Any]) -> list[Any]:
    scale = (_product(x, x) * (1.0 / len(x)) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def _softmax(xs: list[Any]) -> list[Any]:
    exps = [x.exp() for x in xs]
    total = sum(exps)
    return [e / total for e in exps]
