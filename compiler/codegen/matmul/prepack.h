/* prepack.h: weights in the order in which kernels read them, made at compile time.
 *
 * A panel is `blocks` vectors of 16 columns; its steps follow one another, so that it is one contiguous stream:
 *
 *     group ▸ panel ▸ step ▸ block ▸ [16 columns][4 bytes]      u8 x s8     (the last panel of a group has the
 *     group ▸ panel ▸ step ▸ block ▸ [16 columns]               f32          blocks that are left)
 *
 * Columns past the end and bytes that a step reads twice have weight 0. */
#ifndef QCC_PREPACK_H
#define QCC_PREPACK_H

#include "compiler/codegen/codegen.h"
#include "compiler/schedule/tile.h"

/* On every target: weights are shared by those that pack them alike, registers that are narrower take a block in pieces
 * (isa/), and tiles that are deeper take several steps of it at once. */
enum {
    CG_BLOCK_COLUMNS = SCHEDULE_BLOCK,
    CG_STEP_BYTES = 4,                                 /* of a row, and of a column's weights */
    CG_BLOCK_BYTES = CG_BLOCK_COLUMNS * CG_STEP_BYTES, /* of one step's weights */
    CG_BLOCK_SUMS = CG_BLOCK_COLUMNS * 4,              /* bytes of sums, and of whatever else has 4 bytes a column */
};

/* Which bytes of x, and which weights of a column, each step of K multiplies. */
typedef struct cg_steps {
    int64_t count;
    int width;       /* elements a step: CG_STEP_BYTES (8-bit) or 1 (wider) */
    int32_t *offset; /* [count] byte offset from the row's first byte */
    int32_t *weight; /* [count][width] index into a column's weights, -1: nothing */
    bool linear;     /* offset[s] == CG_STEP_BYTES * s */
    int runs;        /* what the steps were made of */
    const int64_t *run_offset;
    int64_t run_length;
    bool overreads; /* a run is shorter than a step: up to 3 bytes behind it are read (with weight 0) */
} cg_steps;

/* `runs` runs of `length` neighbouring elements of 1, 2 or 4 bytes; run r begins at byte run_offset[r] of x and at
 * weight r * length.  Single bytes go in steps of CG_STEP_BYTES, others one by one. */
cg_steps cg_steps_of_runs(arena *, int runs, const int64_t run_offset[], int64_t length, int64_t element);

static inline int64_t cg_prepacked_blocks(int64_t columns)
{
    return (columns + CG_BLOCK_COLUMNS - 1) / CG_BLOCK_COLUMNS;
}
static inline int64_t cg_prepacked_columns(int64_t columns) { return cg_prepacked_blocks(columns) * CG_BLOCK_COLUMNS; }
size_t cg_prepacked_bytes(const cg_steps *, int64_t groups, int64_t columns);

/* weights: [groups * columns][column_size] of int8 or float.  column_sum (may be NULL): [groups * columns], the sum of
 * a column's 8-bit weights. */
void *cg_prepack(arena *, const cg_steps *, const void *weights, int64_t groups, int64_t columns, int64_t column_size,
                 int blocks, int32_t column_sum[]);

/* 4-byte values per column, [groups][columns] -> [groups][padded columns], padding 0. */
void *cg_pad_columns(arena *, const void *values, int64_t groups, int64_t columns);

#endif
