/* node_conv.h: convolutions beyond what the IR's ops do as they are, made of those, for the importers of all formats.
 *
 *     over three dimensions   the taps along the first one become channels, of one convolution of images
 *     transposed              transpose_conv2d; with groups, dilation or three dimensions a convolution of the image with
 *                             zeros between its pixels, by filters turned round
 *
 * Integers and real numbers alike: what is added to an image is the real number 0. */
#ifndef QCC_NODE_CONV_H
#define QCC_NODE_CONV_H

#include "frontends/node/node.h"

enum {
    NODE_MAX_SPATIAL = 3,
    NODE_MAX_DEPTH_TAPS = 64 /* along the first of three dimensions */
};

/* A window over one to three dimensions, in their order.  before, after: padding; of a transposed
 * convolution what is cut from the full result, or added where negative. */
typedef struct node_box {
    int64_t stride[NODE_MAX_SPATIAL], dilation[NODE_MAX_SPATIAL], before[NODE_MAX_SPATIAL], after[NODE_MAX_SPATIAL];
} node_box;

/* The last two dimensions of a box, as the window of images; w: filters [O, KH, KW, …]. */
node_window node_image_window(const node_box *, int spatial, const ir_value *w);

/* x [N, D, H, W, C] and filters w [O, KD, KH, KW, C/groups] of a convolution over three dimensions as those of one over images,
 * [N * OD, H, W, KD * C] and [O, KH, KW, KD * C/groups]; its result [N * OD, OH, OW, O] has the elements of
 * [N, OD, OH, OW, O].  *out_depth: OD.  False after a diagnostic. */
bool node_depth_as_channels(frontend_node *, const node_box *, int64_t groups, ir_value **x, ir_value **w,
                            int64_t *out_depth);

/* The image x [N, spatial..., C] of a transposed convolution by windows of so many taps, as that of the convolution that
 * does the same with filters turned round: zeros between its pixels, without what negative padding cuts off.  *box
 * becomes that of the convolution.  NULL after a diagnostic. */
ir_value *node_spread_image(frontend_node *, ir_value *x, const int64_t taps[], node_box *box);

/* A transposed convolution: the op is complete but for its result, which is `image` (or has its elements in other types);
 * its elements are those of `whole`, [N, spatial..., O]. */
typedef struct node_transposed_conv {
    ir_op *op;
    ir_type image, whole;
} node_transposed_conv;

/* Of x [N, spatial..., C], w [C, O/groups, spatial...] whose scale, if it has one, is one for all, the bias b of O numbers or
 * NULL.  False after a diagnostic. */
bool node_transpose_conv(frontend_node *, ir_value *x, ir_value *w, ir_value *b, int64_t groups, const node_box *,
                         node_transposed_conv *out);

#ifndef FRONTEND_COMMON
#define node_depth_as_channels(x, ...) node_depth_as_channels(&(x)->common, __VA_ARGS__)
#define node_spread_image(x, ...) node_spread_image(&(x)->common, __VA_ARGS__)
#define node_transpose_conv(x, ...) node_transpose_conv(&(x)->common, __VA_ARGS__)
#endif

#endif
