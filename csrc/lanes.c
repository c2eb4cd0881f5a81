/* A program run in lanes. Compilers make vector instructions of the loops over these; a run of instructions is one
 * switch. An operand that is the same in all rows is read from the registers of `once`. */
#include "lanes.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")              /* which vectorizes, as clang and MSVC do at -O2 */
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define PG_SIMD
#else
#define PG_SIMD _Pragma("omp simd")     /* or gcc unrolls loops this short instead */
#endif

/* How an operand is found before the loop over the lanes, and read in it. */
#define PG_FIND_each(operand, k) const double *const p##operand = lanes + PG_LANES * (size_t)a[(k) * n + i]
#define PG_FIND_once(operand, k) const double p##operand = once[a[(k) * n + i]]
#define PG_READ_each(operand) const double operand = p##operand[l]
#define PG_READ_once(operand) const double operand = p##operand

#define PG_LOOP_1(of_x, body) \
    for (size_t i = 0; i < n; i++) { \
        PG_FIND_##of_x(x, 0); \
        double *out = first + PG_LANES * i; \
        PG_SIMD \
        for (int l = 0; l < PG_LANES; l++) { \
            PG_READ_##of_x(x); \
            body \
        } \
    }
#define PG_LOOP_2(of_x, of_y, body) \
    for (size_t i = 0; i < n; i++) { \
        PG_FIND_##of_x(x, 0); \
        PG_FIND_##of_y(y, 1); \
        double *out = first + PG_LANES * i; \
        PG_SIMD \
        for (int l = 0; l < PG_LANES; l++) { \
            PG_READ_##of_x(x); \
            PG_READ_##of_y(y); \
            body \
        } \
    }
#define PG_LOOP_3(of_x, of_y, of_w, body) \
    for (size_t i = 0; i < n; i++) { \
        PG_FIND_##of_x(x, 0); \
        PG_FIND_##of_y(y, 1); \
        PG_FIND_##of_w(w, 2); \
        double *out = first + PG_LANES * i; \
        PG_SIMD \
        for (int l = 0; l < PG_LANES; l++) { \
            PG_READ_##of_x(x); \
            PG_READ_##of_y(y); \
            PG_READ_##of_w(w); \
            body \
        } \
    }

/* One loop for each pattern: which operands are the same in all rows. */
#define PG_LOOPS_1(body) PG_LOOP_1(each, body)
#define PG_LOOPS_2(body) \
    switch (run->pattern) { \
    case 0: PG_LOOP_2(each, each, body) break; \
    case 1: PG_LOOP_2(once, each, body) break; \
    default: PG_LOOP_2(each, once, body) \
    }
#define PG_LOOPS_3(body) \
    switch (run->pattern) { \
    case 0: PG_LOOP_3(each, each, each, body) break; \
    case 1: PG_LOOP_3(once, each, each, body) break; \
    case 2: PG_LOOP_3(each, once, each, body) break; \
    case 3: PG_LOOP_3(once, once, each, body) break; \
    case 4: PG_LOOP_3(each, each, once, body) break; \
    case 5: PG_LOOP_3(once, each, once, body) break; \
    default: PG_LOOP_3(each, once, once, body) \
    }

/* Of a run in which some result is not finite: the lanes in which an operation has no value. */
static unsigned find_failed(const pg_run_of *run, const pg_id *a, const double *once, const double *lanes)
{
    const int arity = pgi_arity(run->op);
    unsigned failed = 0;
    for (size_t i = 0; i < run->count; i++)
        for (int l = 0; l < PG_LANES; l++) {
            double operands[3] = {0.0, 0.0, 0.0}, z;
            for (int k = 0; k < arity; k++) {
                const size_t at = a[(size_t)k * run->count + i];
                operands[k] = run->pattern >> k & 1 ? once[at] : lanes[PG_LANES * at + (size_t)l];
            }
            if (pgi_evaluate(run->op, operands[0], operands[1], operands[2], &z)) failed |= 1u << l;
        }
    return failed;
}

#define PG_KERNEL execute
#define PG_KERNEL_TARGET
#include "lanes_kernel.h"

/* x86-64 alone promises two numbers an instruction; most processors do four, with the same bits. */
#if defined(__GNUC__) && defined(__x86_64__)
#define PG_KERNEL execute_avx2
#define PG_KERNEL_TARGET __attribute__((target("avx2")))
#include "lanes_kernel.h"
#define PG_HAS_AVX2 __builtin_cpu_supports("avx2")
#else
#define PG_HAS_AVX2 0
#define execute_avx2 execute
#endif

unsigned pgi_execute_lanes(const pg_program *program, const double *once, double *lanes)
{ return PG_HAS_AVX2 ? execute_avx2(program, once, lanes) : execute(program, once, lanes); }
