"""What tests of several files need: how to record an operation of the table, and threads."""

from __future__ import annotations

import operator
import threading

from pygrad._backends import core


def apply(op, *operands):
    """The result of an operation of the table, recorded as a user does it.

    By its operator or its method where it has one, and by its function for lists.
    """
    if op.method is None:
        return core.functions[op.name](*operands)
    if op.is_operator:
        return getattr(operator, op.method)(*operands)
    return getattr(operands[0], op.method)(*operands[1:])


def arguments_of(op, x, y, k=1.0):
    """What a function of the table may be called with, of two Values and a number."""
    lists = {"nary": ([x, y, k],), "paired": ([x, k], [y, x]), "indexed": ([x, k, y], 1)}
    return {**lists, "unary": (x,), "binary": (x, y), "ternary": (k, x, y)}[op.kind]


def of_kind(*kinds):
    """The operations of some kinds, in the table's order."""
    return [op for op in core.OPS.values() if op.kind in kinds]


def in_threads(count, work):
    """Call work(i) in so many threads at once; what one raises fails the test."""
    errors = []

    def guarded(i):
        try:
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not errors and not any(thread.is_alive() for thread in threads)
