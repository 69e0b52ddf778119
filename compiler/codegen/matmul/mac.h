/* mac.h: what conv2d, fully_connected and batch_matmul share on the way to a cg_gemm. */
#ifndef QCC_MAC_H
#define QCC_MAC_H

#include "compiler/codegen/matmul/gemm.h"

/* Byte strides of a value with `rank` dimensions [images, height, width, channels] (missing ones in front are 1). */
cg_gemm_rows cg_mac_rows(const ir_value *);

/* Are weights or bias computed at run time? */
bool cg_mac_is_open(const ir_op *);
#define CG_MAC_OPEN "weights or a bias that are not constant"

/* Can the product do the op, by element types, and by whether weights are constant?  On 16-bit activations: i16. */
cg_fit cg_mac_fits(const ir_op *);
cg_fit cg_mac_i16_fits(const ir_op *);
/* On floats alone, best where weights or bias are computed at run time. */
cg_fit cg_mac_open_fits(const ir_op *);
bool cg_mac_is_float(const ir_op *);
/* Index of weight `index` of a column: columns are contiguous but for depthwise_conv2d. */
int64_t cg_mac_weight_index(const ir_op *, int64_t column, int64_t column_size, int64_t index);
/* Zero point of the 8-bit weights as int8; u8 weights count as shifted by 128.  -1 where columns differ: row sums are
 * then those of x, and the columns' own zero points multiply them. */
int32_t cg_mac_weight_zero(const ir_op *);

/* Fills in everything that follows from the op's operands beyond geometry: weights, bias, requantization, residual,
 * activation.  columns, groups and all rows (the residual's too) of g are set.  column_size: weights of one column. */
void cg_mac_bind(cg_module *, cg_gemm *, const cg_steps *, const schedule_tiles *, int64_t column_size);

/* The parts of it, for products of other weights than the op's own: 8-bit weights as int8, column by column; the bias
 * with zero points folded in, from each column's sum of weights; where the steps read x; and what follows the sums. */
const void *cg_mac_signed_weights(cg_module *, const ir_op *, int64_t column_size);
int32_t *cg_mac_folded_bias(cg_module *, const cg_gemm *, int64_t column_size, const int32_t column_sums[]);
void cg_mac_bind_steps(cg_module *, cg_gemm *, const cg_steps *);
void cg_mac_bind_results(cg_module *, cg_gemm *, const void *bias);

/* The arithmetic of a fused residual add, if there is one; its rows are set. */
void cg_mac_bind_residual(cg_module *, cg_gemm *);

/* x quantized at run time: binds its scales and zero points to the rows of g, one each for all rows, for an image, for
 * a line or for a row.  False with a diagnostic. */
bool cg_mac_bind_dynamic(cg_module *, cg_gemm *);

/* With a weight zero point (as int8): emits the step that sums each row's x into `sums`, int32 for each row, and binds
 * it.  */
bool cg_mac_row_sums(cg_module *, cg_gemm *, const cg_steps *, int32_t weight_zero, cg_arg sums);
static inline size_t cg_mac_row_sums_bytes(int64_t rows, int64_t groups) { return (size_t)(rows * groups * 4); }

#endif
