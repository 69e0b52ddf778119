/* ref_move.c: ops that only move elements: result element = some operand element, or a constant.
 *
 *     reshape transpose concat slice pad mirror_pad broadcast tile reverse dynamic_update_slice
 *
 * Nearly all are one walk over a box with different steps on both sides. */
#include "ir/ref/ref_move.h"

#include <limits.h>

/* ---- Shared helpers ---- */

void ir_dense_steps(const ir_type *type, int64_t steps[IR_MAX_RANK])
{
    int64_t step = 1;
    for (int i = type->rank - 1; i >= 0; i--) {
        steps[i] = step;
        step *= type->dims[i];
    }
}

static void move_row(int64_t count, size_t width, unsigned char *to, int64_t to_step, const unsigned char *from,
                     int64_t from_step)
{
    if (to_step == 1 && from_step == 1) {
        memcpy(to, from, (size_t)count * width);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        memcpy(to + i * to_step * (int64_t)width, from + i * from_step * (int64_t)width, width);
}

void ir_move(const ir_walk *walk, size_t width, void *to, const void *from)
{
    int64_t at[2 * IR_MAX_RANK] = {0};
    int64_t to_offset = 0, from_offset = 0;
    const int last = walk->rank - 1;
    if (walk->rank == 0) {
        memcpy(to, from, width);
        return;
    }
    for (int i = 0; i < walk->rank; i++)
        if (walk->dims[i] == 0)
            return;
    for (;;) {
        move_row(walk->dims[last], width, (unsigned char *)to + to_offset * (int64_t)width, walk->to_step[last],
                 (const unsigned char *)from + from_offset * (int64_t)width, walk->from_step[last]);
        int i = last - 1;
        for (; i >= 0; i--) {
            to_offset += walk->to_step[i];
            from_offset += walk->from_step[i];
            if (++at[i] < walk->dims[i])
                break;
            to_offset -= walk->to_step[i] * walk->dims[i];
            from_offset -= walk->from_step[i] * walk->dims[i];
            at[i] = 0;
        }
        if (i < 0)
            return;
    }
}

static int64_t quantized(ir_dtype dtype, const ir_quant *quant, double real)
{
    int32_t low, high;
    ir_quant_range(dtype, quant, &low, &high);
    return ir_truncated(round(real / (double)quant->scale[0]) + quant->zero[0], low, high);
}

void ir_element_of(ir_dtype dtype, const ir_quant *quant, float real, unsigned char out[8])
{
    const double real64 = real;
    const uint16_t half = ir_f32_to_f16(real);
    memset(out, 0, 8);
    switch (dtype) {
    case IR_F32: memcpy(out, &real, sizeof real); break;
    case IR_F64: memcpy(out, &real64, sizeof real64); break;
    case IR_F16: memcpy(out, &half, sizeof half); break;
    case IR_BOOL: out[0] = real != 0; break;
    default: ir_int_put(dtype, out, 0, quant ? quantized(dtype, quant, real64) : ir_truncated_to(dtype, real64)); break;
    }
}

void ir_fill(void *to, int64_t count, size_t width, const unsigned char element[8])
{
    for (int64_t i = 0; i < count; i++)
        memcpy((unsigned char *)to + (size_t)i * width, element, width);
}

static size_t width_of(const ir_op *op) { return ir_dtype_bytes(ir_result_type(op, 0)->dtype); }

/* A walk that writes the whole result densely. */
static ir_walk result_walk(const ir_op *op)
{
    const ir_type *y = ir_result_type(op, 0);
    ir_walk walk = {.rank = y->rank};
    memcpy(walk.dims, y->dims, (size_t)y->rank * sizeof y->dims[0]);
    ir_dense_steps(y, walk.to_step);
    return walk;
}

static unsigned char *result_at(const ir_op *op, void *result, int64_t element)
{
    return (unsigned char *)result + element * (int64_t)width_of(op);
}

static const unsigned char *operand_at(const ir_op *op, const void *operand, int64_t element)
{
    return (const unsigned char *)operand + element * (int64_t)width_of(op);
}

/* ---- reshape ---- */

bool ir_check_reshape(const ir_op *op, diag *d)
{
    if (ir_type_elements(ir_operand_type(op, 0)) != ir_type_elements(ir_result_type(op, 0)))
        return ir_refuse(op, d, "operand and result differ in size");
    return true;
}

bool ir_ref_reshape(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const size_t bytes = ir_type_bytes(ir_result_type(op, 0));
    if (bytes)
        memcpy(results[0], operands[0], bytes);
    return true;
}

/* ---- transpose ---- */

bool ir_check_transpose(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const int64_t *perm;
    if (ir_ints(op, IR_ATTR_PERM, &perm) != x->rank || y->rank != x->rank)
        return ir_refuse(op, d, "perm needs one entry a dimension");
    unsigned seen = 0;
    for (int i = 0; i < x->rank; i++) {
        if (perm[i] < 0 || perm[i] >= x->rank || (seen >> perm[i] & 1) || x->dims[perm[i]] != y->dims[i])
            return ir_refuse(op, d, "perm is no permutation that gives the result's shape");
        seen |= 1u << perm[i];
    }
    return true;
}

bool ir_ref_transpose(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    ir_walk walk = result_walk(op);
    int64_t steps[IR_MAX_RANK];
    ir_dense_steps(ir_operand_type(op, 0), steps);
    for (int i = 0; i < walk.rank; i++)
        walk.from_step[i] = steps[ir_ints_at(op, IR_ATTR_PERM, i)];
    ir_move(&walk, width_of(op), results[0], operands[0]);
    return true;
}

/* ---- concat ---- */

bool ir_check_concat(const ir_op *op, diag *d)
{
    const ir_type *y = ir_result_type(op, 0);
    const int64_t axis = ir_int(op, IR_ATTR_AXIS);
    if (axis < 0 || axis >= y->rank)
        return ir_refuse(op, d, "axis outside the shape");
    int64_t total = 0;
    for (int k = 0; k < op->operand_count; k++) {
        if (!op->operands[k].value)
            return ir_refuse(op, d, "operand %d is absent", k);
        const ir_value *x = op->operands[k].value;
        ir_type like = *y;
        if (x->type.rank == y->rank)
            like.dims[axis] = x->type.dims[axis];
        if (!ir_type_equal(&like, &x->type))
            return ir_refuse(op, d, "operand %d does not fit the result's shape", k);
        if (!ir_quant_equal(x->quant, op->results[0]->quant))
            return ir_refuse(op, d, "operand %d and result differ in quantization", k);
        total += x->type.dims[axis];
    }
    if (total != y->dims[axis])
        return ir_refuse(op, d, "the extents along the axis do not sum up to the result's");
    return true;
}

bool ir_ref_concat(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *y = ir_result_type(op, 0);
    const int axis = (int)ir_int(op, IR_ATTR_AXIS);
    size_t outer = 1, inner = width_of(op), at = 0;
    for (int i = 0; i < axis; i++)
        outer *= (size_t)y->dims[i];
    for (int i = axis + 1; i < y->rank; i++)
        inner *= (size_t)y->dims[i];
    const size_t row = (size_t)y->dims[axis] * inner;
    for (int k = 0; k < op->operand_count; k++) {
        const size_t part = (size_t)ir_operand_type(op, k)->dims[axis] * inner;
        for (size_t o = 0; o < outer && part; o++)
            memcpy((unsigned char *)results[0] + o * row + at, (const unsigned char *)operands[k] + o * part, part);
        at += part;
    }
    return true;
}

/* ---- slice ---- */

bool ir_check_slice(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const int64_t *begin, *step;
    if (ir_ints(op, IR_ATTR_BEGIN, &begin) != x->rank || ir_ints(op, IR_ATTR_STEP, &step) != x->rank ||
        y->rank != x->rank)
        return ir_refuse(op, d, "begin and step need one entry a dimension");
    for (int i = 0; i < x->rank; i++) {
        if (step[i] == 0 || step[i] > INT_MAX || step[i] < -INT_MAX)
            return ir_refuse(op, d, "step %lld", (long long)step[i]);
        if (y->dims[i] == 0)
            continue;
        if (begin[i] < 0 || begin[i] >= x->dims[i])
            return ir_refuse(op, d, "begins outside the operand");
        const int64_t last = begin[i] + step[i] * (y->dims[i] - 1);
        if (last < 0 || last >= x->dims[i])
            return ir_refuse(op, d, "reaches outside the operand");
    }
    return ir_check_same_quant(op, d);
}

bool ir_ref_slice(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    ir_walk walk = result_walk(op);
    int64_t steps[IR_MAX_RANK], first = 0;
    ir_dense_steps(ir_operand_type(op, 0), steps);
    for (int i = 0; i < walk.rank; i++) {
        if (walk.dims[i] == 0)
            return true;
        walk.from_step[i] = ir_ints_at(op, IR_ATTR_STEP, i) * steps[i];
        first += ir_ints_at(op, IR_ATTR_BEGIN, i) * steps[i];
    }
    ir_move(&walk, width_of(op), results[0], operand_at(op, operands[0], first));
    return true;
}

/* ---- pad, mirror_pad ---- */

bool ir_check_pad(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const int64_t *before, *after;
    if (ir_ints(op, IR_ATTR_BEFORE, &before) != x->rank || ir_ints(op, IR_ATTR_AFTER, &after) != x->rank ||
        y->rank != x->rank)
        return ir_refuse(op, d, "before and after need one entry a dimension");
    for (int i = 0; i < x->rank; i++)
        if (before[i] < 0 || after[i] < 0 || before[i] > IR_MAX_BYTES || after[i] > IR_MAX_BYTES ||
            before[i] + x->dims[i] + after[i] != y->dims[i])
            return ir_refuse(op, d, "operand and border do not sum up to the result's shape");
    return ir_check_same_quant(op, d);
}

bool ir_ref_pad(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    ir_walk walk = {.rank = x->rank};
    ir_dense_steps(y, walk.to_step);
    ir_dense_steps(x, walk.from_step);
    int64_t first = 0;
    for (int i = 0; i < x->rank; i++) {
        walk.dims[i] = x->dims[i];
        first += ir_ints_at(op, IR_ATTR_BEFORE, i) * walk.to_step[i];
    }
    unsigned char element[8];
    ir_element_of(y->dtype, op->operands[0].value->quant, ir_float(op, IR_ATTR_VALUE), element);
    ir_fill(results[0], ir_type_elements(y), width_of(op), element);
    if (ir_type_elements(x) > 0)
        ir_move(&walk, width_of(op), result_at(op, results[0], first), operands[0]);
    return true;
}

bool ir_check_mirror_pad(const ir_op *op, diag *d)
{
    const int64_t skip = ir_int(op, IR_ATTR_MIRROR) == IR_MIRROR_REFLECT;
    const ir_type *x = ir_operand_type(op, 0);
    if (!ir_check_pad(op, d))
        return false;
    for (int i = 0; i < x->rank; i++) {
        const int64_t before = ir_ints_at(op, IR_ATTR_BEFORE, i), after = ir_ints_at(op, IR_ATTR_AFTER, i);
        if ((before || after) && (before > x->dims[i] - skip || after > x->dims[i] - skip))
            return ir_refuse(op, d, "the border is wider than what it mirrors");
    }
    return true;
}

/* Where in [0, extent) the mirrored coordinate lies; skip is 1 when the edge is not repeated. */
static int64_t mirrored(int64_t at, int64_t extent, int64_t skip)
{
    if (at < 0)
        return -at - 1 + skip;
    return at < extent ? at : 2 * extent - 1 - skip - at;
}

bool ir_ref_mirror_pad(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const int64_t skip = ir_int(op, IR_ATTR_MIRROR) == IR_MIRROR_REFLECT;
    int64_t to_step[IR_MAX_RANK], from_step[IR_MAX_RANK];
    ir_dense_steps(y, to_step);
    ir_dense_steps(x, from_step);
    const int64_t count = ir_type_elements(y);
    for (int64_t e = 0; e < count; e++) {
        int64_t from = 0, rest = e;
        for (int i = 0; i < y->rank; i++) {
            from += mirrored(rest / to_step[i] - ir_ints_at(op, IR_ATTR_BEFORE, i), x->dims[i], skip) * from_step[i];
            rest %= to_step[i];
        }
        memcpy(result_at(op, results[0], e), operand_at(op, operands[0], from), width_of(op));
    }
    return true;
}

/* ---- broadcast, tile, reverse ---- */

bool ir_check_broadcast(const ir_op *op, diag *d)
{
    int64_t steps[IR_MAX_RANK];
    if (!ir_broadcast_strides(ir_operand_type(op, 0), ir_result_type(op, 0), steps))
        return ir_refuse(op, d, "the operand's shape does not broadcast to the result's");
    return ir_check_same_quant(op, d);
}

bool ir_ref_broadcast(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    ir_walk walk = result_walk(op);
    ir_broadcast_strides(ir_operand_type(op, 0), ir_result_type(op, 0), walk.from_step);
    ir_move(&walk, width_of(op), results[0], operands[0]);
    return true;
}

bool ir_check_tile(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    if (x->rank != y->rank)
        return ir_refuse(op, d, "operand and result differ in rank");
    for (int i = 0; i < x->rank; i++)
        if (x->dims[i] == 0 ? y->dims[i] != 0 : y->dims[i] % x->dims[i] != 0)
            return ir_refuse(op, d, "the result's extent is no multiple of the operand's");
    return ir_check_same_quant(op, d);
}

/* Each dimension becomes two: the repetition, which does not move the source, and the extent. */
bool ir_ref_tile(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    int64_t to_step[IR_MAX_RANK], from_step[IR_MAX_RANK];
    ir_dense_steps(y, to_step);
    ir_dense_steps(x, from_step);
    ir_walk walk = {.rank = 2 * x->rank};
    for (int i = 0; i < x->rank; i++) {
        walk.dims[2 * i] = x->dims[i] ? y->dims[i] / x->dims[i] : 0;
        walk.dims[2 * i + 1] = x->dims[i];
        walk.to_step[2 * i] = x->dims[i] * to_step[i];
        walk.to_step[2 * i + 1] = to_step[i];
        walk.from_step[2 * i + 1] = from_step[i];
    }
    ir_move(&walk, width_of(op), results[0], operands[0]);
    return true;
}

bool ir_check_reverse(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0);
    const int64_t *axes;
    const int count = ir_ints(op, IR_ATTR_AXES, &axes);
    unsigned seen = 0;
    for (int k = 0; k < count; k++) {
        if (axes[k] < 0 || axes[k] >= x->rank || (seen >> axes[k] & 1))
            return ir_refuse(op, d, "axes must be different dimensions of the operand");
        seen |= 1u << axes[k];
    }
    return ir_check_same_shape(op, d) && ir_check_same_quant(op, d);
}

bool ir_ref_reverse(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    ir_walk walk = result_walk(op);
    ir_dense_steps(ir_operand_type(op, 0), walk.from_step);
    const int64_t *axes;
    const int count = ir_ints(op, IR_ATTR_AXES, &axes);
    int64_t first = 0;
    if (ir_type_elements(ir_result_type(op, 0)) == 0)
        return true;
    for (int k = 0; k < count; k++) {
        first += (walk.dims[axes[k]] - 1) * walk.from_step[axes[k]];
        walk.from_step[axes[k]] = -walk.from_step[axes[k]];
    }
    ir_move(&walk, width_of(op), results[0], operand_at(op, operands[0], first));
    return true;
}

/* ---- dynamic_update_slice ---- */

bool ir_check_dynamic_update_slice(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0), *update = ir_operand_type(op, 1);
    if (update->rank != x->rank || ir_type_elements(ir_operand_type(op, 2)) != x->rank)
        return ir_refuse(op, d, "operand, update and begin do not have the same number of dimensions");
    for (int i = 0; i < x->rank; i++)
        if (update->dims[i] > x->dims[i])
            return ir_refuse(op, d, "the update is larger than what it updates");
    return ir_check_same_shape(op, d) && ir_check_same_quant(op, d);
}

bool ir_ref_dynamic_update_slice(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0), *update = ir_operand_type(op, 1), *begin = ir_operand_type(op, 2);
    ir_walk walk = {.rank = x->rank};
    ir_dense_steps(x, walk.to_step);
    ir_dense_steps(update, walk.from_step);
    int64_t first = 0;
    for (int i = 0; i < x->rank; i++) {
        const int64_t at = ir_int_at(begin->dtype, operands[2], i), room = x->dims[i] - update->dims[i];
        first += (at < 0 ? 0 : at > room ? room : at) * walk.to_step[i];
        walk.dims[i] = update->dims[i];
    }
    if (ir_type_bytes(x))
        memcpy(results[0], operands[0], ir_type_bytes(x));
    if (ir_type_elements(update) > 0)
        ir_move(&walk, width_of(op), result_at(op, results[0], first), operands[1]);
    return true;
}
