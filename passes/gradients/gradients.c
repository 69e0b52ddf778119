/* gradients.c: the walk from the loss back to what gradients are asked for.
 *
 *     wanted   forward: values that depend on one of wrt (of other values no gradient is formed)
 *     by       backward: each op, in reverse order, has all its results' gradients summed up before its rule turns them
 *              into those of its operands */
#include "passes/gradients/gradients.h"

#include <assert.h>
#include <string.h>

#include "ir/size_limits.h"
#include "passes/gradients/rule.h"

typedef struct rule_row {
    gradient_rule *rule;
    const char *why; /* there is none */
} rule_row;

/* A switch: the compiler says which op has no row. */
static rule_row rule_of(ir_opcode code)
{
    switch (code) {
/* clang-format off */
#define RULE(CODE, rule) case IR_##CODE: return (rule_row){rule, NULL};
#define NO_RULE(CODE, why) case IR_##CODE: return (rule_row){NULL, why};
/* clang-format on */
#include "passes/gradients/rules.def"
#undef RULE
#undef NO_RULE
    case IR_OPCODE_COUNT: break;
    }
    assert(false);
    return (rule_row){NULL, "there is no such op"};
}

/* Room for all values that there are. */
static void make_room(gradient *s)
{
    const uint32_t ids = s->g->next_id;
    bool *wanted = ARENA_ARRAY(s->scratch, bool, ids);
    ir_value **by = ARENA_ARRAY(s->scratch, ir_value *, ids);
    if (s->ids) {
        memcpy(wanted, s->wanted, s->ids * sizeof *wanted);
        memcpy(by, s->by, s->ids * sizeof(ir_value *));
    }
    s->wanted = wanted;
    s->by = by;
    s->ids = ids;
}

static void mark_wanted(gradient *s, const ir_op *first)
{
    for (const ir_op *op = first; op; op = op->next) {
        bool depends = false;
        for (int i = 0; i < op->operand_count; i++)
            depends |= op->operands[i].value && s->wanted[op->operands[i].value->id];
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            s->wanted[op->results[i]->id] |= depends && ir_dtype_is_float(op->results[i]->type.dtype);
    }
}

/* Of the results of an op; those of which nothing reaches the loss are zeros, unless none does. */
static ir_value *result_gradient(gradient *s)
{
    const int results = ir_op_info_of(s->op->code)->results;
    bool any = false;
    for (int i = 0; i < results; i++)
        any |= s->wanted[s->op->results[i]->id] && s->by[s->op->results[i]->id];
    if (!any)
        return NULL;
    const ir_value *y = s->op->results[0];
    ir_value *by = s->by[y->id];
    return by || !ir_dtype_is_float(y->type.dtype) ? by : gradient_full(s, &y->type, 0);
}

/* by_result in front of a fused residual and activation. */
static bool undo_fusion(gradient *s)
{
    const ir_op *op = s->op;
    const bool has_act = ir_has_attr(op, IR_ATTR_ACT) && ir_int(op, IR_ATTR_ACT) != IR_ACT_NONE;
    if (ir_has_attr(op, IR_ATTR_ADD_ACT) && ir_operand_value(op, 3)) {
        if (has_act)
            return gradient_refuse(s, "with an activation in front of a fused add");
        s->by_result = gradient_through(s, (ir_enum_ACT)ir_int(op, IR_ATTR_ADD_ACT), op->results[0], s->by_result);
        gradient_give(s, 3, s->by_result);
    } else if (has_act) {
        s->by_result = gradient_through(s, (ir_enum_ACT)ir_int(op, IR_ATTR_ACT), op->results[0], s->by_result);
    }
    return true;
}

/* Or other numbers that no rule computes with. */
static bool has_integers(const ir_op *op)
{
    bool found = op->results[0]->type.dtype != IR_F32;
    for (int i = 0; i < op->operand_count; i++)
        found |= op->operands[i].value && op->operands[i].value->quant;
    return found;
}

static bool differentiate(gradient *s)
{
    const rule_row row = rule_of(s->op->code);
    s->by_result = result_gradient(s);
    if (!s->by_result)
        return true;
    if (!row.rule)
        return gradient_refuse(s, row.why);
    if (has_integers(s->op))
        return gradient_refuse(s, "on values that are quantized, or no f32");
    return undo_fusion(s) && row.rule(s);
}

/* From the last op that there is back to the one behind `before`. */
static bool walk(gradient *s, const ir_op *before)
{
    for (const ir_op *op = s->g->last, *previous; op != before; op = previous) {
        previous = op->prev;
        bool wants = false;
        s->op = op;
        for (int i = 0; i < op->operand_count; i++)
            wants |= gradient_wants(s, i);
        if (wants && !differentiate(s))
            return false;
    }
    return true;
}

bool gradient_through_ops(gradient *s, ir_op *before, int count, ir_value *const results[])
{
    const ir_op *spelled = s->op;
    make_room(s);
    mark_wanted(s, before->next);
    for (int i = 0; i < count; i++) {
        ir_value *by = results[i] ? i == 0 ? s->by_result : s->by[spelled->results[i]->id] : NULL;
        if (!by)
            continue;
        ir_value **sum = &s->by[results[i]->id];
        *sum = *sum ? gradient_binary(s, IR_ADD, *sum, by) : by;
    }
    const bool good = walk(s, before);
    s->op = spelled;
    return good;
}

typedef struct call {
    ir_graph *g;
    ir_value *loss, *const *wrt, **out;
    size_t count;
    diag *d;
    bool good;
} call;

static void run(void *context)
{
    call *c = context;
    arena *scratch = arena_new_beside(c->g->arena);
    gradient s = {.g = c->g, .d = c->d, .scratch = scratch};
    make_room(&s);
    for (size_t i = 0; i < c->count; i++)
        s.wanted[c->wrt[i]->id] = true;
    mark_wanted(&s, c->g->first);
    s.by[c->loss->id] = gradient_full(&s, &c->loss->type, 1);
    c->good = walk(&s, NULL);
    for (size_t i = 0; c->good && i < c->count; i++) {
        ir_value *by = s.by[c->wrt[i]->id];
        c->out[i] = by ? by : gradient_full(&s, &c->wrt[i]->type, 0);
    }
    arena_free(scratch);
}

static bool is_scalar(const ir_type *t) { return t->dtype == IR_F32 && t->rank <= 1 && ir_type_elements(t) == 1; }

bool pass_gradients(ir_graph *g, ir_value *loss, ir_value *const wrt[], size_t count, ir_value *out_grads[], diag *d)
{
    const ir_loc whole = ir_graph_loc(g), *loc = loss->def ? &loss->def->loc : &whole;
    char text[IR_TYPE_TEXT_BYTES];
    if (!is_scalar(&loss->type))
        return diag_error(d, loc, "gradients need a loss of one real number, found %s",
                          ir_type_text(&loss->type, text));
    for (size_t i = 0; i < count; i++)
        if (wrt[i]->type.dtype != IR_F32)
            return diag_error(d, wrt[i]->def ? &wrt[i]->def->loc : &whole, "there is no gradient by a value of type %s",
                              ir_type_text(&wrt[i]->type, text));
    call c = {.g = g, .loss = loss, .wrt = wrt, .out = out_grads, .count = count, .d = d};
    const arena_outcome outcome = arena_guard(run, &c);
    return outcome == ARENA_DONE ? c.good : ir_limits_memory(d, &whole, outcome);
}
