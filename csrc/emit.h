/* Instructions as they are emitted, in single-assignment form: the inputs first, operands before results. */
#ifndef PYGRAD_EMIT_H
#define PYGRAD_EMIT_H

#include "graph.h"

#define PG_NONE UINT32_MAX              /* no id */

enum { PG_MOST_SEEN = 1 << 17 };        /* what fits a processor's cache */

/* An instruction that was emitted, at a place by its hash. */
typedef struct pg_seen {
    uint32_t id;                        /* plus 1; 0: none */
    uint32_t tag;                       /* more of the hash */
} pg_seen;

typedef struct pg_emitter {
    pg_memory memory;
    int passes;                         /* pg_passes */
    int failed;                         /* for want of memory: then ids mean nothing */
    pg_vector code;                     /* pg_instruction */
    pg_seen *seen;
    size_t mask;                        /* places in `seen`, less 1 */
} pg_emitter;

#define CODE(e) ((pg_instruction *)(e)->code.items)

/* For the instructions of a graph, and so many inputs. */
int pgi_emitter_begin(pg_emitter *e, const pg_graph *graph, pg_id inputs, int passes);
void pgi_emitter_end(pg_emitter *e);
/* The id of an instruction's result: a new one, or that of what is the same to the bit. */
pg_id pgi_emit(pg_emitter *e, int op, pg_id x, pg_id y, pg_id w, int checked);
pg_id pgi_emit_number(pg_emitter *e, double value);

#endif
