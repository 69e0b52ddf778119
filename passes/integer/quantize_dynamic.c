/* quantize_dynamic.c: --quantize=dynamic: products of real values by constant weights get int8 weights, and operands
 * that are quantized at run time.
 *
 *     %2:f32<4x3> = fully_connected %0, const %1:f32<3x8>, const %b
 *
 *     const %3:i8<3x8; axis 0: […], 0>
 *     %4:u8<4x8>, %5:f32<4>, %6:u8<4> = dynamic_quantize %0 {method = affine_away, outer = 1}
 *     %2:f32<4x3> = fully_connected %4, const %3, const %b, none, %5, %6
 *
 * A fully_connected, or a batch_matmul by one constant matrix, which becomes one, has a range for each row;
 * convolutions, which --quantized-ops has to ask for, one for each image.  Operands are quantized as TFLite's hybrid
 * kernels do it, so that what is exported computes the same.  Several products of a value share its integers.
 *
 *     %2:…, %3:… = rnn %0, const %1:f32<8x8>, %h          …rnn %0, const %4:i8<8x8; axis 0: […], 0>, %h
 *
 * Recurrent layers get int8 weights for their products with the state, which they quantize themselves, step by step.
 * TFLite's quantize operand and state alike, and have a scale for each gate: so do those that are to be written for it.
 * What has scales already is left alone: this is for what is real at the end.  So are operands whose quantization takes
 * longer than integers save in all products that read them, unless --quantized-ops asks for one of these.  Everything
 * that stays real learns why. */
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/common/scales.h"
#include "passes/real/choose.h"

#define MOST_TAPS (INT32_MAX / (UINT8_MAX * 128)) /* of a sum of bytes by bytes in 32 bits */

/* In multiply-adds that are computed on integers instead of in float, of which each saves about 1/75 ns where there are
 * 64-byte registers and VNNI: measured (docs/calibration.md), and the same for all targets. */
enum {
    ROW_COST = 2200,   /* a row of the operand: its range, its scale */
    ELEMENT_COST = 10, /* of the row */
    RESULT_COST = 2,   /* a result that is made real again */
    COLUMNS = 16       /* come at once, however few are wanted */
};

typedef struct dynamic {
    ir_graph *g;
    pass_context *context;
    uint32_t ids;
    ir_op **quantized; /* by id of a value: its latest dynamic_quantize of this pass, or NULL */
    bool *pays;        /* by id of a product whose operand is quantized */
    int count;         /* of products that it made integers of */
    int small;         /* of those that stay real because that takes less time */
} dynamic;

/* ---- What can be done ---- */

static bool is_window(const ir_op *op) { return op->code == IR_CONV2D || op->code == IR_DEPTHWISE_CONV2D; }

static bool are_finite(const ir_value *w)
{
    for (int64_t i = 0; i < ir_type_elements(&w->type); i++)
        if (!isfinite(ir_const_real(w, i)))
            return false;
    return true;
}

static const char *why_no_weights(const ir_op *op)
{
    const ir_value *w = op->operands[1].value;
    if (!ir_is_const(w) || w->type.dtype != IR_F32)
        return "its weights are computed";
    if (op->code == IR_BATCH_MATMUL && (w->type.rank != 2 || ir_int(op, IR_ATTR_ADJ_A)))
        return "several matrices, or a transposed operand, have no kernel that quantizes at run time";
    const int64_t channels = w->type.dims[scales_weight_axis(op)], count = ir_type_elements(&w->type);
    if (count == 0)
        return "it has no weights";
    if (count / channels > MOST_TAPS)
        return "sums of so many products don't fit 32 bits";
    return are_finite(w) ? NULL : "some of its weights are not finite";
}

/* NULL: the product can be computed on integers. */
static const char *why_no_product(const dynamic *s, const ir_op *op)
{
    const ir_value *b = op->code == IR_BATCH_MATMUL ? NULL : ir_operand_value(op, 2);
    if (op->keep_float)
        return op->why_float;
    if (op->operands[0].value->type.dtype != IR_F32)
        return "its operand is not real";
    if (op->code == IR_TRANSPOSE_CONV2D)
        return "no kernel of transposed convolutions quantizes its operand at run time";
    if (is_window(op) && !choose_is_asked_for(s->context->options, op))
        return "operands of convolutions are quantized at run time where --quantized-ops asks for it";
    if (b && (!ir_is_const(b) || b->type.dtype != IR_F32))
        return "its bias is computed";
    return why_no_weights(op);
}

/* NULL: the recurrent layer's products with its state can be. */
static const char *why_no_recurrence(const ir_op *op) { return op->keep_float ? op->why_float : why_no_weights(op); }

/* ---- What pays ---- */

static const char small_text[] =
    "integers save less than it takes to quantize its operand; --quantized-ops asks for it";

/* Of a product with constant weights, for each row of its operand; without end: it is asked for. */
static double gain_of(const dynamic *s, const ir_op *op)
{
    const ir_type *w = &op->operands[1].value->type;
    const int64_t results = w->dims[scales_weight_axis(op)], elements = ir_type_elements(w) / results;
    if (s->context->options->quantized_ops.count > 0) /* what these don't name is kept real already */
        return INFINITY;
    return (double)elements * (double)((results + COLUMNS - 1) / COLUMNS * COLUMNS) - RESULT_COST * (double)results;
}

static bool pays(double gain, int64_t elements) { return gain >= ROW_COST + ELEMENT_COST * (double)elements; }

/* A product that reads rows, each quantized by itself, and could be computed on integers? */
static bool reads_rows(const dynamic *s, const ir_op *op)
{
    return qdq_is_product(op) && !ir_mac_is_dynamic(op) && !is_window(op) && !why_no_product(s, op);
}

/* Products that read a value share its integers, so they are weighed together. */
static void find_what_pays(dynamic *s)
{
    double *gains = ARENA_ARRAY(s->context->scratch, double, s->ids); /* by id of the value */
    for (const ir_op *op = s->g->first; op; op = op->next)
        if (reads_rows(s, op))
            gains[op->operands[0].value->id] += gain_of(s, op);
    for (const ir_op *op = s->g->first; op; op = op->next)
        if (reads_rows(s, op)) {
            const ir_value *x = op->operands[0].value;
            s->pays[op->id] = pays(gains[x->id], x->type.dims[x->type.rank - 1]);
        }
}

static const char *why_not_worth_it(dynamic *s, const ir_op *op)
{
    const bool good = pass_is_recurrent(op) ? pays(gain_of(s, op), op->operands[1].value->type.dims[1])
                                            : is_window(op) /* which is asked for */ || s->pays[op->id];
    s->small += !good;
    return good ? NULL : small_text;
}

/* ---- Layers that one operator of TFLite computes ---- */

static int gates_of(const ir_op *layer)
{
    return layer->code == IR_LSTM ? 4 : layer->code == IR_RNN ? 1 : 0; /* 0: it has no operator */
}

/* Of the layer whose operand the product makes, if that is to be an operator of TFLite, with integer weights; 0: none. */
static int gates_behind(dynamic *s, const ir_op *op)
{
    const ir_op *layer = pass_single_user(op->results[0]);
    const bool good = s->context->options->exchange && op->code == IR_FULLY_CONNECTED && layer &&
                      pass_is_recurrent(layer) && op->results[0]->type.rank == 3 &&
                      ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE && !why_no_recurrence(layer) &&
                      pays(gain_of(s, layer), layer->operands[1].value->type.dims[1]);
    return good ? gates_of(layer) : 0;
}

/* Has the layer's operand been quantized as that operator does it? */
static bool follows_product(const ir_op *layer)
{
    const ir_op *product = layer->operands[0].value->def;
    return product && product->code == IR_FULLY_CONNECTED && ir_mac_is_dynamic(product) &&
           ir_int(product->operands[0].value->def, IR_ATTR_METHOD) == IR_METHOD_SYMMETRIC_AWAY;
}

/* ---- The product ---- */

/* The integers of x, its scales and zero points. */
static ir_op *quantized(dynamic *s, ir_value *x, ir_op *before, ir_enum_METHOD method, int outer)
{
    ir_op **known = x->id < s->ids ? &s->quantized[x->id] : NULL;
    if (known && *known && ir_int(*known, IR_ATTR_METHOD) == method && ir_int(*known, IR_ATTR_OUTER) == outer)
        return *known;
    const ir_type parameters = ir_type_make(IR_F32, outer, x->type.dims);
    ir_type type = x->type, zeros = parameters;
    type.dtype = zeros.dtype = IR_U8;
    ir_op *op = pass_op1(s->g, IR_DYNAMIC_QUANTIZE, before, before, 1, &x, type, NULL)->def;
    ir_set_int(op, IR_ATTR_METHOD, method);
    ir_set_int(op, IR_ATTR_OUTER, outer);
    ir_result_set(op, 1, parameters, NULL);
    ir_result_set(op, 2, zeros, NULL);
    if (known)
        *known = op;
    return op;
}

/* One scale for the rows of each gate, that of the row with the largest one. */
static void join_gates(dynamic *s, ir_value *w, int gates)
{
    const int64_t rows = w->type.dims[0], units = rows / gates;
    const ir_quant *q = w->as;
    float *scale = ARENA_ARRAY(s->context->scratch, float, rows);
    int32_t *zero = ARENA_ARRAY(s->context->scratch, int32_t, rows);
    if (q->axis < 0)
        return;
    for (int64_t r = 0; r < rows; r++)
        scale[r / units * units] = fmaxf(scale[r / units * units], q->scale[r]);
    for (int64_t r = 0; r < rows; r++)
        scale[r] = scale[r / units * units];
    scales_set(w, IR_I8, ir_quant_new(s->g, 0, (int32_t)rows, scale, zero), w->scale_from);
}

/* The weights as int8, output channels first where the product is one of matrices; gates 0: a scale for each channel. */
static ir_value *integer_weights(dynamic *s, const ir_op *op, int gates)
{
    const ir_value *w = op->operands[1].value;
    const ir_value scales = scales_of_weights(s->g, op, w, true, s->context);
    ir_value on_grid = *w;
    scales_copy(&on_grid, &scales);
    if (gates > 0)
        join_gates(s, &on_grid, gates);
    ir_value *to = plan_integer_constant(s->g, &on_grid);
    return op->code == IR_BATCH_MATMUL && !ir_int(op, IR_ATTR_ADJ_B) ? plan_transposed_matrix(s->g, to) : to;
}

/* As TFLite's kernels: symmetric only for a convolution whose channels share a scale. */
static ir_enum_METHOD method_of(const ir_op *op, const ir_value *w)
{
    const bool plain = op->code == IR_CONV2D && ir_int(op, IR_ATTR_GROUPS) == 1;
    return plain && !ir_quant_scales_differ(w->quant) ? IR_METHOD_SYMMETRIC_AWAY : IR_METHOD_AFFINE_AWAY;
}

/* The bias; that of a product of matrices is a sum behind it, which *out_last is then, and `op` otherwise. */
static ir_value *bias_of(dynamic *s, ir_op *op, ir_op **out_last)
{
    *out_last = op;
    if (op->code != IR_BATCH_MATMUL)
        return ir_operand_value(op, 2);
    ir_op *sum = plan_sum_of(op);
    const ir_value *b = sum ? sum->operands[sum->operands[0].value == op->results[0]].value : NULL;
    if (!b || !ir_is_const(b))
        return NULL;
    const int64_t channels = ir_type_elements(&b->type);
    ir_value *to = ir_const_new(s->g, ir_type_make(IR_F32, 1, &channels), NULL, b->data);
    to->name = b->name;
    *out_last = sum;
    return to;
}

/* Returns the op behind the last one that is gone. */
static ir_op *make_dynamic(dynamic *s, ir_op *op)
{
    const bool matrix = op->code == IR_BATCH_MATMUL;
    const int gates = gates_behind(s, op);
    ir_value *x = op->operands[0].value, *w = integer_weights(s, op, gates);
    ir_op *last;
    ir_value *bias = bias_of(s, op, &last), *r = last->results[0];
    const int outer = is_window(op) ? 1 : x->type.rank - 1;
    const ir_op *q = quantized(s, x, op, gates > 0 ? IR_METHOD_SYMMETRIC_AWAY : method_of(op, w), outer);
    ir_value *operands[6] = {q->results[0], w, bias, NULL, q->results[1], q->results[2]};
    ir_value *y = pass_op1(s->g, matrix ? IR_FULLY_CONNECTED : op->code, op, op, 6, operands, r->type, NULL);
    if (matrix)
        ir_set_int(y->def, IR_ATTR_ACT, qdq_act(last));
    else
        ir_attrs_copy(y->def, op);
    diag ignored = {0};
    if (!ir_op_supported(y->def, &ignored)) {
        ir_op_erase(y->def);
        op->why_float = "no integer form";
        return op->next;
    }
    y->def->name = last->name;
    pass_takes_over(y, r);
    ir_op *next = op->next == last ? last->next : op->next;
    if (last != op)
        ir_op_erase(last);
    ir_op_erase(op);
    s->count++;
    return next;
}

/* The weights of a recurrent layer; NULL, or why they stay real. */
static const char *make_recurrent(dynamic *s, ir_op *op)
{
    ir_value *real = op->operands[1].value;
    const bool exchange = s->context->options->exchange;
    if (exchange && gates_of(op) > 0 && !follows_product(op))
        return "an operator of TFLite's quantizes operand and state at run time, or neither";
    ir_set_operand(op, 1, integer_weights(s, op, exchange ? gates_of(op) : 0));
    diag ignored = {0};
    if (ir_op_supported(op, &ignored)) {
        s->count++;
        return NULL;
    }
    ir_set_operand(op, 1, real);
    return "no integer form";
}

/* ---- The pass ---- */

static bool gives_reals(const ir_op *op)
{
    return ir_op_info_of(op->code)->results > 0 && op->results[0]->type.dtype == IR_F32;
}

/* What is asked for by name has to be done, but for what only moves the data of a node of that name. */
static bool refuse(const dynamic *s, const ir_op *op, const char *why)
{
    if (op->keep_float || plan_kind_of(op) == PLAN_MOVES || !choose_is_asked_for(s->context->options, op))
        return true;
    return diag_error(s->context->diag, &op->loc,
                      "%s '%s' is one of --quantized-ops, but can't be quantized at run time: %s",
                      ir_op_info_of(op->code)->text, plan_name(s->g, op->results[0]), why);
}

static bool visit(dynamic *s, ir_op *op, ir_op **out_next)
{
    *out_next = op->next;
    const bool product = qdq_is_product(op);
    if (!gives_reals(op) || (product && ir_mac_is_dynamic(op)))
        return true;
    if (pass_is_recurrent(op) && op->operands[1].value->type.dtype != IR_F32)
        return true;
    const char *why = product                 ? why_no_product(s, op)
                      : pass_is_recurrent(op) ? why_no_recurrence(op)
                                              : "only products by constant weights are quantized at run time";
    why = why ? why : why_not_worth_it(s, op);
    if (!why && product) {
        *out_next = make_dynamic(s, op);
        return true;
    }
    if (!why && !(why = make_recurrent(s, op)))
        return true;
    if (!op->why_float)
        op->why_float = why;
    return refuse(s, op, why);
}

pass_result pass_quantize_dynamic(ir_graph *g, pass_context *c)
{
    if (c->options->quantize != PASS_QUANTIZE_DYNAMIC)
        return PASS_UNCHANGED;
    dynamic s = {.g = g, .context = c, .ids = g->next_id};
    s.quantized = ARENA_ARRAY(c->scratch, ir_op *, s.ids);
    s.pays = ARENA_ARRAY(c->scratch, bool, s.ids);
    find_what_pays(&s);
    for (ir_op *op = g->first, *next; op; op = next)
        if (!visit(&s, op, &next))
            return PASS_FAILED;
    if (s.count > 0)
        return PASS_CHANGED;
    if (s.small > 0) {
        const ir_loc loc = ir_graph_loc(g);
        diag_warn(
            c->diag, &loc,
            "--quantize=dynamic changes nothing: integers save less than it takes to quantize the operands of such "
            "small products (%d of them); --quantized-ops=fc,matmul,lstm,gru,rnn does it all the same",
            s.small);
        return PASS_UNCHANGED;
    }
    diag_error(
        c->diag, NULL,
        "--quantize=dynamic: no product by constant weights is left to be quantized at run time (of convolutions "
        "with --quantized-ops=conv2d)");
    return PASS_FAILED;
}
