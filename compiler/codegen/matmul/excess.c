/* excess.c: see excess.h. */
#include "compiler/codegen/matmul/excess.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 16, DEPTH = 4, LARGEST = 128 };

static bool pair_fits(const int8_t w[2])
{
    return (w[0] < 0) != (w[1] < 0) || abs(w[0]) + abs(w[1]) <= LARGEST;
}

static bool step_fits(const int8_t w[COLUMNS * DEPTH])
{
    for (int i = 0; i < COLUMNS * DEPTH; i += 2)
        if (!pair_fits(w + i))
            return false;
    return true;
}

static void move_out(int8_t w[COLUMNS * DEPTH], int16_t to[COLUMNS * 2])
{
    for (int i = 0; i < COLUMNS * 2; i++)
        if (!pair_fits(w + 2 * i)) {
            to[i] = w[2 * i];
            w[2 * i] = 0;
        }
}

/* The packed weights, by block and step. */
typedef struct walk {
    int64_t steps, all_blocks; /* of a group */
    int panel_blocks;
    int8_t *packed;
} walk;

static int8_t *step_of(const walk *w, int64_t block, int64_t step)
{
    const int64_t group = block / w->all_blocks, in_group = block % w->all_blocks, panel = in_group / w->panel_blocks;
    const int64_t left = w->all_blocks - panel * w->panel_blocks, wide = left < w->panel_blocks ? left : w->panel_blocks;
    const int64_t before = group * w->all_blocks + panel * w->panel_blocks;
    return w->packed + COLUMNS * DEPTH * (before * w->steps + step * wide + in_group % w->panel_blocks);
}

bool cg_excess_take(arena *a, const cg_steps *s, void *packed, int64_t groups, int64_t columns, int panel_blocks, double share,
                    cg_excess *out)
{
    const walk w = {s->count, cg_prepacked_columns(columns) / COLUMNS, panel_blocks, packed};
    cg_excess e = {.blocks = groups * w.all_blocks};
    e.first = ARENA_ARRAY(a, int32_t, e.blocks + 1);
    for (int64_t b = 0; b < e.blocks; b++) {
        for (int64_t step = 0; step < w.steps; step++)
            e.count += !step_fits(step_of(&w, b, step));
        e.first[b + 1] = (int32_t)e.count;
    }
    if ((double)e.count > share * (double)(e.blocks * w.steps))
        return false;
    e.offset = ARENA_ARRAY(a, int32_t, e.count + 1);
    e.weights = ARENA_ARRAY(a, int16_t, e.count * COLUMNS * 2 + 1);
    int64_t at = 0;
    for (int64_t b = 0; b < e.blocks; b++)
        for (int64_t step = 0; step < w.steps; step++) {
            int8_t *weights = step_of(&w, b, step);
            if (step_fits(weights))
                continue;
            e.offset[at] = s->offset[step];
            move_out(weights, e.weights + at++ * COLUMNS * 2);
        }
    *out = e;
    return true;
}
