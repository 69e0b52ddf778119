/* qdq.c: building blocks of the passes over fake-quantized graphs. */
#include "passes/common/qdq.h"

#include <float.h>

#include "ir/ref/interp.h"

bool qdq_is_byte(const ir_value *v)
{
    return (v->type.dtype == IR_I8 || v->type.dtype == IR_U8) && v->quant && v->quant->axis < 0 &&
           v->quant->scale[0] >= FLT_MIN;
}

ir_value *qdq_source(const ir_value *v)
{
    if (!v || !v->def || v->def->code != IR_DEQUANTIZE || v->type.dtype != IR_F32)
        return NULL;
    ir_value *x = v->def->operands[0].value;
    return qdq_is_byte(x) ? x : NULL;
}

ir_value *qdq_word_source(const ir_value *v)
{
    if (!v || !v->def || v->def->code != IR_DEQUANTIZE || v->type.dtype != IR_F32)
        return NULL;
    ir_value *x = v->def->operands[0].value;
    const ir_quant *q = x->quant;
    return x->type.dtype == IR_I16 && q && q->axis < 0 && q->zero[0] == 0 && q->scale[0] >= FLT_MIN ? x : NULL;
}

bool qdq_is_target(const ir_op *op)
{
    if (op->code != IR_QUANTIZE || ir_int(op, IR_ATTR_REAL))
        return false;
    const ir_enum_ROUNDING rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    return (ir_rounding_is_real(rounding) || rounding == IR_ROUNDING_AWAY_F32) &&
           op->operands[0].value->type.dtype == IR_F32 && qdq_is_byte(op->results[0]);
}

bool qdq_only_quantized(const ir_value *v)
{
    int count = 0;
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use, count++)
        if (slot->user->code != IR_QUANTIZE)
            return false;
    return count > 0 && count == ir_use_count(v);
}

ir_enum_ACT qdq_act(const ir_op *op)
{
    return ir_has_attr(op, IR_ATTR_ACT) ? (ir_enum_ACT)ir_int(op, IR_ATTR_ACT) : IR_ACT_NONE;
}

ir_enum_ROUNDING qdq_rounding(const ir_op *op)
{
    const ir_enum_ROUNDING rounding =
        op->code == IR_QUANTIZE ? (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING) : IR_ROUNDING_EVEN_F32;
    return rounding == IR_ROUNDING_AWAY_F32 ? IR_ROUNDING_EVEN_F32 : rounding;
}

ir_value *qdq_clone(const ir_op *like, ir_op *before, ir_value *const operands[], ir_dtype dtype, const ir_quant *quant,
                    ir_enum_ACT act)
{
    ir_type type = like->results[0]->type;
    type.dtype = dtype;
    diag ignored = {0};
    ir_value *y = pass_op1(like->graph, like->code, before, like, like->operand_count, operands, type, quant);
    ir_attrs_copy(y->def, like);
    if (ir_has_attr(y->def, IR_ATTR_ACT))
        ir_set_int(y->def, IR_ATTR_ACT, act);
    if (ir_has_attr(y->def, IR_ATTR_ROUNDING))
        ir_set_int(y->def, IR_ATTR_ROUNDING, qdq_rounding(before));
    if (ir_op_supported(y->def, &ignored))
        return y;
    ir_op_erase(y->def);
    return NULL;
}

ir_value *qdq_as_dtype(ir_value *x, ir_dtype dtype, ir_op *before)
{
    if (x->type.dtype == dtype)
        return x;
    ir_type type = x->type;
    type.dtype = dtype;
    ir_graph *g = before->graph;
    return pass_op1(g, IR_REQUANTIZE, before, before, 1, &x, type,
                    pass_quant_shifted(g, x->quant, dtype == IR_U8 ? 128 : -128));
}

void qdq_drop(ir_value *v)
{
    if (v->def && ir_use_count(v) == 0)
        ir_op_erase(v->def);
}
