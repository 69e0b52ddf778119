/* channel_classes.c: each op says which channels of its operands and its result go together. */
#include "passes/scales/channel_classes.h"

#include "passes/common/gate.h"
#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/common/scales.h"

/* ---- Classes ---- */

static uint32_t class_of(const channel_classes *c, uint32_t channel)
{
    while (c->parent[channel] != channel)
        channel = c->parent[channel] = c->parent[c->parent[channel]];
    return channel;
}

static uint32_t number_of(const channel_classes *c, const ir_value *v, int64_t channel)
{
    return c->count[v->id] > 0 ? (uint32_t)(c->first[v->id] + channel) : CHANNEL_FIXED;
}

uint32_t channel_class(const channel_classes *c, const ir_value *v, int64_t channel)
{
    return class_of(c, number_of(c, v, channel));
}

/* The smaller number stands for both, so CHANNEL_FIXED for all that is joined with it. */
static void join(channel_classes *c, uint32_t a, uint32_t b)
{
    a = class_of(c, a);
    b = class_of(c, b);
    if (a < b)
        c->parent[b] = a;
    else
        c->parent[a] = b;
}

static void fix(channel_classes *c, const ir_value *v)
{
    for (int64_t i = 0; v && i < c->count[v->id]; i++)
        join(c, CHANNEL_FIXED, number_of(c, v, i));
}

static void fix_all(channel_classes *c, const ir_op *op)
{
    for (int i = 0; i < op->operand_count; i++)
        fix(c, op->operands[i].value);
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        fix(c, op->results[i]);
}

/* Channel i of the one with more of them goes with channel i modulo the other's: elements in the same order, or one
 * broadcast to the other. */
static void same(channel_classes *c, const ir_value *a, const ir_value *b)
{
    const int64_t of_a = c->count[a->id], of_b = c->count[b->id], most = of_a > of_b ? of_a : of_b;
    if (of_a == 0 || of_b == 0 || most % of_a != 0 || most % of_b != 0) {
        fix(c, a);
        fix(c, b);
        return;
    }
    for (int64_t i = 0; i < most; i++)
        join(c, number_of(c, a, i % of_a), number_of(c, b, i % of_b));
}

/* ---- Products ---- */

static bool is_per_channel(const ir_value *v, int64_t channels)
{
    return pass_is_real_constant(v) && ir_type_elements(&v->type) == channels && v->type.rank > 0 &&
           v->type.dims[v->type.rank - 1] == channels;
}

static bool takes_act(const ir_op *op)
{
    const ir_enum_ACT act = qdq_act(op);
    return act == IR_ACT_NONE || act == IR_ACT_RELU;
}

static int64_t channels_of(const ir_value *v) { return v->type.rank > 0 ? v->type.dims[v->type.rank - 1] : 1; }

bool channel_takes_factors(const ir_op *op)
{
    if (plan_kind_of(op) != PLAN_PRODUCT || scales_weight_axis(op) < 0)
        return false;
    const ir_value *w = op->operands[1].value, *b = ir_operand_value(op, 2), *r = op->results[0];
    if (op->code == IR_BATCH_MATMUL && ir_int(op, IR_ATTR_ADJ_A))
        return false;
    return pass_is_real_constant(w) && (!b || is_per_channel(b, channels_of(r))) && !ir_operand_value(op, 3) &&
           !ir_operand_value(op, 4) && takes_act(op) && r->type.dtype == IR_F32;
}

channel_pair channel_of_weight(const ir_op *op, int64_t i)
{
    const ir_type *w = &op->operands[1].value->type;
    const int64_t last = w->dims[w->rank - 1], channels = channels_of(op->results[0]);
    if (op->code == IR_DEPTHWISE_CONV2D)
        return (channel_pair){i % last / (last / channels_of(op->operands[0].value)), i % last};
    if (op->code == IR_BATCH_MATMUL && !ir_int(op, IR_ATTR_ADJ_B))
        return (channel_pair){i / last, i % last};
    const int64_t out = i / (ir_type_elements(w) / channels);
    const int64_t groups = op->code == IR_CONV2D ? ir_int(op, IR_ATTR_GROUPS) : 1;
    return (channel_pair){out / (channels / groups) * last + i % last, out};
}

/* ---- Other ops ---- */

static bool is_scale(const ir_value *v, int64_t channels)
{
    return is_per_channel(v, channels) || (pass_is_real_constant(v) && pass_is_number(v));
}

int channel_scale_operand(const ir_op *op, bool gates)
{
    const int constant = op->operand_count == 2 && ir_is_const(op->operands[0].value) ? 0 : 1;
    if (!gates || op->code != IR_MUL || qdq_act(op) != IR_ACT_NONE)
        return -1;
    const ir_value *x = op->operands[!constant].value, *r = op->results[0];
    const bool behind = x->def && x->def->code == IR_HARD_SWISH && gate_product(x->def) && pass_single_user(x);
    return behind && is_scale(op->operands[constant].value, channels_of(r)) ? constant : -1;
}

/* What it is added to is real, so a number can be one of each channel just as well. */
static bool takes_number(const channel_classes *c, const ir_value *v, const ir_value *other)
{
    return pass_is_real_constant(v) && pass_is_number(v) && other->def &&
           channel_scale_operand(other->def, c->gates) >= 0 && pass_single_user(other);
}

static void link_sum(channel_classes *c, const ir_op *op)
{
    const ir_value *r = op->results[0];
    for (int i = 0; i < 2; i++) {
        const ir_value *v = op->operands[i].value;
        if (!ir_is_const(v))
            same(c, v, r);
        else if (!is_per_channel(v, channels_of(r)) && !takes_number(c, v, op->operands[!i].value))
            fix(c, r);
    }
}

/* The smaller operand is the factor: a gate, a scale. */
static void link_product(channel_classes *c, const ir_op *op)
{
    const ir_value *a = op->operands[0].value, *b = op->operands[1].value, *r = op->results[0];
    if (channel_scale_operand(op, c->gates) >= 0)
        return;
    const bool a_is_factor =
        op->code == IR_MUL &&
        (ir_is_const(a) || (!ir_is_const(b) && ir_type_elements(&a->type) < ir_type_elements(&b->type)));
    fix(c, a_is_factor ? a : b);
    same(c, a_is_factor ? b : a, r);
}

static void link_reduction(channel_classes *c, const ir_op *op)
{
    const int64_t *axes;
    const ir_value *x = op->operands[0].value;
    const int32_t count = ir_ints(op, IR_ATTR_AXES, &axes);
    bool keeps = channels_of(x) == channels_of(op->results[0]);
    for (int32_t i = 0; i < count; i++)
        keeps &= axes[i] != x->type.rank - 1;
    if (keeps)
        same(c, x, op->results[0]);
    else
        fix_all(c, op);
}

static void link_concat(channel_classes *c, const ir_op *op)
{
    const ir_value *r = op->results[0];
    const bool channels = ir_int(op, IR_ATTR_AXIS) == r->type.rank - 1;
    int64_t at = 0;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        const int64_t count = channels_of(v);
        for (int64_t k = 0; k < count; k++)
            join(c, number_of(c, v, k), number_of(c, r, channels ? at + k : k));
        at += count;
    }
}

static void link_slice(channel_classes *c, const ir_op *op)
{
    const ir_value *x = op->operands[0].value, *r = op->results[0];
    const int axis = x->type.rank - 1;
    for (int64_t i = 0; axis >= 0 && i < channels_of(r); i++)
        join(c, number_of(c, x, ir_ints_at(op, IR_ATTR_BEGIN, axis) + i * ir_ints_at(op, IR_ATTR_STEP, axis)),
             number_of(c, r, i));
}

/* Is the last dimension moved as a whole, and nothing but zeros added to it? */
static bool keeps_channels(const ir_op *op)
{
    const int axis = op->results[0]->type.rank - 1;
    switch (op->code) {
    case IR_TRANSPOSE: return axis >= 0 && ir_ints_at(op, IR_ATTR_PERM, axis) == axis;
    case IR_PAD:
        return axis >= 0 && ir_ints_at(op, IR_ATTR_BEFORE, axis) == 0 && ir_ints_at(op, IR_ATTR_AFTER, axis) == 0 &&
               ir_float(op, IR_ATTR_VALUE) == 0;
    default: return true;
    }
}

static void link_norm(channel_classes *c, const ir_op *op)
{
    const int64_t channels = channels_of(op->results[0]);
    fix(c, op->operands[0].value);
    for (int i = 1; i < 3; i++)
        if (!is_per_channel(ir_operand_value(op, i), channels))
            fix(c, op->results[0]);
}

static void link_matrices(channel_classes *c, const ir_op *op)
{
    fix(c, op->operands[0].value);
    if (ir_int(op, IR_ATTR_ADJ_B))
        fix_all(c, op);
    else
        same(c, op->operands[1].value, op->results[0]);
}

static void link_op(channel_classes *c, const ir_op *op)
{
    if (channel_takes_factors(op))
        return;
    if (!takes_act(op)) {
        fix_all(c, op);
        return;
    }
    switch (op->code) {
    case IR_ADD:
    case IR_SUB: link_sum(c, op); break;
    case IR_MUL:
    case IR_DIV: link_product(c, op); break;
    case IR_SUM:
    case IR_MEAN:
    case IR_REDUCE_MAX:
    case IR_REDUCE_MIN: link_reduction(c, op); break;
    case IR_CONCAT: link_concat(c, op); break;
    case IR_SLICE: link_slice(c, op); break;
    case IR_LAYER_NORM: link_norm(c, op); break;
    case IR_BATCH_MATMUL: link_matrices(c, op); break;
    case IR_HARD_SWISH:
        if (c->gates && gate_product(op))
            same(c, op->operands[0].value, op->results[0]);
        else
            fix_all(c, op);
        break;
    case IR_RELU:
    case IR_LEAKY_RELU:
    case IR_ABS:
    case IR_NEG:
    case IR_MAX_POOL2D:
    case IR_AVG_POOL2D:
    case IR_RESIZE_NEAREST:
    case IR_RESIZE_BILINEAR:
    case IR_RESHAPE:
    case IR_TRANSPOSE:
    case IR_PAD:
        if (keeps_channels(op)) {
            same(c, op->operands[0].value, op->results[0]);
            break;
        } /* fallthrough */
    default: fix_all(c, op);
    }
}

/* ---- All ---- */

static void number(channel_classes *c, const ir_value *v)
{
    if (v->type.dtype != IR_F32 || v->as)
        return;
    c->first[v->id] = c->channels;
    c->count[v->id] = channels_of(v);
    c->channels += (uint32_t)channels_of(v);
}

static void number_all(channel_classes *c, const ir_graph *g)
{
    for (int32_t i = 0; i < g->input_count; i++)
        number(c, g->inputs[i]);
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            number(c, op->results[i]);
}

channel_classes channel_classes_find(const ir_graph *g, const bool *fixed, bool gates, arena *a)
{
    channel_classes c = {ARENA_ARRAY(a, int64_t, g->next_id), ARENA_ARRAY(a, int64_t, g->next_id), NULL,
                         CHANNEL_FIXED + 1, gates};
    number_all(&c, g);
    c.parent = ARENA_ARRAY(a, uint32_t, c.channels);
    for (uint32_t i = 0; i < c.channels; i++)
        c.parent[i] = i;
    for (int32_t i = 0; i < g->input_count; i++)
        fix(&c, g->inputs[i]);
    for (const ir_op *op = g->first; op; op = op->next) {
        link_op(&c, op);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (fixed[op->results[i]->id] || ir_value_is_output(op->results[i]))
                fix(&c, op->results[i]);
    }
    return c;
}
