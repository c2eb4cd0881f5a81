/* Graphs and programs: what a recorded graph becomes when it is to be run many times.
 *
 *     arena --freeze.c--> graph --forward.c, derive.c--> instructions --schedule.c--> program --run.c--> numbers
 *                                                                                           --lanes.c, batch.c--> of rows
 *
 * A graph is the recorded nodes, renumbered: the inputs first, operands before results. forward.c emits instructions for
 * its values, lists written out; derive.c those for its derivatives, out of the op table's partials, so that one set of
 * operations computes all. emit.c folds numbers and makes equal instructions one; schedule.c groups what is needed by
 * depth and operation. compile.c leads all this.
 *
 * Neither changes once it is made; a run has memory of its own. All of it is linear in time and memory, without
 * recursion. */
#ifndef PYGRAD_PROGRAM_H
#define PYGRAD_PROGRAM_H

#include "ops.h"

typedef uint32_t pg_id;                 /* of a node in a graph, of an instruction, or of a register */

/* A node of a graph, or an instruction before it has a place. */
typedef struct pg_instruction {
    union {
        struct {
            pg_id x, y;                 /* operands; of a list: where it begins in `lists`, and its length */
        };
        double number;                  /* PG_OP_number */
    };
    pg_id w;
    uint8_t op;
    uint8_t checked;                    /* whether it was the user's, and so raises Python's errors */
} pg_instruction;

typedef struct pg_memory {
    pg_resize resize;
    void *context;
} pg_memory;

/* An array that grows. */
typedef struct pg_vector {
    void *items;
    size_t count, room;
} pg_vector;

struct pg_graph {
    pg_memory memory;
    pg_vector nodes;                    /* pg_instruction; the first `inputs` are PG_OP_input */
    pg_vector lists;                    /* pg_id: operands of nodes with lists */
    pg_vector outputs;                  /* pg_id */
    pg_vector sources;                  /* pg_node: the arena's for each input, of a frozen graph */
    pg_id inputs;
    pg_id derivatives;                  /* so many of the outputs, the last ones, have no -0, as a grad has none */
};

/* Where a run finds its operands: by their registers, or at constant distances, such as a row of weights. With those the
 * processor needs no indices, and where they are 1 and 0 compilers vectorize. */
enum pg_pattern {
    PG_BY_INDEX,
    PG_BY_STRIDE,
    PG_ALL_NEXT,                        /* each operand is the next register */
    PG_Y_STAYS,                         /* but y is the same for all */
    PG_X_STAYS                          /* but x */
};

/* Instructions of one operation and depth: none needs another's result. */
typedef struct pg_run_of {
    uint32_t count, first;              /* first: the register of the first result; the others follow */
    uint8_t op, checked;
    uint8_t pattern;                    /* of `each`: bit k says that operand k is the same in all rows */
} pg_run_of;

typedef struct pg_part {
    pg_vector runs;                     /* pg_run_of */
    pg_vector operands;                 /* pg_id: for each run all of x, all of y, all of w; or the first x and the
                                           distance to the next, and so on */
    pg_id registers;
} pg_part;

/* A program over rows, a batch, has two parts: what is the same in all rows is computed once, what differs for each row,
 * in lanes. Another has the first alone. */
struct pg_program {
    pg_memory memory;
    pg_part once, each;
    pg_vector numbers;                  /* double: the first registers; the inputs come next */
    pg_vector columns;                  /* pg_id: the inputs by row, whose registers are the first of `each` */
    pg_vector outputs;                  /* pg_id: registers of values, then of derivatives; those of `each` come after
                                           those of `once` */
    pg_id inputs, values;
    int reduced;                        /* whether outputs are added up over the rows */
    void *idle, *idle_lanes;            /* registers of no run, ready for use */
};

#define PG_IDS(vector) ((pg_id *)(vector).items)
#define PG_NODES(graph) ((pg_instruction *)(graph)->nodes.items)

#endif
