"""A network learns to tell two interleaved half moons apart; its decision boundary is drawn to a file.

pip install matplotlib
python examples/two_moons.py [--steps 120] [--output two_moons.png]
"""

import argparse
import math
import random

import pygrad
from pygrad import losses
from pygrad.nn import MLP
from pygrad.optim import SGD
from pygrad.optim.lr_scheduler import LinearLR


def moons(count, noise=0.1):
    """Points of two half circles, and the labels -1 and 1."""
    points, labels = [], []
    for i in range(count):
        angle, label = math.pi * random.random(), 1 if i % 2 else -1
        x, y = math.cos(angle), math.sin(angle)
        if label == 1:
            x, y = 1.0 - x, 0.5 - y
        points.append((x + random.gauss(0.0, noise), y + random.gauss(0.0, noise)))
        labels.append(label)
    return points, labels


def draw(model, points, labels, path):
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise SystemExit("the picture is drawn by matplotlib: pip install matplotlib") from None

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    xs = [-1.6 + 0.1 * i for i in range(43)]
    ys = [-1.2 + 0.1 * i for i in range(30)]
    scores = [[model((x, y)).data for x in xs] for y in ys]
    plt.contourf(xs, ys, scores, levels=[-1e9, 0.0, 1e9], colors=["#9ecae1", "#fdae6b"])
    plt.scatter(*zip(*points), c=labels, cmap="coolwarm", edgecolors="black")
    plt.title("what the network takes for which moon")
    plt.savefig(path, dpi=120)
    print(f"wrote {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--output", default="two_moons.png")
    options = parser.parse_args()

    random.seed(1337)
    points, labels = moons(100)
    model = MLP(2, [16, 16, 1])
    optimizer = SGD(model.parameters(), lr=0.2, momentum=0.8, weight_decay=1e-4)
    schedule = LinearLR(optimizer, start_factor=1.0, end_factor=0.1, total_iters=options.steps)

    model.compile()  # recorded at its first call; a program in C from then on

    def loss_of(point, label):
        return losses.hinge(model(point), label)

    mean_loss = pygrad.vmap(loss_of, reduce="mean")  # of all points, in lanes
    for step in range(options.steps):
        loss = mean_loss(points, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0 or step == options.steps - 1:
            right = sum((model(point).data > 0) == (label > 0) for point, label in zip(points, labels))
            print(f"step {step:3}: loss {loss.data:.4f}, {right} of {len(points)} right")
    draw(model, points, labels, options.output)


if __name__ == "__main__":
    main()
