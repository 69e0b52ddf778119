/* twins.c: takes the biases of products apart, in a copy that stays real and in one that gets its scales before. */
#include "compiler/quantize/twins.h"

#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/common/real_sum.h"
#include "passes/common/scales.h"

/* ---- Products whose bias can be corrected ---- */

/* What adds the bias of the product: a constant sum behind it, or itself; NULL: it can have none. */
static ir_op *bias_op(ir_op *product)
{
    ir_op *sum = plan_sum_of(product);
    const bool has_operand = plan_gives_reals(product->code);
    return sum ? sum : has_operand ? product : NULL;
}

static ir_value *bias_of(const ir_op *product, const ir_op *adds)
{
    if (adds == product)
        return ir_operand_value(product, 2);
    return adds->operands[adds->operands[0].value == product->results[0]].value;
}

static bool is_corrected(ir_op *op, twin_product *out)
{
    if (plan_kind_of(op) != PLAN_PRODUCT || op->keep_float || !ir_is_const(op->operands[1].value))
        return false;
    ir_op *adds = bias_op(op);
    const ir_type *r = &op->results[0]->type;
    if (!adds || r->rank < 2 || ir_type_elements(r) == 0)
        return false;
    *out = (twin_product){.op = adds, .channels = r->dims[r->rank - 1], .bias = bias_of(op, adds)};
    return !out->bias || (ir_is_const(out->bias) && out->bias->type.dtype == IR_F32 &&
                          ir_type_elements(&out->bias->type) == out->channels);
}

static void find_products(const ir_graph *g, twins *t)
{
    int room = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        room += plan_kind_of(op) == PLAN_PRODUCT;
    t->products = ARENA_ARRAY(g->arena, twin_product, room);
    t->count = 0;
    for (ir_op *op = g->first; op; op = op->next)
        t->count += is_corrected(op, &t->products[t->count]);
}

/* ---- Taking apart ---- */

static void add_mean(ir_graph *g, ir_value *v, ir_op *before)
{
    int64_t axes[IR_MAX_RANK];
    const int outer = v->type.rank - 1;
    for (int i = 0; i < outer; i++)
        axes[i] = i;
    ir_value *mean = pass_op1(g, IR_MEAN, before, v->def, 1, &v, ir_type_make(IR_F32, 1, &v->type.dims[outer]), NULL);
    ir_set_ints(mean->def, IR_ATTR_AXES, outer, axes);
    ir_output_add(g, mean, "mean");
}

/* What r was to all who read it, `v` is from now on: name, grid and uses. */
static void stand_for(ir_value *v, ir_value *r)
{
    pass_takes_over(v, r);
    ir_set_operand(v->def, 0, r);
    scales_set(r, IR_DTYPE_NONE, NULL, (ir_origin){0});
    r->name = NULL;
}

static void split_activation(ir_graph *g, ir_op *op)
{
    ir_value *r = op->results[0];
    const ir_enum_ACT act = qdq_act(op);
    if (act == IR_ACT_NONE)
        return;
    ir_set_int(op, IR_ATTR_ACT, IR_ACT_NONE);
    ir_value *clamped = pass_op1(g, IR_RELU, op->next, op, 1, &r, r->type, NULL);
    ir_set_int(clamped->def, IR_ATTR_ACT, act);
    stand_for(clamped, r);
}

static ir_value *split_bias(ir_graph *g, ir_op *op, ir_value *bias)
{
    ir_value *r = op->results[0], *operands[2] = {r, bias};
    if (op->operand_count > 2)
        ir_set_operand(op, 2, NULL);
    ir_value *sum = pass_op1(g, IR_ADD, op->next, op, 2, operands, r->type, NULL);
    stand_for(sum, r);
    return r;
}

/* Whoever reads the value sees it on its grid, as those behind the integer op will. */
static void fix_grid(ir_value *v)
{
    if (v->as)
        v->scale_from = (ir_origin){IR_SCALE_FAKE_QUANT, NULL, NULL};
}

static void split_integer(ir_graph *g, ir_op *adds, const bool kept[], twin_product *p)
{
    p->input = (uint32_t)g->input_count;
    ir_value *bias =
        ir_input_new(g, ir_type_make(IR_F32, 1, &p->channels), NULL, arena_format(g->arena, "bias %u", adds->id));
    if (!plan_stays_real(adds, kept))
        fix_grid(adds->results[0]);
    split_activation(g, adds);
    if (plan_kind_of(adds) == PLAN_PRODUCT) {
        ir_value *r = split_bias(g, adds, bias);
        add_mean(g, r, adds->next); /* in front of the sum, which waits for what follows from the mean */
        return;
    }
    const int constant = ir_is_const(adds->operands[1].value);
    ir_value *r = adds->operands[!constant].value;
    ir_set_operand(adds, constant, bias);
    add_mean(g, r, adds);
}

static void split_real(ir_graph *g, ir_op *adds)
{
    split_activation(g, adds);
    add_mean(g, adds->results[0], adds->next);
}

/* ---- Both ---- */

static bool run(const driver_options *o, ir_graph *g, const char *const names[], int count, diag *d)
{
    const ir_loc loc = ir_graph_loc(g);
    driver_module m = {.file = loc.file ? loc.file : "graph", .graph = g};
    return driver_passes(o, &m, false, names, count, d);
}

driver_options twins_options(const driver_options *o, pass_quantize_mode mode)
{
    driver_options here = driver_defaults(OPTION_EVAL);
    here.quantize = mode;
    here.max_size = o->max_size;
    here.whole_batches = true;
    return here;
}

driver_options twins_integer_options(const driver_options *o, const pass_calibration *ranges)
{
    driver_options here = twins_options(o, PASS_QUANTIZE_AUTO);
    here.first_phase = PASS_PHASE_integer;
    here.quantized_ops = o->quantized_ops;
    here.infer_scales = o->infer_scales;
    here.rounding = o->rounding;
    here.rounding_given = o->rounding_given;
    here.calibration = ranges;
    return here;
}

ir_op **twins_ops(const ir_graph *g)
{
    ir_op **ops = ARENA_ARRAY(g->arena, ir_op *, g->next_id);
    for (ir_op *op = g->first; op; op = op->next)
        ops[op->id] = op;
    return ops;
}

int32_t twins_input(const ir_graph *g, const ir_value *v)
{
    for (int32_t i = 0; i < g->input_count; i++)
        if (g->inputs[i]->id == v->id)
            return i;
    return -1;
}

/* Sums that a product takes in are real here, and rounded all the same. */
static void fix_sums(ir_graph *g)
{
    for (ir_op *op = g->first; op; op = op->next)
        if (real_sum_product(op) >= 0)
            fix_grid(op->results[0]);
}

static void split_all(const twins *t, const driver_options *o)
{
    const pass_options options = driver_pass_options(o, false);
    const bool *kept = plan_kept_readers(t->integer, &options, t->integer->arena);
    ir_op **real = twins_ops(t->real), **integer = twins_ops(t->integer);
    fix_sums(t->integer);
    for (int i = 0; i < t->count; i++) {
        split_real(t->real, real[t->products[i].op->id]);
        split_integer(t->integer, integer[t->products[i].op->id], kept, &t->products[i]);
    }
}

bool twins_give_scales(ir_graph *g, const driver_options *o, diag *d)
{
    static const char *const scales[] = {"keep_between",     "calibrated_scales", "weight_scales",   "unsigned_outputs",
                                         "propagate_scales", "dummy_scales",      "propagate_scales"};
    return run(o, g, scales, sizeof scales / sizeof scales[0], d);
}

bool twins_make(const ir_graph *graph, const ir_graph *real, const driver_options *o, twins *out, diag *d)
{
    static const char *const quantize[] = {"quantize"};
    *out = (twins){.real = ir_graph_copy(real), .integer = ir_graph_copy(graph)};
    find_products(graph, out);
    if (!twins_give_scales(out->integer, o, d)) {
        twins_free(out);
        return false;
    }
    split_all(out, o);
    if (!run(o, out->integer, quantize, 1, d)) {
        twins_free(out);
        return false;
    }
    return true;
}

void twins_free(twins *t)
{
    if (t->real)
        ir_graph_free(t->real);
    if (t->integer)
        ir_graph_free(t->integer);
    *t = (twins){0};
}
