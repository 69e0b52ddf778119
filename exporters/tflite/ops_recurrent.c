/* ops_recurrent.c: recurrent layers.
 *
 *     %xw = fully_connected %x, %w, %b            SLICE h ──▶ state of h, a tensor that is a variable
 *     %y, %hn, %cn = lstm %xw, %r, %h, %c   ──▶   SLICE c ──▶ state of c
 *                                                 UNIDIRECTIONAL_SEQUENCE_LSTM x, w and r of each gate, b, the states
 *                                                 %hn: SLICE, RESHAPE of y, its last step
 *                                                 %cn: CONCATENATION of the state of c and %hn, SLICE
 *
 * TFLite's operators multiply the operand themselves, so its product is not written apart.  Where it is computed
 * otherwise (on integers, for several readers), the operator gets its result, and ones as the weights of each gate's
 * part of it.  States lie in tensors that are variables: the kernel changes them.  What is a variable of the graph's
 * and used by the layer alone is such a tensor; otherwise something writes the tensor in front of the operator.  What
 * reads it behind the operator also reads y, or runtimes might move that to the front. */
#include <string.h>

#include "exporters/tflite/write.h"
#include "ir/ref/interp.h"

enum { LSTM_GATES = 4, MOST_GATES = LSTM_GATES, INTERMEDIATES = 5, LSTM_OPERANDS = 24 };
enum { IN_W = 1, IN_R = 5, IN_BIAS = 12, IN_H = 18, IN_C = 19 }; /* of UNIDIRECTIONAL_SEQUENCE_LSTM */

typedef struct layer {
    export_node *n;
    const ir_op *op;
    int gates, states; /* states: h, and c of an lstm */
    int first_state;   /* which operand is h */
    int time_axis;
    int64_t steps, batch, units;
    ir_type y;
    /* What the operator multiplies: [gates * units, columns] each; w NULL: ones, see above. */
    const ir_value *w, *r, *b;
    int32_t x;
} layer;

/* ---- Which states are variables of the layer's own ---- */

static int gates_of(const ir_op *op) { return op->code == IR_RNN ? 1 : LSTM_GATES; }
static int states_of(const ir_op *op) { return op->code == IR_RNN ? 1 : 2; }
static int first_state_of(const ir_op *op) { return op->code == IR_LSTM_QUANT ? 4 : 2; }
static bool is_layer(const ir_op *op) { return op->code == IR_LSTM || op->code == IR_RNN || op->code == IR_LSTM_QUANT; }

static bool is_of_variable(const ir_op *op, const char *name)
{
    return (op->code == IR_READ_VARIABLE || op->code == IR_WRITE_VARIABLE) &&
           strcmp(ir_str(op, IR_ATTR_VARIABLE), name) == 0;
}

static bool starts_at_zero(const ir_graph *g, const char *name)
{
    for (int32_t i = 0; i < g->variable_count; i++)
        if (strcmp(g->variables[i].name, name) == 0 && g->variables[i].initial)
            return false;
    return true;
}

/* State `k` is read from a variable that nothing else reads, and that the layer's new state alone is written to. */
static bool keeps_state(const ir_op *op, int k)
{
    const ir_value *v = op->operands[first_state_of(op) + k].value;
    if (!v->def || v->def->code != IR_READ_VARIABLE || ir_use_count(v) != 1)
        return false;
    const char *name = ir_str(v->def, IR_ATTR_VARIABLE);
    int reads = 0, writes = 0, own = 0;
    for (const ir_op *o = op->graph->first; o; o = o->next)
        if (is_of_variable(o, name)) {
            reads += o->code == IR_READ_VARIABLE;
            writes += o->code == IR_WRITE_VARIABLE;
            own += o->code == IR_WRITE_VARIABLE && o->operands[0].value == op->results[1 + k];
        }
    return reads == 1 && writes == 1 && own == 1 && starts_at_zero(op->graph, name);
}

bool export_is_kept_state(const ir_op *op)
{
    const ir_op *user = op->code == IR_WRITE_VARIABLE ? op->operands[0].value->def
                        : op->results[0]->uses        ? op->results[0]->uses->user
                                                      : NULL;
    for (int k = 0; user && is_layer(user) && k < states_of(user); k++) {
        const ir_op *read = user->operands[first_state_of(user) + k].value->def;
        if (keeps_state(user, k) && is_of_variable(op, ir_str(read, IR_ATTR_VARIABLE)))
            return true;
    }
    return false;
}

/* ---- Products ---- */

/* One scale for the rows of each gate, counted from 0. */
static bool has_gate_scales(const ir_value *w, int gates)
{
    const ir_quant *q = w->quant;
    const int32_t units = q ? q->count / gates : 0;
    for (int32_t i = 0; q && i < q->count; i++)
        if (q->zero[i] != 0 || (q->axis >= 0 && q->scale[i] != q->scale[i / units * units]))
            return false;
    return q && q->axis <= 0;
}

/* Does the operator compute what the product does, of real numbers or quantized at run time as the state is? */
static bool is_own_product(const ir_op *p, const ir_op *op)
{
    const ir_value *w = p->operands[1].value, *b = ir_operand_value(p, 2), *r = op->operands[1].value;
    const bool plain = p->results[0]->type.rank == 3 && ir_is_const(w) &&
                       (!b || (ir_is_const(b) && export_is_real(b))) && !ir_operand_value(p, 3) &&
                       ir_int(p, IR_ATTR_ACT) == IR_ACT_NONE;
    if (!plain || w->type.dtype != r->type.dtype)
        return false;
    if (!ir_mac_is_dynamic(p))
        return export_is_real(p->operands[0].value) && export_is_real(w);
    const ir_op *q = p->operands[0].value->def;
    return q && q->code == IR_DYNAMIC_QUANTIZE && ir_int(q, IR_ATTR_METHOD) == IR_METHOD_SYMMETRIC_AWAY &&
           ir_int(q, IR_ATTR_OUTER) == 2 && has_gate_scales(w, gates_of(op));
}

static const ir_op *own_product(const ir_op *op)
{
    const ir_value *xw = op->operands[0].value;
    const ir_op *p = xw->def;
    return op->code != IR_LSTM_QUANT && p && p->code == IR_FULLY_CONNECTED && ir_use_count(xw) == 1 &&
                   is_own_product(p, op)
               ? p
               : NULL;
}

bool export_is_part_of_layer(const ir_op *product)
{
    const ir_value *y = product->results[0];
    return y->uses && is_layer(y->uses->user) && own_product(y->uses->user) == product;
}

/* ---- Operands ---- */

/* Rows of gate `g` of a constant of all gates. */
static int32_t gate_part(const layer *l, const ir_value *v, int g)
{
    ir_type type = v->type;
    type.dims[0] = l->units;
    const ir_quant *quant = v->quant;
    if (quant && quant->axis >= 0)
        quant = ir_quant_tensor(l->op->graph, quant->scale[g * l->units], 0);
    return export_const(l->n, type, quant, (const char *)v->data + (size_t)g * ir_type_bytes(&type), NULL);
}

/* Weights that pick gate `g` out of the products of all of them. */
static int32_t picking(const layer *l, int g)
{
    const int64_t all = l->gates * l->units;
    const ir_type type = ir_type_make(IR_F32, 2, (int64_t[]){l->units, all});
    float *data = ARENA_ARRAY(l->n->model->memory, float, l->units *all + 1);
    for (int64_t u = 0; u < l->units; u++)
        data[u * all + g * l->units + u] = 1;
    return export_const(l->n, type, NULL, data, NULL);
}

static int32_t no_bias(const layer *l)
{
    return export_const(l->n, ir_type_make(IR_F32, 1, &l->units), NULL,
                        ARENA_ARRAY(l->n->model->memory, float, l->units + 1), NULL);
}

/* A bias in integers counts in products of the operand's scale and the weights'. */
static int32_t bias_part(const layer *l, int g)
{
    if (!l->b)
        return no_bias(l);
    const int32_t b = gate_part(l, l->b, g);
    if (l->op->code == IR_LSTM_QUANT) {
        const ir_quant *x = l->op->operands[0].value->quant, *w = l->w->quant;
        l->n->model->tensors[b].quant =
            ir_quant_tensor(l->op->graph, x->scale[0] * w->scale[w->axis >= 0 ? g * l->units : 0], 0);
    }
    return b;
}

static int32_t turned(const layer *l, int32_t from, const ir_type *type)
{
    const int64_t axis = l->time_axis;
    const int32_t to = export_between(l->n, *type, NULL);
    export_emit(l->n, BUILTIN_REVERSE_V2, 2, (int32_t[]){from, export_list(l->n, 1, &axis)}, to);
    return to;
}

static bool is_reversed(const layer *l) { return l->op->code != IR_LSTM_QUANT && ir_int(l->op, IR_ATTR_REVERSED); }

/* Operand and weights. */
static bool place_product(layer *l)
{
    const ir_op *p = own_product(l->op);
    if (l->op->code == IR_LSTM_QUANT) {
        l->x = export_operand(l->n, 0);
        l->w = l->op->operands[1].value;
        l->r = l->op->operands[2].value;
        l->b = l->op->operands[3].value;
    } else {
        const ir_value *x = p ? p->operands[0].value : l->op->operands[0].value;
        x = p && ir_mac_is_dynamic(p) ? x->def->operands[0].value : x;
        l->x = export_value(l->n->model, x);
        l->x = is_reversed(l) ? turned(l, l->x, &x->type) : l->x;
        l->w = p ? p->operands[1].value : NULL;
        l->b = p ? ir_operand_value(p, 2) : NULL;
        l->r = l->op->operands[1].value;
        if (!p && !export_is_real(l->r))
            return export_refuse(l->n, "its state is quantized at run time, and its operand not likewise");
    }
    const ir_value *constants[] = {l->w, l->r, l->b};
    for (int i = 0; i < 3; i++)
        if (constants[i] && !ir_is_const(constants[i]))
            return export_refuse(l->n, "its weights are computed");
    for (int i = 0; i < 2; i++)
        if (constants[i] && !export_is_real(constants[i]) && !has_gate_scales(constants[i], l->gates))
            return export_refuse(l->n, "its weights have other scales than one for each gate");
    return true;
}

/* ---- States ---- */

/* All elements of what begins at `begin` in `from`. */
static void cut(const layer *l, int32_t from, const ir_type *type, const int64_t begin[], int32_t to)
{
    export_emit(l->n, BUILTIN_SLICE, 3,
                (int32_t[]){from, export_list(l->n, type->rank, begin), export_list(l->n, type->rank, type->dims)}, to);
}

/* The tensor that is state `k`, which holds what the layer starts with. */
static int32_t state(const layer *l, int k)
{
    static const int64_t all[2] = {0};
    const ir_value *v = l->op->operands[l->first_state + k].value;
    const bool kept = keeps_state(l->op, k);
    const int32_t to = export_tensor_new(l->n->model, v->type, v->quant, NULL, kept ? v->name : NULL);
    l->n->model->tensors[to].is_variable = true;
    if (!kept)
        cut(l, export_value(l->n->model, v), &v->type, all, to);
    return to;
}

static bool is_wanted(const layer *l, int k)
{
    return ir_use_count(l->op->results[1 + k]) > (keeps_state(l->op, k) ? 1 : 0);
}

/* The last step of y, in the order of the operator. */
static void last_state(const layer *l, int32_t y, int32_t to)
{
    ir_type step = l->y;
    int64_t begin[3] = {0};
    step.dims[l->time_axis] = 1;
    begin[l->time_axis] = l->steps - 1;
    const ir_type *type = &l->op->results[1]->type;
    const int32_t between = export_between(l->n, step, l->op->results[1]->quant);
    cut(l, y, &step, begin, between);
    export_operator *o =
        export_emit(l->n, BUILTIN_RESHAPE, 2, (int32_t[]){between, export_list(l->n, type->rank, type->dims)}, to);
    export_set_list(l->n, o, RESHAPE_NEW_SHAPE, type->rank, type->dims);
}

static void last_cell(const layer *l, int32_t c, int32_t h)
{
    static const int64_t begin[2] = {0};
    const ir_type type = l->op->results[2]->type;
    ir_type both = type;
    both.dims[1] *= 2;
    const int32_t joined = export_between(l->n, both, NULL);
    export_operator *o = export_emit(l->n, BUILTIN_CONCATENATION, 2, (int32_t[]){c, h}, joined);
    export_set_int(o, CONCAT_AXIS, 1, 0);
    cut(l, joined, &type, begin, export_result(l->n, 2));
}

/* What the layer's readers get: y in the order of steps, last states. */
static void results(const layer *l, int32_t y, int32_t c)
{
    if (is_reversed(l))
        export_emit(l->n, BUILTIN_REVERSE_V2, 2, (int32_t[]){y, export_list(l->n, 1, (int64_t[]){l->time_axis})},
                    export_result(l->n, 0));
    const bool cell = l->states > 1 && is_wanted(l, 1);
    if (!cell && !is_wanted(l, 0))
        return;
    const int32_t h = export_result(l->n, 1);
    last_state(l, y, h);
    if (cell)
        last_cell(l, c, h);
}

/* ---- The layers ---- */

static bool read_layer(export_node *n, layer *l)
{
    const ir_op *op = n->op;
    *l = (layer){.n = n,
                 .op = op,
                 .gates = gates_of(op),
                 .states = states_of(op),
                 .first_state = first_state_of(op),
                 .time_axis = (int)ir_int(op, IR_ATTR_TIME_AXIS),
                 .y = op->results[0]->type};
    l->steps = l->y.dims[l->time_axis];
    l->batch = l->y.dims[1 - l->time_axis];
    l->units = l->y.dims[2];
    for (int i = 0; i < 3; i++)
        if (l->y.dims[i] == 0)
            return export_refuse(n, "it has no steps");
    for (int k = 0; op->code == IR_LSTM_QUANT && k < 2; k++)
        if (!keeps_state(op, k))
            return export_refuse(n, "its states are not variables of its own");
    return place_product(l);
}

/* Between output gate and state lies a value of its own, of the state's scale where there is no projection. */
static void add_intermediates(const layer *l, export_operator *o)
{
    static const int64_t none = 0;
    int32_t *tensors = ARENA_ARRAY(l->n->model->memory, int32_t, INTERMEDIATES);
    for (int i = 0; i < INTERMEDIATES; i++) {
        const bool hidden = i == INTERMEDIATES - 1;
        tensors[i] = export_between(l->n, ir_type_make(hidden ? IR_I8 : IR_F32, 1, &none),
                                    hidden ? l->op->results[0]->quant : NULL);
    }
    o->intermediates = tensors;
    o->intermediate_count = INTERMEDIATES;
}

static int32_t result_of(const layer *l)
{
    return is_reversed(l) ? export_between(l->n, l->y, NULL) : export_result(l->n, 0);
}

bool export_lstm(export_node *n)
{
    layer l;
    if (!read_layer(n, &l))
        return false;
    int32_t inputs[LSTM_OPERANDS];
    for (int i = 0; i < LSTM_OPERANDS; i++)
        inputs[i] = EXPORT_ABSENT;
    inputs[0] = l.x;
    for (int g = 0; g < LSTM_GATES; g++) {
        inputs[IN_W + g] = l.w ? gate_part(&l, l.w, g) : picking(&l, g);
        inputs[IN_R + g] = gate_part(&l, l.r, g);
        inputs[IN_BIAS + g] = bias_part(&l, g);
    }
    inputs[IN_H] = state(&l, 0);
    inputs[IN_C] = state(&l, 1);
    const int32_t y = result_of(&l);
    export_operator *o = export_emit(n, BUILTIN_UNIDIRECTIONAL_SEQUENCE_LSTM, LSTM_OPERANDS, inputs, y);
    export_set_byte(o, LSTM_ACT, ACTIVATION_TANH);
    export_set_float(o, LSTM_CELL_CLIP, ir_float(n->op, IR_ATTR_CELL_CLIP));
    export_set_byte(o, LSTM_TIME_MAJOR, l.time_axis == 0);
    if (n->op->code == IR_LSTM_QUANT)
        add_intermediates(&l, o);
    results(&l, y, inputs[IN_C]);
    return true;
}

bool export_rnn(export_node *n)
{
    layer l;
    if (!read_layer(n, &l))
        return false;
    const int32_t inputs[] = {l.x, l.w ? gate_part(&l, l.w, 0) : picking(&l, 0), gate_part(&l, l.r, 0),
                              bias_part(&l, 0), state(&l, 0)};
    const int32_t y = result_of(&l);
    export_operator *o = export_emit(n, BUILTIN_UNIDIRECTIONAL_SEQUENCE_RNN, 5, inputs, y);
    export_set_byte(o, RNN_ACT, ir_int(n->op, IR_ATTR_RECTIFIED) ? ACTIVATION_RELU : ACTIVATION_TANH);
    export_set_byte(o, RNN_TIME_MAJOR, l.time_axis == 0);
    results(&l, y, EXPORT_ABSENT);
    return true;
}
