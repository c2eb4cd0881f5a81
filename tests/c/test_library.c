/* The library from C, without Python: recording, order, the reverse pass, freeing, starvation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "derive.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

/* An allocator that counts blocks, and fails once its budget of calls is spent. */
typedef struct {
    long blocks, budget;
} supply;

static void *supplied(void *context, void *block, size_t size)
{
    supply *s = context;
    void *resized;
    if (!size) {
        s->blocks -= block != NULL;
        free(block);
        return NULL;
    }
    if (s->budget == 0) return NULL;
    if (s->budget > 0) s->budget--;
    resized = realloc(block, size);
    if (resized && !block) s->blocks++;
    return resized;
}

static int code(const char *name)
{
    for (int op = 0; pg_op(op); op++)
        if (!strcmp(pg_op(op)->name, name)) return op;
    CHECK(0 && "no such operation");
    return 0;
}

static pg_node made(pg_result result)
{
    CHECK(result > 0);
    return (pg_node)result;
}

static int sound(pg_arena *arena)
{
    const char *fault = pg_check(arena);
    if (fault) fprintf(stderr, "%s\n", fault);
    return !fault;
}

/* A reverse pass that no external step interrupts. */
static int run(pg_arena *arena, pg_node root)
{
    pg_pass *pass;
    return pg_backward(arena, root, &pass) == PG_OK && !pass;
}

static void drop(pg_arena *arena, pg_node node) { pg_release(arena, 1, &node); }

static void test_values_and_gradients(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 3.0)), y = made(pg_leaf(a, -2.0));
    pg_node product = made(pg_binary(a, code("mul"), x, y));
    pg_node twice = made(pg_binary(a, code("add"), product, product));
    pg_node square = made(pg_scalar(a, code("pow_scalar"), x, 2.0, 1));
    pg_node root = made(pg_binary(a, code("sub"), twice, square));
    int integral = 0;
    CHECK(pg_data(a, root) == -21.0);
    CHECK(run(a, root));
    CHECK(pg_grad(a, x) == -10.0 && pg_grad(a, y) == 6.0 && pg_grad(a, product) == 2.0);
    CHECK(run(a, root));        /* adds again, inner gradients included */
    CHECK(pg_grad(a, root) == 1.0 && pg_grad(a, product) == 2.0 + 4.0 && pg_grad(a, y) == 6.0 + 18.0);
    CHECK(pg_operands(a, square, 0, NULL) == 1 && pg_exponent(a, square, &integral) == 2.0 && integral);
    CHECK(!strcmp(pg_symbol(a, product), "*"));
    CHECK(sound(a));
    pg_arena_free(a);
}

static void test_lists_and_local_gradients(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node list[4], sum, dot, custom;
    double local[4] = {1.0, 10.0, 100.0, 1000.0};
    for (int i = 0; i < 4; i++) list[i] = made(pg_leaf(a, i + 1.0));
    sum = made(pg_nary(a, code("sum"), 4, list));
    dot = made(pg_nary(a, code("dot"), 4, list));           /* 1*3 + 2*4 */
    custom = made(pg_custom(a, 7.0, 4, list, local, "seven"));
    CHECK(pg_data(a, sum) == 10.0 && pg_data(a, dot) == 11.0 && pg_data(a, custom) == 7.0);
    CHECK(!strcmp(pg_symbol(a, custom), "seven"));
    CHECK(run(a, dot));
    CHECK(pg_grad(a, list[0]) == 3.0 && pg_grad(a, list[3]) == 2.0);
    CHECK(run(a, custom));
    CHECK(pg_grad(a, list[3]) == 1002.0);
    CHECK(pg_nary(a, code("mean"), 0, list) == PG_EMPTY);
    for (int i = 0; i < 4; i++) drop(a, list[i]);
    CHECK(pg_live_nodes(a) == 7);
    drop(a, sum), drop(a, dot), drop(a, custom);
    CHECK(pg_live_nodes(a) == 0 && sound(a));
    pg_arena_free(a);
}

static void test_errors_record_nothing(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node zero = made(pg_leaf(a, 0.0)), minus = made(pg_leaf(a, -1.0));
    CHECK(pg_binary(a, code("div"), minus, zero) == PG_ZERO_DIVISION);
    CHECK(pg_binary_right(a, code("div"), minus, 0.0) == PG_ZERO_DIVISION);
    CHECK(pg_binary_left(a, code("div"), 1.0, zero) == PG_ZERO_DIVISION);
    CHECK(pg_scalar(a, code("pow_scalar"), zero, -1.0, 1) == PG_ZERO_DIVISION);
    CHECK(pg_scalar(a, code("pow_scalar"), minus, 0.5, 0) == PG_COMPLEX);
    CHECK(pg_unary(a, code("log"), zero) == PG_DOMAIN);
    CHECK(pg_unary(a, code("sqrt"), minus) == PG_DOMAIN);
    pg_set_data(a, zero, 1000.0);
    CHECK(pg_unary(a, code("exp"), zero) == PG_OVERFLOW);
    CHECK(pg_live_nodes(a) == 2 && pg_references(a, minus) == 1 && sound(a));
    pg_arena_free(a);
}

static void test_external_steps(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 2.0)), scaled, host, root, sum, pair[2];
    pg_result held;
    pg_pass *pass;
    scaled = made(pg_binary_right(a, code("mul"), x, 3.0));
    held = pg_custom(a, 36.0, 1, &scaled, NULL, "square");
    CHECK(held & PG_HOLD_OPERANDS);
    host = (pg_node)held;
    held = pg_binary_right(a, code("add"), host, 1.0);
    CHECK(held & PG_HOLD_OPERANDS);                         /* so do results above it */
    root = (pg_node)held;
    CHECK(pg_backward(a, root, &pass) == host && pg_grad(a, host) == 1.0);
    CHECK(run(a, scaled));                                  /* another pass while this one waits */
    CHECK(pg_grow(a, 100000) == PG_OK);                     /* and the arrays move */
    pg_set_grad(a, scaled, 12.0);
    pg_set_grad(a, x, 0.0);
    CHECK(pg_resume(&pass) == PG_OK && !pass);
    CHECK(pg_grad(a, x) == 36.0 && sound(a));
    CHECK(pg_backward(a, root, &pass) == host);
    pg_abandon(pass);
    CHECK(sound(a) && pg_grad(a, x) == 36.0);
    CHECK(pg_set_external(a, x, 1) == PG_HAS_RESULTS);      /* which take it for a plain leaf */
    CHECK(pg_need_object(a, x) == PG_HAS_RESULTS && pg_need_object(a, root) == PG_OK);
    x = made(pg_leaf(a, 2.0));
    CHECK(pg_need_object(a, x) == PG_OK && pg_set_external(a, x, 1) == PG_OK);
    pair[0] = pair[1] = x;
    held = pg_nary(a, code("sum"), 2, pair);
    CHECK(held & PG_HOLD_OPERANDS);
    sum = (pg_node)held;
    CHECK(pg_backward(a, sum, &pass) == x && pg_grad(a, x) == 2.0 && pg_resume(&pass) == PG_OK);
    CHECK(sound(a));
    pg_arena_free(a);
}

/* A pass given up half way leaves no mark in any word, and its root is let go of. */
static void test_an_abandoned_pass(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node leaf = made(pg_leaf(a, 1.0)), low = made(pg_unary(a, code("neg"), leaf)), held[1000], root;
    pg_pass *pass;
    pg_result result;
    held[0] = low;
    for (int i = 1; i < 1000; i++) held[i] = made(pg_unary(a, code("neg"), i % 2 ? leaf : low));
    result = pg_custom(a, 1.0, 1000, held, NULL, "host");
    root = (pg_node)result;
    for (int i = 0; i < 1000; i++) drop(a, held[i]);
    CHECK(pg_backward(a, root, &pass) == root && pg_references(a, root) == 2);
    pg_abandon(pass);
    CHECK(pg_references(a, root) == 1 && sound(a));
    drop(a, root);
    CHECK(pg_live_nodes(a) == 1 && sound(a));
    pg_arena_free(a);
}

static void test_notices_of_freed_nodes(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 1.0)), y = made(pg_unary(a, code("neg"), x));
    CHECK(pg_notify_free(a, x) == PG_OK);
    drop(a, x);
    CHECK(pg_pop_freed(a) == 0);
    drop(a, y);
    CHECK(pg_live_nodes(a) == 0 && sound(a));
    CHECK(made(pg_leaf(a, 2.0)) != x);                      /* its slot waits for the host */
    CHECK(pg_unary(a, code("neg"), x) == PG_BAD_NODE && pg_retain(a, x) == PG_BAD_NODE);
    CHECK(pg_recycle(a, x) == PG_BAD_NODE);                 /* which has not been told of it yet */
    CHECK(pg_pop_freed(a) == x && pg_pop_freed(a) == 0 && sound(a));
    CHECK(pg_recycle(a, x) == PG_OK && pg_recycle(a, x) == PG_BAD_NODE);
    CHECK(made(pg_leaf(a, 3.0)) == x && sound(a));
    pg_arena_free(a);
}

/* Whatever codes, counts and nodes: a status, and nothing is changed. */
static void test_what_is_refused(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 1.0)), dead = made(pg_leaf(a, 2.0)), list[3] = {x, x, x};
    const pg_node nodes[] = {0, 1000000, UINT32_MAX, dead};
    const int codes[] = {-1, 9999, INT32_MIN, INT32_MAX};
    int is_int;
    drop(a, dead);
    for (int i = 0; i < 4; i++) {
        pg_node bad = nodes[i];
        pg_pass *pass;
        CHECK(pg_unary(a, code("exp"), bad) == PG_BAD_NODE);
        CHECK(pg_binary(a, code("add"), x, bad) == PG_BAD_NODE && pg_binary(a, code("add"), bad, x) == PG_BAD_NODE);
        CHECK(pg_binary_right(a, code("add"), bad, 1.0) == PG_BAD_NODE);
        CHECK(pg_binary_left(a, code("add"), 1.0, bad) == PG_BAD_NODE);
        CHECK(pg_scalar(a, code("pow_scalar"), bad, 2.0, 1) == PG_BAD_NODE);
        CHECK(pg_nary(a, code("sum"), 1, &bad) == PG_BAD_NODE);
        CHECK(pg_custom(a, 1.0, 1, &bad, NULL, "f") == PG_BAD_NODE);
        CHECK(pg_restore(a, code("exp"), 1.0, 0.0, 1, &bad, 0.0, 0, NULL, NULL) == PG_BAD_NODE);
        CHECK(pg_backward(a, bad, &pass) == PG_BAD_NODE && pg_zero_graph(a, bad) == PG_BAD_NODE);
        CHECK(pg_reverse_node(a, bad) == PG_BAD_NODE && pg_release(a, 1, &bad) == PG_BAD_NODE);
        CHECK(isnan(pg_data(a, bad)) && isnan(pg_grad(a, bad)) && pg_set_data(a, bad, 1.0) == PG_BAD_NODE);
        CHECK(pg_set_grad(a, bad, 1.0) == PG_BAD_NODE && pg_op_of(a, bad) == -1 && !*pg_symbol(a, bad));
        CHECK(isnan(pg_exponent(a, bad, &is_int)) && pg_references(a, bad) == 0 && pg_partials(a, bad) == NULL);
        CHECK(pg_operands(a, bad, 3, list) == 0 && pg_need_object(a, bad) == PG_BAD_NODE);
        CHECK(pg_notify_free(a, bad) == PG_BAD_NODE && pg_set_external(a, bad, 1) == PG_BAD_NODE);
        CHECK(pg_recycle(a, bad) == PG_BAD_NODE && pg_zero_grads(a, 1, &bad) == PG_BAD_NODE);
        CHECK(pg_unary(a, codes[i], x) == PG_BAD_OP && pg_binary(a, codes[i], x, x) == PG_BAD_OP);
        CHECK(pg_nary(a, codes[i], 3, list) == PG_BAD_OP && pg_scalar(a, codes[i], x, 1.0, 0) == PG_BAD_OP);
        CHECK(pg_restore(a, codes[i], 1.0, 0.0, 1, &x, 0.0, 0, NULL, NULL) == PG_BAD_OP);
        CHECK(pg_binary_right(a, codes[i], x, 1.0) == PG_BAD_OP && pg_binary_left(a, codes[i], 1.0, x) == PG_BAD_OP);
        CHECK(pg_op(codes[i]) == NULL);
        for (int place = 0; place < 3; place++) {           /* one among good ones */
            pg_node some[3] = {x, x, x};
            double state[3] = {0.0};
            some[place] = bad;
            CHECK(pg_nary(a, code("sum"), 3, some) == PG_BAD_NODE && pg_zero_grads(a, 3, some) == PG_BAD_NODE);
            CHECK(pg_custom(a, 1.0, 3, some, state, "f") == PG_BAD_NODE);
            CHECK(pg_restore(a, code("mean"), 1.0, 0.0, 3, some, 0.0, 0, NULL, NULL) == PG_BAD_NODE);
            CHECK(pg_sgd(a, 3, some, &(pg_sgd_options){.lr = 1.0}, NULL, 1) == PG_BAD_NODE);
            CHECK(pg_adam(a, 3, some, &(pg_adam_options){.lr = 1.0}, state, state, NULL, 1.0) == PG_BAD_NODE);
        }
    }
    CHECK(pg_data(a, x) == 1.0 && pg_grad(a, x) == 0.0);
    for (size_t count = 0; count < 4; count++)              /* each operation takes as many as its kind says */
        for (int op = 0; pg_op(op); op++) {
            int kind = pg_op(op)->kind;
            int one = kind == PG_UNARY || kind == PG_SCALAR;
            size_t fits = kind == PG_LEAF ? 0 : one ? 1 : kind == PG_BINARY ? 2 : kind == PG_TERNARY ? 3 : count;
            pg_node same[4] = {x, x, x, x};
            pg_result got = pg_restore(a, op, 1.0, 0.0, count, same, 2.0, 0, NULL, NULL);
            if (count == fits && !(kind == PG_PAIRED && count % 2) && !(kind == PG_INDEXED && !count))
                drop(a, pgi_node_of(got));
            else CHECK(got == PG_BAD_COUNT);
        }
#if SIZE_MAX > UINT32_MAX
    CHECK(pg_custom(a, 1.0, SIZE_MAX, list, NULL, NULL) == PG_BAD_COUNT);
    CHECK(pg_nary(a, code("sum"), (size_t)UINT32_MAX + 1, list) == PG_BAD_COUNT);
#endif
    CHECK(pg_unary(a, code("add"), x) == PG_BAD_OP && pg_binary(a, code("exp"), x, x) == PG_BAD_OP);
    CHECK(pg_nary(a, code("dot"), 3, list) == PG_BAD_COUNT);
    CHECK(pg_restore(a, code("add"), 1.0, 0.0, 1, list, 0.0, 0, NULL, NULL) == PG_BAD_COUNT);
    CHECK(pg_restore(a, code("leaf"), 1.0, 0.0, 1, list, 0.0, 0, NULL, NULL) == PG_BAD_COUNT);
    CHECK(pg_live_nodes(a) == 1 && pg_references(a, x) == 1 && sound(a));
    pg_arena_free(a);
}

static void test_statuses(void)
{
    for (int status = PG_FULL; status >= PG_FAILED; status--)
        CHECK(*pg_status_text(status) && strstr(pg_status_exception(status), "Error"));
    CHECK(!*pg_status_text(PG_OK) && !*pg_status_text(-1000) && *pg_status_exception(-1000));
}

/* Two lists of which one is of leaves, the other of nodes with steps of their own, closures' among them. */
static void test_lists_of_leaves_and_of_steps(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 1);
    for (int order = 0; order < 2; order++) {
        pg_node x = made(pg_leaf(a, 2.0)), twice = made(pg_binary_right(a, code("mul"), x, 2.0)), host, dot, list[4];
        pg_result result = pg_custom(a, 5.0, 1, &twice, NULL, "host");
        pg_pass *pass;
        host = pgi_node_of(result);
        list[2 * order] = list[2 * order + 1] = x;
        list[2 - 2 * order] = twice, list[3 - 2 * order] = host;
        result = pg_nary(a, code("dot"), 4, list);          /* 2 * 4 + 2 * 5 */
        CHECK(result & PG_HOLD_OPERANDS);
        dot = pgi_node_of(result);
        CHECK(pg_data(a, dot) == 18.0 && pg_backward(a, dot, &pass) == host && pg_grad(a, host) == 2.0);
        CHECK(pg_resume(&pass) == PG_OK && pg_grad(a, twice) == 2.0 && pg_grad(a, x) == 9.0 + 2.0 * 2.0);
        CHECK(pg_zero_graph(a, dot) == PG_OK && pg_grad(a, x) == 0.0 && pg_grad(a, twice) == 0.0 && sound(a));
        drop(a, x), drop(a, twice), drop(a, host), drop(a, dot);
        CHECK(pg_live_nodes(a) == 0);
    }
    pg_arena_free(a);
}

static void found(pg_arena *arena, const char *part)
{
    const char *fault = pg_check(arena);
    if (!fault || !strstr(fault, part)) fprintf(stderr, "expected '...%s...', found '%s'\n", part, fault ? fault : "");
    CHECK(fault && strstr(fault, part));
}

/* Breaks the invariants one by one, and mends them. */
static void test_what_the_check_finds(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node gap, x, y, list[1], z, sum;
    pg_record *nodes = a->nodes, record;
    pg_slots slots;
    gap = made(pg_leaf(a, 0.0)), x = made(pg_leaf(a, 1.0)), y = made(pg_binary(a, code("mul"), x, x));
    z = list[0] = made(pg_unary(a, code("neg"), y)), sum = made(pg_nary(a, code("sum"), 1, list));
    drop(a, gap);
    CHECK(sound(a));
    slots = a->slots;
#define BREAK_SLOTS(change, part) (change, found(a, part), a->slots = slots)
    BREAK_SLOTS(a->slots.free_count++, "disagrees with itself");
    BREAK_SLOTS(a->slots.top = a->slots.capacity + 1, "outside");
    BREAK_SLOTS(a->slots.span_next = 5, "no range");
    BREAK_SLOTS((a->slots.span_begin = a->slots.span_next = 10, a->slots.span_end = 12), "beyond the top");
    BREAK_SLOTS((a->slots.span_begin = a->slots.span_next = gap, a->slots.span_end = gap + 1), "of the span");
    BREAK_SLOTS(a->slots.free_end = gap, "above free_end");
    BREAK_SLOTS(a->slots.free_begin = gap + 1, "below free_begin");
    BREAK_SLOTS(a->slots.top = gap + 1, "below the top");
    pgi_bits_add(&a->slots.free, 0);
    BREAK_SLOTS(a->slots.free_count++, "slot 0 is free");
    pgi_bits_drop(&a->slots.free, 0);
    pgi_bits_add(&a->idle->marks, y);
    found(a, "marks");
    pgi_bits_drop(&a->idle->marks, y);
#define BREAK(node, change, part) (record = nodes[node], change, found(a, part), nodes[node] = record)
    BREAK(PG_NO_NODE, nodes[PG_NO_NODE].flags = 0, "slot 0");
    BREAK(x, nodes[x].refs = 0, "no reference");
    BREAK(x, nodes[x].refs = 1, "fewer references");
    BREAK(y, nodes[y].op = 254, "no operation");
    BREAK(y, nodes[y].step = PG_OP_sum, "another operation");
    BREAK(y, nodes[y].x = y, "precede");
    BREAK(y, nodes[y].x = gap, "not in use");
    BREAK(y, nodes[y].flags |= PG_NEEDS_OBJECT, "does not hold");
    BREAK(z, nodes[z].flags |= PG_X_IS_LEAF, "taken for a leaf");
    BREAK(sum, nodes[sum].flags |= PG_X_IS_LEAF | PG_Y_IS_LEAF, "taken for a leaf");
    CHECK(sound(a));
    pg_arena_free(a);
}

static void test_restored_nodes(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 2.0)), list[3] = {x, x, x}, node;
    double partials[2] = {3.0, 4.0};
    int is_int;
    for (int op = 0; pg_op(op); op++) {
        int kind = pg_op(op)->kind;
        size_t count = kind == PG_LEAF ? 0 : kind == PG_UNARY || kind == PG_SCALAR ? 1 : kind == PG_TERNARY ? 3 : 2;
        node = made(pg_restore(a, op, 5.0, 6.0, count, list, 3.0, 1, kind == PG_CUSTOM ? partials : NULL, NULL));
        CHECK(pg_data(a, node) == 5.0 && pg_grad(a, node) == 6.0 && pg_op_of(a, node) == op);
        CHECK(pg_operands(a, node, 0, NULL) == count);
        if (kind == PG_SCALAR) CHECK(pg_exponent(a, node, &is_int) == 3.0 && is_int);
        if (kind == PG_CUSTOM) CHECK(pg_partials(a, node)[1] == 4.0);
        drop(a, node);
    }
    CHECK(pg_live_nodes(a) == 1 && sound(a));
    pg_arena_free(a);
}

static void test_steps_and_zeroing(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 2.0)), y = made(pg_binary(a, code("mul"), x, x)), z = made(pg_unary(a, code("neg"), y));
    CHECK(pg_set_grad(a, y, 3.0) == PG_OK && pg_reverse_node(a, y) == PG_OK && pg_grad(a, x) == 12.0);
    CHECK(run(a, z) && pg_zero_graph(a, z) == PG_OK);
    CHECK(pg_grad(a, x) == 0.0 && pg_grad(a, y) == 0.0 && pg_grad(a, z) == 0.0 && sound(a));
    pg_arena_free(a);
}

static void test_optimizers(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node p[2] = {made(pg_leaf(a, 1.0)), made(pg_leaf(a, INFINITY))};
    double velocity[2] = {0}, mean[2] = {0}, square[2] = {0}, top[2] = {0};
    pg_sgd_options sgd = {.lr = 0.5, .momentum = 0.9, .dampening = 0.0};
    pg_adam_options adam = {.lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 0.0};
    for (int i = 0; i < 2; i++) pg_set_grad(a, p[i], 2.0);
    CHECK(pg_sgd(a, 2, p, &sgd, velocity, 1) == PG_OK && pg_data(a, p[0]) == 0.0 && velocity[0] == 2.0);
    CHECK(pg_sgd(a, 2, p, &sgd, velocity, 0) == PG_OK && fabs(pg_data(a, p[0]) + 1.9) < 1e-15);
    CHECK(isinf(pg_data(a, p[1])));                         /* no weight decay: no 0 times infinity */
    pg_set_data(a, p[0], 1.0);
    CHECK(pg_adam(a, 2, p, &adam, mean, square, top, 1.0) == PG_OK);
    CHECK(fabs(pg_data(a, p[0]) - 0.9) < 1e-12 && top[0] == square[0] && isinf(pg_data(a, p[1])));
    CHECK(pg_zero_grads(a, 2, p) == PG_OK && pg_grad(a, p[0]) == 0.0);
    pg_arena_free(a);
}

/* With a quota recording asks to be given releases, and goes on in the room that they free. */
static void test_the_quota(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node dead[200];
    pg_result node;
    size_t count = 0;
    int asked = 0;
    CHECK(pg_grow(a, 1000) == PG_OK);
    pg_set_quota(a, 100);
    for (int i = 0; i < 5000; i++) {
        while ((node = pg_leaf(a, 1.0)) == PG_FULL) {
            CHECK(count > 0 && pg_release(a, count, dead) == PG_OK);
            count = 0;
            asked++;
        }
        dead[count++] = made(node);
        CHECK(count < 200);
    }
    CHECK(asked >= 25 && pg_capacity(a) <= 1024);
    pg_release(a, count, dead);
    CHECK(pg_live_nodes(a) == 0 && sound(a));
    pg_set_quota(a, 0);
    CHECK(pg_leaf(a, 1.0) == PG_FULL);
    pg_set_quota(a, UINT64_MAX);
    for (int i = 0; i < 300; i++) made(pg_leaf(a, 1.0));
    CHECK(pg_live_nodes(a) == 300 && sound(a));
    pg_arena_free(a);
}

static void test_a_chain_of_a_million(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 1);
    pg_node x, node;
    CHECK(pg_grow(a, 2100000) == PG_OK);
    CHECK(pg_bytes(a) <= 48 * pg_capacity(a));
    x = node = made(pg_leaf(a, 1.0));
    for (int i = 0; i < 1000000; i++) {
        pg_node next = made(pg_binary_right(a, code("add"), node, 1.0));
        if (node != x) drop(a, node);
        node = next;
    }
    CHECK(run(a, node));
    CHECK(pg_data(a, node) == 1000001.0 && pg_grad(a, x) == 1.0 && pg_live_nodes(a) == 2000001);
    drop(a, node);
    CHECK(pg_live_nodes(a) == 1 && sound(a));
    CHECK(made(pg_leaf(a, 1.0)) == x + 1);                  /* the top came down again */
    pg_arena_free(a);
}

static void test_the_limit(void)
{
    pg_arena *a = pg_arena_new(8, NULL, NULL, 0);
    pg_node first = made(pg_leaf(a, 1.0));
    for (int i = 1; i < 8; i++) made(pg_leaf(a, 1.0));
    CHECK(pg_leaf(a, 1.0) == PG_FULL && pg_grow(a, 0) == PG_NO_INDEX && pg_grow(a, 9) == PG_NO_INDEX);
    CHECK(pg_unary(a, code("neg"), first) == PG_FULL && pg_references(a, first) == 1);
    drop(a, first);
    CHECK(made(pg_leaf(a, 1.0)) == first && sound(a));
    pg_arena_free(a);
}

/* Every operation's local gradients against central differences, by reading the table. */
static void test_derivatives(void)
{
    const double at[3] = {0.7, 1.3, 0.4}, h = 1e-6;
    for (int op = 0; pg_op(op); op++) {
        int kind = pg_op(op)->kind, count = kind == PG_UNARY || kind == PG_SCALAR || kind == PG_INDEXED ? 1 : 2;
        pg_arena *a;
        pg_node x[3], out;
        if (kind == PG_LEAF || kind == PG_CUSTOM) continue;
        a = pg_arena_new(0, NULL, NULL, 0);
        for (int i = 0; i < count; i++) {
            double side[2];
            for (int s = 0; s < 3; s++) {       /* below, above, and the point itself */
                double shift = s == 0 ? -h : s == 1 ? h : 0.0;
                for (int j = 0; j < 3; j++) x[j] = made(pg_leaf(a, at[j] + (j == i ? shift : 0.0)));
                if (kind == PG_INDEXED) pg_set_data(a, x[1], 0.0);
                out = made(kind == PG_UNARY    ? pg_unary(a, op, x[0])
                           : kind == PG_SCALAR ? pg_scalar(a, op, x[0], 2.5, 0)
                           : kind == PG_BINARY ? pg_binary(a, op, x[0], x[1])
                                               : pg_nary(a, op, kind == PG_TERNARY ? 3 : 2, x));
                if (s < 2) side[s] = pg_data(a, out);
            }
            CHECK(run(a, out));
            CHECK(fabs(pg_grad(a, x[i]) - (side[1] - side[0]) / (2 * h)) < 1e-7);
        }
        pg_arena_free(a);
    }
}

/* Nodes made, combined and dropped at random; the arena's invariants hold, and nothing is left. */
static void test_random_lives(void)
{
    enum { HELD = 300 };
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node held[HELD] = {0};
    const int add = code("add"), sum = code("sum");
    srand(7);
    for (int i = 0; i < 200000; i++) {
        int k = rand() % HELD, l = rand() % HELD, choice = rand() % 8;
        pg_result made_now = PG_OK;
        if (choice < 2 || !held[k]) made_now = pg_leaf(a, 1.0);
        else if (choice < 5 && held[l]) made_now = pg_binary(a, add, held[k], held[l]);
        else if (choice < 6) made_now = pg_binary_left(a, add, 0.0, held[k]);
        else if (choice < 7 && held[l]) made_now = pg_nary(a, sum, 2, (pg_node[]){held[k], held[l]});
        else if (held[l]) CHECK(run(a, held[l]));
        if (made_now == PG_FULL) CHECK(pg_grow(a, 0) == PG_OK);
        if (held[k] && (made_now > 0 || choice == 7)) drop(a, held[k]), held[k] = 0;
        if (made_now > 0) held[k] = (pg_node)made_now;
        if (i % 997 == 0) CHECK(sound(a));
        if (i % 20000 == 19999)                             /* or graphs grow without end */
            for (k = 0; k < HELD; k++)
                if (held[k]) drop(a, held[k]), held[k] = 0;
    }
    for (int k = 0; k < HELD; k++)
        if (held[k]) drop(a, held[k]);
    CHECK(pg_live_nodes(a) == 0 && sound(a));
    pg_arena_free(a);
}

/* Whether a call came through; if not, it says that memory is what it lacked. */
static int came_through(pg_result result)
{
    CHECK(result >= 0 || result == PG_NO_MEMORY);
    return result >= 0;
}

/* One long story, in which any allocation may fail: whether it was told to its end. */
static int tell(supply *s)
{
    pg_arena *a = pg_arena_new(0, supplied, s, 1);
    pg_node x, list[2], node;
    pg_result made_now;
    pg_pass *pass, *inner;
    int whole = 1;
    if (!a) return 0;
    x = list[0] = list[1] = made(pg_leaf(a, 2.0));
    node = made(pg_binary(a, code("mul"), x, x));
    made_now = pg_nary(a, code("sum"), 2, list);
    whole &= came_through(made_now);
    made_now = pg_custom(a, 1.0, 2, list, NULL, "host");
    whole &= came_through(made_now);
    if (made_now > 0) {
        CHECK(pg_backward(a, pgi_node_of(made_now), &pass) > 0);
        whole &= came_through(pg_backward(a, node, &inner));    /* needs a set of its own */
        CHECK(pg_resume(&pass) == PG_OK);
    }
    for (int i = 0; i < 5000; i++) {
        made_now = pg_leaf(a, 1.0);
        if (made_now == PG_FULL) whole &= came_through(pg_grow(a, 0));
    }
    s->budget = -1;                                         /* memory is back: all still works */
    CHECK(pg_data(a, x) == 2.0 && pg_data(a, node) == 4.0 && sound(a));
    pg_set_grad(a, x, 0.0);
    CHECK(run(a, node) && pg_grad(a, x) == 4.0);
    CHECK(pg_grow(a, 0) == PG_OK && made(pg_leaf(a, 5.0)) && sound(a));
    pg_arena_free(a);
    return whole;
}

static void test_starvation(void)
{
    int told = 0;
    for (long budget = 0; !told; budget++) {
        supply s = {0, budget};
        told = tell(&s);
        CHECK(s.blocks == 0);
        CHECK(budget < 1000);
    }
}

/* -- graphs and programs ---------------------------------------------------------------------------- */

static pg_graph *frozen(pg_arena *a, pg_node output, size_t inputs, const pg_node *input)
{
    pg_graph *graph;
    CHECK(pg_freeze(a, 1, &output, inputs, input, 0, &graph) == PG_OK && graph);
    return graph;
}

static void test_a_graph_and_its_programs(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 3.0)), y = made(pg_leaf(a, 2.0)), unused = made(pg_leaf(a, 1.0));
    pg_node product = made(pg_binary(a, code("mul"), x, y)), pair[2] = {product, x};
    pg_node sum = made(pg_nary(a, code("sum"), 2, pair)), root = made(pg_binary_right(a, code("div"), sum, 4.0));
    pg_node input[2] = {unused, y};
    pg_graph *graph = frozen(a, root, 2, input), *inner = frozen(a, root, 1, &product);
    uint32_t wanted[3] = {0, 1, 2}, bad = 3, node, numbers;
    double at[3] = {100.0, 5.0, 7.0}, out[4];
    CHECK(pg_graph_inputs(graph) == 3);                     /* those given, then the others */
    CHECK(pg_graph_sources(graph)[0] == unused && pg_graph_sources(graph)[1] == y && pg_graph_sources(graph)[2] == x);
    CHECK(pg_graph_inputs(inner) == 2 && pg_graph_sources(inner)[1] == x);
    pg_arena_free(a);                                       /* a graph does without it */
    for (int passes = 0; passes <= PG_ALL_PASSES; passes++) {
        pg_program *p = pg_compile(graph, 3, wanted, passes), *only = pg_compile(graph, 0, NULL, passes);
        pg_listing lines[50];
        uint32_t which[3];
        const uint32_t count = pg_program_instructions(p);
        CHECK(pg_program_outputs(p) == 4 && pg_program_outputs(only) == 1);
        for (int i = 0; i < 2; i++) {                       /* twice: a run leaves its registers to the next */
            CHECK(pg_run(p, at, out) == PG_OK);
            CHECK(out[0] == 10.5 && out[1] == 0.0 && out[2] == 1.75 && out[3] == 1.5);
            CHECK(pg_run(only, at, out) == PG_OK && out[0] == 10.5);
        }
        CHECK(count < 50 && pg_program_list(p, count - 1, lines) == PG_BAD_COUNT);
        CHECK(pg_program_list(p, count, lines) == PG_OK);
        CHECK(pg_program_numbers(p, &numbers) && numbers > 0 && lines[0].result == numbers + 3);
        CHECK(pg_program_output(p, 0) >= numbers + 3 && pg_program_output(p, 4) == 0);
        CHECK(pg_program_used(p, 0, which) == 2 && which[0] == 1 && which[1] == 2 && !pg_program_used(p, 1, which));
        CHECK(!pg_program_used(only, 0, which));
        pg_program_free(p), pg_program_free(only);
    }
    CHECK(!pg_compile(graph, 1, &bad, 0) && !pg_compile(graph, 1, (uint32_t[]){UINT32_MAX}, PG_ALL_PASSES));
    CHECK(pg_graph_error(graph, at, &node) == PG_OK);
    pg_program_free(NULL), pg_graph_free(NULL);
    pg_graph_free(graph), pg_graph_free(inner);
}

static void test_what_has_no_graph(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 3.0)), custom = made(pg_custom(a, 1.0, 1, &x, &(double){2.0}, "f")), mean, outputs[2];
    pg_node root = made(pg_binary(a, code("mul"), custom, x)), bad[] = {0, 1000000, UINT32_MAX};
    pg_graph *graph = (pg_graph *)&a;
    CHECK(pg_freeze(a, 1, &root, 0, NULL, 0, &graph) == PG_NO_FORMULA && !graph);
    pg_graph_free(frozen(a, root, 1, &custom));             /* as an input it needs none */
    mean = made(pg_restore(a, code("mean"), 1.0, 0.0, 0, NULL, 0.0, 0, NULL, NULL));
    CHECK(pg_freeze(a, 1, &mean, 0, NULL, 0, &graph) == PG_EMPTY && !graph);
    for (int i = 0; i < 3; i++) {
        outputs[0] = x, outputs[1] = bad[i];
        CHECK(pg_freeze(a, 2, outputs, 0, NULL, 0, &graph) == PG_BAD_NODE && !graph);
        CHECK(pg_freeze(a, 1, &x, 2, outputs, 0, &graph) == PG_BAD_NODE && !graph);
        CHECK(pg_depends(a, bad[i], 1) == PG_BAD_NODE && pg_mark_number(a, bad[i]) == PG_BAD_NODE);
        CHECK(pg_gather(a, 2, outputs, (double[2]){0}) == PG_BAD_NODE);
        CHECK(pg_scatter(a, 2, outputs, (double[2]){1.0, 1.0}) == PG_BAD_NODE && pg_grad(a, x) == 0.0);
    }
    CHECK(pg_mark_number(a, root) == PG_BAD_OP && sound(a));
    pg_arena_free(a);
}

static void test_numbers_are_no_inputs(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 3.0)), number = made(pg_leaf(a, 2.0)),
            root = made(pg_binary(a, code("mul"), x, number));
    pg_graph *graph = frozen(a, root, 0, NULL);
    CHECK(pg_graph_inputs(graph) == 2);
    pg_graph_free(graph);
    CHECK(pg_mark_number(a, number) == PG_OK);
    graph = frozen(a, root, 0, NULL);
    CHECK(pg_graph_inputs(graph) == 1 && pg_graph_measure(graph).numbers == 1);
    pg_graph_free(graph);
    graph = frozen(a, root, 1, &number);                    /* but where it is given */
    CHECK(pg_graph_inputs(graph) == 2);
    pg_graph_free(graph);
    pg_arena_free(a);
}

static void test_the_errors_of_a_run(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 1.0)), log = made(pg_unary(a, code("log"), x)), list[3], where;
    pg_node one = made(pg_leaf(a, 1.0)), root;
    pg_graph *graph;
    pg_program *p;
    double out[2], nan = NAN, minus = -1.0, two = 2.0;
    uint32_t node = 7;
    pg_mark_number(a, one);
    list[0] = one, list[1] = x, list[2] = log;
    where = made(pg_nary(a, code("where"), 3, list));       /* never chooses the logarithm */
    root = made(pg_binary_left(a, code("div"), 1.0, where));
    graph = frozen(a, root, 0, NULL);
    for (int passes = 0; passes <= PG_ALL_PASSES; passes++) {
        p = pg_compile(graph, 1, (uint32_t[]){0}, passes);
        CHECK(pg_run(p, &minus, out) == PG_FAILED && pg_graph_error(graph, &minus, &node) == PG_DOMAIN && node == 1);
        CHECK(pg_run(p, &two, out) == PG_OK && out[0] == 0.5 && out[1] == -0.25);
        CHECK(pg_run(p, &nan, out) == PG_OK && isnan(out[0]) && pg_graph_error(graph, &nan, &node) == PG_OK);
        pg_program_free(p);
    }
    pg_graph_free(graph);
    pg_arena_free(a);
}

/* A derivative that has no number, as that of a root at 0, is no error of a run. */
static void test_derivatives_raise_nothing(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 1.0));
    pg_graph *graph = frozen(a, made(pg_unary(a, code("sqrt"), x)), 1, &x);
    pg_graph *slope = pg_derive(graph, 1, (uint32_t[]){0}, PG_WITH_VALUES);
    pg_program *p = pg_compile(slope, 0, NULL, PG_ALL_PASSES);
    double zero = 0.0, out[2];
    uint32_t node;
    CHECK(pg_run(p, &zero, out) == PG_OK && out[1] == INFINITY && pg_graph_error(slope, &zero, &node) == PG_OK);
    pg_program_free(p);
    pg_graph_free(slope), pg_graph_free(graph);
    pg_arena_free(a);
}

/* Depths about the sizes of tables: each place that a program has is its own. */
static void test_programs_of_any_depth(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    const int lengths[] = {0, 1, 2, 63, 64, 511, 512, 513, 1022, 1023, 1024, 1025, 1026, 3000};
    CHECK(pg_grow(a, 20000) == PG_OK);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        pg_node x = made(pg_leaf(a, 1.0)), node = x;
        pg_graph *graph;
        for (int k = 0; k < lengths[i]; k++) node = made(pg_unary(a, code("sin"), node));
        graph = frozen(a, node, 1, &x);
        for (int passes = 0; passes <= PG_ALL_PASSES; passes += 5) {
            pg_program *p = pg_compile(graph, 1, (uint32_t[]){0}, passes);
            double in = 1.0, out[2];
            CHECK(pg_run(p, &in, out) == PG_OK && out[0] == pg_data(a, node));
            pg_program_free(p);
        }
        pg_graph_free(graph);
    }
    pg_arena_free(a);
}

/* -- rows ------------------------------------------------------------------------------------------- */

enum { MOST_ROWS = 600 };

typedef struct batch {
    double numbers[MOST_ROWS][2], results[MOST_ROWS][3], sums[3];
    pg_block inputs[2], outputs[3];
    pg_rows rows;
} batch;

/* Rows of x and y, or of x alone where y is the same for all; results side by side, or sums. */
static void lay_out(batch *b, uint64_t count, int is_reduced, int shares_y, const double *once)
{
    *b = (batch){.rows = {.count = count, .once = once}};
    for (int r = 0; r < MOST_ROWS; r++)
        b->numbers[r][0] = 0.25 * r - 3.0, b->numbers[r][1] = shares_y ? once[1] : 0.5 + r;
    for (int k = 0; k < 2; k++) b->inputs[k] = (pg_block){&b->numbers[0][k], 1, 2};
    b->outputs[0] = is_reduced ? (pg_block){b->sums, 3, 3} : (pg_block){&b->results[0][0], 1, 3};
    b->outputs[1] = (pg_block){&b->results[0][1], 2, 3};
    b->rows.inputs = b->inputs, b->rows.outputs = b->outputs;
}

static int run_all_rows(pg_program *p, pg_rows *rows, int threads)
{
    const uint64_t chunks = pg_row_chunks(p, rows->count);
    int status = PG_OK;
    for (uint64_t from = 0; status == PG_OK && from < chunks; from += PG_MOST_CHUNKS)
        status = pg_run_rows(p, rows, from, from + PG_MOST_CHUNKS < chunks ? from + PG_MOST_CHUNKS : chunks, threads);
    return status;
}

/* x * exp(-y) + y / (x + 0.1), with each pass, at all counts around the number of lanes: the numbers of single runs. */
static void test_rows(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 1.0)), y = made(pg_leaf(a, 2.0)), input[2] = {x, y};
    pg_node exp = made(pg_unary(a, code("exp"), made(pg_unary(a, code("neg"), y))));
    pg_node quotient = made(pg_binary(a, code("div"), y, made(pg_binary_right(a, code("add"), x, 0.1))));
    pg_graph *graph =
        frozen(a, made(pg_binary(a, code("add"), made(pg_binary(a, code("mul"), x, exp)), quotient)), 2, input);
    const uint32_t wanted[2] = {0, 1};
    const double once[2] = {0.0, 1.5};
    static batch b, c;
    for (int variant = 0; variant < 64; variant++) {
        const int shares_y = variant & 1, is_reduced = variant >> 1 & 1,
                  passes = variant < 32 ? PG_ALL_PASSES : variant;
        const uint8_t by_row[2] = {1, !shares_y};
        pg_program *p = pg_compile_rows(graph, 2, wanted, by_row, is_reduced, passes);
        pg_program *single = pg_compile(graph, 2, wanted, passes);
        double out[3];
        pg_listing lines[50];
        CHECK(p && single && pg_program_instructions(p) < 50);
        CHECK(pg_program_list(p, 50, lines) == PG_OK && pg_run(p, once, out) == PG_BAD_COUNT);
        for (uint64_t count = 0; count < MOST_ROWS; count += count < 34 ? 1 : 113) {
            double sums[3] = {0.0};
            lay_out(&b, count, is_reduced, shares_y, once);
            lay_out(&c, count, is_reduced, shares_y, once);
            b.rows.mean = c.rows.mean = (int)count & 1;
            CHECK(run_all_rows(p, &b.rows, 1) == PG_OK && run_all_rows(p, &c.rows, 3) == PG_OK);
            CHECK(!memcmp(b.results, c.results, sizeof b.results) && !memcmp(b.sums, c.sums, sizeof b.sums));
            for (uint64_t r = 0; r < count; r++) {
                CHECK(pg_run(single, b.numbers[r], out) == PG_OK);
                for (int k = 0; k < 3; k++) sums[k] += out[k];
                CHECK(is_reduced || !memcmp(out, b.results[r], sizeof out));
            }
            for (int k = 0; is_reduced && count && k < 3; k++)
                CHECK(fabs(b.sums[k] * (b.rows.mean ? (double)count : 1.0) - sums[k]) <=
                      1e-12 * (1.0 + fabs(sums[k])) * 100.0);
        }
        CHECK(pg_run_rows(p, &b.rows, 1, 0, 1) == PG_BAD_COUNT &&
              pg_run_rows(p, &b.rows, 0, 1000000, 1) == PG_BAD_COUNT);
        pg_program_free(p), pg_program_free(single);
    }
    pg_graph_free(graph);
    pg_arena_free(a);
}

/* log(x) / y: the first row that fails, whoever finds it; or rows of nan. */
static void test_rows_that_fail(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 1.0)), y = made(pg_leaf(a, 2.0)), input[2] = {x, y};
    pg_graph *graph = frozen(a, made(pg_binary(a, code("div"), made(pg_unary(a, code("log"), x)), y)), 2, input);
    const double once[2] = {0.0, 2.0}, zero[2] = {0.0, 0.0};
    static batch b;
    for (int threads = 1; threads < 4; threads++) {
        pg_program *p = pg_compile_rows(graph, 1, (uint32_t[]){0}, (uint8_t[]){1, 0}, 0, PG_ALL_PASSES);
        pg_program *sum = pg_compile_rows(graph, 1, (uint32_t[]){0}, (uint8_t[]){1, 0}, 1, PG_ALL_PASSES);
        lay_out(&b, MOST_ROWS, 0, 1, once);
        for (int r = 0; r < MOST_ROWS; r++) b.numbers[r][0] = r == 455 || r >= 590 ? -1.0 : 1.0 + r;
        CHECK(run_all_rows(p, &b.rows, threads) == PG_FAILED && b.rows.failed == 455);
        b.rows.pass_errors = 1;
        CHECK(run_all_rows(p, &b.rows, threads) == PG_OK);
        for (int r = 0; r < MOST_ROWS; r++) CHECK(!isnan(b.results[r][0]) == (b.numbers[r][0] > 0.0));
        b.outputs[0] = (pg_block){b.sums, 3, 3};
        CHECK(run_all_rows(sum, &b.rows, threads) == PG_OK && isnan(b.sums[0]) && isnan(b.sums[1]));
        b.rows.once = zero, b.rows.pass_errors = 0;         /* what fails in all rows fails in the first */
        b.sums[0] = 7.0;
        CHECK(run_all_rows(sum, &b.rows, threads) == PG_FAILED && b.rows.failed == 0 && b.sums[0] == 7.0);
        pg_program_free(p), pg_program_free(sum);
    }
    pg_graph_free(graph);
    pg_arena_free(a);
}

/* Powers of numbers in lanes, which have a way of their own: a square root of -1 fails in its row, in no other. */
static void test_rows_of_powers(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 1.0));
    pg_graph *graph = frozen(a, made(pg_scalar(a, code("pow_scalar"), x, 0.5, 0)), 1, &x);
    pg_program *p = pg_compile_rows(graph, 0, NULL, (uint8_t[]){1}, 0, PG_ALL_PASSES);
    static batch b;
    lay_out(&b, 20, 0, 0, (double[]){0.0, 0.0});
    for (int r = 0; r < 20; r++) b.numbers[r][0] = r == 13 ? -1.0 : r == 5 ? INFINITY : r == 6 ? 0.0 : r;
    CHECK(run_all_rows(p, &b.rows, 1) == PG_FAILED && b.rows.failed == 13);
    b.numbers[13][0] = 1.0;
    CHECK(run_all_rows(p, &b.rows, 1) == PG_OK && b.rows.failed == UINT64_MAX && b.results[5][0] == INFINITY);
    pg_program_free(p);
    pg_graph_free(graph);
    pg_arena_free(a);
}

/* As many rows as can be counted, all the same one, in their last chunks; and numbers of threads that are none. */
static void test_rows_without_end(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 1.0));
    pg_graph *graph = frozen(a, made(pg_binary_right(a, code("mul"), x, 3.0)), 1, &x);
    pg_program *p = pg_compile_rows(graph, 1, (uint32_t[]){0}, (uint8_t[]){1}, 1, PG_ALL_PASSES);
    double number = 2.0, sums[2] = {0.0}, once = 0.0;
    const pg_block from = {&number, 1, 0}, to = {sums, 2, 0};
    pg_rows rows = {.count = UINT64_MAX, .once = &once, .inputs = &from, .outputs = &to};
    const uint64_t chunks = pg_row_chunks(p, rows.count);
    CHECK(pg_run_rows(p, &rows, chunks - 1, chunks, 1) == PG_OK && sums[0] == 7.0 * 6.0 && sums[1] == 7.0 * 3.0);
    rows.count = 1000;
    for (int threads = -2; threads < 3; threads++) {
        sums[0] = NAN;
        CHECK(pg_run_rows(p, &rows, 0, pg_row_chunks(p, 1000), threads) == PG_OK && sums[0] == 6000.0);
    }
    pg_program_free(p);
    pg_graph_free(graph);
    pg_arena_free(a);
}

static void test_traces(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node before = made(pg_leaf(a, 2.0)), inside, number, kept, root;
    pg_graph *graph;
    for (int round = 0; round < 600; round++) {             /* twice through all eras */
        int era = pg_begin_trace(a), inner;
        CHECK(era == round % 255 + 1);
        inside = made(pg_leaf(a, 4.0));
        number = made(pg_binary_right(a, code("mul"), inside, 3.0));
        root = made(pg_binary(a, code("mul"), number, before));
        CHECK(pg_depends(a, before, era) == 1 && pg_depends(a, root, era) == 1);
        CHECK(pg_depends(a, inside, era) == 0 && pg_depends(a, number, era) == 0);
        CHECK(pg_freeze(a, 1, &root, 0, NULL, era, &graph) == PG_OK);
        CHECK(pg_graph_inputs(graph) == 2);                 /* `inside` too, as it is held here */
        pg_graph_free(graph);
        drop(a, inside);
        CHECK(pg_freeze(a, 1, &root, 0, NULL, era, &graph) == PG_OK);
        CHECK(pg_graph_inputs(graph) == 1 && pg_graph_sources(graph)[0] == before);
        pg_graph_free(graph);
        if (era < 255) {                                    /* another begins within: what it finds is older */
            inner = pg_begin_trace(a);
            CHECK(inner == era + 1 && pg_depends(a, number, inner) == 1);
            kept = made(pg_leaf(a, 1.0));
            CHECK(pg_depends(a, kept, inner) == 0 && pg_depends(a, kept, era) == 0);
            drop(a, kept);
            pg_end_trace(a);
            round++;
        }
        pg_end_trace(a);
        drop(a, number), drop(a, root);
        CHECK(pg_live_nodes(a) == 1 && sound(a));
    }
    while (pg_begin_trace(a) != 255) pg_end_trace(a);
    CHECK(pg_begin_trace(a) == 0 && pg_begin_trace(a) == 0);    /* while one waits for its end there is no era left */
    pg_end_trace(a);
    pg_end_trace(a), pg_end_trace(a);                       /* more than there were */
    CHECK(pg_begin_trace(a) == 1 && pg_depends(a, before, 1) == 1 && pg_depends(a, before, 0) == 0);
    pg_end_trace(a);
    pg_arena_free(a);
}

/* The derivatives of the table's partials, and so of the helpers in them, against differences of these. */
static void test_second_derivatives(void)
{
    const double at[3] = {0.7, 1.3, 0.4}, h = 1e-6, exponents[] = {2.5, 2.0, 3.0, 1.0, 0.0, 0.5, -1.0};
    const uint32_t wanted[3] = {0, 1, 2};
    for (int op = 0; pg_op(op); op++) {
        const int kind = pg_op(op)->kind;
        for (int e = 0; e < (kind == PG_SCALAR ? 7 : 1); e++) {
            pg_arena *a;
            pg_node x[3], out;
            pg_graph *graph, *once, *twice;
            pg_program *first, *second;
            double values[16], side[2][16];
            if (kind == PG_LEAF || kind == PG_CUSTOM) continue;
            a = pg_arena_new(0, NULL, NULL, 0);
            for (int j = 0; j < 3; j++) x[j] = made(pg_leaf(a, kind == PG_INDEXED && j == 2 ? 1.0 : at[j]));
            out = made(kind == PG_UNARY    ? pg_unary(a, op, x[0])
                       : kind == PG_SCALAR ? pg_scalar(a, op, x[0], exponents[e], 0)
                       : kind == PG_BINARY ? pg_binary(a, op, x[0], x[1])
                                           : pg_nary(a, op, kind == PG_PAIRED ? 2 : 3, x));
            graph = frozen(a, made(pg_binary(a, code("mul"), out, out)), 3, x);
            CHECK((once = pg_derive(graph, 3, wanted, PG_WITH_VALUES)) &&
                  (twice = pg_derive(once, 3, wanted, PG_WITH_VALUES)));
            first = pg_compile(once, 0, NULL, PG_ALL_PASSES), second = pg_compile(twice, 0, NULL, PG_ALL_PASSES);
            CHECK(first && second && pg_program_outputs(first) == 4 && pg_program_outputs(second) == 16);
            CHECK(pg_run(second, (double[3]){at[0], at[1], kind == PG_INDEXED ? 1.0 : at[2]}, values) == PG_OK);
            for (int j = 0; j < (kind == PG_INDEXED ? 2 : 3); j++) {
                for (int s = 0; s < 2; s++) {
                    double moved[3] = {at[0], at[1], kind == PG_INDEXED ? 1.0 : at[2]};
                    moved[j] += s ? h : -h;
                    CHECK(pg_run(first, moved, side[s]) == PG_OK);
                }
                for (int k = 0; k < 4; k++) {
                    const double slope = (side[1][k] - side[0][k]) / (2 * h), ours = values[4 + 3 * k + j];
                    if (!(fabs(ours - slope) < 1e-6 * (1.0 + fabs(slope))))
                        fprintf(stderr, "%s: %d in %d: %g, not %g\n", pg_op(op)->name, k, j, ours, slope);
                    CHECK(fabs(ours - slope) < 1e-6 * (1.0 + fabs(slope)));
                }
            }
            pg_program_free(first), pg_program_free(second);
            pg_graph_free(graph), pg_graph_free(once), pg_graph_free(twice);
            pg_arena_free(a);
        }
    }
}

/* A node of each operation, their sum the root. */
static pg_node every_operation(pg_arena *a, pg_node *x)
{
    pg_node all[100];
    size_t count = 0;
    for (int j = 0; j < 3; j++) x[j] = made(pg_leaf(a, j < 2 ? 0.5 + 0.25 * j : 1.0));
    for (int op = 0; pg_op(op); op++) {
        const int kind = pg_op(op)->kind;
        if (kind == PG_UNARY) all[count++] = made(pg_unary(a, op, x[0]));
        else if (kind == PG_BINARY) all[count++] = made(pg_binary(a, op, x[0], x[1]));
        else if (kind == PG_SCALAR) all[count++] = made(pg_scalar(a, op, x[1], 2.5, 0));
        else if (kind != PG_LEAF && kind != PG_CUSTOM)
            all[count++] = made(pg_nary(a, op, kind == PG_PAIRED ? 2 : 3, x));
        CHECK(count < 100);
    }
    return made(pg_nary(a, code("sum"), count, all));
}

/* All that can be done with a graph, in which any allocation may fail: whether it was done. */
static int compute(supply *s, long budget)
{
    pg_arena *a = pg_arena_new(0, supplied, s, 0);
    pg_node x[3], root;
    pg_graph *graph = NULL, *again = NULL;
    pg_program *p = NULL;
    uint8_t ops[200];
    uint32_t operands[300], outputs[1], node;
    double numbers[10], in[3] = {0.5, 0.75, 1.0}, out[4];
    int whole = 1;
    CHECK(pg_grow(a, 1000) == PG_OK);
    root = every_operation(a, x);
    s->budget = budget;
    whole &= came_through(pg_depends(a, root, 1));
    whole &= came_through(pg_freeze(a, 1, &root, 3, x, 0, &graph));
    if (graph) {
        const pg_graph_size size = pg_graph_measure(graph);
        CHECK(size.nodes < 200 && size.operands < 300 && size.numbers < 10);
        pg_graph_write(graph, ops, operands, numbers, outputs);
        whole &=
            came_through(pgi_graph_read(&(pg_memory){supplied, s}, &size, ops, operands, numbers, outputs, &again));
        CHECK(!again == !whole);
    }
    for (int passes = 0; again && passes <= PG_ALL_PASSES; passes += PG_ALL_PASSES) {
        p = pg_compile(again, 3, (uint32_t[]){0, 1, 2}, passes);
        if (p) whole &= came_through(pg_run(p, in, out));
        else whole = 0;
        if (p && whole) {
            CHECK(out[0] == pg_data(a, root));
            CHECK(pg_run(p, in, out) == PG_OK);             /* the second one needs no memory */
        }
        whole &= came_through(pg_graph_error(again, in, &node));
        pg_program_free(p);
    }
    s->budget = -1;
    pg_graph_free(graph), pg_graph_free(again);
    CHECK(sound(a) && run(a, root));
    pg_arena_free(a);
    return whole && again;
}

/* The same of rows: values and derivatives of a graph of derivatives, and their sums. */
static int compute_rows(supply *s, long budget)
{
    enum { ROWS = 300, OUTPUTS = 12 };
    pg_arena *a = pg_arena_new(0, supplied, s, 0);
    const uint32_t wanted[2] = {0, 1};
    static double numbers[ROWS][2], results[2][ROWS][OUTPUTS];
    const double once[4] = {0.0, 0.0, 1.0, 0.5};
    const pg_block given = {&numbers[0][0], 2, 2};
    pg_node x[3], root;
    pg_graph *graph, *derived;
    int whole = 1;
    CHECK(pg_grow(a, 1000) == PG_OK);
    root = every_operation(a, x);
    graph = frozen(a, root, 3, x);
    for (int r = 0; r < ROWS; r++) numbers[r][0] = 0.25 + 0.001 * r, numbers[r][1] = 1.25 - 0.001 * r;
    s->budget = budget;
    for (int how = 0; how < 4; how++) {
        const int reduced = how & 1, inputs = how & 2 ? 4 : 3;
        derived = pg_derive(graph, how & 2 ? 1 : 2, wanted, PG_WITH_VALUES | (how & 2 ? PG_TANGENTS : 0));
        for (int threads = 1; derived && threads < 4; threads += 2) {
            pg_program *p = pg_compile_rows(derived, 2, wanted, (uint8_t[]){1, 1, 0, 0}, reduced, PG_ALL_PASSES);
            const pg_block to = {&results[threads / 2][0][0], p ? pg_program_outputs(p) : 0, OUTPUTS};
            pg_rows rows = {.count = ROWS, .once = once, .inputs = &given, .outputs = &to};
            CHECK(pg_graph_inputs(derived) == (uint32_t)inputs && (!p || to.width <= OUTPUTS));
            whole &= p && came_through(run_all_rows(p, &rows, threads));
            if (p && whole) CHECK(run_all_rows(p, &rows, threads) == PG_OK || budget >= 0);
            pg_program_free(p);
        }
        if (derived && whole) CHECK(!memcmp(results[0], results[1], sizeof results[0]));
        whole &= derived != NULL;
        pg_graph_free(derived);
    }
    s->budget = -1;
    pg_graph_free(graph);
    CHECK(sound(a) && run(a, root));
    pg_arena_free(a);
    return whole;
}

static void test_starving_graphs(void)
{
    int (*const stories[])(supply *, long) = {compute, compute_rows};
    for (int i = 0; i < 2; i++) {
        int done = 0;
        for (long budget = 0; !done; budget++) {
            supply s = {0, -1};
            done = stories[i](&s, budget);
            CHECK(s.blocks == 0);
            CHECK(budget < 1000);
        }
    }
}

/* Tangents of a graph with nodes that no output needs, as what is derived has them; and along an input that is wanted
 * twice. */
static void test_tangents_of_derivatives(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 3.0)), y = made(pg_leaf(a, 2.0)), input[2] = {x, y};
    pg_node product = made(pg_binary(a, code("mul"), made(pg_binary(a, code("mul"), x, y)), y));
    pg_node other = made(pg_unary(a, code("tanh"), made(pg_unary(a, code("tanh"), x))));
    pg_graph *graph = frozen(a, made(pg_binary(a, code("add"), product, other)), 2, input);
    const uint32_t wanted[3] = {1, 0, 1};
    pg_graph *once = pg_derive(graph, 1, wanted, 0);    /* 2 x y */
    pg_graph *along = pg_derive(once, 3, wanted, PG_TANGENTS);
    pg_program *p = pg_compile(along, 0, NULL, PG_ALL_PASSES);
    double out;
    CHECK(p && pg_graph_inputs(along) == 5);
    CHECK(pg_run(p, (double[]){3.0, 2.0, 1.0, 0.0, 1.0}, &out) == PG_OK && out == 12.0);
    CHECK(pg_run(p, (double[]){3.0, 2.0, 1.0, 5.0, 2.0}, &out) == PG_OK && out == 18.0 + 20.0);
    pg_program_free(p), pg_graph_free(along), pg_graph_free(once), pg_graph_free(graph);
    pg_arena_free(a);
}

int main(void)
{
    test_values_and_gradients();
    test_lists_and_local_gradients();
    test_errors_record_nothing();
    test_external_steps();
    test_an_abandoned_pass();
    test_notices_of_freed_nodes();
    test_what_is_refused();
    test_statuses();
    test_lists_of_leaves_and_of_steps();
    test_what_the_check_finds();
    test_restored_nodes();
    test_steps_and_zeroing();
    test_optimizers();
    test_the_quota();
    test_a_chain_of_a_million();
    test_the_limit();
    test_derivatives();
    test_random_lives();
    test_starvation();
    test_a_graph_and_its_programs();
    test_what_has_no_graph();
    test_numbers_are_no_inputs();
    test_the_errors_of_a_run();
    test_derivatives_raise_nothing();
    test_programs_of_any_depth();
    test_rows();
    test_rows_that_fail();
    test_rows_of_powers();
    test_rows_without_end();
    test_traces();
    test_second_derivatives();
    test_tangents_of_derivatives();
    test_starving_graphs();
    puts("all passed");
    return 0;
}
