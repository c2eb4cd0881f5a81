/* A program run once. A run of instructions is one switch and then a loop that the processor foresees. */
#define _POSIX_C_SOURCE 200809L     /* nanosleep, in lock.h */

#include "graph.h"
#include "lock.h"

#include <string.h>

void pg_program_free(pg_program *program)
{
    if (!program) return;
    pgi_forget(&program->memory, &program->runs);
    pgi_forget(&program->memory, &program->operands);
    pgi_forget(&program->memory, &program->numbers);
    pgi_forget(&program->memory, &program->outputs);
    if (program->idle) program->memory.resize(program->memory.context, program->idle, 0);
    program->memory.resize(program->memory.context, program, 0);
}

/* -- the kernels ---------------------------------------------------------------------------------- */

/* Instructions of a run write where none of them reads. */
#if defined(__clang__)
#define PG_EACH(i, n) _Pragma("clang loop unroll_count(4)") for (size_t i = 0; i < (n); i++)
#elif defined(__GNUC__)
#define PG_EACH(i, n) _Pragma("GCC ivdep") _Pragma("GCC unroll 4") for (size_t i = 0; i < (n); i++)
#else
#define PG_EACH(i, n) for (size_t i = 0; i < (n); i++)
#endif

/* Computes all registers. Returns whether a checked operation had no value. */
static int execute(const pg_program *program, double *r)
{
    const pg_run_of *run = program->runs.items;
    const pg_id *a = program->operands.items;
    int failed = 0;
    for (size_t runs = program->runs.count; runs; runs--, run++) {
        const size_t n = run->count;
        double *out = r + run->first;
        int error = PG_OK;
        switch (run->op) {
#define PG_OP_UNARY(name, special, symbol, formula, forward, dx, failure) \
    case PG_OP_##name: \
        PG_EACH(i, n) \
        { \
            const double x = r[a[i]], z = forward; \
            (void)z; \
            error |= failure; \
            out[i] = z; \
        } \
        a += n; \
        break;
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, failure) \
    PG_OP_HELPER2(name, forward, dx, dy, failure)
#define PG_OP_SCALAR(name, special, symbol, formula, forward, dx, failure) PG_OP_HELPER2(name, forward, dx, , failure)
#define PG_OP_TERNARY(name, special, symbol, formula, forward, dy, dw, failure) PG_OP_HELPER3(name, forward, , dy, dw)
#define PG_OP_HELPER1(name, forward, dx) PG_OP_UNARY(name, , , , forward, dx, PG_OK)
#define PG_OP_HELPER2(name, forward, dx, dy, failure) \
    case PG_OP_##name: \
        PG_EACH(i, n) \
        { \
            const double x = r[a[i]], y = r[a[n + i]], z = forward; \
            error |= failure; \
            out[i] = z; \
        } \
        a += 2 * n; \
        break;
#define PG_OP_HELPER3(name, forward, dx, dy, dw) \
    case PG_OP_##name: \
        PG_EACH(i, n) \
        { \
            const double x = r[a[i]], y = r[a[n + i]], w = r[a[2 * n + i]]; \
            out[i] = forward; \
        } \
        a += 3 * n; \
        break;
#include "ops.def"
        }
        if (run->checked && error) failed = 1;
    }
    return failed;
}

/* -- registers ------------------------------------------------------------------------------------ */

/* An array with the numbers in it: the idle one, or else a new one. */
static double *take_registers(pg_program *program)
{
    double *registers = pgi_exchange_pointer(&program->idle, NULL);
    if (registers) return registers;
    registers = program->memory.resize(program->memory.context, NULL, (program->registers + 1) * sizeof *registers);
    if (registers && program->numbers.count)
        memcpy(registers, program->numbers.items, program->numbers.count * sizeof *registers);
    return registers;
}

static void give_registers(pg_program *program, double *registers)
{
    registers = pgi_exchange_pointer(&program->idle, registers);
    if (registers) program->memory.resize(program->memory.context, registers, 0);
}

int pg_run(pg_program *program, const double *inputs, double *outputs)
{
    double *registers = take_registers(program);
    int status;
    if (!registers) return PG_NO_MEMORY;
    if (program->inputs) memcpy(registers + program->numbers.count, inputs, program->inputs * sizeof *registers);
    status = execute(program, registers) ? PG_FAILED : PG_OK;
    for (size_t k = 0; k < program->outputs.count; k++) outputs[k] = registers[PG_IDS(program->outputs)[k]];
    give_registers(program, registers);
    return status;
}

/* -- looking at one ------------------------------------------------------------------------------- */

uint32_t pg_program_outputs(const pg_program *program) { return (uint32_t)program->outputs.count; }
uint32_t pg_program_output(const pg_program *program, uint32_t index)
{ return index < program->outputs.count ? PG_IDS(program->outputs)[index] : 0; }

uint32_t pg_program_instructions(const pg_program *program)
{ return program->registers - (uint32_t)program->numbers.count - program->inputs; }

const double *pg_program_numbers(const pg_program *program, uint32_t *count)
{
    *count = (uint32_t)program->numbers.count;
    return program->numbers.items;
}

int pg_program_list(const pg_program *program, uint32_t room, pg_listing *instructions)
{
    const pg_run_of *run = program->runs.items;
    const pg_id *a = program->operands.items;
    if (room < pg_program_instructions(program)) return PG_BAD_COUNT;
    for (size_t k = 0; k < program->runs.count; k++, run++) {
        const int arity = pgi_arity(run->op);
        for (uint32_t i = 0; i < run->count; i++) {
            pg_listing *to = instructions++;
            *to = (pg_listing){run->op, arity, run->first + i, {0, 0, 0}};
            for (int j = 0; j < arity; j++) to->operands[j] = a[(size_t)j * run->count + i];
        }
        a += (size_t)arity * run->count;
    }
    return PG_OK;
}
