/* batch_norms_spell.c: what a step computes of batch norms, in ops behind the product that has one.
 *
 *     %2 = conv2d %0, w, b {act = relu}
 *
 *     reestimate                                          train
 *     %3 = conv2d %0, w, b                                %3 = conv2d %0, w
 *     %4 = mean %3                                        %4 = mean %3
 *     %5 = sub %3, %4                                     %5 = sub %3, %4
 *     %6 = mean (mul %5, %5)                              %6 = mean (mul %5, %5)
 *                                                         %7 = mul %5, (mul gamma, (rsqrt (add %6, epsilon)))
 *     %2 = relu %3                                        %2 = relu (add %7, (add b, shift))
 *     output %4, less b, and %6                           output %4, %6; gamma, epsilon, shift: inputs
 *
 * Means are over all but the channels. */
#include "compiler/quantize/twins.h"
#include "compiler/tune/learned/batch_norms.h"
#include "passes/common/qdq.h"
#include "passes/common/util.h"

typedef struct speller {
    ir_graph *g;
    ir_op *product;   /* in front of which everything is spelled, and which then goes */
    ir_type channels; /* 1x…xC */
} speller;

static ir_value *op(speller *s, ir_opcode code, ir_value *a, ir_value *b, ir_type type)
{
    return pass_op1(s->g, code, s->product, s->product, b ? 2 : 1, (ir_value *[]){a, b}, type, NULL);
}

static ir_value *mean(speller *s, ir_value *v)
{
    int64_t axes[IR_MAX_RANK];
    const int outer = v->type.rank - 1;
    for (int i = 0; i < outer; i++)
        axes[i] = i;
    ir_value *r = op(s, IR_MEAN, v, NULL, s->channels);
    ir_set_ints(r->def, IR_ATTR_AXES, outer, axes);
    ir_set_int(r->def, IR_ATTR_KEEP_DIMS, 1);
    return r;
}

static uint32_t output(speller *s, ir_value *v, const char *name)
{
    ir_output_add(s->g, v, name);
    return (uint32_t)s->g->output_count - 1;
}

static ir_value *input(speller *s, const char *name, uint32_t *out_index)
{
    *out_index = (uint32_t)s->g->input_count;
    return ir_input_new(s->g, s->channels, NULL, name);
}

static ir_value *normalized(speller *s, batch_norm *n, ir_value *centred, ir_value *variance, ir_value *bias)
{
    ir_value *gamma = input(s, "gamma", &n->gamma_input), *epsilon = input(s, "epsilon", &n->epsilon_input);
    ir_value *shift = input(s, "shift", &n->shift_input);
    ir_value *inverse = op(s, IR_RSQRT, op(s, IR_ADD, variance, epsilon, s->channels), NULL, s->channels);
    ir_value *scaled = op(s, IR_MUL, centred, op(s, IR_MUL, gamma, inverse, s->channels), centred->type);
    return op(s, IR_ADD, scaled, op(s, IR_ADD, shift, bias, s->channels), centred->type);
}

/* The product once more, without its activation, and without its bias if that is added later. */
static ir_value *product(speller *s, bool has_bias)
{
    const ir_value *r = s->product->results[0];
    ir_value **operands = ARENA_ARRAY(s->g->arena, ir_value *, s->product->operand_count);
    for (int i = 0; i < s->product->operand_count; i++)
        operands[i] = i == 2 && !has_bias ? NULL : s->product->operands[i].value;
    ir_op *plain = ir_op_copy(s->g, s->product, s->product, operands);
    ir_set_int(plain, IR_ATTR_ACT, IR_ACT_NONE);
    ir_result_set(plain, 0, r->type, NULL);
    return plain->results[0];
}

static void spell(speller *s, batch_norm *n, bool trains)
{
    const ir_enum_ACT act = qdq_act(s->product);
    ir_value *r = s->product->results[0], *bias = s->product->operands[2].value;
    s->channels = ir_type_make(IR_F32, r->type.rank, r->type.dims);
    for (int k = 0; k < r->type.rank - 1; k++)
        s->channels.dims[k] = 1;
    ir_value *z = product(s, !trains), *centre = mean(s, z), *centred = op(s, IR_SUB, z, centre, z->type);
    ir_value *variance = mean(s, op(s, IR_MUL, centred, centred, z->type));
    n->mean = output(s, trains ? centre : op(s, IR_SUB, centre, bias, s->channels), "mean");
    n->variance = output(s, variance, "variance");
    ir_value *y = trains ? normalized(s, n, centred, variance, bias) : z;
    if (act != IR_ACT_NONE) {
        y = op(s, IR_RELU, y, NULL, y->type);
        ir_set_int(y->def, IR_ATTR_ACT, act);
    }
    pass_takes_over(y, r);
    ir_op_erase(s->product);
}

bool batch_norms_spell(batch_norms *n, diag *d)
{
    ir_graph *g = n->of->graph;
    ir_op **ops = twins_ops(g);
    for (int i = 0; i < n->count; i++) {
        batch_norm *item = &n->items[i];
        speller s = {g, ops[item->op], {0}};
        if (ir_type_elements(&s.product->results[0]->type) <= item->channels)
            return diag_error(d, &s.product->loc,
                              "--batch-norms: a channel of a batch has one number, which has no variance");
        spell(&s, item, n->options->kind == BATCH_NORMS_TRAIN);
    }
    return true;
}
