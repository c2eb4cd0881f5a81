"""Floors, not circles: what a module or a C file uses stands on a floor before its own."""

import ast
import re
from pathlib import Path

import pytest

import pygrad

PACKAGE = Path(pygrad.__file__).resolve().parent
CSRC = Path(__file__).resolve().parent.parent / "csrc"

#: The modules of pygrad, from the bottom up. One of a floor imports those of the floors before it. A package
#: stands for all its modules that are not named themselves; these may import each other, but not in circles.
MODULES = """
_version _native _cffi reference _nested
_backends.docs
_backends.interface
_backends.native _backends.cffi
_backends
_backends.programs
_backends.rows
value
engine copying tracing export _structure _places
graph recorded transform
compiled derivatives
nn losses functional
batches optim arrays draw
pygrad
walkthrough
bench
__main__
"""
#: The files of csrc, likewise: a name without ending stands for a file and its header.
FILES = """
pygrad compiler lock thread opmath words
ops bits lanemath
slots program.h
arena graph
emit run lanes.h
forward derive lanes_kernel
schedule lanes.c lanes_avx2
compile batch
record pass optim freeze
call
api
check
cpython/guard
cpython/object
cpython/module.h
cpython/operators cpython/backward cpython/inspect cpython/optim cpython/program
cpython/value
cpython/module
"""


def read_floors(text):
    return {name: i for i, line in enumerate(text.strip().splitlines()) for name in line.split()}


MODULE_FLOORS = read_floors(MODULES)
FILE_FLOORS = read_floors(FILES)


# -- Python -------------------------------------------------------------------------------------------


def module_name(path):
    """`_backends.cffi.arena`; the package itself is `pygrad`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "pygrad"


SOURCES = {module_name(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module):
    while module not in MODULE_FLOORS and "." in module:
        module = module.rpartition(".")[0]
    return module


def imported(tree, module):
    """The modules of pygrad that a source imports when it runs, wherever in it."""
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                for inner in ast.walk(statement):
                    nodes.remove(inner)
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            if top != "pygrad":
                continue
            while rest and rest not in SOURCES and rest not in ("_native", "_cffi"):
                rest = rest.rpartition(".")[0]  # a name in the module
            yield rest or "pygrad"


def wrong_imports(sources):
    """Each import of a higher floor or, between rooms, of the same one, as a sentence."""
    for module, source in sources.items():
        room = room_of(module)
        assert room in MODULE_FLOORS, f"say in MODULES on which floor pygrad.{module} stands"
        for other in imported(ast.parse(source), module):
            if room_of(other) != room and MODULE_FLOORS[room_of(other)] >= MODULE_FLOORS[room]:
                yield f"pygrad.{module} imports pygrad.{other}"
            if other in ("_native", "_cffi") and not module.startswith("_backends"):
                yield f"pygrad.{module} calls C"


def circle(graph):
    """Names of a graph {name: names} that depend on each other in a circle; empty where there is none."""
    left = {name: set(others) & graph.keys() - {name} for name, others in graph.items()}
    while True:
        done = [name for name, others in left.items() if not others & left.keys()]
        if not done:
            return sorted(left)
        for name in done:
            del left[name]


def test_modules_import_from_floors_below():
    assert list(wrong_imports(SOURCES)) == []


def test_modules_import_in_no_circle():
    assert circle({module: imported(ast.parse(source), module) for module, source in SOURCES.items()}) == []


def test_a_wrong_import_is_found():
    wrong = "def f():\n    from pygrad.nn import Module\n"
    assert list(wrong_imports({"_backends.interface": wrong})) == ["pygrad._backends.interface imports pygrad.nn"]
    wrong = "from pygrad import _native\n"
    assert list(wrong_imports({"losses": wrong})) == ["pygrad.losses calls C"]
    assert list(wrong_imports({"value": "import pygrad\n"})) == ["pygrad.value imports pygrad.pygrad"]
    assert circle({"a": ["b"], "b": ["c"], "c": ["b"], "d": []}) == ["a", "b", "c"]


# -- C ------------------------------------------------------------------------------------------------

needs_csrc = pytest.mark.skipif(not CSRC.is_dir(), reason="csrc/ is not beside the tests")


def c_sources():
    return {
        path.relative_to(CSRC).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(CSRC.rglob("*"))
        if path.suffix in (".c", ".h", ".def")
    }


def stem(name):
    return name.rpartition(".")[0]


def without_comments(text):
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', lambda m: " " if m[0][0] == "/" else m[0], text, flags=re.S)


def defined(text):
    """The functions that a file has the bodies of."""
    text = without_comments(text)
    plain = re.findall(r"^\w[^;{}()#]*?\b(\w+)\([^;{}]*\)\s*\{", text, flags=re.M)
    return {*plain, *re.findall(r"\bPY_ENTRY\([^,]+,\s*(\w+)", text)}


def without_prototypes(code):
    return re.sub(r"^\w[^;{}()#=]*\([^;{}]*\);", "", code, flags=re.M)


def floor_of(name):
    floor = FILE_FLOORS.get(name, FILE_FLOORS.get(stem(name)))
    assert floor is not None, f"say in FILES on which floor csrc/{name} stands"
    return floor


def wrong_uses(files):
    """Each include of another file, and each use of its functions, that goes up or across, as a sentence."""
    home = {
        function: name
        for name, text in files.items()
        for function in defined(text)
        if function.startswith(("pg", "py_"))
    }
    for name, text in files.items():
        code = without_prototypes(without_comments(text))
        uses = {include: include for include in re.findall(r'#include "([^"]+)"', code)}
        for include in list(uses):  # beside the file, or from csrc
            beside = f"{name.rpartition('/')[0]}/{include}".lstrip("/")
            uses[include] = beside if beside in files else include
        uses.update((word, home[word]) for word in set(re.findall(r"\w+", code)) & home.keys())
        for used, other in sorted(uses.items()):
            if stem(other) != stem(name) and floor_of(other) >= floor_of(name):
                yield f"{name} uses {used}" + (f" of {other}" if used != other else "")
        floor_of(name)
        if "Python.h" in code and not name.startswith("cpython/"):
            yield f"{name} knows Python"


@needs_csrc
def test_c_files_use_what_stands_below():
    assert list(wrong_uses(c_sources())) == []


@needs_csrc
def test_a_wrong_include_is_found():
    files = c_sources()
    assert "pgi_backward" in defined(files["pass.c"]) and "pgi_slots_take" in defined(files["slots.h"])
    files["arena.c"] += '#include "pass.h"\nstatic void f(pg_pass *pass) { pgi_end_pass(pass); }\n'
    files["slots.h"] = '#include "arena.h"\n' + files["slots.h"]
    files["bits.h"] += "#include <Python.h>\n"
    assert list(wrong_uses(files)) == [
        "arena.c uses pass.h",
        "arena.c uses pgi_end_pass of pass.c",
        "bits.h knows Python",
        "slots.h uses arena.h",
    ]
