/* Who may touch the arena and the objects' links to it, in the native backend: one thread at a time. With the
 * GIL that is so. On free-threaded CPython a critical section sees to it around whatever Python calls. Like the
 * GIL it gives way where its thread waits, or runs Python code that does; that may be in any call of CPython's that
 * takes a lock or lets go of an object. Unlike the GIL it does not give way after some time. */
#ifndef PYGRAD_CPYTHON_GUARD_H
#define PYGRAD_CPYTHON_GUARD_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000    /* 3.13 has no PyUnstable_TryIncRef */
#define PG_FREE_THREADED 1
#else
#define PG_FREE_THREADED 0
#endif

/* PG_ENTRY(type, name, parameters, their names) { ... }: a function called where the guard is not held. */
#if PG_FREE_THREADED
extern PyObject *pg_guard;
#define PG_ENTRY(type, name, parameters, arguments)     \
    type name parameters;                               \
    static inline type name##_guarded parameters;       \
    type name parameters                                \
    {                                                   \
        PyCriticalSection section;                      \
        type result;                                    \
        PyCriticalSection_Begin(&section, pg_guard);    \
        result = name##_guarded arguments;              \
        PyCriticalSection_End(&section);                \
        return result;                                  \
    }                                                   \
    static inline type name##_guarded parameters
#else
#define PG_ENTRY(type, name, parameters, arguments) type name parameters
#endif

#endif
