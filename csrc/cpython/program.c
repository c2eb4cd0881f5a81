/* What programs, which are reached through cffi, need of the native backend: its arena, and objects of its nodes. */
#include "module.h"

static PyObject *arena_address(PyObject *module, PyObject *unused) { return PyLong_FromVoidPtr(py_arena); }

static PY_ENTRY(PyObject *, grow, (PyObject *module, PyObject *unused), (module, unused))
{ return py_grow() ? Py_NewRef(Py_None) : NULL; }

/* The number of a Value's node. */
static PyObject *node_of(PyObject *module, PyObject *value)
{ return py_check_value(value) ? PyLong_FromUnsignedLong(PY_NODE(value)) : NULL; }

/* Those of a list of Values, as an array. */
static PY_ENTRY(PyObject *, nodes_of, (PyObject *module, PyObject *list), (module, list))
{
    py_values values;
    PyObject *nodes;
    if (!py_take_values(list, &values)) return NULL;
    nodes = PyBytes_FromStringAndSize((const char *)values.nodes, (Py_ssize_t)(values.count * sizeof *values.nodes));
    py_drop_values(&values);
    return nodes;
}

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
    return py_finish_many(result, result >= PG_HOLD_OPERANDS ? Py_NewRef(operands) : NULL);
}

enum { PY_FEW = 16 };

/* The numbers and nodes of arguments. Returns whether all are exact numbers and Values. */
static int take_arguments(PyObject *sequence, uint32_t count, double *numbers, pg_node *nodes)
{
    for (uint32_t i = 0; i < count; i++) {
        PyObject *argument = PySequence_Fast_GET_ITEM(sequence, i);
        if (PY_IS_EXACT(argument)) nodes[i] = PY_NODE(argument);
        else if (py_exact_number(argument, &numbers[i])) nodes[i] = 0;
        else return 0;
    }
    return 1;
}

/* _call(address of a pg_function, a tuple or list of numbers and Values): what it makes of them. None where that takes
 * another way: something failed, or is to be held. */
static PY_ENTRY(PyObject *, call, (PyObject *module, PyObject *const *arguments, Py_ssize_t count),
                (module, arguments, count))
{
    const pg_function *function;
    double few[PY_FEW + PY_FEW / 2], *numbers = few;    /* and nodes behind them */
    pg_node *nodes;
    pg_result result = PG_FAILED;
    if (count != 2 || !(PyTuple_Check(arguments[1]) || PyList_Check(arguments[1]))) Py_RETURN_NONE;
    if (!(function = PyLong_AsVoidPtr(arguments[0])) && PyErr_Occurred()) return NULL;
    if (PySequence_Fast_GET_SIZE(arguments[1]) != function->arguments) Py_RETURN_NONE;
    if (function->arguments > PY_FEW &&
        !(numbers = PyMem_Malloc(function->arguments * (sizeof *numbers + sizeof *nodes))))
        return PyErr_NoMemory();
    nodes = (pg_node *)(numbers + (numbers == few ? PY_FEW : function->arguments));
    if (take_arguments(arguments[1], function->arguments, numbers, nodes))
        result = pg_call(py_arena, function, numbers, nodes);
    if (numbers != few) PyMem_Free(numbers);
    if (PG_LIKELY(py_is_plain(result))) return py_wrap((pg_node)result);
    if (result > 0) pgi_release(py_arena, pgi_node_of(result));
    Py_RETURN_NONE;
}

PyMethodDef py_program_functions[] = {
    {"arena_address", arena_address, METH_NOARGS, NULL},
    {"_call", (PyCFunction)(void (*)(void))call, METH_FASTCALL, NULL},
    {"_grow", grow, METH_NOARGS, NULL},
    {"node_of", node_of, METH_O, NULL},
    {"nodes_of", nodes_of, METH_O, NULL},
    {"object_of", object_of, METH_O, NULL},
    {"adopt", adopt, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
