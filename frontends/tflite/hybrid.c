/* hybrid.c: products of float activations and int8 weights ('hybrid', 'dynamic range'): TFLite quantizes the
 * activations while it runs.
 *
 *     CONV_2D x:f32, w:i8, b:f32  ──▶  %q, %s, %z = dynamic_quantize %x {method = affine_away, outer = 1}
 *                                      %y = conv2d %q, %w, %b, none, %s, %z
 *
 *     kernel                              operand is quantized     a scale for
 *     FULLY_CONNECTED, BATCH_MATMUL       symmetric, or affine     each row
 *                                         (asymmetric_quantize_inputs)
 *     CONV_2D, one scale for the weights  symmetric                each image
 *     CONV_2D, scales that differ, or     affine                   each image
 *       groups; DEPTHWISE_CONV_2D, TRANSPOSE_CONV */
#include <string.h>

#include "frontends/tflite/import.h"

enum { MAX_MATRICES = 256 }; /* of a BATCH_MATMUL, each a fully_connected */

/* Weights are constant, perhaps behind ops that only move them, which folding evaluates. */
static bool is_constant(const ir_value *w)
{
    while (w->def && (ir_op_info_of(w->def->code)->flags & IR_SAME_QUANT))
        w = w->def->operands[0].value;
    return ir_is_const(w);
}

ir_value *tflite_signed_weights(tflite_node *n, ir_value *w)
{
    if (w->type.dtype != IR_U8 || !ir_is_const(w))
        return w;
    ir_value *bytes = ir_const_new(n->model->graph, ir_type_make(IR_I8, w->type.rank, w->type.dims), w->quant, w->data);
    bytes->name = w->name;
    return bytes;
}

static bool check_weights(tflite_node *n, const ir_value *w, const ir_value *b)
{
    if (w->type.dtype != IR_I8 || !w->quant || !is_constant(w))
        return node_error(
            n, "hybrid (dynamic-range) quantization with weights that are not constant int8 is not supported");
    for (int32_t i = 0; i < w->quant->count; i++)
        if (w->quant->zero[i] != 0)
            return node_error(n, "hybrid (dynamic-range) quantization with zero points of weights is not supported");
    return !b || b->type.dtype == IR_F32 ||
           node_error(n, "float activations with a bias of %s", ir_dtype_text(b->type.dtype));
}

bool tflite_is_hybrid(const ir_value *x, const ir_value *w)
{
    return x->type.dtype == IR_F32 && !ir_dtype_is_float(w->type.dtype);
}

ir_op *tflite_emit_hybrid(tflite_node *n, ir_opcode code, ir_value *x, ir_value *w, ir_value *b, bool affine, int outer)
{
    if (!check_weights(n, w, b))
        return NULL;
    const ir_type parameters = ir_type_make(IR_F32, outer, x->type.dims);
    ir_type type = x->type, zeros = parameters;
    type.dtype = zeros.dtype = IR_U8;
    ir_op *op = node_emit1(n, IR_DYNAMIC_QUANTIZE, x);
    ir_set_int(op, IR_ATTR_METHOD, affine ? IR_METHOD_AFFINE_AWAY : IR_METHOD_SYMMETRIC_AWAY);
    ir_set_int(op, IR_ATTR_OUTER, outer);
    ir_result_set(op, 1, parameters, NULL);
    ir_result_set(op, 2, zeros, NULL);
    if (!node_typed(n, op, type, NULL))
        return NULL;
    return node_emit(n, code, 6, (ir_value *[]){op->results[0], w, b, NULL, op->results[1], op->results[2]});
}

/* ---- BATCH_MATMUL ---- */

static ir_value *swapped(tflite_node *n, ir_value *v)
{
    int64_t perm[IR_MAX_RANK];
    const int rank = v->type.rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return node_transposed(n, v, perm);
}

/* Matrix `index` of [matrices, rows, columns], as [rows, columns]. */
static ir_value *matrix(tflite_node *n, ir_value *v, int64_t index)
{
    const int64_t *d = v->type.dims;
    if (d[0] > 1) {
        ir_op *op = node_emit1(n, IR_SLICE, v);
        ir_set_ints(op, IR_ATTR_BEGIN, 3, (int64_t[]){index, 0, 0});
        ir_set_ints(op, IR_ATTR_STEP, 3, (int64_t[]){1, 1, 1});
        v = node_typed(n, op, ir_type_make(v->type.dtype, 3, (int64_t[]){1, d[1], d[2]}), v->quant);
    }
    return v ? node_reshaped(n, v, 2, (int64_t[]){d[1], d[2]}) : NULL;
}

static ir_value *stacked(tflite_node *n, ir_value *v)
{
    const ir_type *t = &v->type;
    int64_t matrices = 1;
    for (int i = 0; i < t->rank - 2; i++)
        matrices *= t->dims[i];
    return node_reshaped(n, v, 3, (int64_t[]){matrices, t->dims[t->rank - 2], t->dims[t->rank - 1]});
}

/* Which matrix of `v` belongs to matrix `index` of the result, leading extents broadcast. */
static int64_t matrix_of(const ir_type *v, const ir_type *result, int64_t index)
{
    int64_t at = 0, step = 1;
    for (int i = 3; i <= result->rank; i++) {
        const int64_t in_result = result->dims[result->rank - i], extent = i <= v->rank ? v->dims[v->rank - i] : 1;
        at += extent == 1 ? 0 : index % in_result * step;
        index /= in_result;
        step *= extent;
    }
    return at;
}

/* x [..., M, K] times w [..., N, K] transposed, matrix by matrix. */
static ir_value *each_matrix(tflite_node *n, ir_value *x, ir_value *w, bool affine, const ir_type *result,
                             int64_t matrices)
{
    ir_value *xs = stacked(n, x), *ws = xs ? stacked(n, w) : NULL, *parts[MAX_MATRICES];
    const int64_t rows = result->dims[result->rank - 2], columns = result->dims[result->rank - 1];
    for (int64_t i = 0; i < matrices; i++) {
        ir_value *a = ws ? matrix(n, xs, matrix_of(&x->type, result, i)) : NULL;
        ir_value *b = a ? matrix(n, ws, matrix_of(&w->type, result, i)) : NULL;
        ir_op *op = b ? tflite_emit_hybrid(n, IR_FULLY_CONNECTED, a, b, NULL, affine, 1) : NULL;
        ir_value *y = op ? node_typed(n, op, ir_type_make(IR_F32, 2, (int64_t[]){rows, columns}), NULL) : NULL;
        if (!y)
            return NULL;
        parts[i] = y;
    }
    ir_op *op = node_emit(n, IR_CONCAT, (int)matrices, parts);
    ir_set_int(op, IR_ATTR_AXIS, 0);
    return node_typed(n, op, ir_type_make(IR_F32, 2, (int64_t[]){matrices * rows, columns}), NULL);
}

bool tflite_hybrid_matmul(tflite_node *n, ir_value *x, ir_value *w, bool swap_x, bool swap_w, bool affine,
                          const ir_type *result)
{
    int64_t matrices = 1, of_weights = 1;
    for (int i = 0; i < result->rank - 2; i++)
        matrices *= result->dims[i];
    for (int i = 0; i < w->type.rank - 2; i++)
        of_weights *= w->type.dims[i];
    if (!w->quant || w->quant->axis >= 0)
        return node_error(
            n, "hybrid (dynamic-range) quantization of matrices with a scale for each channel is not supported");
    if (of_weights > 1 && (matrices > MAX_MATRICES || matrices < 1))
        return node_error(n, "hybrid (dynamic-range) quantization with %lld matrices is not supported",
                          (long long)matrices);
    x = swap_x ? swapped(n, x) : x;
    w = x && swap_w ? swapped(n, w) : w;
    if (!x || !w)
        return false;
    ir_value *y;
    if (of_weights > 1) {
        y = each_matrix(n, x, w, affine, result, matrices);
    } else {
        ir_type rows = x->type;
        rows.dims[rows.rank - 1] = result->dims[result->rank - 1];
        w = node_reshaped(n, w, 2, &w->type.dims[w->type.rank - 2]);
        ir_op *op = w ? tflite_emit_hybrid(n, IR_FULLY_CONNECTED, x, w, NULL, affine, x->type.rank - 1) : NULL;
        y = op ? node_typed(n, op, rows, NULL) : NULL;
    }
    return y && tflite_bind_like(n, 0, node_emit1(n, IR_RESHAPE, y), result);
}

/* ---- TRANSPOSE_CONV ---- */

/* Filters [O, KH, KW, I] with their pixels in reverse order. */
static ir_value *turned_round(tflite_node *n, ir_value *w)
{
    const int64_t *d = w->type.dims;
    const size_t bytes = ir_type_bytes(&w->type), pixels = (size_t)(d[1] * d[2]), inner = (size_t)d[3];
    if (!model_charge(n->model, &n->loc, (int64_t)bytes))
        return NULL;
    uint8_t *to = arena_alloc(n->model->graph->arena, bytes + 1);
    const uint8_t *from = w->data;
    for (size_t f = 0; f < (size_t)d[0]; f++)
        for (size_t i = 0; i < pixels; i++)
            memcpy(to + (f * pixels + i) * inner, from + (f * pixels + pixels - 1 - i) * inner, inner);
    return ir_const_new(n->model->graph, w->type, w->quant, to);
}

ir_op *tflite_hybrid_transpose_conv(tflite_node *n, ir_value *x, ir_value *w, ir_value *b, const node_box *cut)
{
    node_box box = *cut;
    w = node_known(n, w);
    if (!w || !check_weights(n, w, b))
        return NULL;
    if (!ir_is_const(w)) {
        node_error(n, "filters that are computed are not supported here");
        return NULL;
    }
    w = turned_round(n, w);
    x = w ? node_spread_image(n, x, w->type.dims + 1, &box) : NULL;
    ir_op *op = x ? tflite_emit_hybrid(n, IR_CONV2D, x, w, b, true, 1) : NULL;
    if (!op)
        return NULL;
    const node_window window = node_image_window(&box, 2, w);
    node_set_window(op, &window);
    return op;
}
