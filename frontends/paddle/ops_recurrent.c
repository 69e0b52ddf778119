/* ops_recurrent.c: rnn, several layers in one or both directions.
 *
 *     Input [T, N, I], PreState: h and c, each [layers * directions, N, H]; WeightList: for each layer and direction
 * two matrices, [4H, I] and [4H, H], then for each two biases [4H]     ->     Out [T, N, directions * H], State: h and
 * c
 *
 * A layer's operand is the layer before; its directions lie side by side.  Gates come as input, forget, cell, output in
 * mode LSTM, as reset, update, candidate in mode GRU; there is one in RNN_TANH and RNN_RELU.  Only LSTM has a c. */
#include <string.h>

#include "frontends/node/node_recurrent.h"
#include "frontends/paddle/import.h"

enum { MAX_LAYERS = 64, MAX_STATES = 2 };

typedef struct mode {
    const char *name;
    ir_opcode code;
    bool rectified;
    int gates, states, order[RECURRENT_MAX_GATES];
} mode;

static const mode modes[] = {{"LSTM", IR_LSTM, false, 4, 2, {0, 1, 2, 3}},
                             {"GRU", IR_GRU, false, 3, 1, {1, 0, 2}},
                             {"RNN_TANH", IR_RNN, false, 1, 1, {0}},
                             {"RNN_RELU", IR_RNN, true, 1, 1, {0}}};

typedef struct rnn {
    const mode *mode;
    ir_value *x, *state[MAX_STATES];
    int layers, directions;
    int64_t batch, units;
} rnn;

static bool read_rnn(paddle_node *n, rnn *r)
{
    const char *name = paddle_text(n, "mode", "");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, name) == 0)
            r->mode = &modes[i];
    if (!r->mode)
        return node_error(n, "recurrent layers of mode '%.20s' are not supported", name);
    const int64_t layers = paddle_int(n, "num_layers", 1);
    r->units = paddle_int(n, "hidden_size", 0);
    r->directions = paddle_int(n, "is_bidirec", 0) ? 2 : 1;
    if (layers < 1 || layers > MAX_LAYERS || r->units < 1 || r->units > 1 << 20)
        return node_error(n, "%lld layers of %lld units", (long long)layers, (long long)r->units);
    r->layers = (int)layers;
    if (!paddle_absent(n, "SequenceLength") || !(r->x = paddle_plain(n, "Input")))
        return false;
    if (r->x->type.rank != 3 || r->x->type.dtype != IR_F32 || r->x->type.dims[2] < 1)
        return node_error(n, "an operand of type %s and rank %d is not supported", ir_dtype_text(r->x->type.dtype),
                          r->x->type.rank);
    r->batch = r->x->type.dims[1];
    const int total = r->layers * r->directions;
    if (paddle_count(n, "PreState") != r->mode->states || paddle_count(n, "WeightList") != 4 * total)
        return node_error(n, "%d states and %d weights and biases, expected %d and %d", paddle_count(n, "PreState"),
                          paddle_count(n, "WeightList"), r->mode->states, 4 * total);
    const ir_type expected = ir_type_make(IR_F32, 3, (int64_t[]){total, r->batch, r->units});
    for (int s = 0; s < r->mode->states; s++) {
        if (!(r->state[s] = paddle_in(n, "PreState", s, LAYOUT_PLAIN)))
            return false;
        if (!ir_type_equal(&r->state[s]->type, &expected))
            return node_error(n, "state %d does not fit to %d layers and directions of %lld units", s, total,
                              (long long)r->units);
    }
    return true;
}

/* Constant `index` of the list, with the extents that it must have. */
static const void *listed(paddle_node *n, int index, int64_t rows, int64_t columns)
{
    const ir_value *v = paddle_in(n, "WeightList", index, LAYOUT_PLAIN);
    const ir_type expected = ir_type_make(IR_F32, columns ? 2 : 1, (int64_t[]){rows, columns});
    if (!v)
        return NULL;
    if (!ir_is_const(v) || !ir_type_equal(&v->type, &expected)) {
        node_error(n, "weights %d are no constant floats, or don't fit to %lld gates", index, (long long)rows);
        return NULL;
    }
    return v->data;
}

static bool emit_direction(paddle_node *n, const rnn *r, ir_value *x, int layer, int d, ir_value *out[3])
{
    const int at = layer * r->directions + d, biases = 2 * r->layers * r->directions;
    static const int first = 0;
    const mode *m = r->mode;
    const int64_t rows = m->gates * r->units, inputs = x->type.dims[2];
    recurrent_layer one = {.code = m->code, .x = x, .reversed = d == 1, .rectified = m->rectified};
    const void *w = listed(n, 2 * at, rows, inputs), *rw = w ? listed(n, 2 * at + 1, rows, r->units) : NULL;
    const char *b = rw ? listed(n, biases + 2 * at, rows, 0) : NULL,
               *more = b ? listed(n, biases + 2 * at + 1, rows, 0) : NULL;
    if (!more)
        return false;
    one.w = node_gates(n, m->gates, m->order, r->units, inputs, w, NULL, 0);
    one.r = one.w ? node_gates(n, m->gates, m->order, r->units, r->units, rw, NULL, 0) : NULL;
    one.b = one.r ? node_gates(n, m->gates, m->order, r->units, 0, b, more, m->code == IR_GRU ? 2 : m->gates) : NULL;
    if (!one.b)
        return false;
    if (m->code == IR_GRU && !(one.candidate = node_gates(n, 1, &first, r->units, 0, more + 8 * r->units, NULL, 0)))
        return false;
    one.h = node_part(n, r->state[0], at);
    one.c = one.h && m->code == IR_LSTM ? node_part(n, r->state[1], at) : NULL;
    return one.h && (one.c || m->code != IR_LSTM) && node_recurrent(n, &one, out);
}

static ir_value *with_direction(paddle_node *n, ir_value *v)
{
    return node_reshaped(n, v, 3, (int64_t[]){1, v->type.dims[0], v->type.dims[1]});
}

bool paddle_op_rnn(paddle_node *n)
{
    rnn r = {0};
    ir_value *last[MAX_STATES][2 * MAX_LAYERS];
    if (!read_rnn(n, &r))
        return false;
    ir_value *x = r.x;
    for (int layer = 0; layer < r.layers; layer++) {
        ir_value *side[2];
        for (int d = 0; d < r.directions; d++) {
            ir_value *out[3];
            if (!emit_direction(n, &r, x, layer, d, out))
                return false;
            side[d] = out[0];
            for (int s = 0; s < r.mode->states; s++)
                if (!(last[s][layer * r.directions + d] = with_direction(n, out[1 + s])))
                    return false;
        }
        if (!(x = node_joined(n, r.directions, side, 2)))
            return false;
    }
    for (int s = 0; s < r.mode->states; s++)
        if (s < paddle_result_count(n, "State") &&
            !paddle_put_at(n, "State", s, node_joined(n, r.layers * r.directions, last[s], 0), LAYOUT_PLAIN))
            return false;
    return paddle_put(n, "Out", x, LAYOUT_PLAIN);
}
