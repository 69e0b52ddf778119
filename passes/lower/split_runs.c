/* split_runs.c: which ops are better computed for one part of a batch after the other.
 *
 * For all parts at once an op reads its weights once, but what it reads and writes of the whole batch may not stay in the
 * second-level cache until the next op wants it.  Part by part it stays, and weights are read for each part, which is
 * hidden behind the arithmetic where many rows share them.  In bytes that come from beyond that cache, or go there
 * (values that fit it do not):
 *
 *     whole op    weights + operands + results + step
 *     run of ops  parts * (weights, as far as not hidden, + step) + values from outside + values used outside
 *
 * That takes weights to come from the third-level cache each time but the first, so that a run ends where its weights are
 * more than have a place there: each part would have them from memory.
 *
 * docs/performance.md, "Batches", has what was measured.  The cheapest way through the list of ops is found by dynamic
 * programming over where runs begin and end. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "ir/batch.h"
#include "passes/lower/split.h"

enum {
    STEP_SHARE = 16,       /* one more step costs as much as this part of the cache: about a microsecond */
    HIDING_ROWS = 16,      /* n times as many rows hide the weights' way behind their arithmetic but for 1 / n of it */
    LONGEST = 512,         /* ops of a run, so that the search takes linear time */
    MOST_WEIGHTS = 8 << 20 /* bytes of a run: what a core may count on of a third-level cache that it shares */
};

typedef struct lifetime {
    int32_t def, last; /* positions; -1: a graph input; INT32_MAX: a graph output */
    int32_t read_by;   /* the run, by its first op, that has been charged for reading it from outside */
} lifetime;

typedef struct search {
    ir_op *const *ops;
    int32_t count;
    int64_t parts;
    double near_bytes, step_bytes;
    lifetime *of; /* by id of the value */
    double *best; /* of ops 0 … i-1 */
    int32_t *run; /* first op of the run that ends in front of i; -1: a whole op */
} search;

static lifetime *lifetimes(const ir_graph *g, const search *s, arena *scratch)
{
    lifetime *of = ARENA_ARRAY(scratch, lifetime, g->next_id + 1);
    for (uint32_t id = 0; id <= g->next_id; id++)
        of[id] = (lifetime){-1, -1, -1};
    for (int32_t at = 0; at < s->count; at++) {
        const ir_op *op = s->ops[at];
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value)
                of[op->operands[i].value->id].last = at;
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            of[op->results[i]->id].def = at;
    }
    for (int32_t i = 0; i < g->output_count; i++)
        of[g->outputs[i]->id].last = INT32_MAX;
    return of;
}

/* ---- What an op costs ---- */

/* Of the whole batch: larger values have left the cache when they are read. */
static double far_bytes(const search *s, const ir_value *v)
{
    const double bytes = (double)ir_type_bytes(&v->type);
    return bytes > s->near_bytes ? bytes : 0;
}

/* Bytes of what all parts share: constants, and of an op that is computed part by part what is not cut.  Of a table that
 * rows are taken from as many as are taken. */
static double shared_bytes(const ir_op *op, bool by_parts)
{
    double bytes = 0;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && (ir_is_const(v) || (by_parts && !ir_batch_cuts(op, i))))
            bytes += (double)ir_type_bytes(&v->type);
    }
    return op->code == IR_GATHER ? fmin(bytes, (double)ir_type_bytes(&op->results[0]->type)) : bytes;
}

/* Of those what comes from far, when the op is computed for 1 / parts of the batch at once. */
static double weights_bytes(const ir_op *op, int64_t parts)
{
    if (!ir_op_info_of(op->code)->results)
        return 0;
    const ir_type *y = &op->results[0]->type;
    const double bytes = shared_bytes(op, parts > 1);
    const double columns = y->rank > 0 ? fmax(1, (double)y->dims[y->rank - 1]) : 1,
                 rows = (double)ir_type_elements(y) / columns / (double)parts;
    return bytes * fmin(1, HIDING_ROWS / fmax(1, rows));
}

static double whole_cost(const search *s, const ir_op *op)
{
    double bytes = weights_bytes(op, 1) + s->step_bytes;
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && !ir_is_const(op->operands[i].value))
            bytes += far_bytes(s, op->operands[i].value);
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        bytes += far_bytes(s, op->results[i]);
    return bytes;
}

/* ---- The search ---- */

static void relax(search *s, int32_t end, double cost, int32_t first)
{
    if (cost >= s->best[end])
        return;
    s->best[end] = cost;
    s->run[end] = first;
}

/* What op `at` reads of values from in front of the run. */
static double outside_bytes(const search *s, int32_t first, int32_t at)
{
    const ir_op *op = s->ops[at];
    double bytes = 0;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (!v || ir_is_const(v) || s->of[v->id].def >= first || s->of[v->id].read_by == first)
            continue;
        s->of[v->id].read_by = first;
        bytes += far_bytes(s, v);
    }
    return bytes;
}

/* Does every part of op `at` want the whole of what the run makes in parts, as the shorter operand of a broadcast? */
static bool wants_whole(const search *s, int32_t first, int32_t at)
{
    const ir_op *op = s->ops[at];
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && !ir_is_const(v) && !ir_batch_cuts(op, i) && s->of[v->id].def >= first)
            return true;
    }
    return false;
}

/* All runs that begin with op `first`. */
static void extend_run(search *s, int32_t first)
{
    double ends[LONGEST] = {0}; /* bytes of the run's own values by the op that uses them last */
    double cost = s->best[first], used_later = 0, shared = 0;
    for (int32_t at = first; at < s->count && at - first < LONGEST && ir_batch_splits(s->ops[at], s->parts); at++) {
        const ir_op *op = s->ops[at];
        shared += shared_bytes(op, true);
        if ((at > first && shared > MOST_WEIGHTS) || wants_whole(s, first, at))
            return;
        cost += (double)s->parts * (weights_bytes(op, s->parts) + s->step_bytes) + outside_bytes(s, first, at);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
            const ir_value *v = op->results[i];
            const int32_t last = s->of[v->id].last;
            used_later += last > at ? far_bytes(s, v) : 0;
            if (last > at && last - first < LONGEST)
                ends[last - first] += far_bytes(s, v);
        }
        used_later -= ends[at - first];
        relax(s, at + 1, cost + used_later, first);
    }
}

static int32_t collect(const search *s, split_run runs[])
{
    int32_t count = 0;
    for (int32_t end = s->count; end > 0; end = s->run[end] < 0 ? end - 1 : s->run[end])
        if (s->run[end] >= 0)
            runs[count++] = (split_run){s->run[end], end - 1};
    for (int32_t i = 0; i < count / 2; i++) {
        const split_run other = runs[i];
        runs[i] = runs[count - 1 - i];
        runs[count - 1 - i] = other;
    }
    return count;
}

int32_t split_choose(const ir_graph *g, ir_op *const ops[], int32_t count, int64_t parts, int64_t near_bytes,
                     split_run runs[], arena *scratch)
{
    search s = {.ops = ops, .count = count, .parts = parts, .near_bytes = (double)near_bytes};
    s.step_bytes = s.near_bytes / STEP_SHARE;
    s.of = lifetimes(g, &s, scratch);
    s.best = ARENA_ARRAY(scratch, double, (size_t)count + 1);
    s.run = ARENA_ARRAY(scratch, int32_t, (size_t)count + 1);
    for (int32_t i = 1; i <= count; i++)
        s.best[i] = INFINITY;
    for (int32_t i = 0; i < count; i++) {
        relax(&s, i + 1, s.best[i] + whole_cost(&s, ops[i]), -1);
        extend_run(&s, i);
    }
    return collect(&s, runs);
}
