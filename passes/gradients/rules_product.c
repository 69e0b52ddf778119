/* rules_product.c: convolutions, whose groups are taken apart, and matrix products. */
#include "passes/gradients/windows.h"

static ir_value *joined(gradient *s, ir_value *parts[], int64_t count, int64_t axis)
{
    ir_op *op = gradient_new(s, IR_CONCAT, (int)count, parts);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return gradient_end(s, op);
}

static void give_bias(gradient *s)
{
    static const int64_t axes[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (!gradient_wants(s, 2))
        return;
    const int32_t leading = s->by_result->type.rank - 1;
    ir_value *by = s->by_result;
    gradient_give(s, 2, leading ? gradient_reduce(s, IR_SUM, by, leading, axes, false) : by);
}

/* ---- The rules ---- */

/* [KH, KW, image's channels, window's channels] as weights of conv2d; of transpose_conv2d. */
static const int64_t OUTPUTS_FIRST[4] = {3, 0, 1, 2}, IMAGE_FIRST[4] = {2, 0, 1, 3};

/* x, w, by_y: of one group. */
static ir_value *conv_by_x(gradient *s, ir_value *w, ir_value *by_y, const gradient_window *at)
{
    const ir_type *x = gradient_operand_type(s, 0);
    return gradient_image(s, IR_CONV2D, by_y, gradient_swapped(s, w), at, &x->dims[1]);
}

/* [KH, KW, I, O] */
static ir_value *conv_by_taps(gradient *s, ir_value *x, ir_value *by_y, const gradient_window *at, const ir_type *w)
{
    const int64_t dims[4] = {w->dims[1], w->dims[2], x->type.dims[3], by_y->type.dims[3]};
    return gradient_taps(s, IR_CONV2D_WEIGHTS_GRADIENT, x, by_y, at, dims);
}

bool gradient_of_conv2d(gradient *s)
{
    ir_value *x = gradient_operand(s, 0), *w = gradient_operand(s, 1);
    const gradient_window at = gradient_window_of(s->op);
    const int64_t groups = ir_int(s->op, IR_ATTR_GROUPS), in = w->type.dims[3], out = w->type.dims[0] / groups;
    ir_value **by_x = ARENA_ARRAY(s->g->arena, ir_value *, groups),
             **by_w = ARENA_ARRAY(s->g->arena, ir_value *, groups);
    for (int64_t g = 0; g < groups; g++) {
        ir_value *by_y = gradient_part(s, s->by_result, 3, g * out, out);
        if (gradient_wants(s, 0))
            by_x[g] = conv_by_x(s, gradient_part(s, w, 0, g * out, out), by_y, &at);
        if (gradient_wants(s, 1))
            by_w[g] = gradient_transpose(s, conv_by_taps(s, gradient_part(s, x, 3, g * in, in), by_y, &at, &w->type),
                                         OUTPUTS_FIRST);
    }
    if (gradient_wants(s, 0))
        gradient_give(s, 0, groups == 1 ? by_x[0] : joined(s, by_x, groups, 3));
    if (gradient_wants(s, 1))
        gradient_give(s, 1, groups == 1 ? by_w[0] : joined(s, by_w, groups, 0));
    give_bias(s);
    return true;
}

/* [n, h, w, c] as [n, h, w, c, multiplier] */
static ir_value *multiplied(gradient *s, ir_value *x, int64_t multiplier)
{
    const int64_t *d = x->type.dims;
    const ir_type wide = ir_type_make(IR_F32, 5, (int64_t[]){d[0], d[1], d[2], d[3], multiplier});
    ir_value *v = gradient_reshape(s, x, 5, (int64_t[]){d[0], d[1], d[2], d[3], 1});
    return gradient_reshape(s, gradient_broadcast(s, v, &wide), 4, (int64_t[]){d[0], d[1], d[2], d[3] * multiplier});
}

bool gradient_of_depthwise(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0);
    const gradient_window at = gradient_window_of(s->op);
    const int64_t multiplier = gradient_operand_type(s, 1)->dims[3] / x->dims[3];
    if (gradient_wants(s, 0)) {
        ir_value *by = gradient_image(s, IR_DEPTHWISE_CONV2D, s->by_result, gradient_operand(s, 1), &at, &x->dims[1]);
        if (multiplier > 1) {
            const int64_t dims[5] = {x->dims[0], x->dims[1], x->dims[2], x->dims[3], multiplier};
            by = gradient_reduce(s, IR_SUM, gradient_reshape(s, by, 5, dims), 1, (int64_t[]){4}, false);
        }
        gradient_give(s, 0, by);
    }
    if (gradient_wants(s, 1)) {
        ir_value *image = gradient_operand(s, 0);
        image = multiplier == 1 ? image : multiplied(s, image, multiplier);
        gradient_give(s, 1,
                      gradient_taps(s, IR_DEPTHWISE_WEIGHTS_GRADIENT, image, s->by_result, &at,
                                    gradient_operand_type(s, 1)->dims));
    }
    give_bias(s);
    return true;
}

/* y, before what is cut off in front, is the image of a convolution that gives x: its gradients are that convolution, and that by
 * its taps.  Where all of it is cut off, nothing of x or w is left in y. */
bool gradient_of_transpose_conv2d(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0), *w = gradient_operand_type(s, 1);
    gradient_window at = gradient_window_of(s->op);
    ir_value *by_y = s->by_result;
    give_bias(s);
    for (int a = 0; a < GRADIENT_AXES; a++) {
        const int64_t whole = (x->dims[1 + a] - 1) * at.stride[a] + w->dims[1 + a];
        if (at.pad[a] >= whole)
            return true;
        by_y = gradient_framed(s, by_y, a, whole, at.pad);
    }
    if (gradient_wants(s, 0))
        gradient_give(s, 0, gradient_convolution(s, IR_CONV2D, by_y, gradient_swapped(s, gradient_operand(s, 1)), &at));
    if (gradient_wants(s, 1))
        gradient_give(s, 1, gradient_transpose(s, conv_by_taps(s, by_y, gradient_operand(s, 0), &at, w), IMAGE_FIRST));
    return true;
}

bool gradient_of_fully_connected(gradient *s)
{
    ir_value *by_y = gradient_matrix(s, s->by_result);
    if (gradient_wants(s, 0))
        gradient_give(s, 0, gradient_product(s, by_y, gradient_operand(s, 1), false, false));
    if (gradient_wants(s, 1))
        gradient_give(s, 1, gradient_product(s, by_y, gradient_matrix(s, gradient_operand(s, 0)), true, false));
    give_bias(s);
    return true;
}

/* Y = A B: by A = by_Y Bᵀ, by B = Aᵀ by_Y; of an operand that is read transposed, the transpose of that. */
bool gradient_of_batch_matmul(gradient *s)
{
    ir_value *a = gradient_operand(s, 0), *b = gradient_operand(s, 1), *by = s->by_result;
    const bool adj_a = ir_int(s->op, IR_ATTR_ADJ_A), adj_b = ir_int(s->op, IR_ATTR_ADJ_B);
    if (gradient_wants(s, 0))
        gradient_give(s, 0,
                      adj_a ? gradient_product(s, b, by, adj_b, true) : gradient_product(s, by, b, false, !adj_b));
    if (gradient_wants(s, 1))
        gradient_give(s, 1,
                      adj_b ? gradient_product(s, by, a, true, adj_a) : gradient_product(s, a, by, !adj_a, false));
    return true;
}
