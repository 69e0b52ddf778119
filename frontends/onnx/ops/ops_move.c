/* ops_move.c: operators that move elements: concat, split, slice, pad, gather, depth to space. */
#include <string.h>

#include "frontends/node/node_index.h"
#include "frontends/onnx/import.h"

bool ort_op_concat(ort_node *n)
{
    ir_type shape, other;
    int axis;
    node_layout layout = LAYOUT_PLAIN;
    if (!ort_shape(n, 0, &shape) || !node_axis(n, ort_int(n, "axis", 0), shape.rank, &axis))
        return false;
    for (int i = 0; i < n->input_count; i++) {
        if (!ort_shape(n, i, &other))
            return false;
        if (ort_layout_of(n, i) == LAYOUT_LAST)
            layout = LAYOUT_LAST;
    }
    ir_value **parts = ARENA_ARRAY(n->model->graph->arena, ir_value *, n->input_count);
    for (int i = 0; i < n->input_count; i++)
        if (!(parts[i] = ort_in(n, i, layout)))
            return false;
    if (n->input_count == 1)
        return ort_put(n, 0, parts[0], layout);
    ir_op *op = node_emit(n, IR_CONCAT, n->input_count, parts);
    ir_set_int(op, IR_ATTR_AXIS, node_dim(layout, shape.rank, axis));
    return ort_put(n, 0, node_done(n, op), layout);
}

ir_value *ort_cut(ort_node *n, ir_value *x, const int64_t begin[], const int64_t step[], const ir_type *type)
{
    ir_op *op = node_emit1(n, IR_SLICE, x);
    ir_set_ints(op, IR_ATTR_BEGIN, x->type.rank, begin);
    ir_set_ints(op, IR_ATTR_STEP, x->type.rank, step);
    return node_typed(n, op, *type, x->quant);
}

bool ort_op_split(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    int axis, count = 0;
    int64_t sizes[ORT_MAX_OPERANDS];
    if (!x || !node_axis(n, ort_int(n, "axis", 0), x->type.rank, &axis))
        return false;
    if (ort_has(n, 1) ? !ort_param_ints(n, 1, "sizes", ORT_MAX_OPERANDS, sizes, &count)
                      : !ort_ints(n, "split", ORT_MAX_OPERANDS, sizes, &count))
        return false;
    int at = node_dim(layout, x->type.rank, axis);
    int64_t extent = x->type.dims[at], begin[IR_MAX_RANK] = {0}, step[IR_MAX_RANK];
    if (count && count != n->output_count)
        return node_error(n, "%d sizes for %d results", count, n->output_count);
    if (ort_int(n, "num_outputs", n->output_count) != n->output_count)
        return node_error(n, "num_outputs is not the %d of its results", n->output_count);
    for (int i = 0; i < IR_MAX_RANK; i++)
        step[i] = 1;
    for (int i = 0; i < n->output_count; i++) {
        int64_t share = (extent + n->output_count - 1) / n->output_count, rest = extent - begin[at];
        int64_t size = count ? sizes[i] : share < rest ? share : rest;
        if (size < 0 || size > rest)
            return node_misfit(n, "the sizes don't fit the extent %lld", (long long)extent);
        ir_type type = x->type;
        type.dims[at] = size;
        if (ort_wanted(n, i) && !ort_put(n, i, ort_cut(n, x, begin, step, &type), layout))
            return false;
        begin[at] += size;
    }
    return true;
}

static int64_t clamped(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

bool ort_op_slice(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    int64_t starts[IR_MAX_RANK], ends[IR_MAX_RANK], axes[IR_MAX_RANK], steps[IR_MAX_RANK];
    int count = 0, end_count = 0, axis_count = 0, step_count = 0;
    if (!x)
        return false;
    if (n->input_count > 1) {
        if (!ort_param_ints(n, 1, "starts", IR_MAX_RANK, starts, &count) ||
            !ort_param_ints(n, 2, "ends", IR_MAX_RANK, ends, &end_count) ||
            (ort_has(n, 3) && !ort_param_ints(n, 3, "axes", IR_MAX_RANK, axes, &axis_count)) ||
            (ort_has(n, 4) && !ort_param_ints(n, 4, "steps", IR_MAX_RANK, steps, &step_count)))
            return false;
    } else if (!ort_ints(n, "starts", IR_MAX_RANK, starts, &count) ||
               !ort_ints(n, "ends", IR_MAX_RANK, ends, &end_count) ||
               !ort_ints(n, "axes", IR_MAX_RANK, axes, &axis_count)) {
        return false;
    }
    if (count != end_count || (axis_count && axis_count != count) || (step_count && step_count != count))
        return node_error(n, "starts, ends, axes and steps differ in length");
    int64_t begin[IR_MAX_RANK] = {0}, step[IR_MAX_RANK];
    ir_type type = x->type;
    for (int i = 0; i < IR_MAX_RANK; i++)
        step[i] = 1;
    for (int i = 0; i < count; i++) {
        int axis;
        if (!node_axis(n, axis_count ? axes[i] : i, x->type.rank, &axis))
            return false;
        int at = node_dim(layout, x->type.rank, axis);
        int64_t extent = x->type.dims[at], by = step_count ? steps[i] : 1;
        if (by == 0 || by < -(1 << 30) || by > 1 << 30)
            return node_error(n, "step %lld is not supported", (long long)by);
        int64_t from = clamped(starts[i], -IR_MAX_BYTES, IR_MAX_BYTES),
                to = clamped(ends[i], -IR_MAX_BYTES, IR_MAX_BYTES);
        from += from < 0 ? extent : 0;
        to += to < 0 ? extent : 0;
        from = by > 0 ? clamped(from, 0, extent) : clamped(from, 0, extent - 1);
        to = by > 0 ? clamped(to, 0, extent) : clamped(to, -1, extent - 1);
        int64_t taken = by > 0 ? (to - from + by - 1) / by : (from - to - by - 1) / -by;
        type.dims[at] = taken < 0 || extent == 0 ? 0 : taken;
        begin[at] = from;
        step[at] = by;
    }
    return ort_put(n, 0, ir_type_equal(&type, &x->type) && !step_count ? x : ort_cut(n, x, begin, step, &type), layout);
}

/* ---- Pad ---- */

enum { MOST_PAD = 1 << 24 };

/* Of each dimension as x is held; negative ones take elements away. */
static bool read_pads(ort_node *n, const ir_type *x, node_layout layout, int64_t before[], int64_t after[])
{
    int64_t pads[2 * IR_MAX_RANK], axes[IR_MAX_RANK];
    int count = 0, axis_count = 0;
    if (ort_has(n, 1) ? !ort_param_ints(n, 1, "pads", 2 * IR_MAX_RANK, pads, &count)
                      : !ort_ints(n, "pads", 2 * IR_MAX_RANK, pads, &count))
        return false;
    if (ort_has(n, 3) && !ort_param_ints(n, 3, "dimensions", IR_MAX_RANK, axes, &axis_count))
        return false;
    const int pairs = ort_has(n, 3) ? axis_count : x->rank;
    if (count != 2 * pairs)
        return node_error(n, "%d pads for %d dimensions", count, pairs);
    for (int i = 0; i < pairs; i++) {
        int axis;
        if (!node_axis(n, ort_has(n, 3) ? axes[i] : i, x->rank, &axis))
            return false;
        const int at = node_dim(layout, x->rank, axis);
        before[at] = pads[i];
        after[at] = pads[pairs + i];
        if (before[at] < -MOST_PAD || before[at] > MOST_PAD || after[at] < -MOST_PAD || after[at] > MOST_PAD ||
            x->dims[at] + before[at] + after[at] < 1 || x->dims[at] < 1 - before[at] || x->dims[at] < 1 - after[at])
            return node_error(n, "pads of %lld and %lld for an extent of %lld are not supported", (long long)before[at],
                              (long long)after[at], (long long)x->dims[at]);
    }
    return true;
}

/* x without what negative pads take away; they are 0 then. */
static ir_value *cropped(ort_node *n, ir_value *x, int64_t before[], int64_t after[])
{
    int64_t begin[IR_MAX_RANK], step[IR_MAX_RANK];
    ir_type type = x->type;
    for (int i = 0; i < type.rank; i++) {
        begin[i] = before[i] < 0 ? -before[i] : 0;
        step[i] = 1;
        type.dims[i] += (before[i] < 0 ? before[i] : 0) + (after[i] < 0 ? after[i] : 0);
        before[i] = before[i] < 0 ? 0 : before[i];
        after[i] = after[i] < 0 ? 0 : after[i];
    }
    return ir_type_equal(&type, &x->type) ? x : ort_cut(n, x, begin, step, &type);
}

/* The element of a dimension that place i, which may be outside, has a copy of. */
static int64_t copied_from(const char *mode, int64_t i, int64_t extent)
{
    if (strcmp(mode, "edge") == 0)
        return i < 0 ? 0 : i < extent ? i : extent - 1;
    if (strcmp(mode, "wrap") == 0)
        return (i % extent + extent) % extent;
    const int64_t period = extent > 1 ? 2 * (extent - 1) : 1, place = (i % period + period) % period;
    return place < extent ? place : period - place;
}

/* A dimension after the other. */
static ir_value *padded_with_copies(ort_node *n, ir_value *x, const char *mode, const int64_t before[],
                                    const int64_t after[])
{
    for (int axis = 0; x && axis < x->type.rank; axis++) {
        const int64_t extent = x->type.dims[axis], count = before[axis] + extent + after[axis];
        if (!before[axis] && !after[axis])
            continue;
        if (!model_charge(n->model, &n->loc, 16 * count))
            return NULL;
        int64_t *from = ARENA_ARRAY(n->model->graph->arena, int64_t, count);
        for (int64_t i = 0; i < count; i++)
            from[i] = copied_from(mode, i - before[axis], extent);
        ir_op *op = node_gather(n, x, node_ints(n, IR_I64, 1, count, from), axis, NEGATIVE_OUTSIDE);
        x = op ? node_done(n, op) : NULL;
    }
    return x;
}

static ir_value *padded(ort_node *n, ir_value *x, const int64_t before[], const int64_t after[], float value)
{
    ir_op *op = node_emit1(n, IR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, x->type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, x->type.rank, after);
    ir_set_float(op, IR_ATTR_VALUE, x->quant ? (value - (float)x->quant->zero[0]) * x->quant->scale[0] : value);
    return node_done(n, op);
}

static bool mirrors_once(const ir_type *x, const int64_t before[], const int64_t after[])
{
    for (int i = 0; i < x->rank; i++)
        if (before[i] >= x->dims[i] || after[i] >= x->dims[i])
            return false;
    return true;
}

static ir_value *mirrored(ort_node *n, ir_value *x, const int64_t before[], const int64_t after[])
{
    ir_op *op = node_emit1(n, IR_MIRROR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, x->type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, x->type.rank, after);
    ir_set_int(op, IR_ATTR_MIRROR, IR_MIRROR_REFLECT);
    return node_done(n, op);
}

bool ort_op_pad(ort_node *n)
{
    const node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    int64_t before[IR_MAX_RANK] = {0}, after[IR_MAX_RANK] = {0};
    const char *mode = ort_text(n, "mode", "constant");
    float value = ort_float(n, "value", 0);
    if (!x || (ort_has(n, 2) && !ort_param_real(n, 2, "value", &value)) ||
        !read_pads(n, &x->type, layout, before, after) || !(x = cropped(n, x, before, after)))
        return false;
    if (strcmp(mode, "constant") == 0)
        x = padded(n, x, before, after, value);
    else if (strcmp(mode, "reflect") == 0 && mirrors_once(&x->type, before, after))
        x = mirrored(n, x, before, after);
    else
        x = padded_with_copies(n, x, mode, before, after);
    return ort_put(n, 0, x, layout);
}

bool ort_op_gather(ort_node *n)
{
    ir_value *x = ort_plain(n, 0), *indices = x ? ort_plain(n, 1) : NULL;
    int axis;
    if (!indices || !node_axis(n, ort_int(n, "axis", 0), x->type.rank, &axis))
        return false;
    ir_op *op = node_gather(n, x, indices, axis, NEGATIVE_FROM_END);
    return op && ort_put(n, 0, node_done(n, op), LAYOUT_PLAIN);
}

/* The block's pixels are the fastest in the channels, not the slowest. */
static bool is_crd(ort_node *n) { return strcmp(ort_text(n, "mode", "DCR"), "CRD") == 0; }

bool ort_op_depth_to_space(ort_node *n)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST);
    int64_t block = ort_int(n, "blocksize", 0);
    if (!x)
        return false;
    if (x->type.rank != 4 || block < 1 || block > 1 << 15)
        return node_error(n, "a block of %lld for %d dimensions", (long long)block, x->type.rank);
    if (is_crd(n)) {
        const int64_t *d = x->type.dims, inner = d[3] / (block * block);
        int64_t pixels[] = {d[0], d[1], d[2], inner, block, block}, perm[] = {0, 1, 4, 2, 5, 3};
        int64_t dims[] = {d[0], d[1] * block, d[2] * block, inner};
        return ort_put(n, 0, node_reshaped(n, node_transposed(n, node_reshaped(n, x, 6, pixels), perm), 4, dims),
                       LAYOUT_LAST);
    }
    ir_op *op = node_emit1(n, IR_DEPTH_TO_SPACE, x);
    ir_set_ints(op, IR_ATTR_BLOCK, 2, (int64_t[]){block, block});
    return ort_put(n, 0, node_done(n, op), LAYOUT_LAST);
}

bool ort_op_space_to_depth(ort_node *n)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST);
    const int64_t block = ort_int(n, "blocksize", 0);
    if (!x)
        return false;
    if (x->type.rank != 4 || block < 1 || block > 1 << 15)
        return node_error(n, "a block of %lld for %d dimensions", (long long)block, x->type.rank);
    const int64_t *d = x->type.dims;
    if (is_crd(n)) {
        if (d[1] % block || d[2] % block)
            return node_error(n, "%lld x %lld pixels are no blocks of %lld", (long long)d[1], (long long)d[2],
                              (long long)block);
        int64_t pixels[] = {d[0], d[1] / block, block, d[2] / block, block, d[3]}, perm[] = {0, 1, 3, 5, 2, 4};
        int64_t dims[] = {d[0], d[1] / block, d[2] / block, d[3] * block * block};
        return ort_put(n, 0, node_reshaped(n, node_transposed(n, node_reshaped(n, x, 6, pixels), perm), 4, dims),
                       LAYOUT_LAST);
    }
    ir_op *op = node_emit1(n, IR_SPACE_TO_DEPTH, x);
    ir_set_ints(op, IR_ATTR_BLOCK, 2, (int64_t[]){block, block});
    return ort_put(n, 0, node_done(n, op), LAYOUT_LAST);
}

bool ort_op_tile(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    int64_t repeats[IR_MAX_RANK];
    int count;
    if (!x || !ort_param_ints(n, 1, "repeats", IR_MAX_RANK, repeats, &count))
        return false;
    if (count != x->type.rank)
        return node_error(n, "%d repeats for %d dimensions", count, x->type.rank);
    ir_type type = x->type;
    for (int i = 0; i < count; i++) {
        int at = node_dim(layout, count, i);
        if (repeats[i] < 0 || repeats[i] > IR_MAX_BYTES)
            return node_error(n, "%lld repeats", (long long)repeats[i]);
        type.dims[at] *= repeats[i]; /* both below 2^32 */
    }
    return ort_put(n, 0, node_typed(n, node_emit1(n, IR_TILE, x), type, x->quant), layout);
}

bool ort_op_gather_nd(ort_node *n)
{
    ir_value *x = ort_plain(n, 0), *indices = x ? ort_plain(n, 1) : NULL;
    if (!indices || !node_tuples_computed(n, indices, 1))
        return false;
    ir_op *op = node_gather_nd(n, x, indices, NEGATIVE_FROM_END);
    return op && ort_put(n, 0, node_done(n, op), LAYOUT_PLAIN);
}

/* The IR takes the largest of the last dimension; the smallest are the largest of the negative. */
bool ort_op_top_k(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    int64_t k, perm[IR_MAX_RANK];
    int count, axis;
    if (!x || !ort_param_ints(n, 1, "count", 1, &k, &count) ||
        !node_axis(n, ort_int(n, "axis", -1), x->type.rank, &axis))
        return false;
    if (count != 1 || k < 1 || k > x->type.dims[axis] || x->quant || x->type.dtype != IR_F32)
        return node_error(n, "the %lld largest of %lld numbers of type %s are not supported",
                          (long long)(count ? k : 0), (long long)x->type.dims[axis], ir_dtype_text(x->type.dtype));
    bool smallest = !ort_int(n, "largest", 1);
    for (int i = 0; i < x->type.rank; i++)
        perm[i] = i == axis ? x->type.rank - 1 : i == x->type.rank - 1 ? axis : i;
    x = node_transposed(n, smallest ? node_unary(n, IR_NEG, x) : x, perm);
    if (!x)
        return false;
    ir_op *op = node_emit1(n, IR_TOP_K, x);
    ir_type type = x->type, index = x->type;
    type.dims[type.rank - 1] = index.dims[type.rank - 1] = k;
    index.dtype = IR_I32;
    ir_set_int(op, IR_ATTR_K, k);
    ir_result_set(op, 0, type, NULL);
    ir_result_set(op, 1, index, NULL);
    if (!node_check(n, op))
        return false;
    ir_value *values = op->results[0];
    values = node_transposed(n, smallest ? node_unary(n, IR_NEG, values) : values, perm);
    ir_value *indices =
        node_transposed(n, node_done_quant(n, node_emit1(n, IR_CAST, op->results[1]), IR_I64, NULL), perm);
    return ort_put(n, 0, values, LAYOUT_PLAIN) && ort_put(n, 1, indices, LAYOUT_PLAIN);
}
