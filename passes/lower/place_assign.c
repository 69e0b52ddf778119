/* place_assign.c: offsets for memory with known lifetimes.  The largest first; each goes into the tightest gap
 * between what is alive at the same time, or behind it.
 *
 * What is taken is kept in a binary tree over time, as runs of bytes: by what is alive throughout a node's time, and
 * by what is alive at some moment of it.  What is taken between 2 and 6 is what the nodes + have at some moment, and
 * the nodes o above them throughout.  Neighbours in memory are one run, so that the lists are short however many
 * values there are.
 *
 *     0    1    2    3    4    5    6    7
 *     ├───────────────── o ───────────────┤
 *     ├─────── o ───────┤├────── o ───────┤
 *     ├───────┤├── + ───┤├── + ──┤├── o ──┤
 *                                 ├+┤├────┤ */
#include <stdlib.h>
#include <string.h>

#include "passes/lower/place.h"

enum { NODES_AT_ONCE = 128 }; /* a span of time is at most four nodes of each level */

typedef struct run {
    int64_t begin, end;
} run;

typedef struct runs { /* ascending; there is something between one and the next */
    run *at;
    int32_t count, capacity;
} runs;

typedef struct timeline {
    arena *scratch;
    runs *throughout, *sometime; /* of the nodes: those below i are 2 i and 2 i + 1 */
    int32_t span;                /* of node 1: a power of two */
} timeline;

typedef struct node {
    int32_t index, first, last;
} node;

static int by_size(const void *a, const void *b)
{
    const place_storage *x = *(place_storage *const *)a, *y = *(place_storage *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->last < y->last ? -1 : x->last > y->last;
}

/* ---- Runs ---- */

static void runs_grow(runs *r, arena *a)
{
    r->capacity = r->capacity ? 2 * r->capacity : 2;
    run *to = ARENA_ARRAY(a, run, r->capacity);
    if (r->count)
        memcpy(to, r->at, (size_t)r->count * sizeof *to);
    r->at = to;
}

/* The first run that ends at `byte` or later. */
static int32_t runs_find(const runs *r, int64_t byte)
{
    int32_t low = 0, high = r->count;
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (r->at[middle].end < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void runs_add(runs *r, run more, arena *a)
{
    const int32_t from = runs_find(r, more.begin);
    int32_t to = from;
    for (; to < r->count && r->at[to].begin <= more.end; to++) {
        more.begin = r->at[to].begin < more.begin ? r->at[to].begin : more.begin;
        more.end = r->at[to].end > more.end ? r->at[to].end : more.end;
    }
    if (to == from && r->count == r->capacity)
        runs_grow(r, a);
    memmove(r->at + from + 1, r->at + to, (size_t)(r->count - to) * sizeof *r->at);
    r->at[from] = more;
    r->count += 1 - (to - from);
}

/* ---- The tree ---- */

static timeline timeline_new(int32_t span, arena *scratch)
{
    timeline t = {.scratch = scratch, .span = 1};
    while (t.span < span)
        t.span *= 2;
    t.throughout = ARENA_ARRAY(scratch, runs, 2 * (size_t)t.span);
    t.sometime = ARENA_ARRAY(scratch, runs, 2 * (size_t)t.span);
    return t;
}

static node half_of(node n, bool later)
{
    const int32_t half = (n.last - n.first + 1) / 2;
    return (node){2 * n.index + later, later ? n.first + half : n.first, later ? n.last : n.last - half};
}

static void take(timeline *t, node n, const place_storage *s)
{
    const run taken = {s->offset, place_align(s->offset + s->bytes)};
    if (s->last < n.first || n.last < s->first)
        return;
    runs_add(&t->sometime[n.index], taken, t->scratch);
    if (s->first <= n.first && n.last <= s->last) {
        runs_add(&t->throughout[n.index], taken, t->scratch);
        return;
    }
    take(t, half_of(n, false), s);
    take(t, half_of(n, true), s);
}

/* All lists that say what is taken while s is alive. */
static int taken_beside(const timeline *t, node n, const place_storage *s, runs lists[], int count)
{
    if (s->last < n.first || n.last < s->first)
        return count;
    const bool inside = s->first <= n.first && n.last <= s->last;
    const runs *list = inside ? &t->sometime[n.index] : &t->throughout[n.index];
    if (list->count)
        lists[count++] = *list;
    if (inside)
        return count;
    return taken_beside(t, half_of(n, true), s, lists, taken_beside(t, half_of(n, false), s, lists, count));
}

/* From `end` on: moves it past all runs that reach beyond it and begin there or before; the begin of the next run,
 * INT64_MAX without one.  Lists lose what lies behind. */
static int64_t next_taken(runs lists[], int count, int64_t *end)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < count; i++) {
        while (lists[i].count && lists[i].at->end <= *end) {
            lists[i].at++;
            lists[i].count--;
        }
        if (lists[i].count && lists[i].at->begin <= *end) {
            *end = lists[i].at->end;
            next = INT64_MAX;
            i = -1; /* others may reach on */
        } else if (lists[i].count && lists[i].at->begin < next) {
            next = lists[i].at->begin;
        }
    }
    return next;
}

static int64_t best_gap(const timeline *t, const place_storage *s, int64_t base)
{
    runs lists[NODES_AT_ONCE];
    const int count = taken_beside(t, (node){1, 0, t->span - 1}, s, lists, 0);
    int64_t end = base, best = -1, best_slack = INT64_MAX;
    for (;;) {
        const int64_t next = next_taken(lists, count, &end);
        if (next == INT64_MAX)
            return best >= 0 ? best : end;
        const int64_t gap = next - end;
        if (gap >= s->bytes && gap - s->bytes < best_slack) {
            best = end;
            best_slack = gap - s->bytes;
        }
        end = next;
    }
}

int64_t place_assign(place_storage *roots[], int32_t count, int32_t op_count, int64_t base, arena *scratch)
{
    timeline t = timeline_new(op_count, scratch);
    int64_t end = base;
    if (count > 1)
        qsort(roots, (size_t)count, sizeof *roots, by_size);
    for (int32_t n = 0; n < count; n++) {
        place_storage *s = roots[n];
        s->offset = best_gap(&t, s, base);
        take(&t, (node){1, 0, t.span - 1}, s);
        if (s->offset + s->bytes > end)
            end = s->offset + s->bytes;
    }
    return end;
}
