/* ops_quant.c: between real and quantized values, and arithmetic on quantized ones.  ONNX Runtime computes in
 * float32 and rounds ties to even: even_f32, the default of the rounding attribute. */
#include "frontends/onnx/import.h"

/* Scales of lists lie along the attribute axis. */
static const ir_quant *axis_quant(ort_node *n, const ir_type *shape)
{
    int64_t axis = ort_int(n, "axis", 1), channels = 1;
    axis += axis < 0 ? shape->rank : 0;
    if (axis >= 0 && axis < shape->rank)
        channels = shape->dims[axis];
    return ort_quant(n, 1, 2, axis >= 0 && axis < shape->rank ? (int)axis : 0, channels);
}

static const ir_quant *in_layout(ort_node *n, const ir_quant *q, node_layout layout, int rank)
{
    if (!q || q->axis < 0)
        return q;
    return ir_quant_new(n->model->graph, node_dim(layout, rank, q->axis), q->count, q->scale, q->zero);
}

/* ONNX's number of an element type that values can be quantized to. */
static bool quantized_type(ort_node *n, int64_t number, ir_dtype *out)
{
    *out = ort_dtype(number);
    return *out == IR_U8 || *out == IR_I8 || *out == IR_I16 ||
           node_error(n, "quantizing to type %lld is not supported", (long long)number);
}

/* otherwise: the type of values whose zero point is absent. */
static bool quantize(ort_node *n, ir_dtype otherwise)
{
    ir_type shape;
    if (!ort_shape(n, 0, &shape))
        return false;
    node_layout layout = ort_layout_of(n, 0);
    const ir_quant *q = in_layout(n, axis_quant(n, &shape), layout, shape.rank);
    ir_value *x = q ? ort_in(n, 0, layout) : NULL, *z;
    if (!x || !ort_optional(n, 2, &z))
        return false;
    return ort_put(n, 0, node_done_quant(n, node_emit1(n, IR_QUANTIZE, x), z ? z->type.dtype : otherwise, q), layout);
}

bool ort_op_quantize(ort_node *n)
{
    const int64_t asked = ort_int(n, "output_dtype", 0);
    ir_dtype dtype = IR_U8;
    ir_value *z;
    if (!ort_optional(n, 2, &z) || (asked && !quantized_type(n, asked, &dtype)))
        return false;
    if (asked && z && z->type.dtype != dtype)
        return node_error(n, "a zero point of type %s for values of type %s", ir_dtype_text(z->type.dtype),
                          ir_dtype_text(dtype));
    return quantize(n, dtype);
}

bool ort_op_quantize_by_zero_point(ort_node *n) { return quantize(n, IR_U8); }

/* [D0, …, D, …] by scales [D0, …, D / block, …]: real numbers, since no quantization of the IR says that. */
static bool dequantize_blocks(ort_node *n, int64_t block)
{
    ir_value *x = ort_param(n, 0, "blocks"), *s = x ? ort_param(n, 1, "scales") : NULL, *z = NULL;
    int axis;
    if (!s || (ort_has(n, 2) && !(z = ort_param(n, 2, "zero points"))) ||
        !node_axis(n, ort_int(n, "axis", 1), x->type.rank, &axis))
        return false;
    ir_type expected = x->type;
    expected.dtype = IR_F32;
    const int64_t extent = x->type.dims[axis], count = extent / block + (extent % block != 0);
    expected.dims[axis] = count;
    const bool fits = ir_type_equal(&expected, &s->type);
    expected.dtype = x->type.dtype;
    if (!fits || (z && !ir_type_equal(&expected, &z->type)) || ir_dtype_is_float(x->type.dtype))
        return node_error(n, "blocks of %lld along dimension %d don't fit their scales or zero points",
                          (long long)block, axis);
    if (!model_charge(n->model, &n->loc, ir_type_elements(&x->type) * 4))
        return false;
    int64_t inner = 1;
    for (int i = axis + 1; i < x->type.rank; i++)
        inner *= x->type.dims[i];
    float *y = ARENA_ARRAY(n->model->graph->arena, float, ir_type_elements(&x->type) + 1);
    for (int64_t i = 0; i < ir_type_elements(&x->type); i++) {
        const int64_t at = (i / inner / extent * count + i / inner % extent / block) * inner + i % inner;
        y[i] = (float)(ir_const_int(x, i) - (z ? ir_const_int(z, at) : 0)) * (float)ir_const_real(s, at);
    }
    return ort_put(n, 0, node_reals(n, x->type.rank, x->type.dims, y), LAYOUT_PLAIN);
}

bool ort_op_dequantize_unblocked(ort_node *n)
{
    ir_type shape;
    if (!ort_shape(n, 0, &shape))
        return false;
    node_layout layout = ort_layout_of(n, 0);
    const ir_quant *q = in_layout(n, axis_quant(n, &shape), layout, shape.rank);
    ir_value *x = q ? ort_in(n, 0, layout) : NULL;
    x = x ? ort_quantized(n, x, q) : NULL;
    return x && ort_put(n, 0, node_done_quant(n, node_emit1(n, IR_DEQUANTIZE, x), IR_F32, NULL), layout);
}

bool ort_op_dequantize(ort_node *n)
{
    const int64_t block = ort_int(n, "block_size", 0);
    if (block < 0)
        return node_error(n, "blocks of %lld", (long long)block);
    return block ? dequantize_blocks(n, block) : ort_op_dequantize_unblocked(n);
}

/* ort_pair for the operands 0 and 3, with their quantization. */
bool ort_op_qlinear_binary(ort_node *n)
{
    const ir_quant *qa = ort_quant(n, 1, 2, -1, 1), *qb = qa ? ort_quant(n, 4, 5, -1, 1) : NULL;
    const ir_quant *qy = qb ? ort_quant(n, 6, 7, -1, 1) : NULL;
    ir_value *a, *b;
    node_layout layout;
    if (!qy || !ort_pair(n, 0, 3, &a, &b, &layout))
        return false;
    if (!(a = ort_quantized(n, a, qa)) || !(b = ort_quantized(n, b, qb)))
        return false;
    return ort_put(n, 0, node_done_quant(n, node_emit2(n, n->entry->code, a, b), a->type.dtype, qy), layout);
}

bool ort_op_qlinear_unary(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    const ir_quant *qx = x ? ort_quant(n, 1, 2, -1, 1) : NULL, *qy = qx ? ort_quant(n, 3, 4, -1, 1) : NULL;
    if (!qy || !(x = ort_quantized(n, x, qx)))
        return false;
    ir_op *op = node_emit1(n, n->entry->code, x);
    if (n->entry->code == IR_LEAKY_RELU)
        ir_set_float(op, IR_ATTR_ALPHA, ort_float(n, "alpha", 0.01f));
    return ort_put(n, 0, node_done_quant(n, op, x->type.dtype, qy), layout);
}

bool ort_op_qlinear_global_pool(ort_node *n)
{
    node_layout layout = ort_last(n);
    ir_value *x = ort_in(n, 0, layout);
    const ir_quant *qx = x ? ort_quant(n, 1, 2, -1, 1) : NULL, *qy = qx ? ort_quant(n, 3, 4, -1, 1) : NULL;
    if (!qy || !(x = ort_quantized(n, x, qx)))
        return false;
    if (x->type.rank < 3)
        return node_error(n, "the operand has no pixels");
    int64_t axes[IR_MAX_RANK];
    for (int i = 1; i < x->type.rank - 1; i++)
        axes[i - 1] = i;
    ir_op *op = node_emit1(n, IR_MEAN, x);
    ir_set_ints(op, IR_ATTR_AXES, x->type.rank - 2, axes);
    ir_set_int(op, IR_ATTR_KEEP_DIMS, 1);
    return ort_put(n, 0, node_done_quant(n, op, x->type.dtype, qy), layout);
}

bool ort_op_qlinear_mean(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    const ir_quant *qx = x ? ort_quant(n, 1, 2, -1, 1) : NULL, *qy = qx ? ort_quant(n, 3, 4, -1, 1) : NULL;
    int64_t axes[IR_MAX_RANK], sorted[IR_MAX_RANK];
    bool gone[IR_MAX_RANK] = {false};
    int count = 0, kept = 0;
    if (!qy || !(x = ort_quantized(n, x, qx)) || !ort_ints(n, "axes", IR_MAX_RANK, axes, &count))
        return false;
    for (int i = 0; i < count; i++) {
        int axis;
        if (!node_axis(n, axes[i], x->type.rank, &axis))
            return false;
        gone[axis] = true;
    }
    for (int i = 0; i < x->type.rank; i++)
        if (gone[i] || !count)
            sorted[kept++] = i;
    ir_op *op = node_emit1(n, IR_MEAN, x);
    ir_set_ints(op, IR_ATTR_AXES, kept, sorted);
    ir_set_int(op, IR_ATTR_KEEP_DIMS, ort_int(n, "keepdims", 1) != 0);
    return ort_put(n, 0, node_done_quant(n, op, x->type.dtype, qy), LAYOUT_PLAIN);
}

/* Condition, two triples of operand, scale, zero point, then the result's scale and zero point. */
bool ort_op_qlinear_where(ort_node *n)
{
    const ir_quant *qy = ort_quant(n, 7, 8, -1, 1);
    ir_value *operands[3] = {qy ? ort_plain(n, 0) : NULL};
    for (int i = 0; i < 2; i++) {
        const ir_quant *q = operands[i] ? ort_quant(n, 2 + 3 * i, 3 + 3 * i, -1, 1) : NULL;
        ir_value *x = q ? ort_plain(n, 1 + 3 * i) : NULL;
        if (!x || !(x = ort_quantized(n, x, q)))
            return false;
        operands[1 + i] =
            ir_quant_equal(q, qy) ? x : node_done_quant(n, node_emit1(n, IR_REQUANTIZE, x), x->type.dtype, qy);
        if (!operands[1 + i])
            return false;
    }
    ir_op *op = node_emit(n, IR_SELECT, 3, operands);
    return ort_put(n, 0, node_done_quant(n, op, operands[1]->type.dtype, qy), LAYOUT_PLAIN);
}

/* Result scale and zero point, then triples of operand, scale, zero point. */
bool ort_op_qlinear_concat(ort_node *n)
{
    const ir_quant *qy = ort_quant(n, 0, 1, -1, 1);
    int count = (n->input_count - 2) / 3, axis;
    if (!qy)
        return false;
    node_layout layout = ort_layout_of(n, 2);
    ir_value **parts = ARENA_ARRAY(n->model->graph->arena, ir_value *, count + 1);
    for (int i = 0; i < count; i++) {
        ir_value *x = ort_in(n, 2 + 3 * i, layout);
        const ir_quant *q = x ? ort_quant(n, 3 + 3 * i, 4 + 3 * i, -1, 1) : NULL;
        if (!q || !(x = ort_quantized(n, x, q)))
            return false;
        if (!ir_quant_equal(q, qy) && !(x = node_done_quant(n, node_emit1(n, IR_REQUANTIZE, x), x->type.dtype, qy)))
            return false;
        parts[i] = x;
    }
    if (!count || !node_axis(n, ort_int(n, "axis", 0), parts[0]->type.rank, &axis))
        return false;
    ir_op *op = node_emit(n, IR_CONCAT, count, parts);
    ir_set_int(op, IR_ATTR_AXIS, node_dim(layout, parts[0]->type.rank, axis));
    return ort_put(n, 0, node_done(n, op), layout);
}
