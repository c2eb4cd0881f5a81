/* A Value's life: made, held for others' sake, collected, freed. */
#include "object.h"

pg_arena *py_arena;
PyTypeObject *py_value_type;
PyObject *py_node_attributes, *py_convert;
py_value *py_freelist[PY_MOST_FREE];
int py_free_count;

/* -- arguments ------------------------------------------------------------------------------------ */

void *py_raise(int status)
{
    PyObject *builtins = PyEval_GetBuiltins();
    PyObject *exception = builtins ? PyDict_GetItemString(builtins, pg_status_exception(status)) : NULL;
    if (exception) PyErr_SetString(exception, pg_status_text(status));
    else PyErr_NoMemory();
    return NULL;
}

int py_has_node(PyObject *value)
{
    if (PG_LIKELY(PY_NODE(value))) return 1;
    PyErr_Format(PyExc_AttributeError, "this %.200s has no data: its __init__ must call Value.__init__",
                 Py_TYPE(value)->tp_name);
    return 0;
}

int py_check_value(PyObject *object)
{
    if (PY_IS_VALUE(object)) return py_has_node(object);
    PyErr_Format(PyExc_TypeError, "expected a Value, not %.200s", Py_TYPE(object)->tp_name);
    return 0;
}

/* More room in the arena, where recording has answered PG_FULL. */
int py_grow(void)
{
    int status = pgi_grow(py_arena, 0);
    if (status) py_raise(status);
    return status == PG_OK;
}

/* 1: a number; 0: none; -1: an exception. What a number is stands in interface.py. */
int py_number(PyObject *object, double *number)
{
    PyObject *result;
    int found;
    if (py_exact_number(object, number)) return 1;
    if (!(result = PyObject_CallFunctionObjArgs(py_convert, object, NULL))) return -1;
    found = result != Py_NotImplemented;
    if (found) *number = PyFloat_AsDouble(result);
    Py_DECREF(result);
    return found;
}

int py_take_values(PyObject *list, py_values *values)
{
    int fine;
    /* A list is taken as it is where no other thread can change it: no Python code runs while its nodes are used. */
    values->items = PyList_CheckExact(list) && !PY_FREE_THREADED ? Py_NewRef(list) : PySequence_Tuple(list);
    if (!values->items) return 0;
    values->count = (size_t)PySequence_Fast_GET_SIZE(values->items);
    fine = (values->nodes = PyMem_New(pg_node, values->count)) != NULL;
    if (!fine) PyErr_NoMemory();
    for (size_t i = 0; fine && i < values->count; i++) {
        PyObject *value = PySequence_Fast_GET_ITEM(values->items, (Py_ssize_t)i);
        fine = PY_IS_VALUE(value) && py_has_node(value);
        if (fine) values->nodes[i] = PY_NODE(value);
        else if (!PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "parameters must be Values, not %.200s", Py_TYPE(value)->tp_name);
    }
    if (!fine) py_drop_values(values);
    return fine;
}

void py_drop_values(py_values *values)
{
    PyMem_Free(values->nodes);
    Py_DECREF(values->items);
}

/* Takes the numbers of a tuple, to be freed with PyMem_Free. 1: taken; 0: not a tuple of `count` numbers of the exact
 * types; -1: no memory, and an exception. */
int py_take_partials(PyObject *tuple, Py_ssize_t count, double **partials)
{
    Py_ssize_t taken = 0;
    if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) != count) return 0;
    if (!(*partials = PyMem_Malloc((size_t)(count + 1) * sizeof **partials))) {
        PyErr_NoMemory();
        return -1;
    }
    while (taken < count && py_exact_number(PyTuple_GET_ITEM(tuple, taken), *partials + taken)) taken++;
    if (taken == count) return 1;
    PyMem_Free(*partials);
    *partials = NULL;
    return 0;
}

/* -- nodes let go of ------------------------------------------------------------------------------ */

/* Drops the attributes of freed nodes. Without memory a node stays on the list of freed ones, and its slot is not
 * reused. Dropping them can run Python code, and suspend the guard: so a node is done with before that. */
PG_NOINLINE void py_forget_freed(void)
{
    pg_node node;
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    while ((node = pgi_pop_freed(py_arena))) {
        PyObject *key = PyLong_FromUnsignedLong(node);
        PyObject *attributes = key ? PyDict_GetItemWithError(py_node_attributes, key) : NULL;
        Py_XINCREF(attributes);
        if (attributes) PyDict_DelItem(py_node_attributes, key);
        Py_XDECREF(key);
        if (PyErr_Occurred()) {
            pgi_quarantine(py_arena, node);
            break;
        }
        pgi_recycle(py_arena, node);
        Py_XDECREF(attributes);
    }
    PyErr_Restore(type, error, trace);
}

/* Gives a reference to a node back. */
void py_release(pg_node node)
{
    pgi_release(py_arena, node);
    if (PG_UNLIKELY(py_arena->freed)) py_forget_freed();
}

/* The same for the reference that an object has. */
static inline void release_node(const py_value *value, pg_node node)
{
    if (py_arena->objects[node] == value) py_arena->objects[node] = NULL;   /* it may have got another object */
    py_release(node);
}

/* -- made ----------------------------------------------------------------------------------------- */

static py_value *new_object(void)
{
    py_value *value = PyObject_GC_New(py_value, py_value_type);
    if (!value) return NULL;
    value->node = PG_NO_NODE;
    value->held = NULL;
    value->weakrefs = NULL;
    return value;
}

static void delete_object(py_value *value)
{
    PyObject_GC_Del(value);
    Py_DECREF(py_value_type);
}

PG_NOINLINE PyObject *py_wrap_new(pg_node node)
{
    py_value *value = new_object();
    if (value) py_link(value, node);
    else pgi_release(py_arena, node);
    return (PyObject *)value;
}

/* Sees to it that py_wrap does not allocate: up to 3.11 that may run the collector, and finalizers. */
static int ensure_free_object(void)
{
    py_value *value;
    if (PY_FREE_THREADED || py_free_count) return 1;
    if (!(value = new_object())) return 0;
    if (!py_keep_free(value)) delete_object(value);     /* a collection has filled the list meanwhile */
    return 1;
}

static int hold_operands(py_value *value, PyObject *operands)
{
    py_held *held = py_hold(value);
    if (held) Py_XSETREF(held->operands, Py_NewRef(operands));
    return held != NULL;
}

/* Gives an object the node that was recorded for it, in place of the one it had. -1 and an exception where none was. */
int py_replace_node(py_value *value, pg_result result, PyObject *operands)
{
    pg_node old = value->node;
    if (result < 0) {
        if (!PyErr_Occurred()) py_raise((int)result);
        return -1;
    }
    py_link(value, pgi_node_of(result));
    if (old) release_node(value, old);
    if (result & PG_HOLD_OPERANDS && !hold_operands(value, operands)) return -1;
    return PY_IS_EXACT(value) || py_need_object(value) > 0 ? 0 : -1;
}

/* The result of recording from the operands a and b (b may be NULL): its object, or NULL and an exception. */
PyObject *py_finish(pg_result result, PyObject *a, PyObject *b)
{
    PyObject *operands = NULL;
    if (result >= PG_HOLD_OPERANDS) {
        if (b && PY_IS_VALUE(a) && PY_IS_VALUE(b)) operands = PyTuple_Pack(2, a, b);
        else operands = PyTuple_Pack(1, PY_IS_VALUE(a) ? a : b);
    }
    return py_finish_many(result, operands);
}

/* The same for a tuple of operands, whose reference it takes over. NULL: none are to be held, or an exception. */
PyObject *py_finish_many(pg_result result, PyObject *operands)
{
    PyObject *object = NULL;
    int fine = operands || result < PG_HOLD_OPERANDS;
    if (result < 0) return PyErr_Occurred() ? NULL : py_raise((int)result);
    for (Py_ssize_t i = 0; fine && operands && i < PyTuple_GET_SIZE(operands); i++)
        fine = py_has_node(PyTuple_GET_ITEM(operands, i));
    if (!fine) pgi_release(py_arena, pgi_node_of(result));
    else if ((object = py_wrap(pgi_node_of(result))) && operands && !hold_operands(PY_VALUE(object), operands))
        Py_CLEAR(object);
    Py_XDECREF(operands);
    return object;
}

/* The one object of a node that somebody else holds a reference to. If it is dying, a new one takes its place, and what
 * it still carries: operands, a closure, attributes. */
PyObject *py_object_of(pg_node node)
{
    py_value *value;
    py_held *empty = NULL;
    PyObject *object;
    if (!ensure_free_object()) return NULL;
    value = py_arena->objects[node];
    if (value && py_try_reference(value)) return (PyObject *)value;
    if (value && value->held && !(empty = PyMem_Calloc(1, sizeof *empty))) return PyErr_NoMemory();
    py_arena->nodes[node].refs++;
    object = py_wrap(node);
    if (object && empty) {
        PY_VALUE(object)->held = value->held;
        value->held = empty;        /* not NULL, as its deallocation is to take the slow path */
        PyObject_GC_Track(object);
    }
    else PyMem_Free(empty);
    return object;
}

/* -- held ----------------------------------------------------------------------------------------- */

py_held *py_hold(py_value *value)
{
    if (!value->held) {
        value->held = PyMem_Calloc(1, sizeof *value->held);
        if (!value->held) PyErr_NoMemory();
        else if (!PyObject_GC_IsTracked((PyObject *)value)) PyObject_GC_Track(value);
    }
    return value->held;
}

/* From now on results hold a reference to this object. 0 where some were recorded already, which don't; -1 and an
 * exception where it has no node, or memory is short. */
int py_need_object(py_value *value)
{
    if (!py_has_node((PyObject *)value) || !py_hold(value)) return -1;
    return pgi_need_object(py_arena, value->node) == PG_OK;
}

int py_value_traverse(PyObject *self, visitproc visit, void *arg)
{
    py_held *held = PY_VALUE(self)->held;
    Py_VISIT(Py_TYPE(self));
    if (held) {
        Py_VISIT(held->operands);
        Py_VISIT(held->closure);
        Py_VISIT(held->attributes);
    }
    return 0;
}

PY_ENTRY(int, py_value_clear, (PyObject *self), (self))
{
    py_held *held = PY_VALUE(self)->held;
    if (held) {
        Py_CLEAR(held->operands);
        Py_CLEAR(held->closure);
        Py_CLEAR(held->attributes);
    }
    return 0;
}

/* -- freed ---------------------------------------------------------------------------------------- */

static PG_NOINLINE void dealloc_slow(PyObject *self)
{
    py_value *value = PY_VALUE(self);
    PyTypeObject *type = Py_TYPE(self);
    pg_node node = value->node;
    PyObject_GC_UnTrack(self);
    value->node = PG_NO_NODE;
    if (node) release_node(value, node);
    Py_TRASHCAN_BEGIN(self, py_value_dealloc)       /* which may call again, later, what is not plain then either */
        if (value->weakrefs) PyObject_ClearWeakRefs(self);
    py_value_clear(self);
    PyMem_Free(value->held);
    value->held = NULL;
    if (type != py_value_type || !py_keep_free(value)) {
        type->tp_free(self);
        Py_DECREF(type);
    }
    Py_TRASHCAN_END
}

static inline PY_ENTRY(int, delete_value, (PyObject *self), (self))
{
    py_value *value = PY_VALUE(self);
    if (PG_UNLIKELY(!PY_IS_EXACT(self) || value->held || value->weakrefs)) {
        dealloc_slow(self);
        return 0;
    }
    release_node(value, value->node);
    if (!py_keep_free(value)) delete_object(value);
    return 0;
}

void py_value_dealloc(PyObject *self)
{
    if (PY_FREE_THREADED) PyObject_GC_UnTrack(self);    /* while it waits, the collector must not find it dead */
    delete_value(self);
}
