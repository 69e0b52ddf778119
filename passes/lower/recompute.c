/* recompute.c: what a step of training keeps for long is computed anew where it is used again, until memory is enough.
 *
 *     %1:f32<32x64x64x8> = mul %0, %s           %1 = mul %0, %s
 *     %2 = conv2d %1, …                         %2 = conv2d %1, …
 *     …                                         …                        %1 does not lie here any more
 *     %9 = conv2d_weights_gradient %1, %8       %1b = mul %0, %s
 *                                               %9 = conv2d_weights_gradient %1b, %8
 *
 * Where the most is alive, one value after the other gives way that is not read just there: the one that costs the least
 * per byte.  What it is computed from is still alive where that is done, or is computed anew as well.  An op is repeated
 * with its kernel, so that the numbers stay the same bit for bit. */
#include <math.h>
#include <string.h>

#include "passes/common/plan.h"
#include "passes/lower/place.h"

enum { LONGEST = 64 /* ops that are repeated for one value */, ROUNDS_EACH = 8 /* at most, for each op */ };

typedef struct search {
    ir_graph *g;
    arena *scratch; /* of one round */
    place_map *map;
    uint32_t ids;                   /* of the ops and values that there are */
    int32_t *position;              /* by id of an op */
    ir_value **first_of, **next_of; /* values that share memory, by id of the root's value and of the one before */
    int64_t *live;                  /* bytes of the workspace by position */
    int32_t peak;                   /* the first position of the most */
} search;

/* Values that give way together, as they share memory, and what is repeated for them in front of position `at`. */
typedef struct candidate {
    const place_storage *root;
    int32_t at;
    ir_op *ops[LONGEST]; /* in their order */
    int count, visits;
    int64_t further; /* bytes of results but for the root's */
    double cost;
} candidate;

/* ---- What is alive where ---- */

static void measure(search *s)
{
    const place_map *m = s->map;
    int64_t *change = ARENA_ARRAY(s->scratch, int64_t, m->op_count + 1);
    s->live = ARENA_ARRAY(s->scratch, int64_t, m->op_count + 1);
    for (uint32_t id = 0; id < m->value_limit; id++) {
        const place_storage *root = &m->of_value[id];
        if (!root->value || root->parent || root->space != IR_SPACE_WORKSPACE)
            continue;
        change[root->first] += place_align(root->bytes);
        change[root->last + 1] -= place_align(root->bytes);
    }
    int64_t now = 0;
    for (int32_t at = 0; at < m->op_count; at++) {
        now += change[at];
        s->live[at] = now + (int64_t)m->ops[at]->kernel.scratch_bytes;
        s->peak = s->live[at] > s->live[s->peak] ? at : s->peak;
    }
}

static const place_storage *root_of(const search *s, const ir_value *v) { return s->map->of_value[v->id].root; }

static void list_values(search *s)
{
    s->first_of = ARENA_ARRAY(s->scratch, ir_value *, s->ids);
    s->next_of = ARENA_ARRAY(s->scratch, ir_value *, s->ids);
    for (uint32_t id = 0; id < s->map->value_limit; id++) {
        ir_value *v = s->map->of_value[id].value;
        if (!v || !root_of(s, v)->value)
            continue;
        ir_value **first = &s->first_of[root_of(s, v)->value->id];
        s->next_of[id] = *first;
        *first = v;
    }
}

static search look(ir_graph *g, arena *scratch)
{
    search s = {.g = g, .scratch = scratch, .map = place_map_new(g, scratch), .ids = g->next_id};
    s.position = ARENA_ARRAY(scratch, int32_t, s.ids);
    for (int32_t at = 0; at < s.map->op_count; at++)
        s.position[s.map->ops[at]->id] = at;
    list_values(&s);
    measure(&s);
    return s;
}

/* ---- What would have to be repeated ---- */

/* About how long it takes: elements, and multiplications of products in proportion. */
static double cost_of(const ir_op *op)
{
    const double elements = (double)ir_type_elements(&op->results[0]->type);
    const ir_type *w = op->operand_count > 1 && op->operands[1].value ? &op->operands[1].value->type : NULL;
    double each = 1;
    if (op->code == IR_BATCH_MATMUL)
        each += (double)w->dims[w->rank - 2 + ir_int(op, IR_ATTR_ADJ_B)] / 16;
    else if (op->code == IR_CONV2D_WEIGHTS_GRADIENT)
        each += (double)ir_type_elements(w) / (double)fmax(1, (double)w->dims[3]) / 16;
    else if (ir_op_info_of(op->code)->flags & IR_MAC)
        return elements + plan_multiply_adds(op) / 16;
    return elements * each;
}

static bool is_planned(const candidate *c, const ir_op *op)
{
    for (int i = 0; i < c->count; i++)
        if (c->ops[i] == op)
            return true;
    return false;
}

static bool is_there(const search *s, const candidate *c, const ir_value *v)
{
    if (!v->def)
        return true;
    const place_storage *root = root_of(s, v);
    return root != c->root && (root->space != IR_SPACE_WORKSPACE || root->last >= c->at);
}

/* So that v is there in front of c->at. */
static bool plan(const search *s, candidate *c, const ir_value *v)
{
    ir_op *op = v->def;
    if (is_there(s, c, v) || is_planned(c, op))
        return true;
    const ir_op_info *info = ir_op_info_of(op->code);
    if (!(info->flags & IR_PURE) || info->results != 1 || c->visits++ == LONGEST)
        return false;
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && !plan(s, c, op->operands[i].value))
            return false;
    if (c->count == LONGEST)
        return false;
    c->ops[c->count++] = op;
    c->cost += cost_of(op);
    c->further += (int64_t)op->kernel.scratch_bytes;
    if (root_of(s, v) != c->root && !s->map->of_value[v->id].parent)
        c->further += place_align(root_of(s, v)->bytes);
    return true;
}

/* A value that was there before the peak, and is read behind it, as the first use there says. */
static int32_t next_use(const search *s, const ir_value *v)
{
    int32_t first = INT32_MAX;
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use) {
        const int32_t at = s->position[slot->user->id];
        first = at > s->peak && at < first ? at : first;
    }
    return first;
}

static bool is_waiting(const search *s, const ir_value *v)
{
    return v && v->def && s->position[v->def->id] < s->peak && next_use(s, v) < INT32_MAX;
}

static bool is_read_at_peak(const search *s, const place_storage *root)
{
    const ir_op *op = s->map->ops[s->peak];
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && op->operands[i].value->def && root_of(s, op->operands[i].value) == root)
            return true;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        if (root_of(s, op->results[i]) == root)
            return true;
    return false;
}

static bool make_candidate(const search *s, const place_storage *root, candidate *c)
{
    const ir_value *first = s->first_of[root->value->id];
    *c = (candidate){.root = root, .at = INT32_MAX};
    for (const ir_value *v = first; v; v = s->next_of[v->id]) {
        const int32_t next = is_waiting(s, v) ? next_use(s, v) : INT32_MAX;
        c->at = next < c->at ? next : c->at;
    }
    if (c->at == INT32_MAX)
        return false;
    for (const ir_value *v = first; v; v = s->next_of[v->id])
        if (is_waiting(s, v) && !plan(s, c, v))
            return false;
    return s->live[c->at] + c->further <= s->live[s->peak];
}

static bool choose(const search *s, candidate *best)
{
    for (uint32_t id = 0; id < s->map->value_limit; id++) {
        const place_storage *root = &s->map->of_value[id];
        candidate c;
        if (!root->value || root->parent || root->space != IR_SPACE_WORKSPACE || root->bytes == 0 ||
            root->first >= s->peak || root->last <= s->peak || is_read_at_peak(s, root) || !make_candidate(s, root, &c))
            continue;
        if (!best->root || c.cost * (double)best->root->bytes < best->cost * (double)root->bytes)
            *best = c;
    }
    return best->root != NULL;
}

/* ---- Repeating ---- */

static void repeat(const search *s, ir_op *op, ir_op *before, ir_value *anew[])
{
    ir_value **operands = ARENA_ARRAY(s->scratch, ir_value *, op->operand_count + 1);
    for (int i = 0; i < op->operand_count; i++) {
        ir_value *v = op->operands[i].value;
        operands[i] = v && anew[v->id] ? anew[v->id] : v;
    }
    ir_op *to = ir_op_copy(s->g, op, before, operands);
    to->kernel = op->kernel;
    ir_result_set(to, 0, op->results[0]->type, op->results[0]->quant);
    anew[op->results[0]->id] = to->results[0];
}

static void read_anew(const search *s, ir_value *v, ir_value *anew)
{
    for (ir_operand *slot = v->uses, *next; slot; slot = next) {
        next = slot->next_use;
        if (slot->user->id < s->ids && s->position[slot->user->id] > s->peak)
            ir_set_operand(slot->user, (int)(slot - slot->user->operands), anew);
    }
}

static void apply(const search *s, const candidate *c)
{
    ir_value **anew = ARENA_ARRAY(s->scratch, ir_value *, s->ids);
    for (int i = 0; i < c->count; i++)
        repeat(s, c->ops[i], s->map->ops[c->at], anew);
    for (ir_value *v = s->first_of[c->root->value->id]; v; v = s->next_of[v->id])
        if (anew[v->id] && s->position[v->def->id] < s->peak)
            read_anew(s, v, anew[v->id]);
}

pass_result pass_recompute(ir_graph *g, pass_context *c)
{
    const int64_t most = c->options->live_bytes;
    bool changed = false;
    int64_t rounds = 0;
    if (most == 0 || g->variable_count || !g->first)
        return PASS_UNCHANGED;
    place_copy_outputs(g); /* where choose_kernels has not done it */
    for (const ir_op *op = g->first; op; op = op->next)
        rounds += ROUNDS_EACH;
    for (bool more = true; more && rounds > 0; rounds--) {
        arena *scratch = arena_new_beside(g->arena);
        const search s = look(g, scratch);
        candidate best = {.root = NULL};
        more = s.live[s.peak] > most && choose(&s, &best);
        if (more)
            apply(&s, &best);
        changed = changed || more;
        arena_free(scratch);
    }
    return changed ? PASS_CHANGED : PASS_UNCHANGED;
}
