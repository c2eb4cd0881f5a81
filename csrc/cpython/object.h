/* Inside the native backend: a Value as CPython sees it, and how it comes and goes.
 *
 * The guard (guard.h) keeps the arena to one thread at a time, so the files here call the library's inner functions,
 * which don't lock. Where arguments come unchecked from Python they call the public ones, which check. */
#ifndef PYGRAD_CPYTHON_OBJECT_H
#define PYGRAD_CPYTHON_OBJECT_H

#include "guard.h"

#include "pass.h"
#include "record.h"

#if PY_VERSION_HEX < 0x030A0000
#define Py_NewRef(object) (Py_INCREF(object), (PyObject *)(object))
#endif

/* What a Value carries beyond its node: all of it may be part of a reference cycle. */
typedef struct py_held {
    PyObject *operands;         /* a tuple: whose closures or attributes this graph needs */
    PyObject *closure;
    PyObject *attributes;       /* a dict */
} py_held;

typedef struct py_value {
    PyObject_HEAD pg_node node;               /* the object has a reference to it; PG_NO_NODE before __init__ */
    py_held *held;              /* NULL for most; with it, the garbage collector tracks the object */
    PyObject *weakrefs;
} py_value;

/* Values held while the library works on their nodes, from py_take_values to py_drop_values. */
typedef struct py_values {
    PyObject *items;            /* a tuple or list */
    size_t count;
    pg_node *nodes;
} py_values;

enum { PY_MOST_FREE = 1024 };

extern pg_arena *py_arena;              /* all nodes of the process */
extern PyTypeObject *py_value_type;
extern PyObject *py_node_attributes;    /* node number -> dict of the attributes that live with the node */
extern PyObject *py_convert;            /* interface.py's `number` */
extern py_value *py_freelist[PY_MOST_FREE];     /* dead objects of the exact type, for use again */
extern int py_free_count;

#define PY_VALUE(object) ((py_value *)(object))
#define PY_NODE(object) (PY_VALUE(object)->node)
#define PY_IS_EXACT(object) (Py_TYPE(object) == py_value_type)
#define PY_IS_VALUE(object) PyObject_TypeCheck(object, py_value_type)

/* Arguments. What returns an int is 0, with an exception, where it fails. */
void *py_raise(int status);
int py_number(PyObject *object, double *number);        /* also -1 */
int py_has_node(PyObject *value);
int py_check_value(PyObject *object);
int py_take_values(PyObject *list, py_values *values);
void py_drop_values(py_values *values);
int py_take_partials(PyObject *tuple, Py_ssize_t count, double **partials);
int py_grow(void);

/* Objects of nodes. */
PyObject *py_wrap_new(pg_node node);
PyObject *py_finish(pg_result result, PyObject *a, PyObject *b);
PyObject *py_finish_many(pg_result result, PyObject *operands);
PyObject *py_object_of(pg_node node);
py_held *py_hold(py_value *value);
int py_need_object(py_value *value);
int py_set_closure(PyObject *value, PyObject *closure);
int py_replace_node(py_value *value, pg_result result, PyObject *operands);
void py_release(pg_node node);
void py_forget_freed(void);

void py_value_dealloc(PyObject *self);
int py_value_traverse(PyObject *self, visitproc visit, void *arg);
int py_value_clear(PyObject *self);

/* From now on the object is the node's. */
static inline void py_link(py_value *value, pg_node node)
{
    value->node = node;
    py_arena->objects[node] = value;
#if PY_FREE_THREADED
    PyUnstable_EnableTryIncRef((PyObject *)value);
#endif
}

/* Takes a strong reference to an object that the arena knows weakly. Returns 0 if its deallocation has begun (in
 * another thread, or in 3.14's queue of deep deallocations); the caller then makes a new object for the node. */
static inline int py_try_reference(py_value *value)
{
#if PY_FREE_THREADED
    return PyUnstable_TryIncRef((PyObject *)value);
#else
    if (Py_REFCNT(value) == 0) return 0;
    Py_INCREF(value);
    return 1;
#endif
}

/* Puts a dead object of the exact type on the free list. 0 where that is full, and without the GIL: there each thread
 * has an allocator of its own, and each object a thread. */
static inline int py_keep_free(py_value *value)
{
    if (PY_FREE_THREADED || PG_UNLIKELY(py_free_count == PY_MOST_FREE)) return 0;
    py_freelist[py_free_count++] = value;
    return 1;
}

/* An object for a reference to a node, which it takes over. */
static inline PyObject *py_wrap(pg_node node)
{
    py_value *value;
    if (PG_UNLIKELY(py_free_count == 0)) return py_wrap_new(node);
    value = py_freelist[--py_free_count];
#ifdef Py_REF_DEBUG
    _Py_NewReference((PyObject *)value);
#else
    Py_SET_REFCNT((PyObject *)value, 1);
#endif
    py_link(value, node);
    return (PyObject *)value;
}

/* Whether recording gave a node, and nothing is left to do but to wrap it. */
static inline int py_is_plain(pg_result result) { return (uint64_t)result - 1 < (uint64_t)PG_HOLD_OPERANDS - 1; }

static inline int py_small_int(PyObject *object, double *number)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)object)) return 0;
    *number = (double)PyUnstable_Long_CompactValue((PyLongObject *)object);
#else
    Py_ssize_t size = Py_SIZE(object);      /* digits, with the number's sign */
    if (size < -1 || size > 1) return 0;
    *number = size ? (double)(size * (Py_ssize_t)((PyLongObject *)object)->ob_digit[0]) : 0.0;
#endif
    return 1;
}

/* A number of the exact types, which most are. */
static inline int py_exact_number(PyObject *object, double *number)
{
    if (PyFloat_CheckExact(object)) {
        *number = PyFloat_AS_DOUBLE(object);
        return 1;
    }
    if (PyLong_CheckExact(object)) {
        if (py_small_int(object, number)) return 1;
        *number = PyLong_AsDouble(object);
        if (PG_LIKELY(*number != -1.0 || !PyErr_Occurred())) return 1;
        PyErr_Clear();      /* too large: the slow path meets it again */
    }
    return 0;
}

#endif
