/* pack.h: a matrix that is known only at run time, brought into the layout of prepack.h by a step of its own. */
#ifndef QCC_PACK_H
#define QCC_PACK_H

#include "compiler/codegen/matmul/gemm.h"

/* Byte offsets of the groups' matrices within a value: group * step, or a table. */
typedef struct cg_group_offsets {
    int64_t count, step;
    const int64_t *table; /* NULL: linear */
} cg_group_offsets;

cg_group_offsets cg_group_offsets_of(const int64_t offsets[], int64_t count);

/* source(k, n) at group offset + k * k_stride + n * n_stride; one of the strides is the element's size.
 *
 *     8 bits   packed as int8 (u8 ^ 0x80); bias[n] = base[n] - x_zero * sum over k of packed + depth * x_zero * zero
 *     flipped  likewise;                   bias[n] + what cg_gemm_form's flipped products lack
 *     float    packed as it is;            bias[n] = base[n] */
typedef struct cg_pack {
    const ir_op *op;
    const cg_steps *steps;
    cg_arg source, base; /* base: a value of columns biases for each group, or unbound: 0 */
    cg_arg packed, bias; /* results: cg_prepacked_bytes; 4 bytes a padded column */
    cg_group_offsets offsets;
    int64_t k_stride, n_stride, depth, columns;
    int blocks;
    bool is_float, is_unsigned, flipped;
    int32_t x_zero, zero; /* of the other matrix; of this one, as int8 */
} cg_pack;

void cg_pack_emit(cg_module *, const cg_pack *);

/* rows x width elements of each group, dense in `to`: for matrices that are transposed, broadcast or too short. */
typedef struct cg_gather_rows {
    const ir_op *op;
    cg_arg from, to;
    cg_group_offsets offsets;
    int64_t rows, width, row_stride, element_stride, element; /* bytes */
} cg_gather_rows;

void cg_gather_rows_emit(cg_module *, const cg_gather_rows *);

#endif
