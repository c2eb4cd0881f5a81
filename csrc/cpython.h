/* Inside the native backend: a Value as CPython sees it, and how it comes and goes. The arena is one thread's
 * at a time (cpython_guard.h): nothing here gives it up while the arena is in use. */
#ifndef PYGRAD_CPYTHON_H
#define PYGRAD_CPYTHON_H

#include "cpython_guard.h"

#include "arena.h"
#include "pass.h"

#if PY_VERSION_HEX < 0x030A0000
static inline PyObject *pg_new_reference(PyObject *object)
{
    Py_INCREF(object);
    return object;
}
#define Py_NewRef(object) pg_new_reference((PyObject *)(object))
#endif
#ifndef Py_SETREF       /* private before 3.12 */
#define Py_SETREF(place, object)                 \
    do {                                         \
        PyObject *replaced = (PyObject *)(place); \
        (place) = (object);                      \
        Py_DECREF(replaced);                     \
    } while (0)
#define Py_XSETREF(place, object)                \
    do {                                         \
        PyObject *replaced = (PyObject *)(place); \
        (place) = (object);                      \
        Py_XDECREF(replaced);                    \
    } while (0)
#endif

/* What a Value carries beyond its node: all of it may be part of a reference cycle. */
typedef struct pg_held {
    PyObject *operands;         /* a tuple: whose closures or attributes this graph needs */
    PyObject *closure;
    PyObject *attributes;       /* a dict */
    struct pg_value *next;      /* see pg_forget_freed */
} pg_held;

typedef struct pg_value {
    PyObject_HEAD
    pg_node node;
    uint8_t late;               /* it got a closure or attribute after results that do not hold it */
    uint8_t owned;              /* nobody holds it but those results: the arena does, for them */
    pg_held *held;              /* NULL for most; with it, the garbage collector tracks the object */
    PyObject *weakrefs;
} pg_value;

/* Values held while the library works on their nodes. */
typedef struct pg_values {
    PyObject *items;            /* a tuple */
    size_t count;
    pg_node *nodes;
} pg_values;

enum { PG_SPARES = 1024 };

extern pg_arena *pg_nodes;              /* all nodes of the process */
extern PyTypeObject *pg_value_type;
extern PyObject *pg_labels;             /* node number -> dict of attributes that are plain constants */
extern pg_value *pg_spares[PG_SPARES];  /* dead objects of the exact type, for use again */
extern int pg_spare_count;
extern PyMethodDef pg_tools[];          /* cpython_tools.c */

#define PG_VALUE(object) ((pg_value *)(object))
#define PG_NODE(object) (PG_VALUE(object)->node)
#define PG_IS_EXACT(object) (Py_TYPE(object) == pg_value_type)
#define PG_IS_VALUE(object) PyObject_TypeCheck(object, pg_value_type)

PyObject *pg_wrap_new(pg_node node);
PyObject *pg_finish(pg_result node, PyObject *a, PyObject *b);
PyObject *pg_finish_list(pg_result node, PyObject *operands);
PyObject *pg_object_of(pg_node node);
pg_held *pg_hold(pg_value *value);
pg_held *pg_keep_object(pg_value *value);
int pg_replace_node(pg_value *value, pg_result node, PyObject *operands);
int pg_room(void);
void *pg_raise(int status);
int pg_has_node(PyObject *value);
int pg_number(PyObject *object, double *number);
int pg_check_value(PyObject *object);
int pg_take_values(PyObject *list, const char *what, pg_values *values);
void pg_drop_values(pg_values *values);
double *pg_local_gradients(PyObject *gradients, Py_ssize_t count);
int pg_required_number(PyObject *object, const char *what, double *number);

PyObject *pg_value_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords);
void pg_forget_freed(void);
void pg_value_dealloc(PyObject *self);
int pg_value_traverse(PyObject *self, visitproc visit, void *arg);
int pg_value_clear(PyObject *self);

/* The object is the node's from now on. */
static inline void pg_link(pg_value *value, pg_node node)
{
    value->node = node;
    pg_nodes->host[node] = value;
#if PG_FREE_THREADED
    PyUnstable_EnableTryIncRef((PyObject *)value);
#endif
}

/* A new reference to a node's object, which the arena does not hold. It may be about to die: in another thread,
 * without the GIL, or in a queue of CPython's, since 3.14. Then 0, and its node gets another object. */
static inline int pg_try_reference(pg_value *value)
{
#if PG_FREE_THREADED
    return PyUnstable_TryIncRef((PyObject *)value);
#else
    if (Py_REFCNT(value) == 0) return 0;
    Py_INCREF(value);
    return 1;
#endif
}

/* The items of a list or tuple; a copy where another thread could change the list meanwhile. */
static inline PyObject *pg_items(PyObject *list, const char *message)
{
    PyObject *items = PySequence_Fast(list, message);
    if (PG_FREE_THREADED && items) Py_SETREF(items, PySequence_Tuple(items));
    return items;
}

/* Keeps a dead object of the exact type for use again. 0 when there are enough, and without the GIL: there each
 * thread has an allocator of its own, and each object a thread. */
static inline int pg_spare(pg_value *value)
{
    if (PG_FREE_THREADED || PG_UNLIKELY(pg_spare_count == PG_SPARES)) return 0;
    pg_spares[pg_spare_count++] = value;
    return 1;
}

/* An object for a reference to a node. */
static inline PyObject *pg_wrap(pg_node node)
{
    pg_value *value;
    if (PG_UNLIKELY(pg_spare_count == 0)) return pg_wrap_new(node);
    value = pg_spares[--pg_spare_count];
#ifdef Py_REF_DEBUG
    _Py_NewReference((PyObject *)value);
#else
    Py_SET_REFCNT((PyObject *)value, 1);
#endif
    pg_link(value, node);
    return (PyObject *)value;
}

/* Whether recording gave a node and nothing is left to do but to wrap it. */
static inline int pg_is_plain(pg_result node)
{
    return (uint64_t)node - 1 < (uint64_t)PG_KEPT - 1;
}

static inline int pg_small_int(PyObject *object, double *number)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)object)) return 0;
    *number = (double)PyUnstable_Long_CompactValue((PyLongObject *)object);
    return 1;
#else
    Py_ssize_t size = Py_SIZE(object);      /* digits, with the number's sign */
    if (size < -1 || size > 1) return 0;
    if (size == 0) *number = 0.0;
    else *number = (double)(size * (Py_ssize_t)((PyLongObject *)object)->ob_digit[0]);
    return 1;
#endif
}

/* A number of the exact types, which most are. */
static inline int pg_exact_number(PyObject *object, double *number)
{
    if (PyFloat_CheckExact(object)) {
        *number = PyFloat_AS_DOUBLE(object);
        return 1;
    }
    if (PyLong_CheckExact(object)) {
        if (pg_small_int(object, number)) return 1;
        *number = PyLong_AsDouble(object);
        if (PG_LIKELY(*number != -1.0 || !PyErr_Occurred())) return 1;
        PyErr_Clear();      /* too large: the slow path meets it again */
    }
    return 0;
}

#endif
