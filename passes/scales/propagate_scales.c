/* propagate_scales.c: scales spread through ops that keep them, until nothing changes.
 *
 *     %1:f32<1x4x4x8> as u8<0.1, 0> = conv2d …           %1:f32<1x4x4x8> as u8<0.1, 0> = conv2d …
 *     %2:f32<1x2x2x8> = max_pool2d %1                    %2:f32<1x2x2x8> as u8<0.1, 0> from propagated "%1" = …
 *     %3:f32<1x32> = reshape %2                          %3:f32<1x32> as u8<0.1, 0> from propagated "%1" = …
 *
 * What the file has only observed of a value yields to the grid that it rounds to behind ops that move it:
 *
 *     %1:f32 as u8<0.09, 0> from observed = conv2d …           %1:f32 as u8<0.1, 0> from fake_quant "node 2" = conv2d …
 *     %2:f32 as u8<0.1, 0> from fake_quant "node 2" = max_pool2d %1
 *
 * What a value has otherwise is never overwritten, so each value gets a scale at most once and the spreading ends,
 * cycles of ops that share a scale included.  The rules, with x the operand and r the result:
 *
 *     moves or picks (reshape, slice, max_pool2d, …)           x -> r, r -> x
 *     concat                                                    x -> r when all are on one grid, r -> each x
 *     relu                                                      x -> r; where the graph doesn't simulate integers only
 *                                                               if its bounds are on the grid
 *     mul, div by one number c; neg                             scale * |c| (div: / |c|), both ways; c < 0 mirrors the
 *                                                               integers, so that the same reals have one
 *     averages, bilinear resize                                 x -> r, and only when everything else has been done:
 *                                                               their own grid is finer, so that rounds, and only
 *                                                               where the graph simulates integers
 *
 * r -> x only when all who read x give it the same grid: rounding and saturation commute with these ops, but somebody
 * else would get to see the saturation, too. */
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/common/scales.h"
#include "passes/common/simulated.h"

typedef struct spread {
    ir_graph *g;
    ir_value **queue; /* values with a scale whose neighbours have not seen it yet */
    uint32_t head, tail;
    /* By id: of a concat, operands that have scales; of a value, those who move it whose results have. */
    uint32_t *seen;
    uint32_t *uses;        /* by id of a value */
    const bool *simulated; /* by id of an op */
    bool averages, changed;
} spread;

static void give(spread *s, ir_value *v, ir_dtype dtype, const ir_quant *as, ir_origin from)
{
    if (!plan_set_scale(v, dtype, as, from))
        return;
    s->queue[s->tail++] = v;
    s->changed = true;
}

static void pass_on(spread *s, const ir_value *from, ir_value *to, const char *remark)
{
    if (!to->as)
        give(s, to, from->as_dtype, from->as, plan_from(s->g, from, remark));
}

/* Do the integers of a and b stand for the same reals, be they signed or unsigned? */
static bool same_grid(const ir_value *a, const ir_value *b)
{
    int32_t a_min, b_min, max;
    if (!a->as || !b->as || a->as->axis >= 0 || b->as->axis >= 0 ||
        ir_dtype_bytes(a->as_dtype) != ir_dtype_bytes(b->as_dtype))
        return false;
    ir_dtype_range(a->as_dtype, &a_min, &max);
    ir_dtype_range(b->as_dtype, &b_min, &max);
    return a->as->scale[0] == b->as->scale[0] && ir_unused_equal(a->as->unused, b->as->unused) &&
           a->as->zero[0] - a_min == b->as->zero[0] - b_min;
}

/* ---- What kind of op ---- */

typedef enum kind { OTHER, MOVES, JOINS, CLAMPS, SCALES, AVERAGES } kind;

static kind kind_of(const ir_op *op)
{
    switch (op->code) {
    case IR_RESHAPE:
    case IR_TRANSPOSE:
    case IR_MIRROR_PAD:
    case IR_BROADCAST:
    case IR_TILE:
    case IR_REVERSE:
    case IR_DEPTH_TO_SPACE:
    case IR_SPACE_TO_DEPTH:
    case IR_SPACE_TO_BATCH:
    case IR_BATCH_TO_SPACE:
    case IR_RESIZE_NEAREST:
    case IR_SLICE:
    case IR_GATHER:
    case IR_GATHER_ND:
    case IR_REDUCE_MAX:
    case IR_REDUCE_MIN: return MOVES;
    case IR_PAD: return ir_float(op, IR_ATTR_VALUE) == 0 ? MOVES : OTHER;
    case IR_MAX_POOL2D: return ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE ? MOVES : CLAMPS;
    case IR_CONCAT: return JOINS;
    case IR_RELU: return CLAMPS;
    case IR_NEG:
    case IR_MUL:
    case IR_DIV: return SCALES;
    case IR_AVG_POOL2D:
    case IR_RESIZE_BILINEAR:
    case IR_MEAN: return AVERAGES;
    default: return OTHER;
    }
}

/* ---- Scale factors ---- */

/* The operand that the op multiplies with one number, and the number; NULL: something else. */
static ir_value *factor_of(const ir_op *op, double *out_factor)
{
    *out_factor = -1;
    if (op->code == IR_NEG)
        return op->operands[0].value;
    for (int i = 1; i >= (op->code == IR_MUL ? 0 : 1); i--) {
        const ir_value *c = op->operands[i].value;
        ir_value *x = op->operands[!i].value;
        if (!ir_is_const(c) || c->type.dtype != IR_F32 || ir_type_elements(&c->type) != 1 || ir_is_const(x))
            continue;
        double number = ir_const_real(c, 0);
        *out_factor = op->code == IR_DIV ? 1 / number : number;
        return isfinite(*out_factor) && *out_factor != 0 && ir_type_equal(&x->type, &op->results[0]->type) &&
                       ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE
                   ? x
                   : NULL;
    }
    return NULL;
}

/* real * factor = scale * |factor| * (q' - zero') with q' = q, or min + max - q when the factor is negative. */
static void pass_on_scaled(spread *s, const ir_value *from, ir_value *to, double factor)
{
    int32_t min, max, zero;
    if (to->as || from->as->axis >= 0)
        return;
    ir_dtype_range(from->as_dtype, &min, &max);
    zero = factor < 0 ? min + max - from->as->zero[0] : from->as->zero[0];
    float scale = (float)((double)from->as->scale[0] * fabs(factor));
    const char *remark = arena_format(s->g->arena, "times %.9g", factor);
    ir_quant *quant = ir_quant_tensor(s->g, scale, zero);
    const ir_unused unused = from->as->unused;
    quant->unused = factor < 0 ? (ir_unused){unused.above, unused.below} : unused;
    give(s, to, from->as_dtype, quant, plan_from(s->g, from, remark));
}

static void spread_factor(spread *s, const ir_op *op)
{
    double factor;
    ir_value *x = factor_of(op, &factor), *r = op->results[0];
    if (x && x->as)
        pass_on_scaled(s, x, r, factor);
    else if (x && r->as && s->uses[x->id] == 1)
        pass_on_scaled(s, r, x, 1 / factor);
}

/* ---- Spreading ---- */

static void join_operands(spread *s, const ir_op *concat)
{
    const ir_value *first = concat->operands[0].value;
    for (int i = 1; i < concat->operand_count; i++)
        if (!same_grid(first, concat->operands[i].value))
            return;
    pass_on(s, first, concat->results[0], "");
}

/* Is what the op makes of reals on v's grid on that grid, too? */
static bool stays_on_grid(const ir_op *op, const ir_value *v)
{
    double lo, hi;
    scales_act_bounds(qdq_act(op), &lo, &hi);
    return scales_clamp_keeps_grid(v->as_dtype, v->as, lo, hi);
}

/* v has a scale, and `op` uses it. */
static void spread_down(spread *s, const ir_value *v, const ir_operand *slot)
{
    const ir_op *op = slot->user;
    kind k = kind_of(op);
    if (k == JOINS && ++s->seen[op->id] == (uint32_t)op->operand_count)
        join_operands(s, op);
    if (k == SCALES)
        spread_factor(s, op);
    if (slot != op->operands)
        return;
    const bool simulated = s->simulated[op->id];
    if (k == MOVES || (k == CLAMPS && (simulated || stays_on_grid(op, v))))
        pass_on(s, v, op->results[0], "");
    if (k == AVERAGES && s->averages && simulated)
        pass_on(s, v, op->results[0], "whose grid is coarser than that of a mean");
}

/* To x, if r is the last of the results of those who move x to get a scale, nobody else reads x, and all are alike. */
static void spread_back(spread *s, const ir_value *r, ir_value *x)
{
    if (++s->seen[x->id] != s->uses[x->id])
        return;
    for (const ir_operand *slot = x->uses; slot; slot = slot->next_use) {
        kind k = kind_of(slot->user);
        if ((k != JOINS && (k != MOVES || slot != slot->user->operands)) || !same_grid(slot->user->results[0], r))
            return;
    }
    pass_on(s, r, x, "");
}

/* v has a scale, and `op` defines it. */
static void spread_up(spread *s, const ir_value *v, const ir_op *op)
{
    switch (kind_of(op)) {
    case MOVES: spread_back(s, v, op->operands[0].value); break;
    case SCALES: spread_factor(s, op); break;
    case JOINS:
        for (int i = 0; i < op->operand_count; i++)
            spread_back(s, v, op->operands[i].value);
        break;
    default: break;
    }
}

static void start_with(spread *s, ir_value *v)
{
    s->uses[v->id] = (uint32_t)ir_use_count(v);
    if (v->as && v->as->axis < 0 && !ir_is_const(v))
        s->queue[s->tail++] = v;
}

static void run(spread *s, arena *scratch, bool averages)
{
    uint32_t ids = s->g->next_id;
    s->averages = averages;
    s->head = s->tail = 0;
    s->queue = ARENA_ARRAY(scratch, ir_value *, ids);
    s->seen = ARENA_ARRAY(scratch, uint32_t, ids);
    s->uses = ARENA_ARRAY(scratch, uint32_t, ids);
    for (int32_t i = 0; i < s->g->input_count; i++)
        start_with(s, s->g->inputs[i]);
    for (const ir_op *op = s->g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            start_with(s, op->results[i]);
    while (s->head < s->tail) {
        const ir_value *v = s->queue[s->head++];
        if (v->def)
            spread_up(s, v, v->def);
        for (const ir_operand *slot = v->uses; slot; slot = slot->next_use)
            spread_down(s, v, slot);
    }
}

/* The result, on a grid of the file, of one of the ops that move x, if those are all who read x, and agree; for a result
 * without a grid what is behind it counts, `behind` by id.  NULL: there is none. */
static const ir_value *fixed_behind(const ir_value *x, const ir_value *const behind[])
{
    const ir_value *fixed = NULL;
    int count = 0;
    for (const ir_operand *slot = x->uses; slot; slot = slot->next_use, count++) {
        if (kind_of(slot->user) != MOVES || slot != slot->user->operands)
            return NULL;
        const ir_value *result = slot->user->results[0], *r = !result->as               ? behind[result->id]
                                                              : scales_is_fixed(result) ? result
                                                                                        : NULL;
        if (!r || (fixed && !same_grid(fixed, r)))
            return NULL;
        fixed = r;
    }
    return count == ir_use_count(x) ? fixed : NULL;
}

/* From the last op to the first, so that what yields can make others yield. */
static bool yield_to_fixed(ir_graph *g, arena *scratch)
{
    const ir_value **behind = ARENA_ARRAY(scratch, const ir_value *, g->next_id); /* of values without a grid */
    bool changed = false;
    for (ir_op *op = g->last; op; op = op->prev)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
            ir_value *x = op->results[i];
            if (x->as && x->scale_from.source != IR_SCALE_OBSERVED)
                continue;
            const ir_value *fixed = fixed_behind(x, behind);
            behind[x->id] = fixed;
            if (!fixed || !x->as)
                continue;
            scales_copy(x, fixed);
            changed = true;
        }
    return changed;
}

pass_result pass_propagate_scales(ir_graph *g, pass_context *c)
{
    if (c->options->quantize == PASS_QUANTIZE_NONE)
        return PASS_UNCHANGED;
    spread s = {
        .g = g, .simulated = simulated_ops(g, c->options, c->scratch), .changed = yield_to_fixed(g, c->scratch)};
    run(&s, c->scratch, false);
    run(&s, c->scratch, true);
    return s.changed ? PASS_CHANGED : PASS_UNCHANGED;
}
