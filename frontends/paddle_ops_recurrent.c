/* paddle_ops_recurrent.c: rnn, several layers in one or both directions.
 *
 *     Input [T, N, I], PreState: h and c, each [layers * directions, N, H]; WeightList: for each layer and direction two
 *     matrices, [4H, I] and [4H, H], then for each two biases [4H]     ->     Out [T, N, directions * H], State: h and c
 *
 * A layer's operand is the layer before; its directions lie side by side.  Gates come as input, forget, cell, output. */
#include <string.h>

#include "frontends/paddle_import.h"
#include "frontends/node_recurrent.h"

enum { GATES = 4, MAX_LAYERS = 64, STATES = 2 };
static const int gate_order[GATES] = {0, 1, 2, 3};

typedef struct rnn {
    ir_value *x, *state[STATES];
    int layers, directions;
    int64_t batch, units;
} rnn;

static bool read_rnn(paddle_node *n, rnn *r)
{
    if (strcmp(paddle_text(n, "mode", ""), "LSTM") != 0)
        return node_error(n, "recurrent layers of mode '%.20s' are not supported", paddle_text(n, "mode", ""));
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
    if (paddle_count(n, "PreState") != STATES || paddle_count(n, "WeightList") != 4 * total)
        return node_error(n, "%d states and %d weights and biases, expected %d and %d", paddle_count(n, "PreState"),
                          paddle_count(n, "WeightList"), STATES, 4 * total);
    const ir_type expected = ir_type_make(IR_F32, 3, (int64_t[]){total, r->batch, r->units});
    for (int s = 0; s < STATES; s++) {
        if (!(r->state[s] = paddle_in(n, "PreState", s, LAYOUT_PLAIN)))
            return false;
        if (!ir_type_equal(&r->state[s]->type, &expected))
            return node_error(n, "state %d does not fit to %d layers and directions of %lld units", s, total, (long long)r->units);
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
    const int64_t rows = GATES * r->units, inputs = x->type.dims[2];
    recurrent_layer one = {.code = IR_LSTM, .x = x, .reversed = d == 1};
    const void *w = listed(n, 2 * at, rows, inputs), *rw = w ? listed(n, 2 * at + 1, rows, r->units) : NULL;
    const void *b = rw ? listed(n, biases + 2 * at, rows, 0) : NULL, *more = b ? listed(n, biases + 2 * at + 1, rows, 0) : NULL;
    if (!more)
        return false;
    one.w = node_gates(n, GATES, gate_order, r->units, inputs, w, NULL);
    one.r = one.w ? node_gates(n, GATES, gate_order, r->units, r->units, rw, NULL) : NULL;
    one.b = one.r ? node_gates(n, GATES, gate_order, r->units, 0, b, more) : NULL;
    one.h = one.b ? node_part(n, r->state[0], at) : NULL;
    one.c = one.h ? node_part(n, r->state[1], at) : NULL;
    return one.c && node_recurrent(n, &one, out);
}

static ir_value *with_direction(paddle_node *n, ir_value *v)
{
    return node_reshaped(n, v, 3, (int64_t[]){1, v->type.dims[0], v->type.dims[1]});
}

bool paddle_op_rnn(paddle_node *n)
{
    rnn r = {0};
    ir_value *last[STATES][2 * MAX_LAYERS];
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
            for (int s = 0; s < STATES; s++)
                if (!(last[s][layer * r.directions + d] = with_direction(n, out[1 + s])))
                    return false;
        }
        if (!(x = node_joined(n, r.directions, side, 2)))
            return false;
    }
    for (int s = 0; s < STATES; s++)
        if (s < paddle_result_count(n, "State") &&
            !paddle_put_at(n, "State", s, node_joined(n, r.layers * r.directions, last[s], 0), LAYOUT_PLAIN))
            return false;
    return paddle_put(n, "Out", x, LAYOUT_PLAIN);
}
