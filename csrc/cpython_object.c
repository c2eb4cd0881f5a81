/* A Value's life: made, kept for others' sake, collected, freed. */
#include "cpython.h"

pg_arena *pg_nodes;
PyTypeObject *pg_value_type;
PyObject *pg_labels;
pg_value *pg_spares[PG_SPARES];
int pg_spare_count;

/* -- errors and numbers --------------------------------------------------------------------------- */

void *pg_raise(int status)
{
    PyObject *builtins = PyEval_GetBuiltins();
    PyObject *exception = builtins ? PyDict_GetItemString(builtins, pg_status_exception(status)) : NULL;
    if (exception) PyErr_SetString(exception, pg_status_text(status));
    else PyErr_NoMemory();
    return NULL;
}

/* 0 and an exception for an object whose __init__ has not run. */
int pg_has_node(PyObject *value)
{
    if (PG_LIKELY(PG_NODE(value))) return 1;
    PyErr_Format(PyExc_AttributeError, "this %.200s has no data: its __init__ must call Value.__init__",
                 Py_TYPE(value)->tp_name);
    return 0;
}

/* More room in the arena, where recording has answered PG_FULL: 0 and an exception when there is none. */
int pg_room(void)
{
    int status = pg_make_more_room(pg_nodes);
    if (status) pg_raise(status);
    return status == PG_OK;
}

/* 1: a number; 0: none; -1: an exception. What a number is stands in _shared.py. */
int pg_number(PyObject *object, double *number)
{
    static PyObject *convert;
    PyObject *result;
    if (pg_exact_number(object, number)) return 1;
    if (!convert) {
        PyObject *shared = PyImport_ImportModule("pygrad._shared");
        if (shared) convert = PyObject_GetAttrString(shared, "number");
        Py_XDECREF(shared);
        if (!convert) return -1;
    }
    result = PyObject_CallFunctionObjArgs(convert, object, NULL);
    if (!result) return -1;
    if (result == Py_NotImplemented) {
        Py_DECREF(result);
        return 0;
    }
    *number = PyFloat_AsDouble(result);
    Py_DECREF(result);
    return *number == -1.0 && PyErr_Occurred() ? -1 : 1;
}

int pg_required_number(PyObject *object, const char *what, double *number)
{
    int found = pg_number(object, number);
    if (!found)
        PyErr_Format(PyExc_TypeError, "%s must be a real number, not %.200s", what, Py_TYPE(object)->tp_name);
    return found > 0;
}

/* -- nodes let go of --------------------------------------------------------------------------------- */

/* Forgets the attributes stored under a node's number. 0 where there is no memory to look for them. */
static int pg_forget_attributes(pg_node node)
{
    PyObject *key = PyLong_FromUnsignedLong(node);
    if (key && PyDict_GetItemWithError(pg_labels, key)) PyDict_DelItem(pg_labels, key);
    Py_XDECREF(key);
    if (!PyErr_Occurred()) return 1;
    PyErr_Clear();
    return 0;
}

/* Nodes with something stored under their number have been freed: forget what was stored. What memory does
 * not suffice for stays for the next time; its slots are not used before. Each node is off the list while what
 * it had is deleted: there the guard may give way to another thread that comes here. */
PG_NOINLINE void pg_forget_freed(void)
{
    pg_node node;
    pg_value *owned = NULL;
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    while ((node = pg_pop_freed(pg_nodes))) {
        pg_value *value;
        if (!pg_forget_attributes(node)) {
            pg_not_forgotten(pg_nodes, node);
            break;
        }
        if ((value = pg_nodes->host[node])) {
            value->held->next = owned;
            value->node = 0;
            value->owned = 0;
            owned = value;
            pg_nodes->host[node] = NULL;
        }
        pg_forgotten(pg_nodes, node);
    }
    while (owned) {         /* only now: this may run Python code, and free more nodes */
        pg_value *value = owned;
        owned = value->held->next;
        Py_DECREF(value);
    }
    PyErr_Restore(type, error, trace);
}

static inline void pg_let_go(const pg_value *value, pg_node node)
{
    if (pg_nodes->host[node] == value) pg_nodes->host[node] = NULL;     /* it may have got another object */
    if (--pg_nodes->rec[node].refs == 0) {
        pg_free_nodes(pg_nodes, node);
        if (PG_UNLIKELY(pg_nodes->freed)) pg_forget_freed();
    }
}

/* -- made ------------------------------------------------------------------------------------------- */

static pg_value *pg_new_object(void)
{
    pg_value *value = PyObject_GC_New(pg_value, pg_value_type);
    if (!value) return NULL;
    value->late = value->owned = 0;
    value->held = NULL;
    value->weakrefs = NULL;
    return value;
}

PG_NOINLINE PyObject *pg_wrap_new(pg_node node)
{
    pg_value *value = pg_new_object();
    if (value) pg_link(value, node);
    else pg_unref(pg_nodes, node);
    return (PyObject *)value;
}

/* Sees to it that pg_wrap does not allocate: up to 3.11 that may run the collector, and finalizers. */
static int pg_stock(void)
{
    pg_value *value;
    if (PG_FREE_THREADED || pg_spare_count) return 1;
    if (!(value = pg_new_object())) return 0;
    return pg_spare(value);
}

/* Gives an object the node that __init__ has recorded, in place of the one it had. */
int pg_replace_node(pg_value *value, pg_result result, PyObject *operands)
{
    pg_node old = value->node, node = (pg_node)(result & (PG_KEPT - 1));
    if (result < 0) {
        if (!PyErr_Occurred()) pg_raise((int)result);
        return -1;
    }
    pg_link(value, node);
    if (old) pg_let_go(value, old);
    if (result & PG_KEPT) {
        pg_held *held = pg_hold(value);
        if (!held) return -1;
        Py_XINCREF(operands);
        Py_XSETREF(held->operands, operands);
    }
    if (!PG_IS_EXACT(value) && !pg_keep_object(value)) return -1;
    return 0;
}

/* For subclasses, whose __init__ records the node, and for what else does not come by the vectorcall. */
PG_ENTRY(PyObject *, pg_value_new, (PyTypeObject *type, PyObject *arguments, PyObject *keywords),
         (type, arguments, keywords))
{
    pg_value *value;
    pg_result node;
    (void)arguments, (void)keywords;
    if (type != pg_value_type) return type->tp_alloc(type, 0);
    while ((node = pg_record_leaf(pg_nodes, NAN)) == PG_FULL && pg_room()) {}
    if (node < 0) return PyErr_Occurred() ? NULL : pg_raise((int)node);
    value = (pg_value *)type->tp_alloc(type, 0);
    if (!value) {
        pg_unref(pg_nodes, (pg_node)node);
        return NULL;
    }
    PyObject_GC_UnTrack(value);
    pg_link(value, (pg_node)node);
    return (PyObject *)value;
}

/* The result of recording, from the operands a and b (b may be NULL): its object, or NULL and an exception. */
PyObject *pg_finish(pg_result node, PyObject *a, PyObject *b)
{
    PyObject *operands = NULL, *result;
    if (node >= PG_KEPT) {
        if (!b || !PG_IS_VALUE(b)) operands = PyTuple_Pack(1, a);
        else operands = PG_IS_VALUE(a) ? PyTuple_Pack(2, a, b) : PyTuple_Pack(1, b);
        if (!operands) {
            pg_unref(pg_nodes, (pg_node)(node & (PG_KEPT - 1)));
            return NULL;
        }
    }
    result = pg_finish_list(node, operands);
    Py_XDECREF(operands);
    return result;
}

PyObject *pg_finish_list(pg_result node, PyObject *operands)
{
    PyObject *result;
    if (node < 0) return PyErr_Occurred() ? NULL : pg_raise((int)node);
    for (Py_ssize_t i = 0; node >= PG_KEPT && i < PyTuple_GET_SIZE(operands); i++)
        if (!pg_has_node(PyTuple_GET_ITEM(operands, i))) {
            pg_unref(pg_nodes, (pg_node)(node & (PG_KEPT - 1)));
            return NULL;
        }
    result = pg_wrap((pg_node)(node & (PG_KEPT - 1)));
    if (result && node >= PG_KEPT) {
        pg_held *held = pg_hold(PG_VALUE(result));
        if (!held) {
            Py_DECREF(result);
            return NULL;
        }
        Py_INCREF(operands);
        held->operands = operands;
    }
    return result;
}

/* An object for a reference to a node that has none, or one about to die: what that carries goes to the new one. */
static PyObject *pg_wrap_anew(pg_value *dying, pg_node node)
{
    pg_held *empty = NULL;
    PyObject *object;
    if (dying && dying->held && !(empty = PyMem_Calloc(1, sizeof *empty))) {
        pg_unref(pg_nodes, node);
        return PyErr_NoMemory();
    }
    object = pg_wrap(node);
    if (object && empty) {
        PG_VALUE(object)->held = dying->held;
        PG_VALUE(object)->late = dying->late;
        dying->held = empty;        /* not NULL: as pg_delete is to see that it is not plain */
        dying->late = 0;
        PyObject_GC_Track(object);
    }
    else PyMem_Free(empty);
    return object;
}

/* The one object of a node that somebody else holds a reference to. */
PyObject *pg_object_of(pg_node node)
{
    pg_value *value;
    if (!pg_stock()) return NULL;
    value = pg_nodes->host[node];
    if (value && !value->owned && pg_try_reference(value)) return (PyObject *)value;
    pg_nodes->rec[node].refs++;
    if (!value || !value->owned) return pg_wrap_anew(value, node);
    value->owned = 0;           /* the arena's reference is the caller's now */
    return (PyObject *)value;
}

/* -- kept ------------------------------------------------------------------------------------------- */

pg_held *pg_hold(pg_value *value)
{
    if (!value->held) {
        value->held = PyMem_Calloc(1, sizeof *value->held);
        if (!value->held) PyErr_NoMemory();
        else if (!PyObject_GC_IsTracked((PyObject *)value)) PyObject_GC_Track(value);
    }
    return value->held;
}

/* From now on the objects of results hold this one. Those of earlier results do not: while any of their
 * nodes is left the object must not die, nor the collector take it for garbage. */
pg_held *pg_keep_object(pg_value *value)
{
    pg_record *r = &pg_nodes->rec[value->node];
    pg_held *held = pg_has_node((PyObject *)value) ? pg_hold(value) : NULL;
    if (held && !(r->flags & PG_KEEP)) {
        r->flags |= PG_KEEP;
        value->late = r->refs > 1;
    }
    return held;
}

int pg_value_traverse(PyObject *self, visitproc visit, void *arg)
{
    pg_value *value = PG_VALUE(self);
    pg_held *held = value->held;
    Py_VISIT(Py_TYPE(self));
    if (held && !(value->late && pg_nodes->rec[value->node].refs > 1)) {
        Py_VISIT(held->operands);
        Py_VISIT(held->closure);
        Py_VISIT(held->attributes);
    }
    return 0;
}

PG_ENTRY(int, pg_value_clear, (PyObject *self), (self))
{
    pg_held *held = PG_VALUE(self)->held;
    if (held) {
        Py_CLEAR(held->operands);
        Py_CLEAR(held->closure);
        Py_CLEAR(held->attributes);
    }
    return 0;
}

/* -- freed ------------------------------------------------------------------------------------------ */

static PG_NOINLINE void pg_dealloc_slowly(PyObject *self)
{
    pg_value *value = PG_VALUE(self);
    PyTypeObject *type = Py_TYPE(self);
    pg_node node = value->node;
    PyObject_GC_UnTrack(self);
    if (value->late && value->weakrefs) PyObject_ClearWeakRefs(self);   /* its callbacks may make another object */
    if (value->late && node && pg_nodes->rec[node].refs > 1) {
        Py_SET_REFCNT(self, 1);         /* its results need it: the arena holds it from now on */
        PyObject_GC_Track(self);
        value->owned = 1;
        pg_nodes->rec[node].flags |= PG_LABELLED;
        pg_nodes->rec[node].refs--;
        return;
    }
    value->node = 0;
    if (node) pg_let_go(value, node);
    Py_TRASHCAN_BEGIN(self, pg_value_dealloc)       /* which may call again, later, what is not plain then either */
    if (value->weakrefs) PyObject_ClearWeakRefs(self);
    pg_value_clear(self);
    PyMem_Free(value->held);
    value->held = NULL;
    value->late = 0;
    if (type != pg_value_type || !pg_spare(value)) {
        type->tp_free(self);
        Py_DECREF(type);
    }
    Py_TRASHCAN_END
}

static inline PG_ENTRY(int, pg_delete, (PyObject *self), (self))
{
    pg_value *value = PG_VALUE(self);
    if (PG_UNLIKELY(!PG_IS_EXACT(self) || value->held || value->weakrefs)) {
        pg_dealloc_slowly(self);
        return 0;
    }
    pg_let_go(value, value->node);
    if (!pg_spare(value)) {
        PyObject_GC_Del(self);
        Py_DECREF(pg_value_type);
    }
    return 0;
}

void pg_value_dealloc(PyObject *self)
{
    if (PG_FREE_THREADED) PyObject_GC_UnTrack(self);    /* while it waits, the collector must not find it dead */
    pg_delete(self);
}
