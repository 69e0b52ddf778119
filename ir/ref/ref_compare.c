/* ref_compare.c: comparisons, boolean arithmetic and select, with broadcasting. */
#include "ir/ref/ref_quant.h"

static bool holds(ir_opcode code, int order, bool unordered)
{
    switch (code) {
    case IR_EQUAL: return !unordered && order == 0;
    case IR_NOT_EQUAL: return unordered || order != 0;
    case IR_LESS: return !unordered && order < 0;
    case IR_LESS_EQUAL: return !unordered && order <= 0;
    case IR_GREATER: return !unordered && order > 0;
    case IR_GREATER_EQUAL: return !unordered && order >= 0;
    default: return false;
    }
}

typedef struct comparison {
    ir_dtype type;
    bool quantized, same; /* same: equal parameters */
    ir_enum_ROUNDING rounding;
    ir_quant_point a, b;
    arith_multiplier multiplier1, multiplier2;
} comparison;

static int order_f32(float a, float b) { return (a > b) - (a < b); }

static int order_quantized(const comparison *c, int32_t a, int32_t b)
{
    a -= c->a.zero;
    b -= c->b.zero;
    if (c->rounding == IR_ROUNDING_EVEN_F32)
        return c->same ? (a > b) - (a < b) : order_f32((float)a * c->a.scale, (float)b * c->b.scale);
    a = ir_mul_fixed(c->rounding, (int32_t)((uint32_t)a << 8), c->multiplier1);
    b = ir_mul_fixed(c->rounding, (int32_t)((uint32_t)b << 8), c->multiplier2);
    return (a > b) - (a < b);
}

bool ir_check_comparison(const ir_op *op, diag *d)
{
    const ir_value *a = op->operands[0].value, *b = op->operands[1].value;
    if (!ir_check_broadcast_shapes(op, 2, d))
        return false;
    if ((!a->quant && !b->quant) || (a->type.dtype != IR_I8 && a->type.dtype != IR_U8 && a->type.dtype != IR_I16))
        return true;
    return ir_check_quantized(op, a, "first operand", d) && ir_check_quantized(op, b, "second operand", d);
}

bool ir_ref_comparison(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_value *a = op->operands[0].value, *b = op->operands[1].value;
    comparison c = {.type = a->type.dtype,
                    .rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING),
                    .a = ir_point_of(a),
                    .b = ir_point_of(b)};
    c.quantized = a->quant && (c.type == IR_I8 || c.type == IR_U8 || c.type == IR_I16);
    c.same = c.a.scale == c.b.scale;
    c.multiplier1 = arith_multiplier_of(c.a.scale);
    c.multiplier2 = arith_multiplier_of(c.b.scale);
    uint8_t *out = results[0];
    for (ir_rows r = ir_rows_of(op, 2); !r.done; ir_rows_next(&r))
        for (int64_t i = 0; i < r.length; i++) {
            const int64_t ia = r.first[0] + i * r.step[0], ib = r.first[1] + i * r.step[1];
            if (c.type == IR_F32) {
                const float x = ir_f32_at(operands[0], ia), y = ir_f32_at(operands[1], ib);
                out[r.out_first + i] = holds(op->code, order_f32(x, y), x != x || y != y);
                continue;
            }
            const int64_t x = ir_int_at(c.type, operands[0], ia), y = ir_int_at(c.type, operands[1], ib);
            const int order = c.quantized ? order_quantized(&c, (int32_t)x, (int32_t)y) : (x > y) - (x < y);
            out[r.out_first + i] = holds(op->code, order, false);
        }
    return true;
}

bool ir_check_logical(const ir_op *op, diag *d) { return ir_check_broadcast_shapes(op, 2, d); }

bool ir_ref_logical(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const uint8_t *x = operands[0], *y = operands[1];
    uint8_t *out = results[0];
    for (ir_rows r = ir_rows_of(op, 2); !r.done; ir_rows_next(&r))
        for (int64_t i = 0; i < r.length; i++) {
            const bool a = x[r.first[0] + i * r.step[0]] != 0, b = y[r.first[1] + i * r.step[1]] != 0;
            out[r.out_first + i] = op->code == IR_LOGICAL_AND ? a && b : a || b;
        }
    return true;
}

bool ir_check_select(const ir_op *op, diag *d)
{
    const ir_value *a = op->operands[1].value, *b = op->operands[2].value, *y = op->results[0];
    if (!ir_check_broadcast_shapes(op, 3, d))
        return false;
    if (!ir_quant_equal(a->quant, y->quant) || !ir_quant_equal(b->quant, y->quant))
        return ir_refuse(op, d, "operands and result differ in quantization");
    return (a->type.dtype == y->type.dtype && b->type.dtype == y->type.dtype) ||
           ir_refuse(op, d, "operands and result differ in type");
}

bool ir_ref_select(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const uint8_t *cond = operands[0];
    const size_t bytes = ir_dtype_bytes(op->results[0]->type.dtype);
    for (ir_rows r = ir_rows_of(op, 3); !r.done; ir_rows_next(&r))
        for (int64_t i = 0; i < r.length; i++) {
            const int from = cond[r.first[0] + i * r.step[0]] ? 1 : 2;
            memcpy((char *)results[0] + (size_t)(r.out_first + i) * bytes,
                   (const char *)operands[from] + (size_t)(r.first[from] + i * r.step[from]) * bytes, bytes);
        }
    return true;
}
