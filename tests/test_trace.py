"""What a function that is recorded may not do, and that nothing of the recording stays behind."""

from __future__ import annotations

import copy
import io
import math
import pickle
import pprint
import re
import sys
import threading

import pytest
from conftest import NEEDS_THREADS

import pygrad
from pygrad import Graph, TraceError, Value, nn, optim, tracing
from pygrad._backends import core, programs

DOORS = [(Value, name) for name in ("data", "grad", "__setattr__", "__delattr__", "backward", "_step")]
DOORS += [(core, name) for name in ("sgd", "adam", "zero_grads")] + [(programs, "scatter")]


def doors():
    return [vars(owner)[name] for owner, name in DOORS]


@pytest.fixture(autouse=True)
def same_doors():
    """Each test leaves the doors as they were: the same objects in the same places."""
    before = doors()
    yield
    assert all(a is b for a, b in zip(doors(), before))
    assert not tracing.traces and not tracing._originals and not tracing.is_tracing()


def refused(action, pattern):
    """That an action on an input, on a parameter and on results of both is refused, with this line, and that the
    function works once it does without."""
    w = Value(2.0)
    kinds = [lambda x: x, lambda x: w, lambda x: x * 2, lambda x: w.exp(), lambda x: x + w, lambda x: (x * 0).relu()]
    for kind in kinds:
        careless = [True]

        def f(x, kind=kind, careless=careless):
            if careless:
                action(kind(x))
            return x * w

        compiled = pygrad.compile(lambda x, f=f: f(x))
        for _ in range(2):
            with pytest.raises(TraceError, match=pattern):
                compiled(3.0)
            assert (w.data, w.grad) == (2.0, 0.0)
        careless.clear()
        assert compiled(3.0).data == 6.0


READS = {
    "data": lambda v: v.data,
    "grad": lambda v: v.grad,
    "repr": repr,
    "str": str,
    "f-string": lambda v: f"{v}",
    "format": lambda v: f"{v:.3f}",
    "percent": lambda v: "%s" % v,  # noqa: UP031
    "print": lambda v: print(v, file=io.StringIO()),
    "print a list": lambda v: print([v], file=io.StringIO()),
    "pprint": lambda v: pprint.pformat({"a": [v]}),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy of a list": lambda v: copy.deepcopy([v]),
    "pickle": pickle.dumps,
    "getattr": lambda v: getattr(v, "data"),  # noqa: B009
    "the class's descriptor": lambda v: Value.data.__get__(v),
    "print_graph": lambda v: pygrad.print_graph(v),
    "a graph's inputs": lambda v: Graph(v),
}


@pytest.mark.parametrize("name", READS)
def test_numbers_do_not_leave(name, no_leak):
    place = f"^{re.escape(__file__)}, line [0-9]+: the (data|grad) of a Value that depends on the function's inputs"
    refused(READS[name], place)


def test_numbers_do_not_leave_by_numpy(no_leak):
    np = pytest.importorskip("numpy")
    pattern = f"^{re.escape(__file__)}, line "
    for read in (pygrad.data, pygrad.grads, lambda v: pygrad.data([v, 1.0]), lambda v: str(np.array([v]))):
        refused(read, pattern)


def test_numbers_do_not_leave_by_drawing(no_leak):
    pytest.importorskip("graphviz")
    refused(pygrad.draw_dot, "^.*test_trace.py, line ")


CHANGES = {
    "data of a Value is assigned": lambda v: setattr(v, "data", 1.0),
    "grad of a Value is assigned": lambda v: setattr(v, "grad", 1.0),
    "_backward of a Value is assigned": lambda v: setattr(v, "_backward", print),
    r"backward\(\) is called": lambda v: v.backward(),
    r"_step\(\) is called": lambda v: v._backward(),
    r"model's step\(\) is called": lambda v: optim.SGD([v], lr=0.1).step(),
    r"an optimizer's or model's step\(\) is called": lambda v: optim.Adam([v]).step(),
    r"zero_grad\(\) is called": lambda v: optim.SGD([v], lr=0.1).zero_grad(),
    r"model's zero_grad\(\) is called": lambda v: nn.MLP(1, [1]).zero_grad(),
}


@pytest.mark.parametrize("message", CHANGES)
def test_nodes_do_not_change(message, no_leak):
    refused(
        CHANGES[message], f"^{re.escape(__file__)}, line [0-9]+: .*{message} in a compiled function: .*first run alone"
    )


def test_a_gradient_within_is_refused_and_changes_no_grad(no_leak):
    w = Value(3.0)
    w.grad = 7.0
    for transform in (pygrad.grad, pygrad.value_and_grad, pygrad.jacobian):
        for g in (lambda y: y * w, lambda y: y * y, pygrad.compile(lambda y: y * w)):
            for of in (lambda x: 2.0, lambda x: x):
                with pytest.raises(
                    TraceError, match=r"line \d+: a derivative is asked for in a compiled function: take"
                ):
                    pygrad.compile(lambda x, g=g, transform=transform, of=of: x * transform(g)(of(x)))(1.0)
            with pytest.raises(TraceError, match=r"take it of the compiled function"):
                pygrad.compile(transform(g))(2.0)
            assert w.grad == 7.0


def test_graphs_within(no_leak, tmp_path):
    path = tmp_path / "graph"
    w = Value(3.0)
    w.grad = 7.0
    graph, f = Graph(w * w), pygrad.compile(lambda x: x * w)
    for action in (graph.backward, graph.forward, lambda: f.graph(2.0), lambda graph=graph: graph.save(path)):
        with pytest.raises(TraceError):
            pygrad.compile(lambda x, action=action: (action(), x)[1])(1.0)
        assert (w.data, w.grad) == (3.0, 7.0)
    assert not path.exists()
    del graph, action


def custom_with_gradients(x):
    return Value(3.0, (x,), (1.0,))


def custom_with_a_symbol(x):
    return Value(3.0, (x,), "mine") * 2


def custom_with_a_closure(x):
    out = Value(3.0, (x,), "mine")
    out._backward = lambda: None
    return out


@pytest.mark.parametrize("f", [custom_with_gradients, custom_with_a_symbol, custom_with_a_closure])
def test_custom_operations(f, no_leak):
    compiled = pygrad.compile(f)
    for _ in range(2):
        with pytest.raises(TraceError, match=f"^{re.escape(__file__)}, line [0-9]+: "):
            compiled(1.0)
    old = custom_with_gradients(Value(2.0))  # made before: a parameter like others
    assert pygrad.compile(lambda x: old * x)(2.0).data == 6.0


def test_the_line_is_that_of_the_user(tmp_path, monkeypatch):
    """Also in a file beside the package whose name begins as the package's does."""
    f = pygrad.compile(lambda x: x.data)
    with pytest.raises(TraceError) as caught:
        f(1.0)
    line = f.function.__code__.co_firstlineno
    assert str(caught.value).startswith(f"{__file__}, line {line}: the data of a Value")
    for advice in ("maximum", "where", "softmax", "take", "pygrad.constant(x)"):
        assert advice in str(caught.value)
    path = tmp_path / "mine.py"
    path.write_text("import copy\ndef f(x):\n    y = x * 2\n    return copy.deepcopy([y])\n")
    scope = {}
    name = tracing._PACKAGE.rstrip("/\\") + "_mine.py"
    exec(compile(path.read_text(), name, "exec"), scope)
    with pytest.raises(TraceError, match=f"^{re.escape(name)}, line 4: "):
        pygrad.compile(scope["f"])(1.0)


def test_a_trace_error_is_a_runtime_error():
    assert issubclass(TraceError, RuntimeError) and TraceError is pygrad.TraceError


# -- what is allowed -----------------------------------------------------------------------------------------


def test_constants_may_be_read(no_leak):
    def f(x):
        k = (Value(3.0) * 2).tanh()
        assert k.data == math.tanh(6.0) and k.grad == 0.0 and f"{k:.1f}" == "1.0" and repr(k).startswith("Value")
        assert copy.deepcopy(k).data == pickle.loads(pickle.dumps(k)).data == k.data
        n = int(Value(2.0).data)
        return x * n * k.data

    compiled = pygrad.compile(f)
    for number in (1.0, 2.0):
        assert compiled(number).data == number * 2 * math.tanh(6.0)


def test_constant_gives_the_number_for_good(no_leak):
    w = Value(2.0)

    def f(x):
        k = pygrad.constant(x) + pygrad.constant([w, (x * w, 5)])[1][0]
        assert type(k) is float
        return x * k

    compiled = pygrad.compile(f)
    assert compiled(3.0).data == 3.0 * 9.0
    assert compiled(4.0).data == 4.0 * 9.0
    with pytest.raises(TraceError):  # the doors are closed again
        pygrad.compile(lambda x: pygrad.constant(x) + x.data)(1.0)
    assert pygrad.constant({"a": [w, 1.0, None]}) == {"a": [2.0, 1.0, None]}


def test_what_tells_no_number(no_leak):
    def f(x):
        y = x * 2
        assert y._op == "*" and x in y._prev and y == y and bool(y) and y in {y}
        y.label = "twice"
        y.note = [1]
        assert (y.label, y.note) == ("twice", [1])
        y.note = 2
        del y.note
        y.an_attribute_that_no_test_has_set_before = 3
        with pytest.raises(AttributeError):
            y.nothing
        return y

    assert pygrad.compile(f)(2.0).data == 4.0


def test_errors_within_are_the_usual_ones(no_leak):
    for f in (float, int, math.exp, lambda x: x > 0, lambda x: x["a"], len, lambda x: range(x), round):
        with pytest.raises(TypeError) as eager:
            f(Value(1.0))
        with pytest.raises(TypeError) as compiled:
            pygrad.compile(lambda x, f=f: f(x))(1.0)
        assert str(compiled.value) == str(eager.value)

    def deletes(x):
        del x.data

    with pytest.raises(AttributeError, match=r"^data can't be deleted$"):
        pygrad.compile(deletes)(1.0)


def test_operations_in_place_of_branches(no_leak):
    f = pygrad.compile(lambda x, y: pygrad.where(pygrad.greater(x, y), x * x, pygrad.take([x, y, x + y], x)))
    for x, y in ((3.0, 1.0), (0.0, 1.0), (1.0, 5.0), (2.0, 7.0)):
        expected = x * x if x > y else [x, y, x + y][int(x)]
        if x == int(x) and 0 <= x <= 2:
            assert f(x, y).data == expected
    with pytest.raises(IndexError):
        f(3.0, 1.0)  # both sides are computed, as in the eager run


# -- nothing stays behind ---------------------------------------------------------------------------------------


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, Interrupted, MemoryError])
def test_after_any_exception(error, no_leak):
    def f(x):
        raise error

    for _ in range(3):
        with pytest.raises(error):
            pygrad.compile(f)(1.0)
        assert not tracing.is_tracing()
    v = Value(2.0)
    v.data, v.grad = 3.0, 4.0
    assert (v.data, v.grad, repr(v)) == (3.0, 4.0, "Value(data=3.0)")


def test_after_what_cannot_be_returned_or_frozen(no_leak):
    for f in (lambda x: {x * 2}, custom_with_gradients, lambda x: iter([x])):
        with pytest.raises((TypeError, TraceError)):
            pygrad.compile(f)(1.0)


def test_more_traces_than_an_era_has_room_for(no_leak):
    w = Value(2.0)
    for i in range(600):
        assert pygrad.compile(lambda x, i=i: x * w + i)(3.0).data == 6.0 + i
        if i % 50 == 0:
            with pytest.raises(TraceError):
                pygrad.compile(lambda x: w.data)(1.0)


def test_a_number_read_by_a_trace_within_a_trace(no_leak):
    inner = pygrad.compile(lambda x: x * x)
    w = Value(2.0)

    def f(x):
        y = inner(x) + inner(w)
        with tracing.tracing(), pytest.raises(TraceError):
            y.data
        y.data
        return y

    with pytest.raises(TraceError):
        pygrad.compile(f)(1.0)
    assert inner.cache_info().misses == 0


@NEEDS_THREADS
def test_other_threads_beside_a_trace(no_leak):
    """All that is closed to the thread that records is open to the others, and works as ever."""

    class Part(Value):
        def __init__(self, data):
            super().__init__(data)
            self.mine = 1

    errors = []

    def use():
        try:
            v, p = Value(1.0), Part(2.0)
            v.data, v.grad, p.data = 5, 2.0, 3.0
            v.label, v.other, v.an_attribute_of_this_thread_alone = "v", [1], 1
            p.more = 2
            del v.other
            with pytest.raises(AttributeError, match=r"^data can't be deleted$"):
                del v.data
            with pytest.raises(TypeError, match=r"^data must be a real number, not str$"):
                v.data = "text"
            with pytest.raises(TypeError, match=r"^grad must be a real number, not list$"):
                v.grad = []
            with pytest.raises(TypeError, match=r"^_backward must be callable, not int$"):
                v._backward = 3
            with pytest.raises(OverflowError):
                v.data = 10**400
            assert (v.data, v.grad, p.data, v.label, p.mine, p.more) == (5.0, 2.0, 3.0, "v", 1, 2)
            y = v * p
            y._backward = y._step
            y.backward()
            assert (v.grad, p.grad, repr(y), f"{y:.1f}") == (5.0, 5.0, "Value(data=15.0)", "15.0")
            assert copy.copy(v).data == pickle.loads(pickle.dumps(v)).data == 5.0
            optimizer = optim.SGD([v], lr=1.0)
            optimizer.step()
            optimizer.zero_grad()
            assert (v.data, v.grad) == (0.0, 0.0)
            assert pygrad.grad(lambda x: x * x)(3.0) == 6.0 and pygrad.compile(lambda x: x * p)(2.0).data == 6.0
            graph = Graph(p * p)
            assert graph.forward() == 9.0
            graph.backward()
            assert p.grad == 11.0
        except BaseException as error:
            errors.append(error)

    def f(x):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
        assert tracing.is_tracing()
        with pytest.raises(TraceError):
            x.data
        return x * 2

    assert pygrad.compile(f)(1.0).data == 2.0
    assert not errors, errors


@NEEDS_THREADS
def test_traces_that_overlap(no_leak):
    """The doors open when the last of them ends, in whatever order."""
    first, second = threading.Event(), threading.Event()
    seen, results = [], []

    def outer(x):
        first.set()
        second.wait(60)
        with pytest.raises(TraceError):
            x.data
        seen.append("outer")
        return x * 2

    def inner(x):
        with pytest.raises(TraceError):
            x.grad
        return x * 3

    thread = threading.Thread(target=lambda: results.append(pygrad.compile(outer)(1.0).data))
    thread.start()
    first.wait(60)
    assert pygrad.compile(inner)(1.0).data == 3.0
    v = Value(4.0)
    v.data = 5.0
    assert v.data == 5.0 and not tracing.is_tracing()
    second.set()
    thread.join(60)
    assert seen == ["outer"] and results == [2.0]


def test_the_doors_that_a_subclass_has(no_leak):
    """A subclass with an attribute method of its own reaches the guards, and the originals again afterwards."""
    log = []

    class Watched(Value):
        def __setattr__(self, name, value):
            log.append(name)
            super().__setattr__(name, value)

    w = Watched(2.0)
    with pytest.raises(TraceError, match="data of a Value is assigned"):
        pygrad.compile(lambda x: setattr(w, "data", 1.0))(1.0)
    w.data = 3.0
    w.note = "x"
    assert w.data == 3.0 and log[-3:] == ["data", "data", "note"]
    assert pygrad.compile(lambda x: w * x)(2.0).data == 6.0


def test_a_debugger_may_look(no_leak):
    """A trace function that formats everything it sees meets errors, and doesn't let numbers out."""
    met = []

    def look(frame, event, argument):
        for value in list(frame.f_locals.values()):
            if isinstance(value, Value) and tracing.is_tracing() and frame.f_code.co_name == "f":
                try:
                    met.append(repr(value))
                except TraceError:
                    met.append(None)
        return look

    def f(x):
        y = x * 2
        return y

    before = sys.gettrace()
    sys.settrace(look)
    try:
        compiled = pygrad.compile(f)
        compiled(1.0)
    finally:
        sys.settrace(before)
    assert met and not any(met)
    assert compiled(2.0).data == 4.0


def test_a_finalizer_that_compiles_while_the_doors_close_and_open(no_leak, monkeypatch):
    """A collection may come anywhere, and what it finalizes may record a function of its own."""
    done = []

    def f(x):
        with pytest.raises(TraceError):
            x.data
        return x * 2

    era = 255
    while era > 250:  # a trace within another needs one that is left before they are counted anew
        with tracing.tracing() as era:
            pass
    for name in ("_close", "_open"):
        original = getattr(tracing, name)

        def with_a_finalizer(original=original, name=name):
            if name not in done:
                done.append(name)
                assert pygrad.compile(lambda x: x * 3)(2.0).data == 6.0
            original()

        monkeypatch.setattr(tracing, name, with_a_finalizer)
    assert pygrad.compile(f)(1.0).data == 2.0
    assert done == ["_close", "_open"]
