/* node.c: what importers of operators share beyond node.h: variables, attributes, results, activations. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontends/node/node_attributes.h"
#include "frontends/paddle/import.h"

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
    return l && index < (int)l->names.count ? paddle_variable_of(n->model, l->names.text[index]) : NULL;
}

node_layout paddle_layout_of(paddle_node *n, const char *parameter, int index)
{
    paddle_variable *v = variable_at(n, list_of(n->inputs, n->input_count, parameter), index);
    return v && v->forms[LAYOUT_LAST] && !v->forms[LAYOUT_PLAIN] ? LAYOUT_LAST : LAYOUT_PLAIN;
}

ir_value *paddle_in_units(paddle_node *n, const char *parameter, int index, node_layout layout, float *out_unit)
{
    paddle_variable *v = variable_at(n, list_of(n->inputs, n->input_count, parameter), index);
    if (!v) {
        node_error(n, "operand %s is missing", parameter);
        return NULL;
    }
    if (!v->forms[LAYOUT_PLAIN] && !v->forms[LAYOUT_LAST]) {
        node_error(n, "operand %s, '%s', is used before it is computed", parameter, v->text);
        return NULL;
    }
    if (!v->forms[layout])
        v->forms[layout] = node_to_layout(n, v->forms[!layout], layout ? LAYOUT_PLAIN : LAYOUT_LAST, layout);
    *out_unit = v->unit;
    return v->forms[layout];
}

ir_value *paddle_in(paddle_node *n, const char *parameter, int index, node_layout layout)
{
    float unit;
    ir_value *v = paddle_in_units(n, parameter, index, layout, &unit);
    return v && unit > 0 ? node_binary(n, IR_MUL, v, node_real(n, 1 / unit)) : v;
}

void paddle_forget(paddle_node *n, const char *parameter)
{
    paddle_variable *v = variable_at(n, list_of(n->inputs, n->input_count, parameter), 0);
    if (v)
        v->forms[0] = v->forms[1] = NULL;
}

bool paddle_set_unit(paddle_node *n, const char *parameter, float unit)
{
    paddle_variable *v = variable_at(n, list_of(n->outputs, n->output_count, parameter), 0);
    if (v)
        v->unit = unit;
    return v != NULL;
}

ir_value *paddle_plain(paddle_node *n, const char *parameter) { return paddle_in(n, parameter, 0, LAYOUT_PLAIN); }

bool paddle_optional(paddle_node *n, const char *parameter, ir_value **out)
{
    *out = NULL;
    return !paddle_count(n, parameter) || (*out = paddle_plain(n, parameter)) != NULL;
}

ir_value *paddle_param(paddle_node *n, const char *parameter)
{
    ir_value *v = paddle_plain(n, parameter);
    if (v && !ir_is_const(v)) {
        node_error(n, "operand %s must be constant", parameter);
        return NULL;
    }
    return v;
}

bool paddle_absent(paddle_node *n, const char *parameter)
{
    return !paddle_count(n, parameter) || node_error(n, "operand %s is not supported", parameter);
}

bool paddle_param_int(paddle_node *n, const char *parameter, int index, int64_t *out)
{
    ir_value *v = paddle_in(n, parameter, index, LAYOUT_PLAIN);
    if (!v)
        return false;
    if (!ir_is_const(v) || (v->type.dtype != IR_I32 && v->type.dtype != IR_I64) || ir_type_elements(&v->type) != 1)
        return node_error(n, "operand %s must be one constant integer", parameter);
    *out = ir_const_int(v, 0);
    return true;
}

/* ---- Attributes ---- */

#define BIT(type) (1u << (type))

static bool is_list(int type)
{
    return type == TYPE_INTS || type == TYPE_FLOATS || type == TYPE_STRINGS || type == TYPE_BOOLEANS ||
           type == TYPE_LONGS;
}

/* An attribute of one of the types, which are bits; NULL: there is none.  A list of nothing is none, whatever its
 * type. */
static const frontend_value *attribute(paddle_node *n, const char *name, unsigned types)
{
    frontend_attribute *a = node_attribute(n, name);
    if (!a)
        return NULL;
    const frontend_value *v = a->value;
    const bool fits = v->type >= 0 && v->type < 32 && types >> v->type & 1;
    a->sought = true;
    a->read |= fits || (is_list(v->type) && v->count == 0);
    return fits ? v : NULL;
}

bool paddle_attribute_allowed(const frontend_attribute *a, const char *values)
{
    const frontend_value *v = a->value;
    switch (v->type) {
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_BOOLEAN: return attribute_allows_int(values, v->i);
    case TYPE_FLOAT: return attribute_allows_real(values, v->f);
    case TYPE_STRING: return attribute_allows_text(values, v->s, v->count);
    default: break;
    }
    for (uint32_t i = 0; i < v->count; i++)
        if (!(v->ints && attribute_allows_int(values, v->ints[i])) &&
            !(v->floats && attribute_allows_real(values, v->floats[i])))
            return false;
    return is_list(v->type);
}

bool paddle_has_attr(paddle_node *n, const char *name)
{
    return node_attribute_is_declared(n, name) && node_attribute(n, name);
}

int64_t paddle_int(paddle_node *n, const char *name, int64_t def)
{
    const frontend_value *v = attribute(n, name, BIT(TYPE_INT) | BIT(TYPE_LONG) | BIT(TYPE_BOOLEAN));
    return v ? v->i : def;
}

float paddle_float(paddle_node *n, const char *name, float def)
{
    const frontend_value *v = attribute(n, name, BIT(TYPE_FLOAT) | BIT(TYPE_INT));
    return !v ? def : v->type == TYPE_FLOAT ? v->f : (float)v->i;
}

const char *paddle_text(paddle_node *n, const char *name, const char *def)
{
    const frontend_value *v = attribute(n, name, BIT(TYPE_STRING));
    return v ? v->s : def;
}

bool paddle_ints(paddle_node *n, const char *name, int max, int64_t out[], int *out_count)
{
    const frontend_value *v = attribute(n, name, BIT(TYPE_INT) | BIT(TYPE_LONG) | BIT(TYPE_INTS) | BIT(TYPE_LONGS));
    *out_count = 0;
    if (v && !v->ints && max >= 1)
        out[(*out_count)++] = v->i;
    if (!v || !v->ints)
        return true;
    if (v->count > (uint32_t)max)
        return node_error(n, "attribute %s has %u numbers, at most %d make sense", name, v->count, max);
    memcpy(out, v->ints, v->count * sizeof *out);
    *out_count = (int)v->count;
    return true;
}

bool paddle_floats(paddle_node *n, const char *name, int64_t max, float out[], int64_t *out_count)
{
    const frontend_value *v = attribute(n, name, BIT(TYPE_FLOAT) | BIT(TYPE_FLOATS));
    *out_count = !v ? 0 : v->floats ? v->count : max >= 1;
    if (*out_count > max)
        return node_error(n, "attribute %s has %lld numbers, at most %lld make sense", name, (long long)*out_count,
                          (long long)max);
    for (int64_t i = 0; out && i < *out_count; i++)
        out[i] = v->floats ? v->floats[i] : v->f;
    return true;
}

/* ---- Building ---- */

ir_value *paddle_sliced(paddle_node *n, ir_value *v, const int64_t begin[], const int64_t dims[])
{
    int64_t step[IR_MAX_RANK];
    ir_type type = ir_type_make(v->type.dtype, v->type.rank, dims);
    for (int i = 0; i < v->type.rank; i++)
        step[i] = 1;
    if (ir_type_equal(&type, &v->type))
        return v;
    ir_op *op = node_emit(n, IR_SLICE, 1, &v);
    ir_set_ints(op, IR_ATTR_BEGIN, v->type.rank, begin);
    ir_set_ints(op, IR_ATTR_STEP, v->type.rank, step);
    return node_typed(n, op, type, v->quant);
}

static ir_value *lite_quantize(paddle_node *n, ir_value *v, const ir_quant *q)
{
    ir_op *op = node_emit(n, IR_QUANTIZE, 1, &v);
    ir_set_int(op, IR_ATTR_ROUNDING, IR_ROUNDING_LITE_F32);
    return node_done_quant(n, op, IR_I8, q);
}

ir_value *paddle_quantized(paddle_node *n, ir_value *v, float scale)
{
    if (!v)
        return NULL;
    if (!(scale > 0) || !isfinite(scale)) {
        node_error(n, "scale %g is not a positive number", (double)scale);
        return NULL;
    }
    const ir_quant *q = ir_quant_tensor(n->model->graph, scale, 0);
    if (v->type.dtype == IR_F32)
        return lite_quantize(n, v, q);
    if (v->type.dtype != IR_I8) {
        node_error(n, "values of type %s where 8-bit ones are expected", ir_dtype_text(v->type.dtype));
        return NULL;
    }
    /* The kernel reads the bytes with its own scale, whatever the writer's was. */
    return ir_quant_equal(v->quant, q) ? v : node_done_quant(n, node_emit(n, IR_CAST, 1, &v), IR_I8, q);
}

bool paddle_put_at(paddle_node *n, const char *parameter, int index, ir_value *v, node_layout layout)
{
    paddle_variable *to = v ? variable_at(n, list_of(n->outputs, n->output_count, parameter), index) : NULL;
    if (!v)
        return false;
    if (!to)
        return node_error(n, "result %s is missing", parameter);
    if (v->type.rank < 3)
        layout = LAYOUT_PLAIN;
    to->forms[layout] = v;
    to->forms[!layout] = NULL;
    to->unit = 0;
    if (!v->name)
        v->name = to->text;
    return true;
}

bool paddle_put(paddle_node *n, const char *parameter, ir_value *v, node_layout layout)
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
            return node_error(n, "a hard_swish with %s %g is not supported", name, (double)paddle_float(n, name, 0));
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
            return node_error(n, "a fused relu6 with the bound %g is not supported", (double)bound);
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
        return node_error(n, "the fused activation %s is not supported", type);
    }
    return true;
}

ir_value *paddle_activated(paddle_node *n, ir_value *v, const paddle_activation *a)
{
    if (!v || a->code == IR_RELU)
        return v;
    ir_op *op = node_emit(n, a->code, 1, &v);
    if (a->code == IR_LEAKY_RELU)
        ir_set_float(op, IR_ATTR_ALPHA, a->alpha);
    return node_done(n, op);
}
