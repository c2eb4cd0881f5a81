"""The command line: ``python -m pygrad`` prints the walkthrough, ``... draw`` draws its graph,
``... bench`` compares the speed with that of others."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CalledProcessError

from pygrad import Value, __version__, bench, draw_dot, walkthrough


def draw(options: argparse.Namespace) -> None:
    """Write the walkthrough's graph, gradients included, to a file; its suffix is the format."""
    path: Path = options.output
    kind = path.suffix[1:].lower()
    if not kind:
        sys.exit(f"{path} has no suffix to tell the format by: name it {path}.svg, .png, .pdf or .dot")
    loss = walkthrough.expression(Value).loss
    loss.backward()
    as_text = kind in ("dot", "gv")
    try:
        dot = draw_dot(loss, format="svg" if as_text else kind)
        # The picture is piped, not rendered: `render` leaves the DOT text beside it.
        path.write_bytes(dot.source.encode() if as_text else dot.pipe())
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"can't write {path}: {error}")
    except CalledProcessError as error:
        sys.exit(f"can't write {path}: Graphviz's program `dot` failed: {error}")
    except RuntimeError:  # graphviz.ExecutableNotFound
        sys.exit(
            f"can't write {path}: Graphviz's program `dot` was not found; install Graphviz "
            "(https://graphviz.org/download), or ask for a .dot file, which needs no program: "
            "python -m pygrad draw --output walkthrough.dot"
        )
    print(f"wrote {path}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pygrad", description="Scalar autograd. Without a command: print the walkthrough."
    )
    parser.add_argument("--version", action="version", version=f"pygrad {__version__}")
    parser.set_defaults(command=lambda options: walkthrough.run())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    command = commands.add_parser("draw", help="draw the walkthrough's graph", description=draw.__doc__)
    command.add_argument(
        "--output",
        type=Path,
        default=Path("walkthrough.svg"),
        metavar="FILE",
        help="what to write: .svg, .png, .pdf, ..., or .dot for Graphviz's text (default: %(default)s)",
    )
    command.set_defaults(command=draw)

    command = commands.add_parser("bench", help="compare the speed", description=bench.main.__doc__)
    bench.add_arguments(command)

    options = parser.parse_args(arguments)
    try:
        options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # who read this has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
