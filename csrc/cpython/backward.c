/* The reverse pass with closures. */
#include "module.h"

/* Where a pass waits for a closure. */
typedef struct waiting {
    pg_pass *pass;
    PyObject *value, *closure;
} waiting;

/* Goes on from a node whose step is external, 0 or a status, or ends the pass where an exception was raised. 1: the pass
 * waits for a closure; 0: it is over; -1: an exception ended it. */
static PG_NOINLINE int find_closure(waiting *at, pg_result node, int raised)
{
    for (; node > 0; node = pgi_resume(&at->pass)) {
        const py_held *held;
        if ((raised = !(at->value = py_object_of((pg_node)node)))) break;
        held = PY_VALUE(at->value)->held;
        if (held && held->closure) {
            at->closure = Py_NewRef(held->closure);
            return 1;
        }
        Py_DECREF(at->value);
    }
    if (raised) pgi_end_pass(at->pass);
    else if (node < 0) py_raise((int)node);
    if (py_arena->freed) py_forget_freed();     /* the pass held the root, perhaps the last to do so */
    return raised || node < 0 ? -1 : 0;
}

static PY_ENTRY(int, begin_pass, (waiting * at, PyObject *root), (at, root))
{
    pg_result node;
    if (!py_has_node(root)) return -1;
    node = pgi_backward(py_arena, PY_NODE(root), &at->pass);
    return PG_LIKELY(node == PG_OK) ? 0 : find_closure(at, node, 0);
}

/* After the closure, which has raised an exception or not. */
static PY_ENTRY(int, resume_pass, (waiting * at, int raised), (at, raised))
{ return find_closure(at, raised ? PG_OK : pgi_resume(&at->pass), raised); }

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
