/* products.c: shapes of windows, matrix products and recurrent layers. */
#include "ir/shape/rules.h"

/* ---- Windows and matrices ---- */

/* Positions of a window of `taps` taps along an extent; false when there is none. */
static bool positions(inference *i, int64_t extent, int64_t pad, int64_t taps, int64_t dilation, int64_t stride,
                      int64_t *out)
{
    int64_t reach = (taps - 1) * dilation + 1, padded = extent + pad;
    if (taps < 1 || reach > padded)
        return refuse(i, "%s: a window of %lld does not fit into %lld", text_of(i), (long long)reach,
                      (long long)padded);
    *out = (padded - reach) / stride + 1;
    return true;
}

static bool image(inference *i, int64_t kh, int64_t kw, bool dilated, int64_t channels)
{
    const ir_op *op = i->op;
    const ir_type *x = operand(i, 0);
    const int64_t *pad;
    int64_t h = 0, w = 0, dy = dilated ? ir_ints_at(op, IR_ATTR_DILATION, 0) : 1;
    int64_t dx = dilated ? ir_ints_at(op, IR_ATTR_DILATION, 1) : 1;
    ir_ints(op, IR_ATTR_PAD, &pad);
    if (!positions(i, x->dims[1], pad[0] + pad[2], kh, dy, ir_ints_at(op, IR_ATTR_STRIDE, 0), &h) ||
        !positions(i, x->dims[2], pad[1] + pad[3], kw, dx, ir_ints_at(op, IR_ATTR_STRIDE, 1), &w))
        return false;
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x->dims[0], h, w, channels});
    return true;
}

static bool check_bias(inference *i, int64_t channels)
{
    const ir_value *b = ir_operand_value(i->op, 2);
    return !b || ir_type_elements(&b->type) == channels ||
           refuse(i, "%s: bias of %lld elements, expected %lld", text_of(i), (long long)ir_type_elements(&b->type),
                  (long long)channels);
}

static bool check_residual(inference *i)
{
    const ir_value *r = ir_operand_value(i->op, 3);
    if (!r)
        return true;
    ir_type t = *i->out;
    t.dtype = r->type.dtype;
    return ir_type_equal(&t, &r->type) || refuse(i, "%s: the residual's shape is not the result's", text_of(i));
}

bool ir_shape_conv2d(inference *i)
{
    if (!need_rank(i, 0, 4) || !need_rank(i, 1, 4))
        return false;
    const ir_type *x = operand(i, 0), *w = operand(i, 1);
    int64_t groups = ir_int(i->op, IR_ATTR_GROUPS);
    if (w->dims[3] * groups != x->dims[3] || w->dims[0] % groups != 0)
        return refuse(i, "conv2d: weights of %lld x %lld channels in %lld groups for %lld channels",
                      (long long)w->dims[0], (long long)w->dims[3], (long long)groups, (long long)x->dims[3]);
    return image(i, w->dims[1], w->dims[2], true, w->dims[0]) && check_bias(i, w->dims[0]) && check_residual(i);
}

bool ir_shape_depthwise(inference *i)
{
    if (!need_rank(i, 0, 4) || !need_rank(i, 1, 4))
        return false;
    const ir_type *x = operand(i, 0), *w = operand(i, 1);
    if (w->dims[0] != 1 || x->dims[3] == 0 || w->dims[3] % x->dims[3] != 0)
        return refuse(i, "depthwise_conv2d: weights of %lld x … x %lld for %lld channels", (long long)w->dims[0],
                      (long long)w->dims[3], (long long)x->dims[3]);
    return image(i, w->dims[1], w->dims[2], true, w->dims[3]) && check_bias(i, w->dims[3]) && check_residual(i);
}

bool ir_shape_transpose_conv2d(inference *i)
{
    if (!need_rank(i, 0, 4) || !need_rank(i, 1, 4))
        return false;
    const ir_type *x = operand(i, 0), *w = operand(i, 1), *y = i->present;
    if (w->dims[3] != x->dims[3])
        return refuse(i, "transpose_conv2d: weights for %lld channels, the image has %lld", (long long)w->dims[3],
                      (long long)x->dims[3]);
    if (y->rank != 4)
        return refuse(i, "transpose_conv2d: result has rank %d, expected 4", y->rank);
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x->dims[0], y->dims[1], y->dims[2], w->dims[0]});
    return check_bias(i, w->dims[0]);
}

bool ir_shape_pool(inference *i)
{
    if (!need_rank(i, 0, 4))
        return false;
    return image(i, ir_ints_at(i->op, IR_ATTR_KERNEL, 0), ir_ints_at(i->op, IR_ATTR_KERNEL, 1), false,
                 operand(i, 0)->dims[3]);
}

bool ir_shape_pool_gradient(inference *i)
{
    const ir_type *by_y = operand(i, 1);
    if (!ir_shape_pool(i))
        return false;
    i->out->dtype = by_y->dtype;
    if (!ir_type_equal(i->out, by_y))
        return refuse(i, "%s: operand 1 has not the shape that the windows give", text_of(i));
    return ir_shape_same_as_first(i);
}

bool ir_shape_dynamic_quantize(inference *i)
{
    static const ir_dtype types[] = {IR_U8, IR_F32, IR_U8};
    const int64_t outer = ir_int(i->op, IR_ATTR_OUTER);
    copy_dims(i->out, operand(i, 0));
    if (outer > i->out->rank)
        return refuse(i, "dynamic_quantize: %lld outer dimensions of %d", (long long)outer, i->out->rank);
    i->out->dtype = types[i->result];
    if (i->result > 0)
        *i->out = ir_type_make(i->out->dtype, (int)outer, operand(i, 0)->dims);
    return true;
}

/* The height and width of the taps, which the result's dimensions `first` and the next one say, are free. */
static bool weights_gradient(inference *i, int first)
{
    if (!need_rank(i, 0, 4) || !need_rank(i, 1, 4))
        return false;
    const ir_type *by_y = operand(i, 1), *taps = i->present;
    if (taps->rank != 4)
        return refuse(i, "%s: result has rank %d, expected 4", text_of(i), taps->rank);
    const int64_t height = taps->dims[first], width = taps->dims[first + 1];
    i->out->dtype = by_y->dtype;
    if (!image(i, height, width, true, by_y->dims[3]))
        return false;
    if (!ir_type_equal(i->out, by_y))
        return refuse(i, "%s: operand 1 has not the shape that the windows give", text_of(i));
    *i->out = ir_type_make(operand(i, 0)->dtype, 4, (int64_t[]){1, 1, 1, by_y->dims[3]});
    i->out->dims[first] = height;
    i->out->dims[first + 1] = width;
    return true;
}

bool ir_shape_conv2d_weights_gradient(inference *i)
{
    if (!weights_gradient(i, 0))
        return false;
    i->out->dims[2] = operand(i, 0)->dims[3];
    return true;
}

bool ir_shape_depthwise_weights_gradient(inference *i)
{
    if (!weights_gradient(i, 1))
        return false;
    const int64_t channels = operand(i, 0)->dims[3];
    return channels == i->out->dims[3] || refuse(i, "%s: %lld channels of operand 1, the image has %lld", text_of(i),
                                                 (long long)i->out->dims[3], (long long)channels);
}

bool ir_shape_fully_connected(inference *i)
{
    const ir_type *x = operand(i, 0), *w = operand(i, 1);
    if (!need_rank(i, 1, 2))
        return false;
    if (x->rank < 1 || x->dims[x->rank - 1] != w->dims[1])
        return refuse(i, "fully_connected: weights for %lld channels, the operand has %lld", (long long)w->dims[1],
                      (long long)(x->rank ? x->dims[x->rank - 1] : 0));
    copy_dims(i->out, x);
    i->out->dims[x->rank - 1] = w->dims[0];
    return check_bias(i, w->dims[0]) && check_residual(i);
}

bool ir_shape_batch_matmul(inference *i)
{
    ir_type a = *operand(i, 0), b = *operand(i, 1);
    if (a.rank < 2 || b.rank < 2)
        return refuse(i, "batch_matmul: operands of rank %d and %d, expected 2 or more", a.rank, b.rank);
    int64_t adj_a = ir_int(i->op, IR_ATTR_ADJ_A), adj_b = ir_int(i->op, IR_ATTR_ADJ_B);
    int64_t m = a.dims[a.rank - 2 + adj_a], ka = a.dims[a.rank - 1 - adj_a];
    int64_t kb = b.dims[b.rank - 2 + adj_b], n = b.dims[b.rank - 1 - adj_b];
    if (ka != kb)
        return refuse(i, "batch_matmul: inner dimensions %lld and %lld", (long long)ka, (long long)kb);
    a.rank -= 2;
    b.rank -= 2;
    copy_dims(i->out, &a);
    return ir_shape_broadcast_into(i, &b) && append_dim(i, m) && append_dim(i, n);
}

/* ---- Recurrent layers ---- */

static bool is_matrix(const ir_type *t, int64_t rows, int64_t columns)
{
    return t->rank == 2 && t->dims[0] == rows && t->dims[1] == columns;
}

/* Result 0 has the operand's first two dimensions and the units; results 1… are what states look like. */
static bool infer_states(inference *i, const ir_type *r, const ir_type *state, int gates)
{
    const ir_type *x = operand(i, 0);
    if (!need_rank(i, 0, 3))
        return false;
    const int64_t batch = x->dims[1 - ir_int(i->op, IR_ATTR_TIME_AXIS)], units = state->rank == 2 ? state->dims[1] : -1;
    if (!is_matrix(state, batch, units) || !is_matrix(r, gates * units, units))
        return refuse(i, "%s: recurrent weights and state do not fit to %lld sequences", text_of(i), (long long)batch);
    i->out->dtype = state->dtype;
    *i->out = i->result == 0 ? ir_type_make(state->dtype, 3, (int64_t[]){x->dims[0], x->dims[1], units}) : *state;
    return true;
}

bool ir_shape_lstm(inference *i)
{
    const ir_type *h = operand(i, 2), *c = operand(i, 3);
    if (!infer_states(i, operand(i, 1), h, 4))
        return false;
    if (operand(i, 0)->dims[2] != 4 * h->dims[1] || !is_matrix(c, h->dims[0], h->dims[1]))
        return refuse(i, "lstm: %lld gates or the cell state do not fit to %lld units",
                      (long long)operand(i, 0)->dims[2], (long long)h->dims[1]);
    return true;
}

/* gru and rnn */
bool ir_shape_recurrent(inference *i)
{
    const ir_type *h = operand(i, 2);
    const ir_value *b = ir_operand_value(i->op, 3);
    const int gates = i->op->code == IR_GRU ? 3 : 1;
    if (!infer_states(i, operand(i, 1), h, gates))
        return false;
    if (operand(i, 0)->dims[2] != gates * h->dims[1] || (b && (b->type.rank != 1 || b->type.dims[0] != h->dims[1])))
        return refuse(i, "%s: %lld gates or the bias do not fit to %lld units", text_of(i),
                      (long long)operand(i, 0)->dims[2], (long long)h->dims[1]);
    return true;
}

bool ir_shape_lstm_quant(inference *i)
{
    const ir_type *x = operand(i, 0), *b = operand(i, 3), *h = operand(i, 4), *c = operand(i, 5);
    if (!infer_states(i, operand(i, 2), h, 4))
        return false;
    const int64_t gates = 4 * h->dims[1];
    if (!is_matrix(operand(i, 1), gates, x->dims[2]) || b->rank != 1 || b->dims[0] != gates ||
        !is_matrix(c, h->dims[0], h->dims[1]))
        return refuse(i, "lstm_quant: weights, bias or cell state do not fit to %lld units", (long long)h->dims[1]);
    if (i->result == 2)
        i->out->dtype = c->dtype;
    return true;
}
