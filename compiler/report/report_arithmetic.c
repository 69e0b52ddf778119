/* report_arithmetic.c: an op of a lowered graph -> on which numbers it computes, and why not on integers. */
#include "compiler/report/report_arithmetic.h"

#include "ir/ref/interp.h"
#include "passes/common/util.h"

const char *const report_arithmetic_names[] = {"int8", "float", "mixed", "data"};
const report_colour report_arithmetic_colours[] = {
    {"#217a5b", "#e3f3ec"}, {"#b9541c", "#fceadf"}, {"#8a7410", "#f8f1d4"}, {"#6b7178", "#f5f6f7"}};

const char *report_op_name(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    const char *name = op->name ? op->name : info->results > 0 ? op->results[0]->name : NULL;
    return name ? name : info->text;
}

static void count_value(const ir_value *v, int *quantized, int *real)
{
    if (!v || ir_is_const(v)) /* what a constant is, the compiler chooses */
        return;
    *quantized += v->quant != NULL;
    *real += !v->quant && ir_dtype_is_float(v->type.dtype);
}

static bool has_scale(const ir_value *v) { return v->quant || (v->def && v->def->code == IR_DEQUANTIZE); }

/* Does a dequantize of 16 bits give it, or a quantize to 16 bits take it, if only behind data movement? */
static bool is_of_16_bits(const ir_value *v)
{
    for (const ir_operand *use = v->uses; use; use = use->next_use)
        if (use->user->code == IR_QUANTIZE && use->user->results[0]->type.dtype == IR_I16)
            return true;
    while (v->def && v->def->operand_count == 1 && ir_op_info_of(v->def->code)->flags & IR_SAME_QUANT)
        v = v->def->operands[0].value;
    return v->def && v->def->code == IR_DEQUANTIZE && v->def->operands[0].value->type.dtype == IR_I16;
}

/* Why an op beside dequantize or quantize is computed in float: the scale that is missing. */
static const char *missing_scale(const ir_graph *g, const ir_op *op)
{
    bool beside = false, quantized = false, wide = is_of_16_bits(op->results[0]), other = op->results[0]->uses == NULL;
    int without = -1;
    for (int i = op->operand_count < 2 ? op->operand_count - 1 : 1; i >= 0; i--) { /* biases need none */
        const ir_value *v = op->operands[i].value;
        beside = beside || (v && has_scale(v));
        wide = wide || (v && is_of_16_bits(v));
        if (v && v->type.dtype == IR_F32 && !has_scale(v))
            without = i;
    }
    for (const ir_operand *use = op->results[0]->uses; use; use = use->next_use)
        *(use->user->code == IR_QUANTIZE ? &quantized : &other) = true;
    if (wide)
        return "beside integers of 16 bits it is computed on real values";
    if (!beside && !quantized)
        return "the file gives no quantization for it";
    if (other || ir_value_is_output(op->results[0]))
        return quantized ? "its real result is used, too" : "its result has no scale";
    if (without >= 0)
        return arena_format(g->arena, "operand %d has no scale", without);
    return "has scales, but no integer form";
}

static bool is_quantized(const ir_value *v) { return v && v->quant; }

/* A product is what its factors are: biases may be real beside integers, and so may the result. */
static report_arithmetic product_arithmetic(const ir_graph *g, const ir_op *op, const char **out_why)
{
    const bool x = is_quantized(op->operands[0].value), w = is_quantized(op->operands[1].value);
    if (ir_mac_is_dynamic(op)) {
        *out_why = "int8, quantized at run time";
        return REPORT_INTEGER;
    }
    if (x && w) {
        *out_why = is_quantized(op->results[0])
                       ? "operands and result are quantized"
                       : "operands are quantized; nothing quantizes the result, so its sums become real";
        return REPORT_INTEGER;
    }
    *out_why = op->why_float ? op->why_float
               : w           ? "the file quantizes the weights, and keeps the activations real-valued"
                             : missing_scale(g, op);
    return REPORT_FLOAT;
}

report_arithmetic report_arithmetic_of(const ir_graph *g, const ir_op *op, const char **out_why)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    int quantized = 0, real = 0;
    if ((info->flags & IR_MAC) || op->code == IR_BATCH_MATMUL)
        return product_arithmetic(g, op, out_why);
    if (pass_is_recurrent(op) && is_quantized(op->operands[1].value)) {
        *out_why = "int8, the state quantized at run time";
        return REPORT_INTEGER;
    }
    for (int i = 0; i < op->operand_count; i++)
        count_value(op->operands[i].value, &quantized, &real);
    for (int i = 0; i < info->results; i++)
        count_value(op->results[i], &quantized, &real);
    switch (op->code) {
    case IR_QUANTIZE:
    case IR_DEQUANTIZE: *out_why = "converts between real and quantized values"; return REPORT_MIXED;
    case IR_DYNAMIC_QUANTIZE: *out_why = "quantizes real values at run time"; return REPORT_MIXED;
    case IR_REQUANTIZE: *out_why = "converts between two quantizations"; return REPORT_INTEGER;
    default: break;
    }
    if (quantized && real) {
        *out_why = op->why_float ? op->why_float : "some of its operands and results are quantized, others real";
        return op->why_float ? REPORT_FLOAT : REPORT_MIXED; /* in float, and writes integers */
    }
    if (quantized) {
        *out_why =
            info->flags & IR_SAME_QUANT ? "moves or compares quantized values" : "operands and results are quantized";
        return REPORT_INTEGER;
    }
    if (!real) {
        *out_why = "works on plain integers or booleans";
        return REPORT_DATA;
    }
    *out_why = op->why_float ? op->why_float : info->results > 0 ? missing_scale(g, op) : "keeps real values";
    return REPORT_FLOAT;
}

int64_t report_constant_bytes(const ir_op *op)
{
    int64_t bytes = 0;
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && ir_is_const(op->operands[i].value))
            bytes += (int64_t)ir_type_bytes(&op->operands[i].value->type);
    return bytes;
}
