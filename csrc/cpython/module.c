/* The module pygrad._native. */
#include "module.h"

#if PY_FREE_THREADED
PyObject *py_guard;
#endif

static PY_ENTRY(PyObject *, live_nodes, (PyObject *module, PyObject *unused), (module, unused))
{ return PyLong_FromUnsignedLongLong(pg_live_nodes(py_arena)); }

static PY_ENTRY(PyObject *, memory, (PyObject *module, PyObject *unused), (module, unused))
{ return Py_BuildValue("KK", (unsigned long long)pg_bytes(py_arena), (unsigned long long)pg_capacity(py_arena)); }

static PY_ENTRY(PyObject *, check, (PyObject *module, PyObject *unused), (module, unused))
{ return Py_BuildValue("z", pg_check(py_arena)); }

#if PY_FREE_THREADED && defined(HAVE_FORK)
#define PY_FORK_HOOKS
static _Thread_local PyCriticalSection fork_section;
static _Thread_local int forks;     /* begun and not ended: what else is called before a fork may fork itself */

/* A thread that forks has the guard: in the child nobody else could give it back. */
static PyObject *before_fork(PyObject *module, PyObject *unused)
{
    if (forks++ == 0) PyCriticalSection_Begin(&fork_section, py_guard);
    Py_RETURN_NONE;
}

static PyObject *after_fork(PyObject *module, PyObject *unused)
{
    if (--forks == 0) PyCriticalSection_End(&fork_section);
    Py_RETURN_NONE;
}
#endif

/* document(object, text): gives a method, a property or a function from here its docstring, with the signature. The text
 * lives as long as the process. */
static PyObject *document(PyObject *module, PyObject *arguments)
{
    PyObject *object, *text;
    const char *doc;
    if (!PyArg_ParseTuple(arguments, "OU", &object, &text) || !(doc = PyUnicode_AsUTF8(text))) return NULL;
    if (PyCFunction_Check(object)) ((PyCFunctionObject *)object)->m_ml->ml_doc = doc;
    else if (Py_TYPE(object) == &PyMethodDescr_Type) ((PyMethodDescrObject *)object)->d_method->ml_doc = doc;
    else if (Py_TYPE(object) == &PyGetSetDescr_Type) ((PyGetSetDescrObject *)object)->d_getset->doc = doc;
    else return PyErr_Format(PyExc_TypeError, "%R is not documented in C", object);
    Py_INCREF(text);
    Py_RETURN_NONE;
}

/* The op table: (name, special, symbol, formula, kind, doc, partials) of each line. */
static PyObject *table(void)
{
    PyObject *lines = PyList_New(PG_OP_COUNT);
    for (int op = 0; lines && op < PG_OP_COUNT; op++) {
        const pg_op_info *i = pg_op(op);
        PyObject *line = Py_BuildValue("szssis(sss)", i->name, i->special, i->symbol, i->formula, i->kind, i->doc,
                                       i->partials[0], i->partials[1], i->partials[2]);
        if (line) PyList_SET_ITEM(lines, op, line);
        else Py_CLEAR(lines);
    }
    return lines;
}

static PyMethodDef operation_functions[PG_OP_COUNT + 1];
static PyMethodDef own_functions[] = {
    {"live_nodes", live_nodes, METH_NOARGS, NULL},
    {"memory", memory, METH_NOARGS, NULL},
    {"check", check, METH_NOARGS, NULL},
    {"document", document, METH_VARARGS, NULL},
#ifdef PY_FORK_HOOKS
    {"before_fork", before_fork, METH_NOARGS, NULL},
    {"after_fork", after_fork, METH_NOARGS, NULL},
#endif
    {NULL, NULL, 0, NULL},
};

static int add(PyObject *module, const char *name, PyObject *object)     /* steals the reference */
{
    int status = object ? PyObject_SetAttrString(module, name, object) : -1;
    Py_XDECREF(object);
    return status;
}

/* What all modules of the process share. 0 and an exception where it can't be had. */
static int ready(void)
{
    static int64_t home = -1;
    const int64_t here = PyInterpreterState_GetID(PyInterpreterState_Get());
    if (home >= 0 && home != here) {
        PyErr_SetString(PyExc_ImportError, "pygrad's native backend serves one interpreter of a process, "
                                           "and another one has it; set PYGRAD_BACKEND=cffi");
        return 0;
    }
    if (home >= 0) return 1;
#if PY_FREE_THREADED
    if (!py_guard && !(py_guard = PyDict_New())) return 0;
#endif
    if (!py_arena && !(py_arena = pg_arena_new(0, NULL, NULL, 1))) {
        PyErr_NoMemory();
        return 0;
    }
    if (!py_node_attributes && !(py_node_attributes = PyDict_New())) return 0;
    py_fill_callables(py_value_methods + PY_OWN_METHODS, operation_functions);
    if (!(py_value_type = py_make_value_type())) return 0;
    home = here;
    return 1;
}

static int execute(PyObject *module)
{
    PyObject *operations = PyModule_New("pygrad._native"); /* apart, as one may be called as a function here is */
    if (add(module, "operations", operations) || !ready() || PyModule_AddFunctions(operations, operation_functions) ||
        PyModule_AddFunctions(module, py_value_functions) || PyModule_AddFunctions(module, py_inspect_functions) ||
        PyModule_AddFunctions(module, py_optim_functions) || PyModule_AddFunctions(module, py_program_functions) ||
        add(module, "Value", Py_NewRef(py_value_type)))
        return -1;
    return add(module, "table", table());
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, execute},
#if PY_FREE_THREADED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "pygrad._native",
    .m_doc = "Value as a CPython type.",
    .m_methods = own_functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module_definition); }
