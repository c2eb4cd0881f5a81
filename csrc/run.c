/* A program run once. A run of instructions is one switch and then a loop that the processor foresees. */
#define _POSIX_C_SOURCE 200809L     /* nanosleep, in lock.h */

#include "run.h"

#include "graph.h"
#include "lock.h"

#include <string.h>

void pg_program_free(pg_program *program)
{
    if (!program) return;
    pgi_forget(&program->memory, &program->once.runs);
    pgi_forget(&program->memory, &program->once.operands);
    pgi_forget(&program->memory, &program->each.runs);
    pgi_forget(&program->memory, &program->each.operands);
    pgi_forget(&program->memory, &program->numbers);
    pgi_forget(&program->memory, &program->columns);
    pgi_forget(&program->memory, &program->outputs);
    pgi_give(&program->memory, program->idle);
    pgi_give(&program->memory, program->idle_lanes);
    program->memory.resize(program->memory.context, program, 0);
}

/* -- the kernels ---------------------------------------------------------------------------------- */

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")              /* which vectorizes, as clang and MSVC do at -O2 */
#endif

/* One loop for each pattern; `body` reads x, y and w. */
#define PG_LOOP(variables, body) \
    for (size_t i = 0; i < n; i++) { \
        variables; \
        body \
    }
#define PG_AT(operand) r[a[2 * (operand)] + i * (size_t)(ptrdiff_t)(int32_t)a[2 * (operand) + 1]]

#define PG_LOOPS_1(body) \
    switch (run->pattern) { \
    case PG_BY_INDEX: PG_LOOP(const double x = r[a[i]], body) a += n; break; \
    case PG_ALL_NEXT: { \
        const double *px = r + a[0]; \
        PG_LOOP(const double x = px[i], body) \
        a += 2; \
        break; \
    } \
    default: PG_LOOP(const double x = PG_AT(0), body) a += 2; \
    }

#define PG_LOOPS_2(body) \
    switch (run->pattern) { \
    case PG_BY_INDEX: PG_LOOP(const double x = r[a[i]]; const double y = r[a[n + i]], body) a += 2 * n; break; \
    case PG_ALL_NEXT: { \
        const double *px = r + a[0], *py = r + a[2]; \
        PG_LOOP(const double x = px[i]; const double y = py[i], body) \
        a += 4; \
        break; \
    } \
    case PG_Y_STAYS: { \
        const double *px = r + a[0], y = r[a[2]]; \
        PG_LOOP(const double x = px[i], body) \
        a += 4; \
        break; \
    } \
    case PG_X_STAYS: { \
        const double *py = r + a[2], x = r[a[0]]; \
        PG_LOOP(const double y = py[i], body) \
        a += 4; \
        break; \
    } \
    default: PG_LOOP(const double x = PG_AT(0); const double y = PG_AT(1), body) a += 4; \
    }

#define PG_LOOPS_3(body) \
    switch (run->pattern) { \
    case PG_BY_INDEX: \
        PG_LOOP(const double x = r[a[i]]; const double y = r[a[n + i]]; const double w = r[a[2 * n + i]], body) \
        a += 3 * n; \
        break; \
    case PG_ALL_NEXT: { \
        const double *px = r + a[0], *py = r + a[2], *pw = r + a[4]; \
        PG_LOOP(const double x = px[i]; const double y = py[i]; const double w = pw[i], body) \
        a += 6; \
        break; \
    } \
    case PG_Y_STAYS: { \
        const double *px = r + a[0], y = r[a[2]], *pw = r + a[4]; \
        PG_LOOP(const double x = px[i]; const double w = pw[i], body) \
        a += 6; \
        break; \
    } \
    case PG_X_STAYS: { \
        const double *py = r + a[2], x = r[a[0]], *pw = r + a[4]; \
        PG_LOOP(const double y = py[i]; const double w = pw[i], body) \
        a += 6; \
        break; \
    } \
    default: PG_LOOP(const double x = PG_AT(0); const double y = PG_AT(1); const double w = PG_AT(2), body) a += 6; \
    }

int pgi_execute(const pg_program *program, double *r)
{
    const pg_run_of *run = program->once.runs.items;
    const pg_id *a = program->once.operands.items;
    int failed = 0;
    for (size_t runs = program->once.runs.count; runs; runs--, run++) {
        const size_t n = run->count;
        double *restrict out = r + run->first;  /* instructions of a run write where none of them reads */
        int error = PG_OK;
        switch (run->op) {
#define PG_CHECKED_BODY(forward, failure) \
    const double z = forward; \
    error |= failure; \
    out[i] = z;
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, failure) \
    case PG_OP_##name: PG_LOOPS_1(PG_CHECKED_BODY(forward, failure)) break;
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, failure) \
    PG_OP_HELPER2(name, forward, dx, dy, failure)
#define PG_OP_SCALAR(name, special, symbol, formula, forward, dx, failure) PG_OP_HELPER2(name, forward, dx, , failure)
#define PG_OP_TERNARY(name, special, symbol, formula, forward, dy, dw, failure) PG_OP_HELPER3(name, forward, , dy, dw)
#define PG_OP_HELPER1(name, forward, dx) \
    case PG_OP_##name: PG_LOOPS_1(out[i] = forward;) break;
#define PG_OP_HELPER2(name, forward, dx, dy, failure) \
    case PG_OP_##name: PG_LOOPS_2(PG_CHECKED_BODY(forward, failure)) break;
#define PG_OP_HELPER3(name, forward, dx, dy, dw) \
    case PG_OP_##name: PG_LOOPS_3(out[i] = forward;) break;
#include "ops.def"
        }
        if (run->checked && error) failed = 1;
    }
    return failed;
}

/* -- registers ------------------------------------------------------------------------------------ */

double *pgi_take_registers(pg_program *program)
{
    double *registers = pgi_exchange_pointer(&program->idle, NULL);
    if (registers) return registers;
    registers =
        pgi_take(&program->memory, (size_t)program->once.registers + 2 * (size_t)program->inputs, sizeof *registers);
    if (registers && program->numbers.count)
        memcpy(registers, program->numbers.items, program->numbers.count * sizeof *registers);
    return registers;
}

enum { PG_MOST_IDLE = 1 << 22 };        /* registers, 32 MB of them: more are not kept between runs */

void pgi_give_registers(pg_program *program, double *registers)
{
    if (program->once.registers <= PG_MOST_IDLE) registers = pgi_exchange_pointer(&program->idle, registers);
    pgi_give(&program->memory, registers);
}

int pg_run(pg_program *program, const double *inputs, double *outputs)
{
    double *registers;
    int status;
    if (program->each.registers) return PG_BAD_COUNT;   /* it is one over rows */
    registers = pgi_take_registers(program);
    if (!registers) return PG_NO_MEMORY;
    if (program->inputs) memcpy(registers + program->numbers.count, inputs, program->inputs * sizeof *registers);
    status = pgi_execute(program, registers) ? PG_FAILED : PG_OK;
    for (size_t k = 0; k < program->outputs.count; k++) outputs[k] = registers[PG_IDS(program->outputs)[k]];
    for (size_t k = program->values; k < program->outputs.count; k++) outputs[k] += 0.0;    /* as to a grad: no -0 */
    pgi_give_registers(program, registers);
    return status;
}

/* -- looking at one ------------------------------------------------------------------------------- */

uint32_t pg_program_outputs(const pg_program *program) { return (uint32_t)program->outputs.count; }
uint32_t pg_program_output(const pg_program *program, uint32_t index)
{ return index < program->outputs.count ? PG_IDS(program->outputs)[index] : 0; }

uint32_t pg_program_used(const pg_program *program, uint32_t k, uint32_t *which)
{
    const pg_id *outputs = PG_IDS(program->outputs), values = program->values;
    const double *numbers = program->numbers.items;
    const uint32_t count = values ? (uint32_t)program->outputs.count / values - 1 : 0;
    uint32_t used = 0;
    for (uint32_t i = 0; k < values && i < count; i++) {
        const pg_id derivative = outputs[values + (size_t)k * count + i];
        if (derivative >= program->numbers.count || numbers[derivative] != 0.0) which[used++] = i;
    }
    return used;
}

uint32_t pg_program_instructions(const pg_program *program)
{
    return program->once.registers - (uint32_t)program->numbers.count - program->inputs + program->each.registers -
           (uint32_t)program->columns.count;
}

const double *pg_program_numbers(const pg_program *program, uint32_t *count)
{
    *count = (uint32_t)program->numbers.count;
    return program->numbers.items;
}

static pg_listing *list_part(const pg_program *program, const pg_part *part, pg_listing *to)
{
    const pg_run_of *run = part->runs.items;
    const pg_id *a = part->operands.items, each = program->once.registers;
    const int in_lanes = part == &program->each;
    for (size_t k = 0; k < part->runs.count; k++, run++) {
        const int arity = pgi_arity(run->op), by_index = in_lanes || run->pattern == PG_BY_INDEX;
        for (uint32_t i = 0; i < run->count; i++, to++) {
            *to = (pg_listing){run->op, arity, run->first + i + (in_lanes ? each : 0), {0, 0, 0}};
            for (int j = 0; j < arity; j++) {
                to->operands[j] = by_index ? a[(size_t)j * run->count + i] : a[2 * j] + i * a[2 * j + 1];
                if (in_lanes && !(run->pattern >> j & 1)) to->operands[j] += each;
            }
        }
        a += (size_t)arity * (by_index ? run->count : 2);
    }
    return to;
}

int pg_program_list(const pg_program *program, uint32_t room, pg_listing *instructions)
{
    if (room < pg_program_instructions(program)) return PG_BAD_COUNT;
    list_part(program, &program->each, list_part(program, &program->once, instructions));
    return PG_OK;
}
