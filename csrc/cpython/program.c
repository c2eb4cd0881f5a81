/* What programs, which are reached through cffi, need of the native backend: its arena, and objects of its nodes. */
#include "module.h"

static PyObject *arena_address(PyObject *module, PyObject *unused) { return PyLong_FromVoidPtr(py_arena); }

static PY_ENTRY(PyObject *, grow, (PyObject *module, PyObject *unused), (module, unused))
{ return py_grow() ? Py_NewRef(Py_None) : NULL; }

/* The number of a Value's node. */
static PyObject *node_of(PyObject *module, PyObject *value)
{ return py_check_value(value) ? PyLong_FromUnsignedLong(PY_NODE(value)) : NULL; }

/* The object of a node in use. */
static PY_ENTRY(PyObject *, object_of, (PyObject *module, PyObject *number), (module, number))
{
    const unsigned long node = PyLong_AsUnsignedLong(number);
    if (node == (unsigned long)-1 && PyErr_Occurred()) return NULL;
    if (node > UINT32_MAX || !pgi_in_use(py_arena, (pg_node)node)) return py_raise(PG_BAD_NODE);
    return py_object_of((pg_node)node);
}

/* adopt(result, operands): the object of what was recorded, whose reference it takes over. The operands are a tuple. */
static PY_ENTRY(PyObject *, adopt, (PyObject *module, PyObject *arguments), (module, arguments))
{
    long long result;
    PyObject *operands;
    if (!PyArg_ParseTuple(arguments, "LO!", &result, &PyTuple_Type, &operands)) return NULL;
    return py_finish_many(result, operands);
}

PyMethodDef py_program_functions[] = {
    {"arena_address", arena_address, METH_NOARGS, NULL},
    {"grow", grow, METH_NOARGS, NULL},
    {"node_of", node_of, METH_O, NULL},
    {"object_of", object_of, METH_O, NULL},
    {"adopt", adopt, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
