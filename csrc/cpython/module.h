/* What the files here give to Value's type (value.c) and to the module (module.c). */
#ifndef PYGRAD_CPYTHON_MODULE_H
#define PYGRAD_CPYTHON_MODULE_H

#include "object.h"

extern const PyType_Slot py_operator_slots[];   /* up to one with slot 0 */
/* Fills two tables, of at most PG_OP_COUNT lines and an empty one: methods of Value, and functions. */
void py_fill_callables(PyMethodDef *methods, PyMethodDef *functions);

PyObject *py_value_backward(PyObject *self, PyObject *unused);
PyObject *py_value_step(PyObject *self, PyObject *unused);

enum { PY_OWN_METHODS = 2 };
extern PyMethodDef py_value_methods[];      /* Value's: its own, then room for those of the op table */
extern PyMethodDef py_value_functions[];    /* the module's: what interface.py builds on */
extern PyMethodDef py_inspect_functions[];
extern PyMethodDef py_optim_functions[];
extern PyMethodDef py_program_functions[];
PyTypeObject *py_make_value_type(void);

#endif
