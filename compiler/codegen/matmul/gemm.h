/* gemm.h: the one matrix product that convolutions, fully connected layers and matrix products are made of.
 *
 *     out[row][column] = finish(bias[column] + sum over steps s of  x[row + offset(s)] . weights[s][column])
 *
 * Rows are pixels of a window of images x height x width; x is addressed directly through byte strides, nothing is
 * gathered.  A step is CG_STEP_BYTES neighbouring bytes (u8 x s8 products in int32) or one float.  The result is requantized, may
 * get a residual added, is clamped and stored with strides of its own: no accumulator ever reaches memory.
 *
 * x quantized at run time: bias holds minus the sums of the weights, which the row's zero point multiplies, and
 *
 *     out = clamp(float(sum) * (scale of the row * scale of the column) + real bias)     or the sum as it is
 *
 *     units = panels x tiles, panels outermost: the weights of a panel stay in the cache while all rows pass by */
#ifndef QCC_GEMM_H
#define QCC_GEMM_H

#include "compiler/codegen/build/residual.h"
#include "compiler/codegen/matmul/prepack.h"
#include "compiler/schedule/machine.h"

/* Where the rows of a matrix are: byte distances between images, lines and pixels. */
typedef struct cg_gemm_rows {
    cg_arg arg; /* the first pixel */
    int64_t image, y, x;
} cg_gemm_rows;

/* A fused residual add: arithmetic of residual.h, its strides are not used. */
typedef struct cg_gemm_residual {
    bool present, first; /* first: the residual is the add's first operand */
    cg_gemm_rows rows;
    cg_residual add; /* integer results; the GEMM's own requantization makes the intermediate */
} cg_gemm_residual;

/* How bytes are multiplied on machines that have only sums of two products, in 16 bits: docs/performance.md, "Without
 * VNNI". */
typedef enum cg_gemm_form {
    CG_GEMM_ANY,           /* as words, or what the machine has */
    CG_GEMM_PAIRS,         /* sums of two fit whatever x is; what would not is apart: excess.h */
    CG_GEMM_QUADS,         /* sums of four, of two steps, fit likewise */
    CG_GEMM_FLIPPED,       /* |w| times x - 128, or 127 - x where w < 0: always fits; the bias holds what that leaves */
    CG_GEMM_FLIPPED_APART, /* the same; |w| of a block is followed by what makes x - 128, or 127 - x, of x: flip.h */
    CG_GEMM_WORDS,         /* x is words: steps of two products, i16 by i16, whose sums fit 32 bits: winograd.c */
    CG_GEMM_TILES,         /* no products: x is 16 planes of sums, of which tiles of 2x2 are made: winograd.c */
} cg_gemm_form;

static inline bool cg_gemm_is_flipped(cg_gemm_form form)
{
    return form == CG_GEMM_FLIPPED || form == CG_GEMM_FLIPPED_APART;
}

/* Whether weights take twice the bytes that VNNI's do. */
static inline bool cg_gemm_is_large(cg_gemm_form form)
{
    return form == CG_GEMM_FLIPPED_APART || form == CG_GEMM_WORDS;
}

/* Bytes of a block's weights of one step. */
static inline int64_t cg_gemm_step_bytes(cg_gemm_form form)
{
    return form == CG_GEMM_FLIPPED_APART ? 2 * CG_BLOCK_BYTES : CG_BLOCK_BYTES;
}

typedef struct cg_gemm {
    const ir_op *op;
    bool is_float;                 /* f32 x f32; otherwise u8 x s8 */
    int64_t images, height, width; /* rows */
    int64_t columns, groups;       /* columns of a group, each with its own weights */
    int64_t steps;
    bool linear;    /* step s is at byte CG_STEP_BYTES * s of x; otherwise at offsets[s] */
    cg_arg offsets; /* int32[steps] */
    cg_gemm_rows x, out;
    int64_t x_group, out_group,
        sums_group;       /* bytes between the groups in x, or the planes; in out and the residual; in sums */
    cg_arg weights, bias; /* prepack.h; no bias: 0 */
    cg_gemm_form form;    /* of bytes */
    cg_arg excess_first, excess_offsets, excess_weights; /* unbound: there is none */
    cg_requant requant;                                  /* over cg_prepacked_columns channels */
    cg_gemm_rows sums; /* weight_zero: int32 per row, the sum of its x times -weight zero point, added to all columns */
    bool weight_zero;
    cg_arg column_zeros;        /* int32 for each column that multiplies the row's sum; unbound: 1 */
    cg_gemm_rows scales, zeros; /* x quantized at run time: float and u8 per row; without scales the result is I32 */
    cg_gemm_residual residual;
    float min, max;         /* is_float: bounds of the activation … */
    float add_min, add_max; /* … and of the one behind the residual */
    /* U8 (or I8), by requant or, is_float, as the op quantize has it; F32: accumulator * scale, from integers too; I32:
     * accumulator * sum_factor */
    ir_dtype out_type;
    int32_t sum_factor;
    uint64_t macs;
} cg_gemm;

schedule_tiles cg_gemm_tiles(cg_module *, const cg_gemm *);
/* The same for other rows, `width` of them, whose panels have to be `blocks` vectors wide. */
schedule_tiles cg_gemm_tiles_like(cg_module *, const cg_gemm *, int64_t width, int blocks);
/* How many tiles read a panel. */
int64_t cg_gemm_tile_count(const cg_gemm *, const schedule_tiles *);
/* Collapses images, height and width where the strides of all operands allow. */
void cg_gemm_flatten(cg_gemm *);
bool cg_gemm_emit(cg_module *, const cg_gemm *, const schedule_tiles *);

#endif
