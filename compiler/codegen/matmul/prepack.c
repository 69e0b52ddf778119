/* prepack.c: see the layout in prepack.h. */
#include "compiler/codegen/matmul/prepack.h"

#include <assert.h>
#include <string.h>

cg_steps cg_steps_of_runs(arena *a, int runs, const int64_t run_offset[], int64_t length, int64_t element)
{
    const int width = element == 1 ? CG_STEP_BYTES : 1;
    const int64_t per_run = (length + width - 1) / width;
    cg_steps s = {
        .count = runs * per_run, .width = width, .linear = true, .overreads = element == 1 && length < CG_STEP_BYTES};
    s.runs = runs;
    s.run_length = length;
    s.run_offset = arena_copy(a, run_offset, (size_t)runs * sizeof *run_offset);
    s.offset = ARENA_ARRAY(a, int32_t, s.count + 1);
    s.weight = ARENA_ARRAY(a, int32_t, s.count * width + 1);
    int64_t step = 0;
    for (int r = 0; r < runs; r++)
        for (int64_t first = 0; first < length; first += width, step++) {
            /* The last group of a run reaches back rather than past the end; what was read before weighs nothing. */
            const int64_t begin = first + width > length && length >= width ? length - width : first;
            s.offset[step] = (int32_t)(run_offset[r] + begin * element);
            s.linear &= s.offset[step] == CG_STEP_BYTES * step;
            for (int64_t i = 0; i < width; i++)
                s.weight[step * width + i] =
                    begin + i >= first && begin + i < length ? (int32_t)(r * length + begin + i) : -1;
        }
    return s;
}

size_t cg_prepacked_bytes(const cg_steps *s, int64_t groups, int64_t columns)
{
    return (size_t)(groups * cg_prepacked_columns(columns) * s->count * CG_STEP_BYTES);
}

/* Element index of (step, column) in a group's panels, in units of s->width elements. */
static int64_t packed_index(const cg_steps *s, int64_t all_blocks, int blocks, int64_t step, int64_t column)
{
    const int64_t block = column / CG_BLOCK_COLUMNS, panel = block / blocks;
    const int64_t left = all_blocks - panel * blocks, wide = left < blocks ? left : blocks;
    return panel * blocks * s->count * CG_BLOCK_COLUMNS + (step * wide + block % blocks) * CG_BLOCK_COLUMNS +
           column % CG_BLOCK_COLUMNS;
}

void *cg_prepack(arena *a, const cg_steps *s, const void *weights, int64_t groups, int64_t columns, int64_t column_size,
                 int blocks, int32_t column_sum[])
{
    const int64_t all_blocks = cg_prepacked_blocks(columns);
    const size_t element = s->width == 1 ? CG_STEP_BYTES : 1, group_bytes = cg_prepacked_bytes(s, 1, columns);
    unsigned char *packed = arena_alloc(a, cg_prepacked_bytes(s, groups, columns) + 1);
    for (int64_t c = 0; c < groups * columns; c++) {
        const unsigned char *from = (const unsigned char *)weights + (size_t)(c * column_size) * element;
        unsigned char *to = packed + (size_t)(c / columns) * group_bytes;
        for (int64_t step = 0; step < s->count; step++) {
            unsigned char *slot = to + CG_STEP_BYTES * packed_index(s, all_blocks, blocks, step, c % columns);
            for (int i = 0; i < s->width; i++) {
                const int32_t index = s->weight[step * s->width + i];
                assert(index < column_size);
                if (index >= 0)
                    memcpy(slot + (size_t)i * element, from + (size_t)index * element, element);
            }
        }
        if (!column_sum)
            continue;
        column_sum[c] = 0;
        for (int64_t i = 0; i < column_size; i++)
            column_sum[c] += (int8_t)from[i];
    }
    return packed;
}

void *cg_pad_columns(arena *a, const void *values, int64_t groups, int64_t columns)
{
    const size_t padded = (size_t)cg_prepacked_columns(columns);
    unsigned char *out = arena_alloc(a, 4 * (size_t)groups * padded + 1);
    for (int64_t g = 0; g < groups; g++)
        memcpy(out + 4 * (size_t)g * padded, (const unsigned char *)values + 4 * (size_t)(g * columns),
               4 * (size_t)columns);
    return out;
}
