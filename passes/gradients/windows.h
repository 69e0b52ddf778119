/* windows.h: gradients through windows that slide over images, and what they are made of. */
#ifndef QCC_GRADIENT_WINDOWS_H
#define QCC_GRADIENT_WINDOWS_H

#include "passes/gradients/rule.h"

enum { GRADIENT_Y, GRADIENT_X, GRADIENT_AXES };

typedef struct gradient_window {
    int64_t stride[GRADIENT_AXES], dilation[GRADIENT_AXES], pad[2 * GRADIENT_AXES]; /* pad: top, left, bottom, right */
} gradient_window;

gradient_window gradient_window_of(const ir_op *); /* a convolution or a pool */

/* conv2d or depthwise_conv2d of x with these taps. */
ir_value *gradient_convolution(gradient *, ir_opcode, ir_value *x, ir_value *taps, const gradient_window *);
/* The gradient by an image of height and width `extent`, by_y being that by what windows `w` have made of it.  taps: as
 * the convolution back, conv2d or depthwise_conv2d, needs them: channels in place, not yet reversed. */
ir_value *gradient_image(gradient *, ir_opcode, ir_value *by_y, ir_value *taps, const gradient_window *w,
                         const int64_t extent[GRADIENT_AXES]);
/* The gradient by the taps, of this shape: conv2d_weights_gradient of one group, [KH, KW, I, O], or
 * depthwise_weights_gradient, [1, KH, KW, C], whose image has as many channels as its result. */
ir_value *gradient_taps(gradient *, ir_opcode, ir_value *x, ir_value *by_y, const gradient_window *w,
                        const int64_t dims[4]);

/* An image brought to `need` lines (columns) with padding: lines that no window needs are cut off, missing ones are
 * added to *pad.  Negative padding in front cuts, and becomes 0. */
ir_value *gradient_framed(gradient *, ir_value *, int axis, int64_t need, int64_t pad[]);
/* [a, h, w, b] as [b, h, w, a]. */
ir_value *gradient_swapped(gradient *, ir_value *);
/* `count` indices from `begin` on along dimension d, of 4. */
ir_value *gradient_part(gradient *, ir_value *, int d, int64_t begin, int64_t count);
/* As a matrix whose rows are all but the last dimension. */
ir_value *gradient_matrix(gradient *, ir_value *);
ir_value *gradient_product(gradient *, ir_value *a, ir_value *b, bool adj_a, bool adj_b); /* batch_matmul */

#endif
