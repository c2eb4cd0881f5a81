/* Looking at nodes, and what is attached to them. */
#include "module.h"

/* The objects of nodes that are held by another one. */
static PyObject *list_objects(pg_node holder, const pg_node *nodes, size_t count)
{
    PyObject *list;
    py_arena->nodes[holder].refs++;     /* a finalizer may give its object another node meanwhile */
    list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *object = py_object_of(nodes[i]);
        if (object) PyList_SET_ITEM(list, (Py_ssize_t)i, object);
        else Py_CLEAR(list);
    }
    py_release(holder);
    return list;
}

static PY_ENTRY(PyObject *, operands_of, (PyObject *module, PyObject *value), (module, value))
{
    pg_node pair[2];
    size_t count;
    const pg_node *nodes;
    if (!py_check_value(value)) return NULL;
    nodes = pgi_operands_of(py_arena, PY_NODE(value), pair, &count);
    return list_objects(PY_NODE(value), nodes, count);
}

/* (op code, symbol, exponent, whether it is an integer, local gradients): these are bytes, or None. */
static PY_ENTRY(PyObject *, raw_info, (PyObject *module, PyObject *value), (module, value))
{
    pg_node node;
    double exponent;
    size_t count;
    int is_int;
    PyObject *info;
    if (!py_check_value(value)) return NULL;
    node = PY_NODE(value);
    py_arena->nodes[node].refs++;       /* as in list_objects */
    exponent = pg_exponent(py_arena, node, &is_int);
    count = pg_operands(py_arena, node, 0, NULL);
    info = Py_BuildValue("iydiy#", py_arena->nodes[node].op, pg_symbol(py_arena, node), exponent, is_int,
                         (const char *)pg_partials(py_arena, node), (Py_ssize_t)(count * sizeof(double)));
    py_release(node);
    return info;
}

static PY_ENTRY(PyObject *, zero_graph, (PyObject *module, PyObject *root), (module, root))
{
    int status;
    if (!py_check_value(root)) return NULL;
    status = pgi_zero_graph(py_arena, PY_NODE(root));
    return status ? py_raise(status) : Py_NewRef(Py_None);
}

/* A list of the Values, among the root and all that it reaches, whose grad is not 0. */
static PY_ENTRY(PyObject *, nonzero_grads, (PyObject *module, PyObject *root), (module, root))
{
    pg_node few[32], *nodes = few, node;
    pg_result count;
    PyObject *list;
    if (!py_check_value(root)) return NULL;
    node = PY_NODE(root);
    count = pgi_nonzero_grads(py_arena, node, 32, few);
    if (count < 0) return py_raise((int)count);
    if (count > 32) {
        if (!(nodes = PyMem_New(pg_node, (size_t)count))) return PyErr_NoMemory();
        pgi_nonzero_grads(py_arena, node, (size_t)count, nodes);    /* nothing that could fail: it did before */
    }
    list = list_objects(node, nodes, (size_t)count);
    if (nodes != few) PyMem_Free(nodes);
    return list;
}

/* -- attached to a node ------------------------------------------------------------------------------- */

static PY_ENTRY(PyObject *, closure_of, (PyObject *module, PyObject *value), (module, value))
{
    py_held *held;
    if (!py_check_value(value)) return NULL;
    held = PY_VALUE(value)->held;
    return Py_NewRef(held && held->closure ? held->closure : Py_None);
}

PY_ENTRY(int, py_set_closure, (PyObject *value, PyObject *closure), (value, closure))
{
    int status;
    if (!py_check_value(value)) return -1;
    status = py_need_object(PY_VALUE(value));
    if (status < 0) return -1;
    if (!status || !pgi_set_external(py_arena, PY_NODE(value), 1)) {
        py_raise(PG_HAS_RESULTS);
        return -1;
    }
    Py_XSETREF(PY_VALUE(value)->held->closure, Py_NewRef(closure));
    return 0;
}

static PyObject *set_closure(PyObject *module, PyObject *arguments)
{
    PyObject *value, *closure;
    if (!PyArg_ParseTuple(arguments, "OO", &value, &closure)) return NULL;
    return py_set_closure(value, closure) < 0 ? NULL : Py_NewRef(Py_None);
}

/* node_attributes(value, create): the dict of attributes that live with the node, or None where there is none. */
static PY_ENTRY(PyObject *, node_attributes, (PyObject *module, PyObject *arguments), (module, arguments))
{
    PyObject *value, *key, *found, *created = NULL;
    int create;
    if (!PyArg_ParseTuple(arguments, "Op", &value, &create) || !py_check_value(value)) return NULL;
    if (create && !(created = PyDict_New())) return NULL;       /* first, as it may run a finalizer */
    key = PyLong_FromUnsignedLong(PY_NODE(value));
    if (create) py_arena->nodes[PY_NODE(value)].flags |= PG_NOTIFY_FREE;
    if (!key) found = NULL;
    else if (create) found = PyDict_SetDefault(py_node_attributes, key, created);
    else found = PyDict_GetItemWithError(py_node_attributes, key);
    if (!found && !PyErr_Occurred()) found = Py_None;
    Py_XINCREF(found);
    Py_XDECREF(created);
    Py_XDECREF(key);
    return found;
}

/* object_attributes(value, create): the dict of attributes that live with the object. None where there is none, or
 * where results were recorded already, which do not hold the object. */
static PY_ENTRY(PyObject *, object_attributes, (PyObject *module, PyObject *arguments), (module, arguments))
{
    PyObject *value;
    py_held *held;
    int create;
    if (!PyArg_ParseTuple(arguments, "Op", &value, &create) || !py_check_value(value)) return NULL;
    if (create) {
        int status = py_need_object(PY_VALUE(value));
        if (status < 0) return NULL;
        if (!status) Py_RETURN_NONE;
    }
    held = PY_VALUE(value)->held;
    if (create && !held->attributes && !(held->attributes = PyDict_New())) return NULL;
    return Py_NewRef(held && held->attributes ? held->attributes : Py_None);
}

PyMethodDef py_inspect_functions[] = {
    {"operands", operands_of, METH_O, NULL},
    {"raw_info", raw_info, METH_O, NULL},
    {"zero_graph", zero_graph, METH_O, NULL},
    {"nonzero_grads", nonzero_grads, METH_O, NULL},
    {"closure", closure_of, METH_O, NULL},
    {"set_closure", set_closure, METH_VARARGS, NULL},
    {"node_attributes", node_attributes, METH_VARARGS, NULL},
    {"object_attributes", object_attributes, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
