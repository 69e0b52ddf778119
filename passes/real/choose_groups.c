/* choose_groups.c: layers that --keep-float names by what they are to the network.
 *
 *     first   products that no other product is in front of
 *     last    products that no other product is behind
 *     se      squeeze-and-excitation: from where a map is averaged to where its channels are multiplied by what comes of that
 *     sums    additions of two values that different products, or pools, are the last in front of: residual ones
 *
 *         %1 = mean %0            ─┐             %1 = conv2d %0, …
 *         %2 = conv2d %1, …        │             %2 = conv2d %1, …
 *         %3 = relu %2             ├ se          %3 = add %2, const …      a bias
 *         %4 = conv2d %3, …        │             %4 = add %3, %0           ─ sums
 *         %5 = hard_sigmoid %4     │             %5 = mul %4, %4
 *         %6 = mul %0, %5         ─┘             %6 = add %5, %4           a function of %4 */
#include <string.h>

#include "passes/common/util.h"
#include "passes/real/choose.h"

static bool is_product(const ir_op *op)
{
    return (ir_op_info_of(op->code)->flags & IR_MAC) || op->code == IR_BATCH_MATMUL;
}

static int results_of(const ir_op *op) { return ir_op_info_of(op->code)->results; }

/* ---- first, last ---- */

static void find_first(const ir_graph *g, bool chosen[], arena *a)
{
    bool *behind = ARENA_ARRAY(a, bool, g->next_id); /* by value: a product is in front of it */
    for (const ir_op *op = g->first; op; op = op->next) {
        bool found = false;
        for (int i = 0; i < op->operand_count; i++)
            found |= op->operands[i].value && behind[op->operands[i].value->id];
        chosen[op->id] = is_product(op) && !found;
        for (int i = 0; i < results_of(op); i++)
            behind[op->results[i]->id] = found || is_product(op);
    }
}

static void find_last(const ir_graph *g, bool chosen[], arena *a)
{
    bool *before = ARENA_ARRAY(a, bool, g->next_id); /* by value: a product is behind it */
    for (const ir_op *op = g->last; op; op = op->prev) {
        bool found = false;
        for (int i = 0; i < results_of(op); i++)
            found |= before[op->results[i]->id];
        chosen[op->id] = is_product(op) && !found;
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value)
                before[op->operands[i].value->id] |= found || is_product(op);
    }
}

/* ---- se ---- */

/* One number for each channel: no more than one extent behind the first, the batch, is not 1. */
static bool is_squeezed(const ir_value *v)
{
    int extents = 0;
    for (int i = 1; i < v->type.rank; i++)
        extents += v->type.dims[i] != 1;
    return v->type.rank >= 2 && extents <= 1;
}

static bool is_average(const ir_op *op)
{
    return (op->code == IR_MEAN || op->code == IR_AVG_POOL2D) && !is_squeezed(op->operands[0].value);
}

/* Ops that belong to one gate. */
typedef struct marks {
    uint32_t *gate; /* by id of an op: the last gate it was found for */
    uint32_t now;
    uint32_t *found; /* ids of those of this gate */
    int count;
    bool products; /* one of them is one */
} marks;

static bool is_marked(const marks *m, const ir_op *op) { return op && m->gate[op->id] == m->now; }

static void mark(marks *m, const ir_op *op)
{
    m->gate[op->id] = m->now;
    m->found[m->count++] = op->id;
    m->products |= is_product(op);
}

/* Marks what `v` is computed from, back to averages; false: it comes from something else, too, or from none. */
static bool squeeze(const ir_value *v, marks *m, int depth)
{
    enum { MOST = 64 };
    bool found = false;
    if (!v->def || depth > MOST || !is_squeezed(v))
        return false;
    for (int i = 0; !is_average(v->def) && i < v->def->operand_count; i++) {
        const ir_value *from = v->def->operands[i].value;
        if (!from || ir_is_const(from))
            continue;
        if (!is_marked(m, from->def) && !squeeze(from, m, depth + 1))
            return false;
        found = true;
    }
    if (!found && !is_average(v->def))
        return false;
    mark(m, v->def);
    return true;
}

static void find_se(const ir_graph *g, bool chosen[], arena *a)
{
    marks m = {.gate = ARENA_ARRAY(a, uint32_t, g->next_id), .found = ARENA_ARRAY(a, uint32_t, g->next_id)};
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; op->code == IR_MUL && i < 2; i++) {
            const ir_value *factor = op->operands[i].value;
            m = (marks){.gate = m.gate, .now = m.now + 1, .found = m.found};
            if (ir_is_const(factor) || is_squeezed(op->operands[1 - i].value) || !squeeze(factor, &m, 0) || !m.products)
                continue;
            chosen[op->id] = true;
            for (int k = 0; k < m.count; k++)
                chosen[m.found[k]] = true;
        }
}

/* ---- sums ---- */

/* Ends a stage of the network: what is computed of its result, op by op, until the next that does, belongs to it. */
static bool ends_stage(const ir_op *op)
{
    return is_product(op) || pass_is_recurrent(op) || op->code == IR_AVG_POOL2D || op->code == IR_MAX_POOL2D;
}

/* Which stage results belong to: that of the operands, a new one if they are of several; 0: they are constant. */
static uint32_t stage_of(const ir_op *op, const uint32_t stages[])
{
    const uint32_t own = op->results[0]->id + 1;
    uint32_t stage = 0;
    if (ends_stage(op))
        return own;
    for (int i = 0; i < op->operand_count; i++) {
        const uint32_t of = op->operands[i].value ? stages[op->operands[i].value->id] : 0;
        if (of && stage && of != stage)
            return own;
        stage = of ? of : stage;
    }
    return stage;
}

static bool same_extents(const ir_type *a, const ir_type *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims[0] * (size_t)a->rank) == 0;
}

static bool is_sum(const ir_op *op, const uint32_t stages[])
{
    if (op->code != IR_ADD)
        return false;
    const ir_value *a = op->operands[0].value, *b = op->operands[1].value;
    return stages[a->id] && stages[b->id] && stages[a->id] != stages[b->id] && same_extents(&a->type, &b->type);
}

static void find_sums(const ir_graph *g, bool chosen[], arena *a)
{
    uint32_t *stages = ARENA_ARRAY(a, uint32_t, g->next_id); /* by value */
    for (int32_t i = 0; i < g->input_count; i++)
        stages[g->inputs[i]->id] = g->inputs[i]->id + 1;
    for (const ir_op *op = g->first; op; op = op->next) {
        const uint32_t stage = results_of(op) ? stage_of(op, stages) : 0;
        chosen[op->id] = is_sum(op, stages);
        for (int i = 0; i < results_of(op); i++)
            stages[op->results[i]->id] = stage;
    }
}

/* ---- By name ---- */

const bool *choose_group(const ir_graph *g, const char *name, size_t length, arena *a)
{
    static const struct {
        const char *name;
        void (*find)(const ir_graph *, bool chosen[], arena *);
    } groups[] = {{"first", find_first}, {"last", find_last}, {"se", find_se}, {"sums", find_sums}};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strlen(groups[i].name) == length && strncmp(groups[i].name, name, length) == 0) {
            bool *chosen = ARENA_ARRAY(a, bool, g->next_id);
            groups[i].find(g, chosen, a);
            return chosen;
        }
    return NULL;
}
