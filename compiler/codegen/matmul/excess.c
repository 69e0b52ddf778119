/* excess.c: see excess.h. */
#include "compiler/codegen/matmul/excess.h"

#include <string.h>

enum { LANES = CG_BLOCK_BYTES / 2, LARGEST = 128 };
enum { EVEN_A, EVEN_B, ODD_A, ODD_B, PARTS }; /* of two steps, in the order in which they give something up */

/* The packed weights, by block and step. */
typedef struct walk {
    const cg_steps *steps;
    int64_t all_blocks; /* of a group */
    int panel_blocks;
    int8_t *packed; /* only read until they are moved */
} walk;

static int8_t *step_of(const walk *w, int64_t block, int64_t step)
{
    const int64_t group = block / w->all_blocks, in_group = block % w->all_blocks, panel = in_group / w->panel_blocks;
    const int64_t left = w->all_blocks - panel * w->panel_blocks,
                  wide = left < w->panel_blocks ? left : w->panel_blocks;
    const int64_t before = group * w->all_blocks + panel * w->panel_blocks;
    return w->packed + CG_BLOCK_BYTES * (before * w->steps->count + step * wide + in_group % w->panel_blocks);
}

/* What the weights of one lane and one sign have to give up, so that they add up to no more than LARGEST. */
static void split(const int8_t w[PARTS], int sign, int16_t rest[PARTS])
{
    int sum = -LARGEST;
    for (int p = 0; p < PARTS; p++)
        sum += w[p] * sign > 0 ? w[p] * sign : 0;
    for (int p = 0; p < PARTS && sum > 0; p++) {
        const int most = w[p] * sign > 0 ? w[p] * sign : 0, part = most < sum ? most : sum;
        rest[p] = (int16_t)(rest[p] + part * sign);
        sum -= part;
    }
}

/* The rest of steps a and b (NULL: there is none) of a block, part by part; returns which parts there are, as bits. */
static unsigned split_steps(const int8_t *a, const int8_t *b, int16_t rest[PARTS][LANES])
{
    unsigned parts = 0;
    memset(rest, 0, sizeof(int16_t[PARTS][LANES]));
    for (int i = 0; i < LANES; i++) {
        const int8_t w[PARTS] = {a[2 * i], b ? b[2 * i] : 0, a[2 * i + 1], b ? b[2 * i + 1] : 0};
        int16_t out[PARTS] = {0};
        split(w, 1, out);
        split(w, -1, out);
        for (int p = 0; p < PARTS; p++) {
            rest[p][i] = out[p];
            parts |= (unsigned)(out[p] != 0) << p;
        }
    }
    return parts;
}

static int count_of(unsigned parts, int odd)
{
    return odd ? (int)(parts >> ODD_A & 1) + (int)(parts >> ODD_B & 1)
               : (int)(parts >> EVEN_A & 1) + (int)(parts >> EVEN_B & 1);
}

/* Steps s and, when there are two at once, s + 1. */
static unsigned split_at(const walk *w, const cg_excess *e, int64_t block, int64_t s, int8_t *out[2],
                         int16_t rest[PARTS][LANES])
{
    out[0] = step_of(w, block, s);
    out[1] = e->at_once == 2 && s + 1 < w->steps->count ? step_of(w, block, s + 1) : NULL;
    return split_steps(out[0], out[1], rest);
}

static void count_entries(const walk *w, cg_excess *e)
{
    int16_t rest[PARTS][LANES];
    int8_t *step[2];
    for (int64_t b = 0; b < e->blocks; b++) {
        int64_t count[2] = {0, 0};
        for (int64_t s = 0; s < w->steps->count; s += e->at_once) {
            const unsigned parts = split_at(w, e, b, s, step, rest);
            for (int odd = 0; odd < 2; odd++)
                count[odd] += count_of(parts, odd);
        }
        for (int odd = 0; odd < 2; odd++)
            e->first[2 * b + odd + 1] = (int32_t)(e->count += count[odd]);
    }
}

/* Moves one part of a step's weights to entry `at`. */
static void move_part(int8_t *w, int odd, const int16_t rest[LANES], int32_t offset, cg_excess *e, int64_t at)
{
    e->offset[at] = offset;
    memcpy(e->weights + at * LANES, rest, LANES * sizeof *rest);
    for (int i = 0; i < LANES; i++)
        w[2 * i + odd] = (int8_t)(w[2 * i + odd] - rest[i]);
}

static walk walk_of(const cg_steps *s, int64_t columns, int panel_blocks, void *packed)
{
    return (walk){s, cg_prepacked_blocks(columns), panel_blocks, packed};
}

cg_excess cg_excess_find(arena *a, const cg_steps *s, const void *packed, int64_t groups, int64_t columns,
                         int panel_blocks, int at_once)
{
    const walk w = walk_of(s, columns, panel_blocks, (void *)(uintptr_t)packed);
    cg_excess e = {.at_once = at_once, .blocks = groups * w.all_blocks};
    e.first = ARENA_ARRAY(a, int32_t, 2 * e.blocks + 1);
    count_entries(&w, &e);
    return e;
}

void cg_excess_take(arena *a, const cg_steps *s, void *packed, int64_t columns, int panel_blocks, cg_excess *e)
{
    const walk w = walk_of(s, columns, panel_blocks, packed);
    int16_t rest[PARTS][LANES];
    int8_t *step[2];
    e->offset = ARENA_ARRAY(a, int32_t, e->count + 1);
    e->weights = ARENA_ARRAY(a, int16_t, e->count * LANES + 1);
    for (int64_t b = 0; b < e->blocks; b++) {
        int64_t at[2] = {e->first[2 * b], e->first[2 * b + 1]};
        for (int64_t i = 0; i < s->count; i += e->at_once) {
            const unsigned parts = split_at(&w, e, b, i, step, rest);
            for (int p = 0; p < PARTS; p++)
                if (parts >> p & 1) {
                    const int odd = p == ODD_A || p == ODD_B, second = p == EVEN_B || p == ODD_B;
                    move_part(step[second], odd, rest[p], s->offset[i + second], e, at[odd]++);
                }
        }
    }
}
