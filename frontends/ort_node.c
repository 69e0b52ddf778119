/* ort_node.c: what the importers of operators share: operands, layouts, parameters, attributes, results.
 *
 * Small computations on constants are evaluated as they are built (settle()), so that chains that compute shapes are
 * constants by the time somebody wants the shape; transposed and reshaped constants are made directly. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frontends/ort_import.h"
#include "ir/interp.h"
#include "ir/shape.h"

bool ort_error(ort_node *n, const char *format, ...)
{
    char text[DIAG_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return diag_error(n->model->diag, &n->loc, "%s", text);
}

/* ---- Operands ---- */

bool ort_has(const ort_node *n, int index) { return index < n->input_count && n->inputs[index]; }
bool ort_wanted(const ort_node *n, int output) { return output < n->output_count && n->outputs[output]; }

ort_layout ort_layout_of(ort_node *n, int index)
{
    return ort_has(n, index) && n->inputs[index]->forms[ORT_LAST] && !n->inputs[index]->forms[ORT_PLAIN] ? ORT_LAST
                                                                                                         : ORT_PLAIN;
}

int ort_dim(ort_layout layout, int rank, int axis)
{
    if (layout == ORT_PLAIN || axis == 0)
        return axis;
    return axis == 1 ? rank - 1 : axis - 1;
}

ir_value *ort_to_layout(ort_node *n, ir_value *v, ort_layout from, ort_layout to)
{
    int rank = v->type.rank;
    int64_t perm[IR_MAX_RANK];
    if (from == to || rank < 3)
        return v;
    for (int axis = 0; axis < rank; axis++)
        perm[ort_dim(to, rank, axis)] = ort_dim(from, rank, axis);
    return ort_transposed(n, v, perm);
}

ir_value *ort_in(ort_node *n, int index, ort_layout layout)
{
    ort_name *name = ort_has(n, index) ? n->inputs[index] : NULL;
    if (!name) {
        ort_error(n, "operand %d is missing", index);
        return NULL;
    }
    if (!name->forms[ORT_PLAIN] && !name->forms[ORT_LAST]) {
        if (!fb_present(name->initializer)) {
            ort_error(n, "operand %d, '%s', is not defined", index, name->text);
            return NULL;
        }
        name->forms[ORT_PLAIN] = ort_tensor_constant(n->model, &n->loc, name->initializer);
        if (!name->forms[ORT_PLAIN])
            return NULL;
    }
    if (!name->forms[layout])
        name->forms[layout] = ort_to_layout(n, name->forms[!layout], !layout, layout);
    return name->forms[layout];
}

ir_value *ort_plain(ort_node *n, int index) { return ort_in(n, index, ORT_PLAIN); }

bool ort_optional(ort_node *n, int index, ir_value **out)
{
    *out = NULL;
    return !ort_has(n, index) || (*out = ort_plain(n, index)) != NULL;
}

bool ort_shape(ort_node *n, int index, ir_type *out)
{
    ort_layout layout = ort_layout_of(n, index);
    ir_value *v = ort_in(n, index, layout);
    if (!v)
        return false;
    *out = v->type;
    for (int axis = 0; axis < v->type.rank; axis++)
        out->dims[axis] = v->type.dims[ort_dim(layout, v->type.rank, axis)];
    return true;
}

/* ---- Parameters ---- */

ir_value *ort_param(ort_node *n, int index, const char *what)
{
    ir_value *v = ort_plain(n, index);
    if (v && !ir_is_const(v)) {
        ort_error(n, "the %s (operand %d) must be constant", what, index);
        return NULL;
    }
    return v;
}

bool ort_param_ints(ort_node *n, int index, const char *what, int max, int64_t out[], int *out_count)
{
    ir_value *v = ort_param(n, index, what);
    if (!v)
        return false;
    if (v->type.dtype != IR_I64 && v->type.dtype != IR_I32)
        return ort_error(n, "the %s (operand %d) must be integers", what, index);
    int64_t count = ir_type_elements(&v->type);
    if (count > max)
        return ort_error(n, "the %s (operand %d) has %lld elements, at most %d make sense", what, index,
                         (long long)count, max);
    for (int64_t i = 0; i < count; i++)
        out[i] = ir_const_int(v, i);
    *out_count = (int)count;
    return true;
}

bool ort_param_real(ort_node *n, int index, const char *what, float *out)
{
    ir_value *v = ort_param(n, index, what);
    if (!v)
        return false;
    if (ir_type_elements(&v->type) != 1 || v->type.dtype == IR_BOOL)
        return ort_error(n, "the %s (operand %d) must be one number", what, index);
    *out = (float)ir_const_real(v, 0);
    return true;
}

bool ort_axis(ort_node *n, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return ort_error(n, "dimension %lld is outside the operand's %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

const ir_quant *ort_quant(ort_node *n, int scale, int zero, int axis, int64_t channels)
{
    ir_value *s = ort_param(n, scale, "scale"), *z = NULL;
    if (!s || (ort_has(n, zero) && !(z = ort_param(n, zero, "zero point"))))
        return NULL;
    int64_t count = ir_type_elements(&s->type), zeros = z ? ir_type_elements(&z->type) : 0;
    if (s->type.dtype != IR_F32 ||
        (z && z->type.dtype != IR_U8 && z->type.dtype != IR_I8 && z->type.dtype != IR_I16 && z->type.dtype != IR_I32)) {
        ort_error(n, "scale or zero point has a type that is not supported");
        return NULL;
    }
    if ((count != 1 && count != channels) || count < 1 || (z && zeros != count && zeros != 1)) {
        ort_error(n, "%lld scales and %lld zero points for %lld channels", (long long)count, (long long)zeros,
                  (long long)channels);
        return NULL;
    }
    if (!ort_charge(n->model, &n->loc, count * 16))
        return NULL;
    float *scales = ARENA_ARRAY(n->model->graph->arena, float, count);
    int32_t *zero_points = ARENA_ARRAY(n->model->graph->arena, int32_t, count);
    for (int64_t i = 0; i < count; i++) {
        scales[i] = (float)ir_const_real(s, i);
        zero_points[i] = z ? (int32_t)ir_const_int(z, zeros == 1 ? 0 : i) : 0;
        if (!(scales[i] > 0) || !isfinite(scales[i])) {
            ort_error(n, "scale %lld is %g, which is not a positive number", (long long)i, (double)scales[i]);
            return NULL;
        }
    }
    return ir_quant_new(n->model->graph, count == 1 ? -1 : axis, (int32_t)count, scales, zero_points);
}

ir_value *ort_quantized(ort_node *n, ir_value *v, const ir_quant *q)
{
    if (ir_quant_equal(v->quant, q))
        return v;
    if (ir_is_const(v)) {
        ir_value *c = ir_const_new(n->model->graph, v->type, q, v->data);
        c->name = v->name;
        return c;
    }
    return ort_typed(n, ort_emit1(n, IR_CAST, v), v->type, q);
}

/* ---- Attributes ---- */

static fb_table attribute(ort_node *n, const char *name)
{
    for (uint32_t i = 0; i < n->attribute_count; i++)
        if (strcmp(n->attributes[i].name, name) == 0)
            return n->attributes[i].table;
    return (fb_table){0};
}

bool ort_has_attr(ort_node *n, const char *name) { return fb_present(attribute(n, name)); }

int64_t ort_int(ort_node *n, const char *name, int64_t def)
{
    fb_table t = attribute(n, name);
    return fb_present(t) ? fb_i64(t, ATTRIBUTE_I, 0) : def;
}

float ort_float(ort_node *n, const char *name, float def)
{
    fb_table t = attribute(n, name);
    return fb_present(t) ? fb_f32(t, ATTRIBUTE_F, 0) : def;
}

const char *ort_text(ort_node *n, const char *name, const char *def)
{
    fb_table t = attribute(n, name);
    uint32_t length;
    if (!fb_present(t))
        return def;
    const char *text = fb_string(t, ATTRIBUTE_S, &length);
    return text ? arena_string(n->model->graph->arena, text, length) : "";
}

bool ort_ints(ort_node *n, const char *name, int max, int64_t out[], int *out_count)
{
    fb_table t = attribute(n, name);
    if (!fb_present(t))
        return true;
    fb_vector v = fb_vec(t, ATTRIBUTE_INTS, 8);
    if (v.count > (uint32_t)max)
        return ort_error(n, "attribute %s has %u numbers, at most %d make sense", name, v.count, max);
    for (uint32_t i = 0; i < v.count; i++)
        out[i] = fb_vec_i64(v, i);
    *out_count = (int)v.count;
    return true;
}

int ort_floats(ort_node *n, const char *name, int max, float out[])
{
    fb_vector v = fb_vec(attribute(n, name), ATTRIBUTE_FLOATS, 4);
    int count = v.count < (uint32_t)max ? (int)v.count : max;
    for (int i = 0; i < count; i++)
        out[i] = fb_vec_f32(v, (uint32_t)i);
    return count;
}

fb_table ort_tensor_attr(ort_node *n, const char *name) { return fb_sub(attribute(n, name), ATTRIBUTE_T); }

/* ---- Building ---- */

ir_op *ort_emit(ort_node *n, ir_opcode code, int operand_count, ir_value *const operands[])
{
    ir_op *op = ir_op_new(n->model->graph, code, NULL, operand_count, operands);
    op->loc = n->loc;
    return op;
}

ir_op *ort_emit1(ort_node *n, ir_opcode code, ir_value *x) { return ort_emit(n, code, 1, &x); }
ir_op *ort_emit2(ort_node *n, ir_opcode code, ir_value *a, ir_value *b)
{
    return ort_emit(n, code, 2, (ir_value *[]){a, b});
}

/* Small computations are worth it because they may steer shapes; moving a constant's bytes always is.
 * Not dequantize, but of one number, which may be a parameter: passes make integer ops of floats whose scales they see. */
static bool foldable(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    bool moves = op->code == IR_TRANSPOSE || op->code == IR_CAST;
    if (!(info->flags & IR_PURE) || info->results != 1 || op->operand_count == 0)
        return false;
    if (op->code == IR_DEQUANTIZE)
        return ir_is_const(op->operands[0].value) && ir_type_elements(&op->results[0]->type) == 1;
    if (!moves && (op->results[0]->quant || ir_type_elements(&op->results[0]->type) > ORT_MAX_FOLDED))
        return false;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && (!ir_is_const(v) || (!moves && ir_type_elements(&v->type) > ORT_MAX_FOLDED)))
            return false;
    }
    return true;
}

static bool check_size(ort_node *n, const ir_type *type)
{
    if (!ir_type_valid(type))
        return ort_error(n, "a result is larger than 2 GiB");
    n->model->total_bytes += (int64_t)ir_type_bytes(type);
    return n->model->total_bytes <= ORT_MAX_TOTAL_BYTES ||
           ort_error(n, "the model's values are larger than %lld GiB in all", (long long)(ORT_MAX_TOTAL_BYTES >> 30));
}

static ir_value *settle(ort_node *n, ir_op *op)
{
    diag *d = n->model->diag;
    ir_value *r = op->results[0];
    ir_type type;
    if (!ir_verify_attrs(op, d) || !ir_infer_shape(op, 0, &type, d))
        return NULL;
    if (!ir_type_equal(&type, &r->type)) {
        ort_error(n, "the result has type %s, or its shape does not follow from the operands",
                  ir_dtype_text(r->type.dtype));
        return NULL;
    }
    if (!ir_op_supported(op, d))
        return NULL;
    if (!foldable(op))
        return r;
    arena *a = n->model->graph->arena;
    if (!ort_charge(n->model, &n->loc, (int64_t)ir_type_bytes(&r->type)))
        return NULL;
    void *data = arena_alloc(a, ir_type_bytes(&r->type) + 1);
    const void **operands = ARENA_ARRAY(a, const void *, op->operand_count);
    for (int i = 0; i < op->operand_count; i++)
        operands[i] = op->operands[i].value ? op->operands[i].value->data : NULL;
    if (!ir_eval_op(op, operands, &data, d))
        return NULL;
    ir_value *constant = ir_const_new(n->model->graph, r->type, r->quant, data);
    ir_op_erase(op);
    return constant;
}

ir_value *ort_typed(ort_node *n, ir_op *op, ir_type type, const ir_quant *quant)
{
    if (!check_size(n, &type))
        return NULL;
    ir_result_set(op, 0, type, quant);
    return settle(n, op);
}

ir_value *ort_done_quant(ort_node *n, ir_op *op, ir_dtype dtype, const ir_quant *quant)
{
    ir_type type = {.dtype = dtype};
    ir_result_set(op, 0, type, quant);
    if (!ir_verify_attrs(op, n->model->diag) || !ir_infer_shape(op, 0, &type, n->model->diag))
        return NULL;
    return ort_typed(n, op, type, quant);
}

ir_value *ort_done(ort_node *n, ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    bool keeps = ir_op_info_of(op->code)->flags & IR_SAME_QUANT;
    if (x->quant && !keeps) {
        ort_error(n, "the operator is not defined on quantized values");
        return NULL;
    }
    if (x->quant && x->quant->axis >= 0) {
        ort_error(n, "moving values that are quantized per channel is not supported");
        return NULL;
    }
    return ort_done_quant(n, op, x->type.dtype, x->quant);
}

ir_value *ort_unary(ort_node *n, ir_opcode code, ir_value *x) { return x ? ort_done(n, ort_emit1(n, code, x)) : NULL; }

ir_value *ort_binary(ort_node *n, ir_opcode code, ir_value *a, ir_value *b)
{
    return a && b ? ort_done(n, ort_emit2(n, code, a, b)) : NULL;
}

ir_value *ort_binary_act(ort_node *n, ir_opcode code, ir_value *a, ir_value *b, ir_enum_ACT act)
{
    if (!a || !b)
        return NULL;
    ir_op *op = ort_emit2(n, code, a, b);
    ir_set_int(op, IR_ATTR_ACT, act);
    return ort_done(n, op);
}

ir_value *ort_reshaped(ort_node *n, ir_value *v, int rank, const int64_t dims[])
{
    if (!v)
        return NULL;
    ir_type type = ir_type_make(v->type.dtype, rank, dims);
    if (ir_type_equal(&type, &v->type))
        return v;
    if (!ir_type_valid(&type) || ir_type_elements(&type) != ir_type_elements(&v->type)) {
        ort_error(n, "%lld elements can't be reshaped into %lld", (long long)ir_type_elements(&v->type),
                  (long long)(ir_type_valid(&type) ? ir_type_elements(&type) : -1));
        return NULL;
    }
    if (v->quant && v->quant->axis >= 0) {
        ort_error(n, "reshaping values that are quantized per channel is not supported");
        return NULL;
    }
    if (ir_is_const(v))
        return ir_const_new(n->model->graph, type, v->quant, v->data);
    return ort_typed(n, ort_emit1(n, IR_RESHAPE, v), type, v->quant);
}

/* A transpose that leaves the elements in their order is a reshape. */
ir_value *ort_transposed(ort_node *n, ir_value *v, const int64_t perm[])
{
    if (!v)
        return NULL;
    ir_type type = v->type;
    int64_t last = -1;
    bool ordered = true, same = true;
    for (int i = 0; i < type.rank; i++) {
        type.dims[i] = v->type.dims[perm[i]];
        same &= perm[i] == i;
        if (type.dims[i] == 1)
            continue;
        ordered &= perm[i] > last;
        last = perm[i];
    }
    if (same)
        return v;
    if (ordered)
        return ort_reshaped(n, v, type.rank, type.dims);
    ir_op *op = ort_emit1(n, IR_TRANSPOSE, v);
    ir_set_ints(op, IR_ATTR_PERM, type.rank, perm);
    return ort_done(n, op);
}

ir_value *ort_reals(ort_node *n, int rank, const int64_t dims[], const float values[])
{
    ir_type type = ir_type_make(IR_F32, rank, dims);
    void *data = arena_copy(n->model->graph->arena, values, ir_type_bytes(&type));
    return ir_const_new(n->model->graph, type, NULL, data);
}

ir_value *ort_real(ort_node *n, float x) { return ort_reals(n, 0, NULL, &x); }

ir_value *ort_i64s(ort_node *n, int rank, int64_t count, const int64_t values[])
{
    void *data = arena_alloc(n->model->graph->arena, (size_t)count * 8 + 1);
    memcpy(data, values, (size_t)count * 8);
    return ir_const_new(n->model->graph, ir_type_make(IR_I64, rank, &count), NULL, data);
}

bool ort_put(ort_node *n, int output, ir_value *v, ort_layout layout)
{
    if (!v)
        return false;
    if (!ort_wanted(n, output))
        return true;
    ort_name *name = n->outputs[output];
    if (v->type.rank < 3)
        layout = ORT_PLAIN;
    name->forms[layout] = v;
    if (!v->name)
        v->name = name->text;
    return true;
}
