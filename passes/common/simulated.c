/* simulated.c: parts of a graph, as sets of ops that real values connect, and those in which the file simulates. */
#include "passes/common/simulated.h"

#include <string.h>

bool simulated_value(const ir_value *v)
{
    switch (v->scale_from.source) {
    case IR_SCALE_FAKE_QUANT:
    case IR_SCALE_OBSERVED:
    case IR_SCALE_CALIBRATED: return true;
    default: return false;
    }
}

typedef struct parts {
    uint32_t *next; /* by id of an op: another op of its part; itself at the end of the way, which names the part */
    bool *simulated;
} parts;

static uint32_t part_of(parts *p, uint32_t id)
{
    while (p->next[id] != id)
        id = p->next[id] = p->next[p->next[id]];
    return id;
}

static void join(parts *p, uint32_t a, uint32_t b)
{
    a = part_of(p, a);
    b = part_of(p, b);
    p->next[b] = a;
    p->simulated[a] |= p->simulated[b];
}

/* Ops on both sides of a real value are in one part, unless the file rounds it. */
static void connect(parts *p, const ir_value *v)
{
    if (v->type.dtype != IR_F32 || (v->as && v->scale_from.source == IR_SCALE_QUANTIZE) || !v->uses)
        return;
    const uint32_t first = v->def ? v->def->id : v->uses->user->id;
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use)
        join(p, first, slot->user->id);
}

/* Does the file simulate what the op reads or computes?  Weights alone don't make integers of activations. */
static bool simulates(const ir_op *op)
{
    const bool fake = op->code == IR_FAKE_QUANT || op->code == IR_OBSERVE;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && v->type.dtype == IR_F32 && !ir_is_const(v) && (fake || simulated_value(v)))
            return true;
    }
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        if (simulated_value(op->results[i]))
            return true;
    return false;
}

const bool *simulated_ops(const ir_graph *g, const pass_options *o, arena *a)
{
    parts p = {ARENA_ARRAY(a, uint32_t, g->next_id), ARENA_ARRAY(a, bool, g->next_id)};
    for (uint32_t i = 0; i < g->next_id; i++)
        p.next[i] = i;
    for (const ir_op *op = g->first; op; op = op->next)
        p.simulated[op->id] = o->infer_scales || simulates(op);
    for (int32_t i = 0; i < g->input_count; i++)
        connect(&p, g->inputs[i]);
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            connect(&p, op->results[i]);
    for (const ir_op *op = g->first; op; op = op->next)
        p.simulated[op->id] = p.simulated[part_of(&p, op->id)];
    return p.simulated;
}
