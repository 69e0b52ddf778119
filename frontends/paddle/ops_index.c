/* ops_index.c: repeating, stacking, padding, picking by index. */
#include <string.h>

#include "frontends/node/node_index.h"
#include "frontends/paddle/import.h"

/* ---- Repeating ---- */

bool paddle_numbers(paddle_node *n, const char *parameter, const char *attribute, int64_t out[IR_MAX_RANK],
                    int *out_count)
{
    if (!paddle_count(n, parameter))
        return paddle_ints(n, attribute, IR_MAX_RANK, out, out_count);
    ir_value *v = paddle_param(n, parameter);
    if (!v)
        return false;
    int64_t count = ir_type_elements(&v->type);
    if ((v->type.dtype != IR_I32 && v->type.dtype != IR_I64) || count > IR_MAX_RANK)
        return node_error(n, "operand %s must be at most %d integers", parameter, IR_MAX_RANK);
    for (int64_t i = 0; i < count; i++)
        out[i] = ir_const_int(v, i);
    *out_count = (int)count;
    return true;
}

/* x with dimensions of 1 in front, so that it has `rank` of them. */
static ir_value *lifted(paddle_node *n, ir_value *x, int rank)
{
    int64_t dims[IR_MAX_RANK];
    for (int i = 0; i < rank; i++)
        dims[i] = i < rank - x->type.rank ? 1 : x->type.dims[i - (rank - x->type.rank)];
    return node_reshaped(n, x, rank, dims);
}

static ir_value *repeated(paddle_node *n, ir_opcode code, ir_value *x, const int64_t dims[])
{
    ir_type type = ir_type_make(x->type.dtype, x->type.rank, dims);
    if (ir_type_equal(&type, &x->type))
        return x;
    if (!ir_type_valid(&type)) {
        node_error(n, "the result's shape is impossible");
        return NULL;
    }
    return node_typed(n, node_emit1(n, code, x), type, x->quant);
}

/* expand: times; expand_v2: the new extents, -1 keeps one. */
bool paddle_op_expand(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    bool times = strcmp(n->entry->name, "expand") == 0 || strcmp(n->entry->name, "tile") == 0;
    const char *attribute = strcmp(n->entry->name, "expand") == 0 ? "expand_times" : times ? "repeat_times" : "shape";
    const char *parameter = strcmp(n->entry->name, "expand") == 0 ? "ExpandTimes" : times ? "RepeatTimes" : "Shape";
    int64_t by[IR_MAX_RANK], dims[IR_MAX_RANK];
    int count;
    if (!x || !paddle_absent(n, "expand_times_tensor") || !paddle_absent(n, "repeat_times_tensor") ||
        !paddle_absent(n, "expand_shapes_tensor") || !paddle_numbers(n, parameter, attribute, by, &count))
        return false;
    int rank = count > x->type.rank ? count : x->type.rank;
    if ((!times && count < x->type.rank) || (count && !(x = lifted(n, x, rank))))
        return x && node_error(n, "%d extents for %d dimensions", count, x->type.rank);
    for (int i = 0; i < rank; i++) {
        int64_t have = x->type.dims[i], want = i < rank - count ? (times ? 1 : -1) : by[i - (rank - count)];
        dims[i] = !times                                                    ? (want == -1 ? have : want)
                  : want >= 0 && want < IR_MAX_BYTES && have < IR_MAX_BYTES ? have * want
                                                                            : -1;
        if (dims[i] < 0 || (!times && have != 1 && have != dims[i]))
            return node_error(n, "an extent of %lld can't become %lld", (long long)have, (long long)want);
    }
    return paddle_put(n, "Out", repeated(n, times ? IR_TILE : IR_BROADCAST, x, dims), LAYOUT_PLAIN);
}

bool paddle_op_expand_as(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int64_t dims[IR_MAX_RANK];
    int count;
    if (x && paddle_count(n, "Y")) {
        ir_value *y = paddle_plain(n, "Y");
        if (!y)
            return false;
        memcpy(dims, y->type.dims, sizeof dims);
        count = y->type.rank;
    } else if (!x || !paddle_ints(n, "target_shape", IR_MAX_RANK, dims, &count)) {
        return false;
    }
    if (count < x->type.rank)
        return node_error(n, "%d extents for %d dimensions", count, x->type.rank);
    x = lifted(n, x, count);
    return paddle_put(n, "Out", x ? repeated(n, IR_BROADCAST, x, dims) : NULL, LAYOUT_PLAIN);
}

/* ---- Stacking ---- */

/* Number `index` of what is stacked.  A single number has no dimensions in PaddlePaddle 3 and one in front of it: where
 * both kinds meet, `scalar`, they have none. */
static ir_value *stacked(paddle_node *n, int index, bool scalar)
{
    ir_value *x = paddle_in(n, "X", index, LAYOUT_PLAIN);
    const bool one = x && x->type.rank == 1 && x->type.dims[0] == 1;
    return one && scalar ? node_reshaped(n, x, 0, NULL) : x;
}

bool paddle_op_stack(paddle_node *n)
{
    int count = paddle_count(n, "X"), axis;
    ir_value **parts = ARENA_ARRAY(n->model->graph->arena, ir_value *, count + 1);
    int64_t dims[IR_MAX_RANK];
    bool scalar = false;
    for (int i = 0; i < count; i++) {
        const ir_value *x = paddle_in(n, "X", i, LAYOUT_PLAIN);
        scalar |= x && x->type.rank == 0;
    }
    for (int i = 0; i < count; i++) {
        ir_value *x = stacked(n, i, scalar);
        if (!x)
            return false;
        if (x->type.rank == IR_MAX_RANK)
            return node_error(n, "more than %d dimensions", IR_MAX_RANK);
        if (!node_axis(n, paddle_int(n, "axis", 0), x->type.rank + 1, &axis))
            return false;
        for (int d = 0; d <= x->type.rank; d++)
            dims[d] = d < axis ? x->type.dims[d] : d == axis ? 1 : x->type.dims[d - 1];
        if (!(parts[i] = node_reshaped(n, x, x->type.rank + 1, dims)))
            return false;
    }
    if (!count)
        return node_error(n, "operand X is missing");
    ir_op *op = node_emit(n, IR_CONCAT, count, parts);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return paddle_put(n, "Y", node_done(n, op), LAYOUT_PLAIN);
}

bool paddle_op_unstack(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int axis, count = paddle_result_count(n, "Y");
    int64_t begin[IR_MAX_RANK] = {0}, dims[IR_MAX_RANK], kept[IR_MAX_RANK];
    if (!x || !node_axis(n, paddle_int(n, "axis", 0), x->type.rank, &axis))
        return false;
    if (x->type.dims[axis] != count)
        return node_error(n, "an extent of %lld can't be split into %d", (long long)x->type.dims[axis], count);
    memcpy(dims, x->type.dims, sizeof dims);
    dims[axis] = 1;
    for (int d = 0; d < x->type.rank - 1; d++)
        kept[d] = x->type.dims[d + (d >= axis)];
    for (int i = 0; i < count; i++) {
        begin[axis] = i;
        ir_value *part = paddle_sliced(n, x, begin, dims);
        if (!part || !paddle_put_at(n, "Y", i, node_reshaped(n, part, x->type.rank - 1, kept), LAYOUT_PLAIN))
            return false;
    }
    return true;
}

/* ---- Padding ---- */

static bool pad_mode(paddle_node *n, const char *mode, ir_opcode *out, ir_enum_MIRROR *out_mirror)
{
    *out = strcmp(mode, "constant") == 0 ? IR_PAD : IR_MIRROR_PAD;
    *out_mirror = IR_MIRROR_REFLECT;
    return *out == IR_PAD || strcmp(mode, "reflect") == 0 ||
           node_error(n, "padding of mode '%s' is not supported", mode);
}

/* pad2d: top, bottom, left, right; pad3d: left, right, top, bottom, front, back. */
bool paddle_op_pad(paddle_node *n)
{
    ir_value *x = paddle_in(n, "X", 0, LAYOUT_LAST);
    bool deep = strcmp(n->entry->name, "pad3d") == 0;
    int spatial = deep ? 3 : 2, count;
    int64_t pads[6], before[IR_MAX_RANK] = {0}, after[IR_MAX_RANK] = {0};
    ir_opcode code;
    ir_enum_MIRROR mirror;
    if (!x || !paddle_absent(n, "Paddings") || !paddle_ints(n, "paddings", 6, pads, &count) ||
        !pad_mode(n, paddle_text(n, "mode", "constant"), &code, &mirror))
        return false;
    if (x->type.rank != spatial + 2 || count != 2 * spatial ||
        strcmp(paddle_text(n, "data_format", deep ? "NCDHW" : "NCHW"), deep ? "NCDHW" : "NCHW") != 0)
        return node_error(n, "%d paddings of an operand of %d dimensions, or channels that are not in dimension 1",
                          count, x->type.rank);
    for (int i = 0; i < spatial; i++) {
        int at = deep ? spatial - i : 1 + i; /* the dimension, channels last, of pair i */
        if (pads[2 * i] < 0 || pads[2 * i + 1] < 0 || pads[2 * i] > 1 << 20 || pads[2 * i + 1] > 1 << 20)
            return node_error(n, "attribute paddings is out of range");
        before[at] = pads[2 * i];
        after[at] = pads[2 * i + 1];
    }
    ir_op *op = node_emit1(n, code, x);
    ir_set_ints(op, IR_ATTR_BEFORE, x->type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, x->type.rank, after);
    if (code == IR_PAD)
        ir_set_float(op, IR_ATTR_VALUE, paddle_float(n, deep ? "value" : "pad_value", 0));
    else
        ir_set_int(op, IR_ATTR_MIRROR, mirror);
    return paddle_put(n, "Out", node_done(n, op), LAYOUT_LAST);
}

/* ---- Channels and pixels ---- */

/* [N, C r r, H, W] -> [N, C, H r, W r]; channels of a pixel are c, then row, then column. */
bool paddle_op_pixel_shuffle(paddle_node *n)
{
    static const int64_t perm[] = {0, 1, 4, 2, 5, 3};
    ir_value *x = paddle_plain(n, "X");
    int64_t r = paddle_int(n, "upscale_factor", 1);
    if (!x)
        return false;
    const int64_t *d = x->type.dims;
    if (x->type.rank != 4 || r < 1 || r > 1 << 10 || d[1] % (r * r))
        return node_error(n, "%lld channels can't become %lld x %lld pixels", (long long)d[1], (long long)r,
                          (long long)r);
    const int64_t parts[] = {d[0], d[1] / (r * r), r, r, d[2], d[3]},
                  out[] = {d[0], d[1] / (r * r), d[2] * r, d[3] * r};
    x = node_reshaped(n, x, 6, parts);
    x = x ? node_transposed(n, x, perm) : NULL;
    return paddle_put(n, "Out", x ? node_reshaped(n, x, 4, out) : NULL, LAYOUT_PLAIN);
}

bool paddle_op_shuffle_channel(paddle_node *n)
{
    static const int64_t perm[] = {0, 2, 1, 3, 4};
    ir_value *x = paddle_plain(n, "X");
    int64_t groups = paddle_int(n, "group", 1);
    if (!x)
        return false;
    ir_type type = x->type;
    if (type.rank != 4 || groups < 1 || type.dims[1] % groups)
        return node_error(n, "%lld channels in %lld groups", (long long)type.dims[1], (long long)groups);
    const int64_t parts[] = {type.dims[0], groups, type.dims[1] / groups, type.dims[2], type.dims[3]};
    x = node_reshaped(n, x, 5, parts);
    x = x ? node_transposed(n, x, perm) : NULL;
    return paddle_put(n, "Out", x ? node_reshaped(n, x, 4, type.dims) : NULL, LAYOUT_PLAIN);
}

bool paddle_op_flip(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int64_t axes[IR_MAX_RANK];
    int count, at;
    if (!x || !paddle_ints(n, "axis", IR_MAX_RANK, axes, &count))
        return false;
    for (int i = 0; i < count; i++) {
        if (!node_axis(n, axes[i], x->type.rank, &at))
            return false;
        axes[i] = at;
    }
    ir_op *op = node_emit1(n, IR_REVERSE, x);
    ir_set_ints(op, IR_ATTR_AXES, count, axes);
    return paddle_put(n, "Out", node_done(n, op), LAYOUT_PLAIN);
}

/* ---- Picking by index ---- To Paddle negative indices of gathers count from the end (Paddle Lite reads outside),
 * and those of tables are an error. */

static ir_value *gathered(paddle_node *n, ir_value *x, ir_value *indices, int axis, node_negative negative)
{
    ir_op *op = indices ? node_gather(n, x, indices, axis, negative) : NULL;
    return op ? node_done(n, op) : NULL;
}

bool paddle_op_gather(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X"), *indices = x ? paddle_plain(n, "Index") : NULL;
    int64_t at = paddle_int(n, "axis", paddle_int(n, "dim", 0));
    int axis;
    if (indices && paddle_count(n, "Axis") && !paddle_param_int(n, "Axis", 0, &at))
        return false;
    if (!indices || !node_axis(n, at, x->type.rank, &axis))
        return false;
    if (indices->type.rank == 2 && indices->type.dims[1] == 1) /* a column is a list, too */
        indices = node_reshaped(n, indices, 1, indices->type.dims);
    return paddle_put(n, "Out", gathered(n, x, indices, axis, NEGATIVE_FROM_END), LAYOUT_PLAIN);
}

bool paddle_op_gather_nd(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X"), *indices = x ? paddle_plain(n, "Index") : NULL;
    ir_op *op = indices ? node_gather_nd(n, x, indices, NEGATIVE_FROM_END) : NULL;
    return op && paddle_put(n, "Out", node_done(n, op), LAYOUT_PLAIN);
}

/* Rows of W; the older operator's indices have a last dimension of 1.  The row of padding_idx is zeros. */
bool paddle_op_lookup(paddle_node *n)
{
    ir_value *w = paddle_plain(n, "W"), *ids = w ? paddle_plain(n, "Ids") : NULL;
    int64_t padding = paddle_int(n, "padding_idx", -1);
    if (!ids)
        return false;
    if (w->type.rank != 2 || padding != -1)
        return node_error(n, "a table of %d dimensions, or with padding_idx, is not supported", w->type.rank);
    if (strcmp(n->entry->name, "lookup_table") == 0) {
        if (ids->type.rank < 1 || ids->type.dims[ids->type.rank - 1] != 1)
            return node_error(n, "the indices' last extent is not 1");
        ids = node_reshaped(n, ids, ids->type.rank - 1, ids->type.dims);
    }
    return paddle_put(n, "Out", gathered(n, w, ids, 0, NEGATIVE_OUTSIDE), LAYOUT_PLAIN);
}

bool paddle_op_one_hot(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int64_t depth = paddle_int(n, "depth", 0), dims[IR_MAX_RANK];
    if (!x || !paddle_absent(n, "depth_tensor"))
        return false;
    int rank = x->type.rank;
    if (depth < 1 || rank == IR_MAX_RANK)
        return node_error(n, "a depth of %lld for %d dimensions", (long long)depth, rank);
    memcpy(dims, x->type.dims, sizeof dims);
    dims[rank] = depth;
    ir_op *op = node_emit(n, IR_ONE_HOT, 3, (ir_value *[]){x, node_real(n, 1), node_real(n, 0)});
    ir_set_int(op, IR_ATTR_AXIS, rank);
    return paddle_put(n, "Out", node_typed(n, op, ir_type_make(IR_F32, rank + 1, dims), NULL), LAYOUT_PLAIN);
}

bool paddle_op_strided_slice(paddle_node *n)
{
    static const char *const tensors[] = {"StartsTensor",     "EndsTensor",     "StridesTensor",
                                          "StartsTensorList", "EndsTensorList", "StridesTensorList"};
    ir_value *x = paddle_plain(n, "Input");
    int64_t list[4][IR_MAX_RANK], begin[IR_MAX_RANK] = {0}, step[IR_MAX_RANK];
    int count[4], at;
    static const char *const names[] = {"axes", "starts", "ends", "strides"};
    if (!x)
        return false;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (!paddle_absent(n, tensors[i]))
            return false;
    for (int i = 0; i < 4; i++)
        if (!paddle_ints(n, names[i], IR_MAX_RANK, list[i], &count[i]))
            return false;
    if (count[1] != count[0] || count[2] != count[0] || count[3] != count[0])
        return node_error(n, "%d axes, %d starts, %d ends and %d strides", count[0], count[1], count[2], count[3]);
    ir_type type = x->type;
    for (int i = 0; i < type.rank; i++)
        step[i] = 1;
    for (int i = 0; i < count[0]; i++) {
        if (!node_axis(n, list[0][i], type.rank, &at))
            return false;
        int64_t extent = x->type.dims[at], s = list[3][i], from = list[1][i], to = list[2][i];
        if (s < 1 || s > 1 << 20)
            return node_error(n, "a stride of %lld is not supported", (long long)s);
        from = from < 0 ? from + extent : from;
        to = to < 0 ? to + extent : to;
        from = from < 0 ? 0 : from;
        to = to > extent ? extent : to;
        if (from >= to)
            return node_error(n, "the slice is empty");
        begin[at] = from;
        step[at] = s;
        type.dims[at] = (to - from + s - 1) / s;
    }
    ir_op *op = node_emit1(n, IR_SLICE, x);
    ir_set_ints(op, IR_ATTR_BEGIN, type.rank, begin);
    ir_set_ints(op, IR_ATTR_STEP, type.rank, step);
    return paddle_put(n, "Out", node_typed(n, op, type, x->quant), LAYOUT_PLAIN);
}
