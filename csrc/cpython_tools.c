/* What the native backend offers to pygrad's Python modules beside Value: optimizers' steps, zeroing, copies. */
#include "cpython.h"

/* Takes the nodes of a list of Values, and holds the Values until pg_drop_values. 0 and an exception for others. */
int pg_take_values(PyObject *list, const char *what, pg_values *values)
{
    PyObject *items = PySequence_Tuple(list);
    if (!items) return 0;
    values->items = items;
    values->count = (size_t)PyTuple_GET_SIZE(items);
    values->nodes = PyMem_Malloc((values->count + 1) * sizeof *values->nodes);
    if (!values->nodes) PyErr_NoMemory();
    for (size_t i = 0; values->nodes && i < values->count; i++) {
        PyObject *value = PyTuple_GET_ITEM(items, (Py_ssize_t)i);
        int fine = PG_IS_VALUE(value) && pg_has_node(value);
        if (fine) values->nodes[i] = PG_NODE(value);
        else {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_TypeError, "%s must be Values, not %.200s", what, Py_TYPE(value)->tp_name);
            PyMem_Free(values->nodes);
            values->nodes = NULL;
        }
    }
    if (values->nodes) return 1;
    Py_DECREF(items);
    return 0;
}

void pg_drop_values(pg_values *values)
{
    PyMem_Free(values->nodes);
    Py_DECREF(values->items);
}

/* The doubles of a writable buffer with one for each node. None gives NULL. 0 and an exception otherwise. */
static int pg_state(PyObject *object, size_t count, Py_buffer *view, double **array)
{
    *array = NULL;
    view->obj = NULL;
    if (object == Py_None) return 1;
    if (PyObject_GetBuffer(object, view, PyBUF_WRITABLE)) return 0;
    if ((size_t)view->len != count * sizeof(double)) {
        PyErr_Format(PyExc_ValueError, "the state is of %zd bytes, not of %zu doubles", view->len, count);
        PyBuffer_Release(view);
        return 0;
    }
    *array = view->buf;
    return 1;
}

static PG_ENTRY(PyObject *, pg_call_sgd, (PyObject *module, PyObject *arguments), (module, arguments))
{
    PyObject *list, *state;
    pg_sgd_options o;
    int first;
    pg_values values;
    Py_buffer view;
    double *velocity;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OO(ddddpp)p", &list, &state, &o.lr, &o.momentum, &o.dampening, &o.weight_decay,
                          &o.nesterov, &o.maximize, &first))
        return NULL;
    if (!pg_take_values(list, "parameters", &values)) return NULL;
    if (pg_state(state, values.count, &view, &velocity)) {
        pg_sgd(pg_nodes, values.count, values.nodes, &o, velocity, first);
        if (view.obj) PyBuffer_Release(&view);
    }
    pg_drop_values(&values);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PG_ENTRY(PyObject *, pg_call_adam, (PyObject *module, PyObject *arguments), (module, arguments))
{
    PyObject *list, *states[3];
    pg_adam_options o;
    double step, *arrays[3];
    pg_values values;
    Py_buffer views[3];
    int ready = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOOO(dddddpp)d", &list, &states[0], &states[1], &states[2], &o.lr, &o.beta1,
                          &o.beta2, &o.eps, &o.weight_decay, &o.decoupled, &o.maximize, &step))
        return NULL;
    if (!pg_take_values(list, "parameters", &values)) return NULL;
    while (ready < 3 && pg_state(states[ready], values.count, &views[ready], &arrays[ready])) ready++;
    if (ready == 3 && arrays[0] && arrays[1])
        pg_adam(pg_nodes, values.count, values.nodes, &o, arrays[0], arrays[1], arrays[2], step);
    else if (ready == 3) PyErr_SetString(PyExc_TypeError, "Adam needs both moments");
    while (ready-- > 0)
        if (views[ready].obj) PyBuffer_Release(&views[ready]);
    pg_drop_values(&values);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PG_ENTRY(PyObject *, pg_call_zero_grads, (PyObject *module, PyObject *list), (module, list))
{
    pg_values values;
    (void)module;
    if (!pg_take_values(list, "parameters", &values)) return NULL;
    pg_zero_grads(pg_nodes, values.count, values.nodes);
    pg_drop_values(&values);
    Py_RETURN_NONE;
}

static PG_ENTRY(PyObject *, pg_call_zero_graph, (PyObject *module, PyObject *root), (module, root))
{
    int status;
    (void)module;
    if (!pg_check_value(root)) return NULL;
    status = pg_clear_graph(pg_nodes, PG_NODE(root));
    if (status) return pg_raise(status);
    Py_RETURN_NONE;
}

/* The local gradients of a custom operation, a tuple, or None. */
static PG_ENTRY(PyObject *, pg_call_local, (PyObject *module, PyObject *value), (module, value))
{
    const double *local;
    pg_node room[2];
    size_t count;
    PyObject *tuple;
    (void)module;
    if (!pg_check_value(value)) return NULL;
    local = pg_local(pg_nodes, PG_NODE(value));
    if (!local) Py_RETURN_NONE;
    pg_operand_list(pg_nodes, PG_NODE(value), room, &count);
    tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple && i < count; i++) {
        PyObject *gradient = PyFloat_FromDouble(local[i]);
        if (gradient) PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, gradient);
        else Py_CLEAR(tuple);
    }
    return tuple;
}

/* restore(op, data, grad, operands, exponent, symbol, local): see pg_restore. */
static PG_ENTRY(PyObject *, pg_call_restore, (PyObject *module, PyObject *arguments), (module, arguments))
{
    int op, integral;
    double data, grad, k = 0.0, *local = NULL;
    PyObject *operands, *exponent, *gradients, *result = NULL;
    const char *symbol;
    pg_values values;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "iddO!OsO", &op, &data, &grad, &PyTuple_Type, &operands, &exponent, &symbol,
                          &gradients))
        return NULL;
    integral = PyLong_Check(exponent);
    if (exponent != Py_None && !pg_required_number(exponent, "an exponent", &k)) return NULL;
    if (gradients != Py_None && !(local = pg_local_gradients(gradients, PyTuple_GET_SIZE(operands)))) return NULL;
    if (pg_take_values(operands, "operands", &values)) {
        pg_result node;
        do {
            node = pg_record_copy(pg_nodes, op, data, grad, values.count, values.nodes, k, integral, local,
                                  local ? NULL : symbol);
        } while (node == PG_FULL && pg_room());
        result = pg_finish_list(node, operands);
        pg_drop_values(&values);
    }
    PyMem_Free(local);
    return result;
}

PyMethodDef pg_tools[] = {
    {"sgd", pg_call_sgd, METH_VARARGS, NULL},
    {"adam", pg_call_adam, METH_VARARGS, NULL},
    {"zero_grads", pg_call_zero_grads, METH_O, NULL},
    {"zero_graph", pg_call_zero_graph, METH_O, NULL},
    {"local", pg_call_local, METH_O, NULL},
    {"restore", pg_call_restore, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
