/* Instructions as they are emitted, in single-assignment form: the inputs first, operands before results. */
#ifndef PYGRAD_EMIT_H
#define PYGRAD_EMIT_H

#include "graph.h"

enum { PG_NUMBERS = 4096 };
#define PG_NONE UINT32_MAX              /* no id */

/* Chains of instructions, each as id + 1, 0 at the end. */
typedef struct pg_link {
    uint32_t first;                     /* of those whose last operand this is */
    uint32_t next;                      /* in the chain that this is in */
} pg_link;

typedef struct pg_emitter {
    pg_memory memory;
    int passes;                         /* pg_passes */
    int failed;                         /* for want of memory: then ids mean nothing */
    pg_vector code;                     /* pg_instruction */
    pg_vector links;                    /* pg_link, for each of them */
    uint32_t *numbers;                  /* chains of numbers by hash */
} pg_emitter;

#define CODE(e) ((pg_instruction *)(e)->code.items)

int pgi_emitter_begin(pg_emitter *e, const pg_memory *memory, int passes, pg_id inputs);
void pgi_emitter_end(pg_emitter *e);
/* The id of an instruction's result: a new one, or that of what is the same to the bit. */
pg_id pgi_emit(pg_emitter *e, int op, pg_id x, pg_id y, pg_id w, int checked);
pg_id pgi_emit_number(pg_emitter *e, double value);

#endif
