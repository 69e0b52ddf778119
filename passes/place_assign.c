/* place_assign.c: offsets for memory with known lifetimes.  The largest first; each goes into the tightest gap between
 * what is alive at the same time, or behind it. */
#include <stdlib.h>

#include "passes/place.h"

static int by_size(const void *a, const void *b)
{
    const place_storage *x = *(place_storage *const *)a, *y = *(place_storage *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->last < y->last ? -1 : x->last > y->last;
}

static bool alive_together(const place_storage *a, const place_storage *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* placed: by ascending offset. */
static int64_t best_gap(const place_storage *s, place_storage *const placed[], int32_t count, int64_t base)
{
    int64_t end = base, best = -1, best_slack = INT64_MAX;
    for (int32_t i = 0; i < count; i++) {
        const place_storage *other = placed[i];
        if (!alive_together(s, other))
            continue;
        int64_t gap = other->offset - end;
        if (gap >= s->bytes && gap - s->bytes < best_slack) {
            best = end;
            best_slack = gap - s->bytes;
        }
        int64_t other_end = place_align(other->offset + other->bytes);
        if (other_end > end)
            end = other_end;
    }
    return best >= 0 ? best : end;
}

int64_t place_assign(place_storage *roots[], int32_t count, int64_t base, arena *scratch)
{
    place_storage **placed = ARENA_ARRAY(scratch, place_storage *, count);
    int64_t end = base;
    if (count > 1)
        qsort(roots, (size_t)count, sizeof *roots, by_size);
    for (int32_t n = 0; n < count; n++) {
        place_storage *s = roots[n];
        s->offset = best_gap(s, placed, n, base);
        int32_t i = n;
        for (; i > 0 && placed[i - 1]->offset > s->offset; i--)
            placed[i] = placed[i - 1];
        placed[i] = s;
        if (s->offset + s->bytes > end)
            end = s->offset + s->bytes;
    }
    return end;
}
