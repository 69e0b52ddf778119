/* wide.c: two graphs of one file, side by side. */
#include "compiler/tune/wide.h"

#include <string.h>

#include "compiler/quantize/picture_bytes.h"
#include "passes/common/scales.h"

static int op_count(const ir_graph *g)
{
    int count = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        count++;
    return count;
}

static ir_op **ops_in_order(const ir_graph *g, arena *a, int count)
{
    ir_op **ops = ARENA_ARRAY(a, ir_op *, count + 1);
    int i = 0;
    for (ir_op *op = g->first; op; op = op->next)
        ops[i++] = op;
    return ops;
}

/* Of what is in float by the options; calibration may have kept more so. */
static bool is_counterpart(const ir_op *many, const ir_op *narrow)
{
    return many->code == narrow->code && ir_op_info_of(many->code)->results == ir_op_info_of(narrow->code)->results &&
           many->keep_float <= narrow->keep_float;
}

/* `batch` samples take as much memory as the wide input has. */
static bool has_room(const wide *w, long batch)
{
    const ir_graph *g = w->module.graph;
    bool room = g->input_count == w->narrow->input_count;
    for (int32_t i = 0; room && i < g->input_count; i++) {
        const ir_type *one = &w->narrow->inputs[i]->type, *all = &g->inputs[i]->type;
        room = one->dtype == all->dtype && ir_type_elements(all) == ir_type_elements(one) * batch;
    }
    return room;
}

static bool pair(wide *w, long batch, diag *d)
{
    const ir_graph *g = w->module.graph;
    const ir_loc loc = ir_graph_loc(w->narrow);
    w->count = op_count(g);
    bool same = w->count == op_count(w->narrow) && has_room(w, batch) && g->output_count == w->narrow->output_count;
    w->wide_ops = ops_in_order(g, g->arena, w->count);
    w->narrow_ops = ops_in_order(w->narrow, g->arena, same ? w->count : op_count(w->narrow));
    w->narrow_by_id = ARENA_ARRAY(g->arena, ir_op *, g->next_id);
    for (int i = 0; same && i < w->count; i++) {
        ir_op *many = w->wide_ops[i], *one = w->narrow_ops[i];
        same = is_counterpart(many, one);
        many->keep_float = one->keep_float;
        many->why_float = one->why_float;
        w->narrow_by_id[many->id] = one;
    }
    return same || diag_error(d, &loc,
                              "with a batch of %ld the model has other inputs or operations than with one of 1", batch);
}

/* As calibration has done. */
static void give_bytes(wide *w)
{
    picture_bytes given;
    if (picture_bytes_value(w->narrow, &given))
        picture_bytes_give(w->module.graph, &given);
}

bool wide_open(wide *w, const driver_options *o, const char *file, long batch, ir_graph *narrow, diag *d)
{
    driver_options many = *o;
    many.batch = batch;
    many.calibrate = NULL;
    many.files = NULL;
    *w = (wide){.narrow = narrow};
    if (!driver_import(&many, file, &w->module, d))
        return false;
    const pass_options passes = driver_pass_options(&many, true);
    const pass_debug quiet = {.number = NULL};
    if (pass_run_phases(w->module.graph, &passes, &quiet, many.first_phase, PASS_PHASE_real, d)) {
        give_bytes(w);
        if (pair(w, batch, d))
            return true;
    }
    wide_close(w);
    return false;
}

void wide_close(wide *w)
{
    driver_module_free(&w->module);
    *w = (wide){0};
}

/* ---- Constants ---- */

static bool is_taken(const ir_op *many, const ir_value *narrow, int slot)
{
    if (!narrow || !ir_is_const(narrow))
        return false;
    const ir_value *own = ir_operand_value(many, slot);
    if (!own)
        return true;
    return ir_is_const(own) && ir_type_equal(&own->type, &narrow->type) &&
           memcmp(own->data, narrow->data, ir_type_bytes(&own->type)) != 0;
}

void wide_take(wide *w)
{
    ir_graph *g = w->module.graph;
    ir_value **taken = ARENA_ARRAY(g->arena, ir_value *, w->narrow->next_id);
    for (int i = 0; i < w->count; i++)
        for (int slot = 0; slot < w->narrow_ops[i]->operand_count; slot++) {
            const ir_value *v = w->narrow_ops[i]->operands[slot].value;
            if (!is_taken(w->wide_ops[i], v, slot))
                continue;
            if (!taken[v->id]) {
                taken[v->id] = ir_const_new(g, v->type, NULL, v->data);
                taken[v->id]->name = v->name;
                scales_copy(taken[v->id], v);
            }
            ir_set_operand(w->wide_ops[i], slot, taken[v->id]);
        }
}

/* ---- Ranges ---- */

typedef void value_pair_fn(const ir_value *wide, const ir_value *narrow, void *context);

static void each_value(const wide *w, value_pair_fn *call, void *context)
{
    for (int32_t i = 0; i < w->narrow->input_count; i++)
        call(w->module.graph->inputs[i], w->narrow->inputs[i], context);
    for (int i = 0; i < w->count; i++)
        for (int k = 0; k < ir_op_info_of(w->wide_ops[i]->code)->results; k++)
            call(w->wide_ops[i]->results[k], w->narrow_ops[i]->results[k], context);
}

typedef struct range_arrays {
    pass_range *wide, *narrow;
    uint32_t narrow_count;
} range_arrays;

static void take_range(const ir_value *many, const ir_value *narrow, void *context)
{
    const range_arrays *ranges = context;
    if (narrow->id < ranges->narrow_count)
        ranges->wide[many->id] = ranges->narrow[narrow->id];
}

static void give_range(const ir_value *many, const ir_value *narrow, void *context)
{
    const range_arrays *ranges = context;
    if (narrow->id < ranges->narrow_count && ranges->narrow[narrow->id].known)
        ranges->narrow[narrow->id] = ranges->wide[many->id];
}

pass_range *wide_ranges(const wide *w, const pass_range narrow[], uint32_t count)
{
    range_arrays ranges = {ARENA_ARRAY(w->module.graph->arena, pass_range, w->module.graph->next_id),
                           (pass_range *)(uintptr_t)narrow, count};
    each_value(w, take_range, &ranges);
    return ranges.wide;
}

void wide_give_ranges(const wide *w, const pass_range from[], pass_range narrow[], uint32_t count)
{
    range_arrays ranges = {(pass_range *)(uintptr_t)from, narrow, count};
    each_value(w, give_range, &ranges);
}

ir_op *wide_narrow_op(const wide *w, uint32_t wide_id) { return w->narrow_by_id[wide_id]; }
