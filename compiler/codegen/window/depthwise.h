/* depthwise.h: what the depthwise kernels share: the plan of channel blocks, and packed parameters.
 *
 * A block is V result channels (V: the vector's bytes, 64).  How the operand's channels meet them:
 *   DIRECT   multiplier 1: block b begins at channel min(V*b, C - V); with C < V the one block is masked
 *   PATTERN  multiplier divides V: V/multiplier operand channels, each repeated; the last block is masked
 *   SPLAT    any other multiplier: blocks lie within the results of one operand channel, masked
 *
 * Packed weights: [block][group of 4 taps][vector j = 0…3][V bytes], in the interleaved order of lanes.h; taps
 * row-major, the last group filled up with zeros.  Per-channel numbers (bias, scales) in the interleaved order too. */
#ifndef QCC_CG_DEPTHWISE_H
#define QCC_CG_DEPTHWISE_H

#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/residual.h"
#include "compiler/codegen/build/shape.h"

typedef enum depthwise_mode { DEPTHWISE_DIRECT, DEPTHWISE_PATTERN, DEPTHWISE_SPLAT } depthwise_mode;

typedef struct depthwise_plan {
    cg_shape x, y;
    int64_t kernel[2], stride[2], dilation[2], pad[2]; /* vertical, horizontal; pad: top, left */
    int64_t multiplier;
    int v; /* V */
    depthwise_mode mode;
    int blocks;
    int64_t full;      /* result channels in a full block */
    bool masked;       /* some block has fewer than V channels */
    int64_t inside[2]; /* result columns inside[0]…inside[1]-1 touch no column outside the image */
} depthwise_plan;

depthwise_plan depthwise_plan_of(const ir_op *, const target_info *);
/* First result channel and number of result channels of a block. */
void depthwise_block(const depthwise_plan *, int block, int64_t *out_first, int64_t *out_count);
void depthwise_key(cg_key *, const depthwise_plan *);

/* Integer parameters. */
typedef struct depthwise_params {
    const int32_t *bias;        /* [slots], zero points folded in */
    const int32_t *weight_zero; /* likewise, or NULL: the weights have it subtracted already */
    const int16_t *weights;     /* [taps][result channels], centred or raw as above; each fits 8 bits */
    cg_requant requant;         /* of the slots */
} depthwise_params;
/* channel_of: the result channel of each of `slots` elements, -1 for none. */
void depthwise_params_make(cg_module *, const ir_op *, const depthwise_plan *, const int32_t channel_of[], int slots,
                           depthwise_params *out);
/* channel_of for the plan's blocks: [blocks * V]. */
int32_t *depthwise_channels(cg_module *, const depthwise_plan *);

/* Address of a constant row of operand columns that hold its zero point, for rows outside the image. */
LLVMValueRef depthwise_zero_row(cg_module *, const ir_op *, const depthwise_plan *, int64_t columns);

#endif
