/* The reverse pass. Operands precede results in index order, so taking the highest reached node again and again is a
 * reverse topological order: nothing is sorted, and only reached nodes cost. */
#include "pass.h"

/* ops.def's partials as arithmetic. */
#define PG_WORD0(number) number
#define PG_WORD1(op, x) pgi_value_##op(x)
#define PG_WORD2(op, x, y) pgi_value_##op(x, y)
#define PG_WORD3(op, x, y, w) pgi_value_##op(x, y, w)

/* -- one node's chain rule, from the op table ------------------------------------------------------ */

static PG_NOINLINE void reverse_edges(int op, double *data, double *grad, pg_node node, const pg_edges *edges)
{
    const double g = grad[node], z = data[node];
    const pg_node *first = edges->operand;
    const size_t count = edges->count;
    (void)z;
    switch (op) {
    case PG_OP_custom:
        for (size_t k = 0; edges->partials && k < count; k++) grad[first[k]] += g * edges->partials[k];
        break;
#define PG_OP_NARY(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: { \
        const double n = (double)count; \
        (void)n; \
        for (size_t k = 0; k < count; k++) { \
            const double x = data[first[k]]; \
            (void)x; \
            grad[first[k]] += g * (dx); \
        } \
        break; \
    }
#define PG_OP_PAIRED(name, special, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: { \
        const pg_node *second = first + count / 2; \
        for (size_t k = 0; k < count / 2; k++) { \
            const double x = data[first[k]], y = data[second[k]]; \
            grad[first[k]] += g * (dx); \
            grad[second[k]] += g * (dy); \
        } \
        break; \
    }
#define PG_OP_TERNARY(name, special, symbol, formula, forward, dy, dw, error) \
    case PG_OP_##name: { \
        const double x = data[first[0]]; \
        grad[first[1]] += GATE(g, dy); \
        grad[first[2]] += GATE(g, dw); \
        break; \
    }
#define PG_OP_INDEXED(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: { \
        const double y = data[first[count - 1]], n = (double)(count - 1); \
        for (size_t k = 0; k < count - 1; k++) { \
            const double i = (double)k; \
            grad[first[k]] += GATE(g, dx); \
        } \
        break; \
    }
#include "ops.def"
    }
}

PG_INLINE void reverse(int op, double *data, double *grad, pg_node node, const pg_record *r)
{
    const double g = grad[node], z = data[node];
    const pg_node a = r->x, b = r->y;
    (void)z;
    switch (op) {
    case PG_OP_leaf: break;
#define PG_OP_SCALAR(name, special, symbol, formula, forward, dx, error) \
    case PG_OP_##name: { \
        const double x = data[a], y = data[b]; \
        (void)x, (void)y; \
        grad[a] += g * (dx); \
        break; \
    }
#define PG_OP_UNARY PG_OP_SCALAR        /* without an exponent b is 0, and y is not read */
#define PG_OP_BINARY(name, special, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: { \
        const double x = data[a], y = data[b]; \
        (void)x, (void)y; \
        grad[a] += g * (dx); \
        grad[b] += g * (dy); \
        break; \
    }
#include "ops.def"
    default: reverse_edges(op, data, grad, node, r->edges);
    }
}

void pgi_reverse_node(pg_arena *arena, pg_node node)
{ reverse(arena->nodes[node].op, arena->data, arena->grad, node, &arena->nodes[node]); }

/* -- the walk ------------------------------------------------------------------------------------- */

/* Marks a reached node: in the word at hand, which is kept out of memory, or in one below it. */
static inline uint64_t mark(pg_bits *marks, uint64_t word_index, uint64_t word_bits, pg_node node)
{
    if (PG_LIKELY(node >> 6 == word_index)) return word_bits | (uint64_t)1 << (node & 63);
    PG_ASSERT(node >> 6 < word_index);
    pgi_bits_add(marks, node);
    return word_bits;
}

/* Runs marked nodes, highest first, until none is left: then 0. At a node with an external step it stops, and returns
 * the node. Leaves are passed over, as the flags of the nodes above them say. */
static pg_node walk(pg_pass *pass)
{
    pg_arena *arena = pass->arena;
    double *data = arena->data, *grad = arena->grad;
    const pg_record *nodes = arena->nodes;
    pg_bits *marks = &pass->marks;
    uint64_t word_index = pass->word_index, word_bits = pass->word_bits;
    do {
        for (unsigned bit = 64; word_bits;) {
            /* Most often the next lower bit is set. Then the processor foresees the branch, and need not
             * wait until the marks of this node's operands are in `word_bits` to begin with the next node. */
            if (PG_LIKELY(bit > 0 && word_bits >> (bit - 1) & 1)) bit--;
            else bit = pgi_highest(word_bits);
            const pg_node node = (pg_node)(word_index << 6 | bit);
            const pg_record *r = &nodes[node];
            PG_ASSERT(pgi_in_use(arena, node));
            word_bits ^= (uint64_t)1 << bit;
            if (PG_LIKELY(!(r->flags & PG_LIST))) {
                if (!(r->flags & PG_X_IS_LEAF)) word_bits = mark(marks, word_index, word_bits, r->x);
                if (!(r->flags & PG_Y_IS_LEAF)) word_bits = mark(marks, word_index, word_bits, r->y);
            }
            else {
                const pg_edges *edges = r->edges;
                size_t from = r->flags & PG_X_IS_LEAF ? edges->first : 0;
                size_t to = r->flags & PG_Y_IS_LEAF ? edges->first : edges->count;
                for (size_t i = from; i < to; i++) word_bits = mark(marks, word_index, word_bits, edges->operand[i]);
            }
            if (PG_UNLIKELY(r->step == PG_EXTERNAL)) {
                pass->word_index = word_index;
                pass->word_bits = word_bits;
                return node;
            }
            reverse(r->step, data, grad, node, r);
        }
    } while (pgi_bits_take_last(marks, &word_index, &word_bits));
    return 0;
}

pg_result pgi_backward(pg_arena *arena, pg_node root, pg_pass **pass)
{
    if (!(*pass = pgi_pass_take(arena))) return PG_NO_MEMORY;
    arena->grad[root] = 1.0;
    (*pass)->root = root;
    (*pass)->word_index = root >> 6;
    (*pass)->word_bits = (uint64_t)1 << (root & 63);
    return pgi_resume(pass);
}

pg_result pgi_resume(pg_pass **pass)
{
    pg_pass *p = *pass;
    pg_node node = walk(p);
    if (node) {
        if (!p->holds_root) p->arena->nodes[p->root].refs++;
        p->holds_root = 1;
        return node;
    }
    *pass = NULL;
    pgi_end_pass(p);
    return PG_OK;
}

void pgi_end_pass(pg_pass *pass)
{
    pg_arena *arena = pass->arena;
    for (uint64_t index, word; pgi_bits_take_last(&pass->marks, &index, &word);) {}
    if (pass->holds_root) pgi_release(arena, pass->root);
    pass->holds_root = 0;
    pgi_pass_give(pass);
}

/* -- all grads below a root ---------------------------------------------------------------------- */

/* Visits the root and all that it reaches. `zero` says whether their grads are set to 0, or the nodes counted whose
 * grad is not 0 (-0 is not), and up to `room` of them written. */
static pg_result visit(pg_arena *arena, pg_node root, int zero, size_t room, pg_node *nodes)
{
    double *grad = arena->grad;
    pg_pass *pass = pgi_pass_take(arena);
    size_t found = 0;
    if (!pass) return PG_NO_MEMORY;
    pgi_bits_add(&pass->marks, root);
    for (uint64_t word_index, word_bits; pgi_bits_take_last(&pass->marks, &word_index, &word_bits);) {
        while (word_bits) {
            const unsigned bit = pgi_highest(word_bits);
            const pg_node node = (pg_node)(word_index << 6 | bit);
            pg_node pair[2];
            size_t count;
            const pg_node *operands = pgi_edges_of(arena, node, pair, &count);
            word_bits ^= (uint64_t)1 << bit;
            if (zero) grad[node] = 0.0;
            else if (grad[node] != 0.0 || signbit(grad[node])) {
                if (found < room) nodes[found] = node;
                found++;
            }
            for (size_t i = 0; i < count; i++) {
                const pg_node x = operands[i];
                if (arena->nodes[x].op != PG_OP_leaf || (!zero && (grad[x] != 0.0 || signbit(grad[x]))))
                    word_bits = mark(&pass->marks, word_index, word_bits, x);
                else grad[x] = 0.0;
            }
        }
    }
    pgi_pass_give(pass);
    return (pg_result)found;
}

int pgi_zero_graph(pg_arena *arena, pg_node root) { return (int)visit(arena, root, 1, 0, NULL); }

pg_result pgi_nonzero_grads(pg_arena *arena, pg_node root, size_t room, pg_node *nodes)
{ return visit(arena, root, 0, room, nodes); }
