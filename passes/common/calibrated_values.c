/* calibrated_values.c: which values of a float graph get a grid of their own.
 *
 *     %2 = conv2d %0, %1        %0: a product reads it            %9 = fully_connected %8   none: the result of the model
 *     %3 = mul %2, 0.1667       none: between %2 and %5 there        stays real, where products can have real results
 *     %4 = add %3, 0.5              is a function of one number,  %6 = max_pool2d %5        none: propagate_scales gives
 *     %5 = mul %2, %4               which becomes one table       %7 = reshape %6           both the grid of %7
 *
 * What moves data shares the grid of its neighbours: where only such an op reads a value the grid is that of its
 * result, which may be narrower, and is the one of all operands of a concat; otherwise the result has the operand's.
 *
 * Ops behind the last product stay real where they are cheap beside the products: their results are the model's, or
 * become boxes and classes, and rounding them gains nothing. */
#include "passes/common/calibrated_values.h"

#include <string.h>

#include "passes/common/gate.h"
#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/common/real_sum.h"
#include "passes/common/scales.h"

enum {
    MAX_DEPTH = 10, /* of functions of one number: less than byte_function.c takes */
    TAIL_COST = 16, /* of an element in float behind the last product, in multiply-adds on integers */
    TAIL_SHARE = 64 /* of the products' multiply-adds that the tail may cost */
};

typedef struct scan {
    const ir_graph *g;
    const ir_value *const *source; /* as calibrated_sources */
    bool *needed;                  /* some op on integers reads it, maybe after it has been moved */
    bool *wanted;
    bool *shares;  /* a result of moves: its grid can spread back to where its elements come from */
    bool *reaches; /* a product reads it, or what is computed from it */
    bool real_tail;
    bool gates;    /* products take in a hard-swish, and a residual before they round */
    bool exchange; /* other formats have no product of integers with a real result */
} scan;

static bool is_real(const ir_value *v) { return v->type.dtype == IR_F32; }

static bool same_shape(const ir_value *a, const ir_value *b)
{
    return a->type.rank == b->type.rank &&
           memcmp(a->type.dims, b->type.dims, sizeof a->type.dims[0] * (size_t)a->type.rank) == 0;
}

/* ---- Functions of one number ---- */

static const ir_value *source_of(const ir_value *const sources[], const ir_value *v)
{
    return sources[v->id] ? sources[v->id] : v;
}

static void find_source(const ir_op *op, const ir_value *sources[], uint8_t depths[])
{
    const ir_value *r = op->results[0], *source = NULL;
    int depth = 0;
    if (!(ir_op_info_of(op->code)->flags & IR_ELEMENTWISE) || op->keep_float || !is_real(r))
        return;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && pass_is_number(v))
            continue;
        if (!v || !is_real(v) || ir_is_const(v) || v->as || !same_shape(v, r) ||
            (source && source_of(sources, v) != source))
            return;
        source = source_of(sources, v);
        depth = depths[v->id] > depth ? depths[v->id] : depth;
    }
    if (!source || depth >= MAX_DEPTH)
        return;
    sources[r->id] = source;
    depths[r->id] = (uint8_t)(depth + 1);
}

const ir_value *const *calibrated_sources(const ir_graph *g, const pass_options *o, arena *a)
{
    const ir_value **sources = ARENA_ARRAY(a, const ir_value *, g->next_id);
    uint8_t *depths = ARENA_ARRAY(a, uint8_t, g->next_id);
    /* Ops asked for by their kind are to be integers one by one. */
    for (const ir_op *op = g->first; op && o->quantized_ops.count == 0; op = op->next)
        if (ir_op_info_of(op->code)->results == 1)
            find_source(op, sources, depths);
    return sources;
}

/* Does the op continue a function that v is, or begins? */
static bool continues(const scan *s, const ir_op *op, const ir_value *v)
{
    return ir_op_info_of(op->code)->results == 1 && s->source[op->results[0]->id] == source_of(s->source, v);
}

/* Is v in the middle of a function, for all who read it? */
static bool is_inside(const scan *s, const ir_value *v)
{
    if (!s->source[v->id] || ir_value_is_output(v) || !v->uses)
        return false;
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use)
        if (!continues(s, slot->user, v))
            return false;
    return true;
}

/* ---- What reads a value ---- */

static bool moves_alone(const ir_value *v) { return ir_use_count(v) == 1 && v->uses && plan_is_moved_by(v->uses); }

/* Is r's operand, or whatever its elements were moved from before, read by these moves alone? */
static void find_shared(scan *s, const ir_op *op)
{
    const ir_value *x = op->operand_count > 0 ? op->operands[0].value : NULL;
    if (plan_kind_of(op) != PLAN_MOVES)
        return;
    const bool moved = x->def && plan_kind_of(x->def) == PLAN_MOVES;
    s->shares[op->results[0]->id] =
        op->code == IR_CONCAT || ir_is_const(x) || (moves_alone(x) && (!moved || s->shares[x->id]));
}

static bool is_needed_by(const scan *s, const ir_operand *slot)
{
    const ir_op *op = slot->user;
    const int i = (int)(slot - op->operands);
    const ir_value *r = ir_op_info_of(op->code)->results == 1 ? op->results[0] : NULL;
    if (!r || op->keep_float)
        return false;
    if (continues(s, op, slot->value) || plan_is_moved_by(slot))
        return s->needed[r->id] || s->wanted[r->id];
    switch (plan_kind_of(op)) {
    case PLAN_PRODUCT: return i < 2;
    case PLAN_COMPUTES: return (s->reaches[r->id] || !s->real_tail) && !qdq_stays_real(op, i);
    default: return false;
    }
}

static void look_at_uses(scan *s, const ir_value *v)
{
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use) {
        const ir_op *op = slot->user;
        s->reaches[v->id] |= plan_kind_of(op) == PLAN_PRODUCT && !op->keep_float;
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            s->reaches[v->id] |= s->reaches[op->results[i]->id];
        s->needed[v->id] |= is_needed_by(s, slot);
    }
}

/* ---- What makes it ---- */

/* Has the average no integer form with a grid of its own?  Then it keeps its operand's. */
static bool keeps_scale(const ir_op *op)
{
    if (op->code == IR_RESIZE_BILINEAR || op->code == IR_MAX_POOL2D)
        return true;
    for (int i = 0; op->code == IR_AVG_POOL2D && i < 4; i++)
        if (ir_ints_at(op, IR_ATTR_PAD, i) != 0)
            return true;
    return false;
}

static bool adds_bias(ir_op *op) { return op->code == IR_ADD && plan_product_of(op); }

/* Is v in the middle of a gate that a product takes in? */
static bool is_in_gate(const scan *s, const ir_value *v)
{
    gate behind;
    const ir_op *product = s->gates && v->def ? gate_product(v->def) : NULL;
    return product && gate_of(product, &behind) && gate_result(&behind) != v;
}

static bool makes_grid(const scan *s, const ir_value *v)
{
    ir_op *op = v->def;
    const bool needed = s->needed[v->id];
    gate behind;
    if (!op)
        return needed;
    if (op->keep_float)
        return needed;
    if (s->gates && real_sum_of(v))
        return false;
    switch (plan_kind_of(op)) {
    case PLAN_PRODUCT:
        if (plan_sum_of(op) || (s->gates && gate_of(op, &behind)))
            return false;
        return needed || s->exchange ||
               (!plan_gives_reals(op->code) && !(op->code == IR_BATCH_MATMUL && ir_is_const(op->operands[1].value)));
    case PLAN_MOVES: return needed && s->shares[v->id];
    case PLAN_COMPUTES:
        return !keeps_scale(op) && (needed || s->reaches[v->id] || !s->real_tail || (s->exchange && adds_bias(op)));
    default: return needed;
    }
}

static void decide(scan *s, const ir_value *v)
{
    if (!is_real(v) || v->as || v->quant || ir_is_const(v))
        return;
    look_at_uses(s, v);
    s->wanted[v->id] =
        makes_grid(s, v) && !is_inside(s, v) && !is_in_gate(s, v) && !(s->needed[v->id] && moves_alone(v));
}

static void decide_all(scan *s)
{
    memset(s->needed, 0, s->g->next_id);
    memset(s->wanted, 0, s->g->next_id);
    memset(s->reaches, 0, s->g->next_id);
    for (const ir_op *op = s->g->last; op; op = op->prev)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            decide(s, op->results[i]);
    for (int32_t i = 0; i < s->g->input_count; i++)
        decide(s, s->g->inputs[i]);
}

/* ---- The tail ---- */

/* What products cost, and what floats cost behind the last of them. */
static bool tail_is_cheap(const scan *s)
{
    double products = 0, tail = 0;
    for (const ir_op *op = s->g->first; op; op = op->next) {
        if (plan_kind_of(op) == PLAN_PRODUCT)
            products += plan_multiply_adds(op);
        else if (plan_kind_of(op) == PLAN_COMPUTES && !s->reaches[op->results[0]->id])
            tail += TAIL_COST *
                    (double)(ir_type_elements(&op->operands[0].value->type) + ir_type_elements(&op->results[0]->type));
    }
    return tail * TAIL_SHARE <= products;
}

/* ---- Constants that an op on integers computes with: not weights, not biases ---- */

static bool are_weights(const ir_value *v)
{
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use)
        if (scales_weight_index(slot->user) == slot - slot->user->operands)
            return true;
    return false;
}

static void want_constants(scan *s, const ir_op *op)
{
    if (plan_kind_of(op) != PLAN_COMPUTES || op->keep_float || !s->wanted[op->results[0]->id])
        return;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && ir_is_const(v) && is_real(v) && !v->as && !pass_is_number(v) && !qdq_stays_real(op, i) &&
            !are_weights(v))
            s->wanted[v->id] = true;
    }
}

const bool *calibrated_values(const ir_graph *g, const pass_options *o, arena *a)
{
    const uint32_t ids = g->next_id;
    scan s = {.g = g,
              .exchange = o->exchange,
              .gates = gate_is_possible(o),
              .source = calibrated_sources(g, o, a),
              .needed = ARENA_ARRAY(a, bool, ids),
              .wanted = ARENA_ARRAY(a, bool, ids),
              .reaches = ARENA_ARRAY(a, bool, ids),
              .shares = ARENA_ARRAY(a, bool, ids)};
    for (const ir_op *op = g->first; op; op = op->next)
        find_shared(&s, op);
    decide_all(&s);
    if (o->quantized_ops.count == 0 && tail_is_cheap(&s)) {
        s.real_tail = true;
        decide_all(&s);
    }
    for (ir_op *op = g->first; op; op = op->next)
        if (!adds_bias(op))
            want_constants(&s, op);
    return s.wanted;
}
