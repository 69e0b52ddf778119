/* node.c: what the importers of operators share beyond node.h: operands, parameters, attributes, results. */
#include <math.h>
#include <string.h>

#include "frontends/onnx/import.h"

/* ---- Operands ---- */

bool ort_has(const ort_node *n, int index) { return index < n->input_count && n->inputs[index]; }

bool ort_wanted(const ort_node *n, int output)
{
    return output < n->output_count && n->outputs[output] && n->outputs[output]->wanted;
}

void ort_ignore(ort_node *n, int index)
{
    if (ort_has(n, index))
        n->inputs_read[index] = true;
}

node_layout ort_layout_of(ort_node *n, int index)
{
    const ort_name *name = ort_has(n, index) ? n->inputs[index] : NULL;
    return name && name->forms[LAYOUT_LAST] && !name->forms[LAYOUT_PLAIN] ? LAYOUT_LAST : LAYOUT_PLAIN;
}

ir_value *ort_in(ort_node *n, int index, node_layout layout)
{
    ort_name *name = ort_has(n, index) ? n->inputs[index] : NULL;
    if (!name) {
        node_error(n, "operand %d is missing", index);
        return NULL;
    }
    n->inputs_read[index] = true;
    if (!name->forms[LAYOUT_PLAIN] && !name->forms[LAYOUT_LAST]) {
        if (!name->initializer) {
            node_malformed(n, "operand %d, '%s', is not defined", index, name->text);
            return NULL;
        }
        name->forms[LAYOUT_PLAIN] = ort_tensor_constant(n->model, &n->loc, name->initializer);
        if (!name->forms[LAYOUT_PLAIN])
            return NULL;
    }
    if (!name->forms[layout])
        name->forms[layout] = node_to_layout(n, name->forms[!layout], !layout, layout);
    return name->forms[layout];
}

ir_value *ort_plain(ort_node *n, int index) { return ort_in(n, index, LAYOUT_PLAIN); }

bool ort_optional(ort_node *n, int index, ir_value **out)
{
    *out = NULL;
    return !ort_has(n, index) || (*out = ort_plain(n, index)) != NULL;
}

bool ort_shape(ort_node *n, int index, ir_type *out)
{
    node_layout layout = ort_layout_of(n, index);
    ir_value *v = ort_in(n, index, layout);
    if (!v)
        return false;
    *out = v->type;
    for (int axis = 0; axis < v->type.rank; axis++)
        out->dims[axis] = v->type.dims[node_dim(layout, v->type.rank, axis)];
    return true;
}

/* ---- Parameters ---- */

/* The name stands for integers that were computed, from now on, as for those of a file.  But not for real numbers: others
 * may want the integers that they were dequantized from. */
ir_value *ort_known(ort_node *n, int index)
{
    ir_value *v = ort_plain(n, index), *known = node_known(n, v);
    if (!known || known == v)
        return known;
    if (known->quant) {
        ir_value *integers = ir_const_new(n->model->graph, known->type, NULL, known->data);
        integers->name = known->name;
        known = integers;
    }
    if (!ir_dtype_is_float(known->type.dtype)) {
        n->inputs[index]->forms[LAYOUT_PLAIN] = known;
        n->inputs[index]->forms[LAYOUT_LAST] = NULL;
    }
    return known;
}

ir_value *ort_param(ort_node *n, int index, const char *what)
{
    ir_value *v = ort_known(n, index);
    return node_constant(n, v, index, what) ? v : NULL;
}

bool ort_param_ints(ort_node *n, int index, const char *what, int max, int64_t out[], int *out_count)
{
    ir_value *v = ort_param(n, index, what);
    if (!v)
        return false;
    if (v->type.dtype != IR_I64 && v->type.dtype != IR_I32)
        return node_error(n, "the %s (operand %d) must be integers", what, index);
    return node_copy_ints(n, v, index, what, max, out, out_count);
}

bool ort_param_real(ort_node *n, int index, const char *what, float *out)
{
    ir_value *v = ort_param(n, index, what);
    if (!v)
        return false;
    if (ir_type_elements(&v->type) != 1 || v->type.dtype == IR_BOOL)
        return node_error(n, "the %s (operand %d) must be one number", what, index);
    *out = (float)ir_const_real(v, 0);
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
        node_error(n, "scale or zero point has a type that is not supported");
        return NULL;
    }
    if ((count != 1 && count != channels) || count < 1 || (z && zeros != count && zeros != 1)) {
        node_error(n, "%lld scales and %lld zero points for %lld channels", (long long)count, (long long)zeros,
                   (long long)channels);
        return NULL;
    }
    if (!model_charge(n->model, &n->loc, count * 16))
        return NULL;
    float *scales = ARENA_ARRAY(n->model->graph->arena, float, count);
    int32_t *zero_points = ARENA_ARRAY(n->model->graph->arena, int32_t, count);
    for (int64_t i = 0; i < count; i++) {
        scales[i] = (float)ir_const_real(s, i);
        zero_points[i] = z ? (int32_t)ir_const_int(z, zeros == 1 ? 0 : i) : 0;
        if (!(scales[i] > 0) || !isfinite(scales[i])) {
            node_error(n, "scale %lld is %g, which is not a positive number", (long long)i, (double)scales[i]);
            return NULL;
        }
    }
    return ir_quant_new(n->model->graph, count == 1 ? -1 : axis, (int32_t)count, scales, zero_points);
}

ir_value *ort_quantized(ort_node *n, ir_value *v, const ir_quant *q)
{
    if (ir_quant_equal(v->quant, q))
        return v;
    if (!node_quant_fits(n, &v->type, q))
        return NULL;
    if (ir_is_const(v)) {
        ir_value *c = ir_const_new(n->model->graph, v->type, q, v->data);
        c->name = v->name;
        return c;
    }
    return node_typed(n, node_emit1(n, IR_CAST, v), v->type, q);
}

/* ---- Attributes ---- */

/* NULL, too, when it is of another type: it counts as not read, which refuses the node. */
static const frontend_value *attribute(ort_node *n, const char *name, int32_t type)
{
    frontend_attribute *a = node_attribute(n, name);
    if (!a || a->value->type != type)
        return NULL;
    a->read = true;
    return a->value;
}

bool ort_attribute_allowed(const frontend_attribute *a, const char *values)
{
    const frontend_value *v = a->value;
    switch (v->type) {
    case TYPE_INT: return attribute_allows_int(values, v->i);
    case TYPE_FLOAT: return attribute_allows_real(values, (double)v->f);
    case TYPE_STRING: return attribute_allows_text(values, v->s, v->count);
    case TYPE_INTS:
        for (uint32_t i = 0; i < v->count; i++)
            if (!attribute_allows_int(values, v->ints[i]))
                return false;
        return true;
    default: return false;
    }
}

bool ort_has_attr(ort_node *n, const char *name) { return node_attribute(n, name) != NULL; }

int64_t ort_int(ort_node *n, const char *name, int64_t def)
{
    const frontend_value *v = attribute(n, name, TYPE_INT);
    return v ? v->i : def;
}

float ort_float(ort_node *n, const char *name, float def)
{
    const frontend_value *v = attribute(n, name, TYPE_FLOAT);
    return v ? v->f : def;
}

const char *ort_text(ort_node *n, const char *name, const char *def)
{
    const frontend_value *v = attribute(n, name, TYPE_STRING);
    return v ? v->s : def;
}

bool ort_ints(ort_node *n, const char *name, int max, int64_t out[], int *out_count)
{
    const frontend_value *v = attribute(n, name, TYPE_INTS);
    if (!v)
        return true;
    if (v->count > (uint32_t)max)
        return node_error(n, "attribute %s has %u numbers, at most %d make sense", name, v->count, max);
    memcpy(out, v->ints, v->count * sizeof *out);
    *out_count = (int)v->count;
    return true;
}

bool ort_counts(ort_node *n, const char *name, int count, int64_t most, int64_t out[])
{
    int there = 0;
    for (int i = 0; i < count; i++)
        out[i] = 1;
    if (!ort_ints(n, name, count, out, &there))
        return false;
    if (there && there != count)
        return node_error(n, "attribute %s has %d numbers, expected %d", name, there, count);
    for (int i = 0; i < count; i++)
        if (out[i] < 1 || out[i] > most)
            return node_error(n, "attribute %s: %lld is not supported", name, (long long)out[i]);
    return true;
}

int ort_floats(ort_node *n, const char *name, int max, float out[])
{
    const frontend_value *v = attribute(n, name, TYPE_FLOATS);
    const int count = !v ? 0 : v->count < (uint32_t)max ? (int)v->count : max;
    for (int i = 0; i < count; i++)
        out[i] = v->floats[i];
    return count;
}

bool ort_texts_are(ort_node *n, const char *name, int count, const char *const expected[])
{
    const frontend_value *v = attribute(n, name, TYPE_STRINGS);
    for (uint32_t i = 0; v && i < v->count; i++)
        if (strcmp(v->strings[i], expected[i % (uint32_t)count]) != 0)
            return false;
    return true;
}

const onnx_tensor *ort_tensor_attr(ort_node *n, const char *name)
{
    const frontend_value *v = attribute(n, name, TYPE_TENSOR);
    return v ? v->tensor : NULL;
}

const onnx_graph *ort_graph_attr(ort_node *n, const char *name)
{
    const frontend_value *v = attribute(n, name, TYPE_GRAPH);
    return v ? v->graph : NULL;
}

node_layout ort_last(ort_node *n) { return ort_int(n, "channels_last", 0) ? LAYOUT_PLAIN : LAYOUT_LAST; }

/* ---- Results ---- */

bool ort_put(ort_node *n, int output, ir_value *v, node_layout layout)
{
    if (!v)
        return false;
    if (!ort_wanted(n, output))
        return true;
    ort_name *name = n->outputs[output];
    if (v->type.rank < 3)
        layout = LAYOUT_PLAIN;
    name->forms[layout] = v;
    if (!v->name)
        v->name = name->text;
    return true;
}
