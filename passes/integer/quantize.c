/* quantize.c: decides what is computed on integers in a fake-quantized graph, and spends its scales: `quantize` and
 * `dequantize` around the ops chosen, which the passes qdq_* then make integer ops.
 *
 *     %2:f32<…> as u8<0.1, 0> = conv2d %0:f32 as u8<0.5, 3>, const %1:f32 as i8<0.02, 0>
 *
 *     %3:u8<…; 0.5, 3> = quantize %0               %7:f32<…> = conv2d %4, %6
 *     %4:f32<…> = dequantize %3                    %8:u8<…; 0.1, 0> = quantize %7
 *     const %5:i8<…; 0.02, 0> = …                  %9:f32<…> = dequantize %8       … for all that used %2
 *     %6:f32<…> = dequantize %5
 *
 * The rules of docs/quantization.md: a product needs scales of its operands; without one for its result that stays
 * real, and becomes an integer product with a real result here.  Everything else that computes needs all scales.
 * Of 16-bit scales only products are computed on integers, by 8-bit weights, with a real result.
 * In a calibrated graph nothing is rounded for an op that is kept in float: a product that one of these reads gives reals, and
 * what is on integers reads them quantized.
 *
 *     %1:f32 as u8<0.1, 0> = conv2d %0, …                         %1:f32 = conv2d %0, …        %0 is on integers
 *     %2:f32 = add %1, … keep_float "…"                           %2:f32 = add %1, …
 *     %3:f32 = conv2d %1, …                                       %4:u8<…; 0.1, 0> = quantize %1, for %3
 *
 * What moves data gets none of its own: qdq_move makes it integer between ops that are.  Each value is quantized once,
 * each filter too.  An op that stays in float learns why (`why_float`).
 *
 * Values change here on purpose: that is what the fake quantization stood for. */
#include <math.h>

#include "passes/common/gate.h"
#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/common/real_sum.h"
#include "passes/common/scales.h"
#include "passes/real/choose.h"

typedef struct plan {
    ir_graph *g;
    pass_context *context;
    uint32_t ids;
    bool *integer;      /* by id of an op: computed on integers */
    const bool *kept;   /* by id of a value: plan_kept_readers */
    ir_value **on_grid; /* by id of a value: itself, quantized and dequantized; NULL: not yet */
} plan;

/* ---- What can be done ---- */

static const char *why_no_scale(plan *p, const ir_value *v, const char *what)
{
    if (v->as && v->as_dtype == IR_I16)
        return arena_format(p->g->arena, "16-bit scale of %s %s", what, plan_name(p->g, v));
    if (v->as)
        return arena_format(p->g->arena, "scales along an axis of %s %s", what, plan_name(p->g, v));
    if (v->def && v->def->code == IR_FAKE_QUANT && ir_int(v->def, IR_ATTR_BITS) > 8)
        return arena_format(p->g->arena, "%lld bits of %s %s", (long long)ir_int(v->def, IR_ATTR_BITS), what,
                            plan_name(p->g, v));
    return arena_format(p->g->arena, "no scale for %s %s", what, plan_name(p->g, v));
}

/* A value that can be an 8-bit integer per tensor. */
static bool is_byte(const ir_value *v)
{
    return qdq_source(v) || (v->type.dtype == IR_F32 && v->as && v->as->axis < 0 && v->as_dtype != IR_I16);
}

/* Has the product a form for 16-bit operands that is worth it?  With a filter or a few for each channel floats are
 * faster. */
static bool takes_words(const ir_op *op)
{
    return op->code == IR_FULLY_CONNECTED || (op->code == IR_CONV2D && ir_int(op, IR_ATTR_GROUPS) == 1) ||
           (op->code == IR_BATCH_MATMUL && ir_is_const(op->operands[1].value));
}

/* A computed value that samples give 16-bit integers, for products by 8-bit weights. */
static bool is_word(const plan *p, const ir_value *v)
{
    return p->context->options->calibration && v->type.dtype == IR_F32 && !ir_is_const(v) && v->as &&
           v->as_dtype == IR_I16 && v->as->axis < 0 && v->as->zero[0] == 0;
}

static bool are_weights(const ir_op *op, const ir_value *w)
{
    if (w->def && w->def->code == IR_DEQUANTIZE && ir_is_const(w->def->operands[0].value))
        return true; /* integers already */
    return ir_is_const(w) && w->as && w->as_dtype != IR_I16 &&
           (w->as->axis < 0 || w->as->axis == scales_weight_axis(op));
}

/* Is the product of two values that are both computed?  It has no form with a real result. */
static bool is_product_of_two(const ir_op *op)
{
    const ir_value *w = op->operands[1].value;
    return !ir_is_const(w) && !(w->def && w->def->code == IR_DEQUANTIZE && ir_is_const(w->def->operands[0].value));
}

static const char *why_no_product(plan *p, const ir_op *op)
{
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value;
    bool two = is_product_of_two(op);
    if (two && op->code != IR_BATCH_MATMUL)
        return "its weights are computed";
    if (!is_byte(x) && (!takes_words(op) || !is_word(p, x)))
        return why_no_scale(p, x, "operand");
    if (two ? !is_byte(w) : !are_weights(op, w))
        return why_no_scale(p, w, two ? "operand" : "weights");
    bool constant_matrix = op->code == IR_BATCH_MATMUL && !two; /* a fully_connected */
    return !plan_gives_reals(op->code) && !constant_matrix && !is_byte(op->results[0])
               ? why_no_scale(p, op->results[0], "result")
               : NULL;
}

static const char *why_no_form(plan *p, const ir_op *op)
{
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        bool number = v && pass_is_number(v) && v->type.dtype == IR_F32;
        if (v && !is_byte(v) && !number && !qdq_stays_real(op, i))
            return why_no_scale(p, v, ir_is_const(v) ? "constant" : "operand");
    }
    return is_byte(op->results[0]) ? NULL : why_no_scale(p, op->results[0], "result");
}

/* A sum that is the bias of a product on integers. */
static bool is_bias(plan *p, ir_op *op)
{
    const ir_op *product = op->code == IR_ADD ? plan_product_of(op) : NULL;
    return product && product->id < p->ids && p->integer[product->id];
}

/* Will the product take in its gate?  Not where somebody wants that real. */
static bool takes_gate(const plan *p, const ir_op *product)
{
    gate g;
    return p->context->options->calibration && gate_is_possible(p->context->options) && product->id < p->ids &&
           p->integer[product->id] && gate_of(product, &g) && is_byte(gate_result(&g)) &&
           !p->kept[gate_result(&g)->id] && is_byte(product->operands[0].value);
}

static bool is_gate(const plan *p, const ir_op *op)
{
    const ir_op *product = gate_product(op);
    return product && takes_gate(p, product);
}

/* What a gate computes in its middle is part of one op, and on no grid. */
static bool is_inside_gate(const plan *p, const ir_op *op)
{
    gate g;
    return is_gate(p, op) && gate_of(gate_product(op), &g) && gate_result(&g) != op->results[0];
}

/* Will a product add the other operand of this sum before it rounds? */
static bool is_real_sum(const plan *p, const ir_op *sum)
{
    const bool possible = p->context->options->calibration && gate_is_possible(p->context->options);
    const int index = possible ? real_sum_product(sum) : -1;
    const ir_op *product = index < 0 ? NULL : sum->operands[index].value->def;
    return product && product->id < p->ids && p->integer[product->id] && is_byte(sum->operands[1 - index].value) &&
           is_byte(sum->results[0]);
}

static bool is_in_real_sum(const plan *p, const ir_value *v)
{
    const ir_op *sum = real_sum_of(v);
    return sum && is_real_sum(p, sum);
}

static bool has_reals(const ir_op *op)
{
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && op->operands[i].value->type.dtype == IR_F32)
            return true;
    return false;
}

/* NULL: the op is to be computed on integers. */
static const char *why_float(plan *p, ir_op *op)
{
    if (op->keep_float)
        return op->why_float ? op->why_float : "--keep-float";
    if (is_bias(p, op) || is_gate(p, op) || is_real_sum(p, op))
        return NULL;
    if (op->code == IR_FAKE_QUANT && ir_int(op, IR_ATTR_BITS) > 8)
        return arena_format(p->g->arena, "simulates %lld bits", (long long)ir_int(op, IR_ATTR_BITS));
    switch (plan_kind_of(op)) {
    case PLAN_PRODUCT: return why_no_product(p, op);
    case PLAN_COMPUTES: return why_no_form(p, op);
    default: return "no integer kernel";
    }
}

/* ---- Decisions ---- */

static bool decide(plan *p, ir_op *op)
{
    bool converts = op->code == IR_QUANTIZE || op->code == IR_DEQUANTIZE;
    if (converts || !has_reals(op) || plan_kind_of(op) == PLAN_MOVES || ir_op_info_of(op->code)->results == 0)
        return true;
    const char *why = why_float(p, op);
    p->integer[op->id] = !why;
    const bool later = p->context->options->quantize == PASS_QUANTIZE_DYNAMIC;
    if (why && !op->keep_float && !later && choose_is_asked_for(p->context->options, op))
        return diag_error(p->context->diag, &op->loc,
                          "%s '%s' is one of --quantized-ops, but can't be computed on integers: %s",
                          ir_op_info_of(op->code)->text, plan_name(p->g, op->results[0]), why);
    op->why_float = why;
    return true;
}

/* ---- Onto the grid ---- */

/* v as the reals of its integers, defined in front of `before` at the latest. */
static ir_value *on_grid(plan *p, ir_value *v, ir_op *before, const ir_op *like)
{
    if (qdq_source(v) || !v->as)
        return v;
    ir_value **known = v->id < p->ids ? &p->on_grid[v->id] : NULL;
    if (known && *known)
        return *known;
    ir_type type = v->type;
    type.dtype = v->as_dtype;
    ir_value *q =
        ir_is_const(v) ? plan_integer_constant(p->g, v) : pass_op1(p->g, IR_QUANTIZE, before, like, 1, &v, type, v->as);
    if (q->def)
        ir_set_int(q->def, IR_ATTR_ROUNDING, v->as_rounding);
    q->name = v->name;
    q->scale_from = v->scale_from;
    ir_value *real = pass_op1(p->g, IR_DEQUANTIZE, before, like, 1, &q, v->type, NULL);
    if (known)
        *known = real;
    return real;
}

/* Does `op` put v on v's own grid? */
static bool does_that_itself(const ir_op *op, const ir_value *v)
{
    const ir_value *q = op->code == IR_QUANTIZE ? op->results[0] : NULL;
    return q && q->type.dtype == v->as_dtype && ir_quant_equal(q->quant, v->as) &&
           ir_int(op, IR_ATTR_ROUNDING) == v->as_rounding;
}

/* A name is that of the integers from now on: a clamp of what the file had rounded may have become part of v's op. */
static void unname(ir_value *v)
{
    if (!v->def)
        return;
    if (!v->def->name && v == v->def->results[0])
        v->def->name = v->name;
    v->name = NULL;
}

/* Everybody who uses v uses the reals of its integers from now on.  False: nothing to be done. */
static bool put_on_grid(plan *p, ir_value *v, ir_op *before, const ir_op *like)
{
    int theirs = 0;
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use)
        theirs += does_that_itself(slot->user, v);
    ir_value *real = theirs < ir_use_count(v) ? on_grid(p, v, before, like) : v;
    if (real == v)
        return false;
    for (ir_operand *slot = v->uses, *next; slot; slot = next) {
        next = slot->next_use;
        if (!does_that_itself(slot->user, v))
            ir_set_operand(slot->user, (int)(slot - slot->user->operands), real);
    }
    while (v->output_count > 0)
        ir_output_set(p->g, v->first_output, real);
    if (!v->is_input)
        scales_set(v, IR_DTYPE_NONE, NULL, (ir_origin){0});
    unname(v);
    return true;
}

/* Is operand i of an op on integers on a grid, too?  Biases are not, nor what the op reads as reals. */
static bool takes_grid(plan *p, ir_op *op, int i)
{
    bool bias = is_bias(p, op) || is_gate(p, op) || (i == 2 && plan_kind_of(op) == PLAN_PRODUCT);
    return op->operands[i].value && !bias && !qdq_stays_real(op, i);
}

/* The product, or the sum behind it, with integers in and reals out, of which ops on integers read the grid, if there is one. */
static bool make_real_result(plan *p, ir_op *op)
{
    ir_value *r = op->results[0], *y = qdq_product(p->g, op, op, r, qdq_act(op));
    if (!y)
        return false;
    for (ir_operand *slot = r->uses, *next; slot && r->as; slot = next) {
        const int i = (int)(slot - slot->user->operands);
        next = slot->next_use;
        if (slot->user->id < p->ids && p->integer[slot->user->id] && takes_grid(p, slot->user, i))
            ir_set_operand(slot->user, i, on_grid(p, r, op->next, op));
    }
    pass_takes_over(y, r);
    ir_op_erase(op);
    return true;
}

static void spend(plan *p, ir_op *op)
{
    if (is_inside_gate(p, op))
        return;
    for (int i = 0; i < op->operand_count; i++)
        if (takes_grid(p, op, i))
            ir_set_operand(op, i, on_grid(p, op->operands[i].value, op, op));
    if (is_byte(op->results[0])) {
        if (!plan_stays_real(op, p->kept) || !make_real_result(p, op))
            put_on_grid(p, op->results[0], op->next, op);
    } else if (!plan_sum_of(op) && !takes_gate(p, op) && !is_in_real_sum(p, op->results[0])) {
        make_real_result(p, op);
    }
}

static bool round_input(plan *p, ir_value *v)
{
    return scales_is_fixed(v) && is_byte(v) && put_on_grid(p, v, p->g->first, NULL);
}

/* What stays real, and the file rounds nevertheless, is rounded: a clamp in front of it may be gone for that. */
static bool round_result(plan *p, ir_op *op)
{
    bool changed = false;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
        ir_value *r = op->results[i];
        if (scales_is_fixed(r) && is_byte(r))
            changed |= put_on_grid(p, r, op->next, op);
    }
    return changed;
}

/* --quantize=static is a wish that a model without scales can't fulfil. */
static bool has_integers(const ir_graph *g, pass_context *c)
{
    if (c->options->quantize != PASS_QUANTIZE_STATIC)
        return true;
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (op->results[i]->quant)
                return true;
    return diag_error(c->diag, NULL, "--quantize=static: the model gives no scales");
}

pass_result pass_quantize(ir_graph *g, pass_context *c)
{
    plan p = {.g = g, .context = c, .ids = g->next_id};
    bool any = false;
    if (c->options->quantize == PASS_QUANTIZE_NONE)
        return PASS_UNCHANGED;
    if (!plan_has_scales(g) && c->options->quantized_ops.count == 0) /* ops asked for need scales everywhere */
        return has_integers(g, c) ? PASS_UNCHANGED : PASS_FAILED;
    p.integer = ARENA_ARRAY(c->scratch, bool, p.ids);
    p.kept = plan_kept_readers(g, c->options, c->scratch);
    p.on_grid = ARENA_ARRAY(c->scratch, ir_value *, p.ids);
    for (ir_op *op = g->first; op; op = op->next) {
        if (!decide(&p, op))
            return PASS_FAILED;
        any = any || p.integer[op->id];
    }
    for (int32_t i = 0; i < g->input_count; i++)
        any |= round_input(&p, g->inputs[i]);
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (op->id < p.ids && p.integer[op->id])
            spend(&p, op);
        else if (op->id < p.ids)
            any |= round_result(&p, op);
    }
    return any ? PASS_CHANGED : PASS_UNCHANGED;
}
