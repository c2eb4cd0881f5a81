"""What Value must do because the pure-Python class does: one test each."""

import gc
import math
import weakref

import pytest
from conftest import PYODIDE, live_nodes, settled

import pygrad
from pygrad import Value


def test_construction_and_representation():
    v = Value(2.5)
    assert (v.data, v.grad, v._prev, v._op) == (2.5, 0.0, set(), "")
    assert repr(v) == str(v) == "Value(data=2.5)"
    assert repr(Value(2)) == "Value(data=2.0)"
    assert type(Value(True).data) is float


def test_modules_are_there_when_they_are_named(run_python):
    program = "import pygrad; print(pygrad.optim.SGD, pygrad.losses.mse, pygrad.nn.MLP, pygrad.engine.Value)"
    assert "SGD" in run_python(program)
    with pytest.raises(AttributeError, match="no attribute 'layers'"):
        pygrad.layers


def test_a_format_is_the_numbers():
    v = Value(2.0)
    assert (f"{v:.3f}", f"{v}") == ("2.000", "Value(data=2.0)")


def test_data_and_grad_can_be_assigned():
    v = Value(1.0)
    v.data -= 0.25
    v.grad += 3
    assert (v.data, v.grad) == (0.75, 3.0)


def test_changed_data_is_used_by_the_reverse_pass():
    a, b = Value(2.0), Value(3.0)
    out = a * b
    b.data = 10.0
    out.backward()
    assert a.grad == 10.0


def test_identity_equality_and_hash():
    a, b = Value(1.0), Value(1.0)
    assert a != b and a == a and len({a, b, a}) == 2


def test_prev_holds_the_very_objects():
    a, b = Value(1.0), Value(2.0)
    out = a * b + a
    product = next(v for v in out._prev if v is not a)
    assert product._prev == {a, b}
    assert {id(v) for v in product._prev} == {id(a), id(b)}
    assert out._prev == out._prev == {a, product}


def test_prev_finds_objects_made_before_the_first_look(run_python):
    assert (
        run_python("from pygrad import Value; a = Value(1.0); b = a + 2.0; c = b * a; print(c._prev == {a, b})")
        == "True\n"
    )


def test_symbols():
    a, b = Value(2.0), Value(3.0)
    results = [a + b, a - b, a * b, a / b, -a, a**2, a**2.0, a**0.5, a**b, a.relu(), a.exp(), abs(a)]
    assert [v._op for v in results] == [
        "+",
        "-",
        "*",
        "/",
        "neg",
        "**2",
        "**2.0",
        "**0.5",
        "**",
        "ReLU",
        "exp",
        "abs",
    ]


def test_constants_are_leaves_but_exponents_are_not_shown():
    a = Value(2.0)
    constant = next(v for v in (a - 1)._prev if v is not a)
    assert (constant.data, constant._prev, constant._op) == (1.0, set(), "")
    assert (a**3)._prev == {a}


def test_the_order_of_reflected_operands():
    a = Value(4.0)
    assert [v.data for v in (1 - a, 1 / a, 2**a, 1 + a, 3 * a)] == [-3.0, 0.25, 16.0, 5.0, 12.0]


def test_a_repeated_operand_gets_both_contributions():
    a = Value(3.0)
    (a + a).backward()
    assert a.grad == 2.0
    a.grad = 0.0
    (a * a).backward()
    assert a.grad == 6.0
    assert (a * a)._prev == {a}


def test_a_second_backward_adds_again():
    a = Value(3.0)
    b = a * 2
    c = b * 5
    c.backward()
    assert (a.grad, b.grad, c.grad) == (10.0, 5.0, 1.0)
    c.backward()
    assert (b.grad, c.grad) == (10.0, 1.0)
    assert a.grad == 10.0 + 2 * 10.0


def test_backward_of_a_leaf():
    a = Value(3.0)
    a.grad = 7.0
    a.backward()
    assert a.grad == 1.0


def test_a_step_by_hand():
    a, b = Value(2.0), Value(5.0)
    out = a * b
    out.grad = 3.0
    out._backward()
    out._backward()
    assert (a.grad, b.grad) == (30.0, 12.0)
    assert a._backward() is None


def test_walking_a_graph_by_hand_equals_backward():
    a, b = Value(0.5), Value(-1.5)
    out = (a * b + a).tanh() * b
    order, seen = [], set()

    def visit(v):
        if v not in seen:
            seen.add(v)
            for child in v._prev:
                visit(child)
            order.append(v)

    visit(out)
    out.grad = 1.0
    for v in reversed(order):
        v._backward()
    by_hand = a.grad, b.grad
    a.grad = b.grad = 0.0
    (lambda fresh: fresh.backward())((a * b + a).tanh() * b)
    assert (a.grad, b.grad) == pytest.approx(by_hand, rel=1e-15)


def test_attributes_live_as_long_as_the_node(no_leak):
    a = Value(1.0)
    a.label = "a"
    hidden = a * 2
    hidden.label, hidden.note, hidden.extra = "hidden", 3, ["list"]
    out = hidden + 1
    del hidden
    gc.collect()
    found = next(v for v in out._prev if v._op == "*")
    assert (found.label, found.note, found.extra) == ("hidden", 3, ["list"])
    found.label = "renamed"
    del found
    assert next(v for v in out._prev if v._op == "*").label == "renamed"


def test_attributes_do_not_pass_to_the_next_node():
    for _ in range(5000):
        v = Value(1.0)
        assert v.label == "" and not hasattr(v, "note")
        v.label, v.note = "old", 1
        del v.note
        with pytest.raises(AttributeError):
            del v.note
    assert not hasattr(Value(0.0), "note")


def test_late_attributes_of_an_inner_node(no_leak):
    a = Value(1.0)
    inner = a * 2
    out = inner + 1
    inner.items, inner.place = [a], (0.5, 1.0)  # out was recorded before
    del inner
    gc.collect()
    found = next(v for v in out._prev if v._op == "*")
    assert (found.items, found.place) == ([a], (0.5, 1.0))
    found.items = "a constant"
    del found.place
    assert found.items == "a constant" and not hasattr(found, "place")


def test_a_late_attribute_that_leads_back_is_the_users_to_delete(no_leak):
    a = Value(1.0)
    inner = a * 2
    out = inner + 1
    inner.users = [out]  # the node has it, which out holds: no collector sees this cycle
    del inner.users


def test_an_early_attribute_that_leads_back_is_collected(no_leak):
    inner = Value(1.0) * 2
    inner.users = []
    inner.users.append(inner + 1)


def test_unknown_and_read_only_attributes():
    v = Value(1.0)
    with pytest.raises(AttributeError):
        v.missing
    for name in ("_prev", "_op"):
        with pytest.raises(AttributeError):
            setattr(v, name, 1)


def test_no_silent_conversion_to_float():
    v = Value(1.0)
    for convert in (float, int, complex, math.exp):
        with pytest.raises(TypeError):
            convert(v)


def test_single_nodes_for_difference_quotient_and_negation(no_leak):
    a, b = Value(6.0), Value(3.0)
    before = live_nodes()
    results = [a - b, a / b, -a]
    assert [v._op for v in results] == ["-", "/", "neg"]
    assert live_nodes() - before == 3


# -- custom operations -------------------------------------------------------------------------------


def sine(x):
    out = Value(math.sin(x.data), (x,), "sine")

    def step():
        x.grad += math.cos(x.data) * out.grad

    out._backward = step
    return out


def test_a_custom_operation_by_closure(no_leak):
    x = Value(0.5)
    out = sine(x * 2) * 3
    out.backward()
    assert x.grad == pytest.approx(6 * math.cos(1.0), rel=1e-15)
    inner = next(v for v in out._prev if v._op == "sine")
    assert inner.data == math.sin(1.0)


def test_closures_run_in_their_place():
    calls = []
    x = Value(1.0)
    chain = [x]
    for i in range(20):
        out = Value(chain[-1].data, (chain[-1],), "copy")

        def step(i=i, out=out, operand=chain[-1]):
            calls.append(i)
            operand.grad += out.grad

        out._backward = step
        chain.append(out if i % 2 else out * 1.0)
    chain[-1].backward()
    assert calls == list(range(19, -1, -1)) and x.grad == 1.0


def test_cycles_through_closures_are_collected(no_leak):
    for _ in range(3):
        x = Value(0.5)
        for _ in range(50):
            x = sine(x) + 1  # each closure holds its result, and the graph holds each result
        del x
    gc.collect()


def test_a_cycle_through_a_later_result_is_collected(no_leak):
    class Model:
        pass

    model, x = Model(), Value(1.0)
    out = Value(2.0, (x,), "op")
    out._backward = lambda: model.loss
    model.loss = (out * 2) + 1
    gone = weakref.ref(model)
    model = x = out = None
    gc.collect()
    assert gone() is None


def test_a_closure_outlives_its_object_in_the_graph(no_leak):
    x = Value(0.5)
    out = sine(x) + sine(x)
    gc.collect()
    out.backward()
    assert x.grad == pytest.approx(2 * math.cos(0.5), rel=1e-15)


def test_a_closure_comes_before_the_results(no_leak):
    """It lives in the object, which only results that are recorded later can hold."""
    x = Value(2.0)
    y = x * 3
    out = y + 1
    for used in (x, y):
        with pytest.raises(RuntimeError, match="set _backward before the value is used"):
            used._backward = lambda: None
    out.backward()
    assert (y.grad, x.grad, y._backward) == (1.0, 3.0, y._step)
    del out
    settled()
    y._backward = lambda: setattr(x, "grad", 100.0)  # used no more
    (y + 1).backward()
    assert x.grad == 100.0


def test_a_closure_may_be_replaced_at_any_time(no_leak):
    x = Value(2.0)
    y = x * 3
    step = y._step
    y._backward = step
    out = y + 1
    y._backward = lambda step=step: (step(), step())
    del y, step
    gc.collect()
    out.backward()
    assert x.grad == 6.0


def test_a_closure_on_a_leaf_runs():
    calls = []
    x = Value(2.0)
    x._backward = lambda: calls.append(x.grad)
    (x * 3).backward()
    assert calls == [3.0]


def test_an_exception_in_a_closure_is_passed_on():
    x = Value(1.0)
    out = Value(1.0, (x,), "broken")

    def step():
        raise KeyError("inside")

    out._backward = step
    root = out * 2
    for _ in range(3):
        with pytest.raises(KeyError, match="inside"):
            root.backward()
    assert (root.grad, out.grad, x.grad) == (1.0, 6.0, 0.0)
    y = x * 5
    y.backward()
    assert x.grad == 5.0


def test_a_closure_may_record_and_call_backward():
    x = Value(3.0)
    out = Value(9.0, (x,), "square")

    def step():
        inner = Value(x.data)
        (inner * inner).backward()
        for _ in range(5000):  # more than the arena has room for at first
            inner = inner + 1
        x.grad += 6.0 * out.grad

    out._backward = step
    (out * 2 + x).backward()
    assert x.grad == 13.0


def test_a_custom_operation_by_local_gradients(no_leak):
    a, b = Value(2.0), Value(3.0)
    out = Value(a.data**2 * b.data, (a, b), (2 * a.data * b.data, a.data**2))
    (out * 10).backward()
    assert (a.grad, b.grad, out._prev) == (120.0, 40.0, {a, b})


def test_a_custom_operation_without_a_closure_passes_nothing_on():
    a = Value(2.0)
    Value(5.0, (a,), "detached").backward()
    assert a.grad == 0.0


# -- subclasses --------------------------------------------------------------------------------------


def test_a_subclass_keeps_its_objects_in_the_graph(no_leak):
    class Parameter(Value):
        def __init__(self, name, data):
            self.name = name
            super().__init__(data)

    def loss():
        p = Parameter("w", 2.0)
        return (p * 3 + 1) ** 2

    out = loss()
    gc.collect()
    stack, names = [out], []
    while stack:
        v = stack.pop()
        names += [v.name] if isinstance(v, Parameter) else []
        stack += v._prev
    assert names == ["w"] and type(out) is Value


# -- lists -------------------------------------------------------------------------------------------


def test_sum_dot_mean_and_softmax(no_leak):
    xs, ws = [Value(float(i)) for i in range(5)], [Value(0.5 * i) for i in range(5)]
    assert pygrad.sum(xs).data == sum(xs).data == 10.0
    assert pygrad.sum(x * 2 for x in xs).data == 20.0
    assert pygrad.mean(xs).data == 2.0
    out = pygrad.dot(ws, xs)
    out.backward()
    assert out.data == 15.0 and [w.grad for w in ws] == [x.data for x in xs] and out._prev == {*xs, *ws}
    assert pygrad.dot([1.0, 2.0], [xs[1], 3]).data == 7.0
    assert sum(p.data for p in pygrad.softmax([1000.0, 1001.0, xs[0]])) == pytest.approx(1.0)
    assert pygrad.sum([]).data == 0.0


def test_functions_take_numbers_too():
    assert pygrad.exp(0.0).data == 1.0 and isinstance(pygrad.exp(0.0), Value)
    assert pygrad.maximum(2, Value(3.0)).data == 3.0


# -- depth -------------------------------------------------------------------------------------------


def test_a_chain_of_a_million(no_leak):
    x = Value(1.0)
    out = x
    for _ in range(1_000_000):
        out = out + 1e-6
    out.backward()
    assert (out.data, x.grad) == (pytest.approx(2.0), 1.0)


@pytest.mark.skipif(PYODIDE, reason="objects nested so deep end its interpreter when they are freed")
def test_a_deep_chain_of_closures(no_leak):
    x = Value(1.0)
    out = x
    for _ in range(50_000):
        out = Value(out.data, (out,), "copy") + 0.0
    out.backward()
