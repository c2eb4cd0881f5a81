/* The reverse pass with closures. */
#include "module.h"

/* Where a pass waits for a closure. */
typedef struct waiting {
    pg_pass *pass;
    PyObject *value, *closure;
} waiting;

/* The pass is over; it held the root, perhaps the last to do so. */
static int close_pass(int status)
{
    if (py_arena->freed) py_forget_freed();
    return status;
}

/* From a node whose step is external, 0 or a status. 1: the pass waits for a closure; 0: it is over; -1: an exception
 * ended it. */
static PG_NOINLINE int find_closure(waiting *at, pg_result node)
{
    for (; node > 0; node = pgi_resume(&at->pass)) {
        const py_held *held;
        if (!(at->value = py_object_of((pg_node)node))) {
            pgi_end_pass(at->pass);
            return close_pass(-1);
        }
        held = PY_VALUE(at->value)->held;
        if (held && held->closure) {
            at->closure = Py_NewRef(held->closure);
            return 1;
        }
        Py_DECREF(at->value);
    }
    if (node < 0) py_raise((int)node);
    return close_pass(node < 0 ? -1 : 0);
}

static PY_ENTRY(int, begin_pass, (waiting * at, PyObject *root), (at, root))
{
    pg_result node;
    if (!py_has_node(root)) return -1;
    node = pgi_backward(py_arena, PY_NODE(root), &at->pass);
    return PG_LIKELY(node == PG_OK) ? 0 : find_closure(at, node);
}

/* After the closure, which has raised an exception or not. */
static PY_ENTRY(int, resume_pass, (waiting * at, int raised), (at, raised))
{
    if (raised) {
        pgi_end_pass(at->pass);
        return close_pass(-1);
    }
    return find_closure(at, pgi_resume(&at->pass));
}

/* Not an entry: a closure may do what any Python code may, beside other threads. */
PyObject *py_value_backward(PyObject *self, PyObject *unused)
{
    waiting at;
    int status = begin_pass(&at, self);
    while (status > 0) {
        PyObject *done = PyObject_CallObject(at.closure, NULL);
        Py_DECREF(at.closure);
        Py_DECREF(at.value);
        Py_XDECREF(done);
        status = resume_pass(&at, done == NULL);
    }
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

PY_ENTRY(PyObject *, py_value_step, (PyObject *self, PyObject *unused), (self, unused))
{
    if (!py_has_node(self)) return NULL;
    pgi_reverse_node(py_arena, PY_NODE(self));
    Py_RETURN_NONE;
}
