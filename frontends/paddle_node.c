/* paddle_node.c: what importers of operators share beyond node.h: variables, attributes, results, activations. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontends/node_attributes.h"
#include "frontends/paddle_import.h"

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

node_layout paddle_layout_of(paddle_node *n, const char *parameter, int index)
{
    paddle_variable *v = variable_at(n, list_of(n->inputs, n->input_count, parameter), index);
    return v && v->forms[LAYOUT_LAST] && !v->forms[LAYOUT_PLAIN] ? LAYOUT_LAST : LAYOUT_PLAIN;
}

paddle_variable *paddle_named(paddle_node *n, fb_vector names, uint32_t index)
{
    const paddle_list l = {NULL, names};
    return variable_at(n, &l, (int)index);
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

typedef struct list_field {
    unsigned field;
    uint32_t element; /* bytes */
} list_field;

static list_field list_of_type(int type)
{
    switch (type) {
    case TYPE_INTS: return (list_field){ATTR_INTS, 4};
    case TYPE_FLOATS: return (list_field){ATTR_FLOATS, 4};
    case TYPE_STRINGS: return (list_field){ATTR_STRINGS, 4};
    case TYPE_BOOLEANS: return (list_field){ATTR_BOOLS, 1};
    case TYPE_LONGS: return (list_field){ATTR_LONGS, 8};
    default: return (list_field){0, 0};
    }
}

/* An attribute of one of the types, which are bits; type -1: there is none.  A list of nothing is none, whatever its type. */
static fb_table attribute(paddle_node *n, const char *name, unsigned types, int *out_type)
{
    frontend_attribute *a = node_attribute(n, name);
    *out_type = -1;
    if (!a)
        return (fb_table){0};
    const int type = fb_i32(a->table, ATTR_TYPE, 0);
    const list_field list = list_of_type(type);
    const bool fits = type >= 0 && type < 32 && types >> type & 1;
    a->sought = true;
    a->read |= fits || (list.element && fb_vec(a->table, list.field, list.element).count == 0);
    if (fits)
        *out_type = type;
    return a->table;
}

static bool allows_element(int type, fb_vector list, uint32_t i, const char *values)
{
    switch (type) {
    case TYPE_INTS: return attribute_allows_int(values, fb_vec_i32(list, i));
    case TYPE_LONGS: return attribute_allows_int(values, fb_vec_i64(list, i));
    case TYPE_FLOATS: return attribute_allows_real(values, fb_vec_f32(list, i));
    default: return false;
    }
}

static bool allows_list(fb_table t, int type, const char *values)
{
    const list_field list = list_of_type(type);
    if (!list.element)
        return false;
    const fb_vector v = fb_vec(t, list.field, list.element);
    for (uint32_t i = 0; i < v.count; i++)
        if (!allows_element(type, v, i, values))
            return false;
    return true;
}

bool paddle_attribute_allowed(const frontend_attribute *a, const char *values)
{
    uint32_t length = 0;
    const char *text;
    const fb_table t = a->table;
    const int type = fb_i32(t, ATTR_TYPE, 0);
    switch (type) {
    case TYPE_INT: return attribute_allows_int(values, fb_i32(t, ATTR_I, 0));
    case TYPE_LONG: return attribute_allows_int(values, fb_i64(t, ATTR_L, 0));
    case TYPE_BOOLEAN: return attribute_allows_int(values, fb_bool(t, ATTR_B, false));
    case TYPE_FLOAT: return attribute_allows_real(values, fb_f32(t, ATTR_F, 0));
    case TYPE_STRING:
        text = fb_string(t, ATTR_S, &length);
        return attribute_allows_text(values, text ? text : "", text ? length : 0);
    default: return allows_list(t, type, values);
    }
}

bool paddle_has_attr(paddle_node *n, const char *name)
{
    return node_attribute_is_declared(n, name) && node_attribute(n, name);
}

int64_t paddle_int(paddle_node *n, const char *name, int64_t def)
{
    int type;
    fb_table t = attribute(n, name, BIT(TYPE_INT) | BIT(TYPE_LONG) | BIT(TYPE_BOOLEAN), &type);
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
    fb_table t = attribute(n, name, BIT(TYPE_FLOAT) | BIT(TYPE_INT), &type);
    return type == TYPE_FLOAT ? fb_f32(t, ATTR_F, 0) : type == TYPE_INT ? (float)fb_i32(t, ATTR_I, 0) : def;
}

const char *paddle_text(paddle_node *n, const char *name, const char *def)
{
    int type;
    uint32_t length;
    fb_table t = attribute(n, name, BIT(TYPE_STRING), &type);
    const char *text = type == TYPE_STRING ? fb_string(t, ATTR_S, &length) : NULL;
    return text ? arena_string(n->model->graph->arena, text, length) : type == TYPE_STRING ? "" : def;
}

bool paddle_ints(paddle_node *n, const char *name, int max, int64_t out[], int *out_count)
{
    int type;
    fb_table t = attribute(n, name, BIT(TYPE_INT) | BIT(TYPE_LONG) | BIT(TYPE_INTS) | BIT(TYPE_LONGS), &type);
    bool wide = type == TYPE_LONGS;
    *out_count = 0;
    if ((type == TYPE_INT || type == TYPE_LONG) && max >= 1)
        out[(*out_count)++] = paddle_int(n, name, 0);
    if (type != TYPE_INTS && !wide)
        return true;
    fb_vector v = fb_vec(t, wide ? ATTR_LONGS : ATTR_INTS, wide ? 8 : 4);
    if (v.count > (uint32_t)max)
        return node_error(n, "attribute %s has %u numbers, at most %d make sense", name, v.count, max);
    for (uint32_t i = 0; i < v.count; i++)
        out[i] = wide ? fb_vec_i64(v, i) : fb_vec_i32(v, i);
    *out_count = (int)v.count;
    return true;
}

bool paddle_floats(paddle_node *n, const char *name, int64_t max, float out[], int64_t *out_count)
{
    int type;
    fb_table t = attribute(n, name, BIT(TYPE_FLOAT) | BIT(TYPE_FLOATS), &type);
    *out_count = 0;
    if (type == TYPE_FLOAT && max >= 1) {
        if (out)
            out[0] = fb_f32(t, ATTR_F, 0);
        *out_count = 1;
    }
    if (type != TYPE_FLOATS)
        return true;
    fb_vector v = fb_vec(t, ATTR_FLOATS, 4);
    if (v.count > max)
        return node_error(n, "attribute %s has %u numbers, at most %lld make sense", name, v.count, (long long)max);
    for (uint32_t i = 0; out && i < v.count; i++)
        out[i] = fb_vec_f32(v, i);
    *out_count = v.count;
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
    if (!v || (!to && !fb_ok(&n->model->reader)))
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
