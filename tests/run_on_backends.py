"""Runs the tests once on each backend that the installed pygrad has, side by side.

``python tests/run_on_backends.py [--expect native,cffi] [--only native] [pytest's arguments]``; with ``--expect`` it
fails where other backends are there, with ``--only`` it runs on that one. Without a test's file among the arguments it
runs all. pytest starts in this folder, so no package beside the tests is imported.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
NAMES = ("native", "cffi")


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests once on each backend.")
    parser.add_argument("--expect", metavar="NAMES", help="the backends that must be there, and no others")
    parser.add_argument("--only", metavar="NAME", choices=NAMES, help="run the tests on this backend alone")
    options, arguments = parser.parse_known_args()
    os.environ.pop("PYGRAD_BACKEND", None)
    backends = [name for name in NAMES if importlib.util.find_spec(f"pygrad._{name}")]
    if options.expect and options.expect.split(",") != backends:
        print(f"pygrad has the backends {', '.join(backends) or 'none'}; expected: {options.expect}")
        return 1
    named = any((TESTS / argument.split("::")[0]).is_file() for argument in arguments)
    command = [sys.executable, "-m", "pytest", *([] if named else [str(TESTS)]), *arguments]
    runs = {}
    for backend in [options.only] if options.only else backends:
        # The first run's output is shown as it comes, a second one's after it.
        runs[backend] = subprocess.Popen(
            command,
            cwd=TESTS,
            env={**os.environ, "PYGRAD_BACKEND": backend},
            stdout=subprocess.PIPE if runs else None,
        )
    outcomes = {}
    for backend, run in runs.items():
        output, _ = run.communicate()
        sys.stdout.buffer.write(output or b"")
        sys.stdout.flush()
        outcomes[backend] = run.returncode
    print("backends tested:", ", ".join(f"{b}: {'FAILED' if s else 'passed'}" for b, s in outcomes.items()))
    return 1 if any(outcomes.values()) or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
