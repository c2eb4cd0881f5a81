/* A recorded function called with nodes and numbers: a program is run, and its result recorded with local gradients. */
#include "call.h"

#include "record.h"
#include "run.h"

/* The operands of the result: of the arguments those that are nodes, then the captured ones. Returns their number. */
static size_t gather(const pg_arena *arena, const pg_function *f, const double *numbers, const pg_node *nodes,
                     double *inputs, pg_node *operands)
{
    size_t count = 0;
    for (uint32_t i = 0; i < f->arguments; i++) {
        inputs[i] = nodes[i] ? arena->data[nodes[i]] : numbers[i];
        if (nodes[i]) operands[count++] = nodes[i];
    }
    for (uint32_t i = 0; i < f->captured; i++) {
        inputs[f->arguments + i] = arena->data[f->nodes[i]];
        operands[count++] = f->nodes[i];
    }
    return count;
}

pg_result pgi_call(pg_arena *arena, const pg_function *f, const double *numbers, const pg_node *nodes)
{
    pg_program *program = f->program;
    const pg_id *outputs = PG_IDS(program->outputs);
    double *registers = pgi_take_registers(program);
    double *partials;
    pg_node *operands;
    pg_result result;
    size_t count;
    if (!registers) return PG_NO_MEMORY;
    partials = registers + program->once.registers; /* there is room for what pgi_call needs */
    operands = (pg_node *)(partials + program->inputs);
    count = gather(arena, f, numbers, nodes, registers + program->numbers.count, operands);
    if (program->outputs.count != 1 + count) result = PG_BAD_COUNT;
    else if (pgi_execute(program, registers)) result = PG_FAILED;
    else if (!count) result = pgi_record_leaf(arena, registers[outputs[0]]);
    else {
        for (size_t i = 0; i < count; i++) partials[i] = registers[outputs[1 + i]];
        result = pgi_record_custom(arena, registers[outputs[0]], count, operands, partials, NULL);
    }
    pgi_give_registers(program, registers);
    return result;
}
