/* fold.c: evaluates ops on constants with the interpreter.
 *
 *     const %0:f16<2> = …                 const %2:f32<2> = …
 *     %1:f32<2> = dequantize %0           %3 = add %x, %2
 *     %3 = add %x, %1
 *
 * Not where the result would be much larger than its operands (a broadcast is cheaper at run time than in the
 * object), not where evaluation would take long, and not where a chain of such ops would take what the file may cause
 * (ir/size_limits.h). */
#include "ir/ref/interp.h"
#include "passes/common/scales.h"

enum { SMALL = 1 << 16, GROWTH = 8, SHARE = 8 };

static bool all_constant(const ir_op *op)
{
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && !ir_is_const(op->operands[i].value))
            return false;
    return op->operand_count > 0;
}

static bool is_worthwhile(const ir_graph *g, const ir_op *op)
{
    int64_t from = 0, to = 0;
    for (int i = 0; i < op->operand_count; i++)
        from += op->operands[i].value ? (int64_t)ir_type_bytes(&op->operands[i].value->type) : 0;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        to += (int64_t)ir_type_bytes(&op->results[i]->type);
    if (ir_eval_takes_long(op))
        return false;
    return (to <= SMALL || to / GROWTH <= from) && (size_t)to <= arena_left(g->arena) / SHARE;
}

/* The integers that the constant stands for: those of the result r, or those of what a movement moved. */
static void keep_scale(ir_graph *g, const ir_op *op, const ir_value *r, ir_value *constant)
{
    const ir_value *x = op->operands[0].value;
    const ir_quant *moved = r->as || !x || !x->as ? NULL : scales_moved(g, op, x->as);
    if (r->as)
        scales_copy(constant, r);
    else if (moved)
        scales_set(constant, x->as_dtype, moved, x->scale_from);
}

/* Replaces the op's results by constants; false when the interpreter does not define the op. */
static bool evaluate(ir_graph *g, ir_op *op, pass_context *c)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    diag ignored = {0};
    const void **operands = ARENA_ARRAY(c->scratch, const void *, op->operand_count);
    void **results = ARENA_ARRAY(c->scratch, void *, info->results);
    if (!ir_op_supported(op, &ignored))
        return false;
    for (int i = 0; i < op->operand_count; i++)
        operands[i] = op->operands[i].value ? op->operands[i].value->data : NULL;
    for (int i = 0; i < info->results; i++)
        results[i] = arena_alloc(g->arena, ir_type_bytes(&op->results[i]->type));
    if (!pass_evaluate(op, operands, results))
        return false;
    for (int i = 0; i < info->results; i++)
        if (ir_first_nan(&op->results[i]->type, results[i]) >= 0) /* constants hold none: it is left to the run */
            return false;
    for (int i = 0; i < info->results; i++) {
        ir_value *r = op->results[i], *constant = ir_const_new(g, r->type, r->quant, results[i]);
        constant->name = r->name;
        constant->scale_from = r->scale_from;
        keep_scale(g, op, r, constant);
        ir_replace_uses(r, constant);
    }
    return true;
}

pass_result pass_fold(ir_graph *g, pass_context *c)
{
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (!(ir_op_info_of(op->code)->flags & IR_PURE) || !all_constant(op) || !is_worthwhile(g, op) ||
            !evaluate(g, op, c))
            continue;
        ir_op_erase(op);
        result = PASS_CHANGED;
    }
    return result;
}
