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

static PyObject *document(PyObject *module, PyObject *texts);

static PyMethodDef operator_methods[PG_OP_COUNT + 1], operator_functions[PG_OP_COUNT + 1];
static PyMethodDef own_functions[] = {
    {"live_nodes", live_nodes, METH_NOARGS, NULL},
    {"memory", memory, METH_NOARGS, NULL},
    {"check", check, METH_NOARGS, NULL},
    {"document", document, METH_O, NULL},
#ifdef PY_FORK_HOOKS
    {"before_fork", before_fork, METH_NOARGS, NULL},
    {"after_fork", after_fork, METH_NOARGS, NULL},
#endif
    {NULL, NULL, 0, NULL},
};

/* Gives a docstring to what has that name. Returns how many there were. */
static int set_doc(PyMethodDef *definition, const char *name, const char *text)
{
    for (; definition->ml_name; definition++)
        if (!strcmp(definition->ml_name, name)) {
            definition->ml_doc = text;
            return 1;
        }
    return 0;
}

static int set_property_doc(const char *name, const char *text)
{
    for (PyGetSetDef *property = py_value_getsets; property->name; property++)
        if (!strcmp(property->name, name)) {
            property->doc = text;
            return 1;
        }
    return 0;
}

/* document({name: text}): docstrings, each with its signature, of methods ("Value.exp") and of functions ("exp"). The
 * texts live as long as the process. */
static PyObject *document(PyObject *module, PyObject *texts)
{
    PyObject *name, *text;
    Py_ssize_t at = 0;
    if (!PyDict_Check(texts)) return PyErr_Format(PyExc_TypeError, "expected a dict");
    while (PyDict_Next(texts, &at, &name, &text)) {
        const char *member = PyUnicode_AsUTF8(name), *doc = PyUnicode_AsUTF8(text);
        int found;
        if (!member || !doc) return NULL;
        if (!strncmp(member, "Value.", 6))
            found = set_doc(py_value_methods, member + 6, doc) + set_property_doc(member + 6, doc);
        else
            found = set_doc(operator_functions, member, doc) + set_doc(own_functions, member, doc) +
                    set_doc(py_inspect_functions, member, doc);
        if (!found) return PyErr_Format(PyExc_KeyError, "%s", member);
        Py_INCREF(text);
    }
    Py_RETURN_NONE;
}

/* The op table: (name, special, symbol, formula, kind, doc, partials) of each line. */
static PyObject *table(void)
{
    PyObject *lines = PyList_New(0);
    const pg_op_info *info;
    for (int op = 0; lines && (info = pg_op(op)); op++) {
        PyObject *line = Py_BuildValue("szssis(sss)", info->name, info->special, info->symbol, info->formula,
                                       info->kind, info->doc, info->partials[0], info->partials[1], info->partials[2]);
        if (!line || PyList_Append(lines, line)) Py_CLEAR(lines);
        Py_XDECREF(line);
    }
    return lines;
}

/* The functions of the op table by name. */
static PyObject *function_dict(PyObject *module)
{
    PyObject *functions = PyDict_New(), *name = PyModule_GetNameObject(module);
    for (PyMethodDef *function = operator_functions; functions && name && function->ml_name; function++) {
        PyObject *object = PyCFunction_NewEx(function, NULL, name);
        if (!object || PyDict_SetItemString(functions, function->ml_name, object)) Py_CLEAR(functions);
        Py_XDECREF(object);
    }
    Py_XDECREF(name);
    return functions;
}

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
    py_fill_callables(operator_methods, operator_functions);
    if (!(py_value_type = py_make_value_type(operator_methods))) return 0;
    home = here;
    return 1;
}

static int execute(PyObject *module)
{
    if (!ready() || add(module, "Value", Py_NewRef(py_value_type)) || add(module, "table", table())) return -1;
    if (PyModule_AddFunctions(module, py_value_functions) || PyModule_AddFunctions(module, py_inspect_functions) ||
        PyModule_AddFunctions(module, py_optim_functions) || PyModule_AddFunctions(module, py_program_functions))
        return -1;
    return add(module, "functions", function_dict(module));
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, execute},
#if PY_FREE_THREADED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    "pygrad._native",
    "Value as a CPython type.",
    0,
    own_functions,
    module_slots,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module_definition); }
