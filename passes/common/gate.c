/* gate.c: finding hard-swish behind products, see gate.h. */
#include "passes/common/gate.h"

#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/common/scales.h"

bool gate_is_possible(const pass_options *o)
{
    return !o->exchange && !(o->rounding_given && o->rounding != IR_ROUNDING_EVEN_F32) && o->quantized_ops.count == 0;
}

static bool is_free(const ir_op *op, ir_enum_ACT act) { return op && !op->keep_float && qdq_act(op) == act; }

/* Is v real, on no grid of its own? */
static bool is_plain(const ir_value *v) { return v->type.dtype == IR_F32 && !v->as && !ir_value_is_output(v); }

/* In the middle of a gate a grid that nobody asks for is none. */
static bool is_inner(const ir_value *v)
{
    return v->type.dtype == IR_F32 && !scales_is_fixed(v) && !ir_value_is_output(v);
}

/* The operand of `op` that is not v, once; NULL. */
static ir_value *other(const ir_op *op, const ir_value *v)
{
    if (op->operand_count != 2 || (op->operands[0].value == v) == (op->operands[1].value == v))
        return NULL;
    return op->operands[op->operands[0].value == v].value;
}

static bool are_slopes(const ir_value *c, const ir_value *v)
{
    const int64_t count = c ? ir_type_elements(&c->type) : 0;
    if (!c || !ir_is_const(c) || c->type.dtype != IR_F32 || c->as || v->type.rank == 0)
        return false;
    const bool each = c->type.rank > 0 && c->type.dims[c->type.rank - 1] == count;
    if (count != 1 && (!each || count != v->type.dims[v->type.rank - 1]))
        return false;
    for (int64_t i = 0; i < count; i++)
        if (!(ir_const_real(c, i) > 0x1p-60 && ir_const_real(c, i) < 0x1p60))
            return false;
    return true;
}

static bool is_half(const ir_value *c)
{
    return c && pass_is_number(c) && c->type.dtype == IR_F32 && ir_const_real(c, 0) == 0.5;
}

/* The second form, from its last op. */
static bool spelled(ir_op *last, const ir_value *v, gate *out)
{
    const ir_value *share = last->code == IR_MUL && is_free(last, IR_ACT_NONE) ? other(last, v) : NULL;
    ir_op *add = share && is_inner(share) && pass_single_user(share) == last ? share->def : NULL;
    if (!is_free(add, IR_ACT_RELU_0_TO_1) || add->code != IR_ADD)
        return false;
    const ir_value *scaled = add->operands[is_half(add->operands[0].value)].value;
    ir_op *mul =
        is_half(other(add, scaled)) && is_inner(scaled) && pass_single_user(scaled) == add ? scaled->def : NULL;
    if (!is_free(mul, IR_ACT_NONE) || mul->code != IR_MUL || !are_slopes(other(mul, v), v) ||
        !ir_type_equal(&scaled->type, &v->type))
        return false;
    *out = (gate){{mul, add, last}, 3, other(mul, v)};
    return true;
}

static bool is_product(const ir_op *op)
{
    return qdq_is_product(op) && pass_is_known(op->operands[1].value) && plan_gives_reals(op->code) &&
           is_free(op, IR_ACT_NONE) && !plan_sum_of(op) && !ir_operand_value(op, 4) && !ir_operand_value(op, 5) &&
           is_plain(op->results[0]);
}

bool gate_of(const ir_op *product, gate *out)
{
    const ir_value *v = product->results[0];
    const int uses = is_product(product) ? ir_use_count(v) : 0;
    ir_op *single = uses == 1 ? v->uses->user : NULL;
    if (single && single->code == IR_HARD_SWISH && !single->keep_float) {
        *out = (gate){{single}, 1, NULL};
        return true;
    }
    for (const ir_operand *slot = v->uses; uses == 2 && slot; slot = slot->next_use)
        if (spelled(slot->user, v, out))
            return true;
    return false;
}

ir_op *gate_product(const ir_op *op)
{
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        ir_op *product = v ? v->def : NULL;
        gate g;
        if (op->code == IR_ADD && product && product->code == IR_MUL) { /* the slopes' */
            const ir_op *mul = product;
            product = mul->operands[ir_is_const(mul->operands[0].value)].value->def;
        }
        if (!product || !gate_of(product, &g))
            continue;
        for (int k = 0; k < g.count; k++)
            if (g.ops[k] == op)
                return product;
    }
    return NULL;
}

void gate_spell(ir_graph *g, ir_op *op, ir_value *slopes)
{
    ir_value *v = op->operands[0].value, *r = op->results[0];
    static const float half_data[1] = {0.5f};
    const uint32_t id = r->id; /* by which its range is known, and y's */
    ir_value *half = ir_const_new(g, ir_type_make(IR_F32, 1, (int64_t[]){1}), NULL, half_data);
    ir_value *scaled = pass_op1(g, IR_MUL, op, op, 2, (ir_value *[]){v, slopes}, r->type, NULL);
    ir_value *share = pass_op1(g, IR_ADD, op, op, 2, (ir_value *[]){scaled, half}, r->type, NULL);
    ir_set_int(share->def, IR_ATTR_ACT, IR_ACT_RELU_0_TO_1);
    ir_value *y = pass_op1(g, IR_MUL, op, op, 2, (ir_value *[]){v, share}, r->type, NULL);
    pass_takes_over(y, r);
    ir_op_erase(op);
    y->id = id;
}
