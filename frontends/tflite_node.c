/* tflite_node.c: what the importers of operators share: operands, parameters, results, activations, windows.
 *
 * Small integer computations on constants are evaluated as they are built (settle()), so that a chain such as
 * SHAPE -> STRIDED_SLICE -> PACK is a constant by the time RESHAPE wants its new shape. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frontends/tflite_import.h"
#include "ir/interp.h"
#include "ir/shape.h"

bool tflite_error(tflite_node *n, const char *format, ...)
{
    char text[DIAG_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return diag_error(n->model->diag, &n->loc, "%s", text);
}

/* ---- Operands ---- */

int tflite_input_count(const tflite_node *n) { return (int)n->inputs.count; }
int tflite_output_count(const tflite_node *n) { return (int)n->outputs.count; }

bool tflite_has_input(const tflite_node *n, int index)
{
    return index < tflite_input_count(n) && fb_vec_i32(n->inputs, (uint32_t)index) >= 0;
}

ir_value *tflite_input(tflite_node *n, int index)
{
    tflite_scope *s = n->scope;
    int32_t tensor = index < tflite_input_count(n) ? fb_vec_i32(n->inputs, (uint32_t)index) : -1;
    if (tensor == -1) {
        tflite_error(n, "operand %d is missing", index);
        return NULL;
    }
    if (tensor < 0 || (uint32_t)tensor >= s->tensors.count) {
        tflite_error(n, "operand %d is tensor %d, which does not exist", index, tensor);
        return NULL;
    }
    if (s->values[tensor])
        return s->values[tensor];
    if (tflite_tensor_is_constant(s, tensor))
        return s->values[tensor] = tflite_tensor_constant(s, &n->loc, tensor);
    tflite_tensor t; /* what is wrong with the tensor itself says more */
    if (!tflite_tensor_read(s, &n->loc, tensor, &t))
        return NULL;
    if (fb_bool(t.table, TENSOR_IS_VARIABLE, false))
        tflite_error(n, "operand %d is a state variable, which is not supported", index);
    else
        tflite_error(n, "operand %d (tensor %d) is used before it is computed", index, tensor);
    return NULL;
}

bool tflite_optional_input(tflite_node *n, int index, ir_value **out)
{
    *out = NULL;
    return !tflite_has_input(n, index) || (*out = tflite_input(n, index)) != NULL;
}

bool tflite_output_tensor(tflite_node *n, int index, tflite_tensor *out)
{
    return tflite_tensor_read(n->scope, &n->loc, fb_vec_i32(n->outputs, (uint32_t)index), out);
}

/* ---- Parameters ---- */

ir_value *tflite_param(tflite_node *n, int index, const char *what)
{
    ir_value *v = tflite_input(n, index);
    if (v && !ir_is_const(v)) {
        tflite_error(n, "the %s (operand %d) must be constant", what, index);
        return NULL;
    }
    return v;
}

bool tflite_param_ints(tflite_node *n, int index, const char *what, int max, int64_t out[], int *out_count)
{
    ir_value *v = tflite_param(n, index, what);
    if (!v)
        return false;
    if (v->type.dtype != IR_I32 && v->type.dtype != IR_I64 && v->type.dtype != IR_I16)
        return tflite_error(n, "the %s (operand %d) has type %s, expected integers", what, index,
                            ir_dtype_text(v->type.dtype));
    int64_t count = ir_type_elements(&v->type);
    if (count > max)
        return tflite_error(n, "the %s (operand %d) has %lld elements, at most %d make sense", what, index,
                            (long long)count, max);
    for (int64_t i = 0; i < count; i++)
        out[i] = ir_const_int(v, i);
    *out_count = (int)count;
    return true;
}

bool tflite_param_int(tflite_node *n, int index, const char *what, int64_t *out)
{
    int count;
    if (!tflite_param_ints(n, index, what, 1, out, &count))
        return false;
    return count == 1 || tflite_error(n, "the %s (operand %d) is empty", what, index);
}

bool tflite_axis(tflite_node *n, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return tflite_error(n, "dimension %lld is outside the operand's %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

/* ---- Building ---- */

ir_op *tflite_emit(tflite_node *n, ir_opcode code, int operand_count, ir_value *const operands[])
{
    ir_op *op = ir_op_new(n->model->graph, code, NULL, operand_count, operands);
    op->loc = n->loc;
    return op;
}

ir_op *tflite_emit1(tflite_node *n, ir_opcode code, ir_value *x) { return tflite_emit(n, code, 1, &x); }

ir_op *tflite_emit2(tflite_node *n, ir_opcode code, ir_value *a, ir_value *b)
{
    return tflite_emit(n, code, 2, (ir_value *[]){a, b});
}

static bool foldable_type(const ir_value *v)
{
    ir_dtype t = v->type.dtype;
    return !v->quant && (t == IR_I32 || t == IR_I64 || t == IR_BOOL || t == IR_F32);
}

/* True for a small computation on constants whose result steers shapes; float results only for single numbers (RANGE
 * and FILL operands, sizes that were scaled). */
static bool foldable(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    const ir_value *r = op->results[0];
    if (!(info->flags & IR_PURE) || info->results != 1 || !foldable_type(r) || op->operand_count == 0)
        return false;
    if (ir_type_elements(&r->type) > (r->type.dtype == IR_F32 ? 8 : TFLITE_MAX_FOLDED))
        return false;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && (!ir_is_const(v) || !foldable_type(v) || ir_type_elements(&v->type) > TFLITE_MAX_FOLDED))
            return false;
    }
    return op->code != IR_DEQUANTIZE && op->code != IR_QUANTIZE;
}

static bool check_size(tflite_node *n, const ir_type *type)
{
    if (!ir_type_valid(type))
        return tflite_error(n, "a result is larger than 2 GiB");
    n->model->total_bytes += (int64_t)ir_type_bytes(type);
    return n->model->total_bytes <= TFLITE_MAX_TOTAL_BYTES ||
           tflite_error(n, "the model's tensors are larger than %lld GiB in all", (long long)(TFLITE_MAX_TOTAL_BYTES >> 30));
}

/* The importers compute extents themselves, to compare them with the file's; the IR has the last word. */
bool tflite_check(tflite_node *n, const ir_op *op)
{
    diag *d = n->model->diag;
    if (!ir_verify_attrs(op, d))
        return false;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
        ir_type type;
        if (!ir_infer_shape(op, i, &type, d))
            return false;
        if (!ir_type_equal(&type, &op->results[i]->type))
            return tflite_error(n, "result %d has type %s, or its shape does not follow from the operands", i,
                                ir_dtype_text(op->results[i]->type.dtype));
    }
    return ir_op_supported(op, d);
}

/* Checks that a complete op is well-formed and defined for its types; the value is its result, or the constant that it
 * comes to. */
static ir_value *settle(tflite_node *n, ir_op *op)
{
    diag *d = n->model->diag;
    if (!tflite_check(n, op))
        return NULL;
    if (!foldable(op))
        return op->results[0];
    ir_value *r = op->results[0];
    void *data = arena_alloc(n->model->graph->arena, ir_type_bytes(&r->type) + 1);
    const void **operands = ARENA_ARRAY(n->model->graph->arena, const void *, op->operand_count);
    for (int i = 0; i < op->operand_count; i++)
        operands[i] = op->operands[i].value ? op->operands[i].value->data : NULL;
    if (!ir_eval_op(op, operands, &data, d))
        return NULL;
    ir_value *constant = ir_const_new(n->model->graph, r->type, NULL, data);
    constant->name = r->name;
    ir_op_erase(op);
    return constant;
}

ir_value *tflite_typed(tflite_node *n, ir_op *op, ir_type type, const ir_quant *quant)
{
    if (!check_size(n, &type))
        return NULL;
    ir_result_set(op, 0, type, quant);
    return settle(n, op);
}

ir_value *tflite_reshaped(tflite_node *n, ir_value *v, int rank, const int64_t dims[])
{
    ir_type type = ir_type_make(v->type.dtype, rank, dims);
    if (ir_type_equal(&type, &v->type))
        return v;
    return tflite_typed(n, tflite_emit1(n, IR_RESHAPE, v), type, v->quant);
}

ir_value *tflite_int_constant(tflite_node *n, ir_dtype dtype, int rank, int64_t count, const int64_t values[])
{
    size_t bytes = ir_dtype_bytes(dtype);
    uint8_t *data = arena_alloc(n->model->graph->arena, (size_t)count * bytes + 1);
    for (int64_t i = 0; i < count; i++)
        for (size_t b = 0; b < bytes; b++)
            data[(size_t)i * bytes + b] = (uint8_t)((uint64_t)values[i] >> 8 * b);
    return ir_const_new(n->model->graph, ir_type_make(dtype, rank, &count), NULL, data);
}

/* ---- Results ---- */

static void shape_text(const ir_type *t, char *to, size_t size)
{
    int n = 0;
    *to = 0;
    for (int i = 0; i < t->rank && n < (int)size; i++)
        n += snprintf(to + n, size - (size_t)n, "%s%lld", i ? "x" : "", (long long)t->dims[i]);
}

/* The file's type of a result against the extents that follow from the operands. */
static bool result_tensor(tflite_node *n, int output, int rank, const int64_t dims[], tflite_tensor *out)
{
    if (!tflite_output_tensor(n, output, out))
        return false;
    ir_type type = ir_type_make(out->type.dtype, rank, dims);
    if (!n->model->reshaped && !out->any_shape && !ir_type_equal(&type, &out->type)) {
        char is[200], said[200];
        shape_text(&type, is, sizeof is);
        shape_text(&out->type, said, sizeof said);
        return tflite_error(n, "result %d has shape [%s], the file says [%s]", output, is, said);
    }
    out->type = type;
    return true;
}

static bool define(tflite_node *n, int output, ir_value *v, const char *name)
{
    int32_t tensor = fb_vec_i32(n->outputs, (uint32_t)output);
    if (n->scope->values[tensor])
        return tflite_error(n, "result %d is tensor %d, which already has a value", output, tensor);
    if (!v->name)
        v->name = name;
    n->scope->values[tensor] = v;
    return true;
}

/* TFLite moves the bytes even when a file gives operand and result of such an op different quantization; a cast, which
 * ignores quantization, says the same. */
static ir_value *reinterpreted(tflite_node *n, ir_value *v, const tflite_tensor *t)
{
    if (v->type.dtype != t->type.dtype || ir_quant_equal(v->quant, t->quant))
        return v;
    return tflite_typed(n, tflite_emit1(n, IR_CAST, v), t->type, t->quant);
}

bool tflite_bind(tflite_node *n, int output, ir_op *op, int rank, const int64_t dims[])
{
    tflite_tensor t;
    if (!result_tensor(n, output, rank, dims, &t))
        return false;
    bool moves = ir_op_info_of(op->code)->flags & IR_SAME_QUANT;
    ir_value *v = tflite_typed(n, op, t.type, moves ? op->operands[0].value->quant : t.quant);
    if (v && moves)
        v = reinterpreted(n, v, &t);
    return v && define(n, output, v, t.name);
}

bool tflite_bind_like(tflite_node *n, int output, ir_op *op, const ir_type *shape)
{
    return tflite_bind(n, output, op, shape->rank, shape->dims);
}

bool tflite_bind_value(tflite_node *n, int output, ir_value *v)
{
    tflite_tensor t;
    if (!result_tensor(n, output, v->type.rank, v->type.dims, &t))
        return false;
    if (t.type.dtype != v->type.dtype)
        return tflite_error(n, "result %d has type %s, the file says %s", output, ir_dtype_text(v->type.dtype),
                            ir_dtype_text(t.type.dtype));
    v = reinterpreted(n, v, &t);
    return v && define(n, output, v, t.name);
}

/* ---- Fused activations ---- */

bool tflite_activation_read(tflite_node *n, unsigned field, tflite_activation *out)
{
    int kind = fb_i8(n->options, field, ACTIVATION_NONE);
    *out = (tflite_activation){IR_ACT_NONE, false};
    switch (kind) {
    case ACTIVATION_NONE: break;
    case ACTIVATION_RELU: out->act = IR_ACT_RELU; break;
    case ACTIVATION_RELU_N1_TO_1: out->act = IR_ACT_RELU_N1_TO_1; break;
    case ACTIVATION_RELU6: out->act = IR_ACT_RELU6; break;
    case ACTIVATION_TANH: out->tanh = true; break;
    default:
        return tflite_error(n, "the fused activation %s is not supported",
                            kind == ACTIVATION_SIGN_BIT ? "SIGN_BIT" : "(of an unknown kind)");
    }
    return true;
}

bool tflite_bind_activated(tflite_node *n, int output, ir_op *op, tflite_activation a, int rank, const int64_t dims[])
{
    if (a.act != IR_ACT_NONE)
        ir_set_int(op, IR_ATTR_ACT, a.act);
    if (!a.tanh)
        return tflite_bind(n, output, op, rank, dims);
    tflite_tensor t;
    if (!tflite_output_tensor(n, output, &t))
        return false;
    if (t.type.dtype != IR_F32)
        return tflite_error(n, "a fused TANH is supported for float results only");
    ir_value *v = tflite_typed(n, op, ir_type_make(IR_F32, rank, dims), NULL);
    return v && tflite_bind(n, output, tflite_emit1(n, IR_TANH, v), rank, dims);
}

/* ---- Shapes ---- */

bool tflite_broadcast(tflite_node *n, const ir_type *a, const ir_type *b, ir_type *out)
{
    ir_type t = {.dtype = a->dtype, .rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 1; i <= t.rank; i++) {
        int64_t da = i <= a->rank ? a->dims[a->rank - i] : 1, db = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (da != db && da != 1 && db != 1)
            return tflite_error(n, "extents %lld and %lld can't be broadcast", (long long)da, (long long)db);
        t.dims[t.rank - i] = da == 1 ? db : da;
    }
    *out = t;
    return true;
}

/* ---- Windows ---- */

bool tflite_window(tflite_node *n, int padding, int64_t extent, int64_t window, int64_t stride, int64_t dilation,
                   int64_t *out_extent, int64_t *out_before, int64_t *out_after)
{
    if (window < 1 || stride < 1 || dilation < 1)
        return tflite_error(n, "window %lld, stride %lld, dilation %lld: each must be at least 1", (long long)window,
                            (long long)stride, (long long)dilation);
    if (padding != PADDING_SAME && padding != PADDING_VALID)
        return tflite_error(n, "padding %d is neither SAME nor VALID", padding);
    int64_t covered = (window - 1) * dilation + 1, total = 0; /* both factors are below 2^31 */
    if (padding == PADDING_VALID) {
        *out_extent = extent < covered ? 0 : (extent - covered) / stride + 1;
    } else {
        *out_extent = (extent + stride - 1) / stride;
        total = (*out_extent - 1) * stride + covered - extent;
    }
    if (*out_extent < 1)
        return tflite_error(n, "a window of %lld does not fit into %lld", (long long)covered, (long long)extent);
    if (total < 0)
        total = 0;
    *out_before = total / 2;
    *out_after = total - total / 2;
    return true;
}
