/* loss.c: the ops of a loss behind the graph's first output. */
#include "compiler/tune/loss.h"

#include "compiler/quantize/twins.h"
#include "passes/common/util.h"

static const ir_op *softmax_of(const ir_graph *g)
{
    const ir_op *op = g->output_count ? g->outputs[0]->def : NULL;
    while (op && op->code == IR_RESHAPE)
        op = op->operands[0].value->def;
    return op && op->code == IR_SOFTMAX && !ir_operand_value(op, 1) && ir_float(op, IR_ATTR_BETA) == 1 ? op : NULL;
}

bool loss_sees_softmax(const ir_graph *g) { return softmax_of(g) != NULL; }

static ir_value *op2(ir_graph *g, ir_opcode code, ir_value *a, ir_value *b)
{
    ir_value *operands[2] = {a, b};
    return pass_op1(g, code, NULL, a->def ? a->def : g->last, b ? 2 : 1, operands, a->type, NULL);
}

static ir_value *over_all(ir_graph *g, ir_opcode code, ir_value *v)
{
    int64_t axes[IR_MAX_RANK];
    for (int i = 0; i < v->type.rank; i++)
        axes[i] = i;
    ir_value *r = pass_op1(g, code, NULL, v->def, 1, &v, ir_type_make(IR_F32, 0, NULL), NULL);
    ir_set_ints(r->def, IR_ATTR_AXES, v->type.rank, axes);
    return r;
}

static ir_value *number(ir_graph *g, float x)
{
    float *to = ARENA_NEW(g->arena, float);
    *to = x;
    return ir_const_new(g, ir_type_make(IR_F32, 0, NULL), NULL, to);
}

static ir_value *cross_entropy(ir_graph *g, ir_value *logits, ir_value *target, int64_t rows)
{
    ir_value *chosen = op2(g, IR_MUL, op2(g, IR_LOG_SOFTMAX, logits, NULL), target);
    return op2(g, IR_MUL, over_all(g, IR_SUM, chosen), number(g, -1 / (float)rows));
}

static ir_value *squared_error(ir_graph *g, ir_value *result, ir_value *target)
{
    ir_value *error = op2(g, IR_SUB, result, target);
    return over_all(g, IR_MEAN, op2(g, IR_MUL, error, error));
}

bool loss_add(ir_graph *g, const ir_graph *of, loss_kind kind, loss *out, diag *d)
{
    const ir_op *softmax = softmax_of(of);
    const bool entropy = kind == LOSS_CROSS_ENTROPY;
    ir_value *result = g->output_count ? g->outputs[0] : NULL;
    if (entropy && softmax)
        result = twins_ops(g)[softmax->id]->operands[0].value;
    if (!result || result->type.dtype != IR_F32 || result->type.rank < 1 || ir_type_elements(&result->type) == 0)
        return diag_error(d, NULL, "the model's first output is no array of real numbers: there is nothing to compare");
    const int64_t classes = result->type.dims[result->type.rank - 1], rows = ir_type_elements(&result->type) / classes;
    *out = (loss){.kind = kind, .behind_softmax = softmax != NULL, .classes = classes, .rows = rows};
    out->target = (uint32_t)g->input_count;
    ir_value *target = ir_input_new(g, result->type, NULL, "target");
    out->value = entropy ? cross_entropy(g, result, target, rows) : squared_error(g, result, target);
    out->result = (uint32_t)g->output_count;
    ir_output_add(g, result, "result");
    out->output = (uint32_t)g->output_count;
    ir_output_add(g, out->value, "loss");
    return true;
}
