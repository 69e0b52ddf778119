/* ops_math.c: operators that compute: element by element, by window, along axes. */
#include <math.h>

#include "frontends/tflite/import.h"

/* ---- Between real and quantized values ---- */

/* TFLite has integer forms of its ops: what a file computes between these two is meant to be real numbers. */

bool tflite_op_quantize(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    tflite_tensor t;
    if (!x || !tflite_output_tensor(n, 0, &t))
        return false;
    if (!t.quant)
        return node_error(n, "the result has no quantization parameters");
    if (!ir_dtype_is_float(x->type.dtype) && !x->quant)
        return node_error(n, "an integer operand without quantization parameters");
    ir_op *op = node_emit1(n, x->quant ? IR_REQUANTIZE : IR_QUANTIZE, x);
    if (!x->quant)
        ir_set_int(op, IR_ATTR_REAL, 1);
    return tflite_bind_like(n, 0, op, &x->type);
}

bool tflite_op_dequantize(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    if (x->type.dtype != IR_F16 && !x->quant)
        return node_error(n, "the operand has no quantization parameters");
    ir_op *op = node_emit1(n, IR_DEQUANTIZE, x);
    ir_set_int(op, IR_ATTR_REAL, 1);
    return tflite_bind_like(n, 0, op, &x->type);
}

bool tflite_op_fake_quant(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    float min = fb_f32(n->options, FAKE_QUANT_MIN, 0), max = fb_f32(n->options, FAKE_QUANT_MAX, 0);
    int64_t bits = fb_i32(n->options, FAKE_QUANT_BITS, 0);
    if (!(isfinite(min) && isfinite(max) && min < max && min <= 0 && max >= 0))
        return node_error(n, "the range %g .. %g must be finite, not empty, and contain 0", (double)min, (double)max);
    if (bits < 2 || bits > 16)
        return node_error(n, "%lld bits, expected 2 to 16", (long long)bits);
    ir_op *op = node_emit1(n, IR_FAKE_QUANT, x);
    ir_set_float(op, IR_ATTR_MIN, min);
    ir_set_float(op, IR_ATTR_MAX, max);
    ir_set_int(op, IR_ATTR_BITS, bits);
    ir_set_int(op, IR_ATTR_NARROW, fb_bool(n->options, FAKE_QUANT_NARROW, false));
    return tflite_bind_like(n, 0, op, &x->type);
}

bool tflite_op_cast(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    return x && tflite_bind_like(n, 0, node_emit1(n, IR_CAST, x), &x->type);
}

/* ---- Unary ---- */

bool tflite_op_unary(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    return x && tflite_bind_like(n, 0, node_emit1(n, n->entry->code, x), &x->type);
}

static bool relu(tflite_node *n, ir_enum_ACT act)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    ir_op *op = node_emit1(n, IR_RELU, x);
    ir_set_int(op, IR_ATTR_ACT, act);
    return tflite_bind_like(n, 0, op, &x->type);
}

bool tflite_op_relu(tflite_node *n) { return relu(n, IR_ACT_RELU); }
bool tflite_op_relu6(tflite_node *n) { return relu(n, IR_ACT_RELU6); }
bool tflite_op_relu_n1_to_1(tflite_node *n) { return relu(n, IR_ACT_RELU_N1_TO_1); }
bool tflite_op_relu_0_to_1(tflite_node *n) { return relu(n, IR_ACT_RELU_0_TO_1); }

bool tflite_op_leaky_relu(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    ir_op *op = node_emit1(n, IR_LEAKY_RELU, x);
    ir_set_float(op, IR_ATTR_ALPHA, fb_f32(n->options, LEAKY_RELU_ALPHA, 0));
    return tflite_bind_like(n, 0, op, &x->type);
}

bool tflite_op_gelu(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    ir_op *op = node_emit1(n, IR_GELU, x);
    ir_set_int(op, IR_ATTR_APPROXIMATE, fb_bool(n->options, GELU_APPROXIMATE, false));
    return tflite_bind_like(n, 0, op, &x->type);
}

bool tflite_op_softmax(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    ir_op *op = node_emit1(n, IR_SOFTMAX, x);
    ir_set_float(op, IR_ATTR_BETA, fb_f32(n->options, SOFTMAX_BETA, 0));
    return tflite_bind_like(n, 0, op, &x->type);
}

bool tflite_op_l2_normalize(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (!x)
        return false;
    if (fb_i8(n->options, BINARY_ACT, ACTIVATION_NONE) != ACTIVATION_NONE)
        return node_error(n, "a fused activation is not supported");
    ir_op *op = node_emit1(n, IR_L2_NORMALIZE, x);
    ir_set_float(op, IR_ATTR_EPSILON, 1e-6f);
    return tflite_bind_like(n, 0, op, &x->type);
}

/* ---- Binary ---- */

bool tflite_op_binary(tflite_node *n)
{
    ir_value *a = tflite_input(n, 0), *b = a ? tflite_input(n, 1) : NULL;
    ir_type shape;
    return b && tflite_broadcast(n, &a->type, &b->type, &shape) &&
           tflite_bind_like(n, 0, node_emit2(n, n->entry->code, a, b), &shape);
}

/* TFLite brings the places into [0, width of the type). */
bool tflite_op_right_shift(tflite_node *n)
{
    ir_value *a = tflite_input(n, 0), *b = a ? tflite_input(n, 1) : NULL;
    ir_type shape;
    if (!b || !tflite_broadcast(n, &a->type, &b->type, &shape))
        return false;
    const int64_t most = 8 * (int64_t)ir_dtype_bytes(b->type.dtype) - 1;
    b = node_binary(n, IR_MAXIMUM, b, node_ints(n, b->type.dtype, 0, 1, (int64_t[]){0}));
    b = node_binary(n, IR_MINIMUM, b, b ? node_ints(n, b->type.dtype, 0, 1, &most) : NULL);
    return b && tflite_bind_like(n, 0, node_emit2(n, IR_SHIFT_RIGHT, a, b), &shape);
}

/* The scale of a 16-bit tensor, if it is a power of two within TFLite's tolerance; otherwise 0. */
static float power_of_two(const ir_type *type, const ir_quant *quant)
{
    if (type->dtype != IR_I16 || !quant || quant->axis >= 0)
        return 0;
    const double exponent = log2(quant->scale[0]);
    return fabs(exponent - round(exponent)) < 1e-3 ? quant->scale[0] : 0;
}

/* A sum of 16-bit values whose scales are powers of two, one of them the result's and none above it, is older than
 * TFLite's general one and computed otherwise; pot_scale_int16, which is set unless the file says otherwise, asks for
 * it. */
static bool is_shifted_sum(tflite_node *n, const ir_value *a, const ir_value *b)
{
    tflite_tensor y;
    if ((n->entry->code != IR_ADD && n->entry->code != IR_SUB) || !fb_bool(n->options, SUM_POT_SCALE, true) ||
        !tflite_output_tensor(n, 0, &y))
        return false;
    const float sa = power_of_two(&a->type, a->quant), sb = power_of_two(&b->type, b->quant),
                sy = power_of_two(&y.type, y.quant);
    return sa > 0 && sb > 0 && ((sa == sy && sb <= sy) || (sb == sy && sa <= sy));
}

/* add, sub, mul, div: with a fused activation. */
bool tflite_op_arithmetic(tflite_node *n)
{
    ir_value *a = tflite_input(n, 0), *b = a ? tflite_input(n, 1) : NULL;
    tflite_activation act;
    ir_type shape;
    if (!b || !tflite_activation_read(n, BINARY_ACT, &act) || !tflite_broadcast(n, &a->type, &b->type, &shape))
        return false;
    ir_op *op = node_emit2(n, n->entry->code, a, b);
    if (is_shifted_sum(n, a, b))
        ir_set_int(op, IR_ATTR_SHIFTED, 1);
    return tflite_bind_activated(n, 0, op, act, shape.rank, shape.dims);
}

/* An integer divided by zero has no result, and TFLite fails when it meets one.  So the divisor must be known. */
static bool check_divisor(tflite_node *n, const ir_value *b)
{
    if (ir_dtype_is_float(b->type.dtype) || b->quant)
        return true;
    if (!ir_is_const(b))
        return node_error(n, "an integer divisor must be constant, since it could be 0");
    for (int64_t i = 0, count = ir_type_elements(&b->type); i < count; i++)
        if (ir_const_int(b, i) == 0)
            return node_error(n, "division by zero: element %lld of the divisor is 0", (long long)i);
    return true;
}

bool tflite_op_floor_division(tflite_node *n)
{
    ir_value *b = tflite_input(n, 1);
    return b && check_divisor(n, b) && tflite_op_binary(n);
}

bool tflite_op_div(tflite_node *n)
{
    ir_value *b = tflite_input(n, 1);
    return b && check_divisor(n, b) && tflite_op_arithmetic(n);
}

/* TFLite has it for 8 bits only in general: of 16-bit operands half the range is not positive, where it fails. */
bool tflite_op_rsqrt(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    if (x && x->type.dtype == IR_I16)
        return node_error(n, "16-bit operands are not supported: only positive numbers have a reciprocal root");
    return tflite_op_unary(n);
}

bool tflite_op_square(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    return x && tflite_bind_like(n, 0, node_emit2(n, IR_MUL, x, x), &x->type);
}

/* a + b + c is (a + b) + c; only for real values and plain integers, whose partial sums need no scale. */
bool tflite_op_add_n(tflite_node *n)
{
    ir_value *sum = tflite_input(n, 0);
    int count = tflite_input_count(n);
    if (!sum)
        return false;
    if (sum->quant)
        return node_error(n, "quantized operands are not supported");
    for (int i = 1; i < count; i++) {
        ir_value *x = tflite_input(n, i);
        if (!x)
            return false;
        if (!ir_type_equal(&x->type, &sum->type))
            return node_error(n, "operand %d has another type or shape than the first", i);
        ir_op *op = node_emit2(n, IR_ADD, sum, x);
        if (i == count - 1)
            return tflite_bind_like(n, 0, op, &sum->type);
        sum = node_typed(n, op, sum->type, NULL);
        if (!sum)
            return false;
    }
    return tflite_bind_value(n, 0, sum);
}

bool tflite_op_select(tflite_node *n)
{
    ir_value *c = tflite_input(n, 0), *a = c ? tflite_input(n, 1) : NULL, *b = a ? tflite_input(n, 2) : NULL;
    ir_type shape;
    if (!b || !tflite_broadcast(n, &a->type, &b->type, &shape) || !tflite_broadcast(n, &shape, &c->type, &shape))
        return false;
    tflite_tensor t;
    if (!tflite_output_tensor(n, 0, &t))
        return false;
    if (!ir_quant_equal(a->quant, b->quant) || !ir_quant_equal(a->quant, t.quant))
        return node_error(n, "the two choices and the result are quantized differently");
    return tflite_bind_like(n, 0, node_emit(n, IR_SELECT, 3, (ir_value *[]){c, a, b}), &shape);
}

/* The older form: a condition of rank 1 chooses whole rows. */
bool tflite_op_select_v1(tflite_node *n)
{
    ir_value *c = tflite_input(n, 0), *a = c ? tflite_input(n, 1) : NULL;
    if (!a)
        return false;
    if (c->type.rank == 1 && a->type.rank > 1) {
        int64_t dims[IR_MAX_RANK] = {c->type.dims[0], 1, 1, 1, 1, 1, 1, 1};
        c = node_reshaped(n, c, a->type.rank, dims);
        ir_value *b = c ? tflite_input(n, 2) : NULL;
        return b && tflite_bind_like(n, 0, node_emit(n, IR_SELECT, 3, (ir_value *[]){c, a, b}), &a->type);
    }
    return tflite_op_select(n);
}

/* ---- Windows ---- */

/* Bytes without scales are pooled as the numbers they are; a bound by an activation has no meaning among them. */
static ir_value *pooled_numbers(tflite_node *n, ir_value *x, tflite_activation act)
{
    if (x->quant || (x->type.dtype != IR_I8 && x->type.dtype != IR_U8) || act.act != IR_ACT_NONE || act.tanh)
        return x;
    return node_typed(n, node_emit1(n, IR_CAST, x), x->type, ir_quant_tensor(n->model->graph, 1, 0));
}

bool tflite_op_pool(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    tflite_activation act;
    if (!x || !tflite_activation_read(n, POOL_ACT, &act) || !(x = pooled_numbers(n, x, act)))
        return false;
    if (x->type.rank != 4)
        return node_error(n, "the image has %d dimensions, expected 4", x->type.rank);
    const int64_t kernel[2] = {fb_i32(n->options, POOL_HEIGHT, 0), fb_i32(n->options, POOL_WIDTH, 0)};
    const int64_t stride[2] = {fb_i32(n->options, POOL_STRIDE_H, 0), fb_i32(n->options, POOL_STRIDE_W, 0)};
    int64_t extent[2], pad[4];
    for (int i = 0; i < 2; i++)
        if (!tflite_window(n, fb_i8(n->options, POOL_PADDING, 0), x->type.dims[1 + i], kernel[i], stride[i], 1,
                           &extent[i], &pad[i], &pad[2 + i]))
            return false;
    ir_op *op = node_emit1(n, n->entry->code, x);
    ir_set_ints(op, IR_ATTR_KERNEL, 2, kernel);
    ir_set_ints(op, IR_ATTR_STRIDE, 2, stride);
    ir_set_ints(op, IR_ATTR_PAD, 4, pad);
    return tflite_bind_activated(n, 0, op, act, 4, (int64_t[]){x->type.dims[0], extent[0], extent[1], x->type.dims[3]});
}

/* ---- Along axes ---- */

bool tflite_op_reduce(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t given[IR_MAX_RANK], axes[IR_MAX_RANK], dims[IR_MAX_RANK];
    bool reduced[IR_MAX_RANK] = {false};
    int count, rank = 0, axis_count = 0;
    if (!x || !tflite_param_ints(n, 1, "axes", IR_MAX_RANK, given, &count))
        return false;
    for (int i = 0; i < count; i++) {
        int axis;
        if (!node_axis(n, given[i], x->type.rank, &axis))
            return false;
        reduced[axis] = true;
    }
    bool keep = fb_bool(n->options, REDUCER_KEEP_DIMS, false);
    for (int i = 0; i < x->type.rank; i++) {
        if (reduced[i])
            axes[axis_count++] = i;
        if (!reduced[i] || keep)
            dims[rank++] = reduced[i] ? 1 : x->type.dims[i];
    }
    ir_op *op = node_emit1(n, n->entry->code, x);
    ir_set_ints(op, IR_ATTR_AXES, axis_count, axes);
    ir_set_int(op, IR_ATTR_KEEP_DIMS, keep);
    return tflite_bind(n, 0, op, rank, dims);
}

bool tflite_op_arg(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t given;
    int axis;
    if (!x || !tflite_param_int(n, 1, "axis", &given) || !node_axis(n, given, x->type.rank, &axis))
        return false;
    if (x->type.dims[axis] < 1)
        return node_error(n, "the dimension has no elements");
    ir_type shape = x->type;
    shape.rank = 0;
    for (int i = 0; i < x->type.rank; i++)
        if (i != axis)
            shape.dims[shape.rank++] = x->type.dims[i];
    ir_op *op = node_emit1(n, n->entry->code, x);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return tflite_bind_like(n, 0, op, &shape);
}

bool tflite_op_top_k(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t k;
    tflite_tensor t;
    if (!x || !tflite_param_int(n, 1, "number k", &k))
        return false;
    if (x->type.rank < 1 || k < 0 || k > x->type.dims[x->type.rank - 1])
        return node_error(n, "k is %lld, which the last dimension does not have", (long long)k);
    ir_type shape = x->type;
    shape.dims[shape.rank - 1] = k;
    ir_op *op = node_emit1(n, IR_TOP_K, x);
    ir_set_int(op, IR_ATTR_K, k);
    if (!tflite_output_tensor(n, 1, &t))
        return false;
    ir_result_set(op, 1, ir_type_make(t.type.dtype, shape.rank, shape.dims), NULL);
    return node_typed(n, op, shape, x->quant) && tflite_bind_value(n, 0, op->results[0]) &&
           tflite_bind_value(n, 1, op->results[1]);
}

/* exclusive: the running sum of the elements before, which is that of the operand shifted by one.
 * reverse: from the other end. */
bool tflite_op_cumsum(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t given;
    int axis;
    if (!x || !tflite_param_int(n, 1, "axis", &given) || !node_axis(n, given, x->type.rank, &axis))
        return false;
    const int64_t at[1] = {axis};
    const ir_type type = x->type;
    bool reverse = fb_bool(n->options, CUMSUM_REVERSE, false);
    if (x->quant)
        return node_error(n, "quantized operands are not supported");
    if (reverse) {
        ir_op *op = node_emit1(n, IR_REVERSE, x);
        ir_set_ints(op, IR_ATTR_AXES, 1, at);
        x = node_typed(n, op, type, NULL);
    }
    if (x && fb_bool(n->options, CUMSUM_EXCLUSIVE, false) && type.dims[axis] > 0) {
        int64_t zeros[IR_MAX_RANK] = {0}, ones[IR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1}, before[IR_MAX_RANK] = {0};
        ir_type shorter = type;
        shorter.dims[axis]--;
        ir_op *op = node_emit1(n, IR_SLICE, x);
        ir_set_ints(op, IR_ATTR_BEGIN, type.rank, zeros);
        ir_set_ints(op, IR_ATTR_STEP, type.rank, ones);
        x = node_typed(n, op, shorter, NULL);
        if (!x)
            return false;
        op = node_emit1(n, IR_PAD, x);
        before[axis] = 1;
        ir_set_ints(op, IR_ATTR_BEFORE, type.rank, before);
        ir_set_ints(op, IR_ATTR_AFTER, type.rank, zeros);
        x = node_typed(n, op, type, NULL);
    }
    if (!x)
        return false;
    ir_op *op = node_emit1(n, IR_CUMSUM, x);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    if (!reverse)
        return tflite_bind_like(n, 0, op, &type);
    x = node_typed(n, op, type, NULL);
    if (!x)
        return false;
    op = node_emit1(n, IR_REVERSE, x);
    ir_set_ints(op, IR_ATTR_AXES, 1, at);
    return tflite_bind_like(n, 0, op, &type);
}
