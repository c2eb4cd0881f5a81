/* The library from C, without Python: recording, order, the reverse pass, freeing, starvation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "pygrad.h"

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
            exit(1);                                                          \
        }                                                                     \
    } while (0)

/* An allocator that counts blocks, and fails once its budget of calls is spent. */
typedef struct { long blocks, budget; } supply;

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
    CHECK(!"no such operation");
    return 0;
}

static pg_node made(pg_result result)
{
    CHECK(result > 0);
    return (pg_node)result;
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
    CHECK(pg_backward(a, root) == NULL);
    CHECK(pg_grad(a, x) == -10.0 && pg_grad(a, y) == 6.0 && pg_grad(a, product) == 2.0);
    CHECK(pg_backward(a, root) == NULL);        /* adds again, inner gradients included */
    CHECK(pg_grad(a, root) == 1.0 && pg_grad(a, product) == 2.0 + 4.0 && pg_grad(a, y) == 6.0 + 18.0);
    CHECK(pg_operands(a, square, 0, NULL) == 1 && pg_scalar_of(a, square, &integral) == 2.0 && integral);
    CHECK(!strcmp(pg_symbol(a, product), "*"));
    CHECK(pg_check(a) == PG_OK);
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
    pg_backward(a, dot);
    CHECK(pg_grad(a, list[0]) == 3.0 && pg_grad(a, list[3]) == 2.0);
    pg_backward(a, custom);
    CHECK(pg_grad(a, list[3]) == 1002.0);
    CHECK(pg_nary(a, code("mean"), 0, list) == PG_EMPTY);
    for (int i = 0; i < 4; i++) drop(a, list[i]);
    CHECK(pg_live_nodes(a) == 7);
    drop(a, sum), drop(a, dot), drop(a, custom);
    CHECK(pg_live_nodes(a) == 0 && pg_check(a) == PG_OK);
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
    CHECK(pg_live_nodes(a) == 2 && pg_references(a, minus) == 1 && pg_check(a) == PG_OK);
    pg_arena_free(a);
}

static void test_host_steps(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 2.0)), scaled, host, root, leaf_root;
    pg_result kept;
    pg_pass *pass;
    scaled = made(pg_binary_right(a, code("mul"), x, 3.0));
    kept = pg_custom(a, 36.0, 1, &scaled, NULL, "square");
    CHECK(kept & PG_KEPT);
    host = (pg_node)kept;
    kept = pg_binary_right(a, code("add"), host, 1.0);
    CHECK(kept & PG_KEPT);                                  /* so are results above it */
    root = (pg_node)kept;
    pass = pg_backward(a, root);
    CHECK(pass && pg_pass_node(pass) == host && pg_grad(a, host) == 1.0);
    CHECK(pg_backward(a, scaled) == NULL);                  /* another pass while this one waits */
    CHECK(pg_grow(a, 100000) == PG_OK);                     /* and the arrays move */
    pg_set_grad(a, scaled, 12.0);
    pg_set_grad(a, x, 0.0);
    CHECK(pg_pass_resume(pass) == NULL);
    CHECK(pg_grad(a, x) == 36.0 && pg_check(a) == PG_OK);
    pass = pg_backward(a, root);
    pg_pass_abandon(pass);
    CHECK(pg_check(a) == PG_OK && pg_grad(a, x) == 36.0);
    pg_host_step(a, x, 1);                                  /* a leaf that has parents already */
    leaf_root = made(pg_binary(a, code("mul"), x, x));
    pass = pg_backward(a, leaf_root);
    CHECK(pass && pg_pass_node(pass) == x && pg_pass_resume(pass) == NULL);
    pg_host_step(a, x, 0);
    CHECK(pg_backward(a, leaf_root) == NULL);
    pg_arena_free(a);
}

static void test_labels(void)
{
    pg_arena *a = pg_arena_new(0, NULL, NULL, 0);
    pg_node x = made(pg_leaf(a, 1.0)), y = made(pg_unary(a, code("neg"), x));
    pg_label(a, x);
    drop(a, x);
    CHECK(pg_next_freed(a, 0) == 0);
    drop(a, y);
    CHECK(pg_live_nodes(a) == 0 && pg_check(a) == PG_OK);
    CHECK(made(pg_leaf(a, 2.0)) != x);                      /* its slot waits for the host */
    CHECK(pg_next_freed(a, 0) == x && pg_next_freed(a, x) == 0);
    CHECK(made(pg_leaf(a, 3.0)) == x && pg_check(a) == PG_OK);
    y = made(pg_leaf(a, 4.0));
    pg_label(a, x);
    pg_label(a, y);
    drop(a, x);
    CHECK(pg_next_freed(a, 0) == x);
    drop(a, y);                                             /* by another thread, while the host forgets x */
    CHECK(pg_next_freed(a, x) == y && pg_next_freed(a, y) == 0 && pg_check(a) == PG_OK);
    CHECK(made(pg_leaf(a, 5.0)) == x || made(pg_leaf(a, 5.0)) == x);
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
    pg_backward(a, node);
    CHECK(pg_data(a, node) == 1000001.0 && pg_grad(a, x) == 1.0 && pg_live_nodes(a) == 2000001);
    drop(a, node);
    CHECK(pg_live_nodes(a) == 1 && pg_check(a) == PG_OK);
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
    CHECK(made(pg_leaf(a, 1.0)) == first && pg_check(a) == PG_OK);
    pg_arena_free(a);
}

/* Every operation's local gradients against central differences, by reading the table. */
static void test_derivatives(void)
{
    const double at[3] = {0.7, 1.3, 0.4}, h = 1e-6;
    for (int op = 0; pg_op(op); op++) {
        int kind = pg_op(op)->kind, count = kind == PG_UNARY || kind == PG_SCALAR ? 1 : 2;
        pg_arena *a;
        pg_node x[2], out;
        if (kind == PG_LEAF || kind == PG_CUSTOM) continue;
        a = pg_arena_new(0, NULL, NULL, 0);
        for (int i = 0; i < count; i++) {
            double side[2];
            for (int s = 0; s < 3; s++) {       /* below, above, and the point itself */
                double shift = s == 0 ? -h : s == 1 ? h : 0.0;
                for (int j = 0; j < 2; j++) x[j] = made(pg_leaf(a, at[j] + (j == i ? shift : 0.0)));
                out = made(kind == PG_UNARY    ? pg_unary(a, op, x[0])
                           : kind == PG_SCALAR ? pg_scalar(a, op, x[0], 2.5, 0)
                           : kind == PG_BINARY ? pg_binary(a, op, x[0], x[1])
                                               : pg_nary(a, op, 2, x));
                if (s < 2) side[s] = pg_data(a, out);
            }
            pg_backward(a, out);
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
        else if (held[l]) CHECK(pg_backward(a, held[l]) == NULL);
        if (made_now == PG_FULL) CHECK(pg_grow(a, 0) == PG_OK);
        if (held[k] && (made_now > 0 || choice == 7)) drop(a, held[k]), held[k] = 0;
        if (made_now > 0) held[k] = (pg_node)made_now;
        if (i % 997 == 0) CHECK(pg_check(a) == PG_OK);
        if (i % 20000 == 19999)                             /* or graphs grow without end */
            for (k = 0; k < HELD; k++)
                if (held[k]) drop(a, held[k]), held[k] = 0;
    }
    for (int k = 0; k < HELD; k++)
        if (held[k]) drop(a, held[k]);
    CHECK(pg_live_nodes(a) == 0 && pg_check(a) == PG_OK);
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
        CHECK((pass = pg_backward(a, (pg_node)made_now)) != NULL && pg_pass_node(pass) > 0);
        inner = pg_backward(a, node);                       /* needs a set of its own */
        if (inner) {
            whole &= came_through(pg_pass_node(inner));
            pg_pass_abandon(inner);
        }
        CHECK(pg_pass_resume(pass) == NULL);
    }
    for (int i = 0; i < 5000; i++) {
        made_now = pg_leaf(a, 1.0);
        if (made_now == PG_FULL) whole &= came_through(pg_grow(a, 0));
    }
    s->budget = -1;                                         /* memory is back: all still works */
    CHECK(pg_data(a, x) == 2.0 && pg_data(a, node) == 4.0 && pg_check(a) == PG_OK);
    pg_set_grad(a, x, 0.0);
    CHECK(pg_backward(a, node) == NULL && pg_grad(a, x) == 4.0);
    CHECK(pg_grow(a, 0) == PG_OK && made(pg_leaf(a, 5.0)) && pg_check(a) == PG_OK);
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

int main(void)
{
    test_values_and_gradients();
    test_lists_and_local_gradients();
    test_errors_record_nothing();
    test_host_steps();
    test_labels();
    test_a_chain_of_a_million();
    test_the_limit();
    test_derivatives();
    test_random_lives();
    test_starvation();
    puts("all passed");
    return 0;
}
