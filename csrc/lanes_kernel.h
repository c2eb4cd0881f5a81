/* The loops of lanes.c, which includes this for each set of instructions that it is compiled for: PG_KERNEL is the name. */

PG_KERNEL_TARGET static unsigned PG_KERNEL(const pg_program *program, const double *once, double *lanes)
{
    const pg_run_of *run = program->each.runs.items;
    const pg_id *a = program->each.operands.items;
    unsigned failed = 0;
    for (size_t runs = program->each.runs.count; runs; runs--, run++) {
        const size_t n = run->count;
        double *first = lanes + PG_LANES * (size_t)run->first;
        double odd[PG_LANES] = {0.0}; /* nan where a result is not finite, as each is that an operation refuses */
        int is_odd = 0;
        switch (run->op) {
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

#undef PG_KERNEL
#undef PG_KERNEL_TARGET
