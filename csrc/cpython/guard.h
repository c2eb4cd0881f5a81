/* Who may touch the arena and its links to objects in the native backend: one thread at a time. The GIL sees to it.
 * On free-threaded CPython a critical section does, around each function that Python calls. A critical section is
 * suspended whenever its thread blocks: that can happen inside any CPython call that takes a lock or drops a
 * reference. It is never suspended by a timer. */
#ifndef PYGRAD_CPYTHON_GUARD_H
#define PYGRAD_CPYTHON_GUARD_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000    /* 3.13 has no PyUnstable_TryIncRef */
#define PY_FREE_THREADED 1
#else
#define PY_FREE_THREADED 0
#endif

/* PY_ENTRY(type, name, parameters, their names) { ... }: a function called where the guard is not held. */
#if PY_FREE_THREADED
extern PyObject *py_guard;
#define PY_ENTRY(type, name, parameters, arguments) \
    type name parameters; \
    static inline type name##_guarded parameters; \
    type name parameters \
    { \
        PyCriticalSection section; \
        type result; \
        PyCriticalSection_Begin(&section, py_guard); \
        result = name##_guarded arguments; \
        PyCriticalSection_End(&section); \
        return result; \
    } \
    static inline type name##_guarded parameters
#else
#define PY_ENTRY(type, name, parameters, arguments) type name parameters
#endif

#endif
