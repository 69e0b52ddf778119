/* ops_move.c: operators that move elements: concat, split, slice, pad, gather, depth to space, resize. */
#include <math.h>
#include <string.h>

#include "frontends/node_index.h"
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

bool ort_op_pad(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    int64_t pads[2 * IR_MAX_RANK], axes[IR_MAX_RANK], before[IR_MAX_RANK] = {0}, after[IR_MAX_RANK] = {0};
    int count = 0, axis_count = 0;
    float value = ort_float(n, "value", 0);
    if (!x)
        return false;
    if (ort_has(n, 1) ? !ort_param_ints(n, 1, "pads", 2 * IR_MAX_RANK, pads, &count)
                      : !ort_ints(n, "pads", 2 * IR_MAX_RANK, pads, &count))
        return false;
    if ((ort_has(n, 2) && !ort_param_real(n, 2, "value", &value)) ||
        (ort_has(n, 3) && !ort_param_ints(n, 3, "dimensions", IR_MAX_RANK, axes, &axis_count)))
        return false;
    int pairs = ort_has(n, 3) ? axis_count : x->type.rank;
    if (count != 2 * pairs)
        return node_error(n, "%d pads for %d dimensions", count, pairs);
    for (int i = 0; i < pairs; i++) {
        int axis;
        if (!node_axis(n, ort_has(n, 3) ? axes[i] : i, x->type.rank, &axis))
            return false;
        int at = node_dim(layout, x->type.rank, axis);
        before[at] = pads[i];
        after[at] = pads[pairs + i];
        if (before[at] < 0 || after[at] < 0)
            return node_error(n, "negative pads are not supported");
    }
    const bool constant = strcmp(ort_text(n, "mode", "constant"), "constant") == 0;
    if (x->quant)
        value = ((float)value - (float)x->quant->zero[0]) * x->quant->scale[0];
    ir_op *op = node_emit1(n, constant ? IR_PAD : IR_MIRROR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, x->type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, x->type.rank, after);
    if (constant)
        ir_set_float(op, IR_ATTR_VALUE, value);
    else
        ir_set_int(op, IR_ATTR_MIRROR, IR_MIRROR_REFLECT);
    return ort_put(n, 0, node_done(n, op), layout);
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

/* Extents that sizes ask for, along the given dimensions. */
static bool read_sizes(ort_node *n, int expected, const int axes[], int64_t out[4])
{
    int64_t sizes[4];
    int count;
    ir_value *scales;
    if (!ort_optional(n, 2, &scales))
        return false;
    if (scales && ir_type_elements(&scales->type))
        return node_error(n, "both scales and sizes");
    if (!ort_param_ints(n, 3, "sizes", 4, sizes, &count))
        return false;
    if (count != expected)
        return node_error(n, "%d sizes for %d dimensions", count, expected);
    for (int i = 0; i < count; i++)
        out[axes[i]] = sizes[i];
    return true;
}

static bool read_scales(ort_node *n, int operand, int expected, const int axes[], int64_t out[4])
{
    ir_value *scales = NULL;
    if (!ort_has(n, operand) || !(scales = ort_param(n, operand, "scales")))
        return node_error(n, "neither scales nor sizes");
    if (ir_type_elements(&scales->type) != expected || scales->type.dtype != IR_F32)
        return node_error(n, "%lld scales for %d dimensions", (long long)ir_type_elements(&scales->type), expected);
    for (int i = 0; i < expected; i++) {
        const double extent = (double)out[axes[i]] * ir_const_real(scales, i);
        if (!(extent >= 1 && extent < 1 << 24))
            return node_error(n, "the result has no pixels, or too many");
        if (extent != floor(extent))
            return node_error(n, "scales that do not give whole extents are not supported");
        out[axes[i]] = (int64_t)extent;
    }
    return true;
}

/* The extents of the result, in ONNX's order.  scales: the operand that has them; dimensions: the attribute axes.
 * *first: the first of two dimensions that may change, 2, or 1 of an image whose channels the file has last. */
static bool read_extents(ort_node *n, const ir_type *x, int scales, int count, const int64_t dimensions[],
                         int64_t out[4], int *first)
{
    int axes[4] = {0, 1, 2, 3};
    for (int i = 0; i < count; i++)
        if (!node_axis(n, dimensions[i], 4, &axes[i]))
            return false;
    memcpy(out, x->dims, 4 * sizeof *out);
    count = count ? count : 4;
    if (!(ort_has(n, 3) ? read_sizes(n, count, axes, out) : read_scales(n, scales, count, axes, out)))
        return false;
    *first = out[1] == x->dims[1] ? 2 : 1;
    return (out[0] == x->dims[0] && (*first == 2 || out[3] == x->dims[3])) ||
           node_error(n, "only height and width can change");
}

/* How positions in the result become positions in the image; mode: of nearest, NULL for the rule before operator set
 * 11, which is floor when growing (and when shrinking ONNX Runtime's, ceil). */
typedef struct positions {
    bool nearest, half, align;
    bool several; /* an extent of one pixel is a case of its own */
    const char *mode;
    int64_t axes[4]; /* that sizes and scales are for; none: all */
    int axis_count;
} positions;

/* The IR takes the pixel at floor((i + offset) * in / out).  ONNX's rounding agrees where no position lies halfway. */
static bool nearest_agrees(ort_node *n, const ir_type *x, const int64_t out[4], int first, const positions *p)
{
    for (int i = first; i < first + 2; i++) {
        const int64_t in = x->dims[i], factor = in && out[i] % in == 0 ? out[i] / in : 0;
        bool fine;
        if (!p->mode)
            fine = out[i] >= in || in % out[i] == 0;
        else if (p->half)
            fine = factor && strncmp(p->mode, "round", 5) == 0;
        else
            fine = strcmp(p->mode, "floor") == 0 || factor == 1 ||
                   (factor == 2 && strcmp(p->mode, "round_prefer_floor") == 0);
        if (!fine)
            return node_error(n, "the nearest mode %s is not supported for %lld to %lld pixels",
                              p->mode ? p->mode : "of old", (long long)in, (long long)out[i]);
    }
    return true;
}

static bool resize(ort_node *n, int scales, const positions *p)
{
    ir_type shape;
    int64_t out[4];
    int first;
    if (!ort_shape(n, 0, &shape))
        return false;
    if (shape.rank != 4)
        return node_error(n, "only images of two dimensions are supported");
    if (!read_extents(n, &shape, scales, p->axis_count, p->axes, out, &first))
        return false;
    if (p->several && (out[first] < 2 || out[first + 1] < 2))
        return node_error(n, "positions by pytorch_half_pixel are not supported for a single line or column");
    if (p->nearest && !nearest_agrees(n, &shape, out, first, p))
        return false;
    const node_layout layout = first == 2 ? LAYOUT_LAST : LAYOUT_PLAIN;
    ir_value *x = ort_in(n, 0, layout);
    if (!x)
        return false;
    ir_op *op = node_emit1(n, p->nearest ? IR_RESIZE_NEAREST : IR_RESIZE_BILINEAR, x);
    ir_set_int(op, IR_ATTR_HALF_PIXEL, p->half);
    ir_set_int(op, IR_ATTR_ALIGN, p->align);
    ir_type type = x->type;
    type.dims[1] = out[first];
    type.dims[2] = out[first + 1];
    return ort_put(n, 0, node_typed(n, op, type, x->quant), layout);
}

static bool is_nearest(ort_node *n) { return strcmp(ort_text(n, "mode", "nearest"), "nearest") == 0; }

/* Upsample, and Resize before operator set 11. */
bool ort_op_upsample(ort_node *n) { return resize(n, 1, &(positions){.nearest = is_nearest(n)}); }

bool ort_op_resize(ort_node *n)
{
    if (n->since < 11)
        return ort_op_upsample(n);
    const char *kind = ort_text(n, "coordinate_transformation_mode", "half_pixel");
    positions p = {.nearest = is_nearest(n), .mode = ort_text(n, "nearest_mode", "round_prefer_floor")};
    ort_ignore(n, 1); /* a part of the image, for a mode that is not supported */
    if (!ort_ints(n, "axes", 4, p.axes, &p.axis_count))
        return false;
    p.align = strcmp(kind, "align_corners") == 0;
    p.several = strcmp(kind, "pytorch_half_pixel") == 0;
    p.half = !p.align && strcmp(kind, "asymmetric") != 0;
    if (p.align && p.nearest)
        return node_error(n, "mode nearest with positions by align_corners is not supported");
    return resize(n, 2, &p);
}
