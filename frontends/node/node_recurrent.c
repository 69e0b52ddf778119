/* node_recurrent.c: see node_recurrent.h.
 *
 *     xw = fully_connected x, w, b        all steps at once
 *     y, h, c = lstm xw, r, h, c          gru, rnn likewise */
#define FRONTEND_COMMON
#include "frontends/node/node_recurrent.h"

#include <string.h>

ir_value *node_gates(frontend_node *n, int gates, const int order[], int64_t units, int64_t columns, const void *rows,
                     const void *more, int more_gates)
{
    arena *a = n->model->graph->arena;
    const ir_type type = ir_type_make(IR_F32, columns ? 2 : 1, (int64_t[]){gates * units, columns});
    const int64_t per_gate = units * (columns ? columns : 1);
    if (!ir_type_valid(&type)) {
        node_error(n, "weights of %lld units are too large", (long long)units);
        return NULL;
    }
    if (!model_charge(n->model, &n->loc, (int64_t)ir_type_bytes(&type)))
        return NULL;
    float *to = arena_alloc(a, ir_type_bytes(&type) + 1);
    for (int g = 0; g < gates; g++) {
        memcpy(to + g * per_gate, (const char *)rows + 4 * order[g] * per_gate, 4 * (size_t)per_gate);
        for (int64_t i = 0; more && g < more_gates && i < per_gate; i++) {
            float v;
            memcpy(&v, (const char *)more + 4 * (order[g] * per_gate + i), 4);
            to[g * per_gate + i] += v;
        }
    }
    return ir_const_new(n->model->graph, type, NULL, to);
}

ir_value *node_zeros(frontend_node *n, int64_t rows, int64_t columns)
{
    const ir_type type = ir_type_make(IR_F32, 2, (int64_t[]){rows, columns});
    if (!ir_type_valid(&type)) {
        node_error(n, "a state of %lld x %lld is too large", (long long)rows, (long long)columns);
        return NULL;
    }
    if (!model_charge(n->model, &n->loc, (int64_t)ir_type_bytes(&type)))
        return NULL;
    void *data = arena_alloc(n->model->graph->arena, ir_type_bytes(&type) + 1);
    memset(data, 0, ir_type_bytes(&type) + 1);
    return ir_const_new(n->model->graph, type, NULL, data);
}

ir_value *node_part(frontend_node *n, ir_value *v, int64_t index)
{
    const int64_t *d = v->type.dims;
    if (d[0] > 1) {
        ir_op *op = node_emit1(n, IR_SLICE, v);
        ir_set_ints(op, IR_ATTR_BEGIN, 3, (int64_t[]){index, 0, 0});
        ir_set_ints(op, IR_ATTR_STEP, 3, (int64_t[]){1, 1, 1});
        v = node_typed(n, op, ir_type_make(v->type.dtype, 3, (int64_t[]){1, d[1], d[2]}), NULL);
    }
    return v ? node_reshaped(n, v, 2, v->type.dims + 1) : NULL;
}

ir_value *node_joined(frontend_node *n, int count, ir_value *const parts[], int axis)
{
    for (int i = 0; i < count; i++)
        if (!parts[i])
            return NULL;
    if (count == 1)
        return parts[0];
    ir_op *op = node_emit(n, IR_CONCAT, count, parts);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return node_done(n, op);
}

static ir_value *product(frontend_node *n, const recurrent_layer *l)
{
    ir_type type = l->x->type;
    ir_op *op = node_emit(n, IR_FULLY_CONNECTED, l->b ? 3 : 2, (ir_value *[]){l->x, l->w, l->b});
    type.dims[2] = l->w->type.dims[0];
    return node_typed(n, op, type, NULL);
}

bool node_recurrent(frontend_node *n, const recurrent_layer *l, ir_value *out[3])
{
    ir_value *xw = l->xw ? l->xw : product(n, l);
    if (!xw)
        return false;
    ir_type type = xw->type;
    ir_value *last = l->code == IR_LSTM ? l->c : l->candidate;
    ir_op *op = node_emit(n, l->code, last ? 4 : 3, (ir_value *[]){xw, l->r, l->h, last});
    ir_set_int(op, IR_ATTR_TIME_AXIS, l->time_axis);
    ir_set_int(op, IR_ATTR_REVERSED, l->reversed);
    if (l->code == IR_LSTM)
        ir_set_float(op, IR_ATTR_CELL_CLIP, l->cell_clip);
    if (l->code == IR_RNN)
        ir_set_int(op, IR_ATTR_RECTIFIED, l->rectified);
    const int results = ir_op_info_of(l->code)->results;
    for (int i = 1; i < results; i++)
        ir_result_set(op, i, l->h->type, NULL);
    type.dims[2] = l->h->type.dims[1];
    if (!node_typed(n, op, type, NULL))
        return false;
    for (int i = 0; i < 3; i++)
        out[i] = i < results ? op->results[i] : NULL;
    return true;
}
