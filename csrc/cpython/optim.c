/* Steps of optimizers, on the Values of a list. */
#include "optim.h"
#include "module.h"

/* The doubles of a writable buffer with one for each node. None gives NULL. 0 and an exception otherwise. */
static int state_array(PyObject *object, size_t count, Py_buffer *view, double **array)
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

static PY_ENTRY(PyObject *, call_sgd, (PyObject *module, PyObject *arguments), (module, arguments))
{
    PyObject *list, *state;
    pg_sgd_options o;
    int first;
    py_values values;
    Py_buffer view;
    double *velocity;
    if (!PyArg_ParseTuple(arguments, "OO(ddddpp)p", &list, &state, &o.lr, &o.momentum, &o.dampening, &o.weight_decay,
                          &o.nesterov, &o.maximize, &first))
        return NULL;
    if (!py_take_values(list, "parameters", &values)) return NULL;
    if (state_array(state, values.count, &view, &velocity)) {
        pgi_sgd(py_arena, values.count, values.nodes, &o, velocity, first);
        if (view.obj) PyBuffer_Release(&view);
    }
    py_drop_values(&values);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PY_ENTRY(PyObject *, call_adam, (PyObject *module, PyObject *arguments), (module, arguments))
{
    PyObject *list, *states[3];
    pg_adam_options o;
    double step, *arrays[3];
    py_values values;
    Py_buffer views[3];
    int ready = 0;
    if (!PyArg_ParseTuple(arguments, "OOOO(dddddpp)d", &list, &states[0], &states[1], &states[2], &o.lr, &o.beta1,
                          &o.beta2, &o.eps, &o.weight_decay, &o.decoupled, &o.maximize, &step))
        return NULL;
    if (!py_take_values(list, "parameters", &values)) return NULL;
    while (ready < 3 && state_array(states[ready], values.count, &views[ready], &arrays[ready])) ready++;
    if (ready == 3 && arrays[0] && arrays[1])
        pgi_adam(py_arena, values.count, values.nodes, &o, arrays[0], arrays[1], arrays[2], step);
    else if (ready == 3) PyErr_SetString(PyExc_TypeError, "Adam needs both moments");
    while (ready-- > 0)
        if (views[ready].obj) PyBuffer_Release(&views[ready]);
    py_drop_values(&values);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PY_ENTRY(PyObject *, call_zero_grads, (PyObject *module, PyObject *list), (module, list))
{
    py_values values;
    if (!py_take_values(list, "parameters", &values)) return NULL;
    pgi_zero_grads(py_arena, values.count, values.nodes);
    py_drop_values(&values);
    Py_RETURN_NONE;
}

PyMethodDef py_optim_functions[] = {
    {"sgd", call_sgd, METH_VARARGS, NULL},
    {"adam", call_adam, METH_VARARGS, NULL},
    {"zero_grads", call_zero_grads, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
