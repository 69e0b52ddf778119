/* Protects what is promised out of memory, and at an arena's limit: control comes back to the innermost guard, arenas
 * made below it are gone (a leak checker would see them), older ones and those of guards that ended well are whole. */
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
    CHECK(arena_guard(makes_one, s) == ARENA_DONE);      /* its arena is this guard's from now on */
    CHECK(arena_guard(fails, s) == ARENA_OUT_OF_MEMORY); /* and this one fails alone */
    arena_free(gone);
    arena_out_of_memory();
}

/* Past the limit of two arenas together: nothing is asked of malloc, of which there is no more than the limit's. */
static void goes_past_limit(void *context)
{
    state *s = context;
    arena *beside = arena_new_beside(s->before);
    arena_alloc(beside, 400000);
    arena_charge(beside, 400000);
    s->reached = 1;
    arena_alloc(s->before, 400000);
    s->reached = 2;
}

static void check_raised_limit(void)
{
    arena *a = arena_new_within(1000);
    arena_allow(a, 500);
    CHECK(arena_left(a) == 1500);
    arena_allow(a, SIZE_MAX);
    CHECK(arena_left(a) == SIZE_MAX);
    arena_free(a);
}

static void check_limit(void)
{
    state s = {.before = arena_new_within(1000000)};
    CHECK(arena_guard(goes_past_limit, &s) == ARENA_PAST_LIMIT && s.reached == 1);
    CHECK(arena_left(s.before) == 1000000); /* what was taken beside it is given back */
    CHECK(arena_alloc(s.before, 900000) != NULL && arena_left(s.before) == 100000);
    arena_reset(s.before);
    CHECK(arena_guard(goes_past_limit, &s) == ARENA_PAST_LIMIT);
    arena *beside = arena_new_beside(s.before), *free_of_it = arena_new();
    arena_free(s.before); /* the limit stays for the others */
    CHECK(arena_left(beside) == 1000000 && arena_left(free_of_it) == SIZE_MAX);
    arena_free(beside);
    arena_free(free_of_it);
}

int main(void)
{
    check_limit();
    check_raised_limit();
    state s = {.before = arena_new()};
    CHECK(arena_guard(fails, &s) == ARENA_OUT_OF_MEMORY && s.reached == 1 && strcmp(s.text, "older") == 0);
    CHECK(arena_guard(makes_one, &s) == ARENA_DONE && strcmp(s.text, "kept") == 0);
    arena_free(s.kept);
    CHECK(arena_guard(fails_behind_others, &s) == ARENA_OUT_OF_MEMORY);
    CHECK(arena_alloc(s.before, 100) != NULL);
    arena_free(s.before);
    return test_end();
}
