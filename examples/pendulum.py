"""The length of a pendulum, from noisy measurements of its angle.

The swing is integrated step by step in plain scalar Python, which neither knows nor cares that the length is
a Value: the gradient goes through 400 steps of the integrator.

    python examples/pendulum.py
"""

import math
import random

from pygrad import Value, losses
from pygrad.optim import Adam

GRAVITY = 9.81  # m / s^2
STEP = 0.01  # s
MEASURE_EVERY = 10  # steps


def sine(x):
    return x.sin() if isinstance(x, Value) else math.sin(x)


def swing(length, seconds, angle=1.0, speed=0.0):
    """The angle (radians) after each step; by the midpoint rule, theta'' = -g / l sin(theta)."""
    angles = []
    for _ in range(round(seconds / STEP)):
        middle_angle = angle + speed * (STEP / 2)
        middle_speed = speed - GRAVITY / length * sine(angle) * (STEP / 2)
        angle = angle + middle_speed * STEP
        speed = speed - GRAVITY / length * sine(middle_angle) * STEP
        angles.append(angle)
    return angles[::MEASURE_EVERY]


def main(true_length=1.35, seconds=4.0, noise=0.05) -> None:
    random.seed(1)
    measured = [angle + random.gauss(0.0, noise) for angle in swing(true_length, seconds)]

    length = Value(1.0)
    optimizer = Adam([length], lr=0.02)
    for iteration in range(150):
        loss = losses.mse(swing(length, seconds), measured)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if iteration % 30 == 0:
            print(f"iteration {iteration:3}: length {length.data:.4f} m, squared error {loss.data:.5f} rad^2")
    print(f"fitted length {length.data:.4f} m, true length {true_length} m")


if __name__ == "__main__":
    main()
