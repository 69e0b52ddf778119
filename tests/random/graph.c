/* graph.c: a whole graph: ops by their rules, until there are enough; then outputs. */
#include <string.h>

#include "tests/codegen/bounds.h"
#include "tests/random/rules.h"

static const struct {
    draw_rule *rule;
    int weight;
} rules[IR_OPCODE_COUNT] = {
#define RULE(CODE, rule, weight) [IR_##CODE] = {rule, weight},
#define NOT_DRAWN(CODE, reason)
#include "tests/random/rules.def"
#undef RULE
#undef NOT_DRAWN
};

/* Every op of ops.def has one line in rules.def: with a second one its name is defined twice, without one it is
 * unknown. */
enum {
#define RULE(CODE, rule, weight) IS_LISTED_##CODE,
#define NOT_DRAWN(CODE, reason) IS_LISTED_##CODE,
#include "tests/random/rules.def"
#undef RULE
#undef NOT_DRAWN
    LISTED
};
#define OP(CODE, text, operands, results, flags, attributes, doc) _Static_assert(IS_LISTED_##CODE < LISTED, text);
#include "ir/ops.def"
#undef OP

/* ---- One op ---- */

bool draw_is_listed(const char *list, const char *name)
{
    const size_t length = strlen(name);

    for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, name, length) && (at[length] == ',' || !at[length]))
            return true;
    return !list;
}

static ir_opcode draw_code(draw *d)
{
    int64_t all = 0, at;

    for (int c = 0; c < IR_OPCODE_COUNT; c++)
        all += draw_is_listed(d->options->ops, ir_op_info_of((ir_opcode)c)->text) ? rules[c].weight : 0;
    at = draw_below(d, all);
    for (int c = 0; c < IR_OPCODE_COUNT; c++) {
        const int weight = draw_is_listed(d->options->ops, ir_op_info_of((ir_opcode)c)->text) ? rules[c].weight : 0;
        if (at < weight)
            return (ir_opcode)c;
        at -= weight;
    }
    return IR_RESHAPE;
}

static bool is_there(const draw *d, ir_dtype t)
{
    for (int i = 0; i < d->count; i++)
        if (d->pool[i].value->type.dtype == t)
            return true;
    return false;
}

/* Types that the compiler alone knows are rare. */
static bool is_common(ir_dtype t) { return t <= IR_BOOL; }

/* Some combination, rather one whose first operand is there, so that ops form chains. */
static bool draw_types_of(draw *d, ir_opcode code, draw_types *t)
{
    const int n = draw_types_count(code);
    bool fine = false;

    for (int tries = 0; n > 0 && tries < 12 && !fine; tries++) {
        draw_types_at(code, (int)draw_below(d, n), t);
        fine = is_common(t->operands ? t->operand[0] : t->result[0]) || draw_chance(d, 5);
        fine = fine && (tries > 7 || !t->operands || is_there(d, t->operand[0]) || draw_chance(d, 20));
    }
    return fine;
}

static const draw_value *entry_of(const draw *d, const ir_value *v)
{
    for (int i = 0; i < d->count; i++)
        if (d->pool[i].value == v)
            return &d->pool[i];
    return NULL;
}

static void add_results(draw *d, const ir_op *op)
{
    bool bounded = bounds_makes(op), from_scales = false;

    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        const draw_value *e = v ? entry_of(d, v) : NULL;
        bounded = bounded || (e && e->bounded);
        from_scales = from_scales || (e && e->from_scales) || (v && v->type.dtype != IR_F32);
    }
    for (int i = 0; i < ir_op_info_of(op->code)->results && d->count < DRAW_MOST_VALUES; i++) {
        const bool real = op->results[i]->type.dtype == IR_F32;
        d->pool[d->count++] = (draw_value){op->results[i], bounded && real, from_scales && real};
    }
}

/* Is the op defined?  Few are in all roundings: then in the usual one. */
static bool is_defined(ir_op *op)
{
    diag d = {0}, again = {0};

    if (ir_op_supported(op, &d))
        return true;
    if (!ir_has_attr(op, IR_ATTR_ROUNDING))
        return false;
    ir_set_int(op, IR_ATTR_ROUNDING, IR_ROUNDING_EVEN_F32);
    return ir_op_supported(op, &again);
}

static bool fits(const ir_op *op)
{
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        if (!draw_fits(&op->results[i]->type))
            return false;
    return true;
}

static bool draw_one(draw *d, ir_opcode code, const draw_types *t)
{
    diag ignored = {0};

    d->op = NULL;
    d->takes_bounded = bounds_accepts(code);
    const bool made = rules[code].rule(d, code, t), defined = made && is_defined(d->op);
    d->undefined = made && !defined;
    if (defined && fits(d->op) && ir_verify(d->graph, &ignored)) {
        add_results(d, d->op);
        return true;
    }
    if (d->op)
        ir_op_erase(d->op);
    return false;
}

/* ---- The graph ---- */

static void add_outputs(draw *d)
{
    ir_graph *g = d->graph;

    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (draw_chance(d, op->results[i]->uses ? 15 : 92))
                ir_output_add(g, op->results[i], NULL);
    if (g->input_count && draw_chance(d, 4))
        ir_output_add(g, g->inputs[draw_below(d, g->input_count)], NULL);
    if (g->output_count && draw_chance(d, 3))
        ir_output_add(g, g->outputs[draw_below(d, g->output_count)], NULL);
    if (!g->output_count)
        ir_output_add(g, ir_op_info_of(g->last->code)->results ? g->last->results[0] : g->last->operands[0].value,
                      NULL);
}

static ir_enum_ROUNDING draw_rounding(draw *d)
{
    static const ir_enum_ROUNDING roundings[] = {
        IR_ROUNDING_EVEN_F32,    IR_ROUNDING_EVEN_F32,    IR_ROUNDING_EVEN_F32,
        IR_ROUNDING_EVEN_F32,    IR_ROUNDING_FIXED_TWICE, IR_ROUNDING_FIXED_TWICE,
        IR_ROUNDING_FIXED_TWICE, IR_ROUNDING_FIXED_ONCE,  IR_ROUNDING_LITE_F32};
    return DRAW_OF(d, roundings);
}

static bool begin(draw *d, uint64_t seed, const draw_options *o)
{
    *d = (draw){.random = seed * 0x2545f4914f6cdd1du + 0x9e3779b97f4a7c15u, .graph = ir_graph_new(), .options = o};
    if (!d->graph)
        return false;
    d->graph->name = "random";
    d->rounding = draw_rounding(d);
    for (int i = 0; i < 4; i++)
        d->image[i] = i == 0 ? draw_between(d, 1, 3) : i == 3 ? draw_channels(d) : draw_extent(d);
    return true;
}

static ir_graph *end(draw *d, bool any)
{
    if (any)
        add_outputs(d);
    if (any && d->graph->output_count)
        return d->graph;
    ir_graph_free(d->graph);
    return NULL;
}

ir_graph *draw_graph(uint64_t seed, const draw_options *o)
{
    static const int8_t counts[] = {1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 12};
    draw d;
    draw_types t;

    if (!begin(&d, seed, o))
        return NULL;
    const int most = DRAW_OF(&d, counts), wanted = o->most_ops && o->most_ops < most ? o->most_ops : most;
    int ops = 0;
    for (int tries = 0; ops < wanted && tries < 20 * wanted; tries++) {
        const ir_opcode code = draw_code(&d);
        ops += rules[code].rule && draw_types_of(&d, code, &t) && draw_one(&d, code, &t);
    }
    return end(&d, ops > 0);
}

ir_graph *draw_single(uint64_t seed, ir_opcode code, const draw_types *t, bool *out_undefined)
{
    const draw_options all = {.pipeline = code != IR_FAKE_QUANT && code != IR_OBSERVE};
    draw d;
    bool drawn;

    *out_undefined = false;
    if (!begin(&d, seed, &all))
        return NULL;
    drawn = rules[code].rule && draw_one(&d, code, t);
    *out_undefined = d.undefined;
    return end(&d, drawn);
}
