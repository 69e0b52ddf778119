/* build.c: protects the graph's own bookkeeping: use lists, the op list, outputs, attribute defaults, through every
 * way of changing a graph; and the equality of ops that common subexpressions rest on. */
#include <stdio.h>
#include <string.h>

#include "ir/ir.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

static ir_value *unary(ir_graph *g, ir_opcode code, ir_value *x)
{
    ir_op *op = ir_op_new(g, code, NULL, 1, &x);
    ir_result_set(op, 0, x->type, NULL);
    return op->results[0];
}

static void check_verifies(const ir_graph *g)
{
    diag d = {0};
    if (!ir_verify(g, &d)) {
        fprintf(stderr, "%s\n", d.text);
        failures++;
    }
}

static void uses(void)
{
    ir_graph *g = ir_graph_new();
    ir_type t = ir_type_make(IR_F32, 1, (int64_t[]){4});
    ir_value *x = ir_input_new(g, t, NULL, "x");
    ir_value *a = unary(g, IR_ABS, x), *b = unary(g, IR_NEG, x), *c = unary(g, IR_EXP, a);
    ir_output_add(g, c, "c");
    ir_output_add(g, a, "a");
    CHECK(ir_use_count(x) == 2 && ir_use_count(a) == 2 && ir_use_count(b) == 0 && ir_use_count(c) == 1);
    CHECK(ir_value_is_output(a) && !ir_value_is_output(b));

    ir_replace_uses(a, b); /* outputs move along; b's definition stands in front of c's */
    CHECK(ir_use_count(a) == 0 && ir_use_count(b) == 2 && g->outputs[1] == b);
    check_verifies(g);
    ir_op_erase(a->def);
    CHECK(ir_use_count(x) == 1 && g->first == b->def);
    check_verifies(g);

    ir_op *concat = ir_op_new(g, IR_CONCAT, NULL, 1, (ir_value *[]){x});
    for (int i = 1; i < 40; i++) /* operand slots move when the list grows; use lists have to follow */
        ir_set_operand(concat, i, i % 2 ? b : x);
    ir_result_set(concat, 0, ir_type_make(IR_F32, 1, (int64_t[]){160}), NULL);
    CHECK(concat->operand_count == 40 && ir_use_count(b) == 22 && ir_use_count(x) == 21);
    check_verifies(g);
    ir_replace_uses(b, x);
    CHECK(ir_use_count(b) == 0 && ir_use_count(x) == 43);
    check_verifies(g);
    ir_graph_free(g);
}

static void order(void)
{
    ir_graph *g = ir_graph_new();
    diag d = {0};
    ir_value *x = ir_input_new(g, ir_type_make(IR_F32, 0, NULL), NULL, "x");
    ir_value *a = unary(g, IR_ABS, x), *b = unary(g, IR_NEG, a), *c = unary(g, IR_EXP, x);
    ir_op_move_before(c->def, a->def);
    CHECK(g->first == c->def && c->def->next == a->def && a->def->prev == c->def && g->last == b->def);
    check_verifies(g);
    ir_op_move_before(c->def, NULL);
    CHECK(g->last == c->def && g->first == a->def && !c->def->next);
    check_verifies(g);
    ir_op_move_before(b->def, a->def);
    CHECK(!ir_verify(g, &d) && strstr(d.text, "used before its definition"));
    ir_graph_free(g);
}

static void attributes(void)
{
    ir_graph *g = ir_graph_new();
    ir_type t = ir_type_make(IR_F32, 4, (int64_t[]){1, 4, 4, 1});
    ir_value *x = ir_input_new(g, t, NULL, "x");
    ir_op *a = ir_op_new(g, IR_CONV2D, NULL, 2, (ir_value *[]){x, x});
    ir_op *b = ir_op_new(g, IR_CONV2D, NULL, 2, (ir_value *[]){x, x});
    ir_result_set(a, 0, t, NULL);
    ir_result_set(b, 0, t, NULL);
    const int64_t *v;
    CHECK(ir_ints(a, IR_ATTR_STRIDE, &v) == 2 && v[0] == 1 && v[1] == 1 && ir_ints(a, IR_ATTR_PAD, &v) == 4);
    CHECK(ir_int(a, IR_ATTR_GROUPS) == 1 && ir_int(a, IR_ATTR_ACT) == IR_ACT_NONE);
    CHECK(ir_has_attr(a, IR_ATTR_MID_SCALE) && !ir_has_attr(a, IR_ATTR_AXIS));
    CHECK(ir_op_same(a, b) && ir_op_hash(a) == ir_op_hash(b));
    int64_t stride[2] = {1, 2};
    ir_set_ints(b, IR_ATTR_STRIDE, 2, stride);
    stride[1] = 7; /* it was copied */
    CHECK(ir_ints_at(b, IR_ATTR_STRIDE, 1) == 2 && !ir_op_same(a, b) && ir_op_hash(a) != ir_op_hash(b));
    ir_set_ints(b, IR_ATTR_STRIDE, 2, (int64_t[]){1, 1});
    CHECK(ir_op_same(a, b));
    ir_result_set(b, 0, t, ir_quant_tensor(g, 1, 0));
    CHECK(!ir_op_same(a, b));
    ir_graph_free(g);
}

static void limits(void)
{
    ir_type t = ir_type_make(IR_I64, 3, (int64_t[]){1 << 30, 1 << 30, 1 << 30});
    CHECK(!ir_type_valid(&t));
    t = ir_type_make(IR_U8, 2, (int64_t[]){0, INT64_C(1) << 31});
    CHECK(ir_type_valid(&t) && ir_type_elements(&t) == 0);
    t = ir_type_make(IR_U8, 1, (int64_t[]){(INT64_C(1) << 31) + 1});
    CHECK(!ir_type_valid(&t));
    t = ir_type_make(IR_U8, 1, (int64_t[]){-1});
    CHECK(!ir_type_valid(&t));
    t = ir_type_make(IR_DTYPE_NONE, 0, NULL);
    CHECK(!ir_type_valid(&t));
}

static void constants(void)
{
    ir_graph *g = ir_graph_new();
    const unsigned char bytes[] = {0xaa, 0xff, 0xfe, 0x00, 0x7f, 0x80, 0x01, 0x02}; /* read from odd addresses */
    const float scale[] = {0.5f, 2.0f};
    const int32_t zero[] = {1, -1};
    ir_quant *q = ir_quant_new(g, 1, 2, scale, zero);
    ir_value *v = ir_const_new(g, ir_type_make(IR_I8, 2, (int64_t[]){3, 2}), q, bytes + 1);
    CHECK(ir_const_int(v, 0) == -1 && ir_const_int(v, 4) == -128);
    CHECK(ir_const_real(v, 0) == -1.0 && ir_const_real(v, 1) == -2.0 && ir_const_real(v, 4) == -64.5);
    ir_value *w = ir_const_new(g, ir_type_make(IR_I16, 1, (int64_t[]){3}), NULL, bytes + 1);
    CHECK(ir_const_int(w, 0) == -257 && ir_const_int(w, 1) == 0x7f00);
    ir_graph_free(g);
}

int main(void)
{
    uses();
    order();
    attributes();
    limits();
    constants();
    return failures ? 1 : 0;
}
