/* A program run in lanes. Compilers make vector instructions of the loops over these; a run of instructions is one
 * switch. An operand that is the same in all rows is read from the registers of `once`.
 *
 * lanes.c and lanes_avx2.c include this, each for another set of instructions: PG_KERNEL is the function's name. */
#if defined(__GNUC__) && !defined(__clang__)
/* O3 vectorizes, as clang and MSVC do at -O2, where neither errno nor the flags of exceptions are to be set. What is
 * included is compiled so too, or it could not stand in the loops. */
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")
#endif

#include "lanemath.h"
#include "lanes.h"

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

/* What has no loop that vectorizes of itself, as it would call libm: a function on other arrays. Returns whether a run is
 * of one. */
static inline int run_function(const pg_run_of *run, const pg_id *a, const double *lanes, double *out)
{
    void (*function)(const double *restrict, double *restrict) = NULL;
    switch (run->op) {
#define PG_FUNCTION(name) \
    case PG_OP_##name: function = pgl_##name##_lanes; break;
        PGL_FUNCTIONS(PG_FUNCTION)
    }
    for (size_t i = 0; function && i < run->count; i++) function(lanes + PG_LANES * (size_t)a[i], out + PG_LANES * i);
    return function != NULL;
}

/* Powers with one exponent for all lanes, and their slopes. Returns whether a run is one of these. */
static inline int run_powers(const pg_run_of *run, const pg_id *a, const double *once, const double *lanes, double *out)
{
    const size_t n = run->count;
    if (run->pattern != 2 || (run->op != PG_OP_pow && run->op != PG_OP_pow_scalar && run->op != PG_OP_pow_dx)) return 0;
    for (size_t i = 0; i < n; i++) {
        const double *x = lanes + PG_LANES * (size_t)a[i], y = once[a[n + i]];
        if (run->op == PG_OP_pow_dx)
            pgl_pow_dx_lanes(x, y, lanes + PG_LANES * (size_t)a[2 * n + i], out + PG_LANES * i);
        else pgl_pow_lanes(x, y, out + PG_LANES * i);
    }
    return 1;
}

unsigned PG_KERNEL(const pg_program *program, const double *once, double *lanes)
{
    const pg_run_of *run = program->each.runs.items;
    const pg_id *a = program->each.operands.items;
    unsigned failed = 0;
    for (size_t runs = program->each.runs.count; runs; runs--, run++) {
        const size_t n = run->count;
        double *first = lanes + PG_LANES * (size_t)run->first;
        double odd[PG_LANES] = {0.0}; /* nan where a result is not finite, as each is that an operation refuses */
        int is_odd = 0;
        if (run_function(run, a, lanes, first) || run_powers(run, a, once, lanes, first))
            for (size_t i = 0; run->checked && i < n; i++) {
                const double *z = first + PG_LANES * i;
                for (int l = 0; l < PG_LANES; l++) odd[l] += z[l] - z[l];
            }
        else switch (run->op) {
#define PG_CHECKED_BODY(forward, failure) \
    const double z = forward; \
    if (sizeof #failure != sizeof "PG_OK") odd[l] += z - z; \
    out[l] = z;
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, failure) \
    case PG_OP_##name: PG_LOOPS_1(PG_CHECKED_BODY(forward, failure)) break;
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, failure) \
    PG_OP_HELPER2(name, forward, dx, dy, failure)
#define PG_OP_SCALAR(name, special, symbol, formula, forward, dx, failure) PG_OP_HELPER2(name, forward, dx, , failure)
#define PG_OP_TERNARY(name, special, symbol, formula, forward, dy, dw, failure) PG_OP_HELPER3(name, forward, , dy, dw)
#define PG_OP_HELPER1(name, forward, dx) \
    case PG_OP_##name: PG_LOOPS_1(out[l] = forward;) break;
#define PG_OP_HELPER2(name, forward, dx, dy, failure) \
    case PG_OP_##name: PG_LOOPS_2(PG_CHECKED_BODY(forward, failure)) break;
#define PG_OP_HELPER3(name, forward, dx, dy, dw) \
    case PG_OP_##name: PG_LOOPS_3(out[l] = forward;) break;
#include "ops.def"
            }
        for (int l = 0; l < PG_LANES; l++) is_odd |= odd[l] != 0.0;
        if (is_odd && run->checked) failed |= find_failed(run, a, once, lanes);
        a += (size_t)pgi_arity(run->op) * n;
    }
    return failed;
}
