/* The native backend: Value as a CPython type whose slots call the C library. What is not hot, both
 * backends have from Python (pygrad/_shared.py); an object's life is in cpython_object.c. */
#include "cpython.h"

#include <structmember.h>

static PyObject *pg_str_data, *pg_str_grad;     /* interned */
static PyObject *pg_new_attribute;              /* called with the name of an attribute that Value does not have */
#if PG_FREE_THREADED
PyObject *pg_guard;
#endif

/* -- operations ------------------------------------------------------------------------------------- */

/* Any operands: other numbers, subclasses, an arena without room, errors. */
static PG_NOINLINE PyObject *pg_binary_slowly(int op, PyObject *a, PyObject *b, int flags)
{
    double x = 0.0, y = 0.0;
    int a_is_value = PG_IS_VALUE(a), b_is_value = PG_IS_VALUE(b);
    int found = a_is_value ? 1 : pg_number(a, &x);
    pg_result node;
    if (found > 0 && !b_is_value) found = pg_number(b, &y);
    if (found < 0) return NULL;
    if (found == 0) Py_RETURN_NOTIMPLEMENTED;
    do {
        if (!b_is_value) node = pg_record_constant(pg_nodes, op, PG_NODE(a), y, 0, flags);
        else if (!a_is_value) node = pg_record_constant(pg_nodes, op, PG_NODE(b), x, 1, flags);
        else node = pg_record_binary(pg_nodes, op, PG_NODE(a), PG_NODE(b));
    } while (node == PG_FULL && pg_room());
    return pg_finish(node, a, b);
}

static PG_NOINLINE PyObject *pg_binary_end(pg_result node, int op, PyObject *a, PyObject *b)
{
    return node < 0 ? pg_binary_slowly(op, a, b, 0) : pg_finish(node, a, b);
}

/* A Value and a number: apart from two Values, whose path is shorter for it. */
PG_INLINE PyObject *pg_mixed_operator(int op, PyObject *a, PyObject *b)
{
    pg_result node;
    double number;
    if (PG_IS_EXACT(a) && pg_exact_number(b, &number))
        node = pg_record_constant(pg_nodes, op, PG_NODE(a), number, 0, 0);
    else if (PG_IS_EXACT(b) && pg_exact_number(a, &number))
        node = pg_record_constant(pg_nodes, op, PG_NODE(b), number, 1, 0);
    else return pg_binary_slowly(op, a, b, 0);
    return PG_LIKELY(pg_is_plain(node)) ? pg_wrap((pg_node)node) : pg_binary_end(node, op, a, b);
}

PG_INLINE PyObject *pg_value_operator(int op, PyObject *a, PyObject *b)
{
    pg_result node = pg_record_binary(pg_nodes, op, PG_NODE(a), PG_NODE(b));
    return PG_LIKELY(pg_is_plain(node)) ? pg_wrap((pg_node)node) : pg_binary_end(node, op, a, b);
}

/* x ** k: a number as the exponent is a part of the operation. */
static PG_NOINLINE PyObject *pg_power_slowly(PyObject *a, PyObject *b)
{
    if (!PG_IS_VALUE(a) || PG_IS_VALUE(b)) return pg_binary_slowly(PG_OP_pow, a, b, 0);
    return pg_binary_slowly(PG_OP_pow_scalar, a, b, PyIndex_Check(b) ? PG_INTEGRAL : 0);
}

static PG_ENTRY(PyObject *, pg_power, (PyObject *a, PyObject *b, PyObject *modulus), (a, b, modulus))
{
    double k;
    int flags;
    pg_result node;
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    if (!PG_IS_EXACT(a) || !pg_exact_number(b, &k)) return pg_power_slowly(a, b);
    flags = PyLong_CheckExact(b) ? PG_INTEGRAL : 0;
    node = pg_record_constant(pg_nodes, PG_OP_pow_scalar, PG_NODE(a), k, 0, flags);
    if (PG_LIKELY(pg_is_plain(node))) return pg_wrap((pg_node)node);
    return node < 0 ? pg_power_slowly(a, b) : pg_finish(node, a, NULL);
}

static PG_NOINLINE PyObject *pg_unary_slowly(int op, PyObject *x, pg_result node)
{
    while (node == PG_FULL && pg_room()) node = pg_record_unary(pg_nodes, op, PG_NODE(x));
    return pg_finish(node, x, NULL);
}

PG_INLINE PyObject *pg_unary_operator(int op, PyObject *x)
{
    pg_result node = pg_record_unary(pg_nodes, op, PG_NODE(x));
    return PG_LIKELY(pg_is_plain(node)) ? pg_wrap((pg_node)node) : pg_unary_slowly(op, x, node);
}

/* The argument of a function: a Value as it is, a number as a new leaf. */
static PyObject *pg_to_value(PyObject *object)
{
    if (PG_IS_VALUE(object)) {
        Py_INCREF(object);
        return object;
    }
    return PyObject_CallFunctionObjArgs((PyObject *)pg_value_type, object, NULL);
}

static PyObject *pg_unary_function(int op, PyObject *argument)
{
    PyObject *x = pg_to_value(argument), *result = x ? pg_unary_operator(op, x) : NULL;
    Py_XDECREF(x);
    return result;
}

static PyObject *pg_binary_function(int op, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *x, *y, *result = NULL;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "%s takes 2 arguments, not %zd", pg_op(op)->name, count);
    x = pg_to_value(arguments[0]);
    y = x ? pg_to_value(arguments[1]) : NULL;
    if (y) result = pg_binary_slowly(op, x, y, 0);
    Py_XDECREF(x);
    Py_XDECREF(y);
    return result;
}

static PyObject *pg_binary_method(int op, PyObject *self, PyObject *other)
{
    PyObject *result = pg_binary_slowly(op, self, other, 0);
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
    return PyErr_Format(PyExc_TypeError, "%s takes a Value or a number, not %.200s", pg_op(op)->name,
                        Py_TYPE(other)->tp_name);
}

/* -- operations on lists ---------------------------------------------------------------------------- */

/* Copies the nodes of a list or tuple; 0 where not all of it are Values. */
static int pg_gather(PyObject *list, pg_node *nodes)
{
    PyObject **items = PySequence_Fast_ITEMS(list);
    for (Py_ssize_t i = 0, count = PySequence_Fast_GET_SIZE(list); i < count; i++) {
        if (!PG_IS_VALUE(items[i])) return 0;
        nodes[i] = PG_NODE(items[i]);
    }
    return 1;
}

/* A new tuple of Values, numbers made into leaves. Steals the reference to the list. */
static PyObject *pg_to_values(PyObject *list)
{
    PyObject *values = PySequence_Tuple(list);
    Py_ssize_t count = values ? PyTuple_GET_SIZE(values) : 0;
    PyObject *result = values ? PyTuple_New(count) : NULL;
    for (Py_ssize_t i = 0; result && i < count; i++) {
        PyObject *value = pg_to_value(PyTuple_GET_ITEM(values, i));
        if (value) PyTuple_SET_ITEM(result, i, value);
        else Py_CLEAR(result);
    }
    Py_XDECREF(values);
    Py_DECREF(list);
    return result;
}

/* The object of a node whose operands' objects must be held. */
static PyObject *pg_finish_fold(pg_result node, PyObject *xs, PyObject *ys)
{
    PyObject *operands = PySequence_Tuple(xs), *result = NULL;
    if (operands && ys) {
        PyObject *second = PySequence_Tuple(ys);
        Py_SETREF(operands, second ? PySequence_Concat(operands, second) : NULL);
        Py_XDECREF(second);
    }
    if (operands) result = pg_finish_list(node, operands);
    else pg_unref(pg_nodes, (pg_node)(node & (PG_KEPT - 1)));
    Py_XDECREF(operands);
    return result;
}

enum { PG_ROOM = 256, PG_NOT_VALUES = 1 };

/* Records a node with the operands of one list, or of two of equal length. PG_NOT_VALUES
 * where there is something else in them; negative with an exception set. */
static int pg_record_fold(int op, PyObject *xs, PyObject *ys, pg_result *node)
{
    Py_ssize_t n = PySequence_Fast_GET_SIZE(xs), count = ys ? 2 * n : n;
    pg_node room[PG_ROOM], *nodes = room;
    int status = PG_NOT_VALUES;
    if (ys && PySequence_Fast_GET_SIZE(ys) != n) {
        PyErr_Format(PyExc_ValueError, "%s needs lists of equal length, not %zd and %zd", pg_op(op)->name, n,
                     PySequence_Fast_GET_SIZE(ys));
        return -1;
    }
    if (count > PG_ROOM && !(nodes = PyMem_Malloc((size_t)count * sizeof *nodes))) {
        PyErr_NoMemory();
        return -1;
    }
    if (pg_gather(xs, nodes) && (!ys || pg_gather(ys, nodes + n))) {
        status = PG_OK;
        while ((*node = pg_record_list(pg_nodes, op, (size_t)count, nodes)) == PG_FULL && pg_room()) {}
    }
    if (nodes != room) PyMem_Free(nodes);
    return status;
}

/* An operation on one list or two (ys may be NULL). Steals the references to them. */
static PyObject *pg_fold(int op, PyObject *xs, PyObject *ys)
{
    PyObject *result = NULL;
    pg_result node;
    int status = pg_record_fold(op, xs, ys, &node);
    if (status == PG_NOT_VALUES) {
        int paired = ys != NULL;
        xs = pg_to_values(xs);
        if (xs && paired) ys = pg_to_values(ys);
        if (xs && (ys || !paired)) status = pg_record_fold(op, xs, ys, &node);
    }
    if (status == PG_OK) {
        if (PG_LIKELY(pg_is_plain(node))) result = pg_wrap((pg_node)node);
        else result = node < 0 ? pg_finish_list(node, NULL) : pg_finish_fold(node, xs, ys);
    }
    Py_XDECREF(xs);
    Py_XDECREF(ys);
    return result;
}

static PyObject *pg_fast_list(PyObject *argument)
{
    return pg_items(argument, "expected a list of Values or numbers");
}

static PyObject *pg_nary_function(int op, PyObject *argument)
{
    PyObject *xs = pg_fast_list(argument);
    return xs ? pg_fold(op, xs, NULL) : NULL;
}

static PyObject *pg_paired_function(int op, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *xs, *ys;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "%s takes 2 arguments, not %zd", pg_op(op)->name, count);
    if (!(xs = pg_fast_list(arguments[0]))) return NULL;
    if ((ys = pg_fast_list(arguments[1]))) return pg_fold(op, xs, ys);
    Py_DECREF(xs);
    return NULL;
}

/* -- slots, methods and functions, made from the op table --------------------------------------------- */

#define PG_OP_UNARY(name, symbol, formula, forward, dx, error)                                             \
    static PG_ENTRY(PyObject *, pg_method_##name, (PyObject *x, PyObject *unused), (x, unused))          \
    {                                                                                                      \
        (void)unused;                                                                                      \
        return pg_unary_operator(PG_OP_##name, x);                                                         \
    }                                                                                                      \
    static PG_ENTRY(PyObject *, pg_function_##name, (PyObject *module, PyObject *x), (module, x))        \
    {                                                                                                      \
        (void)module;                                                                                      \
        return pg_unary_function(PG_OP_##name, x);                                                         \
    }
#define PG_OP_BINARY(name, symbol, formula, forward, dx, dy, error)                                        \
    static PG_ENTRY(PyObject *, pg_method_##name, (PyObject *x, PyObject *y), (x, y))                    \
    {                                                                                                      \
        return pg_binary_method(PG_OP_##name, x, y);                                                       \
    }                                                                                                      \
    static PG_ENTRY(PyObject *, pg_function_##name,                                                        \
                    (PyObject *module, PyObject *const *arguments, Py_ssize_t count),                     \
                    (module, arguments, count))                                                            \
    {                                                                                                      \
        (void)module;                                                                                      \
        return pg_binary_function(PG_OP_##name, arguments, count);                                         \
    }
#define PG_OP_NARY(name, symbol, formula, forward, dx, error)                                              \
    static PG_ENTRY(PyObject *, pg_function_##name, (PyObject *module, PyObject *x), (module, x))        \
    {                                                                                                      \
        (void)module;                                                                                      \
        return pg_nary_function(PG_OP_##name, x);                                                          \
    }
#define PG_OP_PAIRED(name, symbol, formula, forward, dx, dy, error)                                        \
    static PG_ENTRY(PyObject *, pg_function_##name,                                                        \
                    (PyObject *module, PyObject *const *arguments, Py_ssize_t count),                     \
                    (module, arguments, count))                                                            \
    {                                                                                                      \
        (void)module;                                                                                      \
        return pg_paired_function(PG_OP_##name, arguments, count);                                         \
    }
#include "ops.def"

typedef struct pg_callable {
    int op;
    PyCFunction method;         /* NULL: none */
    int method_flags;
    PyCFunction function;
    int function_flags;
} pg_callable;

#define PG_FUNCTION(name) (PyCFunction)(void (*)(void))pg_function_##name

static const pg_callable pg_callables[] = {
#define PG_OP_UNARY(name, symbol, formula, forward, dx, error) \
    {PG_OP_##name, pg_method_##name, METH_NOARGS, PG_FUNCTION(name), METH_O},
#define PG_OP_BINARY(name, symbol, formula, forward, dx, dy, error) \
    {PG_OP_##name, pg_method_##name, METH_O, PG_FUNCTION(name), METH_FASTCALL},
#define PG_OP_NARY(name, symbol, formula, forward, dx, error) \
    {PG_OP_##name, NULL, 0, PG_FUNCTION(name), METH_O},
#define PG_OP_PAIRED(name, symbol, formula, forward, dx, dy, error) \
    {PG_OP_##name, NULL, 0, PG_FUNCTION(name), METH_FASTCALL},
#include "ops.def"
};

enum { PG_CALLABLES = sizeof pg_callables / sizeof *pg_callables };

#define PG_BINARY_SLOT(name)                                                                 \
    static PG_NOINLINE PyObject *pg_mixed_##name(PyObject *x, PyObject *y)                    \
    {                                                                                        \
        return pg_mixed_operator(PG_OP_##name, x, y);                                        \
    }                                                                                        \
    static PG_ENTRY(PyObject *, pg_slot_##name, (PyObject *x, PyObject *y), (x, y))         \
    {                                                                                        \
        if (PG_LIKELY(PG_IS_EXACT(x) && PG_IS_EXACT(y))) return pg_value_operator(PG_OP_##name, x, y); \
        return pg_mixed_##name(x, y);                                                        \
    }
#define PG_UNARY_SLOT(name) \
    static PG_ENTRY(PyObject *, pg_slot_##name, (PyObject *x), (x)) { return pg_unary_operator(PG_OP_##name, x); }
PG_BINARY_SLOT(add)
PG_BINARY_SLOT(sub)
PG_BINARY_SLOT(mul)
PG_BINARY_SLOT(div)
PG_UNARY_SLOT(neg)
PG_UNARY_SLOT(abs)

/* What Python spells with an operator has no method and no function of its name. */
static int pg_is_operator(int op)
{
    return op == PG_OP_add || op == PG_OP_sub || op == PG_OP_mul || op == PG_OP_div || op == PG_OP_pow ||
           op == PG_OP_neg;
}

int pg_check_value(PyObject *object)
{
    if (PG_IS_VALUE(object)) return pg_has_node(object);
    PyErr_Format(PyExc_TypeError, "expected a Value, not %.200s", Py_TYPE(object)->tp_name);
    return 0;
}

/* -- making a Value --------------------------------------------------------------------------------- */

/* `count` local gradients from a tuple. NULL and an exception where they are not that. */
double *pg_local_gradients(PyObject *gradients, Py_ssize_t count)
{
    double *local;
    if (PyTuple_GET_SIZE(gradients) != count) {
        PyErr_Format(PyExc_ValueError, "%zd children need %zd local gradients, not %zd", count, count,
                     PyTuple_GET_SIZE(gradients));
        return NULL;
    }
    local = PyMem_Malloc(count ? (size_t)count * sizeof *local : 1);
    if (!local) PyErr_NoMemory();
    for (Py_ssize_t i = 0; local && i < count; i++)
        if (!pg_required_number(PyTuple_GET_ITEM(gradients, i), "a local gradient", &local[i])) {
            PyMem_Free(local);
            local = NULL;
        }
    return local;
}

/* Records a leaf, or a custom operation: with local gradients, or with a name. Negative where it fails. */
static pg_result pg_record_value(double data, PyObject *operands, PyObject *op)
{
    const char *symbol = NULL;
    pg_values values;
    double *local = NULL;
    pg_result node = PG_NO_MEMORY;
    PyObject *gradients = NULL;
    if (!PyUnicode_Check(op)) {
        if (!(gradients = PySequence_Tuple(op))) return node;
        local = pg_local_gradients(gradients, PyTuple_GET_SIZE(operands));
        Py_DECREF(gradients);
        if (!local) return node;
    }
    else if (!(symbol = PyUnicode_AsUTF8(op))) return node;
    if (pg_take_values(operands, "_children", &values)) {
        do {
            if (values.count == 0) node = pg_record_leaf(pg_nodes, data);
            else node = pg_record_custom(pg_nodes, data, values.count, values.nodes, local, local ? NULL : symbol);
        } while (node == PG_FULL && pg_room());
        pg_drop_values(&values);
    }
    PyMem_Free(local);
    return node;
}

/* Value(data, _children=(), _op="", label=""), into an object that tp_new made or that has no node yet.
 * The arguments but the first may be NULL. */
static int pg_fill_value(PyObject *self, PyObject *data, PyObject *children, PyObject *op, PyObject *label)
{
    double number;
    pg_result node;
    PyObject *operands = NULL;
    int status, labelled;
    if (!pg_required_number(data, "data", &number)) return -1;
    if (children || (op && !PyUnicode_Check(op))) {
        operands = children ? PySequence_Tuple(children) : PyTuple_New(0);
        if (!operands) return -1;
        if (op) node = pg_record_value(number, operands, op);
        else {
            PyObject *none = PyUnicode_FromString("");
            node = none ? pg_record_value(number, operands, none) : PG_NO_MEMORY;
            Py_XDECREF(none);
        }
    }
    else while ((node = pg_record_leaf(pg_nodes, number)) == PG_FULL && pg_room()) {}
    status = pg_replace_node(PG_VALUE(self), node, operands);
    Py_XDECREF(operands);
    labelled = status == 0 && label ? PyObject_IsTrue(label) : 0;
    if (labelled > 0) return PyObject_SetAttrString(self, "label", label);
    return labelled < 0 ? -1 : status;
}

static PG_ENTRY(int, pg_value_init, (PyObject *self, PyObject *arguments, PyObject *keywords),
                (self, arguments, keywords))
{
    static char *names[] = {"data", "_children", "_op", "label", NULL};
    PyObject *data, *children = NULL, *op = NULL, *label = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|OOO:Value", names, &data, &children, &op, &label))
        return -1;
    return pg_fill_value(self, data, children, op, label);
}

/* Value(...) without a tuple of arguments: the way most are made. */
static PG_ENTRY(PyObject *, pg_value_vectorcall,
                (PyObject *type, PyObject *const *arguments, size_t flags, PyObject *names),
                (type, arguments, flags, names))
{
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    PyObject *tuple, *result;
    if (PG_LIKELY(!names && type == (PyObject *)pg_value_type && pg_value_type->tp_init == pg_value_init)) {
        double number;
        if (count == 1 && pg_exact_number(arguments[0], &number)) {
            pg_result node = pg_record_leaf(pg_nodes, number);
            if (PG_LIKELY(node > 0)) return pg_wrap((pg_node)node);
        }
        if (count >= 1 && count <= 4) {
            result = pg_value_new(pg_value_type, NULL, NULL);
            if (result && pg_fill_value(result, arguments[0], count > 1 ? arguments[1] : NULL,
                                        count > 2 ? arguments[2] : NULL, count > 3 ? arguments[3] : NULL) < 0)
                Py_CLEAR(result);
            return result;
        }
    }
    tuple = PyTuple_New(count);
    if (!tuple) return NULL;
    for (Py_ssize_t i = 0; i < count; i++) PyTuple_SET_ITEM(tuple, i, Py_NewRef(arguments[i]));
    result = NULL;
    {
        PyObject *keywords = names ? PyDict_New() : NULL;
        Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
        int fine = !names || keywords;
        for (Py_ssize_t i = 0; fine && i < named; i++)
            fine = PyDict_SetItem(keywords, PyTuple_GET_ITEM(names, i), arguments[count + i]) == 0;
        if (fine) result = PyType_Type.tp_call(type, tuple, keywords);
        Py_XDECREF(keywords);
    }
    Py_DECREF(tuple);
    return result;
}

/* -- attributes ------------------------------------------------------------------------------------- */

static PG_ENTRY(PyObject *, pg_get_data, (PyObject *self, void *unused), (self, unused))
{
    (void)unused;
    if (!pg_has_node(self)) return NULL;
    return PyFloat_FromDouble(pg_nodes->data[PG_NODE(self)]);
}

static PG_ENTRY(PyObject *, pg_get_grad, (PyObject *self, void *unused), (self, unused))
{
    (void)unused;
    if (!pg_has_node(self)) return NULL;
    return PyFloat_FromDouble(pg_nodes->grad[PG_NODE(self)]);
}

static int pg_to_set(PyObject *self, PyObject *object, const char *name, double *number)
{
    if (object) return pg_required_number(object, name, number) && pg_has_node(self);
    PyErr_Format(PyExc_AttributeError, "%s can't be deleted", name);
    return 0;
}

static PG_ENTRY(int, pg_set_data_of, (PyObject *self, PyObject *object, void *unused), (self, object, unused))
{
    double number;
    (void)unused;
    if (!pg_to_set(self, object, "data", &number)) return -1;
    pg_nodes->data[PG_NODE(self)] = number;
    return 0;
}

static PG_ENTRY(int, pg_set_grad_of, (PyObject *self, PyObject *object, void *unused), (self, object, unused))
{
    double number;
    (void)unused;
    if (!pg_to_set(self, object, "grad", &number)) return -1;
    pg_nodes->grad[PG_NODE(self)] = number;
    return 0;
}

static PG_ENTRY(PyObject *, pg_get_closure, (PyObject *self, void *unused), (self, unused))
{
    pg_held *held = PG_VALUE(self)->held;
    (void)unused;
    if (held && held->closure) return Py_NewRef(held->closure);
    return PyObject_GetAttrString(self, "_step");
}

static PG_ENTRY(int, pg_set_closure, (PyObject *self, PyObject *closure, void *unused), (self, closure, unused))
{
    pg_held *held;
    (void)unused;
    if (!closure || !PyCallable_Check(closure)) {
        if (!closure) PyErr_SetString(PyExc_AttributeError, "_backward can't be deleted");
        else PyErr_Format(PyExc_TypeError, "_backward must be callable, not %.200s", Py_TYPE(closure)->tp_name);
        return -1;
    }
    held = pg_keep_object(PG_VALUE(self));
    if (!held) return -1;
    pg_set_host_step(pg_nodes, PG_NODE(self), 1);
    Py_XSETREF(held->closure, Py_NewRef(closure));
    return 0;
}

/* The attributes of a Value that could be part of a cycle, or None. */
static PG_ENTRY(PyObject *, pg_get_attributes, (PyObject *self, void *unused), (self, unused))
{
    pg_held *held = PG_VALUE(self)->held;
    (void)unused;
    return Py_NewRef(held && held->attributes ? held->attributes : Py_None);
}

/* Gives Value a place for an attribute of that name, where it has none yet. -1 and an exception if it can't. */
static int pg_know_attribute(PyObject *name)
{
    PyObject *found = PyObject_GetAttr((PyObject *)pg_value_type, name);
    if (!found) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
        PyErr_Clear();
        found = PyObject_CallFunctionObjArgs(pg_new_attribute, name, NULL);
    }
    Py_XDECREF(found);
    return found ? 0 : -1;
}

static int pg_value_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    if (PG_IS_EXACT(self)) {
        if (name == pg_str_grad) return pg_set_grad_of(self, value, NULL);
        if (name == pg_str_data) return pg_set_data_of(self, value, NULL);
        if (value && pg_new_attribute && PyUnicode_Check(name) && pg_know_attribute(name)) return -1;
    }
    return PyObject_GenericSetAttr(self, name, value);
}

/* -- the reverse pass --------------------------------------------------------------------------------- */

/* Where a pass waits for a closure. */
typedef struct pg_stop {
    pg_pass *pass;
    PyObject *value, *closure;
} pg_stop;

/* The pass is over; it held the root, perhaps the last to do so. */
static int pg_close_pass(int status)
{
    if (pg_nodes->freed) pg_forget_freed();
    return status;
}

/* 1: the pass waits for a closure; 0: it is over; -1: an exception ended it. */
static PG_NOINLINE int pg_find_closure(pg_stop *at)
{
    for (; at->pass; at->pass = pg_run_pass(at->pass)) {
        pg_result node = pg_pass_node(at->pass);
        if (node < 0) {
            pg_raise((int)node);
            return pg_close_pass(-1);
        }
        if (!(at->value = pg_object_of((pg_node)node))) {
            pg_end_pass(at->pass);
            return pg_close_pass(-1);
        }
        if (PG_VALUE(at->value)->held && PG_VALUE(at->value)->held->closure) {
            at->closure = Py_NewRef(PG_VALUE(at->value)->held->closure);
            return 1;
        }
        Py_DECREF(at->value);
    }
    return pg_close_pass(0);
}

static PG_ENTRY(int, pg_begin_pass, (pg_stop *at, PyObject *root), (at, root))
{
    if (!pg_has_node(root)) return -1;
    at->pass = pg_start_pass(pg_nodes, PG_NODE(root));
    return PG_LIKELY(at->pass == NULL) ? 0 : pg_find_closure(at);
}

/* After the closure, which has raised an exception or not. */
static PG_ENTRY(int, pg_resume_pass, (pg_stop *at, int raised), (at, raised))
{
    if (raised) {
        pg_end_pass(at->pass);
        return pg_close_pass(-1);
    }
    at->pass = pg_run_pass(at->pass);
    return pg_find_closure(at);
}

/* Not an entry: a closure may do what any Python code may, beside other threads. */
static PyObject *pg_value_backward(PyObject *self, PyObject *unused)
{
    pg_stop at;
    int status = pg_begin_pass(&at, self);
    (void)unused;
    while (status > 0) {
        PyObject *done = PyObject_CallObject(at.closure, NULL);
        Py_DECREF(at.closure);
        Py_DECREF(at.value);
        Py_XDECREF(done);
        status = pg_resume_pass(&at, done == NULL);
    }
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

static PG_ENTRY(PyObject *, pg_value_step, (PyObject *self, PyObject *unused), (self, unused))
{
    (void)unused;
    if (!pg_has_node(self)) return NULL;
    pg_run_step(pg_nodes, PG_NODE(self));
    Py_RETURN_NONE;
}

/* -- the type ----------------------------------------------------------------------------------------- */

enum { PG_OWN_METHODS = 2 };

static PyMethodDef pg_methods[PG_OWN_METHODS + PG_CALLABLES + 1] = {
    {"backward", pg_value_backward, METH_NOARGS, NULL},
    {"_step", pg_value_step, METH_NOARGS, NULL},
};

static PyGetSetDef pg_getsets[] = {
    {"data", pg_get_data, pg_set_data_of, NULL, NULL},
    {"grad", pg_get_grad, pg_set_grad_of,
     NULL, NULL},
    {"_backward", pg_get_closure, pg_set_closure, NULL, NULL},
    {"_attributes", pg_get_attributes, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef pg_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(pg_value, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot pg_slots[] = {
    {Py_tp_new, pg_value_new},
    {Py_tp_init, pg_value_init},
    {Py_tp_dealloc, pg_value_dealloc},
    {Py_tp_traverse, pg_value_traverse},
    {Py_tp_clear, pg_value_clear},
    {Py_tp_setattro, pg_value_setattro},
    {Py_tp_methods, pg_methods},
    {Py_tp_getset, pg_getsets},
    {Py_tp_members, pg_members},
    {Py_nb_add, pg_slot_add},
    {Py_nb_subtract, pg_slot_sub},
    {Py_nb_multiply, pg_slot_mul},
    {Py_nb_true_divide, pg_slot_div},
    {Py_nb_power, pg_power},
    {Py_nb_negative, pg_slot_neg},
    {Py_nb_absolute, pg_slot_abs},
    {0, NULL},
};

static PyType_Spec pg_spec = {
    "pygrad.Value", sizeof(pg_value), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, pg_slots,
};

/* -- the module --------------------------------------------------------------------------------------- */

static PG_ENTRY(PyObject *, pg_live, (PyObject *module, PyObject *unused), (module, unused))
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLongLong(pg_live_nodes(pg_nodes));
}

static PG_ENTRY(PyObject *, pg_memory, (PyObject *module, PyObject *unused), (module, unused))
{
    (void)module, (void)unused;
    return Py_BuildValue("KK", (unsigned long long)pg_bytes(pg_nodes), (unsigned long long)pg_capacity(pg_nodes));
}

static PG_ENTRY(PyObject *, pg_operands_of, (PyObject *module, PyObject *value), (module, value))
{
    pg_node room[2];
    size_t count;
    const pg_node *nodes;
    PyObject *list;
    (void)module;
    if (!pg_check_value(value)) return NULL;
    nodes = pg_operand_list(pg_nodes, PG_NODE(value), room, &count);
    if (pg_op(pg_nodes->rec[PG_NODE(value)].op)->kind == PG_SCALAR) count = 1;  /* its number is no operand */
    list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *operand = pg_object_of(nodes[i]);
        if (operand) PyList_SET_ITEM(list, (Py_ssize_t)i, operand);
        else Py_CLEAR(list);
    }
    return list;
}

/* (op code, symbol, exponent): the exponent of a power by a number, else None. */
static PG_ENTRY(PyObject *, pg_describe, (PyObject *module, PyObject *value), (module, value))
{
    int integral, op;
    PyObject *exponent;
    (void)module;
    if (!pg_check_value(value)) return NULL;
    op = pg_nodes->rec[PG_NODE(value)].op;
    if (pg_op(op)->kind != PG_SCALAR) exponent = Py_NewRef(Py_None);
    else {
        double k = pg_scalar_of(pg_nodes, PG_NODE(value), &integral);
        exponent = integral ? PyLong_FromDouble(k) : PyFloat_FromDouble(k);
    }
    return exponent ? Py_BuildValue("isN", op, pg_symbol(pg_nodes, PG_NODE(value)), exponent) : NULL;
}

static PG_ENTRY(PyObject *, pg_has_closure, (PyObject *module, PyObject *value), (module, value))
{
    (void)module;
    if (!pg_check_value(value)) return NULL;
    return PyBool_FromLong(PG_VALUE(value)->held && PG_VALUE(value)->held->closure);
}

/* constants(value, create): the dict of attributes that live with the node, or None where there is none. */
static PG_ENTRY(PyObject *, pg_constants, (PyObject *module, PyObject *const *arguments, Py_ssize_t count),
                (module, arguments, count))
{
    PyObject *key, *found, *created = NULL;
    (void)module;
    if (count != 2) return PyErr_Format(PyExc_TypeError, "constants takes 2 arguments, not %zd", count);
    if (!pg_check_value(arguments[0]) || !(key = PyLong_FromUnsignedLong(PG_NODE(arguments[0])))) return NULL;
    found = PyDict_GetItemWithError(pg_labels, key);
    if (!found && !PyErr_Occurred() && arguments[1] == Py_True) {
        pg_nodes->rec[PG_NODE(arguments[0])].flags |= PG_LABELLED;
        created = PyDict_New();
        if (created && PyDict_SetItem(pg_labels, key, created) == 0) found = created;
    }
    if (!found && !PyErr_Occurred()) found = Py_None;
    Py_XINCREF(found);
    Py_XDECREF(created);
    Py_DECREF(key);
    return found;
}

/* The dict of attributes that live with the object, which graphs hold from now on. */
static PG_ENTRY(PyObject *, pg_kept_attributes, (PyObject *module, PyObject *value), (module, value))
{
    pg_held *held;
    (void)module;
    if (!pg_check_value(value)) return NULL;
    held = pg_keep_object(PG_VALUE(value));
    if (held && !held->attributes) held->attributes = PyDict_New();
    return held && held->attributes ? Py_NewRef(held->attributes) : NULL;
}

static PyObject *pg_on_new_attribute(PyObject *module, PyObject *function)
{
    (void)module;
    Py_XSETREF(pg_new_attribute, Py_NewRef(function));
    Py_RETURN_NONE;
}

#if PG_FREE_THREADED && defined(HAVE_FORK)
#define PG_FORK_HOOKS
static _Thread_local PyCriticalSection pg_fork_section;
static _Thread_local int pg_forks;      /* begun and not ended: what else is called before a fork may fork itself */

/* A thread that forks has the guard: in the child nobody else could give it back. */
static PyObject *pg_before_fork(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (pg_forks++ == 0) PyCriticalSection_Begin(&pg_fork_section, pg_guard);
    Py_RETURN_NONE;
}

static PyObject *pg_after_fork(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (--pg_forks == 0) PyCriticalSection_End(&pg_fork_section);
    Py_RETURN_NONE;
}
#endif

static PG_ENTRY(PyObject *, pg_verify, (PyObject *module, PyObject *unused), (module, unused))
{
    (void)module, (void)unused;
    return PyLong_FromLong(pg_check(pg_nodes));
}

static PyObject *pg_document(PyObject *module, PyObject *texts);

static PyMethodDef pg_functions[PG_CALLABLES + 1];
static PyMethodDef pg_module_methods[] = {
    {"live_nodes", pg_live, METH_NOARGS, NULL},
    {"memory", pg_memory, METH_NOARGS, NULL},
    {"operands", pg_operands_of, METH_O, NULL},
    {"describe", pg_describe, METH_O, NULL},
    {"has_closure", pg_has_closure, METH_O, NULL},
    {"constants", (PyCFunction)(void (*)(void))pg_constants, METH_FASTCALL, NULL},
    {"kept_attributes", pg_kept_attributes, METH_O, NULL},
    {"on_new_attribute", pg_on_new_attribute, METH_O, NULL},
    {"document", pg_document, METH_O, NULL},
    {"check", pg_verify, METH_NOARGS, NULL},
#ifdef PG_FORK_HOOKS
    {"before_fork", pg_before_fork, METH_NOARGS, NULL},
    {"after_fork", pg_after_fork, METH_NOARGS, NULL},
#endif
    {NULL, NULL, 0, NULL},
};

/* Gives methods, attributes and functions their docstrings, by name. The texts live as long as the process. */
static PyObject *pg_document(PyObject *module, PyObject *texts)
{
    PyObject *name, *text;
    Py_ssize_t at = 0;
    (void)module;
    if (!PyDict_Check(texts)) return PyErr_Format(PyExc_TypeError, "expected a dict");
    while (PyDict_Next(texts, &at, &name, &text)) {
        const char *member = PyUnicode_AsUTF8(name), *doc = PyUnicode_AsUTF8(text);
        int found = 0;
        if (!member || !doc) return NULL;
        for (PyMethodDef *method = pg_methods; method->ml_name; method++)
            if (!strcmp(method->ml_name, member)) method->ml_doc = doc, found = 1;
        for (PyMethodDef *function = pg_module_methods; function->ml_name; function++)
            if (!strcmp(function->ml_name, member)) function->ml_doc = doc, found = 1;
        for (PyGetSetDef *getset = pg_getsets; getset->name; getset++)
            if (!strcmp(getset->name, member)) getset->doc = doc, found = 1;
        if (!found) return PyErr_Format(PyExc_KeyError, "%s", member);
        Py_INCREF(text);
    }
    Py_RETURN_NONE;
}

/* The methods of Value and the functions that the op table gives. */
static void pg_fill_method_tables(void)
{
    PyMethodDef *method = pg_methods + PG_OWN_METHODS, *function = pg_functions;
    for (int i = 0; i < PG_CALLABLES; i++) {
        const pg_callable *callable = &pg_callables[i];
        const pg_op_info *info = pg_op(callable->op);
        if (pg_is_operator(callable->op)) continue;
        if (callable->method)
            *method++ = (PyMethodDef){info->name, callable->method, callable->method_flags, info->doc};
        *function++ = (PyMethodDef){info->name, callable->function, callable->function_flags, info->doc};
    }
}

static PyObject *pg_table(void)
{
    PyObject *table = PyList_New(0);
    const pg_op_info *info;
    for (int op = 0; table && (info = pg_op(op)); op++) {
        PyObject *line = Py_BuildValue("isssis", op, info->name, info->symbol, info->formula, info->kind, info->doc);
        if (!line || PyList_Append(table, line)) Py_CLEAR(table);
        Py_XDECREF(line);
    }
    return table;
}

static int pg_add(PyObject *module, const char *name, PyObject *object)     /* steals the reference */
{
    int status = object ? PyObject_SetAttrString(module, name, object) : -1;
    Py_XDECREF(object);
    return status;
}

static PyObject *pg_function_dict(PyObject *module)
{
    PyObject *functions = PyDict_New();
    for (PyMethodDef *function = pg_functions; functions && function->ml_name; function++) {
        PyObject *object = PyCFunction_NewEx(function, NULL, PyModule_GetNameObject(module));
        if (!object || PyDict_SetItemString(functions, function->ml_name, object)) Py_CLEAR(functions);
        Py_XDECREF(object);
    }
    return functions;
}

static int pg_execute(PyObject *module)
{
    static PyInterpreterState *home;
    if (home && home != PyInterpreterState_Get()) {
        PyErr_SetString(PyExc_ImportError, "pygrad's native backend serves one interpreter of a process, "
                                           "and another one has it; set PYGRAD_BACKEND=cffi");
        return -1;
    }
    if (!home) {
#if PG_FREE_THREADED
        if (!pg_guard && !(pg_guard = PyDict_New())) return -1;
#endif
        if (!pg_nodes && !(pg_nodes = pg_arena_new(0, NULL, NULL, 1))) {
            PyErr_NoMemory();
            return -1;
        }
        pg_fill_method_tables();
        pg_labels = PyDict_New();
        pg_str_data = PyUnicode_InternFromString("data");
        pg_str_grad = PyUnicode_InternFromString("grad");
        pg_value_type = (PyTypeObject *)PyType_FromSpec(&pg_spec);
        if (!pg_value_type || !pg_labels || !pg_str_data || !pg_str_grad) return -1;
        pg_value_type->tp_vectorcall = pg_value_vectorcall;
        home = PyInterpreterState_Get();
    }
    if (pg_add(module, "Value", Py_NewRef(pg_value_type))) return -1;
    if (pg_add(module, "table", pg_table())) return -1;
    if (PyModule_AddFunctions(module, pg_tools)) return -1;
    return pg_add(module, "functions", pg_function_dict(module));
}

static PyModuleDef_Slot pg_module_slots[] = {
    {Py_mod_exec, pg_execute},
#if PG_FREE_THREADED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef pg_module = {
    PyModuleDef_HEAD_INIT, "pygrad._native", "Value as a CPython type.", 0, pg_module_methods, pg_module_slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&pg_module);
}
