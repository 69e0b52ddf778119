/* calibrated_functions.c: what a function of one number makes of its operand says which part of the operand's range
 * counts.
 *
 *     %3 = hard_swish %2        %2: -8.1…9.2 was seen, -3…9.2 matters: whatever is below becomes the same number
 *
 * The function is computed at points over the range. From each end as many of them go as all results stay within a
 * fraction of their range of what they are at that end.
 *
 *     %4 = log (add %3, 1)      %3: 0…2e7, one of 255 steps above 0 the logarithm has two thirds of its range: steep */
#include <math.h>

#include "passes/common/calibrated_values.h"
#include "passes/common/plan.h"

enum { POINTS = 256, MOST_OPS = 24 };
#define FLAT (1.0 / 1024) /* of the range of a result: a quarter of a step */
#define STEEP (1.0 / 16)  /* of the range of a result, between points that are neighbours: 16 steps */

typedef float row[POINTS];

typedef struct function {
    const ir_value *source;
    const ir_op *ops[MOST_OPS]; /* in order */
    int count;
    bool whole; /* all ops of the function are there */
} function;

/* ---- Ops of each function ---- */

/* By id of a source; NULL: no function begins there. */
static function **collect(const ir_graph *g, const ir_value *const sources[], arena *a)
{
    function **functions = ARENA_ARRAY(a, function *, g->next_id);
    for (const ir_op *op = g->first; op; op = op->next) {
        const ir_value *source = ir_op_info_of(op->code)->results == 1 ? sources[op->results[0]->id] : NULL;
        if (!source)
            continue;
        function **f = &functions[source->id];
        if (!*f) {
            *f = ARENA_ARRAY(a, function, 1);
            **f = (function){.source = source, .whole = true};
        }
        if ((*f)->count == MOST_OPS || op->operand_count > PASS_ROW_OPERANDS)
            (*f)->whole = false;
        else
            (*f)->ops[(*f)->count++] = op;
    }
    return functions;
}

/* Does the function see all that is read of v, and v alone? */
static bool is_all(const function *f, const ir_value *v)
{
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use) {
        bool found = false;
        for (int i = 0; i < f->count; i++)
            found |= f->ops[i] == slot->user;
        if (!found)
            return false;
    }
    return !ir_value_is_output(v);
}

/* ---- Its results ---- */

static const void *row_of(const function *f, const ir_value *v, const row x, row rows[])
{
    for (int i = 0; i < f->count; i++)
        if (v->def == f->ops[i])
            return rows[i];
    return v == f->source ? x : v->data;
}

static bool compute(const function *f, int i, const row x, row rows[])
{
    const ir_op *op = f->ops[i];
    const void *in[PASS_ROW_OPERANDS] = {NULL};
    for (int k = 0; k < op->operand_count; k++)
        in[k] = row_of(f, op->operands[k].value, x, rows);
    return pass_evaluate_row(op, POINTS, in, rows[i]);
}

/* How many points from the end `from` on, in direction `step`, have the same results as it. */
static int flat_points(const function *f, row rows[], int from, int step)
{
    int count = POINTS;
    for (int i = 0; i < f->count; i++) {
        if (is_all(f, f->ops[i]->results[0]))
            continue; /* inside */
        float low = INFINITY, high = -INFINITY;
        int flat = 1;
        for (int k = 0; k < POINTS; k++) {
            low = fminf(low, rows[i][k]);
            high = fmaxf(high, rows[i][k]);
        }
        while (flat < count &&
               fabs((double)rows[i][from + flat * step] - (double)rows[i][from]) <= FLAT * ((double)high - (double)low))
            flat++;
        count = flat;
    }
    return count;
}

/* All results at points over the range. */
static bool compute_all(const function *f, const pass_range *range, row x, row rows[])
{
    const double low = (double)range->low, step = ((double)range->high - low) / (POINTS - 1);
    for (int k = 0; k < POINTS; k++)
        x[k] = k == POINTS - 1 ? range->high : (float)(low + k * step);
    for (int i = 0; i < f->count; i++)
        if (!compute(f, i, x, rows))
            return false;
    return true;
}

static void narrow(const function *f, pass_range *range)
{
    row x, rows[MOST_OPS];
    if (!compute_all(f, range, x, rows))
        return;
    const int first = flat_points(f, rows, 0, 1), last = flat_points(f, rows, POINTS - 1, -1);
    if (first + last > POINTS) /* as good as constant */
        return;
    range->low = x[first - 1];
    range->high = x[POINTS - last];
}

/* ---- Functions that see more than 255 steps of their operand ---- */

static bool rises_at_once(const row y)
{
    float low = INFINITY, high = -INFINITY;
    double most = 0;
    for (int k = 0; k < POINTS; k++) {
        low = fminf(low, y[k]);
        high = fmaxf(high, y[k]);
        most = k > 0 ? fmax(most, fabs((double)y[k] - (double)y[k - 1])) : 0;
    }
    return isfinite(most) ? most > STEEP * ((double)high - (double)low) : true;
}

static bool is_steep(const function *f, const pass_range *range)
{
    row x, rows[MOST_OPS];
    bool has_log = false;
    for (int i = 0; i < f->count; i++)
        has_log |= f->ops[i]->code == IR_LOG;
    if (!has_log || !f->whole || !compute_all(f, range, x, rows))
        return false;
    for (int i = 0; i < f->count; i++)
        if (!is_all(f, f->ops[i]->results[0]) && rises_at_once(rows[i]))
            return true;
    return false;
}

/* Does a value that is off by some share of its range make what the op computes of it off by as much, roughly? */
static bool keeps_errors(const ir_op *op)
{
    if (ir_has_attr(op, IR_ATTR_ACT) && ir_int(op, IR_ATTR_ACT) != IR_ACT_NONE)
        return false;
    switch (op->code) {
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
    case IR_SQUARED_DIFFERENCE:
    case IR_ABS:
    case IR_NEG:
    case IR_SQRT:
    case IR_SUM:
    case IR_MEAN:
    case IR_MIRROR_PAD: return true;
    default: return plan_kind_of(op) == PLAN_MOVES || plan_kind_of(op) == PLAN_PRODUCT;
    }
}

const bool *calibrated_precise(const ir_graph *g, const ir_value *const sources[], const pass_range ranges[],
                               uint32_t count, arena *a)
{
    bool *precise = ARENA_ARRAY(a, bool, g->next_id);
    function **functions = collect(g, sources, a);
    for (uint32_t id = 0; id < g->next_id && id < count; id++)
        precise[id] = functions[id] && ranges[id].known && is_steep(functions[id], &ranges[id]);
    for (const ir_op *op = g->last; op; op = op->prev) {
        bool reads = false;
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            reads |= precise[op->results[i]->id];
        for (int i = 0; reads && keeps_errors(op) && i < op->operand_count; i++)
            if (op->operands[i].value)
                precise[op->operands[i].value->id] = true;
    }
    return precise;
}

/* ---- Ranges ---- */

void calibrated_narrow(const ir_graph *g, const ir_value *const sources[], pass_range ranges[], uint32_t count,
                       arena *a)
{
    function **functions = collect(g, sources, a);
    for (uint32_t id = 0; id < g->next_id && id < count; id++) {
        const function *f = functions[id];
        if (f && f->whole && ranges[id].known && ranges[id].low < ranges[id].high &&
            isfinite(ranges[id].high - ranges[id].low) && is_all(f, f->source))
            narrow(f, &ranges[id]);
    }
}
