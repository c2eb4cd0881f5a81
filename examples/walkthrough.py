"""Two weights, one loss: the forward values, the gradients, and a hundred steps of gradient descent.

python examples/walkthrough.py
"""

import pygrad
from pygrad import Value, print_graph


@pygrad.compile  # with this line the loop below runs a program in C; without it, it does the same
def loss_of(w1, w2):
    return ((w1 - 1) ** 2 + (w2 - 5) ** 2) * 0.5


def main() -> None:
    w1, w2 = Value(2.0, label="w1"), Value(3.0, label="w2")
    loss = ((w1 - 1) ** 2 + (w2 - 5) ** 2) * 0.5
    loss.backward()
    print_graph(loss)
    print(f"loss = {loss.data}, d loss / d w1 = {w1.grad}, d loss / d w2 = {w2.grad}")

    for i in range(100):
        loss = loss_of(w1, w2)
        for w in (w1, w2):
            w.grad = 0.0
        loss.backward()
        for w in (w1, w2):
            w.data -= 0.1 * w.grad
        if i % 10 == 9:
            print(f"after {i + 1:3} iterations: loss = {loss.data:.6f}")
    print(f"w1 = {w1.data:.4f}, w2 = {w2.data:.4f}")


if __name__ == "__main__":
    main()
