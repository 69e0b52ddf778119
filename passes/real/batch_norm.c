/* batch_norm.c: a batch norm becomes a factor and a term for each channel, which the op in front of it takes in (fuse_scale).
 *
 *     %1 = batch_norm %0, const gamma, const beta,        %2 = mul %0, const gamma / sqrt(variance + epsilon)
 *          const mean, const variance                     %1 = add %2, const beta - mean gamma / sqrt(variance + epsilon)
 *
 * What it normalises to goes with the sum (ir_norm), for whoever takes the statistics anew. */
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/util.h"

typedef struct parts {
    int64_t channels;
    float *factor, *offset;
} parts;

static parts parts_of(ir_graph *g, const ir_op *op)
{
    const int64_t channels = op->operands[0].value->type.dims[ir_int(op, IR_ATTR_AXIS)];
    const parts p = {channels, ARENA_ARRAY(g->arena, float, channels), ARENA_ARRAY(g->arena, float, channels)};
    for (int64_t c = 0; c < channels; c++) {
        const ir_affine a = ir_batch_norm_of(op, c);
        p.factor[c] = a.factor;
        p.offset[c] = a.offset;
    }
    return p;
}

/* Of what has been multiplied by the factors already. */
static const ir_norm *norm_of(ir_graph *g, const ir_op *op, const parts *p)
{
    ir_norm *norm = ARENA_NEW(g->arena, ir_norm);
    float *gamma = ARENA_ARRAY(g->arena, float, p->channels), *beta = ARENA_ARRAY(g->arena, float, p->channels);
    float *epsilon = ARENA_ARRAY(g->arena, float, p->channels);
    for (int64_t c = 0; c < p->channels; c++) {
        gamma[c] = fabsf((float)ir_const_real(op->operands[1].value, c));
        beta[c] = (float)ir_const_real(op->operands[2].value, c);
        epsilon[c] = ir_float(op, IR_ATTR_EPSILON) * p->factor[c] * p->factor[c];
    }
    *norm = (ir_norm){p->channels, gamma, beta, epsilon};
    return norm;
}

static void spell(ir_graph *g, ir_op *op)
{
    ir_value *x = op->operands[0].value, *y = op->results[0];
    const int64_t axis = ir_int(op, IR_ATTR_AXIS);
    const parts p = parts_of(g, op);
    ir_type type = ir_type_make(IR_F32, y->type.rank, y->type.dims);
    for (int k = 0; k < type.rank; k++)
        type.dims[k] = k == axis ? p.channels : 1;
    ir_value *factor = ir_const_new(g, type, NULL, p.factor), *offset = ir_const_new(g, type, NULL, p.offset);
    ir_value *scaled = pass_op1(g, IR_MUL, op, op, 2, (ir_value *[]){x, factor}, y->type, NULL);
    ir_value *sum = pass_op1(g, IR_ADD, op, op, 2, (ir_value *[]){scaled, offset}, y->type, NULL);
    sum->def->name = op->name;
    sum->def->norm = axis == y->type.rank - 1 ? norm_of(g, op, &p) : NULL;
    pass_takes_over(sum, y);
    ir_op_erase(op);
}

pass_result pass_batch_norm(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (op->code != IR_BATCH_NORM)
            continue;
        spell(g, op);
        result = PASS_CHANGED;
    }
    return result;
}
