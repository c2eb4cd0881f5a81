/* A lock that costs one atomic exchange when nobody else holds it. */
#ifndef PYGRAD_LOCK_H
#define PYGRAD_LOCK_H

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static inline int pgi_exchange(int *lock, int value) { return (int)_InterlockedExchange((volatile long *)lock, value); }
static inline void pgi_give_back(int *lock) { pgi_exchange(lock, 0); }
static inline void *pgi_exchange_pointer(void **place, void *value)
{ return _InterlockedExchangePointer((void *volatile *)place, value); }
#else
static inline int pgi_exchange(int *lock, int value) { return __atomic_exchange_n(lock, value, __ATOMIC_ACQUIRE); }
static inline void pgi_give_back(int *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }
static inline void *pgi_exchange_pointer(void **place, void *value)
{ return __atomic_exchange_n(place, value, __ATOMIC_ACQ_REL); }
#endif

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
static inline void pgi_pause(int tries) { Sleep(tries < 64 ? 0 : 1); }
#else
#include <sched.h>
#include <time.h>
static inline void pgi_pause(int tries)
{
    struct timespec moment = {0, 50000};
    if (tries < 64) sched_yield();
    else nanosleep(&moment, NULL);      /* the holder runs a long pass, or is asleep itself */
}
#endif

static inline void pgi_acquire(int *lock)
{
    for (int tries = 0; pgi_exchange(lock, 1); tries += tries < 64) pgi_pause(tries);
}

#endif
