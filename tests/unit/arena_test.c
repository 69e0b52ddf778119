/* Protects what is promised out of memory: control comes back to the innermost guard, arenas made below it are gone (a leak
 * checker would see them), older ones and those of guards that ended well are whole. */
#include <stdint.h>
#include <string.h>

#include "ir/arena.h"
#include "test.h"

typedef struct state {
    arena *before, *inner, *kept;
    char *text;
    int reached;
} state;

/* More than there are addresses: malloc, which sanitizers watch, is not even asked. */
static void *too_much(arena *a) { return arena_alloc(a, SIZE_MAX); }

static void makes_one(void *context)
{
    state *s = context;
    s->kept = arena_new();
    s->text = arena_string(s->kept, "kept", 4);
}

static void fails(void *context)
{
    state *s = context;
    s->inner = arena_new();
    arena_format(s->inner, "%d", 7);
    s->text = arena_string(s->before, "older", 5);
    s->reached = 1;
    too_much(s->before);
    s->reached = 2;
}

static void fails_behind_others(void *context)
{
    state *s = context;
    arena *gone = arena_new();
    arena_alloc(gone, 10);
    CHECK(arena_guard(makes_one, s)); /* its arena is this guard's from now on */
    CHECK(!arena_guard(fails, s));    /* and this one fails alone */
    arena_free(gone);
    arena_out_of_memory();
}

int main(void)
{
    state s = {.before = arena_new()};
    CHECK(!arena_guard(fails, &s) && s.reached == 1 && strcmp(s.text, "older") == 0);
    CHECK(arena_guard(makes_one, &s) && strcmp(s.text, "kept") == 0);
    arena_free(s.kept);
    CHECK(!arena_guard(fails_behind_others, &s));
    CHECK(arena_alloc(s.before, 100) != NULL);
    arena_free(s.before);
    return test_end();
}
