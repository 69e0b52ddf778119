/* tile.c: the cost model of register tiles, and the search over it.
 *
 * One step of K of a tile of R rows and C vectors takes R * C multiply-accumulates and R + C loads, on ports of their
 * own, and no less than the latency when the accumulators are too few to hide it.  Numbers: docs/performance.md. */
#include "compiler/schedule/tile.h"

#include <string.h>

enum { SPLIT_LIMIT = 8 };

int schedule_splits(const schedule_machine *m, int accumulators, int64_t steps)
{
    int splits = 1;
    while (2 * splits * accumulators <= m->registers / 2 && splits * accumulators < 2 * m->chain &&
           2 * splits <= steps && splits < SPLIT_LIMIT)
        splits *= 2;
    return splits;
}

static double tile_cycles(const schedule_machine *m, int64_t rows, int64_t blocks, int64_t steps)
{
    const int accumulators = (int)(rows * blocks);
    const double arithmetic = accumulators * m->multiply + m->prepare * (double)blocks,
                 loads = 0.5 * (double)rows + m->load * (double)blocks;
    const double latency = m->chain / schedule_splits(m, accumulators, steps);
    double step = arithmetic > loads ? arithmetic : loads;
    step = (step > latency ? step : latency) + m->step;
    if (64 * steps * blocks > m->near_bytes)
        step += m->far * (double)blocks;
    const double end = m->epilogue[accumulators > m->overlapped] * (blocks % 4 ? 1.0 : m->whole);
    return (double)steps * step + end * accumulators + m->tile_start;
}

static bool fits(const schedule_machine *m, int64_t rows, int64_t blocks)
{
    /* One row takes its weights straight from memory. */
    return rows <= m->max_rows && rows * blocks + (rows > 1 ? blocks : 0) + 1 <= m->registers;
}

/* `count[i]` tiles of `size[i]` that make up `extent`. */
typedef struct cut {
    int64_t size[2], count[2];
} cut;

static cut cut_with_remainder(int64_t extent, int64_t size)
{
    return (cut){{size, extent % size}, {extent / size, extent % size ? 1 : 0}};
}

static cut cut_evenly(int64_t extent, int64_t size)
{
    const int64_t tiles = (extent + size - 1) / size, smaller = tiles * size - extent;
    if (smaller >= tiles)
        return cut_with_remainder(extent, size);
    return (cut){{size, size - 1}, {tiles - smaller, smaller}};
}

typedef struct search {
    const schedule_machine *machine;
    int64_t images, height, width, columns, steps;
    schedule_tiles best;
} search;

/* Tiles of `other` pixels along the uncut direction. */
static void try_cut(search *s, int blocks, const cut *c, int64_t other, bool vertical)
{
    const int64_t all_blocks = (s->columns + SCHEDULE_BLOCK - 1) / SCHEDULE_BLOCK, panels = all_blocks / blocks,
                  tail = all_blocks % blocks;
    const int64_t repeat = s->images * (vertical ? 1 : s->height);
    double cycles = 0;
    for (int i = 0; i < 2; i++) {
        if (!c->count[i])
            continue;
        const int64_t rows = c->size[i] * other;
        double one = (double)panels * tile_cycles(s->machine, rows, blocks, s->steps);
        if (tail)
            one += tile_cycles(s->machine, rows, tail, s->steps);
        cycles += one * (double)(repeat * c->count[i]);
    }
    if (s->best.kinds && cycles >= s->best.cycles)
        return;
    schedule_tiles *t = &s->best;
    memset(t, 0, sizeof *t);
    t->blocks = blocks;
    t->cycles = cycles;
    for (int i = 0; i < 2; i++)
        if (c->count[i]) {
            const int64_t first = i ? c->size[0] * c->count[0] : 0;
            t->kind[t->kinds++] = vertical ? (schedule_kind){c->size[i], other, c->count[i], 1, first, 0}
                                           : (schedule_kind){1, c->size[i], s->height, c->count[i], 0, first};
        }
}

schedule_tiles schedule_tile(const schedule_machine *m, int64_t images, int64_t height, int64_t width, int64_t columns,
                             int64_t steps, int wanted)
{
    static const int choices[] = {2, 4, 8, 1};
    search s = {m, images, height, width, columns, steps, {0}};
    for (int i = 0; i < 4; i++) {
        const int blocks = choices[i];
        if ((wanted && blocks != wanted) || (blocks > 1 && SCHEDULE_BLOCK * (blocks / 2) >= columns))
            continue;
        for (int64_t size = 1; size <= width && fits(m, size, blocks); size++) {
            const cut a = cut_with_remainder(width, size), b = cut_evenly(width, size);
            try_cut(&s, blocks, &a, 1, false);
            try_cut(&s, blocks, &b, 1, false);
        }
        for (int64_t size = 2; size <= height && fits(m, size * width, blocks); size++) {
            const cut a = cut_with_remainder(height, size), b = cut_evenly(height, size);
            try_cut(&s, blocks, &a, width, true);
            try_cut(&s, blocks, &b, width, true);
        }
    }
    return s.best;
}
