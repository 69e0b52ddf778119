/* ops_recurrent.c: LSTM, GRU, RNN.
 *
 *     X [T, N, I], W [D, 4H, I], R [D, 4H, H], B [D, 8H], h and c [D, N, H]   ->   Y [T, D, N, H], Y_h, Y_c [D, N, H]
 *
 * DynamicQuantizeLSTM has integers for W and R, [D, I, 4H] and [D, H, 4H], which become the real numbers that they stand for.
 * GRU has three gates and RNN one, both no c.  Each direction is a layer of its own.  Gates come as input, output,
 * forget, cell; as update, reset, candidate. */
#include <string.h>

#include "frontends/node/node_recurrent.h"
#include "frontends/onnx/import.h"

enum { MAX_DIRECTIONS = 2 };
enum { IN_X, IN_W, IN_R, IN_B, IN_LENGTHS, IN_H, IN_C, IN_PEEPHOLE, IN_W_SCALE, IN_R_SCALE = 10 };
static const int lstm_order[] = {0, 2, 3, 1}, gru_order[] = {0, 1, 2};

typedef struct layer {
    ir_value *x, *w, *r, *b, *h, *c;
    int gates, directions;
    bool reversed; /* of a single direction */
    int64_t batch, units, inputs;
} layer;

static bool refuse_variants(ort_node *n)
{
    if (ort_has(n, IN_LENGTHS))
        return node_error(n, "sequences of different lengths are not supported");
    if (ort_has(n, IN_PEEPHOLE))
        return node_error(n, "peephole connections are not supported");
    return true;
}

static bool activations(ort_node *n, bool *out_rectified)
{
    static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"}, *const relu[] = {"Relu"};
    const bool is_rnn = n->entry->code == IR_RNN;
    const int count = is_rnn ? 1 : n->entry->code == IR_GRU ? 2 : 3;
    *out_rectified = is_rnn && ort_has_attr(n, "activations") && ort_texts_are(n, "activations", 1, relu);
    if (*out_rectified || ort_texts_are(n, "activations", count, usual + is_rnn))
        return true;
    return node_error(n, is_rnn ? "other activations than Tanh and Relu are not supported"
                                : "other activations than Sigmoid and Tanh are not supported");
}

static void direction(ort_node *n, layer *l)
{
    const char *text = ort_text(n, "direction", "forward");
    l->reversed = strcmp(text, "reverse") == 0;
    l->directions = strcmp(text, "bidirectional") == 0 ? 2 : 1;
}

static bool has_shape(const ir_value *v, int rank, const int64_t dims[])
{
    const ir_type type = ir_type_make(IR_F32, rank, dims);
    return !v || ir_type_equal(&v->type, &type);
}

static bool is_quantized(const ort_node *n) { return strcmp(n->entry->name, "DynamicQuantizeLSTM") == 0; }

/* [D, columns, rows] integers, with a scale and a zero point (operands `scale`, and the next) for each of D or of D x rows, as
 * [D, rows, columns] real numbers. */
static ir_value *real_weights(ort_node *n, int index, int scale)
{
    ir_value *q = ort_param(n, index, "weights"), *s = q ? ort_param(n, scale, "scale") : NULL,
             *z = s ? ort_param(n, scale + 1, "zero point") : NULL;
    if (!z)
        return NULL;
    const int64_t *d = q->type.dims, scales = ir_type_elements(&s->type), total = ir_type_elements(&q->type);
    if (q->type.rank != 3 || (q->type.dtype != IR_I8 && q->type.dtype != IR_U8) || s->type.dtype != IR_F32 ||
        z->type.dtype != q->type.dtype || ir_type_elements(&z->type) != scales || scales < 1 ||
        (scales != d[0] && scales != d[0] * d[2])) {
        node_error(n, "%lld scales for weights of type %s and rank %d are not supported", (long long)scales,
                   ir_dtype_text(q->type.dtype), q->type.rank);
        return NULL;
    }
    if (!model_charge(n->model, &n->loc, 8 * total))
        return NULL;
    float *out = ARENA_ARRAY(n->model->graph->arena, float, total + 1);
    for (int64_t i = 0; i < total; i++) {
        const int64_t row = i % d[2], column = i / d[2] % d[1], part = i / d[2] / d[1];
        const int64_t at = scales == d[0] ? part : part * d[2] + row;
        out[(part * d[2] + row) * d[1] + column] =
            (float)(ir_const_int(q, i) - ir_const_int(z, at)) * (float)ir_const_real(s, at);
    }
    return node_reals(n, 3, (int64_t[]){d[0], d[2], d[1]}, out);
}

static bool read_weights(ort_node *n, layer *l)
{
    if (is_quantized(n)) {
        l->w = real_weights(n, IN_W, IN_W_SCALE);
        l->r = l->w ? real_weights(n, IN_R, IN_R_SCALE) : NULL;
    } else {
        l->w = ort_param(n, IN_W, "weights");
        l->r = l->w ? ort_param(n, IN_R, "recurrent weights") : NULL;
    }
    return l->r != NULL;
}

static bool read_layer(ort_node *n, layer *l)
{
    l->x = ort_plain(n, IN_X);
    if (!l->x || !read_weights(n, l))
        return false;
    l->b = ort_has(n, IN_B) ? ort_param(n, IN_B, "biases") : NULL;
    if ((ort_has(n, IN_B) && !l->b) || !ort_optional(n, IN_H, &l->h) || !ort_optional(n, IN_C, &l->c))
        return false;
    l->gates = n->entry->code == IR_LSTM ? 4 : n->entry->code == IR_GRU ? 3 : 1;
    if (l->x->type.rank != 3 || l->r->type.rank != 3 || l->x->type.dtype != IR_F32)
        return node_error(n, "an operand of type %s and rank %d is not supported", ir_dtype_text(l->x->type.dtype),
                          l->x->type.rank);
    const int64_t d = l->directions, units = l->units = l->r->type.dims[2];
    l->batch = l->x->type.dims[1];
    l->inputs = l->x->type.dims[2];
    if (ort_int(n, "hidden_size", units) != units)
        return node_error(n, "hidden_size is not the %lld of the weights", (long long)units);
    if (units < 1 || l->inputs < 1 || !has_shape(l->w, 3, (int64_t[]){d, l->gates * units, l->inputs}) ||
        !has_shape(l->r, 3, (int64_t[]){d, l->gates * units, units}) ||
        !has_shape(l->b, 2, (int64_t[]){d, 2 * l->gates * units}) ||
        !has_shape(l->h, 3, (int64_t[]){d, l->batch, units}) || !has_shape(l->c, 3, (int64_t[]){d, l->batch, units}))
        return node_error(n, "weights, biases or states don't fit to %lld units, or are no floats", (long long)units);
    return true;
}

static ir_value *state(ort_node *n, const layer *l, ir_value *given, int64_t d)
{
    return given ? node_part(n, given, d) : node_zeros(n, l->batch, l->units);
}

static bool emit_direction(ort_node *n, const layer *l, int64_t d, ir_value *out[3])
{
    const bool is_lstm = n->entry->code == IR_LSTM,
               reset_after = n->entry->code == IR_GRU && ort_int(n, "linear_before_reset", 0);
    const int *order = is_lstm ? lstm_order : gru_order;
    const int64_t rows = l->gates * l->units;
    recurrent_layer one = {.code = n->entry->code, .x = l->x, .reversed = l->reversed || d == 1};
    const char *w = (const char *)l->w->data + 4 * d * rows * l->inputs,
               *r = (const char *)l->r->data + 4 * d * rows * l->units;
    const char *b = l->b ? (const char *)l->b->data + 4 * d * 2 * rows : NULL;
    one.w = node_gates(n, l->gates, order, l->units, l->inputs, w, NULL, 0);
    one.r = one.w ? node_gates(n, l->gates, order, l->units, l->units, r, NULL, 0) : NULL;
    if (!one.r || !activations(n, &one.rectified))
        return false;
    if (b && !(one.b = node_gates(n, l->gates, order, l->units, 0, b, b + 4 * rows, l->gates - reset_after)))
        return false;
    if (reset_after) {
        ir_value *zeros = b ? NULL : node_zeros(n, 1, l->units);
        one.candidate = b       ? node_gates(n, 1, gru_order, l->units, 0, b + 4 * (rows + 2 * l->units), NULL, 0)
                        : zeros ? node_reshaped(n, zeros, 1, &l->units)
                                : NULL;
        if (!one.candidate)
            return false;
    }
    one.h = state(n, l, l->h, d);
    one.c = one.h && is_lstm ? state(n, l, l->c, d) : NULL;
    return one.h && (one.c || !is_lstm) && node_recurrent(n, &one, out);
}

/* With a dimension of directions in front of the last two. */
static ir_value *with_direction(ort_node *n, ir_value *v)
{
    int64_t dims[4];
    const int rank = v->type.rank;
    for (int i = 0; i < rank; i++)
        dims[i + (i >= rank - 2)] = v->type.dims[i];
    dims[rank - 2] = 1;
    return node_reshaped(n, v, rank + 1, dims);
}

bool ort_op_recurrent(ort_node *n)
{
    layer l = {0};
    const int results = ir_op_info_of(n->entry->code)->results;
    ir_value *parts[3][MAX_DIRECTIONS] = {{NULL}};
    direction(n, &l);
    if (!refuse_variants(n) || !read_layer(n, &l))
        return false;
    for (int d = 0; d < l.directions; d++) {
        ir_value *out[3];
        if (!emit_direction(n, &l, d, out))
            return false;
        for (int i = 0; i < results; i++)
            if (!(parts[i][d] = with_direction(n, out[i])))
                return false;
    }
    for (int i = 0; i < results; i++)
        if (ort_wanted(n, i) && !ort_put(n, i, node_joined(n, l.directions, parts[i], i == 0), LAYOUT_PLAIN))
            return false;
    return true;
}
