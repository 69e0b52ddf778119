/* ref_common.c: element access, broadcasting and checks that the evaluators share. */
#include <stdarg.h>
#include <stdio.h>

#include "ir/ref/ref.h"

int64_t ir_int_at(ir_dtype type, const void *data, int64_t i)
{
    switch (type) {
    case IR_I8: return ((const int8_t *)data)[i];
    case IR_U8: return ((const uint8_t *)data)[i];
    case IR_BOOL: return ((const uint8_t *)data)[i] != 0;
    case IR_I16: return ir_i16_at(data, i);
    case IR_U16: return (uint16_t)ir_i16_at(data, i);
    case IR_I32: return ir_i32_at(data, i);
    case IR_U32: return (uint32_t)ir_i32_at(data, i);
    case IR_I64: return ir_i64_at(data, i);
    default: return 0;
    }
}

void ir_int_put(ir_dtype type, void *data, int64_t i, int64_t value)
{
    switch (type) {
    case IR_I8:
    case IR_U8: ((uint8_t *)data)[i] = (uint8_t)value; break;
    case IR_BOOL: ((uint8_t *)data)[i] = value != 0; break;
    case IR_I16:
    case IR_U16: ir_i16_put(data, i, (int16_t)(uint16_t)value); break;
    case IR_I32:
    case IR_U32: ir_i32_put(data, i, (int32_t)(uint32_t)value); break;
    case IR_I64: ir_i64_put(data, i, value); break;
    default: break;
    }
}

void ir_ints_load_i16(ir_dtype type, const void *data, int64_t first, int64_t count, int32_t minus, int16_t out[])
{
    if (type == IR_I8) {
        const int8_t *from = (const int8_t *)data + first;
        for (int64_t i = 0; i < count; i++)
            out[i] = (int16_t)(from[i] - minus);
    } else if (type == IR_U8) {
        const uint8_t *from = (const uint8_t *)data + first;
        for (int64_t i = 0; i < count; i++)
            out[i] = (int16_t)(from[i] - minus);
    } else {
        for (int64_t i = 0; i < count; i++)
            out[i] = (int16_t)(ir_int_at(type, data, first + i) - minus);
    }
}

void ir_ints_load_i32(ir_dtype type, const void *data, int64_t first, int64_t count, int32_t minus, int32_t out[])
{
    if (type == IR_I8) {
        const int8_t *from = (const int8_t *)data + first;
        for (int64_t i = 0; i < count; i++)
            out[i] = from[i] - minus;
    } else if (type == IR_U8) {
        const uint8_t *from = (const uint8_t *)data + first;
        for (int64_t i = 0; i < count; i++)
            out[i] = from[i] - minus;
    } else {
        for (int64_t i = 0; i < count; i++)
            out[i] = (int32_t)(uint32_t)((uint64_t)ir_int_at(type, data, first + i) - (uint64_t)(int64_t)minus);
    }
}

bool ir_broadcast_strides(const ir_type *operand, const ir_type *result, int64_t out_stride[IR_MAX_RANK])
{
    const int shift = result->rank - operand->rank;
    int64_t stride = 1;
    if (shift < 0)
        return false;
    for (int d = result->rank - 1; d >= 0; d--) {
        const int64_t extent = d >= shift ? operand->dims[d - shift] : 1;
        if (extent != 1 && extent != result->dims[d])
            return false;
        out_stride[d] = extent == 1 ? 0 : stride;
        stride *= extent;
    }
    return true;
}

bool ir_refuse(const ir_op *op, diag *d, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return diag_error(d, &op->loc, "%s: %s", ir_op_info_of(op->code)->text, text);
}

bool ir_out_of_memory(const ir_op *op, diag *d) { return diag_out_of_memory(d, &op->loc); }

bool ir_check_nothing(const ir_op *op, diag *d)
{
    (void)op;
    (void)d;
    return true;
}

bool ir_check_same_quant(const ir_op *op, diag *d)
{
    if (!ir_quant_equal(op->operands[0].value->quant, op->results[0]->quant))
        return ir_refuse(op, d, "operand and result differ in quantization");
    return true;
}

bool ir_check_same_shape(const ir_op *op, diag *d)
{
    const ir_type *x = &op->operands[0].value->type, *y = &op->results[0]->type;
    if (x->rank != y->rank || memcmp(x->dims, y->dims, (size_t)x->rank * sizeof x->dims[0]) != 0)
        return ir_refuse(op, d, "operand and result differ in shape");
    return true;
}

bool ir_check_quantized(const ir_op *op, const ir_value *v, const char *what, diag *d)
{
    int32_t min, max;
    if (!v->quant)
        return ir_refuse(op, d, "%s of type %s has no quantization", what, ir_dtype_text(v->type.dtype));
    if (v->quant->axis >= 0 || v->quant->count != 1)
        return ir_refuse(op, d, "%s is quantized per axis, which is supported for weights only", what);
    ir_dtype_range(v->type.dtype, &min, &max);
    if (!(v->quant->scale[0] > 0) || !isfinite(v->quant->scale[0]))
        return ir_refuse(op, d, "%s has scale %g", what, (double)v->quant->scale[0]);
    if (v->quant->zero[0] < min || v->quant->zero[0] > max)
        return ir_refuse(op, d, "%s has zero point %d, outside of %s", what, (int)v->quant->zero[0],
                         ir_dtype_text(v->type.dtype));
    return true;
}

/* ---- Runs ---- */

bool ir_check_broadcast_shapes(const ir_op *op, int operands, diag *d)
{
    int64_t stride[IR_MAX_RANK];
    const ir_type *y = &op->results[0]->type;
    for (int i = 0; i < operands; i++)
        if (!ir_broadcast_strides(&op->operands[i].value->type, y, stride))
            return ir_refuse(op, d, "operand %d does not broadcast to the result's shape", i);
    return true;
}

/* Dimension d of the result can be walked together with d + 1. */
static bool merges(const ir_rows *r, int d)
{
    for (int i = 0; i < r->operands; i++)
        if (r->stride[i][d] != r->stride[i][d + 1] * r->dims[d + 1])
            return false;
    return true;
}

ir_rows ir_rows_of(const ir_op *op, int operands)
{
    const ir_type *y = &op->results[0]->type;
    ir_rows r = {.rank = y->rank, .operands = operands, .done = ir_type_elements(y) == 0};
    memcpy(r.dims, y->dims, sizeof r.dims);
    for (int i = 0; i < operands; i++)
        ir_broadcast_strides(&op->operands[i].value->type, y, r.stride[i]);
    for (int d = r.rank - 2; d >= 0; d--) {
        if (!merges(&r, d))
            continue;
        r.dims[d] *= r.dims[d + 1];
        for (int i = 0; i < operands; i++)
            r.stride[i][d] = r.stride[i][d + 1];
        for (int e = d + 1; e < r.rank - 1; e++) {
            r.dims[e] = r.dims[e + 1];
            for (int i = 0; i < operands; i++)
                r.stride[i][e] = r.stride[i][e + 1];
        }
        r.rank--;
    }
    r.length = r.rank ? r.dims[r.rank - 1] : 1;
    for (int i = 0; i < operands; i++)
        r.step[i] = r.rank ? r.stride[i][r.rank - 1] : 0;
    return r;
}

void ir_rows_next(ir_rows *r)
{
    r->out_first += r->length;
    if (r->rank < 2 || !ir_next_index(r->rank - 1, r->dims, r->index)) {
        r->done = true;
        return;
    }
    for (int i = 0; i < r->operands; i++) {
        r->first[i] = 0;
        for (int d = 0; d < r->rank - 1; d++)
            r->first[i] += r->index[d] * r->stride[i][d];
    }
}
