/* Value as a CPython type: how one is made, data and grad, and the type itself. What is unusual is Python's, in
 * interface.py. */
#include "module.h"

#include <structmember.h>

static PyObject *str_data, *str_grad, *str_backward;    /* interned */
static PyObject *call_type;                 /* type.__call__, bound to Value */
static PyObject *initialize;                /* Value.__init__ for all that is not Value(number) */
static PyObject *new_attribute;             /* called with the name of an attribute that Value does not have */
static PyObject *required_number;           /* what an attribute's new value is as a number */

/* -- making a Value --------------------------------------------------------------------------------- */

static pg_result record_leaf(double data)
{
    pg_result node;
    while ((node = pgi_record_leaf(py_arena, data)) == PG_FULL && py_grow()) {}
    return node;
}

/* fill(value, op, data, grad, operands, exponent, exponent is an integer, symbol, local gradients or None): gives an
 * object the node that is described so, as pg_restore makes it. */
static PY_ENTRY(PyObject *, fill, (PyObject *module, PyObject *arguments), (module, arguments))
{
    PyObject *self, *list, *gradients;
    int op, is_int, taken = 1;
    double data, grad, exponent, *partials = NULL;
    const char *symbol;
    py_values operands;
    pg_result node;
    if (!PyArg_ParseTuple(arguments, "O!iddOdpyO", py_value_type, &self, &op, &data, &grad, &list, &exponent, &is_int,
                          &symbol, &gradients))
        return NULL;
    if (!py_take_values(list, &operands)) return NULL;
    if (gradients != Py_None) taken = py_take_partials(gradients, (Py_ssize_t)operands.count, &partials);
    if (taken == 0) py_raise(PG_BAD_COUNT);
    if (taken > 0) {
        do {
            node = pg_restore(py_arena, op, data, grad, operands.count, operands.nodes, exponent, is_int, partials,
                              partials ? NULL : symbol);
        } while (node == PG_FULL && py_grow());
        py_replace_node(PY_VALUE(self), node, operands.items);
    }
    PyMem_Free(partials);
    py_drop_values(&operands);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* For subclasses, whose __init__ records the node, and for what else does not come by the vectorcall. */
static PY_ENTRY(PyObject *, value_new, (PyTypeObject * type, PyObject *arguments, PyObject *keywords),
                (type, arguments, keywords))
{ return type == py_value_type ? py_finish_many(record_leaf(NAN), NULL) : type->tp_alloc(type, 0); }

/* Gives an object its node where nothing is unusual: Value(number), or Value(number, tuple of Values, tuple of
 * numbers or string). 1: it has one; 0: something is unusual; -1: an exception. */
static int fill_plain(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *children, *op;
    py_values operands;
    const char *symbol = NULL;
    double data, *partials = NULL;
    Py_ssize_t length;
    pg_result node;
    int status;
    if ((count != 1 && count != 3) || !py_exact_number(arguments[0], &data)) return 0;
    if (count == 1) return py_replace_node(PY_VALUE(self), record_leaf(data), NULL) < 0 ? -1 : 1;
    children = arguments[1], op = arguments[2];
    if (!PyTuple_CheckExact(children) || !PyTuple_GET_SIZE(children)) return 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(children); i++)
        if (!PY_IS_VALUE(PyTuple_GET_ITEM(children, i))) return 0;
    if (PyUnicode_CheckExact(op) && PyUnicode_IS_COMPACT_ASCII(op)) {
        symbol = PyUnicode_AsUTF8AndSize(op, &length);
        if (!symbol || (size_t)length != strlen(symbol)) return symbol ? 0 : -1;
    }
    else if ((status = py_take_partials(op, PyTuple_GET_SIZE(children), &partials)) <= 0) return status;
    status = -1;
    if (py_take_values(children, &operands)) {
        do {
            node = pgi_record_custom(py_arena, data, operands.count, operands.nodes, partials, symbol);
        } while (node == PG_FULL && py_grow());
        status = py_replace_node(PY_VALUE(self), node, children);
        py_drop_values(&operands);
    }
    PyMem_Free(partials);
    return status < 0 ? -1 : 1;
}

static PY_ENTRY(int, value_init, (PyObject *self, PyObject *arguments, PyObject *keywords), (self, arguments, keywords))
{
    PyObject *method, *done;
    if (!keywords) {
        int filled = fill_plain(self, PySequence_Fast_ITEMS(arguments), PyTuple_GET_SIZE(arguments));
        if (filled) return filled < 0 ? -1 : 0;
    }
    method = PyMethod_New(initialize, self);
    done = method ? PyObject_Call(method, arguments, keywords) : NULL;
    Py_XDECREF(method);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Value(...) without a tuple of arguments: the way most are made. */
static PY_ENTRY(PyObject *, value_vectorcall,
                (PyObject *type, PyObject *const *arguments, size_t flags, PyObject *names),
                (type, arguments, flags, names))
{
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if (PG_LIKELY(!names && py_value_type->tp_init == value_init)) {
        double number;
        if (count == 1 && py_exact_number(arguments[0], &number)) {
            pg_result node = pgi_record_leaf(py_arena, number);
            if (PG_LIKELY(node > 0)) return py_wrap((pg_node)node);
        }
        if (count == 3) {
            PyObject *result = value_new(py_value_type, NULL, NULL);
            int filled = result ? fill_plain(result, arguments, count) : -1;
            if (filled > 0) return result;
            Py_XDECREF(result);
            if (filled < 0) return NULL;
        }
    }
    return PyObject_Vectorcall(call_type, arguments, flags, names);
}

/* -- data and grad ---------------------------------------------------------------------------------- */

#define IS_GRAD ((void *)1)

/* data, or grad where `is_grad` is not NULL. */
static PY_ENTRY(PyObject *, get_number, (PyObject *self, void *is_grad), (self, is_grad))
{ return py_has_node(self) ? PyFloat_FromDouble((is_grad ? py_arena->grad : py_arena->data)[PY_NODE(self)]) : NULL; }

PG_INLINE PY_ENTRY(int, set_number, (PyObject *self, PyObject *object, void *is_grad), (self, object, is_grad))
{
    const char *name = is_grad ? "grad" : "data";
    double number;
    if (!object) {
        PyErr_Format(PyExc_AttributeError, "%s can't be deleted", name);
        return -1;
    }
    if (!py_exact_number(object, &number)) {
        PyObject *converted = PyObject_CallFunction(required_number, "Os", object, name);
        if (!converted) return -1;
        number = PyFloat_AsDouble(converted);
        Py_DECREF(converted);
    }
    if (!py_has_node(self)) return -1;
    (is_grad ? py_arena->grad : py_arena->data)[PY_NODE(self)] = number;
    return 0;
}

/* -- other attributes ------------------------------------------------------------------------------- */

/* Gives Value a place for an attribute of that name, where it has none yet. -1 and an exception if it can't. */
static int know_attribute(PyObject *name)
{
    PyObject *found = PyObject_GetAttr((PyObject *)py_value_type, name);
    if (!found) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
        PyErr_Clear();
        found = PyObject_CallFunctionObjArgs(new_attribute, name, NULL);
    }
    Py_XDECREF(found);
    return found ? 0 : -1;
}

static int value_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    if (PY_IS_EXACT(self)) {
        if (name == str_grad) return set_number(self, value, IS_GRAD);
        if (name == str_data) return set_number(self, value, NULL);
        if (name == str_backward && value && PyCallable_Check(value)) return py_set_closure(self, value);
        if (value && PyUnicode_Check(name) && know_attribute(name)) return -1;
    }
    return PyObject_GenericSetAttr(self, name, value);
}

/* use(initialize, new_attribute, number, required_number): functions of interface.py, which stay for ever. */
static PyObject *use(PyObject *module, PyObject *functions)
{
    if (!PyArg_ParseTuple(functions, "OOOO", &initialize, &new_attribute, &py_convert, &required_number)) return NULL;
    Py_INCREF(functions);
    Py_RETURN_NONE;
}

/* -- the type --------------------------------------------------------------------------------------- */

PyMethodDef py_value_methods[PY_OWN_METHODS + PG_OP_COUNT + 1] = {
    {"backward", py_value_backward, METH_NOARGS, NULL},
    {"_step", py_value_step, METH_NOARGS, NULL},
};

PyMethodDef py_value_functions[] = {
    {"fill", fill, METH_VARARGS, NULL},
    {"use", use, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getsets[] = {
    {"data", get_number, set_number, NULL, NULL},
    {"grad", get_number, set_number, NULL, IS_GRAD},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(py_value, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* Twice, as CPython 3.9 drops the first; the text itself is in docs.py. */
#define SIGNATURE "Value(data, _children=(), _op='', label='')\n--\n\n"

static PyType_Slot own_slots[] = {
    {Py_tp_doc, (void *)(SIGNATURE SIGNATURE)},
    {Py_tp_new, value_new},
    {Py_tp_init, value_init},
    {Py_tp_dealloc, py_value_dealloc},
    {Py_tp_traverse, py_value_traverse},
    {Py_tp_clear, py_value_clear},
    {Py_tp_setattro, value_setattro},
    {Py_tp_methods, py_value_methods},
    {Py_tp_getset, getsets},
    {Py_tp_members, members},
};

PyTypeObject *py_make_value_type(void)
{
    PyType_Slot slots[40];
    PyType_Spec spec = {"pygrad.Value", sizeof(py_value), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
    size_t count = sizeof own_slots / sizeof *own_slots;
    PyTypeObject *type;
    memcpy(slots, own_slots, sizeof own_slots);
    for (const PyType_Slot *slot = py_operator_slots; slot->slot; slot++) slots[count++] = *slot;
    slots[count] = (PyType_Slot){0, NULL};
    str_data = PyUnicode_InternFromString("data");
    str_grad = PyUnicode_InternFromString("grad");
    str_backward = PyUnicode_InternFromString("_backward");
    type = str_data && str_grad && str_backward ? (PyTypeObject *)PyType_FromSpec(&spec) : NULL;
    if (!type || !(call_type = PyObject_GetAttrString((PyObject *)type, "__call__"))) return NULL;
    type->tp_vectorcall = value_vectorcall;
    type->tp_name = "Value";    /* messages show it, and those about Python's classes have no module in them */
    return type;
}
