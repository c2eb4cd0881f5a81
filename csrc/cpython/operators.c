/* What records operations: Value's operators and methods, and the functions of the same names. */
#include "module.h"

/* -- operations ------------------------------------------------------------------------------------- */

/* Any operands: other numbers, subclasses, an arena without room, errors. */
static PG_NOINLINE PyObject *binary_slow(int op, PyObject *a, PyObject *b, int flags)
{
    double x = 0.0, y = 0.0;
    int a_is_value = PY_IS_VALUE(a), b_is_value = PY_IS_VALUE(b);
    int found = a_is_value ? 1 : py_number(a, &x);
    pg_result node;
    if (found > 0 && !b_is_value) found = py_number(b, &y);
    if (found < 0) return NULL;
    if (found == 0) Py_RETURN_NOTIMPLEMENTED;
    do {
        if (!b_is_value) node = pgi_record_constant(py_arena, op, PY_NODE(a), y, 0, flags);
        else if (!a_is_value) node = pgi_record_constant(py_arena, op, PY_NODE(b), x, 1, flags);
        else node = pgi_record_binary(py_arena, op, PY_NODE(a), PY_NODE(b));
    } while (node == PG_FULL && py_grow());
    return py_finish(node, a, b);
}

static PG_NOINLINE PyObject *binary_end(pg_result node, int op, PyObject *a, PyObject *b)
{ return node < 0 ? binary_slow(op, a, b, 0) : py_finish(node, a, b); }

/* A Value and a number: apart from two Values, whose path is shorter for it. */
PG_INLINE PyObject *mixed_operator(int op, PyObject *a, PyObject *b)
{
    pg_result node;
    double number;
    if (PY_IS_EXACT(a) && py_exact_number(b, &number))
        node = pgi_record_constant(py_arena, op, PY_NODE(a), number, 0, 0);
    else if (PY_IS_EXACT(b) && py_exact_number(a, &number))
        node = pgi_record_constant(py_arena, op, PY_NODE(b), number, 1, 0);
    else return binary_slow(op, a, b, 0);
    return PG_LIKELY(py_is_plain(node)) ? py_wrap((pg_node)node) : binary_end(node, op, a, b);
}

PG_INLINE PyObject *value_operator(int op, PyObject *a, PyObject *b)
{
    pg_result node = pgi_record_binary(py_arena, op, PY_NODE(a), PY_NODE(b));
    return PG_LIKELY(py_is_plain(node)) ? py_wrap((pg_node)node) : binary_end(node, op, a, b);
}

/* x ** k: a number as the exponent is a part of the operation. */
static PG_NOINLINE PyObject *power_slow(PyObject *a, PyObject *b)
{
    if (!PY_IS_VALUE(a) || PY_IS_VALUE(b)) return binary_slow(PG_OP_pow, a, b, 0);
    return binary_slow(PG_OP_pow_scalar, a, b, PyIndex_Check(b) ? PG_EXPONENT_IS_INT : 0);
}

static PY_ENTRY(PyObject *, py_power, (PyObject *a, PyObject *b, PyObject *modulus), (a, b, modulus))
{
    double k;
    int flags;
    pg_result node;
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    if (!PY_IS_EXACT(a) || !py_exact_number(b, &k)) return power_slow(a, b);
    flags = PyLong_CheckExact(b) ? PG_EXPONENT_IS_INT : 0;
    node = pgi_record_constant(py_arena, PG_OP_pow_scalar, PY_NODE(a), k, 0, flags);
    if (PG_LIKELY(py_is_plain(node))) return py_wrap((pg_node)node);
    return node < 0 ? power_slow(a, b) : py_finish(node, a, NULL);
}

static PG_NOINLINE PyObject *unary_slow(int op, PyObject *x, pg_result node)
{
    while (node == PG_FULL && py_grow()) node = pgi_record_unary(py_arena, op, PY_NODE(x));
    return py_finish(node, x, NULL);
}

PG_INLINE PyObject *unary_operator(int op, PyObject *x, PyObject *unused)
{
    pg_result node = pgi_record_unary(py_arena, op, PY_NODE(x));
    return PG_LIKELY(py_is_plain(node)) ? py_wrap((pg_node)node) : unary_slow(op, x, node);
}

/* The argument of a function: a Value as it is, a number as a new leaf. */
static PyObject *to_value(PyObject *object)
{
    PyObject *value;
    if (PY_IS_VALUE(object)) return Py_NewRef(object);
    value = PyObject_CallFunctionObjArgs((PyObject *)py_value_type, object, NULL);
    if (value) py_arena->nodes[PY_NODE(value)].flags |= PG_NUMBER;
    return value;
}

static PyObject *binary_method(int op, PyObject *self, PyObject *other)
{
    PyObject *result = binary_slow(op, self, other, 0);
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
    return PyErr_Format(PyExc_TypeError, "%s takes a Value or a number, not %.200s", pg_op(op)->name,
                        Py_TYPE(other)->tp_name);
}

/* -- operations on lists ---------------------------------------------------------------------------- */

/* Copies the nodes of a list or tuple; 0 where not all of it are Values. */
static int gather_nodes(PyObject *list, pg_node *nodes)
{
    PyObject **items = PySequence_Fast_ITEMS(list);
    for (Py_ssize_t i = 0, count = PySequence_Fast_GET_SIZE(list); i < count; i++) {
        if (!PY_IS_VALUE(items[i])) return 0;
        nodes[i] = PY_NODE(items[i]);
    }
    return 1;
}

/* A new tuple of Values, numbers made into leaves. */
static PyObject *to_values(PyObject *list)
{
    PyObject *values = PySequence_Tuple(list);
    Py_ssize_t count = values ? PyTuple_GET_SIZE(values) : 0;
    PyObject *result = values ? PyTuple_New(count) : NULL;
    for (Py_ssize_t i = 0; result && i < count; i++) {
        PyObject *value = to_value(PyTuple_GET_ITEM(values, i));
        if (value) PyTuple_SET_ITEM(result, i, value);
        else Py_CLEAR(result);
    }
    Py_XDECREF(values);
    return result;
}

/* The items of one list or of two (ys may be NULL), as a tuple. */
static PyObject *joined(PyObject *xs, PyObject *ys)
{
    PyObject *first = PySequence_Tuple(xs), *second, *both;
    if (!first || !ys) return first;
    second = PySequence_Tuple(ys);
    both = second ? PySequence_Concat(first, second) : NULL;
    Py_DECREF(first);
    Py_XDECREF(second);
    return both;
}

/* An operation on one list, or on two of equal length (ys may be NULL). */
static PyObject *nary(int op, PyObject *xs, PyObject *ys)
{
    enum { ROOM = 256 };
    Py_ssize_t n = PySequence_Fast_GET_SIZE(xs), count = ys ? 2 * n : n;
    pg_node room[ROOM], *nodes = room;
    PyObject *result = NULL;
    if (ys && PySequence_Fast_GET_SIZE(ys) != n)
        return PyErr_Format(PyExc_ValueError, "%s needs lists of equal length, not %zd and %zd", pg_op(op)->name, n,
                            PySequence_Fast_GET_SIZE(ys));
    if (count > ROOM && !(nodes = PyMem_New(pg_node, (size_t)count))) return PyErr_NoMemory();
    if (gather_nodes(xs, nodes) && (!ys || gather_nodes(ys, nodes + n))) {
        pg_result node;
        while ((node = pgi_record_nary(py_arena, op, (size_t)count, nodes)) == PG_FULL && py_grow()) {}
        if (PG_LIKELY(py_is_plain(node))) result = py_wrap((pg_node)node);
        else result = py_finish_many(node, node < 0 ? NULL : joined(xs, ys));
    }
    else {
        PyObject *first = to_values(xs), *second = first && ys ? to_values(ys) : NULL;
        if (first && (second || !ys)) result = nary(op, first, second);
        Py_XDECREF(first);
        Py_XDECREF(second);
    }
    if (nodes != room) PyMem_Free(nodes);
    return result;
}

/* -- functions -------------------------------------------------------------------------------------- */

/* The items of a list or tuple; a copy where another thread could change the list meanwhile. */
static PyObject *to_list(PyObject *argument)
{
    PyObject *items = PySequence_Fast(argument, "expected a list of Values or numbers");
    if (PY_FREE_THREADED && items) Py_SETREF(items, PySequence_Tuple(items));
    return items;
}

/* A function of one argument or of two: they are converted first. */
static PyObject *function_of(int wanted, int op, PyObject *const *arguments, Py_ssize_t count,
                             PyObject *(*convert)(PyObject *), PyObject *(*record)(int, PyObject *, PyObject *))
{
    PyObject *x, *y = NULL, *result = NULL;
    if (count != wanted)
        return PyErr_Format(PyExc_TypeError, "%s takes %d arguments, not %zd", pg_op(op)->name, wanted, count);
    x = convert(arguments[0]);
    if (x && count > 1) y = convert(arguments[1]);
    if (x && (y || count == 1)) result = record(op, x, y);
    Py_XDECREF(x);
    Py_XDECREF(y);
    return result;
}

/* -- methods, functions and slots, made from the op table -------------------------------------------- */

#define PY_METHOD(name, record) \
    static PY_ENTRY(PyObject *, py_method_##name, (PyObject *x, PyObject *y), (x, y)) \
    { return record(PG_OP_##name, x, y); }
#define PY_FUNCTION_1(name, convert, record) \
    static PY_ENTRY(PyObject *, py_function_##name, (PyObject *module, PyObject *x), (module, x)) \
    { return function_of(1, PG_OP_##name, &x, 1, convert, record); }
#define PY_FUNCTION_2(name, convert, record) \
    static PY_ENTRY(PyObject *, py_function_##name, (PyObject *module, PyObject *const *arguments, Py_ssize_t count), \
                    (module, arguments, count)) \
    { return function_of(2, PG_OP_##name, arguments, count, convert, record); }

#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, error) \
    PY_METHOD(name, unary_operator) PY_FUNCTION_1(name, to_value, unary_operator)
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, error) \
    PY_METHOD(name, binary_method) PY_FUNCTION_2(name, to_value, binary_method)
#define PG_OP_NARY(name, special, symbol, formula, forward, dx, error) PY_FUNCTION_1(name, to_list, nary)
#define PG_OP_PAIRED(name, special, symbol, formula, forward, dx, dy, error) PY_FUNCTION_2(name, to_list, nary)
/* With all operands in one list: interface.py gives them their parameters. */
#define PG_OP_TERNARY(name, special, symbol, formula, ...) PY_FUNCTION_1(name, to_list, nary)
#define PG_OP_INDEXED PG_OP_TERNARY
#include "ops.def"

void py_fill_callables(PyMethodDef *methods, PyMethodDef *functions)
{
#define PY_ROW(name, kind, flags) (PyMethodDef){#name, (PyCFunction)(void (*)(void))py_##kind##_##name, flags, NULL}
#define PY_ROWS(name, special, method_flags, function_flags) \
    if ((special) == NULL) { \
        *methods++ = PY_ROW(name, method, method_flags); \
        *functions++ = PY_ROW(name, function, function_flags); \
    }
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, error) PY_ROWS(name, special, METH_NOARGS, METH_O)
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, error) \
    PY_ROWS(name, special, METH_O, METH_FASTCALL)
#define PG_OP_NARY(name, special, symbol, formula, ...) *functions++ = PY_ROW(name, function, METH_O);
#define PG_OP_TERNARY PG_OP_NARY
#define PG_OP_INDEXED PG_OP_NARY
#define PG_OP_PAIRED(name, special, symbol, formula, forward, dx, dy, error) \
    *functions++ = PY_ROW(name, function, METH_FASTCALL);
#include "ops.def"
}

#define PY_UNARY_SLOT(name) \
    static PY_ENTRY(PyObject *, py_slot_##name, (PyObject *x), (x)) { return unary_operator(PG_OP_##name, x, NULL); }
#define PY_BINARY_SLOT(name) \
    static PG_NOINLINE PyObject *py_mixed_##name(PyObject *x, PyObject *y) \
    { return mixed_operator(PG_OP_##name, x, y); } \
    static PY_ENTRY(PyObject *, py_slot_##name, (PyObject *x, PyObject *y), (x, y)) \
    { \
        if (PG_LIKELY(PY_IS_EXACT(x) && PY_IS_EXACT(y))) return value_operator(PG_OP_##name, x, y); \
        return py_mixed_##name(x, y); \
    }
PY_BINARY_SLOT(add)
PY_BINARY_SLOT(sub)
PY_BINARY_SLOT(mul)
PY_BINARY_SLOT(div)
PY_UNARY_SLOT(neg)
PY_UNARY_SLOT(abs)

const PyType_Slot py_operator_slots[] = {
    {Py_nb_add, py_slot_add},      {Py_nb_subtract, py_slot_sub},
    {Py_nb_multiply, py_slot_mul}, {Py_nb_true_divide, py_slot_div},
    {Py_nb_power, py_power},       {Py_nb_negative, py_slot_neg},
    {Py_nb_absolute, py_slot_abs}, {0, NULL},
};
