/* ops_control.c: control flow.  Models have none: what a node would decide is decided here, or both ways are gone.
 *
 *     If(c) { a } else { b }, c known while importing    ──▶   a
 *                             c known when it runs       ──▶   select c, a, b: both are computed, no op has effects
 *     Loop, Scan, whose passes can be counted            ──▶   the body as often */
#include "frontends/onnx/import.h"

/* The first results. */
static bool put_first(ort_node *n, int count, const ort_held results[])
{
    for (int i = 0; i < count; i++)
        if (!ort_put(n, i, results[i].value, results[i].layout))
            return false;
    return true;
}

/* Operands from `first` on, in the layout that they have. */
static bool hold(ort_node *n, int first, int count, ort_held to[])
{
    for (int i = 0; i < count; i++) {
        to[i].layout = ort_layout_of(n, first + i);
        if (!(to[i].value = ort_in(n, first + i, to[i].layout)))
            return false;
    }
    return true;
}

/* ---- If ---- */

static bool import_branch(ort_node *n, const char *name, ort_held results[])
{
    ort_subgraph s;
    if (!ort_subgraph_open(&s, n, name, 0, n->output_count))
        return false;
    const bool good = ort_subgraph_import(&s, NULL, results);
    ort_subgraph_close(&s);
    return good;
}

static bool put_selected(ort_node *n, int output, ir_value *condition, ort_held yes, ort_held no)
{
    ir_value *other = node_to_layout(n, no.value, no.layout, yes.layout);
    return !ort_wanted(n, output) ||
           ort_put(n, output, other ? node_selected(n, output, condition, yes.value, other) : NULL, yes.layout);
}

bool ort_op_if(ort_node *n)
{
    ir_value *condition = ort_plain(n, 0);
    if (!condition)
        return false;
    if (condition->type.dtype != IR_BOOL || ir_type_elements(&condition->type) != 1)
        return node_error(n, "the condition is not one boolean");
    ort_held *yes = ARENA_ARRAY(n->model->graph->arena, ort_held, n->output_count);
    ort_held *no = ARENA_ARRAY(n->model->graph->arena, ort_held, n->output_count);
    if (ir_is_const(condition)) {
        const bool taken = ir_const_int(condition, 0);
        (void)ort_graph_attr(n, taken ? "else_branch" : "then_branch"); /* which may be whatever it likes */
        return import_branch(n, taken ? "then_branch" : "else_branch", yes) && put_first(n, n->output_count, yes);
    }
    condition = node_reshaped(n, condition, 0, NULL);
    n->model->undecided++;
    const bool both = condition && import_branch(n, "then_branch", yes) && import_branch(n, "else_branch", no);
    n->model->undecided--;
    if (!both)
        return false;
    for (int i = 0; i < n->output_count; i++)
        if (!put_selected(n, i, condition, yes[i], no[i]))
            return false;
    return true;
}

/* ---- What loops collect ---- */

/* A result of each pass, one behind the other along a new dimension. */
typedef struct collected {
    ir_value **item;
    int64_t count, room;
} collected;

static bool collect(ort_node *n, collected *c, ort_held from, int64_t axis)
{
    arena *a = n->model->graph->arena;
    ir_value *v = node_to_layout(n, from.value, from.layout, LAYOUT_PLAIN);
    int64_t dims[IR_MAX_RANK];
    int at;
    if (!v || !node_axis(n, axis, v->type.rank + 1, &at))
        return false;
    if (v->type.rank == IR_MAX_RANK)
        return node_error(n, "what it collects has more than %d dimensions", IR_MAX_RANK);
    for (int i = 0, k = 0; i <= v->type.rank; i++)
        dims[i] = i == at ? 1 : v->type.dims[k++];
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 16;
        ir_value **more = ARENA_ARRAY(a, ir_value *, c->room);
        for (int64_t i = 0; i < c->count; i++)
            more[i] = c->item[i];
        c->item = more;
    }
    c->item[c->count] = node_reshaped(n, v, v->type.rank + 1, dims);
    return c->item[c->count++] != NULL;
}

static bool put_collected(ort_node *n, int output, const collected *c, int64_t axis, bool backwards)
{
    int at;
    if (!ort_wanted(n, output))
        return true;
    if (!c->count)
        return node_error(n, "the loop does not run once, so that result %d has no shape", output);
    if (!node_axis(n, axis, c->item[0]->type.rank, &at))
        return false;
    for (int64_t i = 0; backwards && i < c->count / 2; i++) {
        ir_value *first = c->item[i];
        c->item[i] = c->item[c->count - 1 - i];
        c->item[c->count - 1 - i] = first;
    }
    if (c->count == 1)
        return ort_put(n, output, c->item[0], LAYOUT_PLAIN);
    ir_op *op = node_emit(n, IR_CONCAT, (int)c->count, c->item);
    ir_set_int(op, IR_ATTR_AXIS, at);
    return ort_put(n, output, node_done(n, op), LAYOUT_PLAIN);
}

/* ---- Loop ---- */

enum {
    LOOP_COUNT,
    LOOP_CONDITION,
    LOOP_FIRST
}; /* operands; the body's inputs, and from 1 on its results, are in the same order */

static bool one_constant(ort_node *n, ir_value **value, ir_dtype dtype, const char *what)
{
    const ir_value *v = *value = node_known(n, *value);
    if (!v)
        return false;
    if (v->type.dtype != dtype || ir_type_elements(&v->type) != 1)
        return node_error(n, "the %s is not one %s", what, ir_dtype_text(dtype));
    return ir_is_const(v) || node_error(n,
                                        "control flow is not supported: how often the loop runs must be constant, and "
                                        "its %s depends on the inputs" NODE_DECIDED,
                                        what);
}

/* How often at most, and whether at all. */
static bool trip_count(ort_node *n, int64_t *out)
{
    ir_value *most, *condition;
    *out = INT64_MAX;
    if (!ort_optional(n, LOOP_COUNT, &most) || (most && !one_constant(n, &most, IR_I64, "count")) ||
        !ort_optional(n, LOOP_CONDITION, &condition) ||
        (condition && !one_constant(n, &condition, IR_BOOL, "condition")))
        return false;
    if (most)
        *out = ir_const_int(most, 0);
    if (condition && !ir_const_int(condition, 0))
        *out = 0;
    return true;
}

static ort_held counted(ort_node *n, const ort_subgraph *body, int input, ir_dtype dtype, int64_t value)
{
    const int rank = ort_subgraph_wants_scalar(body, input) ? 0 : 1;
    return (ort_held){node_ints(n, dtype, rank, 1, &value), LAYOUT_PLAIN};
}

static bool run_loop(ort_node *n, ort_subgraph *body, int64_t count, int states, int lists, ort_held in[],
                     collected lists_of[])
{
    ort_held *out = ARENA_ARRAY(n->model->graph->arena, ort_held, 1 + states + lists);
    for (int64_t i = 0; i < count; i++) {
        in[LOOP_COUNT] = counted(n, body, LOOP_COUNT, IR_I64, i);
        in[LOOP_CONDITION] = counted(n, body, LOOP_CONDITION, IR_BOOL, true);
        if (!ort_subgraph_import(body, in, out))
            return false;
        for (int k = 0; k < states; k++)
            in[LOOP_FIRST + k] = out[1 + k];
        for (int k = 0; k < lists; k++)
            if (!collect(n, &lists_of[k], out[1 + states + k], 0))
                return false;
        if (i + 1 == count)
            break;
        if (!one_constant(n, &out[0].value, IR_BOOL, "condition after a pass"))
            return false;
        if (!ir_const_int(out[0].value, 0))
            break;
    }
    return true;
}

bool ort_op_loop(ort_node *n)
{
    arena *a = n->model->graph->arena;
    const int states = n->input_count - LOOP_FIRST, lists = n->output_count - states;
    int64_t count;
    ort_subgraph body;
    if (lists < 0)
        return node_error(n, "%d results for %d values that it carries", n->output_count, states);
    if (!trip_count(n, &count) || !ort_subgraph_open(&body, n, "body", n->input_count, 1 + n->output_count))
        return false;
    ort_held *in = ARENA_ARRAY(a, ort_held, n->input_count);
    collected *of = ARENA_ARRAY(a, collected, lists + 1);
    if (!hold(n, LOOP_FIRST, states, in + LOOP_FIRST))
        return false;
    const bool ran = run_loop(n, &body, count, states, lists, in, of);
    ort_subgraph_close(&body);
    if (!ran || !put_first(n, states, in + LOOP_FIRST))
        return false;
    for (int k = 0; k < lists; k++)
        if (!put_collected(n, states + k, &of[k], 0, false))
            return false;
    return true;
}

/* ---- Scan ---- */

typedef struct scan {
    int states, sequences, lists;        /* operands and results: states first; the others are sequences, and lists */
    int64_t *axis, *backwards;           /* of the sequences, */
    int64_t *list_axis, *list_backwards; /* and of the lists */
    int64_t count;
} scan;

/* An attribute with a number for each, 0 where it is absent. */
static bool one_each(ort_node *n, const char *name, int expected, int64_t **out)
{
    int count = expected;
    *out = ARENA_ARRAY(n->model->graph->arena, int64_t, expected + 1);
    return ort_ints(n, name, expected, *out, &count) &&
           (count == expected || node_error(n, "attribute %s has %d numbers, expected %d", name, count, expected));
}

/* All sequences are of one length. */
static bool scan_length(ort_node *n, scan *s)
{
    for (int i = 0; i < s->sequences; i++) {
        ir_type type;
        int at;
        if (!ort_shape(n, s->states + i, &type) || !node_axis(n, s->axis[i], type.rank, &at))
            return false;
        if (i && type.dims[at] != s->count)
            return node_misfit(n, "sequences of %lld and of %lld elements", (long long)s->count,
                               (long long)type.dims[at]);
        s->axis[i] = at;
        s->count = type.dims[at];
    }
    return true;
}

static bool read_scan(ort_node *n, scan *s)
{
    const int64_t sequences = ort_int(n, "num_scan_inputs", 0);
    if (sequences < 1 || sequences > n->input_count)
        return node_error(n, "%lld of %d operands are sequences", (long long)sequences, n->input_count);
    *s = (scan){.states = n->input_count - (int)sequences, .sequences = (int)sequences};
    s->lists = n->output_count - s->states;
    if (s->lists < 0)
        return node_error(n, "%d results for %d values that it carries", n->output_count, s->states);
    return one_each(n, "scan_input_axes", s->sequences, &s->axis) &&
           one_each(n, "scan_input_directions", s->sequences, &s->backwards) &&
           one_each(n, "scan_output_axes", s->lists, &s->list_axis) &&
           one_each(n, "scan_output_directions", s->lists, &s->list_backwards) && scan_length(n, s);
}

/* x[…, at, …], without that dimension. */
static ir_value *element(ort_node *n, ir_value *x, int axis, int64_t at)
{
    int64_t begin[IR_MAX_RANK] = {0}, step[IR_MAX_RANK], dims[IR_MAX_RANK];
    ir_type type = x->type;
    int rank = 0;
    for (int i = 0; i < x->type.rank; i++) {
        step[i] = 1;
        if (i != axis)
            dims[rank++] = x->type.dims[i];
    }
    begin[axis] = at;
    type.dims[axis] = 1;
    ir_op *op = node_emit1(n, IR_SLICE, x);
    ir_set_ints(op, IR_ATTR_BEGIN, x->type.rank, begin);
    ir_set_ints(op, IR_ATTR_STEP, x->type.rank, step);
    return node_reshaped(n, node_typed(n, op, type, x->quant), rank, dims);
}

static bool run_scan(ort_node *n, ort_subgraph *body, const scan *s, ort_held in[], collected lists_of[])
{
    ort_held *out = ARENA_ARRAY(n->model->graph->arena, ort_held, n->output_count + 1);
    for (int64_t i = 0; i < s->count; i++) {
        for (int k = 0; k < s->sequences; k++) {
            ir_value *x = ort_plain(n, s->states + k);
            x = x ? element(n, x, (int)s->axis[k], s->backwards[k] ? s->count - 1 - i : i) : NULL;
            if (!x)
                return false;
            in[s->states + k] = (ort_held){x, LAYOUT_PLAIN};
        }
        if (!ort_subgraph_import(body, in, out))
            return false;
        for (int k = 0; k < s->states; k++)
            in[k] = out[k];
        for (int k = 0; k < s->lists; k++)
            if (!collect(n, &lists_of[k], out[s->states + k], s->list_axis[k]))
                return false;
    }
    return true;
}

bool ort_op_scan(ort_node *n)
{
    arena *a = n->model->graph->arena;
    scan s = {0};
    ort_subgraph body;
    if (!read_scan(n, &s) || !ort_subgraph_open(&body, n, "body", n->input_count, n->output_count))
        return false;
    ort_held *in = ARENA_ARRAY(a, ort_held, n->input_count);
    collected *of = ARENA_ARRAY(a, collected, s.lists + 1);
    if (!hold(n, 0, s.states, in))
        return false;
    const bool ran = run_scan(n, &body, &s, in, of);
    ort_subgraph_close(&body);
    if (!ran || !put_first(n, s.states, in))
        return false;
    for (int k = 0; k < s.lists; k++)
        if (!put_collected(n, s.states + k, &of[k], s.list_axis[k], s.list_backwards[k] != 0))
            return false;
    return true;
}
