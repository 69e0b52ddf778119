/* parse.c: reads the text form that print.c writes.  The text may be hostile: everything is checked, sizes are limited,
 * and each defect gets a diagnostic with its line.  Nothing is inferred: types are as written; ir_verify judges them.
 *
 * Beyond the printed form it accepts comments (// to the end of the line), any white space, and names for values:
 * `%x` is a value that gets the number after the largest one written. */
#include <string.h>

#include "ir/size_limits.h"
#include "ir/text/values.h"

/* ---- Ops ---- */

static bool parse_attr_value(parser *p, const ir_attr_info *info, ir_attr *out)
{
    switch (info->kind) {
    case IR_KIND_INT: return ir_scan_int(p, INT64_MIN, INT64_MAX, &out->i);
    case IR_KIND_FLOAT: return ir_scan_float(p, &out->f);
    case IR_KIND_INTS: return ir_scan_ints(p, &out->ints.v, &out->ints.n);
    case IR_KIND_FLOATS: return ir_scan_floats(p, &out->floats.v, &out->floats.n);
    case IR_KIND_STR: return (out->s = ir_scan_string(p)) != NULL;
    default: {
        slice w = ir_scan_word(p);
        if (w.length && ir_enum_from_text(info->kind, w.at, w.length, &out->i))
            return true;
        p->loc.node = p->line;
        return diag_error(p->d, &p->loc, "unknown value '%.*s' of %s", (int)(w.length < 60 ? w.length : 60),
                          w.at ? w.at : "", info->text);
    }
    }
}

static bool parse_attr(parser *p, ir_op *op, bool given[])
{
    const ir_op_info *info = ir_op_info_of(op->code);
    slice w = ir_scan_word(p);
    int i = 0;
    while (i < info->attr_count && !(w.length && ir_scan_slice_is(w, ir_attr_info_of(info->attrs[i])->text)))
        i++;
    p->loc.node = p->line;
    if (i == info->attr_count)
        return diag_error(p->d, &p->loc, "%s has no attribute '%.*s'", info->text, (int)(w.length < 60 ? w.length : 60),
                          w.at ? w.at : "");
    if (given[i])
        return diag_error(p->d, &p->loc, "%s is given twice", ir_attr_info_of(info->attrs[i])->text);
    given[i] = true;
    return ir_scan_expect(p, '=') && parse_attr_value(p, ir_attr_info_of(info->attrs[i]), &op->attrs[i]);
}

static bool parse_attrs(parser *p, ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    bool given[IR_MAX_ATTRS] = {false};
    if (ir_scan_accept(p, '{')) {
        do {
            if (!parse_attr(p, op, given))
                return false;
        } while (ir_scan_accept(p, ','));
        if (!ir_scan_expect(p, '}'))
            return false;
    }
    for (int i = 0; i < info->attr_count; i++) {
        const ir_attr_info *attr = ir_attr_info_of(info->attrs[i]);
        p->loc.node = p->start;
        if (!given[i] && !*attr->def)
            return diag_error(p->d, &p->loc, "%s needs the attribute %s", info->text, attr->text);
    }
    return true;
}

static bool parse_loc(parser *p, ir_loc *loc)
{
    *loc = (ir_loc){0};
    if (!ir_scan_expect(p, '(') || !(loc->file = ir_scan_string(p)) || !ir_scan_expect(p, ',') ||
        !ir_scan_i32(p, &loc->subgraph) || !ir_scan_expect(p, ',') || !ir_scan_i32(p, &loc->node))
        return false;
    if (ir_scan_accept(p, ',') && !(loc->kind = ir_scan_string(p)))
        return false;
    return ir_scan_expect(p, ')');
}

static bool parse_kernel(parser *p, ir_kernel *k)
{
    int64_t layout;
    if (!(k->name = ir_scan_string(p)))
        return false;
    const slice word = ir_scan_peek_word(p);
    if (ir_enum_from_text(IR_KIND_ENUM_LAYOUT, word.at, word.length, &layout)) {
        k->layout = (ir_enum_LAYOUT)layout;
        ir_scan_word(p);
    }
    if (!ir_scan_accept_word(p, "scratch"))
        return true;
    if (!ir_scan_offset(p, &k->scratch_bytes))
        return false;
    return !ir_scan_accept_word(p, "at") || ir_scan_offset(p, &k->scratch_offset);
}

static bool parse_suffix(parser *p, ir_op *op)
{
    op->loc = (ir_loc){.file = p->loc.file, .subgraph = -1, .node = p->start};
    if (ir_scan_accept_word(p, "name") && !(op->name = ir_scan_string(p)))
        return false;
    op->keep_float = ir_scan_accept_word(p, "keep_float");
    if (op->keep_float && !(op->why_float = ir_scan_string(p)))
        return false;
    if (ir_scan_accept_word(p, "kernel") && !parse_kernel(p, &op->kernel))
        return false;
    return !ir_scan_accept_word(p, "loc") || parse_loc(p, &op->loc);
}

static bool parse_operands(parser *p, ir_value **operands, int *out_count)
{
    int n = 0;
    if (ir_scan_peek(p) == '%' || ir_scan_slice_is(ir_scan_peek_word(p), "none")) {
        do {
            if (n == OPERAND_LIMIT)
                return ir_scan_fail(p, "too many operands");
            if (ir_scan_accept_word(p, "none"))
                operands[n++] = NULL;
            else if (!ir_parse_use(p, &operands[n++]))
                return false;
        } while (ir_scan_accept(p, ','));
    }
    *out_count = n;
    return true;
}

/* How many operands can follow here: one more than there are commas up to the attributes or the line's end. */
static int operand_bound(const parser *p)
{
    int n = 1;
    for (const char *c = p->at; c < p->end && *c != '{' && *c != '=' && *c != '}' && n < OPERAND_LIMIT; c++)
        n += *c == ',';
    return n + 1;
}

static bool parse_op(parser *p, int result_count, const ir_definition results[])
{
    slice w = ir_scan_word(p);
    ir_opcode code;
    p->loc.node = p->line;
    if (!w.length || !ir_opcode_from_text(w.at, w.length, &code))
        return diag_error(p->d, &p->loc, "unknown op '%.*s'", (int)(w.length < 60 ? w.length : 60), w.at ? w.at : "");
    if (ir_op_info_of(code)->results != result_count)
        return diag_error(p->d, &p->loc, "%s has %d results, %d given", ir_op_info_of(code)->text,
                          ir_op_info_of(code)->results, result_count);
    int count = 0;
    ir_value **operands = ARENA_ARRAY(p->scratch, ir_value *, operand_bound(p));
    if (!parse_operands(p, operands, &count))
        return false;
    ir_op *op = ir_op_new(p->g, code, NULL, count, operands);
    if (!parse_attrs(p, op) || !parse_suffix(p, op))
        return false;
    for (int i = 0; i < result_count; i++) {
        ir_result_set(op, i, results[i].type, results[i].quant);
        if (!ir_parse_finish(p, op->results[i], &results[i]))
            return false;
    }
    return true;
}

static bool parse_op_with_results(parser *p)
{
    ir_definition results[8];
    int n = 0;
    do {
        if (n == 8)
            return ir_scan_fail(p, "too many results");
        if (!ir_parse_definition(p, &results[n++]))
            return false;
    } while (ir_scan_accept(p, ','));
    return ir_scan_expect(p, '=') && parse_op(p, n, results);
}

/* ---- Graphs ---- */

static bool parse_input(parser *p)
{
    ir_definition d;
    if (!ir_parse_definition(p, &d))
        return false;
    const char *name = d.label;
    if (!name)
        name = ir_scan_is_digit(d.name.at[0]) ? "" : arena_string(p->g->arena, d.name.at, d.name.length);
    return ir_parse_finish(p, ir_input_new(p->g, d.type, d.quant, name), &d);
}

static bool parse_output(parser *p)
{
    ir_value *v;
    const char *name = "";
    if (!ir_parse_use(p, &v) || (ir_scan_peek(p) == '"' && !(name = ir_scan_string(p))))
        return false;
    ir_output_add(p->g, v, name);
    return true;
}

static bool parse_variable(parser *p)
{
    ir_variable v = {0};
    unsigned char *bytes = NULL;
    if (!(v.name = ir_scan_string(p)) || !ir_scan_expect(p, ':') || !ir_parse_type(p, &v.type, &v.quant))
        return false;
    if (ir_scan_accept_word(p, "at") && !ir_scan_offset(p, &v.offset))
        return false;
    if (ir_scan_accept(p, '=') && !ir_parse_data(p, &v.type, &bytes))
        return false;
    v.initial = bytes;
    ir_variable_add(p->g, v);
    return true;
}

static bool parse_workspace(parser *p)
{
    int64_t bytes, state, offset;
    if (!ir_scan_offset(p, &bytes) || !ir_scan_expect(p, ',') || !ir_scan_accept_word(p, "state") ||
        !ir_scan_offset(p, &state) || !ir_scan_accept_word(p, "at") || !ir_scan_offset(p, &offset))
        return ir_scan_fail(p, "expected: workspace BYTES, state BYTES at OFFSET");
    p->g->workspace_bytes = (size_t)bytes;
    p->g->state_bytes = (size_t)state;
    p->g->state_offset = (size_t)offset;
    return true;
}

static bool parse_statement(parser *p)
{
    bool is_op = ir_scan_peek(p) == '%';
    p->start = p->line;
    if (is_op)
        return parse_op_with_results(p);
    if (ir_scan_accept_word(p, "const"))
        return ir_parse_const(p);
    if (ir_scan_accept_word(p, "input"))
        return parse_input(p);
    if (ir_scan_accept_word(p, "output"))
        return parse_output(p);
    if (ir_scan_accept_word(p, "variable"))
        return parse_variable(p);
    if (ir_scan_accept_word(p, "workspace"))
        return parse_workspace(p);
    if (p->at >= p->end)
        return ir_scan_fail(p, "expected '}' at the end of the text");
    return parse_op(p, 0, NULL);
}

static bool parse_graph(parser *p)
{
    if (!ir_scan_accept_word(p, "graph"))
        return ir_scan_fail(p, "expected graph \"name\" {");
    if (!(p->g->name = ir_scan_string(p)) || !ir_scan_expect(p, '{'))
        return false;
    while (!ir_scan_accept(p, '}'))
        if (!parse_statement(p))
            return false;
    ir_scan_space(p);
    return p->at == p->end || ir_scan_fail(p, "text after the graph");
}

static void number_values(parser *p)
{
    p->g->next_id = p->next_number;
    for (size_t i = 0; i < p->named_count; i++)
        p->named[i]->id = p->g->next_id++;
    for (ir_op *op = p->g->first; op; op = op->next)
        op->id = p->g->next_id++;
}

typedef struct parse_call {
    parser parser;
    ir_limits limits;
    bool good;
} parse_call;

static void run_parser(void *context)
{
    parse_call *c = context;
    parser *p = &c->parser;
    p->g = ir_graph_new_within(c->limits);
    p->scratch = arena_new_beside(p->g->arena);
    p->loc.file = arena_string(p->g->arena, p->loc.file, strlen(p->loc.file));
    c->good = parse_graph(p);
    if (c->good)
        number_values(p);
    else
        ir_graph_free(p->g);
    arena_free(p->scratch);
}

ir_graph *ir_parse_within(const char *text, size_t length, const char *file, ir_limits limits, diag *d)
{
    const ir_loc loc = {.file = file ? file : "<text>", .subgraph = -1, .node = -1};
    parse_call call = {.parser = {.at = text, .end = text + length, .line = 1, .loc = loc, .d = d}, .limits = limits};
    const arena_outcome outcome = arena_guard(run_parser, &call);
    if (outcome == ARENA_DONE)
        return call.good ? call.parser.g : NULL;
    const ir_loc line = {.file = loc.file, .subgraph = -1, .node = call.parser.line};
    ir_limits_memory(d, &line, outcome);
    return NULL;
}

ir_graph *ir_parse(const char *text, size_t length, const char *file, diag *d)
{
    return ir_parse_within(text, length, file, IR_UNLIMITED, d);
}
