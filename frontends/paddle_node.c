/* paddle_node.c: what the importers of operators share: variables, layouts, attributes, results.
 *
 * Small computations on constants are evaluated as they are built (settle()), so that chains that compute shapes are
 * constants by the time somebody wants the shape; transposed and reshaped constants are made directly. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frontends/paddle_import.h"
#include "ir/interp.h"
#include "ir/shape.h"

bool paddle_error(paddle_node *n, const char *format, ...)
{
    char text[DIAG_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return diag_error(n->model->diag, &n->loc, "%s", text);
}

/* ---- Operands ---- */

static const paddle_list *list_of(const paddle_list *lists, uint32_t count, const char *parameter)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(lists[i].parameter, parameter) == 0)
            return &lists[i];
    return NULL;
}

int paddle_count(const paddle_node *n, const char *parameter)
{
    const paddle_list *l = list_of(n->inputs, n->input_count, parameter);
    return l ? (int)l->names.count : 0;
}

int paddle_result_count(const paddle_node *n, const char *parameter)
{
    const paddle_list *l = list_of(n->outputs, n->output_count, parameter);
    return l ? (int)l->names.count : 0;
}

static paddle_variable *variable_at(paddle_node *n, const paddle_list *l, int index)
{
    uint32_t length;
    if (!l || index >= (int)l->names.count)
        return NULL;
    const char *text = fb_vec_string(l->names, (uint32_t)index, &length);
    return fb_ok(&n->model->reader) ? paddle_variable_of(n->model, text, length) : NULL;
}

int paddle_dim(paddle_layout layout, int rank, int axis)
{
    if (layout == PADDLE_PLAIN || axis == 0)
        return axis;
    return axis == 1 ? rank - 1 : axis - 1;
}

paddle_layout paddle_layout_of(paddle_node *n, const char *parameter, int index)
{
    paddle_variable *v = variable_at(n, list_of(n->inputs, n->input_count, parameter), index);
    return v && v->forms[PADDLE_LAST] && !v->forms[PADDLE_PLAIN] ? PADDLE_LAST : PADDLE_PLAIN;
}

ir_value *paddle_to_layout(paddle_node *n, ir_value *v, paddle_layout from, paddle_layout to)
{
    int64_t perm[IR_MAX_RANK];
    if (!v || from == to || v->type.rank < 3)
        return v;
    for (int axis = 0; axis < v->type.rank; axis++)
        perm[paddle_dim(to, v->type.rank, axis)] = paddle_dim(from, v->type.rank, axis);
    return paddle_transposed(n, v, perm);
}

ir_value *paddle_in(paddle_node *n, const char *parameter, int index, paddle_layout layout)
{
    paddle_variable *v = variable_at(n, list_of(n->inputs, n->input_count, parameter), index);
    if (!v) {
        paddle_error(n, "operand %s is missing", parameter);
        return NULL;
    }
    if (!v->forms[PADDLE_PLAIN] && !v->forms[PADDLE_LAST]) {
        paddle_error(n, "operand %s, '%s', is used before it is computed", parameter, v->text);
        return NULL;
    }
    if (!v->forms[layout])
        v->forms[layout] = paddle_to_layout(n, v->forms[!layout], layout ? PADDLE_PLAIN : PADDLE_LAST, layout);
    return v->forms[layout];
}

ir_value *paddle_plain(paddle_node *n, const char *parameter) { return paddle_in(n, parameter, 0, PADDLE_PLAIN); }

bool paddle_optional(paddle_node *n, const char *parameter, ir_value **out)
{
    *out = NULL;
    return !paddle_count(n, parameter) || (*out = paddle_plain(n, parameter)) != NULL;
}

ir_value *paddle_param(paddle_node *n, const char *parameter)
{
    ir_value *v = paddle_plain(n, parameter);
    if (v && !ir_is_const(v)) {
        paddle_error(n, "operand %s must be constant", parameter);
        return NULL;
    }
    return v;
}

bool paddle_absent(paddle_node *n, const char *parameter)
{
    return !paddle_count(n, parameter) || paddle_error(n, "operand %s is not supported", parameter);
}

bool paddle_param_int(paddle_node *n, const char *parameter, int index, int64_t *out)
{
    ir_value *v = paddle_in(n, parameter, index, PADDLE_PLAIN);
    if (!v)
        return false;
    if (!ir_is_const(v) || (v->type.dtype != IR_I32 && v->type.dtype != IR_I64) || ir_type_elements(&v->type) != 1)
        return paddle_error(n, "operand %s must be one constant integer", parameter);
    *out = ir_const_int(v, 0);
    return true;
}

bool paddle_axis(paddle_node *n, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return paddle_error(n, "dimension %lld is outside the operand's %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

/* ---- Attributes ---- */

static fb_table attribute(paddle_node *n, const char *name, int *out_type)
{
    for (uint32_t i = 0; i < n->attribute_count; i++)
        if (strcmp(n->attributes[i].name, name) == 0) {
            *out_type = fb_i32(n->attributes[i].table, ATTR_TYPE, 0);
            return n->attributes[i].table;
        }
    *out_type = -1;
    return (fb_table){0};
}

bool paddle_has_attr(paddle_node *n, const char *name)
{
    int type;
    return fb_present(attribute(n, name, &type));
}

int64_t paddle_int(paddle_node *n, const char *name, int64_t def)
{
    int type;
    fb_table t = attribute(n, name, &type);
    switch (type) {
    case TYPE_INT: return fb_i32(t, ATTR_I, 0);
    case TYPE_LONG: return fb_i64(t, ATTR_L, 0);
    case TYPE_BOOLEAN: return fb_bool(t, ATTR_B, false);
    default: return def;
    }
}

float paddle_float(paddle_node *n, const char *name, float def)
{
    int type;
    fb_table t = attribute(n, name, &type);
    return type == TYPE_FLOAT ? fb_f32(t, ATTR_F, 0) : type == TYPE_INT ? (float)fb_i32(t, ATTR_I, 0) : def;
}

const char *paddle_text(paddle_node *n, const char *name, const char *def)
{
    int type;
    uint32_t length;
    fb_table t = attribute(n, name, &type);
    const char *text = type == TYPE_STRING ? fb_string(t, ATTR_S, &length) : NULL;
    return text ? arena_string(n->model->graph->arena, text, length) : type == TYPE_STRING ? "" : def;
}

bool paddle_ints(paddle_node *n, const char *name, int max, int64_t out[], int *out_count)
{
    int type;
    fb_table t = attribute(n, name, &type);
    bool wide = type == TYPE_LONGS;
    *out_count = 0;
    if (type != TYPE_INTS && !wide)
        return true;
    fb_vector v = fb_vec(t, wide ? ATTR_LONGS : ATTR_INTS, wide ? 8 : 4);
    if (v.count > (uint32_t)max)
        return paddle_error(n, "attribute %s has %u numbers, at most %d make sense", name, v.count, max);
    for (uint32_t i = 0; i < v.count; i++)
        out[i] = wide ? fb_vec_i64(v, i) : fb_vec_i32(v, i);
    *out_count = (int)v.count;
    return true;
}

bool paddle_floats(paddle_node *n, const char *name, int64_t max, float out[], int64_t *out_count)
{
    int type;
    fb_table t = attribute(n, name, &type);
    *out_count = 0;
    if (type == TYPE_FLOAT && max >= 1) {
        out[0] = fb_f32(t, ATTR_F, 0);
        *out_count = 1;
    }
    if (type != TYPE_FLOATS)
        return true;
    fb_vector v = fb_vec(t, ATTR_FLOATS, 4);
    if (v.count > max)
        return paddle_error(n, "attribute %s has %u numbers, at most %lld make sense", name, v.count, (long long)max);
    for (uint32_t i = 0; i < v.count; i++)
        out[i] = fb_vec_f32(v, i);
    *out_count = v.count;
    return true;
}

/* ---- Building ---- */

ir_op *paddle_emit(paddle_node *n, ir_opcode code, int operand_count, ir_value *const operands[])
{
    ir_op *op = ir_op_new(n->model->graph, code, NULL, operand_count, operands);
    op->loc = n->loc;
    return op;
}

/* Small computations are worth it because they may steer shapes; moving a constant's bytes always is. */
static bool foldable(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    bool moves = op->code == IR_TRANSPOSE || op->code == IR_DEQUANTIZE || op->code == IR_CAST;
    if (!(info->flags & IR_PURE) || info->results != 1 || op->operand_count == 0)
        return false;
    if (!moves && (op->results[0]->quant || ir_type_elements(&op->results[0]->type) > PADDLE_MAX_FOLDED))
        return false;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && (!ir_is_const(v) || (!moves && ir_type_elements(&v->type) > PADDLE_MAX_FOLDED)))
            return false;
    }
    return true;
}

static bool check_size(paddle_node *n, const ir_type *type)
{
    if (!ir_type_valid(type))
        return paddle_error(n, "a result is larger than 2 GiB, or has impossible dimensions");
    n->model->total_bytes += (int64_t)ir_type_bytes(type);
    return n->model->total_bytes <= PADDLE_MAX_TOTAL_BYTES ||
           paddle_error(n, "the model's values are larger than %lld GiB in all", (long long)(PADDLE_MAX_TOTAL_BYTES >> 30));
}

/* Checks that a complete op is well-formed and defined for its types; the value is its result, or the constant that it
 * comes to. */
static ir_value *settle(paddle_node *n, ir_op *op)
{
    paddle_model *m = n->model;
    ir_value *r = op->results[0];
    ir_type type;
    if (!ir_verify_attrs(op, m->diag) || !ir_infer_shape(op, 0, &type, m->diag))
        return NULL;
    if (!ir_type_equal(&type, &r->type)) {
        paddle_error(n, "the result's shape does not follow from the operands");
        return NULL;
    }
    if (!ir_op_supported(op, m->diag))
        return NULL;
    if (!foldable(op))
        return r;
    if ((m->dense_budget -= (int64_t)ir_type_bytes(&r->type)) < 0) {
        paddle_error(n, "constants would take far more memory than the file");
        return NULL;
    }
    void *data = arena_alloc(m->graph->arena, ir_type_bytes(&r->type) + 1);
    const void **operands = ARENA_ARRAY(m->graph->arena, const void *, op->operand_count);
    for (int i = 0; i < op->operand_count; i++)
        operands[i] = op->operands[i].value ? op->operands[i].value->data : NULL;
    if (!ir_eval_op(op, operands, &data, m->diag))
        return NULL;
    ir_value *constant = ir_const_new(m->graph, r->type, r->quant, data);
    ir_op_erase(op);
    return constant;
}

ir_value *paddle_typed(paddle_node *n, ir_op *op, ir_type type, const ir_quant *quant)
{
    if (!check_size(n, &type))
        return NULL;
    ir_result_set(op, 0, type, quant);
    return settle(n, op);
}

ir_value *paddle_done_quant(paddle_node *n, ir_op *op, ir_dtype dtype, const ir_quant *quant)
{
    ir_type type = {.dtype = dtype};
    ir_result_set(op, 0, type, quant);
    if (!ir_verify_attrs(op, n->model->diag) || !ir_infer_shape(op, 0, &type, n->model->diag))
        return NULL;
    return paddle_typed(n, op, type, quant);
}

ir_value *paddle_done(paddle_node *n, ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    if (x->quant && !(ir_op_info_of(op->code)->flags & IR_SAME_QUANT)) {
        paddle_error(n, "the operator is not supported on quantized values");
        return NULL;
    }
    return paddle_done_quant(n, op, x->type.dtype, x->quant);
}

ir_value *paddle_unary(paddle_node *n, ir_opcode code, ir_value *x)
{
    return x ? paddle_done(n, paddle_emit(n, code, 1, &x)) : NULL;
}

ir_value *paddle_binary(paddle_node *n, ir_opcode code, ir_value *a, ir_value *b, ir_enum_ACT act)
{
    if (!a || !b)
        return NULL;
    ir_op *op = paddle_emit(n, code, 2, (ir_value *[]){a, b});
    if (ir_has_attr(op, IR_ATTR_ACT))
        ir_set_int(op, IR_ATTR_ACT, act);
    ir_value *y = paddle_done(n, op);
    if (!y || act == IR_ACT_NONE || ir_has_attr(op, IR_ATTR_ACT))
        return y;
    op = paddle_emit(n, IR_RELU, 1, &y);
    ir_set_int(op, IR_ATTR_ACT, act);
    return paddle_done(n, op);
}

ir_value *paddle_reshaped(paddle_node *n, ir_value *v, int rank, const int64_t dims[])
{
    if (!v)
        return NULL;
    ir_type type = ir_type_make(v->type.dtype, rank, dims);
    if (ir_type_equal(&type, &v->type))
        return v;
    if (!ir_type_valid(&type) || ir_type_elements(&type) != ir_type_elements(&v->type)) {
        paddle_error(n, "the operand's %lld elements don't fill the new shape", (long long)ir_type_elements(&v->type));
        return NULL;
    }
    if (ir_is_const(v) && (!v->quant || v->quant->axis < 0))
        return ir_const_new(n->model->graph, type, v->quant, v->data);
    return paddle_typed(n, paddle_emit(n, IR_RESHAPE, 1, &v), type, v->quant);
}

/* A transpose that leaves the elements in their order is a reshape. */
ir_value *paddle_transposed(paddle_node *n, ir_value *v, const int64_t perm[])
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
        return paddle_reshaped(n, v, type.rank, type.dims);
    ir_op *op = paddle_emit(n, IR_TRANSPOSE, 1, &v);
    ir_set_ints(op, IR_ATTR_PERM, type.rank, perm);
    return paddle_done(n, op);
}

ir_value *paddle_sliced(paddle_node *n, ir_value *v, const int64_t begin[], const int64_t dims[])
{
    int64_t step[IR_MAX_RANK];
    ir_type type = ir_type_make(v->type.dtype, v->type.rank, dims);
    for (int i = 0; i < v->type.rank; i++)
        step[i] = 1;
    if (ir_type_equal(&type, &v->type))
        return v;
    ir_op *op = paddle_emit(n, IR_SLICE, 1, &v);
    ir_set_ints(op, IR_ATTR_BEGIN, v->type.rank, begin);
    ir_set_ints(op, IR_ATTR_STEP, v->type.rank, step);
    return paddle_typed(n, op, type, v->quant);
}

ir_value *paddle_reals(paddle_node *n, int rank, const int64_t dims[], const float values[])
{
    ir_type type = ir_type_make(IR_F32, rank, dims);
    return ir_const_new(n->model->graph, type, NULL, arena_copy(n->model->graph->arena, values, ir_type_bytes(&type)));
}

ir_value *paddle_real(paddle_node *n, float x) { return paddle_reals(n, 0, NULL, &x); }

ir_value *paddle_quantized(paddle_node *n, ir_value *v, float scale)
{
    if (!v)
        return NULL;
    if (!(scale > 0) || !isfinite(scale)) {
        paddle_error(n, "scale %g is not a positive number", (double)scale);
        return NULL;
    }
    const ir_quant *q = ir_quant_tensor(n->model->graph, scale, 0);
    if (v->type.dtype == IR_F32)
        return paddle_done_quant(n, paddle_emit(n, IR_QUANTIZE, 1, &v), IR_I8, q);
    if (v->type.dtype != IR_I8) {
        paddle_error(n, "values of type %s where 8-bit ones are expected", ir_dtype_text(v->type.dtype));
        return NULL;
    }
    /* The kernel reads the bytes with its own scale, whatever the writer's was. */
    return ir_quant_equal(v->quant, q) ? v : paddle_done_quant(n, paddle_emit(n, IR_CAST, 1, &v), IR_I8, q);
}

bool paddle_put_at(paddle_node *n, const char *parameter, int index, ir_value *v, paddle_layout layout)
{
    paddle_variable *to = v ? variable_at(n, list_of(n->outputs, n->output_count, parameter), index) : NULL;
    if (!v || (!to && !fb_ok(&n->model->reader)))
        return false;
    if (!to)
        return paddle_error(n, "result %s is missing", parameter);
    if (v->type.rank < 3)
        layout = PADDLE_PLAIN;
    to->forms[layout] = v;
    to->forms[!layout] = NULL;
    if (!v->name)
        v->name = to->text;
    return true;
}

bool paddle_put(paddle_node *n, const char *parameter, ir_value *v, paddle_layout layout)
{
    return paddle_put_at(n, parameter, 0, v, layout);
}

/* ---- Activations ---- */

bool paddle_standard_hard_swish(paddle_node *n, const char *prefix)
{
    static const char *const names[] = {"threshold", "scale", "offset"};
    static const float values[] = {6, 6, 3};
    char name[64];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        if (paddle_float(n, name, values[i]) != values[i])
            return paddle_error(n, "a hard_swish with %s %g is not supported", name, (double)paddle_float(n, name, 0));
    }
    return true;
}

bool paddle_activation_of(paddle_node *n, const char *type, paddle_activation *out)
{
    *out = (paddle_activation){IR_ACT_NONE, IR_RELU, 0};
    if (strcmp(type, "relu") == 0) {
        out->act = IR_ACT_RELU;
    } else if (strcmp(type, "relu6") == 0) {
        float bound = paddle_float(n, "fuse_brelu_threshold", 6);
        if (bound != 6 && bound != 1)
            return paddle_error(n, "a fused relu6 with the bound %g is not supported", (double)bound);
        out->act = bound == 6 ? IR_ACT_RELU6 : IR_ACT_RELU_0_TO_1;
    } else if (strcmp(type, "leaky_relu") == 0) {
        out->code = IR_LEAKY_RELU;
        out->alpha = paddle_float(n, "leaky_relu_alpha", 0);
    } else if (strcmp(type, "hard_swish") == 0) {
        out->code = IR_HARD_SWISH;
        return paddle_standard_hard_swish(n, "hard_swish_");
    } else if (strcmp(type, "sigmoid") == 0) {
        out->code = IR_LOGISTIC;
    } else if (strcmp(type, "tanh") == 0) {
        out->code = IR_TANH;
    } else if (*type) {
        return paddle_error(n, "the fused activation %s is not supported", type);
    }
    return true;
}

ir_value *paddle_activated(paddle_node *n, ir_value *v, const paddle_activation *a)
{
    if (!v || a->code == IR_RELU)
        return v;
    ir_op *op = paddle_emit(n, a->code, 1, &v);
    if (a->code == IR_LEAKY_RELU)
        ir_set_float(op, IR_ATTR_ALPHA, a->alpha);
    return paddle_done(n, op);
}
