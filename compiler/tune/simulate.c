/* simulate.c: the passes decide on copies; what they have decided is spelled in real ops on another one. */
#include "compiler/tune/simulate.h"

#include <string.h>

#include "compiler/quantize/picture_bytes.h"
#include "compiler/quantize/twins.h"
#include "ir/ref/interp.h"
#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/common/scales.h"

typedef struct maker {
    simulation *s;
    ir_graph *g;        /* becomes the simulated one; values have the grids of the integer graph */
    bool *integer;      /* by id of an op: will be computed on integers */
    bool *bias;         /* by id of an op: a sum that is the bias of a product on integers */
    bool *stays_real;   /* by id of an op: plan_stays_real */
    ir_value **rounded; /* by id of a value: on its grid; NULL: not yet */
    int *parameter_of;  /* by id of a value: 1 + its number; 0: is none */
    uint32_t ids;
} maker;

static bool run_passes(ir_graph *g, const driver_options *o, const char *const names[], int count, diag *d)
{
    const ir_loc loc = ir_graph_loc(g);
    driver_module m = {.file = loc.file ? loc.file : "graph", .graph = g};
    return driver_passes(o, &m, false, names, count, d);
}

/* ---- What will be integers ---- */

static bool is_real(const driver_options *o) { return o->quantize == PASS_QUANTIZE_NONE; }

static bool give_scales(ir_graph *g, const driver_options *o, diag *d)
{
    return is_real(o) || twins_give_scales(g, o, d);
}

static bool has_form(const ir_op *op)
{
    const plan_kind kind = plan_kind_of(op);
    return kind == PLAN_PRODUCT || kind == PLAN_COMPUTES;
}

static bool find_integer_ops(maker *m, const driver_options *o, diag *d)
{
    static const char *const quantize[] = {"quantize"};
    const pass_options options = driver_pass_options(o, false);
    ir_graph *decided = ir_graph_copy(m->g);
    const bool *kept = plan_kept_readers(m->g, &options, m->g->arena);
    const bool good = run_passes(decided, o, quantize, 1, d);
    for (ir_op *op = m->g->first; good && op; op = op->next) {
        m->integer[op->id] = has_form(op) && !op->keep_float;
        m->stays_real[op->id] = plan_stays_real(op, kept);
    }
    for (const ir_op *op = decided->first; good && op; op = op->next)
        if (op->id < m->ids && op->why_float)
            m->integer[op->id] = false;
    ir_graph_free(decided);
    for (ir_op *op = m->g->first; op; op = op->next)
        if (m->integer[op->id] && plan_kind_of(op) == PLAN_PRODUCT && plan_sum_of(op))
            m->bias[plan_sum_of(op)->id] = true;
    return good;
}

/* ---- Onto grids ---- */

static ir_value *number_input(maker *m, const char *what, uint32_t id, uint32_t *out_index)
{
    static const int64_t one = 1;
    *out_index = (uint32_t)m->g->input_count;
    return ir_input_new(m->g, ir_type_make(IR_F32, 1, &one), NULL, arena_format(m->g->arena, "%s %u", what, id));
}

static ir_value *round_value(maker *m, ir_value *v)
{
    simulated_grid *grid = &m->s->grids[m->s->grid_count++];
    ir_op *before = v->def ? v->def->next : m->g->first;
    grid->value = v->id;
    ir_value *operands[4] = {v};
    operands[1] = number_input(m, "low", v->id, &grid->low);
    operands[2] = number_input(m, "high", v->id, &grid->high);
    operands[3] = number_input(m, "scale", v->id, &grid->scale);
    return pass_op1(m->g, IR_ROUND_TO_GRID, before, before ? before : v->def, 4, operands, v->type, NULL);
}

/* The reals that the constant's integers stand for. */
static void round_numbers(const ir_value *v, float *to)
{
    const ir_quant *as = v->as;
    const int64_t count = ir_type_elements(&v->type);
    const int32_t sign = v->as_dtype == IR_I8 ? 128 : 0;
    unsigned char *bytes =
        (unsigned char *)to + (sizeof *to - 1) * (size_t)count; /* at the end: read before it is written */
    scales_integers(v, bytes);
    for (scales_runs r = scales_runs_of(&v->type, as->count > 1 ? as->axis : -1); scales_next_run(&r);) {
        unsigned char run[SCALES_RUN];
        const int32_t zero = as->zero[r.channel];
        const float scale = as->scale[r.channel];
        memcpy(run, bytes + r.first, (size_t)r.count);
        for (int64_t i = 0; i < r.count; i++)
            to[r.first + i] = (float)(((int32_t)run[i] ^ sign) - sign - zero) * scale;
    }
}

static ir_value *round_constant(maker *m, const ir_value *v)
{
    float *to = ARENA_ARRAY(m->g->arena, float, ir_type_elements(&v->type) + 1);
    round_numbers(v, to);
    return ir_const_new(m->g, v->type, NULL, to);
}

static bool is_rounded(const maker *m, const ir_value *v)
{
    return v && v->id < m->ids && v->as && v->type.dtype == IR_F32;
}

static ir_value *on_grid(maker *m, ir_value *v)
{
    ir_value **known = &m->rounded[v->id];
    if (!*known)
        *known = ir_is_const(v) ? round_constant(m, v) : round_value(m, v);
    return *known;
}

/* Is operand i of an op on integers on a grid?  Biases are not, nor what the op reads as reals. */
static bool takes_grid(const maker *m, const ir_op *op, int i)
{
    const bool bias = m->bias[op->id] || (i == 2 && plan_kind_of(op) == PLAN_PRODUCT);
    return !bias && !qdq_stays_real(op, i) && is_rounded(m, op->operands[i].value);
}

static void round_result(maker *m, ir_value *r)
{
    if (!is_rounded(m, r) || m->rounded[r->id])
        return;
    ir_value *y = on_grid(m, r);
    const ir_op *own = r->def->next; /* the first op of the rounding */
    for (ir_operand *slot = r->uses, *next; slot; slot = next) {
        next = slot->next_use;
        if (slot->user != own)
            ir_set_operand(slot->user, (int)(slot - slot->user->operands), y);
    }
    while (r->output_count > 0)
        ir_output_set(m->g, r->first_output, y);
}

static void round_op(maker *m, ir_op *op)
{
    for (int i = 0; i < op->operand_count; i++)
        if (takes_grid(m, op, i))
            ir_set_operand(op, i, on_grid(m, op->operands[i].value));
    if (!m->stays_real[op->id])
        round_result(m, op->results[0]);
}

/* ---- Parameters ---- */

/* Is it the weights or the bias of a product? */
static bool is_trained_in(const ir_op *op, int slot)
{
    const ir_value *other = op->code == IR_ADD ? op->operands[!slot].value : NULL;
    if (other && other->def && plan_kind_of(other->def) == PLAN_PRODUCT && plan_sum_of(other->def) == op)
        return true;
    return plan_kind_of(op) == PLAN_PRODUCT && (slot == 1 || (slot == 2 && op->code != IR_BATCH_MATMUL));
}

static bool is_parameter(const ir_value *v)
{
    if (!v || !ir_is_const(v) || v->type.dtype != IR_F32 || v->quant || v->as || ir_value_is_output(v))
        return false;
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use)
        if (!is_trained_in(slot->user, (int)(slot - slot->user->operands)))
            return false;
    return true;
}

static void add_parameter(simulation *s, ir_graph *of, ir_value *v, bool decays)
{
    const int64_t count = ir_type_elements(&v->type);
    float *numbers = ARENA_ARRAY(of->arena, float, count + 1);
    memcpy(numbers, v->data, (size_t)count * sizeof *numbers);
    v->data = numbers;
    s->parameters[s->parameter_count++] = (simulated_parameter){v, numbers, count, decays, NULL};
}

/* Of the graph itself, in its order. */
static void find_parameters(simulation *s, ir_graph *of, int *parameter_of)
{
    int slots = 0;
    for (const ir_op *op = of->first; op; op = op->next)
        slots += op->operand_count;
    s->parameters = ARENA_ARRAY(of->arena, simulated_parameter, slots);
    s->uses = ARENA_ARRAY(of->arena, simulated_use, slots);
    for (ir_op *op = of->first; op; op = op->next)
        for (int i = 0; i < op->operand_count; i++) {
            ir_value *v = op->operands[i].value;
            if (!is_parameter(v))
                continue;
            if (!parameter_of[v->id]) {
                add_parameter(s, of, v, plan_kind_of(op) == PLAN_PRODUCT && i == 1);
                parameter_of[v->id] = s->parameter_count;
            }
            s->uses[s->use_count++] = (simulated_use){.op = op->id, .slot = i, .parameter = parameter_of[v->id] - 1};
        }
}

static void make_parameters_inputs(maker *m, ir_op *const ops[])
{
    for (int i = 0; i < m->s->use_count; i++) {
        simulated_use *use = &m->s->uses[i];
        ir_op *op = ops[use->op];
        use->input = (uint32_t)m->g->input_count;
        ir_set_operand(op, use->slot,
                       ir_input_new(m->g, op->operands[use->slot].value->type, NULL,
                                    arena_format(m->g->arena, "parameter %d", use->parameter)));
    }
}

/* Which of them integers are made of. */
static void find_rounded(const maker *m)
{
    const ir_op **ops = ARENA_ARRAY(m->g->arena, const ir_op *, m->ids);
    for (const ir_op *op = m->s->of->first; op; op = op->next)
        ops[op->id] = op;
    for (int i = 0; i < m->s->use_count; i++) {
        simulated_use *use = &m->s->uses[i];
        use->rounded = m->integer[use->op] && scales_weight_index(ops[use->op]) == use->slot;
        if (use->rounded)
            m->s->parameters[use->parameter].product = ops[use->op];
    }
}

/* ---- Ranges ---- */

static void add_end(ir_graph *g, ir_opcode code, ir_value *v)
{
    int64_t axes[IR_MAX_RANK], ones[IR_MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) {
        axes[i] = i;
        ones[i] = 1;
    }
    ir_op *before = v->def ? v->def->next : g->first;
    ir_value *end = pass_op1(g, code, before, before, 1, &v, ir_type_make(IR_F32, v->type.rank, ones), NULL);
    ir_set_ints(end->def, IR_ATTR_AXES, v->type.rank, axes);
    ir_set_int(end->def, IR_ATTR_KEEP_DIMS, 1);
    ir_output_add(g, end, code == IR_REDUCE_MAX ? "high" : "low");
}

static void observe(maker *m, const pass_calibration *c, bool sees_ends, ir_value *v)
{
    picture_bytes given;
    const ir_value *bytes = picture_bytes_value(m->s->of, &given); /* have the grid that they have */
    if (v->id >= c->count || !c->ranges[v->id].known || !v->as || v->type.rank == 0 || (bytes && bytes->id == v->id))
        return;
    simulated_range *range = &m->s->ranges[m->s->range_count++];
    *range = (simulated_range){
        .value = v->id, .grid = -1, .count = ir_type_elements(&v->type) / m->s->of->inputs[0]->type.dims[0]};
    if (!sees_ends)
        return;
    range->low = (uint32_t)m->g->output_count;
    range->high = range->low + 1;
    add_end(m->g, IR_REDUCE_MIN, v);
    add_end(m->g, IR_REDUCE_MAX, v);
}

static void observe_all(maker *m, const pass_calibration *c, bool sees_ends, ir_op *const ops[])
{
    const int32_t inputs = m->s->of->input_count;
    for (int32_t i = 0; i < inputs; i++)
        observe(m, c, sees_ends, m->g->inputs[i]);
    for (const ir_op *op = m->s->of->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            observe(m, c, sees_ends, ops[op->id]->results[i]);
    for (int i = 0; i < m->s->range_count; i++)
        for (int k = 0; k < m->s->grid_count; k++)
            if (m->s->grids[k].value == m->s->ranges[i].value)
                m->s->ranges[i].grid = k;
}

static void forget_grids(ir_graph *g)
{
    for (int32_t i = 0; i < g->input_count; i++)
        scales_set(g->inputs[i], IR_DTYPE_NONE, NULL, (ir_origin){0});
    for (ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value && ir_is_const(op->operands[i].value))
                scales_set(op->operands[i].value, IR_DTYPE_NONE, NULL, (ir_origin){0});
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            scales_set(op->results[i], IR_DTYPE_NONE, NULL, (ir_origin){0});
    }
}

/* ---- The whole ---- */

static bool make(maker *m, const driver_options *o, bool sees_ends, diag *d)
{
    simulation *s = m->s;
    arena *a = m->g->arena;
    m->ids = m->g->next_id;
    m->integer = ARENA_ARRAY(a, bool, m->ids);
    m->bias = ARENA_ARRAY(a, bool, m->ids);
    m->stays_real = ARENA_ARRAY(a, bool, m->ids);
    m->rounded = ARENA_ARRAY(a, ir_value *, m->ids);
    s->grids = ARENA_ARRAY(a, simulated_grid, m->ids);
    s->ranges = ARENA_ARRAY(a, simulated_range, m->ids);
    if (!is_real(o) && !find_integer_ops(m, o, d))
        return false;
    find_rounded(m);
    ir_op **ops = twins_ops(m->g);
    make_parameters_inputs(m, ops);
    for (const ir_op *op = s->of->first; op; op = op->next)
        if (m->integer[op->id])
            round_op(m, ops[op->id]);
    observe_all(m, o->calibration, sees_ends, ops);
    forget_grids(m->g);
    return true;
}

bool simulate(ir_graph *graph, const driver_options *o, bool sees_ends, simulation *s, diag *d)
{
    *s = (simulation){.of = graph};
    maker m = {.s = s, .parameter_of = ARENA_ARRAY(graph->arena, int, graph->next_id)};
    find_parameters(s, graph, m.parameter_of);
    m.g = s->graph = ir_graph_copy(graph);
    if (give_scales(m.g, o, d) && make(&m, o, sees_ends, d))
        return true;
    simulate_free(s);
    return false;
}

void simulate_free(simulation *s)
{
    if (s->graph)
        ir_graph_free(s->graph);
    *s = (simulation){0};
}

/* ---- Before each run ---- */

static void fill_parameters(const simulation *s, ir_op *const ops[], void *const inputs[])
{
    for (int i = 0; i < s->use_count; i++) {
        const simulated_use *use = &s->uses[i];
        const ir_value *v = ops[use->op]->operands[use->slot].value;
        if (v->as && use->rounded)
            round_numbers(v, inputs[use->input]);
        else
            memcpy(inputs[use->input], v->data, ir_type_bytes(&v->type));
    }
}

static bool fill_grid(const simulated_grid *grid, const ir_value *v, void *const inputs[], diag *d)
{
    int32_t min, max;
    if (!v->as || v->as->axis >= 0)
        return diag_error(d, NULL, "value %u has no range that integers can stand for any more", grid->value);
    ir_quant_range(v->as_dtype, v->as, &min, &max);
    const float scale = v->as->scale[0];
    *(float *)inputs[grid->scale] = scale;
    *(float *)inputs[grid->low] = (float)(min - v->as->zero[0]) * scale;
    *(float *)inputs[grid->high] = (float)(max - v->as->zero[0]) * scale;
    return true;
}

static bool fill_grids(const simulation *s, const ir_graph *scaled, void *const inputs[], diag *d)
{
    const ir_value **values = ARENA_ARRAY(scaled->arena, const ir_value *, scaled->next_id);
    for (int32_t i = 0; i < scaled->input_count; i++)
        values[scaled->inputs[i]->id] = scaled->inputs[i];
    for (const ir_op *op = scaled->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            values[op->results[i]->id] = op->results[i];
    for (int i = 0; i < s->grid_count; i++)
        if (!fill_grid(&s->grids[i], values[s->grids[i].value], inputs, d))
            return false;
    return true;
}

bool simulate_inputs(const simulation *s, const driver_options *o, void *const inputs[], diag *d)
{
    ir_graph *scaled = ir_graph_copy(s->of);
    bool good = give_scales(scaled, o, d);
    if (good) {
        fill_parameters(s, twins_ops(scaled), inputs);
        good = fill_grids(s, scaled, inputs, d);
    }
    ir_graph_free(scaled);
    return good;
}
