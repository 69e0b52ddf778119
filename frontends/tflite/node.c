/* node.c: what importers of operators share beyond node.h: operands, parameters, results, activations, windows. */
#include <stdio.h>
#include <string.h>

#include "frontends/tflite/import.h"
#include "frontends/tflite/window.h"

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
        node_error(n, "operand %d is missing", index);
        return NULL;
    }
    if (tensor < 0 || (uint32_t)tensor >= s->tensors.count) {
        node_malformed(n, "operand %d is tensor %d, which does not exist", index, tensor);
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
        return tflite_state(n, index, &t.type);
    node_malformed(n, "operand %d (tensor %d) is used before it is computed", index, tensor);
    return NULL;
}

bool tflite_optional_input(tflite_node *n, int index, ir_value **out)
{
    *out = NULL;
    return !tflite_has_input(n, index) || (*out = tflite_input(n, index)) != NULL;
}

bool tflite_input_is_int4(const tflite_node *n, int index)
{
    const int32_t tensor = fb_vec_i32(n->inputs, (uint32_t)index);
    return fb_u8(fb_vec_table(n->scope->tensors, (uint32_t)tensor), TENSOR_TYPE, TYPE_F32) == TYPE_I4;
}

bool tflite_output_tensor(tflite_node *n, int index, tflite_tensor *out)
{
    return tflite_tensor_read(n->scope, &n->loc, fb_vec_i32(n->outputs, (uint32_t)index), out);
}

/* ---- Parameters ---- */

ir_value *tflite_param(tflite_node *n, int index, const char *what)
{
    ir_value *v = tflite_input(n, index);
    return node_constant(n, v, index, what) ? v : NULL;
}

bool tflite_param_ints(tflite_node *n, int index, const char *what, int max, int64_t out[], int *out_count)
{
    ir_value *v = tflite_param(n, index, what);
    if (!v)
        return false;
    if (v->type.dtype != IR_I32 && v->type.dtype != IR_I64 && v->type.dtype != IR_I16)
        return node_error(n, "the %s (operand %d) has type %s, expected integers", what, index,
                          ir_dtype_text(v->type.dtype));
    return node_copy_ints(n, v, index, what, max, out, out_count);
}

bool tflite_param_int(tflite_node *n, int index, const char *what, int64_t *out)
{
    int count;
    if (!tflite_param_ints(n, index, what, 1, out, &count))
        return false;
    return count == 1 || node_error(n, "the %s (operand %d) is empty", what, index);
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
    const bool narrow = n->entry->code == IR_GATHER && tflite_input_is_int4(n, 0);
    if (narrow ? !tflite_tensor_read_narrow(n->scope, &n->loc, fb_vec_i32(n->outputs, (uint32_t)output), out)
               : !tflite_output_tensor(n, output, out))
        return false;
    ir_type type = ir_type_make(out->type.dtype, rank, dims);
    if (!n->model->reshaped && !out->any_shape && !ir_type_equal(&type, &out->type)) {
        char is[200], said[200];
        shape_text(&type, is, sizeof is);
        shape_text(&out->type, said, sizeof said);
        return node_error(n, "result %d has shape [%s], the file says [%s]", output, is, said);
    }
    out->type = type;
    return true;
}

static bool define(tflite_node *n, int output, ir_value *v, const char *name)
{
    int32_t tensor = fb_vec_i32(n->outputs, (uint32_t)output);
    if (n->scope->values[tensor])
        return node_malformed(n, "result %d is tensor %d, which already has a value", output, tensor);
    if (n->scope->kept && n->scope->kept[tensor])
        return node_error(n, "result %d is a state variable that has been read, which is not supported", output);
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
    return node_typed(n, node_emit1(n, IR_CAST, v), t->type, t->quant);
}

bool tflite_bind(tflite_node *n, int output, ir_op *op, int rank, const int64_t dims[])
{
    tflite_tensor t;
    if (!result_tensor(n, output, rank, dims, &t))
        return false;
    bool moves = ir_op_info_of(op->code)->flags & IR_SAME_QUANT;
    ir_value *v = node_typed(n, op, t.type, moves ? op->operands[0].value->quant : t.quant);
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
        return node_error(n, "result %d has type %s, the file says %s", output, ir_dtype_text(v->type.dtype),
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
        return node_error(n, "the fused activation %s is not supported",
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
        return node_error(n, "a fused TANH is supported for float results only");
    ir_value *v = node_typed(n, op, ir_type_make(IR_F32, rank, dims), NULL);
    return v && tflite_bind(n, output, node_emit1(n, IR_TANH, v), rank, dims);
}

/* ---- Shapes ---- */

bool tflite_broadcast(tflite_node *n, const ir_type *a, const ir_type *b, ir_type *out)
{
    ir_type t = {.dtype = a->dtype, .rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 1; i <= t.rank; i++) {
        int64_t da = i <= a->rank ? a->dims[a->rank - i] : 1, db = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (da != db && da != 1 && db != 1)
            return node_misfit(n, "extents %lld and %lld can't be broadcast", (long long)da, (long long)db);
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
        return node_error(n, "window %lld, stride %lld, dilation %lld: each must be at least 1", (long long)window,
                          (long long)stride, (long long)dilation);
    if (padding != PADDING_SAME && padding != PADDING_VALID)
        return node_error(n, "padding %d is neither SAME nor VALID", padding);
    const tflite_window_place place = tflite_place_window(padding, extent, window, stride, dilation);
    if (place.extent < 1)
        return node_misfit(n, "a window of %lld does not fit into %lld", (long long)place.covered, (long long)extent);
    *out_extent = place.extent;
    *out_before = place.before;
    *out_after = place.after;
    return true;
}
