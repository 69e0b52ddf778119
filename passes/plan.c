/* plan.c: what the passes that decide about int8 share. */
#include "passes/plan.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "passes/qdq.h"

static const char propagated[] = "propagated from ", known[] = "known range of ";

plan_kind plan_kind_of(const ir_op *op)
{
    if (qdq_is_product(op))
        return PLAN_PRODUCT;
    if (qdq_moves(op) || op->code == IR_CONCAT)
        return PLAN_MOVES;
    return qdq_computes(op) ? PLAN_COMPUTES : PLAN_NONE;
}

bool plan_has_scales(const ir_graph *g)
{
    for (int32_t i = 0; i < g->input_count; i++)
        if (g->inputs[i]->as)
            return true;
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (op->results[i]->as)
                return true;
    return false;
}

bool plan_set_scale(ir_value *v, ir_dtype dtype, const ir_quant *as, const char *from)
{
    if (v->as || v->quant || ir_is_const(v) || v->type.dtype != IR_F32 || as->axis >= 0)
        return false;
    if (!isfinite(as->scale[0]) || as->scale[0] < FLT_MIN)
        return false;
    v->as = as;
    v->as_dtype = dtype;
    v->scale_from = from;
    return true;
}

static bool starts_with(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

bool plan_is_derived(const ir_value *v)
{
    return v->scale_from && (starts_with(v->scale_from, propagated) || starts_with(v->scale_from, known));
}

const char *plan_name(ir_graph *g, const ir_value *v)
{
    return v->name && *v->name ? v->name : arena_format(g->arena, "%%%u", v->id);
}

const char *plan_from(ir_graph *g, const ir_value *v, const char *remark)
{
    if (v->scale_from && starts_with(v->scale_from, propagated))
        return *remark ? arena_format(g->arena, "%s, %s", v->scale_from, remark) : v->scale_from;
    return arena_format(g->arena, "%s%s%s%s", propagated, plan_name(g, v), *remark ? ", " : "", remark);
}

const char *plan_known(ir_graph *g, const ir_value *v)
{
    return arena_format(g->arena, "%s%s", known, ir_op_info_of(v->def->code)->text);
}
