/* qdq_move.c: between a dequantize and a quantize, data moves as integers: dequantize goes down through data movement,
 * quantize goes up, until they meet each other or an op that computes.
 *
 *     %1:f32<4> = dequantize %0:u8<4; 0.5, 3>           %1:u8<2x2; 0.5, 3> = reshape %0
 *     %2:f32<2x2> = reshape %1                          %2:f32<2x2> = dequantize %1
 *
 *     %3:f32<4> = concat %1, %2                         %3:u8<2; 0.5, 3> = quantize %1
 *     %4:u8<4; 0.5, 3> = quantize %3                    %4:u8<2; 0.5, 3> = quantize %2
 *                                                       %5:u8<4; 0.5, 3> = concat %3, %4
 *
 * Both are exact: each element is converted alone, and comparisons keep their order.  Not where no quantize follows, or
 * no dequantize precedes: a model that ends in floats, or starts with them, stays as it is. */
#include "ir/ref/interp.h"
#include "passes/common/qdq.h"

/* Values on a way from a dequantize, and to a quantize; by id.  Values that are newer count as both. */
typedef struct ways {
    uint32_t count;
    bool *from, *to;
} ways;

static void find_ways(const ir_graph *g, arena *a, ways *w)
{
    w->count = g->next_id;
    w->from = ARENA_ARRAY(a, bool, w->count);
    w->to = ARENA_ARRAY(a, bool, w->count);
    for (const ir_op *op = g->first; op; op = op->next) {
        bool from = op->code == IR_DEQUANTIZE && qdq_is_byte(op->operands[0].value);
        for (int i = 0; i < op->operand_count; i++)
            from = from || (op->operands[i].value && w->from[op->operands[i].value->id]);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            w->from[op->results[i]->id] = from;
    }
    for (const ir_op *op = g->last; op; op = op->prev) {
        bool to = qdq_is_target(op);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            to = to || w->to[op->results[i]->id];
        for (int i = 0; to && i < op->operand_count; i++)
            if (op->operands[i].value)
                w->to[op->operands[i].value->id] = true;
    }
}

static bool is_from(const ways *w, const ir_value *v) { return v->id >= w->count || w->from[v->id]; }
static bool is_to(const ways *w, const ir_value *v) { return v->id >= w->count || w->to[v->id]; }

bool qdq_moves(const ir_op *op)
{
    if (op->keep_float)
        return false;
    switch (op->code) {
    case IR_RESHAPE:
    case IR_TRANSPOSE:
    case IR_SLICE:
    case IR_MIRROR_PAD:
    case IR_BROADCAST:
    case IR_TILE:
    case IR_REVERSE:
    case IR_GATHER:
    case IR_GATHER_ND:
    case IR_DEPTH_TO_SPACE:
    case IR_SPACE_TO_DEPTH:
    case IR_SPACE_TO_BATCH:
    case IR_BATCH_TO_SPACE:
    case IR_RESIZE_NEAREST:
    case IR_REDUCE_MAX:
    case IR_REDUCE_MIN: return true;
    case IR_PAD: return ir_float(op, IR_ATTR_VALUE) == 0; /* the one number that is exact in every quantization */
    case IR_MAX_POOL2D: return ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE;
    default: return false;
    }
}

/* The op on operand 0 = x, of x's quantization. */
static ir_value *moved(const ir_op *op, ir_value *x)
{
    ir_value *operands[2] = {x, op->operand_count > 1 ? op->operands[1].value : NULL};
    return qdq_clone(op, op->next, operands, x->type.dtype, x->quant, IR_ACT_NONE);
}

static bool sink(const ways *w, ir_op *op)
{
    ir_value *v = op->operands[0].value, *r = op->results[0], *x = qdq_source(v);
    if (!x || !is_to(w, r))
        return false;
    ir_op *after = op->next;
    ir_value *y = moved(op, x);
    if (!y)
        return false;
    y->scale_from = x->scale_from;
    ir_value *real = pass_op1(op->graph, IR_DEQUANTIZE, after, op, 1, &y, r->type, NULL);
    ir_set_int(real->def, IR_ATTR_REAL, ir_int(v->def, IR_ATTR_REAL));
    real->name = r->name;
    ir_replace_uses(r, real);
    ir_op_erase(op);
    return true;
}

/* Quantized as q does, in front of `before`. */
static ir_value *quantized(const ir_op *q, ir_value *x, ir_op *before)
{
    ir_type type = x->type;
    type.dtype = q->results[0]->type.dtype;
    ir_value *y = pass_op1(q->graph, IR_QUANTIZE, before, q, 1, &x, type, q->results[0]->quant);
    ir_set_int(y->def, IR_ATTR_ROUNDING, ir_int(q, IR_ATTR_ROUNDING));
    y->scale_from = q->results[0]->scale_from;
    return y;
}

/* Puts q in front of each operand of `op` that is data.  Returns the op to go on with. */
static bool hoist(const ways *w, ir_op *q)
{
    ir_value *v = q->operands[0].value, *r = q->results[0];
    ir_op *op = v->def;
    if (!op || (!qdq_moves(op) && (op->code != IR_CONCAT || op->keep_float)) || pass_single_user(v) != q ||
        !is_from(w, v))
        return false;
    int data = op->code == IR_CONCAT ? op->operand_count : 1;
    ir_value **operands = ARENA_ARRAY(q->graph->arena, ir_value *, op->operand_count);
    for (int i = 0; i < op->operand_count; i++)
        operands[i] = i < data ? quantized(q, op->operands[i].value, op) : op->operands[i].value;
    ir_value *y = qdq_clone(op, op, operands, r->type.dtype, r->quant, IR_ACT_NONE);
    if (!y) {
        for (int i = 0; i < data; i++)
            ir_op_erase(operands[i]->def);
        return false;
    }
    y->name = r->name;
    y->scale_from = r->scale_from;
    ir_replace_uses(r, y);
    ir_op_erase(q);
    ir_op_erase(op);
    return true;
}

pass_result pass_qdq_move(ir_graph *g, pass_context *c)
{
    ways w;
    pass_result result = PASS_UNCHANGED;
    find_ways(g, c->scratch, &w);
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (qdq_moves(op) && sink(&w, op))
            result = PASS_CHANGED;
    }
    for (ir_op *op = g->last, *prev; op; op = prev) {
        ir_op *source = op->code == IR_QUANTIZE ? op->operands[0].value->def : NULL, *behind = op->next;
        prev = op->prev;
        if (!qdq_is_target(op) || !hoist(&w, op))
            continue;
        result = PASS_CHANGED;
        if (prev == source) /* gone; what replaces it is now in front of what was behind the quantize */
            prev = behind ? behind->prev : g->last;
    }
    return result;
}
