/* tflite_ops_move.c: operators that move elements: slices and splits, concatenation, borders, permutations, gathers.
 *
 *     SPLIT(axis, x) -> a, b   ──▶  a = slice x {begin = ...}; b = slice x {begin = ...}
 *     UNPACK                   ──▶  slices, each reshaped
 *     PACK                     ──▶  operands reshaped, concatenated */
#include <string.h>

#include "frontends/tflite_import.h"

/* ---- Slices ---- */

static ir_op *slice(tflite_node *n, ir_value *x, const int64_t begin[], const int64_t step[])
{
    static const int64_t ones[IR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    ir_op *op = tflite_emit1(n, IR_SLICE, x);
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

bool tflite_op_slice(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t begin[IR_MAX_RANK], size[IR_MAX_RANK];
    int begins, sizes;
    if (!x || !tflite_param_ints(n, 1, "begin", IR_MAX_RANK, begin, &begins) ||
        !tflite_param_ints(n, 2, "size", IR_MAX_RANK, size, &sizes))
        return false;
    if (begins != x->type.rank || sizes != x->type.rank)
        return tflite_error(n, "begin and size have %d and %d elements, the operand %d dimensions", begins, sizes,
                            x->type.rank);
    for (int i = 0; i < begins; i++) {
        int64_t extent = x->type.dims[i];
        if (begin[i] < 0 || begin[i] > extent || size[i] < -1 || (size[i] >= 0 && size[i] > extent - begin[i]))
            return tflite_error(n, "begin %lld and size %lld are outside dimension %d, which has %lld", (long long)begin[i],
                                (long long)size[i], i, (long long)extent);
        if (size[i] < 0)
            size[i] = extent - begin[i];
    }
    return tflite_bind(n, 0, slice(n, x, begin, NULL), begins, size);
}

typedef struct strided {
    int64_t begin[IR_MAX_RANK], step[IR_MAX_RANK], extent[IR_MAX_RANK]; /* per dimension of the operand */
    int64_t result[IR_MAX_RANK];                                       /* extents of the result */
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
        return tflite_error(n, "a stride is 0");
    if (s->shrink >> i & 1) {
        int64_t at = begin < 0 ? begin + extent : begin;
        if (at < 0 || at >= extent)
            return tflite_error(n, "index %lld is outside dimension %d, which has %lld", (long long)begin, d, (long long)extent);
        out->begin[d] = at;
        out->step[d] = out->extent[d] = 1;
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
        return tflite_error(n, "the specification names %d dimensions, the operand has %d", named, x->rank);
    bool ellipsis_seen = false;
    for (int i = 0; i <= s->count; i++) {
        bool ellipsis = i == s->count ? !ellipsis_seen : s->ellipsis >> i & 1; /* what is not named at the end is whole */
        if (ellipsis && ellipsis_seen)
            return tflite_error(n, "more than one ellipsis");
        if (ellipsis) {
            ellipsis_seen = true;
            for (int whole = x->rank - named; whole > 0; whole--, d++) {
                out->begin[d] = 0;
                out->step[d] = 1;
                out->result[out->result_rank++] = out->extent[d] = x->dims[d];
            }
        } else if (i < s->count && s->new_axis >> i & 1) {
            if (out->result_rank + (x->rank - d) >= IR_MAX_RANK)
                return tflite_error(n, "the result has more than %d dimensions", IR_MAX_RANK);
            out->result[out->result_rank++] = 1;
        } else if (i < s->count) {
            if (!take_dimension(n, s, i, x->dims[d], d, out))
                return false;
            d++;
        }
    }
    return true;
}

bool tflite_op_strided_slice(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    slice_spec s = {.count = 0};
    int ends, steps;
    if (!x || !tflite_param_ints(n, 1, "begin", IR_MAX_RANK, s.begin, &s.count) ||
        !tflite_param_ints(n, 2, "end", IR_MAX_RANK, s.end, &ends) ||
        !tflite_param_ints(n, 3, "strides", IR_MAX_RANK, s.step, &steps))
        return false;
    if (ends != s.count || steps != s.count)
        return tflite_error(n, "begin, end and strides have %d, %d and %d elements", s.count, ends, steps);
    for (int i = 0; i < s.count; i++) /* within what a dimension can have, so that nothing overflows below */
        if (s.step[i] > IR_MAX_BYTES || s.step[i] < -IR_MAX_BYTES || s.begin[i] > IR_MAX_BYTES || s.begin[i] < -IR_MAX_BYTES ||
            s.end[i] > IR_MAX_BYTES || s.end[i] < -IR_MAX_BYTES)
            return tflite_error(n, "a bound or stride of the slice is out of range");
    s.begin_mask = (uint32_t)fb_i32(n->options, SLICE_BEGIN_MASK, 0);
    s.end_mask = (uint32_t)fb_i32(n->options, SLICE_END_MASK, 0);
    s.ellipsis = (uint32_t)fb_i32(n->options, SLICE_ELLIPSIS_MASK, 0);
    s.new_axis = (uint32_t)fb_i32(n->options, SLICE_NEW_AXIS_MASK, 0) & ~s.ellipsis;
    s.shrink = (uint32_t)fb_i32(n->options, SLICE_SHRINK_MASK, 0);
    s.offset = fb_bool(n->options, SLICE_OFFSET, false);
    strided r = {.result_rank = 0};
    if (!resolve_slice(n, &s, &x->type, &r))
        return false;
    ir_type sliced = ir_type_make(x->type.dtype, x->type.rank, r.extent);
    ir_type result = ir_type_make(x->type.dtype, r.result_rank, r.result);
    ir_op *op = slice(n, x, r.begin, r.step);
    if (ir_type_equal(&sliced, &result))
        return tflite_bind_like(n, 0, op, &result);
    ir_value *v = tflite_typed(n, op, sliced, x->quant);
    return v && tflite_bind_like(n, 0, tflite_emit1(n, IR_RESHAPE, v), &result);
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
    if (!x || !tflite_param_int(n, 0, "axis", &given) || !tflite_axis(n, given, x->type.rank, &axis))
        return false;
    if (fb_i32(n->options, SPLIT_COUNT, 0) != count)
        return tflite_error(n, "num_splits is %d, but there are %d results", fb_i32(n->options, SPLIT_COUNT, 0), count);
    if (count < 1 || x->type.dims[axis] % count)
        return tflite_error(n, "%lld elements can't be split into %d parts", (long long)x->type.dims[axis], count);
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
    if (!x || !tflite_param_ints(n, 1, "sizes", count, sizes, &sizes_count) || !tflite_param_int(n, 2, "axis", &given) ||
        !tflite_axis(n, given, x->type.rank, &axis))
        return false;
    if (sizes_count != count)
        return tflite_error(n, "%d sizes for %d results", sizes_count, count);
    for (int i = 0; i < count; i++) {
        if (sizes[i] == -1 && open < 0)
            open = i;
        else if (sizes[i] < 0 || sizes[i] > x->type.dims[axis] - sum)
            return tflite_error(n, "the sizes don't fit dimension %d, which has %lld", axis, (long long)x->type.dims[axis]);
        else
            sum += sizes[i];
    }
    if (open >= 0)
        sizes[open] = x->type.dims[axis] - sum;
    else if (sum != x->type.dims[axis])
        return tflite_error(n, "the sizes add up to %lld, dimension %d has %lld", (long long)sum, axis,
                            (long long)x->type.dims[axis]);
    return split_along(n, x, axis, sizes, count);
}

bool tflite_op_unpack(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int axis, count = tflite_output_count(n);
    if (!x || !tflite_axis(n, fb_i32(n->options, PACK_AXIS, 0), x->type.rank, &axis))
        return false;
    if (x->type.dims[axis] != count)
        return tflite_error(n, "%lld elements, but %d results", (long long)x->type.dims[axis], count);
    ir_type part = x->type, flat = x->type;
    part.dims[axis] = 1;
    flat.rank--;
    for (int i = axis; i < flat.rank; i++)
        flat.dims[i] = x->type.dims[i + 1];
    for (int i = 0; i < count; i++) {
        ir_value *v = tflite_typed(n, slice_along(n, x, axis, i), part, x->quant);
        if (!v || !tflite_bind_like(n, i, tflite_emit1(n, IR_RESHAPE, v), &flat))
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
        tflite_error(n, "quantized and plain operands together");
        return NULL;
    }
    return tflite_typed(n, tflite_emit1(n, IR_REQUANTIZE, x), x->type, t->quant);
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
            return tflite_error(n, "operand %d has another type or shape than the first", i);
        shape.dims[axis] += x->dims[axis];
        if (!(operands[i] = with_result_quant(n, operands[i], &t)))
            return false;
    }
    ir_op *op = tflite_emit(n, IR_CONCAT, count, operands);
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
    if (!v || !tflite_axis(n, fb_i32(n->options, CONCAT_AXIS, 0), v[0]->type.rank, &axis))
        return false;
    if (fb_i8(n->options, CONCAT_ACT, ACTIVATION_NONE) != ACTIVATION_NONE)
        return tflite_error(n, "a fused activation is not supported");
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
        return tflite_error(n, "the result has more than %d dimensions", IR_MAX_RANK);
    if (!tflite_axis(n, fb_i32(n->options, PACK_AXIS, 0), part.rank + 1, &axis))
        return false;
    for (int i = part.rank; i > axis; i--)
        part.dims[i] = part.dims[i - 1];
    part.dims[axis] = 1;
    part.rank++;
    for (int i = 0; i < count; i++)
        if (!ir_type_equal(&v[i]->type, &v[0]->type))
            return tflite_error(n, "operand %d has another type or shape than the first", i);
    for (int i = count - 1; i >= 0; i--)
        if (!(v[i] = tflite_reshaped(n, v[i], part.rank, part.dims)))
            return false;
    return concat(n, count, v, axis);
}

/* ---- Borders ---- */

/* The [rank, 2] table of borders. */
static bool read_borders(tflite_node *n, const ir_value *x, int index, int64_t before[], int64_t after[], ir_type *out)
{
    int64_t pairs[2 * IR_MAX_RANK];
    int count;
    if (!tflite_param_ints(n, index, "table of borders", 2 * IR_MAX_RANK, pairs, &count))
        return false;
    if (count != 2 * x->type.rank)
        return tflite_error(n, "borders for %d dimensions, the operand has %d", count / 2, x->type.rank);
    *out = x->type;
    for (int i = 0; i < x->type.rank; i++) {
        before[i] = pairs[2 * i];
        after[i] = pairs[2 * i + 1];
        if (before[i] < 0 || after[i] < 0 || before[i] > IR_MAX_BYTES || after[i] > IR_MAX_BYTES)
            return tflite_error(n, "borders of %lld and %lld", (long long)before[i], (long long)after[i]);
        out->dims[i] += before[i] + after[i];
    }
    return true;
}

bool tflite_op_pad(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *value = NULL;
    int64_t before[IR_MAX_RANK], after[IR_MAX_RANK];
    ir_type shape;
    if (!x || !read_borders(n, x, 1, before, after, &shape))
        return false;
    if (tflite_input_count(n) > 2 && !(value = tflite_param(n, 2, "border's value")))
        return false;
    ir_op *op = tflite_emit1(n, IR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, x->type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, x->type.rank, after);
    if (value) {
        if (ir_type_elements(&value->type) != 1 || value->type.dtype != x->type.dtype || !value->quant != !x->quant)
            return tflite_error(n, "the border's value must be a single number of the operand's type");
        double real = ir_const_real(value, 0);
        if (!x->quant && !ir_dtype_is_float(x->type.dtype) && (double)(float)real != real)
            return tflite_error(n, "a border of %.17g is not supported", real);
        ir_set_float(op, IR_ATTR_VALUE, (float)real);
    }
    return tflite_bind_like(n, 0, op, &shape);
}

bool tflite_op_mirror_pad(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t before[IR_MAX_RANK], after[IR_MAX_RANK];
    ir_type shape;
    int mode = fb_i8(n->options, MIRROR_PAD_MODE, MIRROR_REFLECT);
    if (!x || !read_borders(n, x, 1, before, after, &shape))
        return false;
    if (mode != MIRROR_REFLECT && mode != MIRROR_SYMMETRIC)
        return tflite_error(n, "mode %d is not known", mode);
    for (int i = 0; i < x->type.rank; i++) {
        int64_t most = x->type.dims[i] - (mode == MIRROR_REFLECT);
        if (before[i] > most || after[i] > most)
            return tflite_error(n, "a border of dimension %d is longer than what it mirrors", i);
    }
    ir_op *op = tflite_emit1(n, IR_MIRROR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, x->type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, x->type.rank, after);
    ir_set_int(op, IR_ATTR_MIRROR, mode == MIRROR_REFLECT ? IR_MIRROR_REFLECT : IR_MIRROR_SYMMETRIC);
    return tflite_bind_like(n, 0, op, &shape);
}

/* ---- Permutations ---- */

bool tflite_op_transpose(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t perm[IR_MAX_RANK], dims[IR_MAX_RANK];
    unsigned seen = 0;
    int count;
    if (!x || !tflite_param_ints(n, 1, "permutation", IR_MAX_RANK, perm, &count))
        return false;
    if (count != x->type.rank)
        return tflite_error(n, "a permutation of %d dimensions, the operand has %d", count, x->type.rank);
    for (int i = 0; i < count; i++) {
        int axis;
        if (!tflite_axis(n, perm[i], count, &axis))
            return false;
        if (seen >> axis & 1)
            return tflite_error(n, "dimension %d occurs twice in the permutation", axis);
        seen |= 1u << axis;
        perm[i] = axis;
        dims[i] = x->type.dims[axis];
    }
    ir_op *op = tflite_emit1(n, IR_TRANSPOSE, x);
    ir_set_ints(op, IR_ATTR_PERM, count, perm);
    return tflite_bind(n, 0, op, count, dims);
}

bool tflite_op_reverse(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t given[IR_MAX_RANK], axes[IR_MAX_RANK];
    unsigned mask = 0;
    int count, used = 0;
    if (!x || !tflite_param_ints(n, 1, "axes", IR_MAX_RANK, given, &count))
        return false;
    for (int i = 0; i < count; i++) {
        int axis;
        if (!tflite_axis(n, given[i], x->type.rank, &axis))
            return false;
        mask |= 1u << axis;
    }
    for (int i = 0; i < x->type.rank; i++)
        if (mask >> i & 1)
            axes[used++] = i;
    ir_op *op = tflite_emit1(n, IR_REVERSE, x);
    ir_set_ints(op, IR_ATTR_AXES, used, axes);
    return tflite_bind_like(n, 0, op, &x->type);
}

bool tflite_op_depth_space(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    const int64_t block = fb_i32(n->options, BLOCK_SIZE, 0), both[2] = {block, block};
    const int64_t *d = x->type.dims;
    if (x->type.rank != 4)
        return tflite_error(n, "the image has %d dimensions, expected 4", x->type.rank);
    if (block < 1 || block > 1 << 15)
        return tflite_error(n, "a block size of %lld", (long long)block);
    ir_op *op = tflite_emit1(n, n->entry->code, x);
    ir_set_ints(op, IR_ATTR_BLOCK, 2, both);
    if (n->entry->code == IR_DEPTH_TO_SPACE) {
        if (d[3] % (block * block))
            return tflite_error(n, "%lld channels can't fill blocks of %lld", (long long)d[3], (long long)block);
        return tflite_bind(n, 0, op, 4, (int64_t[]){d[0], d[1] * block, d[2] * block, d[3] / (block * block)});
    }
    if (d[1] % block || d[2] % block)
        return tflite_error(n, "an image of %lld x %lld can't be cut into blocks of %lld", (long long)d[1], (long long)d[2],
                            (long long)block);
    return tflite_bind(n, 0, op, 4, (int64_t[]){d[0], d[1] / block, d[2] / block, d[3] * block * block});
}

/* The block and border parameters of the two batch moves; a rank 3 operand [N, H, C] is one of width 1. */
static bool read_blocks(tflite_node *n, ir_value **x, int64_t block[2], int64_t border[4], bool *out_flat)
{
    int64_t blocks[2], borders[4];
    int count, borders_count, spatial = (*x)->type.rank - 2;
    *out_flat = spatial == 1;
    if (spatial < 1 || spatial > 2)
        return tflite_error(n, "the image has %d dimensions, expected 3 or 4", (*x)->type.rank);
    if (!tflite_param_ints(n, 1, "block shape", 2, blocks, &count) ||
        !tflite_param_ints(n, 2, "table of borders", 4, borders, &borders_count))
        return false;
    if (count != spatial || borders_count != 2 * spatial)
        return tflite_error(n, "%d block sizes and %d borders for %d dimensions", count, borders_count, spatial);
    for (int i = 0; i < 2; i++) {
        block[i] = i < spatial ? blocks[i] : 1;
        border[i] = i < spatial ? borders[2 * i] : 0;
        border[2 + i] = i < spatial ? borders[2 * i + 1] : 0;
        if (block[i] < 1 || block[i] > 1 << 15 || border[i] < 0 || border[2 + i] < 0 || border[i] > IR_MAX_BYTES ||
            border[2 + i] > IR_MAX_BYTES)
            return tflite_error(n, "impossible block size or border");
    }
    if (*out_flat)
        *x = tflite_reshaped(n, *x, 4, (int64_t[]){(*x)->type.dims[0], (*x)->type.dims[1], 1, (*x)->type.dims[2]});
    return *x != NULL;
}

static bool bind_blocks(tflite_node *n, ir_op *op, const int64_t dims[4], bool flat)
{
    if (!flat)
        return tflite_bind(n, 0, op, 4, dims);
    const ir_value *x = op->operands[0].value;
    ir_value *v = tflite_typed(n, op, ir_type_make(x->type.dtype, 4, dims), x->quant);
    return v && tflite_bind(n, 0, tflite_emit1(n, IR_RESHAPE, v), 3, (int64_t[]){dims[0], dims[1], dims[3]});
}

bool tflite_op_space_to_batch(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t block[2], pad[4], dims[4];
    bool flat;
    if (!x || !read_blocks(n, &x, block, pad, &flat))
        return false;
    dims[0] = x->type.dims[0] * block[0] * block[1];
    dims[3] = x->type.dims[3];
    for (int i = 0; i < 2; i++) {
        int64_t extent = x->type.dims[1 + i] + pad[i] + pad[2 + i];
        if (extent % block[i])
            return tflite_error(n, "%lld pixels can't be cut into blocks of %lld", (long long)extent, (long long)block[i]);
        dims[1 + i] = extent / block[i];
    }
    ir_op *op = tflite_emit1(n, IR_SPACE_TO_BATCH, x);
    ir_set_ints(op, IR_ATTR_BLOCK, 2, block);
    ir_set_ints(op, IR_ATTR_PAD, 4, pad);
    return bind_blocks(n, op, dims, flat);
}

bool tflite_op_batch_to_space(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t block[2], crops[4], dims[4];
    bool flat;
    if (!x || !read_blocks(n, &x, block, crops, &flat))
        return false;
    if (x->type.dims[0] % (block[0] * block[1]))
        return tflite_error(n, "a batch of %lld can't fill blocks of %lld x %lld", (long long)x->type.dims[0],
                            (long long)block[0], (long long)block[1]);
    dims[0] = x->type.dims[0] / (block[0] * block[1]);
    dims[3] = x->type.dims[3];
    for (int i = 0; i < 2; i++) {
        dims[1 + i] = x->type.dims[1 + i] * block[i] - crops[i] - crops[2 + i];
        if (dims[1 + i] < 0)
            return tflite_error(n, "more is cropped than there is");
    }
    ir_op *op = tflite_emit1(n, IR_BATCH_TO_SPACE, x);
    ir_set_ints(op, IR_ATTR_BLOCK, 2, block);
    ir_set_ints(op, IR_ATTR_CROPS, 4, crops);
    return bind_blocks(n, op, dims, flat);
}

/* ---- Gathers ---- */

/* Constant indices outside the range fail at every run. */
static bool check_indices(tflite_node *n, const ir_value *indices, int64_t extent)
{
    if (!ir_is_const(indices))
        return true;
    for (int64_t i = 0, count = ir_type_elements(&indices->type); i < count; i++) {
        int64_t at = ir_const_int(indices, i);
        if (at < 0 || at >= extent)
            return tflite_error(n, "constant index %lld is outside the dimension, which has %lld", (long long)at,
                                (long long)extent);
    }
    return true;
}

static bool is_index_type(const ir_value *v) { return v->type.dtype == IR_I32 || v->type.dtype == IR_I64 || v->type.dtype == IR_I16; }

static bool gather(tflite_node *n, ir_value *x, ir_value *indices, int axis, int batch_dims)
{
    ir_type shape = x->type;
    if (!is_index_type(indices))
        return tflite_error(n, "indices of type %s", ir_dtype_text(indices->type.dtype));
    if (batch_dims < 0 || batch_dims > axis || batch_dims > indices->type.rank)
        return tflite_error(n, "%d batch dimensions", batch_dims);
    for (int i = 0; i < batch_dims; i++)
        if (x->type.dims[i] != indices->type.dims[i])
            return tflite_error(n, "operand and indices have different batch extents");
    if (x->type.rank - 1 + indices->type.rank - batch_dims > IR_MAX_RANK)
        return tflite_error(n, "the result has more than %d dimensions", IR_MAX_RANK);
    if (!check_indices(n, indices, x->type.dims[axis]))
        return false;
    if (x->type.dims[axis] == 0 && ir_type_elements(&indices->type) > 0)
        return tflite_error(n, "the dimension has no elements");
    shape.rank = axis;
    for (int i = batch_dims; i < indices->type.rank; i++)
        shape.dims[shape.rank++] = indices->type.dims[i];
    for (int i = axis + 1; i < x->type.rank; i++)
        shape.dims[shape.rank++] = x->type.dims[i];
    ir_op *op = tflite_emit2(n, IR_GATHER, x, indices);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    ir_set_int(op, IR_ATTR_BATCH_DIMS, batch_dims);
    return tflite_bind_like(n, 0, op, &shape);
}

bool tflite_op_gather(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *indices = x ? tflite_input(n, 1) : NULL;
    int axis;
    if (!indices || !tflite_axis(n, fb_i32(n->options, GATHER_AXIS, 0), x->type.rank, &axis))
        return false;
    int batch_dims = fb_i32(n->options, GATHER_BATCH_DIMS, 0);
    return gather(n, x, indices, axis, batch_dims < 0 && batch_dims >= -IR_MAX_RANK ? batch_dims + indices->type.rank : batch_dims);
}

bool tflite_op_embedding(tflite_node *n)
{
    ir_value *indices = tflite_input(n, 0), *x = indices ? tflite_input(n, 1) : NULL;
    tflite_tensor t;
    if (!x || !tflite_output_tensor(n, 0, &t))
        return false;
    if (ir_dtype_is_float(t.type.dtype) && !ir_dtype_is_float(x->type.dtype))
        return tflite_error(n, "hybrid (dynamic-range) quantization, a %s table with %s results, is not supported",
                            ir_dtype_text(x->type.dtype), ir_dtype_text(t.type.dtype));
    if (x->type.rank < 1 || indices->type.rank != 1)
        return tflite_error(n, "a table of %d dimensions and indices of %d", x->type.rank, indices->type.rank);
    return gather(n, x, indices, 0, 0);
}

/* Index tuples: the last dimension of the indices numbers the leading dimensions of the operand. */
static bool check_tuples(tflite_node *n, const ir_value *indices, const ir_type *x, int *out_length)
{
    if (!is_index_type(indices) || indices->type.rank < 1)
        return tflite_error(n, "indices of type %s with %d dimensions", ir_dtype_text(indices->type.dtype),
                            indices->type.rank);
    int64_t length = indices->type.dims[indices->type.rank - 1];
    if (length < 1 || length > x->rank)
        return tflite_error(n, "index tuples of length %lld for %d dimensions", (long long)length, x->rank);
    if (ir_is_const(indices))
        for (int64_t i = 0, count = ir_type_elements(&indices->type); i < count; i++) {
            int64_t at = ir_const_int(indices, i);
            if (at < 0 || at >= x->dims[i % length])
                return tflite_error(n, "constant index %lld is outside dimension %lld, which has %lld", (long long)at,
                                    (long long)(i % length), (long long)x->dims[i % length]);
        }
    *out_length = (int)length;
    return true;
}

bool tflite_op_gather_nd(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *indices = x ? tflite_input(n, 1) : NULL;
    int length;
    if (!indices || !check_tuples(n, indices, &x->type, &length))
        return false;
    if (indices->type.rank - 1 + x->type.rank - length > IR_MAX_RANK)
        return tflite_error(n, "the result has more than %d dimensions", IR_MAX_RANK);
    if (ir_type_elements(&x->type) == 0)
        return tflite_error(n, "the operand has no elements");
    ir_type shape = indices->type;
    shape.rank--;
    for (int i = length; i < x->type.rank; i++)
        shape.dims[shape.rank++] = x->type.dims[i];
    return tflite_bind_like(n, 0, tflite_emit2(n, IR_GATHER_ND, x, indices), &shape);
}

bool tflite_op_scatter_nd(tflite_node *n)
{
    ir_value *indices = tflite_input(n, 0), *updates = indices ? tflite_input(n, 1) : NULL;
    ir_type to = {0};
    int length;
    if (!updates || !tflite_param_ints(n, 2, "shape", IR_MAX_RANK, to.dims, &to.rank))
        return false;
    to.dtype = updates->type.dtype;
    if (!ir_type_valid(&to))
        return tflite_error(n, "the result's shape is impossible");
    if (!check_tuples(n, indices, &to, &length))
        return false;
    const int outer = indices->type.rank - 1;
    bool fits = updates->type.rank == outer + to.rank - length;
    for (int i = 0; fits && i < updates->type.rank; i++)
        fits = updates->type.dims[i] == (i < outer ? indices->type.dims[i] : to.dims[length + i - outer]);
    if (!fits)
        return tflite_error(n, "the updates' shape does not fit the indices and the result's shape");
    return tflite_bind_like(n, 0, tflite_emit2(n, IR_SCATTER_ND, indices, updates), &to);
}

bool tflite_op_one_hot(tflite_node *n)
{
    ir_value *indices = tflite_input(n, 0), *on = indices ? tflite_input(n, 2) : NULL, *off = on ? tflite_input(n, 3) : NULL;
    int64_t depth;
    int axis;
    if (!off || !tflite_param_int(n, 1, "depth", &depth))
        return false;
    ir_type shape = indices->type;
    if (depth < 0 || depth > IR_MAX_BYTES || shape.rank == IR_MAX_RANK || ir_type_elements(&on->type) != 1 ||
        ir_type_elements(&off->type) != 1)
        return tflite_error(n, "impossible depth, rank or values");
    if (!tflite_axis(n, fb_i32(n->options, ONE_HOT_AXIS, 0), shape.rank + 1, &axis))
        return false;
    for (int i = shape.rank++; i > axis; i--)
        shape.dims[i] = shape.dims[i - 1];
    shape.dims[axis] = depth;
    ir_op *op = tflite_emit(n, IR_ONE_HOT, 3, (ir_value *[]){indices, on, off});
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return tflite_bind_like(n, 0, op, &shape);
}

bool tflite_op_dynamic_update_slice(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *update = x ? tflite_input(n, 1) : NULL, *begin = update ? tflite_input(n, 2) : NULL;
    if (!begin)
        return false;
    bool fits = update->type.rank == x->type.rank && update->type.dtype == x->type.dtype;
    for (int i = 0; fits && i < x->type.rank; i++)
        fits = update->type.dims[i] <= x->type.dims[i];
    if (!fits || ir_type_elements(&begin->type) != x->type.rank || !is_index_type(begin))
        return tflite_error(n, "the update or its place does not fit the operand");
    if (!ir_quant_equal(update->quant, x->quant))
        return tflite_error(n, "operand and update are quantized differently");
    return tflite_bind_like(n, 0, tflite_emit(n, IR_DYNAMIC_UPDATE_SLICE, 3, (ir_value *[]){x, update, begin}), &x->type);
}
