/* Threads of the system: begun and awaited. Where there are none, none is begun. */
#ifndef PYGRAD_THREAD_H
#define PYGRAD_THREAD_H

/* PG_TASK(name): the head of a function that a thread runs, with its `argument`; it returns 0.
 * pgi_begin_thread returns whether the thread could be begun; one that was is to be awaited. */
#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#define PG_TASK(name) DWORD WINAPI name(void *argument)
typedef HANDLE pg_thread;
static inline int pgi_begin_thread(pg_thread *thread, LPTHREAD_START_ROUTINE task, void *argument)
{ return (*thread = CreateThread(NULL, 0, task, argument, 0, NULL)) != NULL; }
static inline void pgi_await_thread(pg_thread thread)
{
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}
#elif defined(__EMSCRIPTEN__) || defined(__wasi__)
#define PG_TASK(name) void *name(void *argument)
typedef int pg_thread;
static inline int pgi_begin_thread(pg_thread *thread, void *(*task)(void *), void *argument)
{ return (void)thread, (void)task, (void)argument, 0; }
static inline void pgi_await_thread(pg_thread thread) { (void)thread; }
#else
#include <pthread.h>
#define PG_TASK(name) void *name(void *argument)
typedef pthread_t pg_thread;
static inline int pgi_begin_thread(pg_thread *thread, void *(*task)(void *), void *argument)
{ return pthread_create(thread, NULL, task, argument) == 0; }
static inline void pgi_await_thread(pg_thread thread) { pthread_join(thread, NULL); }
#endif

#endif
