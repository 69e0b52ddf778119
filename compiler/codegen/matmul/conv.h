/* conv.h: the geometry of conv2d and depthwise_conv2d, and the padded image that windows are read from. */
#ifndef QCC_CONV_H
#define QCC_CONV_H

#include "compiler/codegen/matmul/mac.h"

typedef struct cg_conv {
    int64_t images, in_h, in_w, in_c, out_h, out_w, out_c, k_h, k_w, depth, groups;
    int64_t stride_y, stride_x, dilation_y, dilation_x, pad_top, pad_left;
    int64_t need_h, need_w; /* extents of the padded image that windows touch */
    int64_t element;
    bool joined; /* the taps of a kernel line touch one another */
    bool copies;
    size_t copy_bytes, sums_bytes;
} cg_conv;

cg_conv cg_conv_of(const ir_op *);
/* Makes the padded image of other extents, for a kernel that reads in another way than window by window. */
void cg_conv_needs(cg_conv *, int64_t height, int64_t width);
/* Where lines and pixels of the image are that windows are read from; what has to be copied to the beginning of the
 * op's scratch is, by a step that this emits. */
cg_gemm_rows cg_conv_rows(cg_module *, const ir_op *, const cg_conv *);

#endif
