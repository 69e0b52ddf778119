/* node_known.c: what is computed of constants alone is a constant, for whoever needs to know it while importing.
 *
 * Small results are evaluated as they are built (node.c).  The rest is left to the passes, which see the scales of a
 * dequantize and know what is worth a place in the object, unless an operator can't do without the numbers: a batch
 * norm's factors, the gates of an LSTM, filters that the graph itself quantizes.  Then they are evaluated here, however
 * large, within what the file may cause.  The ops stay, for others who read their results; nobody does: they go.
 *
 * Each value is looked at once in an import: known[id] is its constant, or the model's `unknown` if it has none. */
#define FRONTEND_COMMON
#include "frontends/node/node.h"

#include "ir/ref/interp.h"

enum { CHARGE_PER_OP = 256 }; /* bytes, beside the result's, of which there may be none */

/* An op whose results are to be evaluated, above the one that wants them. */
typedef struct wanted_op {
    ir_op *op;
    struct wanted_op *below;
} wanted_op;

/* NULL: not looked at so far. */
static ir_value *known_of(const frontend_model *m, const ir_value *v)
{
    if (ir_is_const(v))
        return (ir_value *)v;
    return !v->def ? m->unknown : v->id < m->known_count ? m->known[v->id] : NULL;
}

static void set_known(frontend_model *m, const ir_value *v, ir_value *known)
{
    if (v->id >= m->known_count) {
        const uint32_t count = 2 * m->graph->next_id;
        ir_value **larger = ARENA_ARRAY(m->graph->arena, ir_value *, count);
        for (uint32_t i = 0; i < m->known_count; i++)
            larger[i] = m->known[i];
        m->known = larger;
        m->known_count = count;
    }
    m->known[v->id] = known;
}

static void set_results(frontend_model *m, const ir_op *op, ir_value *const known[])
{
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        if (op->results[i])
            set_known(m, op->results[i], known ? known[i] : m->unknown);
}

static bool evaluable(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    for (int i = 0; i < info->results; i++)
        if (!op->results[i])
            return false;
    return (info->flags & IR_PURE) && op->operand_count && !ir_eval_takes_long(op);
}

/* An operand's op that has not been looked at, or NULL; *out_unknown: an operand has no constant. */
static ir_op *next_operand(const frontend_model *m, const ir_op *op, bool *out_unknown)
{
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value, *known = v ? known_of(m, v) : NULL;
        if (v && !known)
            return v->def;
        if (v && known == m->unknown)
            *out_unknown = true;
    }
    return NULL;
}

/* Of an op whose operands are all known; false after a diagnostic. */
static bool evaluate(frontend_node *n, const ir_op *op)
{
    frontend_model *m = n->model;
    const int count = ir_op_info_of(op->code)->results;
    const void **operands = ARENA_ARRAY(m->graph->arena, const void *, op->operand_count);
    void **data = ARENA_ARRAY(m->graph->arena, void *, count);
    ir_value **known = ARENA_ARRAY(m->graph->arena, ir_value *, count);
    for (int i = 0; i < op->operand_count; i++)
        operands[i] = op->operands[i].value ? known_of(m, op->operands[i].value)->data : NULL;
    for (int i = 0; i < count; i++) {
        const int64_t bytes = (int64_t)ir_type_bytes(&op->results[i]->type);
        if (!model_charge(m, &n->loc, bytes + CHARGE_PER_OP))
            return false;
        data[i] = arena_alloc(m->graph->arena, (size_t)bytes + 1);
    }
    if (!ir_eval_op(op, operands, data, m->diag))
        return false;
    for (int i = 0; i < count; i++) {
        const ir_value *r = op->results[i];
        const bool nan = ir_first_nan(&r->type, data[i]) >= 0; /* constants hold none */
        known[i] = nan ? m->unknown : ir_const_new(m->graph, r->type, r->quant, data[i]);
        if (!nan)
            known[i]->name = r->name;
    }
    set_results(m, op, known);
    return true;
}

/* All that the op's results are computed of, and they themselves, without recursion: files decide how deep it goes. */
static bool look_at(frontend_node *n, ir_op *op)
{
    frontend_model *m = n->model;
    wanted_op *top = ARENA_NEW(m->graph->arena, wanted_op);
    *top = (wanted_op){op, NULL};
    while (top) {
        bool unknown = !evaluable(top->op);
        ir_op *next = unknown ? NULL : next_operand(m, top->op, &unknown);
        if (next && !unknown) {
            wanted_op *above = ARENA_NEW(m->graph->arena, wanted_op);
            *above = (wanted_op){next, top};
            top = above;
            continue;
        }
        if (unknown)
            set_results(m, top->op, NULL);
        else if (!evaluate(n, top->op))
            return false;
        top = top->below;
    }
    return true;
}

ir_value *node_known(frontend_node *n, ir_value *v)
{
    if (!v || (!known_of(n->model, v) && !look_at(n, v->def)))
        return NULL;
    ir_value *known = known_of(n->model, v);
    return known == n->model->unknown ? v : known;
}
