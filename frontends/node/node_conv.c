/* node_conv.c: see node_conv.h.
 *
 * Three dimensions: result depth d sums over taps k of the images at depth d * stride + k * dilation - before.  These images,
 * one for each tap, are joined along their channels, group by group, and one convolution of images sums over all:
 *
 *     [N, D, H, W, C] ──slice, for each tap──▶ [N * OD, H, W, groups, C/groups]
 *                     ──concat───────────────▶ [N * OD, H, W, groups, KD * C/groups]
 *
 * Transposed: the gradient of a convolution by its operand is a convolution, too.  stride - 1 zeros go between the pixels, and
 * the filters are turned round:
 *
 *     a b c ──▶ a 0 b 0 c 0            before: dilation * (taps - 1) - before
 *                                      after:  dilation * (taps - 1) - after - (stride - 1), which the last pixel brings along */
#define FRONTEND_COMMON
#include "frontends/node/node_conv.h"

#include "frontends/node/node_recurrent.h"

enum { MAX_EXTENT = 1 << 24 };

static int64_t at_least_0(int64_t x) { return x > 0 ? x : 0; }

/* ---- Three dimensions ---- */

/* x with `before` and `after` elements of 0 around dimension 1. */
static ir_value *padded_depth(frontend_node *n, ir_value *x, int64_t before, int64_t after)
{
    if (!x || (!before && !after))
        return x;
    ir_op *op = node_emit1(n, IR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, x->type.rank, (int64_t[IR_MAX_RANK]){0, before});
    ir_set_ints(op, IR_ATTR_AFTER, x->type.rank, (int64_t[IR_MAX_RANK]){0, after});
    return node_done(n, op);
}

/* What one tap sees: every stride-th image from `begin` on. */
static ir_value *images_of_tap(frontend_node *n, ir_value *x, int64_t begin, int64_t stride, int64_t depth,
                               int64_t groups)
{
    const int64_t *d = x->type.dims;
    ir_type type = x->type;
    type.dims[1] = depth;
    if (depth != d[1]) {
        ir_op *op = node_emit1(n, IR_SLICE, x);
        ir_set_ints(op, IR_ATTR_BEGIN, 5, (int64_t[]){0, begin, 0, 0, 0});
        ir_set_ints(op, IR_ATTR_STEP, 5, (int64_t[]){1, stride, 1, 1, 1});
        x = node_typed(n, op, type, x->quant);
    }
    return node_reshaped(n, x, 5, (int64_t[]){d[0] * depth, d[2], d[3], groups, d[4] / groups});
}

bool node_depth_as_channels(frontend_node *n, const node_box *box, int64_t groups, ir_value **x, ir_value **w,
                            int64_t *out_depth)
{
    const int64_t *f = (*w)->type.dims, taps = f[1], before = box->before[0], after = box->after[0];
    const int64_t *d = (*x)->type.dims, room = d[1] + before + after - (taps - 1) * box->dilation[0] - 1;
    if (before < 0 || after < 0 || before > MAX_EXTENT || after > MAX_EXTENT)
        return node_error(n, "padding of %lld and %lld images is not supported", (long long)before, (long long)after);
    if (taps < 1 || room < 0)
        return node_misfit(n, "a window of %lld taps does not fit into %lld images", (long long)taps, (long long)d[1]);
    if (taps > NODE_MAX_DEPTH_TAPS)
        return node_error(n, "filters of %lld taps along the first of three dimensions are not supported",
                          (long long)taps);
    const int64_t depth = room / box->stride[0] + 1;
    ir_value *parts[NODE_MAX_DEPTH_TAPS], *images = padded_depth(n, *x, before, after);
    for (int64_t k = 0; k < taps; k++)
        if (!images || !(parts[k] = images_of_tap(n, images, k * box->dilation[0], box->stride[0], depth, groups)))
            return false;
    images = node_joined(n, (int)taps, parts, 4);
    *w = node_transposed(n, *w, (int64_t[]){0, 2, 3, 1, 4});
    *w = node_reshaped(n, *w, 4, (int64_t[]){f[0], f[2], f[3], taps * f[4]});
    *x = node_reshaped(n, images, 4, (int64_t[]){d[0] * depth, d[2], d[3], taps * d[4]});
    *out_depth = depth;
    return *x && *w;
}

node_window node_image_window(const node_box *box, int spatial, const ir_value *w)
{
    node_window out = {0};
    for (int i = 0, from = spatial - 2; i < 2; i++) {
        out.kernel[i] = w->type.dims[1 + i];
        out.stride[i] = box->stride[from + i];
        out.dilation[i] = box->dilation[from + i];
        out.before[i] = box->before[from + i];
        out.after[i] = box->after[from + i];
    }
    return out;
}

/* ---- Transposed ---- */

/* A line is an image of one row: a dimension of extent 1 in front of the last spatial one. */
static bool as_image(frontend_node *n, ir_value **x, ir_value **w, node_box *box)
{
    const int64_t *d = (*x)->type.dims, *f = (*w)->type.dims;
    *x = node_reshaped(n, *x, 4, (int64_t[]){d[0], 1, d[1], d[2]});
    *w = node_reshaped(n, *w, 4, (int64_t[]){f[0], f[1], 1, f[2]});
    box->stride[1] = box->stride[0];
    box->dilation[1] = box->dilation[0];
    box->before[1] = box->before[0];
    box->after[1] = box->after[0];
    box->stride[0] = box->dilation[0] = 1;
    box->before[0] = box->after[0] = 0;
    return *x && *w;
}

/* stride - 1 zeros behind each element along dimension `at`. */
static ir_value *with_gaps(frontend_node *n, ir_value *x, int at, int64_t stride)
{
    if (!x || stride == 1)
        return x;
    ir_type type = x->type;
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < type.rank; i++)
        if (i != at)
            *(i < at ? &outer : &inner) *= type.dims[i];
    if (!(x = node_reshaped(n, x, 3, (int64_t[]){outer * type.dims[at], 1, inner})))
        return NULL;
    ir_op *op = node_emit1(n, IR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, 3, (int64_t[3]){0});
    ir_set_ints(op, IR_ATTR_AFTER, 3, (int64_t[]){0, stride - 1, 0});
    type.dims[at] *= stride;
    x = node_done(n, op);
    return x ? node_reshaped(n, x, type.rank, type.dims) : NULL;
}

/* Without what padding that is negative cuts off, along dimension `at`; the padding is 0 then. */
static ir_value *without_ends(frontend_node *n, ir_value *x, int at, int64_t *before, int64_t *after)
{
    const int64_t skipped = at_least_0(-*before), left_out = at_least_0(-*after);
    int64_t begin[IR_MAX_RANK] = {0}, step[IR_MAX_RANK];
    if (!x || (!skipped && !left_out))
        return x;
    ir_type type = x->type;
    for (int i = 0; i < type.rank; i++)
        step[i] = 1;
    begin[at] = skipped;
    if ((type.dims[at] -= skipped + left_out) < 1) {
        node_error(n, "padding that leaves nothing of the image is not supported");
        return NULL;
    }
    ir_op *op = node_emit1(n, IR_SLICE, x);
    ir_set_ints(op, IR_ATTR_BEGIN, type.rank, begin);
    ir_set_ints(op, IR_ATTR_STEP, type.rank, step);
    *before = at_least_0(*before);
    *after = at_least_0(*after);
    return node_typed(n, op, type, x->quant);
}

/* [C, O/groups, spatial...] as filters of the convolution, turned round: [O, spatial..., C/groups]. */
static ir_value *turned(frontend_node *n, ir_value *w, int64_t groups)
{
    const int spatial = w->type.rank - 2;
    const int64_t *f = w->type.dims;
    int64_t dims[IR_MAX_RANK] = {groups, f[0] / groups, f[1]}, perm[IR_MAX_RANK] = {0, 2}, axes[NODE_MAX_SPATIAL];
    for (int i = 0; i < spatial; i++) {
        dims[3 + i] = f[2 + i];
        perm[2 + i] = 3 + i;
        axes[i] = 1 + i;
    }
    perm[2 + spatial] = 1;
    w = node_transposed(n, node_reshaped(n, w, 3 + spatial, dims), perm);
    const int64_t depth = dims[1];
    dims[0] = groups * f[1];
    for (int i = 0; i < spatial; i++)
        dims[1 + i] = f[2 + i];
    dims[1 + spatial] = depth;
    if (!(w = node_reshaped(n, w, 2 + spatial, dims)))
        return NULL;
    ir_op *op = node_emit1(n, IR_REVERSE, w);
    ir_set_ints(op, IR_ATTR_AXES, spatial, axes);
    return node_done(n, op);
}

ir_value *node_spread_image(frontend_node *n, ir_value *x, const int64_t taps[], node_box *box)
{
    for (int i = 0, spatial = x->type.rank - 2; x && i < spatial; i++) {
        const int64_t reach = box->dilation[i] * (taps[i] - 1), stride = box->stride[i];
        box->stride[i] = 1;
        box->before[i] = reach - box->before[i];
        box->after[i] = reach - box->after[i] - (stride - 1);
        x = without_ends(n, with_gaps(n, x, 1 + i, stride), 1 + i, &box->before[i], &box->after[i]);
    }
    return x;
}

static ir_op *as_convolution(frontend_node *n, ir_value *x, ir_value *w, ir_value *b, int64_t groups,
                             const node_box *box)
{
    const int spatial = w->type.rank - 2;
    node_box conv = *box;
    const bool depthwise = spatial == 2 && groups > 1 && w->type.dims[0] == groups;
    int64_t depth;
    x = node_spread_image(n, x, w->type.dims + 2, &conv);
    w = turned(n, w, groups);
    if (!x || !w || (spatial == 3 && !node_depth_as_channels(n, &conv, groups, &x, &w, &depth)))
        return NULL;
    if (depthwise && !(w = node_transposed(n, w, (int64_t[]){3, 1, 2, 0})))
        return NULL;
    ir_op *op = node_emit(n, depthwise ? IR_DEPTHWISE_CONV2D : IR_CONV2D, b ? 3 : 2, (ir_value *[]){x, w, b});
    const node_window window = node_image_window(&conv, spatial, w);
    node_set_window(op, &window);
    if (!depthwise)
        ir_set_int(op, IR_ATTR_GROUPS, groups);
    return op;
}

/* The result's extents: of the convolution whose gradient this is, backwards. */
static bool whole_result(frontend_node *n, const ir_value *x, const ir_value *w, int64_t groups, const node_box *box,
                         ir_type *out)
{
    const int spatial = x->type.rank - 2;
    *out = x->type;
    out->dtype = IR_F32;
    out->dims[1 + spatial] = w->type.dims[1] * groups;
    for (int i = 0; i < spatial; i++) {
        const int64_t reach = box->dilation[i] * (w->type.dims[2 + i] - 1) + 1, extent = x->type.dims[1 + i];
        if (reach > MAX_EXTENT || extent < 1 || extent > MAX_EXTENT)
            return node_error(n, "a window that reaches %lld pixels of %lld", (long long)reach, (long long)extent);
        out->dims[1 + i] = (extent - 1) * box->stride[i] + reach - box->before[i] - box->after[i];
        if (out->dims[1 + i] < 1 || out->dims[1 + i] > MAX_EXTENT)
            return node_error(n, "the result has %lld pixels along a dimension", (long long)out->dims[1 + i]);
    }
    return true;
}

static bool is_plain(const node_box *box, int spatial, int64_t groups)
{
    bool plain = groups == 1 && spatial == 2;
    for (int i = 0; i < spatial; i++)
        plain = plain && box->dilation[i] == 1;
    return plain;
}

bool node_transpose_conv(frontend_node *n, ir_value *x, ir_value *w, ir_value *b, int64_t groups, const node_box *given,
                         node_transposed_conv *out)
{
    node_box box = *given;
    int spatial = x->type.rank - 2;
    if (spatial < 1 || spatial > NODE_MAX_SPATIAL || w->type.rank != x->type.rank)
        return node_error(n, "an image of rank %d and filters of rank %d are not supported", x->type.rank,
                          w->type.rank);
    const int64_t channels = x->type.dims[1 + spatial];
    if (groups < 1 || w->type.dims[0] != channels || channels < 1 || channels % groups)
        return node_misfit(n, "%lld channels, %lld groups and filters for %lld channels don't fit", (long long)channels,
                           (long long)groups, (long long)w->type.dims[0]);
    if (!whole_result(n, x, w, groups, &box, &out->whole) || (spatial == 1 && !as_image(n, &x, &w, &box)))
        return false;
    spatial = spatial == 1 ? 2 : spatial;
    if (is_plain(&box, spatial, groups)) {
        w = node_transposed(n, w, (int64_t[]){1, 2, 3, 0});
        out->op = w ? node_emit(n, IR_TRANSPOSE_CONV2D, b ? 3 : 2, (ir_value *[]){x, w, b}) : NULL;
        node_window window = w ? node_image_window(&box, 2, w) : (node_window){0};
        for (int i = 0; i < 2; i++)
            window.after[i] = at_least_0(window.after[i]); /* the result's shape says what lies behind the windows */
        if (out->op)
            node_set_window(out->op, &window);
    } else {
        out->op = as_convolution(n, x, w, b, groups, &box);
    }
    const int64_t *d = out->whole.dims;
    const int rank = out->whole.rank;
    const int64_t images = rank == 5 ? d[0] * d[1] : d[0], rows = rank > 3 ? d[rank - 3] : 1;
    out->image = ir_type_make(IR_F32, 4, (int64_t[]){images, rows, d[rank - 2], d[rank - 1]});
    return out->op;
}
