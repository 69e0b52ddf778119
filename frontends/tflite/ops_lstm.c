/* ops_lstm.c: recurrent layers.
 *
 *     UNIDIRECTIONAL_SEQUENCE_LSTM(x, W and R of four gates, biases, states h and c); UNIDIRECTIONAL_SEQUENCE_RNN likewise
 *
 *     floats                                                   8-bit x and W, 16-bit c
 *         xw = fully_connected x, [W i f c o], [b i f c o]          h = read_variable, c = read_variable
 *         h = read_variable, c = read_variable                     y, h, c = lstm_quant x, W, R, b, h, c
 *         y, h, c = lstm xw, [R i f c o], h, c                     write_variable h, write_variable c
 *         write_variable h, write_variable c
 *
 * With int8 weights of a float operand ('hybrid') that is quantized at run time in front of the product, and h in each
 * step by the lstm, both symmetrically.  An input gate that is coupled to the forget gate has no weights of its own:
 * 1 - logistic(x) is logistic(-x), so in floats it gets those of the forget gate with the sign turned. */
#include <string.h>

#include "frontends/node/node_recurrent.h"
#include "frontends/tflite/import.h"

enum { GATES = 4 };
enum {
    IN_X = 0,
    IN_W = 1,
    IN_R = 5,
    IN_PEEPHOLE = 9,
    IN_BIAS = 12,
    IN_PROJECTION = 16,
    IN_H = 18,
    IN_C = 19,
    IN_NORM = 20
};
enum { INTERMEDIATE_HIDDEN = 4 };

typedef struct lstm {
    ir_value *x;
    bool quantized, hybrid, coupled; /* quantized: the operand, too; hybrid: the weights alone */
    int time_axis;
    int64_t batch, units, inputs;
    float clip;
} lstm;

static bool refuse_variants(tflite_node *n)
{
    static const struct {
        int first, count;
        const char *what;
    } absent[] = {{IN_PEEPHOLE, 3, "peephole connections"},
                  {IN_PROJECTION, 2, "a projection"},
                  {IN_NORM, 4, "layer normalization"}};
    for (int a = 0; a < 3; a++)
        for (int i = 0; i < absent[a].count; i++)
            if (tflite_has_input(n, absent[a].first + i))
                return node_error(n, "an LSTM with %s is not supported", absent[a].what);
    if (fb_bool(n->options, LSTM_DIAGONAL, false))
        return node_error(n, "an LSTM with diagonal recurrent weights is not supported");
    if (fb_i8(n->options, LSTM_ACT, ACTIVATION_NONE) != ACTIVATION_TANH)
        return node_error(n, "an LSTM with another activation than TANH is not supported");
    return true;
}

/* ---- Weights of all gates in one constant ---- */

/* Part `gate` of four operands that starts at `first`; the coupled input gate takes the forget gate's. */
static ir_value *gate_constant(tflite_node *n, const lstm *l, int first, int gate, const char *what)
{
    return tflite_param(n, first + (gate == 0 && l->coupled ? 1 : gate), what);
}

static void copy_negated(float *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    for (size_t i = 0; i < bytes / sizeof *to; i++)
        to[i] = -to[i];
}

/* [4 * units, columns], or [4 * units] where columns is 0; quantized weights get a scale for each row. */
static ir_value *stacked(tflite_node *n, const lstm *l, int first, int64_t columns, ir_dtype dtype, const char *what)
{
    arena *a = n->model->graph->arena;
    const ir_type type = ir_type_make(dtype, columns ? 2 : 1, (int64_t[]){GATES * l->units, columns});
    const bool scaled = dtype == IR_I8;
    float *scale = scaled ? ARENA_ARRAY(a, float, GATES * l->units) : NULL;
    int32_t *zero = scaled ? ARENA_ARRAY(a, int32_t, GATES * l->units) : NULL;
    if (!ir_type_valid(&type)) {
        node_error(n, "the %s are larger than 2 GiB", what);
        return NULL;
    }
    if (!model_charge(n->model, &n->loc, (int64_t)ir_type_bytes(&type)))
        return NULL;
    unsigned char *data = arena_alloc(a, ir_type_bytes(&type) + 1);
    for (int gate = 0; gate < GATES; gate++) {
        const ir_value *v = gate_constant(n, l, first, gate, what);
        const ir_type part = ir_type_make(dtype, type.rank, (int64_t[]){l->units, columns});
        const size_t bytes = ir_type_bytes(&part);
        if (!v)
            return NULL;
        if (!ir_type_equal(&v->type, &part) || (scaled && (!v->quant || v->quant->axis >= 0))) {
            node_error(n, "the %s of gate %d have type, shape or quantization that do not fit to %lld units", what,
                       gate, (long long)l->units);
            return NULL;
        }
        if (gate == 0 && l->coupled)
            copy_negated((float *)(void *)data, v->data, bytes);
        else
            memcpy(data + (size_t)gate * bytes, v->data, bytes);
        for (int64_t u = gate * l->units; scaled && u < (gate + 1) * l->units; u++) {
            scale[u] = v->quant->scale[0];
            zero[u] = v->quant->zero[0];
        }
    }
    return ir_const_new(n->model->graph, type,
                        scaled ? ir_quant_new(n->model->graph, 0, (int32_t)(GATES * l->units), scale, zero) : NULL,
                        data);
}

/* ---- States ---- */

static ir_value *read_state(tflite_node *n, int64_t batch, int64_t units, int index)
{
    tflite_tensor t;
    if (!tflite_has_input(n, index)) {
        node_error(n, "operand %d, a state, is missing", index);
        return NULL;
    }
    if (!tflite_tensor_read(n->scope, &n->loc, fb_vec_i32(n->inputs, (uint32_t)index), &t))
        return NULL;
    if (!fb_bool(t.table, TENSOR_IS_VARIABLE, false)) {
        node_error(n, "operand %d must be a state variable", index);
        return NULL;
    }
    if (ir_type_elements(&t.type) != batch * units) {
        node_error(n, "operand %d, a state, has %lld elements, expected %lld", index,
                   (long long)ir_type_elements(&t.type), (long long)(batch * units));
        return NULL;
    }
    const ir_type matrix = ir_type_make(t.type.dtype, 2, (int64_t[]){batch, units});
    ir_value *v = tflite_state(n, index, &matrix);
    return v && !ir_type_equal(&v->type, &matrix) ? node_reshaped(n, v, 2, matrix.dims) : v;
}

/* ---- The layer ---- */

static const char asymmetric_text[] = "hybrid (dynamic-range) quantization with zero points of states is not supported";

static bool read_layer(tflite_node *n, lstm *l)
{
    tflite_tensor output;
    const ir_value *w = (l->x = tflite_input(n, IN_X)) ? tflite_param(n, IN_W + 1, "forget gate's weights") : NULL;
    if (!w || !tflite_output_tensor(n, 0, &output))
        return false;
    if (l->x->type.rank != 3 || w->type.rank != 2 || w->type.dims[1] != l->x->type.dims[2] || w->type.dims[0] < 1)
        return node_error(n, "operand of rank %d and weights of rank %d do not fit together", l->x->type.rank,
                          w->type.rank);
    l->time_axis = fb_bool(n->options, LSTM_TIME_MAJOR, false) ? 0 : 1;
    l->batch = l->x->type.dims[1 - l->time_axis];
    l->inputs = w->type.dims[1];
    l->units = w->type.dims[0];
    l->quantized = l->x->type.dtype != IR_F32;
    l->hybrid = !l->quantized && w->type.dtype == IR_I8;
    l->clip = fb_f32(n->options, LSTM_CELL_CLIP, 0);
    l->coupled = !tflite_has_input(n, IN_W);
    if (!(l->clip >= 0))
        return node_error(n, "the cell state's bound is %g", (double)l->clip);
    if (l->coupled && (l->quantized || l->hybrid || tflite_has_input(n, IN_R) || tflite_has_input(n, IN_BIAS)))
        return node_error(n, l->quantized || l->hybrid
                                 ? "an LSTM in integers whose input gate is coupled is not supported"
                                 : "an input gate without weights must have no recurrent weights and bias either");
    if (fb_bool(n->options, LSTM_ASYMMETRIC, false) && l->hybrid)
        return node_error(n, "%s", asymmetric_text);
    if (!l->quantized && !l->hybrid && w->type.dtype != IR_F32)
        return node_error(n, "hybrid (dynamic-range) quantization, f32 with %s, is not supported",
                          ir_dtype_text(w->type.dtype));
    if (l->quantized && (l->x->type.dtype != IR_I8 || w->type.dtype != IR_I8 || output.type.dtype != IR_I8))
        return node_error(n, "an LSTM on %s with weights of %s is not supported", ir_dtype_text(l->x->type.dtype),
                          ir_dtype_text(w->type.dtype));
    return true;
}

/* Between output gate and state lies a value of its own, which only a projection makes different from the state. */
static bool check_hidden(tflite_node *n, const ir_value *h)
{
    tflite_tensor t;
    fb_vector intermediates = fb_vec(n->table, OPERATOR_INTERMEDIATES, 4);
    if (intermediates.count != INTERMEDIATE_HIDDEN + 1)
        return node_error(n, "an LSTM in integers with %u intermediate tensors is not supported", intermediates.count);
    if (!tflite_tensor_read(n->scope, &n->loc, fb_vec_i32(intermediates, INTERMEDIATE_HIDDEN), &t))
        return false;
    return ir_quant_equal(t.quant, h->quant) ||
           node_error(n, "the intermediate tensor in front of the state has another quantization than the state");
}

/* In integers; the result has the file's type. */
static bool emit_quantized(tflite_node *n, const lstm *l, ir_value *const operands[6], ir_value *out[3])
{
    const ir_value *h = operands[4], *c = operands[5];
    ir_op *op = node_emit(n, IR_LSTM_QUANT, 6, operands);
    ir_set_int(op, IR_ATTR_TIME_AXIS, l->time_axis);
    ir_set_float(op, IR_ATTR_CELL_CLIP, l->clip);
    ir_result_set(op, 1, h->type, h->quant);
    ir_result_set(op, 2, c->type, c->quant);
    if (!check_hidden(n, h) || !tflite_bind(n, 0, op, 3, (int64_t[]){l->x->type.dims[0], l->x->type.dims[1], l->units}))
        return false;
    for (int i = 0; i < 3; i++)
        out[i] = op->results[i];
    return true;
}

/* The product with an operand that is quantized at run time; NULL after a diagnostic. */
static ir_value *hybrid_product(tflite_node *n, ir_value *x, ir_value *w, ir_value *b)
{
    ir_op *op = tflite_emit_hybrid(n, IR_FULLY_CONNECTED, x, w, b, false, 2);
    ir_type type = x->type;
    type.dims[2] = w->type.dims[0];
    return op ? node_typed(n, op, type, NULL) : NULL;
}

static bool emit_float(tflite_node *n, const lstm *l, ir_value *const operands[6], ir_value *out[3])
{
    ir_value *xw = l->hybrid ? hybrid_product(n, l->x, operands[1], operands[3]) : NULL;
    const recurrent_layer layer = {.code = IR_LSTM,
                                   .x = l->x,
                                   .xw = xw,
                                   .time_axis = l->time_axis,
                                   .cell_clip = l->clip,
                                   .w = operands[1],
                                   .r = operands[2],
                                   .b = operands[3],
                                   .h = operands[4],
                                   .c = operands[5]};
    return (xw || !l->hybrid) && node_recurrent(n, &layer, out) && tflite_bind_value(n, 0, out[0]);
}

bool tflite_op_sequence_lstm(tflite_node *n)
{
    lstm l = {0};
    ir_value *out[3];
    if (!refuse_variants(n) || !read_layer(n, &l))
        return false;
    const ir_dtype weights = l.quantized || l.hybrid ? IR_I8 : IR_F32;
    ir_value *w = stacked(n, &l, IN_W, l.inputs, weights, "weights");
    ir_value *r = w ? stacked(n, &l, IN_R, l.units, weights, "recurrent weights") : NULL;
    ir_value *b = r ? stacked(n, &l, IN_BIAS, 0, l.quantized ? IR_I32 : IR_F32, "biases") : NULL;
    ir_value *h = b ? read_state(n, l.batch, l.units, IN_H) : NULL;
    ir_value *c = h ? read_state(n, l.batch, l.units, IN_C) : NULL;
    ir_value *const operands[6] = {l.x, w, r, b, h, c};
    return c && (l.quantized ? emit_quantized(n, &l, operands, out) : emit_float(n, &l, operands, out)) &&
           tflite_set_state(n, IN_H, out[1]) && tflite_set_state(n, IN_C, out[2]);
}

/* ---- RNN ---- */

enum { RNN_X, RNN_W, RNN_R, RNN_B, RNN_H };

static bool check_rnn(tflite_node *n, const ir_value *x, const ir_value *w, const ir_value *r, const ir_value *b)
{
    const int64_t units = w->type.dims[0], *d = w->type.dims;
    const ir_type recurrent = ir_type_make(w->type.dtype, 2, (int64_t[]){units, units});
    const ir_type bias = ir_type_make(IR_F32, 1, &units);
    const int8_t act = fb_i8(n->options, RNN_ACT, ACTIVATION_NONE);
    if (act != ACTIVATION_TANH && act != ACTIVATION_RELU)
        return node_error(n, "an RNN with another activation than TANH and RELU is not supported");
    if (x->type.dtype != IR_F32 || (w->type.dtype != IR_F32 && w->type.dtype != IR_I8))
        return node_error(n, "an RNN on %s with weights of %s is not supported", ir_dtype_text(x->type.dtype),
                          ir_dtype_text(w->type.dtype));
    if (x->type.rank != 3 || w->type.rank != 2 || d[1] != x->type.dims[2] || units < 1 ||
        !ir_type_equal(&r->type, &recurrent) || !ir_type_equal(&b->type, &bias))
        return node_error(n, "operand, weights and bias do not fit together");
    if (w->type.dtype == IR_I8 && (!r->quant || r->quant->axis >= 0 || r->quant->zero[0] != 0))
        return node_error(n, "recurrent weights of integers need one scale, and no zero point");
    return w->type.dtype == IR_F32 || !fb_bool(n->options, RNN_ASYMMETRIC, false) ||
           node_error(n, "%s", asymmetric_text);
}

bool tflite_op_sequence_rnn(tflite_node *n)
{
    ir_value *out[3], *x = tflite_input(n, RNN_X), *w = x ? tflite_param(n, RNN_W, "weights") : NULL;
    ir_value *r = w ? tflite_param(n, RNN_R, "recurrent weights") : NULL,
             *b = r ? tflite_param(n, RNN_B, "bias") : NULL;
    if (!b || !check_rnn(n, x, w, r, b))
        return false;
    const int time_axis = fb_bool(n->options, RNN_TIME_MAJOR, false) ? 0 : 1;
    ir_value *h = read_state(n, x->type.dims[1 - time_axis], w->type.dims[0], RNN_H);
    ir_value *xw = h && w->type.dtype == IR_I8 ? hybrid_product(n, x, w, b) : NULL;
    const recurrent_layer layer = {.code = IR_RNN,
                                   .x = x,
                                   .xw = xw,
                                   .time_axis = time_axis,
                                   .rectified = fb_i8(n->options, RNN_ACT, ACTIVATION_NONE) == ACTIVATION_RELU,
                                   .w = w,
                                   .r = r,
                                   .b = b,
                                   .h = h};
    return h && (xw || w->type.dtype == IR_F32) && node_recurrent(n, &layer, out) && tflite_bind_value(n, 0, out[0]) &&
           tflite_set_state(n, RNN_H, out[1]);
}
