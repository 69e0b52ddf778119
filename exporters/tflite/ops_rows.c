/* ops_rows.c: windows of images, rows, reductions.
 *
 *     layer_norm %x, %gamma, %beta   ──▶   MEAN, SQUARED_DIFFERENCE, MEAN, ADD, RSQRT, SUB, MUL, MUL, ADD */
#include <float.h>
#include <string.h>

#include "exporters/tflite/write.h"

/* ---- Pools ---- */

static bool write_pool(export_node *n, int32_t from, int padding)
{
    const int64_t *kernel, *stride;
    ir_ints(n->op, IR_ATTR_KERNEL, &kernel);
    ir_ints(n->op, IR_ATTR_STRIDE, &stride);
    export_operator *o = export_emit(n, n->entry->builtin, 1, &from, export_result(n, 0));
    export_set_byte(o, POOL_PADDING, padding);
    export_set_int(o, POOL_STRIDE_W, stride[1], 0);
    export_set_int(o, POOL_STRIDE_H, stride[0], 0);
    export_set_int(o, POOL_WIDTH, kernel[1], 0);
    export_set_int(o, POOL_HEIGHT, kernel[0], 0);
    return export_activated(n, o, POOL_ACT);
}

static int padding_of(const ir_op *op)
{
    const int64_t *kernel, dilation[2] = {1, 1};
    ir_ints(op, IR_ATTR_KERNEL, &kernel);
    return export_padding(op, &op->operands[0].value->type, kernel, dilation);
}

/* What is below everything, so that taps outside the image do not count. */
static int32_t lowest(export_node *n, const ir_value *x)
{
    unsigned char *bytes = arena_alloc(n->model->memory, 8);
    const float real = -FLT_MAX;
    if (x->type.dtype == IR_F32)
        memcpy(bytes, &real, sizeof real);
    else if (x->type.dtype != IR_U8)
        bytes[ir_dtype_bytes(x->type.dtype) - 1] = 128;
    return export_const(n, ir_type_make(x->type.dtype, 0, NULL), x->quant, bytes, NULL);
}

bool export_max_pool(export_node *n)
{
    const ir_value *x = n->op->operands[0].value;
    const int padding = padding_of(n->op);
    const int64_t *pad, dims[2] = {4, 2};
    if (padding >= 0)
        return write_pool(n, export_operand(n, 0), padding);
    ir_ints(n->op, IR_ATTR_PAD, &pad);
    const int64_t borders[8] = {0, 0, pad[0], pad[2], pad[1], pad[3], 0, 0};
    ir_type type = x->type;
    type.dims[1] += pad[0] + pad[2];
    type.dims[2] += pad[1] + pad[3];
    const int32_t padded = export_between(n, type, x->quant);
    export_emit(n, BUILTIN_PADV2, 3, (int32_t[]){export_operand(n, 0), export_ints(n, 2, dims, borders), lowest(n, x)},
                padded);
    return write_pool(n, padded, PADDING_VALID);
}

bool export_average_pool(export_node *n)
{
    const int padding = padding_of(n->op);
    return padding >= 0 ? write_pool(n, export_operand(n, 0), padding)
                        : export_refuse(n, "its padding is neither SAME nor VALID");
}

/* ---- Reductions ---- */

bool export_reduce(export_node *n)
{
    const int64_t *axes;
    const int count = ir_ints(n->op, IR_ATTR_AXES, &axes);
    const int32_t inputs[2] = {export_operand(n, 0), export_list(n, count, axes)};
    export_set_byte(export_emit(n, n->entry->builtin, 2, inputs, export_result(n, 0)), REDUCER_KEEP_DIMS,
                    (int)ir_int(n->op, IR_ATTR_KEEP_DIMS));
    return true;
}

bool export_arg(export_node *n)
{
    const int32_t inputs[2] = {export_operand(n, 0), export_int(n, ir_int(n->op, IR_ATTR_AXIS))};
    export_operator *o = export_emit(n, n->entry->builtin, 2, inputs, export_result(n, 0));
    export_set_byte(o, ARG_TYPE, export_type_number(n->op->results[0]->type.dtype));
    return true;
}

bool export_top_k(export_node *n)
{
    const int32_t inputs[2] = {export_operand(n, 0), export_int(n, ir_int(n->op, IR_ATTR_K))};
    const int32_t outputs[2] = {export_result(n, 0), export_result(n, 1)};
    return n->op->results[1]->type.dtype == IR_I32 ? export_emit_all(n, BUILTIN_TOPK_V2, 2, inputs, 2, outputs) != NULL
                                                   : export_refuse(n, "its indices are not of type i32");
}

bool export_cumsum(export_node *n)
{
    const int32_t inputs[2] = {export_operand(n, 0), export_int(n, ir_int(n->op, IR_ATTR_AXIS))};
    return export_emit(n, BUILTIN_CUMSUM, 2, inputs, export_result(n, 0)) != NULL;
}

/* ---- Rows ---- */

/* One more operator on reals, of the shape `type`. */
static int32_t then(export_node *n, int builtin, int32_t a, int32_t b, ir_type type)
{
    const int32_t inputs[2] = {a, b}, to = export_between(n, type, NULL);
    export_emit(n, builtin, b == EXPORT_ABSENT ? 1 : 2, inputs, to);
    return to;
}

static ir_type real_type(ir_type t)
{
    t.dtype = IR_F32;
    return t;
}

/* A mask, and grids that are not the kernel's own: on reals. */
bool export_softmax(export_node *n)
{
    const ir_op *op = n->op;
    const ir_value *x = op->operands[0].value, *mask = ir_operand_value(op, 1);
    const float beta = ir_float(op, IR_ATTR_BETA);
    const bool spelled = mask || !export_grid_fits(n) || (x->quant && export_is_real(op->results[0]));
    if (!spelled) {
        export_set_float(export_emit_plain(n), SOFTMAX_BETA, beta);
        return true;
    }
    const ir_type type = real_type(x->type);
    int32_t at = export_real_operand(n, 0);
    if (mask && beta != 1)
        at = then(n, BUILTIN_MUL, at, export_float(n, beta), type);
    if (mask)
        at = then(n, BUILTIN_ADD, at, export_operand(n, 1), type);
    const int32_t to = export_real_result(n);
    export_set_float(export_emit(n, BUILTIN_SOFTMAX, 1, &at, to), SOFTMAX_BETA, mask ? 1 : beta);
    return export_real_done(n, to);
}

/* On reals where the grid is not the kernel's own. */
static export_operator *emit_row(export_node *n)
{
    if (export_grid_fits(n))
        return export_emit_plain(n);
    const int32_t from = export_real_operand(n, 0), to = export_real_result(n);
    export_operator *o = export_emit(n, n->entry->builtin, 1, &from, to);
    export_real_done(n, to);
    return o;
}

bool export_fixed_grid(export_node *n) { return emit_row(n) != NULL; }

bool export_l2_normalize(export_node *n)
{
    return ir_float(n->op, IR_ATTR_EPSILON) == 1e-6f
               ? emit_row(n) != NULL
               : export_refuse(n, "its bound on the norm is not that of TFLite's operator");
}

bool export_layer_norm(export_node *n)
{
    const ir_type type = real_type(n->op->operands[0].value->type);
    ir_type one = type;
    one.dims[one.rank - 1] = 1;
    const int64_t last[1] = {type.rank - 1};
    const int32_t x = export_real_operand(n, 0), axis = export_list(n, 1, last);
    const int32_t mean = then(n, BUILTIN_MEAN, x, axis, one);
    export_set_byte(n->model->last, REDUCER_KEEP_DIMS, 1);
    const int32_t square = then(n, BUILTIN_SQUARED_DIFFERENCE, x, mean, type);
    const int32_t variance = then(n, BUILTIN_MEAN, square, axis, one);
    export_set_byte(n->model->last, REDUCER_KEEP_DIMS, 1);
    const int32_t bounded = then(n, BUILTIN_ADD, variance, export_float(n, ir_float(n->op, IR_ATTR_EPSILON)), one);
    const int32_t factor = then(n, BUILTIN_RSQRT, bounded, EXPORT_ABSENT, one);
    int32_t at = then(n, BUILTIN_MUL, then(n, BUILTIN_SUB, x, mean, type), factor, type);
    if (ir_operand_value(n->op, 1))
        at = then(n, BUILTIN_MUL, at, export_real_operand(n, 1), type);
    if (ir_operand_value(n->op, 2))
        at = then(n, BUILTIN_ADD, at, export_real_operand(n, 2), type);
    n->model->last->outputs[0] = export_real_result(n);
    return export_real_done(n, n->model->last->outputs[0]);
}
