/* ops_product.c: convolutions, fully connected, matrix products.
 *
 *     conv2d %x, %w, %b {pad = [1, 1, 1, 1], stride = [2, 2]}   ──▶   PAD [[0, 0], [1, 1], [1, 1], [0, 0]], CONV_2D {VALID, 2, 2}
 *
 *     operands and result                          operator
 *     integers                                     on integers, biases i32 (i64 of 16-bit operands)
 *     operand quantized at run time, int8 weights  'hybrid': on the real operand and the int8 weights
 *     integers, real result                        on reals, behind DEQUANTIZE: TFLite has none that gives reals of integers */
#include <math.h>

#include "exporters/tflite/write.h"
#include "frontends/tflite/window.h"
#include "ir/ref/interp.h"

/* ---- Operands ---- */

/* The scale of the sum of products in channel c. */
static double sum_scale(const export_node *n, int64_t c)
{
    const ir_quant *x = n->op->operands[0].value->quant, *w = n->op->operands[1].value->quant;
    return (double)x->scale[0] * w->scale[w->axis >= 0 ? c : 0];
}

static const ir_quant *bias_quant(export_node *n, int64_t channels)
{
    const bool each = n->op->operands[1].value->quant->axis >= 0;
    const int32_t count = each ? (int32_t)channels : 1;
    float *scale = ARENA_ARRAY(n->model->memory, float, count + 1);
    ir_quant *q = ARENA_NEW(n->model->memory, ir_quant);
    for (int32_t c = 0; c < count; c++)
        scale[c] = (float)sum_scale(n, c);
    *q = (ir_quant){.axis = each ? 0 : -1, .count = count, .scale = scale};
    q->zero = ARENA_ARRAY(n->model->memory, int32_t, count + 1);
    return q;
}

/* A real bias of a sum of integers, in units of it. */
static int32_t rounded_bias(export_node *n, const ir_value *b, const ir_quant *quant)
{
    const int64_t count = ir_type_elements(&b->type);
    int32_t *data = ARENA_ARRAY(n->model->memory, int32_t, count + 1);
    ir_type type = b->type;
    for (int64_t c = 0; c < count; c++) {
        const double units = ir_const_real(b, c) / sum_scale(n, c);
        data[c] = units >= INT32_MAX   ? INT32_MAX
                  : units <= INT32_MIN ? INT32_MIN
                  : units == units     ? (int32_t)lrint(units)
                                       : 0;
    }
    type.dtype = IR_I32;
    return export_const(n, type, quant, data, b);
}

/* Zeros: some of TFLite's kernels of convolutions insist on a bias. */
static int32_t no_bias(export_node *n, int64_t channels)
{
    const ir_value *x = n->op->operands[0].value;
    const bool real = export_is_real(n->op->results[0]);
    const ir_dtype dtype = real ? IR_F32 : x->type.dtype == IR_I16 ? IR_I64 : IR_I32;
    const ir_type type = ir_type_make(dtype, 1, &channels);
    return export_const(n, type, real ? NULL : bias_quant(n, channels),
                        arena_alloc(n->model->memory, ir_type_bytes(&type) + 1), NULL);
}

/* The bias; a product of matrices may have none. */
static int32_t bias(export_node *n)
{
    const ir_value *b = ir_operand_value(n->op, 2), *y = n->op->results[0];
    const bool window = n->op->code == IR_CONV2D || n->op->code == IR_DEPTHWISE_CONV2D;
    if (!b && window)
        return no_bias(n, y->type.dims[y->type.rank - 1]);
    if (!b || export_is_real(y))
        return export_value(n->model, b);
    const ir_quant *quant = bias_quant(n, ir_type_elements(&b->type));
    if (!ir_is_const(b))
        return export_value(n->model, b);
    return export_is_real(b) ? rounded_bias(n, b, quant) : export_const(n, b->type, quant, b->data, b);
}

/* The bias of a product of integers as real numbers. */
static int32_t real_bias(export_node *n)
{
    const ir_value *b = ir_operand_value(n->op, 2);
    if (!b || export_is_real(b) || !ir_is_const(b))
        return bias(n);
    const int64_t count = ir_type_elements(&b->type);
    float *data = ARENA_ARRAY(n->model->memory, float, count + 1);
    ir_type type = b->type;
    for (int64_t c = 0; c < count; c++)
        data[c] = (float)((double)ir_const_int(b, c) * sum_scale(n, c));
    type.dtype = IR_F32;
    return export_const(n, type, NULL, data, b);
}

/* What a product is computed on. */
typedef struct product {
    int32_t x, w, b, y;
    ir_type type;          /* of x */
    const ir_quant *quant; /* of x */
    bool spelled;          /* y is brought to the result's integers behind it */
    bool asymmetric;       /* quantized at run time with a zero point */
} product;

/* The operand of a product that is quantized at run time, before that. */
static bool dynamic_operand(export_node *n, int outer, bool affine, bool either, product *p)
{
    const ir_op *q = n->op->operands[0].value->def;
    const int method = q && q->code == IR_DYNAMIC_QUANTIZE ? (int)ir_int(q, IR_ATTR_METHOD) : -1;
    const int expected = affine ? IR_METHOD_AFFINE_AWAY : IR_METHOD_SYMMETRIC_AWAY;
    if (method < 0)
        return export_refuse(n, "its operand is not quantized right in front of it");
    if (ir_int(q, IR_ATTR_OUTER) != outer || method == IR_METHOD_AFFINE_EVEN || (!either && method != expected))
        return export_refuse(n, "its operand is quantized at run time otherwise than TFLite does it");
    p->asymmetric = method == IR_METHOD_AFFINE_AWAY;
    p->x = export_value(n->model, q->operands[0].value);
    p->type = q->operands[0].value->type;
    p->w = export_operand(n, 1);
    p->b = bias(n);
    p->y = export_result(n, 0);
    return export_is_real(n->op->results[0]) || export_refuse(n, "its result is the sum of integers");
}

static bool weights_are_plain(export_node *n)
{
    const ir_value *x = n->op->operands[0].value, *w = n->op->operands[1].value;
    const bool bytes = w->type.dtype == IR_I8 && x->type.dtype != IR_U8;
    for (int32_t i = 0; bytes && i < w->quant->count; i++)
        if (w->quant->zero[i] != 0)
            return export_refuse(n, "its weights have a zero point");
    return bytes || (x->type.dtype == IR_U8 && w->type.dtype == IR_U8 && w->quant->axis < 0) ||
           export_refuse(n, "no operator multiplies %s by %s%s", ir_dtype_text(x->type.dtype),
                         ir_dtype_text(w->type.dtype), w->quant->axis >= 0 ? " with a scale for each channel" : "");
}

static bool operands(export_node *n, product *p)
{
    const ir_op *op = n->op;
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value, *y = op->results[0];
    const bool real = export_is_real(x);
    if (ir_operand_value(op, 3))
        return export_refuse(n, "it has a residual");
    if (!real && (!x->quant || !w->quant))
        return export_refuse(n, "integers without a scale");
    p->spelled = !real && export_is_real(y);
    p->type = x->type;
    p->quant = x->quant;
    if (p->spelled) {
        p->type.dtype = IR_F32;
        p->quant = NULL;
        p->x = export_real_operand(n, 0);
        p->w = export_real_operand(n, 1);
        p->b = real_bias(n);
    } else {
        p->x = export_operand(n, 0);
        p->w = export_operand(n, 1);
        p->b = bias(n);
    }
    p->y = export_result(n, 0);
    return real || p->spelled || (y->type.dtype == x->type.dtype && weights_are_plain(n)) ||
           (!n->model->diag->failed &&
            export_refuse(n, "no operator gives %s of %s", ir_dtype_text(y->type.dtype), ir_dtype_text(x->type.dtype)));
}

static export_operator *emit(export_node *n, const product *p)
{
    export_operator *o = export_emit(n, n->entry->builtin, 3, (int32_t[]){p->x, p->w, p->b}, p->y);
    const ir_value *b = ir_operand_value(n->op, 2);
    const bool narrow = p->type.dtype == IR_I16 && b && b->type.dtype == IR_I32;
    if (narrow && n->op->code == IR_CONV2D)
        export_set_byte(o, CONV_BIAS_TYPE, TYPE_I32);
    if (narrow && n->op->code == IR_FULLY_CONNECTED)
        export_set_byte(o, FC_BIAS_TYPE, TYPE_I32);
    return o;
}

/* ---- Windows ---- */

/* Zeros around the image, as a tensor of its own. */
static void pad_image(export_node *n, product *p, const int64_t pad[4])
{
    const int64_t dims[2] = {4, 2}, borders[8] = {0, 0, pad[0], pad[2], pad[1], pad[3], 0, 0};
    p->type.dims[1] += pad[0] + pad[2];
    p->type.dims[2] += pad[1] + pad[3];
    const int32_t to = export_between(n, p->type, p->quant);
    export_emit(n, BUILTIN_PAD, 2, (int32_t[]){p->x, export_ints(n, 2, dims, borders)}, to);
    p->x = to;
}

int export_padding(const ir_op *op, const ir_type *x, const int64_t window[2], const int64_t dilation[2])
{
    const int64_t *stride, *pad;
    ir_ints(op, IR_ATTR_STRIDE, &stride);
    ir_ints(op, IR_ATTR_PAD, &pad);
    const int64_t *extent = &op->results[0]->type.dims[1];
    for (int padding = PADDING_SAME; padding <= PADDING_VALID; padding++) {
        bool fits = true;
        for (int i = 0; i < 2; i++) {
            const tflite_window_place place =
                tflite_place_window(padding, x->dims[1 + i], window[i], stride[i], dilation[i]);
            fits &= place.extent == extent[i] && place.before == pad[i] && place.after == pad[2 + i];
        }
        if (fits)
            return padding;
    }
    return -1;
}

/* Padding that is neither SAME nor VALID becomes an operator in front. */
static int place_window(export_node *n, product *p, const int64_t dilation[2])
{
    const int64_t *pad;
    const int padding = export_padding(n->op, &p->type, &n->op->operands[1].value->type.dims[1], dilation);
    ir_ints(n->op, IR_ATTR_PAD, &pad);
    if (padding >= 0)
        return padding;
    pad_image(n, p, pad);
    return PADDING_VALID;
}

bool export_conv(export_node *n)
{
    const ir_op *op = n->op;
    const int64_t *stride, *dilation;
    product p = {0};
    ir_ints(op, IR_ATTR_STRIDE, &stride);
    ir_ints(op, IR_ATTR_DILATION, &dilation);
    const bool dynamic = ir_mac_is_dynamic(op);
    if (dynamic ? !dynamic_operand(
                      n, 1, ir_int(op, IR_ATTR_GROUPS) > 1 || ir_quant_scales_differ(op->operands[1].value->quant),
                      false, &p)
                : !operands(n, &p))
        return false;
    const int padding = place_window(n, &p, dilation);
    export_operator *o = emit(n, &p);
    export_set_byte(o, CONV_PADDING, padding);
    export_set_int(o, CONV_STRIDE_W, stride[1], 0);
    export_set_int(o, CONV_STRIDE_H, stride[0], 0);
    export_set_int(o, CONV_DILATION_W, dilation[1], 1);
    export_set_int(o, CONV_DILATION_H, dilation[0], 1);
    return export_activated(n, o, CONV_ACT);
}

bool export_depthwise(export_node *n)
{
    const ir_op *op = n->op;
    const int64_t *stride, *dilation;
    product p = {0};
    ir_ints(op, IR_ATTR_STRIDE, &stride);
    ir_ints(op, IR_ATTR_DILATION, &dilation);
    if (ir_mac_is_dynamic(op) ? !dynamic_operand(n, 1, true, false, &p) : !operands(n, &p))
        return false;
    const int padding = place_window(n, &p, dilation);
    export_operator *o = emit(n, &p);
    export_set_byte(o, DEPTHWISE_PADDING, padding);
    export_set_int(o, DEPTHWISE_STRIDE_W, stride[1], 0);
    export_set_int(o, DEPTHWISE_STRIDE_H, stride[0], 0);
    export_set_int(o, DEPTHWISE_MULTIPLIER, op->results[0]->type.dims[3] / p.type.dims[3], 0);
    export_set_int(o, DEPTHWISE_DILATION_W, dilation[1], 1);
    export_set_int(o, DEPTHWISE_DILATION_H, dilation[0], 1);
    return export_activated(n, o, DEPTHWISE_ACT);
}

/* ---- Transposed convolution: padding is cut from the full result ---- */

/* SAME or VALID, if the operator cuts as much; -1: neither does. */
static int cut_of(const ir_op *op, const int64_t stride[2], const int64_t pad[4])
{
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type, *y = &op->results[0]->type;
    for (int padding = PADDING_SAME; padding <= PADDING_VALID; padding++) {
        bool fits = true;
        for (int i = 0; i < 2; i++) {
            const int64_t window = w->dims[1 + i], out = y->dims[1 + i];
            const tflite_window_place place = tflite_place_window(padding, out, window, stride[i], 1);
            const int64_t after = (x->dims[1 + i] - 1) * stride[i] + window - out - place.before;
            fits &= place.extent == x->dims[1 + i] && place.before == pad[i] && (after > 0 ? after : 0) == pad[2 + i];
        }
        if (fits)
            return padding;
    }
    return -1;
}

/* The result out of the full one. */
static void cut(export_node *n, int32_t full, int32_t y, const int64_t pad[4])
{
    const ir_type *type = &n->op->results[0]->type;
    const int64_t begin[4] = {0, pad[0], pad[1], 0};
    export_emit(n, BUILTIN_SLICE, 3, (int32_t[]){full, export_list(n, 4, begin), export_list(n, 4, type->dims)}, y);
}

bool export_transpose_conv(export_node *n)
{
    const ir_op *op = n->op;
    const int64_t *stride, *pad;
    product p = {0};
    ir_ints(op, IR_ATTR_STRIDE, &stride);
    ir_ints(op, IR_ATTR_PAD, &pad);
    if (!operands(n, &p))
        return false;
    int padding = cut_of(op, stride, pad);
    const int32_t y = p.y;
    ir_type full = op->results[0]->type;
    if (padding < 0) {
        for (int i = 0; i < 2; i++)
            full.dims[1 + i] += pad[i] + pad[2 + i];
        p.y = export_between(n, full, op->results[0]->quant);
        padding = PADDING_VALID;
    }
    export_operator *o = export_emit(n, BUILTIN_TRANSPOSE_CONV, p.b == EXPORT_ABSENT ? 3 : 4,
                                     (int32_t[]){export_list(n, 4, full.dims), p.w, p.x, p.b}, p.y);
    export_set_byte(o, TRANSPOSE_CONV_PADDING, padding);
    export_set_int(o, TRANSPOSE_CONV_STRIDE_W, stride[1], 0);
    export_set_int(o, TRANSPOSE_CONV_STRIDE_H, stride[0], 0);
    if (p.y != y && ir_int(op, IR_ATTR_ACT) == IR_ACT_RELU_0_TO_1)
        return export_refuse(n, "its activation and its padding together");
    if (!export_activated(n, o, TRANSPOSE_CONV_ACT))
        return false;
    if (p.y != y)
        cut(n, p.y, y, pad);
    return true;
}

/* ---- Matrices ---- */

bool export_fully_connected(export_node *n)
{
    const int rank = n->op->operands[0].value->type.rank;
    product p = {0};
    if (export_is_part_of_layer(n->op))
        return true;
    if (ir_mac_is_dynamic(n->op) ? !dynamic_operand(n, rank - 1, false, true, &p) : !operands(n, &p))
        return false;
    export_operator *o = emit(n, &p);
    export_set_byte(o, FC_KEEP_DIMS, rank != 2);
    export_set_byte(o, FC_ASYMMETRIC, p.asymmetric);
    return export_activated(n, o, FC_ACT);
}

bool export_batch_matmul(export_node *n)
{
    const ir_op *op = n->op;
    const ir_value *a = op->operands[0].value, *b = op->operands[1].value, *y = op->results[0];
    const bool spelled = !export_is_real(a) && export_is_real(y);
    const bool sums = a->type.dtype == IR_I8 && y->type.dtype == IR_I32;
    if (!export_is_real(a) && !spelled && ((y->type.dtype != a->type.dtype && !sums) || b->type.dtype != a->type.dtype))
        return export_refuse(n, "no operator gives %s of %s and %s", ir_dtype_text(y->type.dtype),
                             ir_dtype_text(a->type.dtype), ir_dtype_text(b->type.dtype));
    const int32_t inputs[2] = {spelled ? export_real_operand(n, 0) : export_operand(n, 0),
                               spelled ? export_real_operand(n, 1) : export_operand(n, 1)};
    export_operator *o = export_emit(n, BUILTIN_BATCH_MATMUL, 2, inputs, export_result(n, 0));
    export_set_byte(o, MATMUL_ADJ_X, (int)ir_int(op, IR_ATTR_ADJ_A));
    export_set_byte(o, MATMUL_ADJ_Y, (int)ir_int(op, IR_ATTR_ADJ_B));
    return true;
}
