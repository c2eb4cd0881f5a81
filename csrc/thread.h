/* Threads of the system: begun and awaited. Where there are none, none is begun. */
#ifndef PYGRAD_THREAD_H
#define PYGRAD_THREAD_H

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#elif !defined(__EMSCRIPTEN__) && !defined(__wasi__)
#include <pthread.h>
#endif

typedef void (*pg_task)(void *);
typedef struct pg_thread {
    pg_task task;
    void *argument;
#if defined(_WIN32)
    void *handle;
#elif !defined(__EMSCRIPTEN__) && !defined(__wasi__)
    pthread_t handle;
#endif
} pg_thread;

#if defined(_WIN32)
static inline DWORD WINAPI pgi_thread_begins(void *thread)
{
    ((pg_thread *)thread)->task(((pg_thread *)thread)->argument);
    return 0;
}
/* Whether it could be. The thread stays where it is until it has been awaited. */
static inline int pgi_begin_thread(pg_thread *thread)
{ return (thread->handle = CreateThread(NULL, 0, pgi_thread_begins, thread, 0, NULL)) != NULL; }
static inline void pgi_await_thread(pg_thread *thread)
{
    WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
}
#elif defined(__EMSCRIPTEN__) || defined(__wasi__)
static inline int pgi_begin_thread(pg_thread *thread)
{
    (void)thread;
    return 0;
}
static inline void pgi_await_thread(pg_thread *thread) { (void)thread; }
#else
static inline void *pgi_thread_begins(void *thread)
{
    ((pg_thread *)thread)->task(((pg_thread *)thread)->argument);
    return NULL;
}
static inline int pgi_begin_thread(pg_thread *thread)
{ return pthread_create(&thread->handle, NULL, pgi_thread_begins, thread) == 0; }
static inline void pgi_await_thread(pg_thread *thread) { pthread_join(thread->handle, NULL); }
#endif

#endif
