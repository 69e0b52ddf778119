/* shape.c: the result types that follow from an op's operands and attributes.
 *
 * Where the op leaves something free (the shape of reshape, the element type of cast), that part is taken from the
 * result's present type and checked: frontends set it first, then ask; ir_verify compares.
 *
 * All arithmetic stays far from overflow: dims are below 2^31, attributes below 2^31 (2^24 for windows). */
#include "ir/shape.h"

#include <string.h>

typedef struct inference {
    const ir_op *op;
    int result;
    const ir_type *present; /* the result's type as it is; dtype none when nobody has set it */
    ir_type *out;           /* starts with operand 0's element type, or the present one where that is free */
    diag *d;
} inference;

typedef bool infer_fn(inference *);

#define refuse(i, ...) diag_error((i)->d, &(i)->op->loc, __VA_ARGS__)

static const char *text_of(const inference *i) { return ir_op_info_of(i->op->code)->text; }
static const ir_type *operand(const inference *i, int index) { return &i->op->operands[index].value->type; }

static bool need_rank(inference *i, int index, int rank)
{
    return operand(i, index)->rank == rank ||
           refuse(i, "%s: operand %d has rank %d, expected %d", text_of(i), index, operand(i, index)->rank, rank);
}

static void copy_dims(ir_type *to, const ir_type *from)
{
    to->rank = from->rank;
    for (int d = 0; d < from->rank; d++)
        to->dims[d] = from->dims[d];
}

static bool append_dim(inference *i, int64_t n)
{
    if (i->out->rank == IR_MAX_RANK)
        return refuse(i, "%s: result of more than %d dimensions", text_of(i), IR_MAX_RANK);
    i->out->dims[i->out->rank++] = n;
    return true;
}

/* Of dims near the limit and blocks: the product must stay below the largest tensor. */
static bool multiply_dim(inference *i, int d, int64_t factor)
{
    if (i->out->dims[d] > 0 && factor > IR_MAX_BYTES / i->out->dims[d])
        return refuse(i, "%s: the result would be too large", text_of(i));
    i->out->dims[d] *= factor;
    return true;
}

static bool same_as_first(inference *i)
{
    copy_dims(i->out, operand(i, 0));
    return true;
}

static bool as_stated(inference *i)
{
    copy_dims(i->out, i->present);
    return true;
}

/* ---- Broadcasting ---- */

static bool broadcast_into(inference *i, const ir_type *t)
{
    ir_type *out = i->out;
    int rank = out->rank > t->rank ? out->rank : t->rank;
    int64_t dims[IR_MAX_RANK];
    for (int d = 1; d <= rank; d++) {
        int64_t a = d <= out->rank ? out->dims[out->rank - d] : 1, b = d <= t->rank ? t->dims[t->rank - d] : 1;
        if (a != b && a != 1 && b != 1)
            return refuse(i, "%s: dimensions %lld and %lld do not broadcast", text_of(i), (long long)a, (long long)b);
        dims[rank - d] = a == 1 ? b : a;
    }
    *out = ir_type_make(out->dtype, rank, dims);
    return true;
}

static bool all_broadcast(inference *i)
{
    copy_dims(i->out, operand(i, 0));
    for (int o = 1; o < i->op->operand_count; o++)
        if (!broadcast_into(i, operand(i, o)))
            return false;
    return true;
}

static bool to_bool(inference *i)
{
    i->out->dtype = IR_BOOL;
    return all_broadcast(i);
}

static bool infer_select(inference *i)
{
    i->out->dtype = operand(i, 1)->dtype;
    return all_broadcast(i);
}

static bool infer_broadcast(inference *i)
{
    copy_dims(i->out, operand(i, 0));
    if (!broadcast_into(i, i->present))
        return false;
    copy_dims(i->out, i->present);
    return true;
}

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

static bool infer_conv2d(inference *i)
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

static bool infer_depthwise(inference *i)
{
    if (!need_rank(i, 0, 4) || !need_rank(i, 1, 4))
        return false;
    const ir_type *x = operand(i, 0), *w = operand(i, 1);
    if (w->dims[0] != 1 || x->dims[3] == 0 || w->dims[3] % x->dims[3] != 0)
        return refuse(i, "depthwise_conv2d: weights of %lld x … x %lld for %lld channels", (long long)w->dims[0],
                      (long long)w->dims[3], (long long)x->dims[3]);
    return image(i, w->dims[1], w->dims[2], true, w->dims[3]) && check_bias(i, w->dims[3]) && check_residual(i);
}

static bool infer_transpose_conv2d(inference *i)
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

static bool infer_pool(inference *i)
{
    if (!need_rank(i, 0, 4))
        return false;
    return image(i, ir_ints_at(i->op, IR_ATTR_KERNEL, 0), ir_ints_at(i->op, IR_ATTR_KERNEL, 1), false,
                 operand(i, 0)->dims[3]);
}

static bool infer_pool_gradient(inference *i)
{
    const ir_type *by_y = operand(i, 1);
    if (!infer_pool(i))
        return false;
    i->out->dtype = by_y->dtype;
    if (!ir_type_equal(i->out, by_y))
        return refuse(i, "%s: operand 1 has not the shape that the windows give", text_of(i));
    return same_as_first(i);
}

static bool infer_dynamic_quantize(inference *i)
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

/* The height and width of the taps are free. */
static bool infer_conv2d_weights_gradient(inference *i)
{
    if (!need_rank(i, 0, 4) || !need_rank(i, 1, 4))
        return false;
    const ir_type *x = operand(i, 0), *by_y = operand(i, 1), taps = *i->present;
    if (taps.rank != 4)
        return refuse(i, "%s: result has rank %d, expected 4", text_of(i), taps.rank);
    i->out->dtype = by_y->dtype;
    if (!image(i, taps.dims[0], taps.dims[1], true, by_y->dims[3]))
        return false;
    if (!ir_type_equal(i->out, by_y))
        return refuse(i, "%s: operand 1 has not the shape that the windows give", text_of(i));
    *i->out = ir_type_make(x->dtype, 4, (int64_t[]){taps.dims[0], taps.dims[1], x->dims[3], by_y->dims[3]});
    return true;
}

static bool infer_fully_connected(inference *i)
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

static bool infer_batch_matmul(inference *i)
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
    return broadcast_into(i, &b) && append_dim(i, m) && append_dim(i, n);
}

/* ---- Reductions and normalisation ---- */

static bool infer_reduce(inference *i)
{
    const ir_type *x = operand(i, 0);
    const int64_t *axes;
    int32_t n = ir_ints(i->op, IR_ATTR_AXES, &axes), next = 0;
    int64_t keep = ir_int(i->op, IR_ATTR_KEEP_DIMS);
    i->out->rank = 0;
    for (int32_t k = 0; k < n; k++)
        if (axes[k] >= x->rank || (k > 0 && axes[k] <= axes[k - 1]))
            return refuse(i, "%s: axes must ascend and be below %d", text_of(i), x->rank);
    for (int d = 0; d < x->rank; d++) {
        bool reduced = next < n && axes[next] == d;
        next += reduced;
        if (!reduced || keep)
            i->out->dims[i->out->rank++] = reduced ? 1 : x->dims[d];
    }
    return true;
}

static bool check_axis(inference *i, int rank)
{
    int64_t axis = ir_int(i->op, IR_ATTR_AXIS);
    return axis < rank || refuse(i, "%s: axis %lld of %d dimensions", text_of(i), (long long)axis, rank);
}

static bool infer_arg(inference *i)
{
    const ir_type *x = operand(i, 0);
    if (!check_axis(i, x->rank))
        return false;
    i->out->dtype = i->present->dtype == IR_I64 ? IR_I64 : IR_I32;
    i->out->rank = 0;
    for (int d = 0; d < x->rank; d++)
        if (d != ir_int(i->op, IR_ATTR_AXIS))
            i->out->dims[i->out->rank++] = x->dims[d];
    return true;
}

static bool infer_top_k(inference *i)
{
    const ir_type *x = operand(i, 0);
    int64_t k = ir_int(i->op, IR_ATTR_K);
    if (x->rank < 1 || k > x->dims[x->rank - 1])
        return refuse(i, "top_k: k = %lld is more than there are", (long long)k);
    copy_dims(i->out, x);
    i->out->dims[x->rank - 1] = k;
    if (i->result == 1)
        i->out->dtype = i->present->dtype == IR_I16 ? IR_I16 : IR_I32;
    return true;
}

static bool infer_cumsum(inference *i) { return check_axis(i, operand(i, 0)->rank) && same_as_first(i); }

static bool infer_normalize(inference *i)
{
    return operand(i, 0)->rank >= 1 ? same_as_first(i) : refuse(i, "%s: a scalar", text_of(i));
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

static bool infer_lstm(inference *i)
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
static bool infer_recurrent(inference *i)
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

static bool infer_lstm_quant(inference *i)
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

/* ---- Data movement ---- */

static bool infer_reshape(inference *i)
{
    int64_t from = ir_type_elements(operand(i, 0)), to = ir_type_elements(i->present);
    return from == to ? as_stated(i) : refuse(i, "reshape: %lld elements to %lld", (long long)from, (long long)to);
}

static bool infer_transpose(inference *i)
{
    const ir_type *x = operand(i, 0);
    unsigned seen = 0;
    i->out->rank = x->rank;
    for (int d = 0; d < x->rank; d++) {
        int64_t p = ir_ints_at(i->op, IR_ATTR_PERM, d);
        if (p >= x->rank || (seen >> p & 1))
            return refuse(i, "transpose: perm is not a permutation");
        seen |= 1u << p;
        i->out->dims[d] = x->dims[p];
    }
    return true;
}

static bool infer_concat(inference *i)
{
    const ir_type *first = operand(i, 0);
    if (!check_axis(i, first->rank))
        return false;
    int64_t axis = ir_int(i->op, IR_ATTR_AXIS), sum = first->dims[axis];
    for (int o = 1; o < i->op->operand_count; o++) {
        const ir_type *t = operand(i, o);
        bool same = t->rank == first->rank && t->dtype == first->dtype;
        for (int d = 0; same && d < t->rank; d++)
            same = d == axis || t->dims[d] == first->dims[d];
        if (!same)
            return refuse(i, "concat: operand %d does not match the first one", o);
        sum += t->dims[axis];
    }
    copy_dims(i->out, first);
    i->out->dims[axis] = sum;
    return true;
}

static bool infer_slice(inference *i)
{
    const ir_type *x = operand(i, 0), *y = i->present;
    if (y->rank != x->rank)
        return refuse(i, "slice: result has rank %d, expected %d", y->rank, x->rank);
    for (int d = 0; d < x->rank; d++) {
        int64_t begin = ir_ints_at(i->op, IR_ATTR_BEGIN, d), step = ir_ints_at(i->op, IR_ATTR_STEP, d);
        int64_t last = begin + (y->dims[d] - 1) * step;
        if (step == 0)
            return refuse(i, "slice: step 0 in dimension %d", d);
        if (y->dims[d] > 0 && (begin >= x->dims[d] || last < 0 || last >= x->dims[d]))
            return refuse(i, "slice: elements %lld to %lld of %lld in dimension %d", (long long)begin, (long long)last,
                          (long long)x->dims[d], d);
    }
    return as_stated(i);
}

static bool infer_pad(inference *i)
{
    const ir_type *x = operand(i, 0);
    bool mirror = i->op->code == IR_MIRROR_PAD;
    copy_dims(i->out, x);
    for (int d = 0; d < x->rank; d++) {
        int64_t before = ir_ints_at(i->op, IR_ATTR_BEFORE, d), after = ir_ints_at(i->op, IR_ATTR_AFTER, d);
        if (mirror) {
            int64_t most = x->dims[d] - (ir_int(i->op, IR_ATTR_MIRROR) == IR_MIRROR_REFLECT);
            if ((before > 0 && before > most) || (after > 0 && after > most))
                return refuse(i, "mirror_pad: dimension %d is too small to be mirrored so far", d);
        }
        i->out->dims[d] = before + x->dims[d] + after;
    }
    return true;
}

static bool infer_tile(inference *i)
{
    const ir_type *x = operand(i, 0), *y = i->present;
    if (y->rank != x->rank)
        return refuse(i, "tile: result has rank %d, expected %d", y->rank, x->rank);
    for (int d = 0; d < x->rank; d++)
        if (x->dims[d] ? y->dims[d] % x->dims[d] != 0 : y->dims[d] != 0)
            return refuse(i, "tile: %lld is not a multiple of %lld", (long long)y->dims[d], (long long)x->dims[d]);
    return as_stated(i);
}

static bool infer_reverse(inference *i)
{
    const int64_t *axes;
    int32_t n = ir_ints(i->op, IR_ATTR_AXES, &axes);
    for (int32_t k = 0; k < n; k++)
        if (axes[k] >= operand(i, 0)->rank)
            return refuse(i, "reverse: axis %lld of %d dimensions", (long long)axes[k], operand(i, 0)->rank);
    return same_as_first(i);
}

static bool infer_gather(inference *i)
{
    const ir_type *x = operand(i, 0), *indices = operand(i, 1);
    int64_t axis = ir_int(i->op, IR_ATTR_AXIS), batch = ir_int(i->op, IR_ATTR_BATCH_DIMS);
    if (!check_axis(i, x->rank))
        return false;
    if (batch > axis || batch > indices->rank)
        return refuse(i, "gather: %lld batch dimensions", (long long)batch);
    i->out->rank = 0;
    for (int d = 0; d < axis; d++) {
        if (d < batch && x->dims[d] != indices->dims[d])
            return refuse(i, "gather: batch dimension %d of operand and indices differ", d);
        if (!append_dim(i, x->dims[d]))
            return false;
    }
    for (int d = (int)batch; d < indices->rank; d++)
        if (!append_dim(i, indices->dims[d]))
            return false;
    for (int d = (int)axis + 1; d < x->rank; d++)
        if (!append_dim(i, x->dims[d]))
            return false;
    return true;
}

static bool infer_gather_nd(inference *i)
{
    const ir_type *x = operand(i, 0), *indices = operand(i, 1);
    int64_t tuple = indices->rank ? indices->dims[indices->rank - 1] : -1;
    if (tuple < 0 || tuple > x->rank)
        return refuse(i, "gather_nd: index tuples of %lld for %d dimensions", (long long)tuple, x->rank);
    i->out->rank = 0;
    for (int d = 0; d < indices->rank - 1; d++)
        if (!append_dim(i, indices->dims[d]))
            return false;
    for (int d = (int)tuple; d < x->rank; d++)
        if (!append_dim(i, x->dims[d]))
            return false;
    return true;
}

/* Updates are indices' outer dimensions, then the result's inner ones. */
static bool infer_scatter_nd(inference *i)
{
    const ir_type *indices = operand(i, 0), *updates = operand(i, 1), *y = i->present;
    int64_t tuple = indices->rank ? indices->dims[indices->rank - 1] : -1;
    bool fits = tuple >= 0 && tuple <= y->rank && updates->rank == indices->rank - 1 + y->rank - tuple;
    for (int d = 0; fits && d < updates->rank; d++)
        fits =
            updates->dims[d] == (d < indices->rank - 1 ? indices->dims[d] : y->dims[d - (indices->rank - 1) + tuple]);
    if (!fits)
        return refuse(i, "scatter_nd: shapes of indices, updates and result do not fit together");
    const ir_type *x = ir_operand_value(i->op, 2) ? operand(i, 2) : NULL;
    if (x && (x->rank != y->rank || memcmp(x->dims, y->dims, (size_t)y->rank * sizeof *y->dims) != 0))
        return refuse(i, "scatter_nd: operand 2 has another shape than the result");
    i->out->dtype = updates->dtype;
    return as_stated(i);
}

static bool infer_one_hot(inference *i)
{
    const ir_type *indices = operand(i, 0), *y = i->present;
    int64_t axis = ir_int(i->op, IR_ATTR_AXIS);
    if (axis > indices->rank || y->rank != indices->rank + 1)
        return refuse(i, "one_hot: axis %lld, result of rank %d", (long long)axis, y->rank);
    i->out->dtype = operand(i, 1)->dtype;
    i->out->rank = 0;
    for (int d = 0; d < y->rank; d++)
        if (!append_dim(i, d == axis ? y->dims[d] : indices->dims[d - (d > axis)]))
            return false;
    return true;
}

static bool infer_update_slice(inference *i)
{
    const ir_type *x = operand(i, 0), *update = operand(i, 1), *begin = operand(i, 2);
    bool fits = update->rank == x->rank && ir_type_elements(begin) == x->rank;
    for (int d = 0; fits && d < x->rank; d++)
        fits = update->dims[d] <= x->dims[d];
    return fits ? same_as_first(i) : refuse(i, "dynamic_update_slice: the update does not fit");
}

/* ---- Blocks of pixels ---- */

static bool infer_depth_to_space(inference *i)
{
    int64_t by = ir_ints_at(i->op, IR_ATTR_BLOCK, 0), bx = ir_ints_at(i->op, IR_ATTR_BLOCK, 1);
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    if (x[3] % (by * bx) != 0)
        return refuse(i, "depth_to_space: %lld channels in blocks of %lld", (long long)x[3], (long long)(by * bx));
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0], x[1] * by, x[2] * bx, x[3] / (by * bx)});
    return true;
}

static bool infer_space_to_depth(inference *i)
{
    int64_t by = ir_ints_at(i->op, IR_ATTR_BLOCK, 0), bx = ir_ints_at(i->op, IR_ATTR_BLOCK, 1);
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    if (x[1] % by != 0 || x[2] % bx != 0)
        return refuse(i, "space_to_depth: %lld x %lld pixels in blocks of %lld x %lld", (long long)x[1],
                      (long long)x[2], (long long)by, (long long)bx);
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0], x[1] / by, x[2] / bx, x[3]});
    return multiply_dim(i, 3, by * bx);
}

static bool infer_space_to_batch(inference *i)
{
    int64_t by = ir_ints_at(i->op, IR_ATTR_BLOCK, 0), bx = ir_ints_at(i->op, IR_ATTR_BLOCK, 1);
    const int64_t *pad;
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    ir_ints(i->op, IR_ATTR_PAD, &pad);
    int64_t h = x[1] + pad[0] + pad[2], w = x[2] + pad[1] + pad[3];
    if (h % by != 0 || w % bx != 0)
        return refuse(i, "space_to_batch: %lld x %lld pixels in blocks of %lld x %lld", (long long)h, (long long)w,
                      (long long)by, (long long)bx);
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0], h / by, w / bx, x[3]});
    return multiply_dim(i, 0, by * bx);
}

static bool infer_batch_to_space(inference *i)
{
    int64_t by = ir_ints_at(i->op, IR_ATTR_BLOCK, 0), bx = ir_ints_at(i->op, IR_ATTR_BLOCK, 1);
    const int64_t *crops;
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    ir_ints(i->op, IR_ATTR_CROPS, &crops);
    int64_t h = x[1] * by - crops[0] - crops[2], w = x[2] * bx - crops[1] - crops[3];
    if (x[0] % (by * bx) != 0 || h < 0 || w < 0)
        return refuse(i, "batch_to_space: blocks of %lld x %lld do not fit", (long long)by, (long long)bx);
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0] / (by * bx), h, w, x[3]});
    return true;
}

static bool infer_resize(inference *i)
{
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    if (i->present->rank != 4)
        return refuse(i, "%s: result has rank %d, expected 4", text_of(i), i->present->rank);
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0], i->present->dims[1], i->present->dims[2], x[3]});
    return true;
}

/* ---- The table ---- */

enum { FREE_DTYPE = 1 };

/* Ops not listed keep operand 0's shape. */
static const struct {
    infer_fn *infer;
    int flags;
} rules[IR_OPCODE_COUNT] = {
    [IR_CONV2D] = {infer_conv2d, FREE_DTYPE},
    [IR_DEPTHWISE_CONV2D] = {infer_depthwise, FREE_DTYPE},
    [IR_TRANSPOSE_CONV2D] = {infer_transpose_conv2d, FREE_DTYPE},
    [IR_CONV2D_WEIGHTS_GRADIENT] = {infer_conv2d_weights_gradient, 0},
    [IR_FULLY_CONNECTED] = {infer_fully_connected, FREE_DTYPE},
    [IR_BATCH_MATMUL] = {infer_batch_matmul, FREE_DTYPE},
    [IR_DYNAMIC_QUANTIZE] = {infer_dynamic_quantize, 0},
    [IR_QUANTIZE] = {same_as_first, FREE_DTYPE},
    [IR_DEQUANTIZE] = {same_as_first, FREE_DTYPE},
    [IR_REQUANTIZE] = {same_as_first, FREE_DTYPE},
    [IR_CAST] = {same_as_first, FREE_DTYPE},
    [IR_ADD] = {all_broadcast, FREE_DTYPE},
    [IR_SUB] = {all_broadcast, FREE_DTYPE},
    [IR_MUL] = {all_broadcast, FREE_DTYPE},
    [IR_DIV] = {all_broadcast, FREE_DTYPE},
    [IR_MINIMUM] = {all_broadcast, FREE_DTYPE},
    [IR_MAXIMUM] = {all_broadcast, FREE_DTYPE},
    [IR_POW] = {all_broadcast, 0},
    [IR_SQUARED_DIFFERENCE] = {all_broadcast, FREE_DTYPE},
    [IR_FLOOR_DIV] = {all_broadcast, 0},
    [IR_FLOOR_MOD] = {all_broadcast, 0},
    [IR_BITWISE_AND] = {all_broadcast, 0},
    [IR_BITWISE_OR] = {all_broadcast, 0},
    [IR_BITWISE_XOR] = {all_broadcast, 0},
    [IR_SHIFT_LEFT] = {all_broadcast, 0},
    [IR_SHIFT_RIGHT] = {all_broadcast, 0},
    [IR_ATAN2] = {all_broadcast, 0},
    [IR_PRELU] = {all_broadcast, FREE_DTYPE},
    [IR_EQUAL] = {to_bool, 0},
    [IR_NOT_EQUAL] = {to_bool, 0},
    [IR_LESS] = {to_bool, 0},
    [IR_LESS_EQUAL] = {to_bool, 0},
    [IR_GREATER] = {to_bool, 0},
    [IR_GREATER_EQUAL] = {to_bool, 0},
    [IR_LOGICAL_AND] = {to_bool, 0},
    [IR_LOGICAL_OR] = {to_bool, 0},
    [IR_SELECT] = {infer_select, 0},
    [IR_MAX_POOL2D] = {infer_pool, 0},
    [IR_MAX_POOL2D_GRADIENT] = {infer_pool_gradient, 0},
    [IR_AVG_POOL2D] = {infer_pool, 0},
    [IR_SUM] = {infer_reduce, FREE_DTYPE},
    [IR_MEAN] = {infer_reduce, FREE_DTYPE},
    [IR_REDUCE_MAX] = {infer_reduce, 0},
    [IR_REDUCE_MIN] = {infer_reduce, 0},
    [IR_REDUCE_PROD] = {infer_reduce, FREE_DTYPE},
    [IR_REDUCE_ANY] = {infer_reduce, 0},
    [IR_REDUCE_ALL] = {infer_reduce, 0},
    [IR_ARG_MAX] = {infer_arg, 0},
    [IR_ARG_MIN] = {infer_arg, 0},
    [IR_TOP_K] = {infer_top_k, 0},
    [IR_CUMSUM] = {infer_cumsum, 0},
    [IR_SOFTMAX] = {infer_normalize, FREE_DTYPE},
    [IR_LOG_SOFTMAX] = {infer_normalize, FREE_DTYPE},
    [IR_LAYER_NORM] = {infer_normalize, FREE_DTYPE},
    [IR_L2_NORMALIZE] = {infer_normalize, FREE_DTYPE},
    [IR_RESHAPE] = {infer_reshape, 0},
    [IR_TRANSPOSE] = {infer_transpose, 0},
    [IR_CONCAT] = {infer_concat, 0},
    [IR_SLICE] = {infer_slice, 0},
    [IR_PAD] = {infer_pad, 0},
    [IR_MIRROR_PAD] = {infer_pad, 0},
    [IR_BROADCAST] = {infer_broadcast, 0},
    [IR_TILE] = {infer_tile, 0},
    [IR_REVERSE] = {infer_reverse, 0},
    [IR_GATHER] = {infer_gather, 0},
    [IR_GATHER_ND] = {infer_gather_nd, 0},
    [IR_SCATTER_ND] = {infer_scatter_nd, 0},
    [IR_ONE_HOT] = {infer_one_hot, 0},
    [IR_DYNAMIC_UPDATE_SLICE] = {infer_update_slice, 0},
    [IR_DEPTH_TO_SPACE] = {infer_depth_to_space, 0},
    [IR_SPACE_TO_DEPTH] = {infer_space_to_depth, 0},
    [IR_SPACE_TO_BATCH] = {infer_space_to_batch, 0},
    [IR_BATCH_TO_SPACE] = {infer_batch_to_space, 0},
    [IR_RESIZE_NEAREST] = {infer_resize, 0},
    [IR_RESIZE_BILINEAR] = {infer_resize, 0},
    [IR_LSTM] = {infer_lstm, 0},
    [IR_GRU] = {infer_recurrent, 0},
    [IR_RNN] = {infer_recurrent, 0},
    [IR_LSTM_QUANT] = {infer_lstm_quant, 0},
    [IR_CLASS_NMS] = {as_stated, FREE_DTYPE},
    [IR_MATRIX_NMS] = {as_stated, FREE_DTYPE},
    [IR_DETECTION_POSTPROCESS] = {as_stated, FREE_DTYPE},
    [IR_READ_VARIABLE] = {as_stated, FREE_DTYPE},
};

/* Functions of one operand may have 8-bit results of the other signedness, or real ones, until passes settle that. */
static bool dtype_is_free(const ir_op *op)
{
    return (rules[op->code].flags & FREE_DTYPE) || (ir_op_info_of(op->code)->flags & IR_LOOKUP);
}

bool ir_infer_shape(const ir_op *op, int result, ir_type *out, diag *d)
{
    const ir_type *present = &op->results[result]->type;
    const ir_value *first = ir_operand_value(op, 0);
    *out = (ir_type){.dtype = first ? first->type.dtype : present->dtype};
    if (dtype_is_free(op) && present->dtype != IR_DTYPE_NONE)
        out->dtype = present->dtype;
    inference i = {.op = op, .result = result, .present = present, .out = out, .d = d};
    infer_fn *infer = rules[op->code].infer ? rules[op->code].infer : same_as_first;
    if (!infer(&i))
        return false;
    return ir_type_valid(out) || refuse(&i, "%s: the result would be too large", text_of(&i));
}
