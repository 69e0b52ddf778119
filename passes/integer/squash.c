/* squash.c: two conversions in a row between 8-bit values become one, or none, where all 256 values agree.
 *
 *     %1:f32<4> = dequantize %0:u8<4; 0.5, 3>
 *     %2:u8<4; 0.5, 3> = quantize %1                   %0
 *
 *     %1:u8<4; 0.5, 131> = requantize %0:i8<4; 0.5, 3>
 *     %2:u8<4; 0.25, 0> = requantize %1                %2:u8<4; 0.25, 0> = requantize %0
 *
 * Rounding twice is not rounding once: what differs for one value only stays. */
#include <string.h>

#include "ir/ref/interp.h"
#include "passes/common/util.h"

enum { VALUES = 256 };

static bool is_byte(const ir_value *v)
{
    return (v->type.dtype == IR_I8 || v->type.dtype == IR_U8) && v->quant && v->quant->axis < 0;
}

static ir_value *clone_on_bytes(ir_graph *g, const ir_op *op, ir_value *x)
{
    ir_value *r = op->results[0];
    ir_type type = ir_type_make(r->type.dtype, 1, (int64_t[]){VALUES});
    ir_value *y = pass_op1(g, op->code, NULL, NULL, 1, &x, type, r->quant);
    if (ir_has_attr(op, IR_ATTR_ROUNDING))
        ir_set_int(y->def, IR_ATTR_ROUNDING, ir_int(op, IR_ATTR_ROUNDING));
    return y;
}

/* Result byte of the `count` ops in a row for each byte of x, the first op's operand. */
static bool table_of(const ir_op *const ops[], int count, const ir_value *x, uint8_t table[VALUES])
{
    ir_graph *g = ir_graph_new();
    uint8_t bytes[VALUES];
    for (int i = 0; i < VALUES; i++)
        bytes[i] = (uint8_t)i;
    ir_value *v = ir_input_new(g, ir_type_make(x->type.dtype, 1, (int64_t[]){VALUES}), x->quant, "x");
    for (int i = 0; i < count; i++)
        v = clone_on_bytes(g, ops[i], v);
    ir_output_add(g, v, "y");
    diag ignored = {0};
    bool ok = ir_interpret(g, (const void *[]){bytes}, (void *[]){table}, NULL, &ignored);
    pass_ignore(&ignored);
    ir_graph_free(g);
    return ok;
}

static bool is_identity(const ir_value *x, const ir_value *r, const uint8_t table[VALUES])
{
    if (!ir_type_equal(&x->type, &r->type) || !ir_quant_equal(x->quant, r->quant))
        return false;
    for (int i = 0; i < VALUES; i++)
        if (table[i] != i)
            return false;
    return true;
}

/* Gives `op`, a requantize directly on x, the rounding that makes it compute `wanted`. */
static bool find_rounding(ir_op *op, const ir_value *x, const uint8_t wanted[VALUES])
{
    uint8_t table[VALUES];
    for (int rounding = 0; rounding < IR_ROUNDING_COUNT; rounding++) {
        ir_set_int(op, IR_ATTR_ROUNDING, rounding);
        if (table_of((const ir_op *const[]){op}, 1, x, table) && memcmp(table, wanted, VALUES) == 0)
            return true;
    }
    return false;
}

static bool squash(ir_graph *g, ir_op *first, ir_op *second)
{
    uint8_t wanted[VALUES];
    ir_value *x = first->operands[0].value, *r = second->results[0];
    if (!is_byte(x) || !is_byte(r) || !table_of((const ir_op *const[]){first, second}, 2, x, wanted))
        return false;
    if (is_identity(x, r, wanted)) {
        ir_replace_uses(r, x);
        ir_op_erase(second);
        return true;
    }
    ir_value *direct = pass_op1(g, IR_REQUANTIZE, second, second, 1, &x, r->type, r->quant);
    if (!find_rounding(direct->def, x, wanted)) {
        ir_op_erase(direct->def);
        return false;
    }
    direct->name = r->name;
    direct->scale_from = r->scale_from;
    ir_replace_uses(r, direct);
    ir_op_erase(second);
    return true;
}

pass_result pass_squash(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        ir_op *first = op->operand_count == 1 && op->operands[0].value ? op->operands[0].value->def : NULL;
        bool matches = first && ((op->code == IR_QUANTIZE && first->code == IR_DEQUANTIZE) ||
                                 (op->code == IR_REQUANTIZE && first->code == IR_REQUANTIZE));
        if (matches && squash(g, first, op))
            result = PASS_CHANGED;
    }
    return result;
}
