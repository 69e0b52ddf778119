/* ops_slice.c: operators that take apart and put together: slices, splits, concatenation.
 *
 *     SPLIT(axis, x) -> a, b   ──▶  a = slice x {begin = ...}; b = slice x {begin = ...}
 *     STRIDED_SLICE            ──▶  slice; reshape where a mask drops or adds dimensions
 *     SLICE(x, begin, 2)       ──▶  gather x (begin, moved until it fits, + [0, 1]), where begin is known at run time only
 *     UNPACK                   ──▶  slices, each reshaped
 *     PACK                     ──▶  operands reshaped, concatenated */
#include "frontends/node/node_index.h"
#include "frontends/tflite/import.h"

/* ---- Slices ---- */

static ir_op *slice(tflite_node *n, ir_value *x, const int64_t begin[], const int64_t step[])
{
    static const int64_t ones[IR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    ir_op *op = node_emit1(n, IR_SLICE, x);
    ir_set_ints(op, IR_ATTR_BEGIN, x->type.rank, begin);
    ir_set_ints(op, IR_ATTR_STEP, x->type.rank, step ? step : ones);
    return op;
}

/* Elements of one dimension from `begin` on; the result's shape says how many. */
static ir_op *slice_along(tflite_node *n, ir_value *x, int axis, int64_t begin)
{
    int64_t begins[IR_MAX_RANK] = {0};
    begins[axis] = begin;
    return slice(n, x, begins, NULL);
}

/* Element i of `begin`, which is known at run time only. */
static ir_value *element(tflite_node *n, ir_value *begin, int i)
{
    return node_typed(n, slice_along(n, begin, 0, i), ir_type_make(begin->type.dtype, 1, (int64_t[]){1}), NULL);
}

/* A slice of known size.  TFLite fails where it does not fit; a compiled model does not, and moves it. */
static bool slice_at_run_time(tflite_node *n, ir_value *x, ir_value *begin, const int64_t size[])
{
    for (int i = 0; x && i < begin->type.dims[0]; i++) {
        const int64_t extent = x->type.dims[i];
        if (size[i] < 0 || size[i] > extent)
            return node_error(n, "size %lld of dimension %d, which has %lld, needs a constant begin (operand 1)",
                              (long long)size[i], i, (long long)extent);
        if (size[i] < extent)
            x = node_cut(n, x, element(n, begin, i), i, size[i], NEGATIVE_OUTSIDE);
    }
    return x && tflite_bind_value(n, 0, x);
}

bool tflite_op_slice(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *at = x ? tflite_input(n, 1) : NULL;
    int64_t begin[IR_MAX_RANK], size[IR_MAX_RANK];
    int begins, sizes;
    if (!at || !tflite_param_ints(n, 2, "size", IR_MAX_RANK, size, &sizes))
        return false;
    if (at->type.rank != 1 || at->type.dims[0] != x->type.rank || sizes != x->type.rank)
        return node_error(n, "begin and size have %lld and %d elements, the operand %d dimensions",
                          (long long)ir_type_elements(&at->type), sizes, x->type.rank);
    if (!ir_is_const(at))
        return slice_at_run_time(n, x, at, size);
    if (!tflite_param_ints(n, 1, "begin", IR_MAX_RANK, begin, &begins))
        return false;
    for (int i = 0; i < begins; i++) {
        int64_t extent = x->type.dims[i];
        if (begin[i] < 0 || begin[i] > extent || size[i] < -1 || (size[i] >= 0 && size[i] > extent - begin[i]))
            return node_error(n, "begin %lld and size %lld are outside dimension %d, which has %lld",
                              (long long)begin[i], (long long)size[i], i, (long long)extent);
        if (size[i] < 0)
            size[i] = extent - begin[i];
    }
    return tflite_bind(n, 0, slice(n, x, begin, NULL), begins, size);
}

typedef struct strided {
    int64_t begin[IR_MAX_RANK], step[IR_MAX_RANK], extent[IR_MAX_RANK]; /* per dimension of the operand */
    int64_t result[IR_MAX_RANK];                                        /* extents of the result */
    int dropped[IR_MAX_RANK];                                           /* 1 + the entry that drops the dimension */
    int result_rank;
} strided;

/* A bound by the rules of Python's slices: negative ones count from the end, then clamped. */
static int64_t clamped(int64_t at, int64_t extent, int64_t step)
{
    if (at < 0)
        at += extent;
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
    return at < low ? low : at > high ? high : at;
}

typedef struct slice_spec {
    int64_t begin[IR_MAX_RANK], end[IR_MAX_RANK], step[IR_MAX_RANK];
    int count;
    uint32_t begin_mask, end_mask, ellipsis, new_axis, shrink;
    bool offset; /* ends count from their begins */
} slice_spec;

/* Entry `i` of the specification, applied to dimension `d`. */
static bool take_dimension(tflite_node *n, const slice_spec *s, int i, int64_t extent, int d, strided *out)
{
    int64_t step = s->step[i], begin = s->begin[i], end = s->offset ? s->begin[i] + s->end[i] : s->end[i];
    if (step == 0)
        return node_error(n, "a stride is 0");
    if (s->shrink >> i & 1) {
        int64_t at = begin < 0 ? begin + extent : begin;
        if (at < 0 || at >= extent)
            return node_error(n, "index %lld is outside dimension %d, which has %lld", (long long)begin, d,
                              (long long)extent);
        out->begin[d] = at;
        out->step[d] = out->extent[d] = 1;
        out->dropped[d] = 1 + i;
        return true;
    }
    int64_t from = s->begin_mask >> i & 1 ? (step > 0 ? 0 : extent - 1) : clamped(begin, extent, step);
    int64_t to = s->end_mask >> i & 1 ? (step > 0 ? extent : -1) : clamped(end, extent, step);
    int64_t count = step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -step;
    if ((step > 0 && to <= from) || (step < 0 && to >= from))
        count = 0;
    out->extent[d] = count;
    out->begin[d] = count ? from : 0;
    out->step[d] = step;
    out->result[out->result_rank++] = count;
    return true;
}

static bool resolve_slice(tflite_node *n, const slice_spec *s, const ir_type *x, strided *out)
{
    int named = 0, d = 0;
    for (int i = 0; i < s->count; i++)
        named += !(s->ellipsis >> i & 1) && !(s->new_axis >> i & 1);
    if (named > x->rank)
        return node_error(n, "the specification names %d dimensions, the operand has %d", named, x->rank);
    bool ellipsis_seen = false;
    for (int i = 0; i <= s->count; i++) {
        bool ellipsis =
            i == s->count ? !ellipsis_seen : s->ellipsis >> i & 1; /* what is not named at the end is whole */
        if (ellipsis && ellipsis_seen)
            return node_error(n, "more than one ellipsis");
        if (ellipsis) {
            ellipsis_seen = true;
            for (int whole = x->rank - named; whole > 0; whole--, d++) {
                out->begin[d] = 0;
                out->step[d] = 1;
                out->result[out->result_rank++] = out->extent[d] = x->dims[d];
            }
        } else if (i < s->count && s->new_axis >> i & 1) {
            if (out->result_rank + (x->rank - d) >= IR_MAX_RANK)
                return node_error(n, "the result has more than %d dimensions", IR_MAX_RANK);
            out->result[out->result_rank++] = 1;
        } else if (i < s->count) {
            if (!take_dimension(n, s, i, x->dims[d], d, out))
                return false;
            d++;
        }
    }
    return true;
}

static void read_masks(const tflite_node *n, slice_spec *s)
{
    s->begin_mask = (uint32_t)fb_i32(n->options, SLICE_BEGIN_MASK, 0);
    s->end_mask = (uint32_t)fb_i32(n->options, SLICE_END_MASK, 0);
    s->ellipsis = (uint32_t)fb_i32(n->options, SLICE_ELLIPSIS_MASK, 0);
    s->new_axis = (uint32_t)fb_i32(n->options, SLICE_NEW_AXIS_MASK, 0) & ~s->ellipsis;
    s->shrink = (uint32_t)fb_i32(n->options, SLICE_SHRINK_MASK, 0);
    s->offset = fb_bool(n->options, SLICE_OFFSET, false);
}

static bool read_bounds(tflite_node *n, slice_spec *s)
{
    int ends, steps;
    if (!tflite_param_ints(n, 1, "begin", IR_MAX_RANK, s->begin, &s->count) ||
        !tflite_param_ints(n, 2, "end", IR_MAX_RANK, s->end, &ends) ||
        !tflite_param_ints(n, 3, "strides", IR_MAX_RANK, s->step, &steps))
        return false;
    if (ends != s->count || steps != s->count)
        return node_error(n, "begin, end and strides have %d, %d and %d elements", s->count, ends, steps);
    for (int i = 0; i < s->count; i++) /* within what a dimension can have, so that nothing overflows below */
        if (s->step[i] > IR_MAX_BYTES || s->step[i] < -IR_MAX_BYTES || s->begin[i] > IR_MAX_BYTES ||
            s->begin[i] < -IR_MAX_BYTES || s->end[i] > IR_MAX_BYTES || s->end[i] < -IR_MAX_BYTES)
            return node_error(n, "a bound or stride of the slice is out of range");
    return true;
}

/* Where begin is known at run time only, all that is cut must be single elements: 0 stands for the begin of those. */
static bool read_indices(tflite_node *n, const ir_type *begin, slice_spec *s)
{
    if (!tflite_param_ints(n, 3, "strides", IR_MAX_RANK, s->step, &s->count))
        return false;
    if (begin->rank != 1 || begin->dims[0] != s->count)
        return node_error(n, "begin and strides have %lld and %d elements", (long long)ir_type_elements(begin),
                          s->count);
    const uint32_t known = s->shrink | s->ellipsis | s->new_axis | (s->begin_mask & s->end_mask);
    for (int i = 0; i < s->count; i++)
        if (!(known >> i & 1))
            return node_error(n, "entry %d needs a constant begin (operand 1), as it is no single element", i);
    return true;
}

bool tflite_op_strided_slice(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *begin = x ? tflite_input(n, 1) : NULL;
    slice_spec s = {.count = 0};
    strided r = {.result_rank = 0};
    if (!begin)
        return false;
    read_masks(n, &s);
    const bool known = ir_is_const(begin);
    if (!(known ? read_bounds(n, &s) : read_indices(n, &begin->type, &s)) || !resolve_slice(n, &s, &x->type, &r))
        return false;
    for (int d = x->type.rank; x && !known && d-- > 0;) /* negative ones count from the end */
        if (r.dropped[d])
            x = node_cut(n, x, element(n, begin, r.dropped[d] - 1), d, 1, NEGATIVE_FROM_END);
    if (!x)
        return false;
    ir_type sliced = ir_type_make(x->type.dtype, x->type.rank, r.extent);
    ir_type result = ir_type_make(x->type.dtype, r.result_rank, r.result);
    ir_op *op = slice(n, x, r.begin, r.step);
    if (ir_type_equal(&sliced, &result))
        return tflite_bind_like(n, 0, op, &result);
    ir_value *v = node_typed(n, op, sliced, x->quant);
    return v && tflite_bind_like(n, 0, node_emit1(n, IR_RESHAPE, v), &result);
}

/* ---- Splits ---- */

static bool split_along(tflite_node *n, ir_value *x, int axis, const int64_t sizes[], int count)
{
    int64_t begin = 0;
    for (int i = 0; i < count; i++) {
        ir_type part = x->type;
        part.dims[axis] = sizes[i];
        if (!tflite_bind_like(n, i, slice_along(n, x, axis, begin), &part))
            return false;
        begin += sizes[i];
    }
    return true;
}

bool tflite_op_split(tflite_node *n)
{
    ir_value *x = tflite_input(n, 1);
    int64_t given;
    int axis, count = tflite_output_count(n);
    if (!x || !tflite_param_int(n, 0, "axis", &given) || !node_axis(n, given, x->type.rank, &axis))
        return false;
    if (fb_i32(n->options, SPLIT_COUNT, 0) != count)
        return node_error(n, "num_splits is %d, but there are %d results", fb_i32(n->options, SPLIT_COUNT, 0), count);
    if (count < 1 || x->type.dims[axis] % count)
        return node_error(n, "%lld elements can't be split into %d parts", (long long)x->type.dims[axis], count);
    int64_t *sizes = ARENA_ARRAY(n->model->graph->arena, int64_t, count);
    for (int i = 0; i < count; i++)
        sizes[i] = x->type.dims[axis] / count;
    return split_along(n, x, axis, sizes, count);
}

bool tflite_op_split_v(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t given, sum = 0;
    int axis, sizes_count, open = -1, count = tflite_output_count(n);
    int64_t *sizes = ARENA_ARRAY(n->model->graph->arena, int64_t, count + 1);
    if (!x || !tflite_param_ints(n, 1, "sizes", count, sizes, &sizes_count) ||
        !tflite_param_int(n, 2, "axis", &given) || !node_axis(n, given, x->type.rank, &axis))
        return false;
    if (sizes_count != count)
        return node_error(n, "%d sizes for %d results", sizes_count, count);
    for (int i = 0; i < count; i++) {
        if (sizes[i] == -1 && open < 0)
            open = i;
        else if (sizes[i] < 0 || sizes[i] > x->type.dims[axis] - sum)
            return node_misfit(n, "the sizes don't fit dimension %d, which has %lld", axis,
                               (long long)x->type.dims[axis]);
        else
            sum += sizes[i];
    }
    if (open >= 0)
        sizes[open] = x->type.dims[axis] - sum;
    else if (sum != x->type.dims[axis])
        return node_error(n, "the sizes add up to %lld, dimension %d has %lld", (long long)sum, axis,
                          (long long)x->type.dims[axis]);
    return split_along(n, x, axis, sizes, count);
}

bool tflite_op_unpack(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int axis, count = tflite_output_count(n);
    if (!x || !node_axis(n, fb_i32(n->options, PACK_AXIS, 0), x->type.rank, &axis))
        return false;
    if (x->type.dims[axis] != count)
        return node_error(n, "%lld elements, but %d results", (long long)x->type.dims[axis], count);
    ir_type part = x->type, flat = x->type;
    part.dims[axis] = 1;
    flat.rank--;
    for (int i = axis; i < flat.rank; i++)
        flat.dims[i] = x->type.dims[i + 1];
    for (int i = 0; i < count; i++) {
        ir_value *v = node_typed(n, slice_along(n, x, axis, i), part, x->quant);
        if (!v || !tflite_bind_like(n, i, node_emit1(n, IR_RESHAPE, v), &flat))
            return false;
    }
    return true;
}

/* ---- Concatenation ---- */

/* Operands that are quantized otherwise than the result are requantized first, as TFLite's kernel does. */
static ir_value *with_result_quant(tflite_node *n, ir_value *x, const tflite_tensor *t)
{
    if (ir_quant_equal(x->quant, t->quant))
        return x;
    if (!x->quant || !t->quant) {
        node_error(n, "quantized and plain operands together");
        return NULL;
    }
    ir_op *op = node_emit1(n, IR_REQUANTIZE, x);
    if (x->type.dtype == IR_U8)
        ir_set_int(op, IR_ATTR_ROUNDING, IR_ROUNDING_AWAY_F32);
    return node_typed(n, op, x->type, t->quant);
}

/* The operands must have equal extents, except along the axis. */
static bool concat(tflite_node *n, int count, ir_value *operands[], int axis)
{
    tflite_tensor t;
    ir_type shape = operands[0]->type;
    if (!tflite_output_tensor(n, 0, &t))
        return false;
    shape.dims[axis] = 0;
    for (int i = 0; i < count; i++) {
        const ir_type *x = &operands[i]->type;
        bool fits = x->rank == shape.rank && x->dtype == shape.dtype;
        for (int d = 0; fits && d < shape.rank; d++)
            fits = d == axis || x->dims[d] == shape.dims[d];
        if (!fits)
            return node_error(n, "operand %d has another type or shape than the first", i);
        shape.dims[axis] += x->dims[axis];
        if (!(operands[i] = with_result_quant(n, operands[i], &t)))
            return false;
    }
    ir_op *op = node_emit(n, IR_CONCAT, count, operands);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return tflite_bind_like(n, 0, op, &shape);
}

static ir_value **all_inputs(tflite_node *n)
{
    int count = tflite_input_count(n);
    ir_value **v = ARENA_ARRAY(n->model->graph->arena, ir_value *, count);
    for (int i = 0; i < count; i++)
        if (!(v[i] = tflite_input(n, i)))
            return NULL;
    return v;
}

bool tflite_op_concat(tflite_node *n)
{
    ir_value **v = all_inputs(n);
    int axis;
    if (!v || !node_axis(n, fb_i32(n->options, CONCAT_AXIS, 0), v[0]->type.rank, &axis))
        return false;
    if (fb_i8(n->options, CONCAT_ACT, ACTIVATION_NONE) != ACTIVATION_NONE)
        return node_error(n, "a fused activation is not supported");
    return concat(n, tflite_input_count(n), v, axis);
}

bool tflite_op_pack(tflite_node *n)
{
    ir_value **v = all_inputs(n);
    int axis, count = tflite_input_count(n);
    if (!v)
        return false;
    ir_type part = v[0]->type;
    if (part.rank == IR_MAX_RANK)
        return node_error(n, "the result has more than %d dimensions", IR_MAX_RANK);
    if (!node_axis(n, fb_i32(n->options, PACK_AXIS, 0), part.rank + 1, &axis))
        return false;
    for (int i = part.rank; i > axis; i--)
        part.dims[i] = part.dims[i - 1];
    part.dims[axis] = 1;
    part.rank++;
    for (int i = 0; i < count; i++)
        if (!ir_type_equal(&v[i]->type, &v[0]->type))
            return node_error(n, "operand %d has another type or shape than the first", i);
    for (int i = count - 1; i >= 0; i--)
        if (!(v[i] = node_reshaped(n, v[i], part.rank, part.dims)))
            return false;
    return concat(n, count, v, axis);
}
