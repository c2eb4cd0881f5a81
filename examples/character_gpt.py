"""A character GPT learns first names and makes up new ones.

One layer, 16 wide, 4 heads: about 4,000 scalars, each a Value. The names are those of the US census of 1990,
as the package `names` carries them.

    pip install names rich
    python examples/character_gpt.py [--steps 1500] [--samples 20]
"""

import argparse
import random
from importlib.resources import files

try:
    from rich.progress import track
except ModuleNotFoundError:
    raise SystemExit("this example shows its progress with the package rich: pip install rich") from None

import pygrad
from pygrad import Value, losses
from pygrad.optim import Adam
from pygrad.optim.lr_scheduler import LinearLR

WIDTH, HEADS, CONTEXT = 16, 4, 12


def census_names():
    """The first names, most frequent first, in small letters."""
    try:
        folder = files("names")
    except ModuleNotFoundError:
        raise SystemExit("this example reads the names of the package `names`: pip install names") from None
    lists = [(folder / f"dist.{kind}.first").read_text().splitlines() for kind in ("female", "male")]
    entries = [line.split() for lines in lists for line in lines]
    entries.sort(key=lambda entry: -float(entry[1]))
    return [name.lower() for name, *_ in entries[:1000] if len(name) < CONTEXT]


def matrix(outputs, inputs):
    return [[Value(random.gauss(0.0, 0.2)) for _ in range(inputs)] for _ in range(outputs)]


def linear(weights, x):
    return [pygrad.dot(row, x) for row in weights]


def normalize(x):
    """Divided by the root of the mean square."""
    scale = (pygrad.dot(x, x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


class GPT:
    def __init__(self, tokens):
        self.token, self.place = matrix(tokens, WIDTH), matrix(CONTEXT, WIDTH)
        self.query, self.key, self.value, self.mix = (matrix(WIDTH, WIDTH) for _ in range(4))
        self.expand, self.contract = matrix(4 * WIDTH, WIDTH), matrix(WIDTH, 4 * WIDTH)
        self.head = matrix(tokens, WIDTH)

    def parameters(self):
        return [p for weights in vars(self).values() for row in weights for p in row]

    def __call__(self, token, place, past):
        """The logits of the next token; `past` has the keys and values so far, and grows by one."""
        row = [pygrad.take(column, token) for column in zip(*self.token)]
        x = [t + p for t, p in zip(row, self.place[place])]
        x = [a + b for a, b in zip(x, self.attend(normalize(x), past))]
        hidden = [h.relu() for h in linear(self.expand, normalize(x))]
        x = [a + b for a, b in zip(x, linear(self.contract, hidden))]
        return linear(self.head, normalize(x))

    def attend(self, x, past):
        query = linear(self.query, x)
        past.append((linear(self.key, x), linear(self.value, x)))
        size, mixed = WIDTH // HEADS, []
        for low in range(0, WIDTH, size):
            part = slice(low, low + size)
            scores = [pygrad.dot(query[part], key[part]) / size**0.5 for key, _ in past]
            weights = pygrad.softmax(scores)
            mixed += [pygrad.dot(weights, [value[i] for _, value in past]) for i in range(low, low + size)]
        return linear(self.mix, mixed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--samples", type=int, default=20)
    options = parser.parse_args()

    random.seed(42)
    names = census_names()
    letters = sorted(set("".join(names)))
    end = len(letters)  # the token before and after a name
    model = GPT(end + 1)
    optimizer = Adam(model.parameters(), lr=0.01, betas=(0.9, 0.95))
    schedule = LinearLR(optimizer, start_factor=1.0, end_factor=0.05, total_iters=options.steps)
    print(f"{len(names)} names, {len(model.parameters())} parameters")

    @pygrad.compile  # names of one length share a program
    def loss_of(tokens, nexts):
        past = []
        logits = [model(token, place, past) for place, token in enumerate(tokens)]
        return losses.cross_entropy(logits, nexts)

    history = []
    for _ in track(range(options.steps), "training"):
        name = random.choice(names)
        tokens = [end, *map(letters.index, name), end]
        loss = loss_of(tokens[:-1], tokens[1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        history.append(loss.data)
    tenth = max(1, len(history) // 10)
    print(f"loss: {sum(history[:tenth]) / tenth:.3f} at first, {sum(history[-tenth:]) / tenth:.3f} in the end")

    for _ in range(options.samples):
        token, past, text = end, [], ""
        while len(text) < CONTEXT - 1:
            weights = [p.data for p in pygrad.softmax(model(token, len(text), past))]
            token = random.choices(range(end + 1), weights)[0]
            if token == end:
                break
            text += letters[token]
        print(text)


if __name__ == "__main__":
    main()
