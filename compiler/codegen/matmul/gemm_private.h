/* gemm_private.h: what gemm.c, gemm_multiply.c and gemm_finish.c share: the state of a kernel while its tiles are
 * emitted. */
#ifndef QCC_GEMM_PRIVATE_H
#define QCC_GEMM_PRIVATE_H

#include "compiler/codegen/build/quantizer.h"
#include "compiler/codegen/matmul/gemm.h"

enum { GEMM_MAX_BLOCKS = 8, GEMM_MAX_SUMS = 32 };
enum {
    GEMM_X,
    GEMM_WEIGHTS,
    GEMM_BIAS,
    GEMM_PARAMS,
    GEMM_OUT,
    GEMM_OFFSETS,
    GEMM_RESIDUAL,
    GEMM_SUMS,
    GEMM_ADD_PARAMS,
    GEMM_SCALES,
    GEMM_ZEROS,
    GEMM_COLUMN_ZEROS,
    GEMM_EXCESS_FIRST,
    GEMM_EXCESS_OFFSETS,
    GEMM_EXCESS_WEIGHTS,
    GEMM_SLOTS
};

typedef struct gemm_kernel {
    cg_kernel k;
    const cg_gemm *g;
    const schedule_tiles *tiles;
    cg_quantizer quantizer;        /* of integer results of real sums */
    LLVMValueRef slot[GEMM_SLOTS]; /* the kernel's arguments; NULL: not used */
    /* the panel */
    int blocks, columns;                 /* vectors, and columns in them that exist */
    LLVMValueRef group, channel, column; /* first column: in padded parameters; in bytes of a result row */
    int64_t panel_tiles;
    /* the tile */
    const schedule_kind *kind;
    int rows, splits;
    int joined;                     /* rows in a vector of results: join_rows of gemm_finish.c */
    LLVMValueRef image, y, x;       /* its first pixel */
    LLVMValueRef ahead, ahead_step; /* what to prefetch first, and bytes to the next */
    int lines_ahead;                /* prefetches a step */
} gemm_kernel;

/* Do real sums become integers? */
static inline bool gemm_quantizes(const cg_gemm *g) { return g->is_float && g->out_type == IR_U8; }

/* Address of the tile's first row, and distance of row `row` of the tile from it. */
LLVMValueRef gemm_rows_at(gemm_kernel *, LLVMValueRef pointer, const cg_gemm_rows *);
int64_t gemm_row_distance(const gemm_kernel *, const cg_gemm_rows *, int row);

/* A number of each row, of which `rows` says where it is, in all lanes. */
LLVMValueRef gemm_row_number(gemm_kernel *, LLVMTypeRef, LLVMValueRef pointer, const cg_gemm_rows *rows, int row);

/* Before a tile's sums: brings its residual near. */
void gemm_prefetch_residual(gemm_kernel *);

/* Adds all products of the tile's rows, of which the first begins at x_tile, and the panel's weights to acc, laid out
 * as below. */
void gemm_multiply(gemm_kernel *, LLVMValueRef x_tile, LLVMValueRef panel, LLVMValueRef acc[]);

/* CG_GEMM_TILES: adds the 2x2 results, or those of them that exist, of the 4x4 numbers that each channel of the tile has
 * in as many planes from x_tile on. */
void gemm_untransform(gemm_kernel *, LLVMValueRef x_tile, LLVMValueRef acc[]);

/* acc[row * blocks + block], vectors of a block's sums: from sums to stored results. */
void gemm_finish(gemm_kernel *, LLVMValueRef acc[]);

#endif
