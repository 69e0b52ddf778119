/* eltwise_ops.c: which family of kernels an element-wise op is done by, from the types it works on. */
#include "compiler/codegen/codegen.h"

static bool is_narrow(ir_dtype t) { return t == IR_I8 || t == IR_U8 || t == IR_I16; }

static bool is_per_tensor(const ir_value *v)
{
    return v->quant && v->quant->axis < 0 && ir_dtype_bytes(v->type.dtype) <= 2;
}

static bool are_per_tensor(const ir_op *op)
{
    return is_per_tensor(op->operands[0].value) && is_per_tensor(op->operands[1].value);
}

#define PER_AXIS "operands that are not quantized alike"

/* Two quantized operands: arithmetic of their own, or tables. */
static bool is_quantized_pair(const ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    return x->quant && is_narrow(x->type.dtype) && op->operand_count == 2;
}

static bool is_lookup(const ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    return x->quant && is_narrow(x->type.dtype) && op->operand_count == 1 && ir_op_info_of(op->code)->flags & IR_LOOKUP;
}

static bool compares(const ir_op *op) { return op->results[0]->type.dtype == IR_BOOL; }

cg_fit cg_eltwise_f32_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if(op->operands[0].value->type.dtype == IR_F32, NULL);
}

cg_fit cg_eltwise_compare_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    if (!is_quantized_pair(op) || !compares(op))
        return cg_best_if(false, NULL);
    return cg_best_if(are_per_tensor(op), PER_AXIS);
}

/* Is there arithmetic for it on vectors? */
static bool is_exact(const ir_op *op)
{
    return op->code != IR_DIV || ir_int(op, IR_ATTR_ROUNDING) == IR_ROUNDING_EVEN_F32;
}

cg_fit cg_eltwise_quantized_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    if (!is_quantized_pair(op) || compares(op))
        return cg_best_if(false, NULL);
    if (!are_per_tensor(op) || !is_per_tensor(op->results[0]))
        return cg_best_if(false, PER_AXIS);
    return cg_best_if(is_exact(op), "16-bit operands in fixed-point arithmetic");
}

cg_fit cg_eltwise_pairs_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    if (!is_quantized_pair(op) || compares(op))
        return cg_best_if(false, NULL);
    for (int i = 0; i < 3; i++) {
        const ir_value *v = i < 2 ? op->operands[i].value : op->results[0];
        if (!is_per_tensor(v) || ir_dtype_bytes(v->type.dtype) != 1)
            return cg_best_if(false, NULL);
    }
    return (cg_fit){.how = is_exact(op) ? CG_CAN : CG_BEST};
}

static bool is_byte(ir_dtype t) { return t == IR_I8 || t == IR_U8; }

cg_fit cg_lookup_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if((op->code == IR_REQUANTIZE || is_lookup(op)) && is_byte(op->operands[0].value->type.dtype) &&
                          is_byte(op->results[0]->type.dtype),
                      NULL);
}

/* Of bytes, too, where lookup doesn't do it. */
cg_fit cg_lookup_wide_fits(const ir_op *op, const target_info *target)
{
    const bool narrow = ir_dtype_bytes(op->operands[0].value->type.dtype) <= 2;
    (void)target;
    return (cg_fit){.how = narrow && (op->code == IR_REQUANTIZE || is_lookup(op)) ? CG_CAN : CG_CANNOT};
}

cg_fit cg_eltwise_int_fits(const ir_op *op, const target_info *target)
{
    const ir_dtype t = op->operands[0].value->type.dtype;
    (void)target;
    return cg_best_if(!ir_dtype_is_float(t) && !is_quantized_pair(op) && !is_lookup(op), NULL);
}

cg_fit cg_requantize_i32_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    if (op->operands[0].value->type.dtype != IR_I32)
        return cg_best_if(false, NULL);
    return cg_best_if(is_per_tensor(op->results[0]), PER_AXIS);
}

cg_fit cg_dequantize_fits(const ir_op *op, const target_info *target)
{
    const ir_value *x = op->operands[0].value;
    (void)target;
    return cg_best_if(x->type.dtype == IR_F16 || (x->quant && x->quant->axis < 0), "quantization per axis");
}

cg_fit cg_quantize_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if(is_per_tensor(op->results[0]), "quantization per axis, or to more than 16 bits");
}
