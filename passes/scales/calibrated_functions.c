/* calibrated_functions.c: what a function of one number makes of its operand says which part of the operand's range
 * counts.
 *
 *     %3 = hard_swish %2        %2: -8.1…9.2 was seen, -3…9.2 matters: whatever is below becomes the same number
 *
 * The function is computed at points over the range. From each end as many of them go as all results stay within a
 * fraction of their range of what they are at that end. */
#include <math.h>

#include "passes/common/calibrated_values.h"
#include "passes/common/util.h"

enum { POINTS = 256, MOST_OPS = 24 };
#define FLAT (1.0 / 1024) /* of the range of a result: a quarter of a step */

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

static void narrow(const function *f, pass_range *range)
{
    row x, rows[MOST_OPS];
    const double low = (double)range->low, step = ((double)range->high - low) / (POINTS - 1);
    for (int k = 0; k < POINTS; k++)
        x[k] = k == POINTS - 1 ? range->high : (float)(low + k * step);
    for (int i = 0; i < f->count; i++)
        if (!compute(f, i, x, rows))
            return;
    const int first = flat_points(f, rows, 0, 1), last = flat_points(f, rows, POINTS - 1, -1);
    if (first + last > POINTS) /* as good as constant */
        return;
    range->low = x[first - 1];
    range->high = x[POINTS - last];
}

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
