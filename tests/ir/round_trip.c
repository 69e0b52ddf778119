/* round_trip.c: protects the text form: print(parse(print(g))) == print(g) for every op with every attribute away
 * from its default, every element type, quantization, places, locations; so does a copy whose original is gone; and
 * malformed text gets a diagnostic with its line. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

static int failures;

static void check_same(const ir_graph *g, const char *text, size_t length, const char *what, const char *after)
{
    char *again;
    size_t again_length;
    if (!ir_print(g, &again, &again_length))
        abort();
    if (length != again_length || memcmp(text, again, length) != 0) {
        fprintf(stderr, "%s: printed\n%s\nand after %s\n%s\n", what, text, after, again);
        failures++;
    }
    free(again);
}

static void check_round_trip(const ir_graph *g, const char *what)
{
    char *first;
    size_t first_length;
    diag d = {0};
    if (!ir_print(g, &first, &first_length))
        abort();
    ir_graph *again = ir_parse(first, first_length, "printed", &d);
    if (!again) {
        fprintf(stderr, "%s: %s\n%s\n", what, d.text, first);
        failures++;
        free(first);
        return;
    }
    check_same(again, first, first_length, what, "parsing");
    ir_graph *whole = ir_graph_copy_whole(again);
    ir_graph_free(again);
    check_same(whole, first, first_length, what, "copying it whole");
    ir_graph_free(whole);
    free(first);
}

static void set_attr(ir_op *op, ir_attr_id id)
{
    static const int64_t ints[] = {3, -1, INT64_MAX, INT64_MIN};
    static const float floats[] = {0.1f, -INFINITY, 1e-45f, 3.4028235e38f};
    switch (ir_attr_info_of(id)->kind) {
    case IR_KIND_INT: ir_set_int(op, id, -7); break;
    case IR_KIND_FLOAT: ir_set_float(op, id, 0.3333333f); break;
    case IR_KIND_INTS: ir_set_ints(op, id, 4, ints); break;
    case IR_KIND_FLOATS: ir_set_floats(op, id, 4, floats); break;
    case IR_KIND_STR: ir_set_str(op, id, "a \"quoted\\\" \x01\xff name"); break;
    default: ir_set_int(op, id, 1); break;
    }
}

/* One graph with op `code`, all slots filled, and a second one with the least that it takes. */
static void every_op(ir_opcode code)
{
    const ir_op_info *info = ir_op_info_of(code);
    ir_graph *g = ir_graph_new();
    ir_type type = ir_type_make(IR_U8, 2, (int64_t[]){2, 3});
    enum { MOST = IR_MAX_OPERANDS_NAMED };
    ir_value *operands[MOST];
    int most = info->max_operands < MOST ? info->max_operands : MOST;
    for (int i = 0; i < MOST; i++)
        operands[i] = ir_input_new(g, type, ir_quant_tensor(g, 0.1f * (float)(i + 1), i), i ? "in" : NULL);
    for (int round = 0; round < 3; round++) {
        ir_op *op = ir_op_new(g, code, NULL, round ? most : info->min_operands, operands);
        for (int i = 0; i < info->attr_count; i++)
            if (round || !*ir_attr_info_of(info->attrs[i])->def)
                set_attr(op, info->attrs[i]);
        for (int i = 0; i < info->results; i++) {
            ir_result_set(op, i, type, round ? ir_quant_tensor(g, 0.7f, -3) : NULL);
            op->results[i]->name = round ? "result" : NULL;
        }
        if (round == 2 && op->operand_count > info->min_operands)
            ir_set_operand(op, info->min_operands, NULL);
        op->name = round ? "layer 1" : NULL;
        if (round)
            op->kernel = (ir_kernel){"a_kernel", (ir_enum_LAYOUT)round, 64 * (round - 1), 640 * (round - 1)};
        if (round)
            op->loc = (ir_loc){.file = "m.tflite", .subgraph = 0, .node = 17, .kind = round == 1 ? "KIND" : NULL};
    }
    for (int i = 0; i < info->results; i++)
        ir_output_add(g, g->last->results[i], i ? "out" : NULL);
    g->name = info->text;
    check_round_trip(g, info->text);
    ir_graph_free(g);
}

static void every_dtype(ir_dtype t)
{
    ir_graph *g = ir_graph_new();
    unsigned char bytes[8 * 24];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
    static const unsigned char zeros[8 * 24];
    for (int64_t n = 0; n <= 24; n += 4) {
        ir_output_add(g, ir_const_new(g, ir_type_make(t, 1, &n), NULL, bytes), "bytes");
        ir_output_add(g, ir_const_new(g, ir_type_make(t, 1, &n), NULL, zeros), "zeros");
    }
    ir_output_add(g, ir_const_new(g, ir_type_make(t, 0, NULL), NULL, bytes), "scalar");
    check_round_trip(g, ir_dtype_text(t));
    ir_graph_free(g);
}

static void places_and_axes(void)
{
    ir_graph *g = ir_graph_new();
    ir_type type = ir_type_make(IR_I8, 2, (int64_t[]){2, 3});
    const float scale[] = {0.1f, 0.2f, 1e-30f};
    const int32_t zero[] = {1, -2, 3}, same[] = {4, 4, 4};
    ir_value *x = ir_input_new(g, type, ir_quant_new(g, 1, 3, scale, zero), "x");
    ir_value *y = ir_input_new(g, type, ir_quant_new(g, 1, 3, scale, same), "y");
    x->place = (ir_place){.space = IR_SPACE_INPUT, .stride = {3, 1}};
    y->place = (ir_place){.space = IR_SPACE_INPUT, .index = 1, .offset = 5, .stride = {7, 2}};
    y->scale_from = (ir_origin){IR_SCALE_PROPAGATED, "%1, \"half\"", NULL};
    ir_value *real = ir_input_new(g, ir_type_make(IR_F32, 2, (int64_t[]){2, 3}), NULL, "real");
    real->as = y->quant;
    real->as_dtype = IR_I8;
    ir_op *op = ir_op_new(g, IR_ADD, NULL, 2, (ir_value *[]){x, y});
    ir_result_set(op, 0, type, ir_quant_tensor(g, 0.5f, 0));
    op->results[0]->place = (ir_place){.space = IR_SPACE_WORKSPACE, .offset = 640, .stride = {3, 1}};
    ir_output_add(g, op->results[0], "z");
    g->workspace_bytes = 4096;
    g->state_bytes = 12;
    g->state_offset = 64;
    ir_variable_add(g, (ir_variable){.name = "v", .type = type, .quant = x->quant, .offset = 64, .initial = "abcdef"});
    ir_variable_add(g, (ir_variable){.name = "w", .type = type});
    check_round_trip(g, "places");
    ir_graph_free(g);
}

/* Text, and what its diagnostic has to start with. */
static const struct {
    const char *text, *message;
} malformed[] = {
    {"", "t: line 1: error: expected graph"},
    {"graph \"x\" {\n", "t: line 2: error: expected '}'"},
    {"graph \"x\" {\n}\nmore", "t: line 3: error: text after the graph"},
    {"graph \"x\" {\n\n  input %0:u7<1>\n}", "t: line 3: error: expected an element type"},
    {"graph \"x\" {\n  input %0:u8<1x>\n}", "t: line 2: error: expected an integer"},
    {"graph \"x\" {\n  input %0:u8<1x1x1x1x1x1x1x1x1>\n}", "t: line 2: error: more than 8"},
    {"graph \"x\" {\n  input %0:u8<99999999x99999999>\n}", "t: line 2: error: tensor too large"},
    {"graph \"x\" {\n  input %0:u8<99999999999999999999>\n}", "t: line 2: error: integer out of range"},
    {"graph \"x\" {\n  input %99999999:u8<1>\n}", "t: line 2: error: value number too large"},
    {"graph \"x\" {\n  input %0:u8<1>\n  input %0:u8<1>\n}", "t: line 3: error: %0 is defined twice"},
    {"graph \"x\" {\n  output %0\n}", "t: line 2: error: %0 is not defined"},
    {"graph \"x\" {\n  %1:f32<1> = frob %0\n}", "t: line 2: error: unknown op 'frob'"},
    {"graph \"x\" {\n input %0:f32<1>\n %1:f32<1> = relu %0 {act = 3}\n}", "t: line 3: error: unknown value ''"},
    {"graph \"x\" {\n input %0:f32<1>\n %1:f32<1> = abs %0 {act = relu}\n}", "t: line 3: error: abs has no attribute"},
    {"graph \"x\" {\n input %0:f32<1>\n %1:f32<1> = leaky_relu %0\n}", "t: line 3: error: leaky_relu needs"},
    {"graph \"x\" {\n input %0:f32<1>\n %1:f32<1>, %2:f32<1> = abs %0\n}", "t: line 3: error: abs has 1 results"},
    {"graph \"x\" {\n const %0:i8<2> = [1, 200]\n}", "t: line 2: error: integer out of range"},
    {"graph \"x\" {\n const %0:i8<2> = [1]\n}", "t: line 2: error: fewer elements"},
    {"graph \"x\" {\n const %0:i8<2> = dense<0x00>\n}", "t: line 2: error: fewer bytes"},
    {"graph \"x\" {\n const %0:i8<2000000000> = dense<0x00>\n}", "t: line 2: error: fewer bytes"},
    {"graph \"x\" {\n const %0:i8<2000000000> = splat 0\n}", "t: line 2: error: splat constant too large"},
    {"graph \"x\" {\n const %0:f32<1> = [1e99]\n}", "t: line 2: error: number out of range"},
    {"graph \"x\" {\n const %0:f32<2> = [1, nan]\n}", "t: line 2: error: a constant holds NaN"},
    {"graph \"x\" {\n const %0:f64<9> = splat nan\n}", "t: line 2: error: a constant holds NaN"},
    {"graph \"x\" {\n const %0:f32<1> = dense<0x0100c0ff>\n}", "t: line 2: error: a constant holds NaN"},
    {"graph \"x\" {\n const %0:f16<2> = dense<0x007c017c>\n}", "t: line 2: error: a constant holds NaN"},
    {"graph \"x\" {\n const %0:i8<2; axis 0: [1, 2], [1]> = [1, 2]\n}", "t: line 2: error: as many zero points"},
    {"graph \"x\" {\n const %0:i8<2; axis 0: [], 0> = [1, 2]\n}", "t: line 2: error: no scales"},
    {"graph \"x\\q\" {\n}", "t: line 1: error: malformed string"},
};

int main(void)
{
    for (int code = 0; code < IR_OPCODE_COUNT; code++)
        every_op((ir_opcode)code);
    for (int t = 1; t < IR_DTYPE_COUNT; t++)
        every_dtype((ir_dtype)t);
    places_and_axes();
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        diag d = {0};
        ir_graph *g = ir_parse(malformed[i].text, strlen(malformed[i].text), "t", &d);
        if (g || strncmp(d.text, malformed[i].message, strlen(malformed[i].message)) != 0) {
            fprintf(stderr, "malformed %zu: got '%s', expected '%s'\n", i, d.text, malformed[i].message);
            failures++;
        }
        ir_graph_free(g);
    }
    return failures ? 1 : 0;
}
