"""Gradients of functions: of floats, lists, tuples or numpy arrays, nested as they may be."""

from __future__ import annotations

from array import array
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Callable

from pygrad._backends import core
from pygrad._backends.interface import required_number
from pygrad._nested import leaves as leaves_of
from pygrad._nested import map_leaves, numpy
from pygrad._structure import is_flat, numbers_in, refiller, size
from pygrad.tracing import is_tracing, refuse
from pygrad.transform import Transform, check_around, compiled_in, in_each, lifted, result_of
from pygrad.value import Value

if TYPE_CHECKING:
    from pygrad.recorded import Recorded

_ADVICE = "; jacobian() is for those"


def _as_result(y: Any, advice: str = _ADVICE) -> Value:
    if hasattr(y, "shape") and y.shape == ():  # numpy's way of holding one object
        y = y.item()
    return y if isinstance(y, Value) else Value(_as_number(y, advice))  # it does not depend on its argument


def _as_number(y: Any, advice: str = _ADVICE) -> float:
    if isinstance(y, (list, tuple)) or (hasattr(y, "shape") and y.shape != ()):
        raise TypeError(f"the function must return one number, not {type(y).__name__}{advice}")
    return required_number(y, "what the function returns")


class _Transform(Transform):
    """A plain f is recorded at each call, with a fresh leaf for each number of the arguments to differentiate in. A
    compiled one runs as a program: no Value is made. So does f's derivative, for derivatives of a higher order."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if is_tracing():
            refuse(_IN_TRACE, name="a derivative")
        places = self.places_in(args)
        if isinstance(self.f, Transform) or compiled_in(self.f) is not None:
            return self._of_program(args, kwargs, places)
        given, xs = lifted(args, places)
        y = result_of(self.f, given, kwargs, xs)
        check_around(leaves_of(y))
        return self._of_values(xs, y)

    def _of_program(self, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> Any:
        from pygrad import derivatives

        found = None if kwargs else derivatives.fast(self.f, args)
        recorded, leaves, spans = found or derivatives.record(self.f, args, kwargs, places)
        check_around(leaves, recorded)
        wanted = derivatives.spans_of(spans, places)
        template = derivatives.Derivatives(self, recorded, [args[place] for place in places], wanted, True)
        return template.filled(recorded.numbers(leaves, wanted))

    def recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> Any:
        from pygrad import derivatives

        return derivatives.record_derivatives(self, args, kwargs, places)

    def _of_values(self, xs: list[Any], y: Any) -> Any:
        """What is returned, from the arguments as leaves and what f made of them."""
        raise NotImplementedError


def _gradient(y: Value, xs: list[Any]) -> list[Any]:
    """The derivatives of y in lifted arguments. Values of the caller's that y was computed from, such as a
    model's parameters, get their grads back."""
    before = [(value, value.grad) for value in core.nonzero_grads(y)]
    try:
        if before:
            core.zero_graph(y)
        y.backward()
        return [map_leaves(lambda v: v.grad, x, float) for x in xs]
    finally:
        core.zero_graph(y)
        for value, number in before:
            value.grad = number


class _ValueAndGrad(_Transform):
    has_values = True

    def _of_values(self, xs: list[Any], y: Any) -> Any:
        y = _as_result(y)
        return y.data, in_each(_gradient(y, xs), self.is_many)

    @classmethod
    def of_rows(cls, y: Any, rows: list[list[Any]], is_many: bool) -> Any:
        return _as_number(y), in_each(rows[0], is_many)


class _Grad(_Transform):
    def _of_values(self, xs: list[Any], y: Any) -> Any:
        return in_each(_gradient(_as_result(y), xs), self.is_many)

    @classmethod
    def of_rows(cls, y: Any, rows: list[list[Any]], is_many: bool) -> Any:
        _as_number(y)
        return in_each(rows[0], is_many)


class _Jacobian(_Transform):
    def _of_values(self, xs: list[Any], y: Any) -> Any:
        rows = [_gradient(_as_result(output, ""), xs) for output in leaves_of(y)]
        return self._in_order(y, rows, self.is_many)

    @classmethod
    def of_rows(cls, y: Any, rows: list[list[Any]], is_many: bool) -> Any:
        for output in leaves_of(y):
            _as_number(output, "")
        return cls._in_order(y, rows, is_many)

    @staticmethod
    def _in_order(y: Any, rows: list[list[Any]], is_many: bool) -> Any:
        count = len(rows[0]) if rows else 1
        return in_each([_stacked(y, [row[i] for row in rows]) for i in range(count)], is_many)


def _stacked(y: Any, rows: list[Any]) -> Any:
    """The gradients of the outputs, nested as the outputs are; one array where both are arrays."""
    given = iter(rows)
    nested = map_leaves(lambda _: next(given), y)
    if hasattr(y, "shape") and y.shape != () and rows and hasattr(rows[0], "shape"):
        np = numpy()
        return np.stack([np.asarray(row) for row in rows]).reshape(y.shape + rows[0].shape)
    return nested


class _Hessian(_Transform):
    """The Jacobian of the gradient: its columns are the gradient's tangents along the inputs, all in lanes at once."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if is_tracing():
            refuse(_IN_TRACE, name="a Hessian")
        from pygrad import derivatives

        places = self.places_in(args)
        tangents, leaves, spans = derivatives.tangents(_Grad(self.f, self.argnum), args, kwargs, places)
        check_around(leaves, tangents)
        wanted = derivatives.spans_of(spans, places)
        sizes = [end - start for start, end in wanted]
        n = sum(sizes)
        likes = [args[place] for place in places]
        is_array = not self.is_many and is_flat(likes[0]) and hasattr(likes[0], "shape")
        columns: Any = numpy().zeros(n * n) if is_array else array("d", bytes(8 * n * n))
        if tangents.outputs:  # none, where the function returned a number
            derivatives.along_units(tangents, leaves, n, columns)
        if is_array:
            return columns.reshape(likes[0].shape * 2)
        starts, numbers = [0, *accumulate(sizes)], columns.tolist()

        def block(a: int, b: int) -> Any:
            fill, first, end = refiller(likes[b]), starts[b], starts[b + 1]
            rows = range(starts[a], starts[a + 1])
            return _stacked(likes[a], [fill(numbers[i * n + first : i * n + end]) for i in rows])

        blocks = [[block(a, b) for b in range(len(likes))] for a in range(len(likes))]
        return in_each([in_each(row, self.is_many) for row in blocks], self.is_many)

    def recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> Any:
        if self.is_many:
            raise TypeError("a Hessian in several arguments is not differentiated further, nor over rows")
        return _Jacobian(_Grad(self.f, self.argnum), self.argnum).recorded(args, kwargs, places)


class _Product(_Transform):
    """A function of x, a direction v, and f's other arguments."""

    def __init__(self, f: Callable[..., Any]) -> None:
        super().__init__(f)
        self._inner = self._differentiated()

    def of(self, f: Callable[..., Any]) -> Transform:
        return type(self)(f)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if is_tracing():
            refuse(_IN_TRACE, name="a product")
        if len(args) < 2:
            raise TypeError("two arguments at least are needed: x and v, the direction")
        from pygrad import derivatives

        x, v, *others = args
        tangents, leaves, spans = derivatives.tangents(self._inner, (x, *others), kwargs, (0,))
        check_around(leaves, tangents)
        ((start, end),) = derivatives.spans_of(spans, (0,))
        n = end - start
        components = numbers_in(v, "a component of v")
        has_rows = _depth(v) > _depth(x)
        for row in v if has_rows else [v]:
            if size(row) != n:
                raise ValueError(
                    f"v has {len(components)} numbers and x {n}: v is one direction, or a row for each of several"
                )
            if not _has_keys_of(row, x):
                raise ValueError("v has other keys than x, or has them in another order")
        if not has_rows:
            return self._nested(v, tangents, tangents.numbers(leaves, (), components))
        results = array("d", bytes(8 * len(v) * tangents.outputs))
        derivatives.along_rows(tangents, leaves, array("d", components), n, len(v), results)
        return self._nested_rows(v, tangents, results.tolist())

    def _differentiated(self) -> Any:
        """The function whose tangents are taken."""
        raise NotImplementedError

    def _nested(self, v: Any, tangents: Recorded, results: list[float]) -> Any:
        """What is returned, from the tangents along v."""
        raise NotImplementedError

    def _nested_rows(self, v: Any, tangents: Recorded, results: list[float]) -> Any:
        """The same from those along each row of v, one after the other."""
        raise NotImplementedError

    def recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[int, ...]) -> Any:
        raise TypeError(
            f"{self!r} is not differentiated further, nor run over rows: differentiate f, or give it rows of v"
        )

    def __reduce__(self) -> Any:
        return type(self), (self.f,)


class _HessianProduct(_Product):
    def _differentiated(self) -> Any:
        return _Grad(self.f)

    def _nested(self, v: Any, tangents: Recorded, results: list[float]) -> Any:
        return refiller(v)(results or [0.0] * size(v))  # none, where the function returned a number

    _nested_rows = _nested


class _JacobianProduct(_Product):
    def _differentiated(self) -> Any:
        return self.f

    def _nested(self, v: Any, tangents: Recorded, results: list[float]) -> Any:
        return _tangent(tangents.template, results)

    def _nested_rows(self, v: Any, tangents: Recorded, results: list[float]) -> Any:
        m = tangents.outputs
        rows = [_tangent(tangents.template, results[i * m : (i + 1) * m]) for i in range(len(v))]
        return numpy().array(rows) if hasattr(v, "shape") else rows


def _depth(x: Any) -> int:
    """How deep the first number in a nesting stands."""
    if hasattr(x, "shape"):
        return len(x.shape)
    if isinstance(x, (list, tuple, dict)):
        return 1 + max(map(_depth, islice(x.values() if isinstance(x, dict) else x, 1)), default=0)
    return 0


def _has_keys_of(v: Any, x: Any) -> bool:
    """Whether dicts in two nestings have the same keys, in the same order."""
    if is_flat(x):
        return True
    if isinstance(x, dict) or isinstance(v, dict):
        are_dicts = isinstance(x, dict) and isinstance(v, dict)
        return are_dicts and [*v] == [*x] and all(map(_has_keys_of, v.values(), x.values()))
    return not isinstance(x, (list, tuple)) or not isinstance(v, (list, tuple)) or all(map(_has_keys_of, v, x))


def _tangent(template: Any, row: list[float]) -> Any:
    """The tangents of what a function returned, with 0 for its numbers."""
    places = iter(template.places())
    return map_leaves(lambda number: 0.0 if next(places) is None else number, template.filled(row), float)


_IN_TRACE = "{name} is asked for in a compiled function: take it of the compiled function instead"


def value_and_grad(f: Callable[..., Any], argnum: int | tuple[int, ...] = 0) -> Callable[..., tuple[float, Any]]:
    """The function that returns ``f(*args)`` and its gradient in argument ``argnum``.

    The gradient is nested as the argument is: a float for a float, a list for a list, an array for an array. With a
    tuple of arguments it is a tuple of gradients.
    As ``scipy.optimize.minimize(value_and_grad(f), x0, jac=True)`` wants it. All grads are left as they were,
    those of a model's parameters in f too. Of a compiled function it runs a program, and makes no Values.

    >>> value_and_grad(lambda x: x[0] ** 2 + 3 * x[1])([2.0, 1.0])
    (7.0, [4.0, 3.0])

    Raises TypeError where f returns anything but one number, and what f raises.
    """
    return _ValueAndGrad(f, argnum)


def grad(f: Callable[..., Any], argnum: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The gradient of f in argument ``argnum``, as a function of the same arguments. See `value_and_grad`.

    >>> grad(lambda x: x ** 3)(2.0)
    12.0
    """
    return _Grad(f, argnum)


def jacobian(f: Callable[..., Any], argnum: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The derivatives of all that f returns in all of an argument: the gradient of each output, nested as the
    outputs are. For arrays it is one array, of the shape of the output followed by that of the argument. With a tuple
    of arguments it is a tuple of these.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0]]
    """
    return _Jacobian(f, argnum)


def hessian(f: Callable[..., Any], argnum: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The second derivatives of f in an argument: for each number of it the gradient's derivatives, nested as the
    argument is; for an array of shape ``s`` an array of shape ``s + s``. With a tuple of arguments a tuple of tuples.

    For ``scipy.optimize.minimize(..., hess=hessian(f))``. It is the tangents of the gradient along each number, taken
    in lanes, and is symmetric up to rounding.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]

    Raises TypeError where f returns anything but one number, TraceError where an operation of the user's own is in it
    (it has one derivative and no second), and what f raises.
    """
    return _Hessian(f, argnum)


def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
    """The product of f's Hessian and a vector, without the Hessian: ``hvp(f)(x, v)``, nested as v is, which has as many
    numbers as x; or the products with several, the rows of v. What f takes beside x comes after v.

    For ``scipy.optimize.minimize(..., hessp=hvp(f))``. It is the tangent of the gradient along v (Pearlmutter 1994).

    >>> hvp(lambda x: x[0] ** 2 * x[1])([3.0, 5.0], [1.0, 0.0])
    [10.0, 6.0]
    """
    return _HessianProduct(f)


def jvp(f: Callable[..., Any]) -> Callable[..., Any]:
    """The product of f's Jacobian and a vector: ``jvp(f)(x, v)``, the derivative of f along v, nested as f's result is;
    or these for each row of v. What f takes beside x comes after v.

    >>> jvp(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0], [1.0, 0.0])
    [3.0, 1.0]
    """
    return _JacobianProduct(f)


def check_gradients(f: Callable[..., Any], x: Any, step: float = 1e-6, rtol: float = 1e-5, atol: float = 1e-7) -> float:
    """Compare f's gradient at x with central differences. Returns the largest difference found.

    Each number in x is moved by ``step * max(1, abs(number))`` to both sides. AssertionError, with a line for
    each place where ``abs(gradient - difference) > atol + rtol * abs(difference)``.

    >>> check_gradients(lambda x: x[0].sin() * x[1], [0.5, 2.0]) < 1e-8
    True
    """
    numbers = [required_number(number, "an argument") for number in leaves_of(x)]
    gradient = leaves_of(grad(f)(x))

    def with_number(i: int, number: float) -> float:
        given = iter([*numbers[:i], number, *numbers[i + 1 :]])
        return _as_result(f(map_leaves(lambda _: Value(next(given)), x)), "").data

    worst, lines = 0.0, []
    for i, number in enumerate(numbers):
        h = step * max(1.0, abs(number))
        difference = (with_number(i, number + h) - with_number(i, number - h)) / (2.0 * h)
        worst = max(worst, abs(gradient[i] - difference))
        if not abs(gradient[i] - difference) <= atol + rtol * abs(difference):
            lines.append(f"  number {i}, at {number}: gradient {gradient[i]}, differences give {difference}")
    if lines:
        raise AssertionError("the gradient and central differences part at:\n" + "\n".join(lines))
    return worst


__all__ = ["check_gradients", "grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad"]
