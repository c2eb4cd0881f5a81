/* Steps of optimizers, on the Values of a list. */
#include "optim.h"
#include "module.h"

/* A converter of PyArg_ParseTuple: the view of a writable buffer, or for None of nothing. */
static int take_state(PyObject *object, void *view)
{
    if (!object) PyBuffer_Release(view);
    else if (object == Py_None) memset(view, 0, sizeof(Py_buffer));
    else if (PyObject_GetBuffer(object, view, PyBUF_WRITABLE)) return 0;
    return Py_CLEANUP_SUPPORTED;
}

/* Whether a state is nothing, or has a double for each node. If not, an exception. */
static int fits(const Py_buffer *view, size_t count)
{
    if (!view->obj || (size_t)view->len == count * sizeof(double)) return 1;
    PyErr_Format(PyExc_ValueError, "the state is of %zd bytes, not of %zu doubles", view->len, count);
    return 0;
}

static PY_ENTRY(PyObject *, call_sgd, (PyObject *module, PyObject *arguments), (module, arguments))
{
    PyObject *list;
    pg_sgd_options o;
    py_values values;
    Py_buffer velocity;
    int first;
    if (!PyArg_ParseTuple(arguments, "OO&(ddddpp)p", &list, take_state, &velocity, &o.lr, &o.momentum, &o.dampening,
                          &o.weight_decay, &o.nesterov, &o.maximize, &first))
        return NULL;
    if (py_take_values(list, &values)) {
        if (fits(&velocity, values.count)) pgi_sgd(py_arena, values.count, values.nodes, &o, velocity.buf, first);
        py_drop_values(&values);
    }
    PyBuffer_Release(&velocity);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PY_ENTRY(PyObject *, call_adam, (PyObject *module, PyObject *arguments), (module, arguments))
{
    PyObject *list;
    pg_adam_options o;
    py_values values;
    Py_buffer mean, square, top;
    double step;
    if (!PyArg_ParseTuple(arguments, "OO&O&O&(dddddpp)d", &list, take_state, &mean, take_state, &square, take_state,
                          &top, &o.lr, &o.beta1, &o.beta2, &o.eps, &o.weight_decay, &o.decoupled, &o.maximize, &step))
        return NULL;
    if (!mean.obj || !square.obj) PyErr_SetString(PyExc_TypeError, "Adam needs both moments");
    else if (py_take_values(list, &values)) {
        if (fits(&mean, values.count) && fits(&square, values.count) && fits(&top, values.count))
            pgi_adam(py_arena, values.count, values.nodes, &o, mean.buf, square.buf, top.buf, step);
        py_drop_values(&values);
    }
    PyBuffer_Release(&mean);
    PyBuffer_Release(&square);
    PyBuffer_Release(&top);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PY_ENTRY(PyObject *, call_zero_grads, (PyObject *module, PyObject *list), (module, list))
{
    py_values values;
    if (!py_take_values(list, &values)) return NULL;
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
