/* The reverse pass. Operands precede results in index order, so taking the highest reached node again
 * and again is a reverse topological order: nothing is sorted, and only reached nodes cost. */
#include "pass.h"

static const pg_pass pg_pass_without_memory = {.node = PG_NO_MEMORY};

pg_pass *pg_pass_new(pg_arena *arena)
{
    pg_pass *pass = pg_allocate(arena, NULL, sizeof *pass);
    if (!pass) return NULL;
    memset(pass, 0, sizeof *pass);
    pass->arena = arena;
    return pass;
}

void pg_pass_free(pg_pass *pass)
{
    if (pass->marks.indices) pg_deallocate(pass->arena, pass->marks.level[0]);
    pg_deallocate(pass->arena, pass);
}

int pg_pass_reserve(pg_pass *pass, uint64_t slots) { return pg_reserve_bits(pass->arena, &pass->marks, slots); }
const pg_bits *pg_pass_marks(const pg_pass *pass) { return &pass->marks; }

/* -- one node's step, from the op table ----------------------------------------------------------- */

static PG_NOINLINE void pg_reverse_list(int op, double *data, double *grad, pg_node node, const pg_edges *edges)
{
    const double g = grad[node], z = data[node];
    const pg_node *first = edges->operand;
    size_t n = edges->count;
    (void)z;
    switch (op) {
    case PG_OP_custom:
        for (size_t i = 0; edges->local && i < n; i++) grad[first[i]] += g * edges->local[i];
        break;
#define PG_OP_NARY(name, symbol, formula, forward, dx, error) \
    case PG_OP_##name:                                        \
        for (size_t i = 0; i < n; i++) {                      \
            const double x = data[first[i]];                  \
            (void)x;                                          \
            grad[first[i]] += g * (dx);                       \
        }                                                     \
        break;
#define PG_OP_PAIRED(name, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: {                                            \
        const pg_node *second = first + (n /= 2);                   \
        for (size_t i = 0; i < n; i++) {                            \
            const double x = data[first[i]], y = data[second[i]];   \
            grad[first[i]] += g * (dx);                             \
            grad[second[i]] += g * (dy);                            \
        }                                                           \
        break;                                                      \
    }
#include "ops.def"
    }
}

PG_INLINE void pg_reverse(int op, double *data, double *grad, pg_node node, const pg_record *r)
{
    const double g = grad[node], z = data[node];
    const pg_node a = r->of.at.x, b = r->of.at.y;
    (void)z;
    switch (op) {
    case PG_OP_leaf: break;
#define PG_OP_UNARY(name, symbol, formula, forward, dx, error) \
    case PG_OP_##name: {                                       \
        const double x = data[a];                              \
        (void)x;                                               \
        grad[a] += g * (dx);                                   \
        break;                                                 \
    }
#define PG_OP_BINARY(name, symbol, formula, forward, dx, dy, error) \
    case PG_OP_##name: {                                            \
        const double x = data[a], y = data[b];                      \
        (void)x, (void)y;                                           \
        grad[a] += g * (dx);                                        \
        grad[b] += g * (dy);                                        \
        break;                                                      \
    }
#define PG_OP_SCALAR(name, symbol, formula, forward, dx, error) \
    case PG_OP_##name: {                                        \
        const double x = data[a], y = data[b];                  \
        grad[a] += g * (dx);                                    \
        break;                                                  \
    }
#include "ops.def"
    default: pg_reverse_list(op, data, grad, node, r->of.edges);
    }
}

void pg_run_step(pg_arena *arena, pg_node node)
{
    pg_reverse(arena->rec[node].op, arena->data, arena->grad, node, &arena->rec[node]);
}

/* -- the walk ------------------------------------------------------------------------------------- */

/* Marks a reached node: in the word at hand, which is kept out of memory, or in one below it. */
static inline uint64_t pg_mark(pg_bits *marks, uint64_t word, uint64_t rest, pg_node node)
{
    if (PG_LIKELY(node >> 6 == word)) return rest | (uint64_t)1 << (node & 63);
    pg_bits_add(marks, node);
    return rest;
}

/* Runs until the set is empty, or until a node whose step is the host's: then 1. With every == 0 leaves
 * are passed over, as the flags of the nodes above them say. */
PG_INLINE int pg_walk(pg_pass *pass, int every)
{
    pg_arena *arena = pass->arena;
    double *data = arena->data, *grad = arena->grad;
    const pg_record *rec = arena->rec;
    pg_bits *marks = &pass->marks;
    uint64_t word = pass->word, rest = pass->rest;
    for (;;) {
        int64_t last;
        for (unsigned bit = 64; rest;) {
            /* Most often the next lower bit is set. Then the processor foresees the branch, and need not
             * wait until the marks of this node's operands are in `rest` to begin with the next node. */
            if (PG_LIKELY(bit > 0 && rest >> (bit - 1) & 1)) bit--;
            else bit = pg_highest(rest);
            const pg_node node = (pg_node)(word << 6 | bit);
            const pg_record *r = &rec[node];
            rest ^= (uint64_t)1 << bit;
            if (PG_LIKELY(!(r->flags & PG_LIST))) {
                if (every ? r->of.at.x != 0 : !(r->flags & PG_SKIP_X)) rest = pg_mark(marks, word, rest, r->of.at.x);
                if (every ? r->of.at.y != 0 : !(r->flags & PG_SKIP_Y)) rest = pg_mark(marks, word, rest, r->of.at.y);
            }
            else {
                const pg_edges *edges = r->of.edges;
                const int paired = pg_op(r->op)->kind == PG_PAIRED;
                const size_t first = paired ? edges->count / 2 : edges->count;
                size_t from = every || !(r->flags & PG_SKIP_X) ? 0 : first;
                size_t to = every || !(r->flags & PG_SKIP_Y) ? edges->count : first;
                for (size_t i = from; i < to; i++) rest = pg_mark(marks, word, rest, edges->operand[i]);
            }
            if (PG_UNLIKELY(r->step == PG_HOST_STEP)) {
                pass->word = word;
                pass->rest = rest;
                pass->node = node;
                return 1;
            }
            if (every) pg_run_step(arena, node);
            else pg_reverse(r->step, data, grad, node, r);
        }
        last = pg_bits_last_word(marks);
        if (last < 0) return 0;
        word = (uint64_t)last;
        rest = marks->level[0][word];
        marks->level[0][word] = 0;
        pg_bits_lower(marks, (uint32_t)word);
    }
}

pg_pass *pg_start_pass(pg_arena *arena, pg_node root)
{
    pg_pass *pass = arena->idle;
    arena->idle = NULL;
    if (!pass && !(pass = pg_pass_new(arena))) return (pg_pass *)&pg_pass_without_memory;
    if (pass->marks.indices <= root && pg_pass_reserve(pass, arena->capacity)) {
        pg_pass_free(pass);
        return (pg_pass *)&pg_pass_without_memory;
    }
    arena->grad[root] = 1.0;
    pass->root = root;
    pass->word = root >> 6;
    pass->rest = (uint64_t)1 << (root & 63);
    return pg_run_pass(pass);
}

pg_pass *pg_run_pass(pg_pass *pass)
{
    pg_arena *arena = pass->arena;
    if (arena->hooked_leaves ? pg_walk(pass, 1) : pg_walk(pass, 0)) {
        if (!pass->holds_root) arena->rec[pass->root].refs++;
        pass->holds_root = 1;
        return pass;
    }
    pg_end_pass(pass);
    return NULL;
}

void pg_end_pass(pg_pass *pass)
{
    pg_arena *arena = pass->arena;
    for (int64_t word; (word = pg_bits_last_word(&pass->marks)) >= 0;) {
        pass->marks.level[0][word] = 0;
        pg_bits_lower(&pass->marks, (uint32_t)word);
    }
    if (pass->holds_root) pg_unref(arena, pass->root);
    pass->holds_root = 0;
    if (arena->idle && arena->idle->marks.indices >= pass->marks.indices) pg_pass_free(pass);
    else {
        if (arena->idle) pg_pass_free(arena->idle);
        arena->idle = pass;
    }
}

/* -- zeroing ------------------------------------------------------------------------------------- */

int pg_clear_graph(pg_arena *arena, pg_node root)
{
    double *grad = arena->grad;
    pg_bits *marks;
    if (!arena->idle && !(arena->idle = pg_pass_new(arena))) return PG_NO_MEMORY;
    if (arena->idle->marks.indices <= root && pg_pass_reserve(arena->idle, arena->capacity)) return PG_NO_MEMORY;
    marks = &arena->idle->marks;
    pg_bits_add(marks, root);
    for (int64_t word; (word = pg_bits_last_word(marks)) >= 0;) {
        const pg_node node = (pg_node)((uint64_t)word << 6 | pg_highest(marks->level[0][word]));
        pg_node room[2];
        size_t count;
        const pg_node *operands = pg_operand_list(arena, node, room, &count);
        pg_bits_drop(marks, node);
        grad[node] = 0.0;
        for (size_t i = 0; i < count; i++) {
            if (arena->rec[operands[i]].op == PG_OP_leaf) grad[operands[i]] = 0.0;
            else pg_bits_add(marks, operands[i]);
        }
    }
    return PG_OK;
}

/* -- the public, locking face ------------------------------------------------------------------- */

pg_pass *pg_backward(pg_arena *arena, pg_node root)
{
    pg_pass *pass;
    pg_lock(arena);
    pass = pg_start_pass(arena, root);
    pg_unlock(arena);
    return pass;
}

pg_result pg_pass_node(pg_pass *pass) { return pass->node; }

pg_pass *pg_pass_resume(pg_pass *pass)
{
    pg_arena *arena = pass->arena;
    pg_lock(arena);
    pass = pg_run_pass(pass);
    pg_unlock(arena);
    return pass;
}

void pg_pass_abandon(pg_pass *pass)
{
    pg_arena *arena = pass->arena;
    if (!arena) return;             /* it never began: no memory */
    pg_lock(arena);
    pg_end_pass(pass);
    pg_unlock(arena);
}

void pg_step(pg_arena *arena, pg_node node)
{
    pg_lock(arena);
    pg_run_step(arena, node);
    pg_unlock(arena);
}

int pg_zero_graph(pg_arena *arena, pg_node root)
{
    int status;
    pg_lock(arena);
    status = pg_clear_graph(arena, root);
    pg_unlock(arena);
    return status;
}
