/* Graphs: their memory, and their nodes. */
#ifndef PYGRAD_GRAPH_H
#define PYGRAD_GRAPH_H

#include "program.h"

enum { PG_MOST = INT32_MAX };           /* elements in a vector: an id leaves a bit free */

/* What adds to a vector returns NULL, or 0, without memory, and the vector is as it was. */
int pgi_reserve(const pg_memory *memory, pg_vector *vector, size_t count, size_t element);
void pgi_forget(const pg_memory *memory, pg_vector *vector);

/* An array that does not grow, with room for an element more; and back. */
static inline void *pgi_take(const pg_memory *m, size_t count, size_t element)
{ return count < SIZE_MAX / element ? m->resize(m->context, NULL, (count + 1) * element) : NULL; }
static inline void pgi_give(const pg_memory *m, void *block)
{
    if (block) m->resize(m->context, block, 0);
}

static inline void *pgi_extend(const pg_memory *memory, pg_vector *vector, size_t count, size_t element)
{
    const size_t at = vector->count;
    if (PG_UNLIKELY(count > vector->room - at || !vector->items) && !pgi_reserve(memory, vector, count, element))
        return NULL;
    vector->count += count;
    return (char *)vector->items + at * element;
}

static inline int pgi_append(const pg_memory *memory, pg_vector *vector, pg_id id)
{
    pg_id *place = pgi_extend(memory, vector, 1, sizeof id);
    if (place) *place = id;
    return place != NULL;
}

pg_graph *pgi_graph_new(const pg_memory *memory);
/* What an operation on a list, not one that chooses, says of an empty one. */
int pgi_empty_status(int op);
/* pg_graph_read with memory from somewhere. */
int pgi_graph_read(const pg_memory *memory, const pg_graph_size *size, const uint8_t *ops, const uint32_t *operands,
                   const double *numbers, const uint32_t *outputs, pg_graph **graph);
/* The operands of a node, in place or written to `some`. */
static inline const pg_id *pgi_graph_operands(const pg_graph *graph, pg_id node, pg_id some[3], size_t *count)
{
    const pg_instruction *r = &PG_NODES(graph)[node];
    if (pgi_takes_list(r->op)) {
        *count = r->y;
        return PG_IDS(graph->lists) + r->x;
    }
    *count = (size_t)pgi_arity(r->op);
    some[2] = r->w;
    if (*count) some[0] = r->x, some[1] = r->y;
    return some;
}

#endif
