/* minimise.c: see minimise.h.  Greedy: every change that leaves a failing graph stays; until none does. */
#include "tests/random/minimise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/shape/shape.h"

typedef struct search {
    char *text;
    size_t length;
    compiled_options options;
    bool changed;
} search;

/* A change of the graph, number `index` of its kind; false: there are no more. */
typedef bool change(ir_graph *, int index);

/* ---- What may be left out ---- */

static bool drop_output(ir_graph *g, int index)
{
    if (index >= g->output_count)
        return false;
    if (g->output_count == 1)
        return true;
    for (int32_t i = index; i + 1 < g->output_count; i++) {
        ir_output_set(g, i, g->outputs[i + 1]);
        g->output_names[i] = g->output_names[i + 1];
    }
    ir_output_set(g, g->output_count - 1, g->outputs[0]); /* the last one's value is none any more */
    g->output_count--;
    return true;
}

static ir_op *op_at(const ir_graph *g, int index)
{
    ir_op *op = g->first;

    while (op && index-- > 0)
        op = op->next;
    return op;
}

/* An op's results become inputs. */
static bool cut_op(ir_graph *g, int index)
{
    ir_op *op = op_at(g, index);

    for (int i = 0; op && i < ir_op_info_of(op->code)->results; i++) {
        ir_value *r = op->results[i];
        if (r->uses)
            ir_replace_uses(r, ir_input_new(g, r->type, r->quant, arena_format(g->arena, "cut%u", r->id)));
    }
    return op != NULL;
}

/* An op that keeps the type is passed by. */
static bool skip_op(ir_graph *g, int index)
{
    ir_op *op = op_at(g, index);
    ir_value *x = op && op->operand_count ? op->operands[0].value : NULL;

    if (x && ir_op_info_of(op->code)->results && ir_type_equal(&x->type, &op->results[0]->type) &&
        ir_quant_equal(x->quant, op->results[0]->quant))
        ir_replace_uses(op->results[0], x);
    return op != NULL;
}

static bool drop_operand(ir_graph *g, int index)
{
    ir_op *op = op_at(g, index / 4);
    const int operand = 2 + index % 4;

    if (op && operand < op->operand_count && operand >= ir_op_info_of(op->code)->min_operands &&
        ir_op_info_of(op->code)->max_operands < 16)
        ir_set_operand(op, operand, NULL);
    return op != NULL;
}

static bool reset_attribute(ir_graph *g, int index)
{
    ir_op *op = op_at(g, index / IR_MAX_ATTRS);
    const int attr = index % IR_MAX_ATTRS;

    if (op && attr < ir_op_info_of(op->code)->attr_count &&
        ir_attr_info_of(ir_op_info_of(op->code)->attrs[attr])->def[0])
        op->attrs[attr] = ir_op_new(g, op->code, NULL, 0, NULL)->attrs[attr]; /* the new op is dead, and goes */
    return op != NULL;
}

static bool is_dead(const ir_op *op)
{
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        if (op->results[i]->uses || ir_value_is_output(op->results[i]))
            return false;
    return ir_op_info_of(op->code)->results > 0;
}

static void drop_dead(ir_graph *g)
{
    int32_t kept = 0;

    for (ir_op *op = g->last, *before; op; op = before) {
        before = op->prev;
        if (is_dead(op))
            ir_op_erase(op);
    }
    for (int32_t i = 0; i < g->input_count; i++) {
        ir_value *v = g->inputs[i];
        if (!v->uses && !ir_value_is_output(v))
            continue;
        v->result = kept;
        g->inputs[kept] = v;
        g->input_names[kept++] = g->input_names[i];
    }
    g->input_count = kept;
}

/* ---- Extents: one number becomes a smaller one everywhere ---- */

static void shrink_constant(ir_graph *g, ir_value *v, const ir_type *old)
{
    const size_t width = ir_dtype_bytes(old->dtype);
    unsigned char *to = arena_alloc(g->arena, ir_type_bytes(&v->type) + 1);

    for (int64_t i = 0; i < ir_type_elements(&v->type); i++) {
        int64_t rest = i, from = 0, stride = 1;
        for (int k = old->rank - 1; k >= 0; k--) {
            from += rest % v->type.dims[k] * stride;
            rest /= v->type.dims[k];
            stride *= old->dims[k];
        }
        memcpy(to + (size_t)i * width, (const unsigned char *)v->data + (size_t)from * width, width);
    }
    v->data = to;
}

static void shrink_value(ir_graph *g, ir_value *v, int64_t from, int64_t to)
{
    const ir_type old = v->type;
    bool changed = false;

    for (int i = 0; i < v->type.rank; i++)
        if (v->type.dims[i] == from) {
            v->type.dims[i] = to;
            changed = true;
        }
    if (changed && v->quant && v->quant->axis >= 0 && v->quant->count > v->type.dims[v->quant->axis])
        v->quant =
            ir_quant_new(g, v->quant->axis, (int32_t)v->type.dims[v->quant->axis], v->quant->scale, v->quant->zero);
    if (changed && v->data)
        shrink_constant(g, v, &old);
}

static bool infer_all(ir_graph *g)
{
    diag d = {0};

    for (ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (!ir_infer_shape(op, i, &op->results[i]->type, &d))
                return false;
    return true;
}

enum { EXTENT_MOST = 130, EXTENT_WAYS = 4 };

static bool shrink_extent(ir_graph *g, int index)
{
    const int64_t from = 2 + index / EXTENT_WAYS, to = (int64_t[]){1, 2, from / 2, from - 1}[index % EXTENT_WAYS];

    if (to >= from || from > EXTENT_MOST)
        return from <= EXTENT_MOST;
    for (int32_t i = 0; i < g->input_count; i++)
        shrink_value(g, g->inputs[i], from, to);
    for (ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value && op->operands[i].value->data)
                shrink_value(g, op->operands[i].value, from, to);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            shrink_value(g, op->results[i], from, to);
    }
    infer_all(g);
    return true;
}

/* One extent of one input; results follow. */
static bool shrink_input(ir_graph *g, int index)
{
    const int input = index / (2 * IR_MAX_RANK), dim = index / 2 % IR_MAX_RANK;

    if (input >= g->input_count)
        return false;
    ir_type *t = &g->inputs[input]->type;
    if (dim < t->rank && t->dims[dim] > 1) {
        t->dims[dim] = index % 2 ? t->dims[dim] - 1 : 1;
        infer_all(g);
    }
    return true;
}

/* ---- The search ---- */

static bool fails(search *s, const char *text, size_t length)
{
    run_report r;

    run_apart(text, length, &s->options, &r);
    return r.outcome == RUN_DIFFERENT || r.outcome == RUN_CRASHED;
}

/* Takes over the graph after the change if that still fails. */
static void take(search *s, ir_graph *g)
{
    char *text;
    size_t length;

    drop_dead(g);
    if (!ir_print(g, &text, &length))
        return;
    if ((length != s->length || memcmp(text, s->text, length)) && fails(s, text, length)) {
        free(s->text);
        s->text = text;
        s->length = length;
        s->changed = true;
        return;
    }
    free(text);
}

static void try_all(search *s, change *make)
{
    bool more = true;

    for (int index = 0; more; index++) {
        diag d = {0};
        ir_graph *g = ir_parse(s->text, s->length, "graph", &d);
        const size_t before = s->length;
        more = g && make(g, index);
        if (more)
            take(s, g);
        index -= s->length < before; /* what comes next has moved up */
        ir_graph_free(g);
    }
}

static void fewer_rounds(search *s)
{
    const compiled_options all = s->options;

    for (int round = 0; round < all.rounds; round++) {
        s->options.first_round = all.first_round + round;
        s->options.rounds = 1;
        if (fails(s, s->text, s->length))
            return;
    }
    s->options = all;
}

void minimise(char **text, size_t *length, compiled_options *options)
{
    static change *const changes[] = {drop_output,   cut_op,       skip_op,        drop_operand,
                                      shrink_extent, shrink_input, reset_attribute};
    search s = {*text, *length, *options, true};

    if (!fails(&s, s.text, s.length))
        return; /* not alone: it needs what ran before it */
    fewer_rounds(&s);
    for (int turn = 0; s.changed && turn < 4; turn++) {
        s.changed = false;
        for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
            try_all(&s, changes[i]);
    }
    *text = s.text;
    *length = s.length;
    *options = s.options;
}
