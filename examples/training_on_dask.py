"""A network learns to tell two half moons apart from points that lie on the workers of a Dask cluster.

The client has the model's parameters and the optimizer. Each worker gets, once, some of the points and the compiled
loss of one point, pickled with the model in it. In each step the client sends the parameters; the workers run the loss
over their points as a program in C, and send back its sum and the gradient, as many numbers as there are parameters;
the client adds these up and steps.

pip install distributed numpy
python examples/training_on_dask.py [--points 4000] [--steps 100] [--workers 2] [--scheduler tcp://host:8786]
"""

import argparse
import math
import random

import pygrad
from pygrad import nn
from pygrad.optim import Adam


def moons(count, noise=0.1):
    """Points of two half circles, and the labels -1 and 1."""
    points, labels = [], []
    for i in range(count):
        angle, side = math.pi * random.random(), 1.0 if i % 2 else -1.0
        x, y = math.cos(angle), math.sin(angle)
        if side == 1.0:
            x, y = 1.0 - x, 0.5 - y
        points.append([x + random.gauss(0.0, noise), y + random.gauss(0.0, noise)])
        labels.append(side)
    return points, labels


def loss_under(model):
    """The loss of one point: -log of the probability that the model gives to its label."""

    @pygrad.compile
    def loss(point, label):
        return pygrad.softplus(-label * model(point))

    return loss


class Shard:
    """Lives on a worker, as a Dask actor: some of the points, and the loss of one with the model in it."""

    def __init__(self, model_and_loss, points, labels):
        self.model, loss = model_and_loss  # in one, so that they still belong together when they are unpickled
        self.total = pygrad.vmap(loss, reduce="sum", threads=1)
        self.points, self.labels = points, labels

    def gradient(self, parameters):
        """The sum of the losses, and its gradient in the parameters."""
        self.model.load_state_dict(parameters)
        self.model.zero_grad()
        total = self.total(self.points, self.labels)
        total.backward()
        return total.data, pygrad.grads(self.model.parameters())


def train(client, model, points, labels, steps):
    workers = list(client.nthreads())
    parts = [slice(i, None, len(workers)) for i in range(len(workers))]
    futures = [
        client.submit(Shard, (model, loss_under(model)), points[part], labels[part], actor=True, workers=[worker])
        for worker, part in zip(workers, parts)
    ]
    shards = client.gather(futures)  # what stands for them here
    parameters = model.parameters()
    optimizer = Adam(parameters, lr=0.05)
    for step in range(steps):
        state = model.state_dict()
        replies = [shard.gradient(state) for shard in shards]  # all begin before the first is waited for
        losses, gradients = zip(*[reply.result() for reply in replies])
        for parameter, parts_of_it in zip(parameters, zip(*gradients)):
            parameter.grad = sum(parts_of_it) / len(points)
        optimizer.step()
        if step % 20 == 0 or step == steps - 1:
            print(f"step {step:3}: loss {sum(losses) / len(points):.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2, help="processes of the local cluster")
    parser.add_argument("--scheduler", help="the address of a cluster that runs; without it a local one is started")
    arguments = parser.parse_args()
    try:
        import numpy as np
        from distributed import Client
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error.name} is missing: pip install distributed numpy") from None

    random.seed(1)
    points, labels = map(np.array, moons(arguments.points))
    model = nn.MLP(2, [16, 16, 1], nonlin="tanh")
    local = {"n_workers": arguments.workers, "threads_per_worker": 1, "dashboard_address": ":0"}  # a LocalCluster
    with Client(arguments.scheduler) if arguments.scheduler else Client(**local) as client:
        print(f"{len(points)} points on {len(client.nthreads())} workers, {len(model.parameters())} parameters")
        train(client, model, points, labels, arguments.steps)

    right = (pygrad.vmap(model)(points) > 0) == (labels > 0)
    print(f"{right.sum()} of {len(points)} right")


if __name__ == "__main__":
    main()
