"""``python -m pygrad``, as a user runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

import pygrad
from pygrad import walkthrough
from pygrad.__main__ import main


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "pygrad", *arguments], capture_output=True, text=True)


@pytest.fixture
def no_program(monkeypatch, tmp_path):
    """No `dot` on the path."""
    pytest.importorskip("graphviz")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


def test_walkthrough():
    got = run()
    assert got.returncode == 0, got.stderr
    lines = got.stdout.splitlines()
    assert "Iteration 0: loss = 2.5000" in lines
    assert "Iteration 99: loss = 0.0000" in lines
    assert "w1 = 1.0000, w2 = 4.9999" in got.stdout
    assert f"({pygrad.backend} backend)" in lines[-1]
    assert got.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")
def test_a_reader_that_has_seen_enough():
    command = [sys.executable, "-u", "-m", "pygrad"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


def test_version():
    got = run("--version")
    assert (got.returncode, got.stdout.strip()) == (0, f"pygrad {pygrad.__version__}")


def test_help_names_the_commands():
    got = run("--help")
    assert got.returncode == 0
    assert "draw" in got.stdout


def test_unknown_command():
    got = run("nonsense")
    assert got.returncode == 2
    assert "nonsense" in got.stderr


@pytest.mark.parametrize("suffix", [".dot", ".gv", ".DOT"])
def test_draw_text(tmp_path, suffix):
    pytest.importorskip("graphviz")
    path = tmp_path / f"graph{suffix}"
    got = run("draw", "--output", str(path))
    assert (got.returncode, got.stdout.strip()) == (0, f"wrote {path}")
    loss = walkthrough.expression(pygrad.Value).loss
    loss.backward()
    assert path.read_text(encoding="utf-8") == pygrad.draw_dot(loss).source


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_draw_picture(tmp_path, suffix, begins):
    pytest.importorskip("graphviz")
    if not shutil.which("dot"):
        pytest.skip("Graphviz's program is not installed")
    path = tmp_path / f"graph{suffix}"
    got = run("draw", "--output", str(path))
    assert got.returncode == 0, got.stderr
    assert path.read_bytes().startswith(begins)
    assert list(tmp_path.iterdir()) == [path]


def test_draw_without_the_program(no_program, tmp_path):
    path = tmp_path / "graph.svg"
    with pytest.raises(SystemExit) as exit:
        main(["draw", "--output", str(path)])
    message = str(exit.value.code)  # a message as the code: printed to stderr, status 1
    assert "install Graphviz" in message
    assert ".dot file" in message
    assert not path.exists()


def test_draw_text_without_the_program(no_program, tmp_path):
    main(["draw", "--output", str(tmp_path / "graph.dot")])
    assert (tmp_path / "graph.dot").exists()


def test_draw_writes_walkthrough_svg_by_default(no_program, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"can't write walkthrough\.svg"):
        main(["draw"])


def test_draw_without_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(SystemExit, match="pip install graphviz"):
        main(["draw", "--output", str(tmp_path / "graph.dot")])


@pytest.mark.parametrize("name", ["graph", "graph.nonsense", "missing/graph.dot"])
def test_draw_to_a_file_it_cannot_write(tmp_path, name):
    pytest.importorskip("graphviz")
    got = run("draw", "--output", str(tmp_path / name))
    assert got.returncode == 1
    assert "graph" in got.stderr
    assert "Traceback" not in got.stderr
