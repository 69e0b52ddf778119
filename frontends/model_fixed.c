/* model_fixed.c: inputs that --input-value makes constants.
 *
 *     --input-value=sr:16000      ──▶   the input 'sr', i64, is the constant 16000, and no input of the compiled model
 *
 * What follows from constants alone is known while importing: which branch an If takes, how often a loop runs, shapes. */
#define FRONTEND_COMMON
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontends/node/node.h"
#include "ir/ref/interp.h"

static bool is_for(const char *option, const char *colon, const char *name)
{
    const size_t length = (size_t)(colon - option);
    return name && strlen(name) == length && memcmp(name, option, length) == 0;
}

/* The last option for an input of these names, from its colon on; NULL: there is none. */
static const char *value_for(frontend_model *m, const char *name, const char *other_name)
{
    const char *found = NULL;
    for (int i = 0; i < m->options->input_value_count; i++) {
        const char *option = m->options->input_values[i], *colon = strrchr(option, ':');
        if (!colon || (!is_for(option, colon, name) && !is_for(option, colon, other_name)))
            continue;
        m->values_used[i] = true;
        found = colon;
    }
    return found;
}

static bool integer_range(ir_dtype t, long long *least, long long *most)
{
    switch (t) {
    case IR_BOOL: *least = 0, *most = 1; return true;
    case IR_I8: *least = INT8_MIN, *most = INT8_MAX; return true;
    case IR_U8: *least = 0, *most = UINT8_MAX; return true;
    case IR_I16: *least = INT16_MIN, *most = INT16_MAX; return true;
    case IR_U16: *least = 0, *most = UINT16_MAX; return true;
    case IR_U32: *least = 0, *most = UINT32_MAX; return true;
    case IR_I32: *least = INT32_MIN, *most = INT32_MAX; return true;
    case IR_I64: *least = INT64_MIN, *most = INT64_MAX; return true;
    default: return false;
    }
}

/* The number at `text`, of type t, at `to`; NULL if there is none, or else what is behind it. */
static const char *read_number(const char *text, ir_dtype t, void *to)
{
    char *end;
    long long least, most;
    errno = 0;
    if (integer_range(t, &least, &most)) {
        const long long i = strtoll(text, &end, 10);
        if (end == text || errno || i < least || i > most)
            return NULL;
        memcpy(to, &i, ir_dtype_bytes(t)); /* little-endian */
        return end;
    }
    const double real = strtod(text, &end);
    const float narrow = (float)real;
    const uint16_t half = ir_f32_to_f16(narrow);
    if (end == text || isnan(real) || (t != IR_F32 && t != IR_F64 && t != IR_F16))
        return NULL;
    memcpy(to, t == IR_F64 ? (const void *)&real : t == IR_F32 ? (const void *)&narrow : &half, ir_dtype_bytes(t));
    return end;
}

/* As many numbers as the input has elements, or one that they all are. */
static bool read_numbers(const char *text, const ir_type *type, char *to)
{
    const int64_t count = ir_type_elements(type);
    const size_t bytes = ir_dtype_bytes(type->dtype);
    int64_t i = 0;
    for (const char *at = text; i < count; at++) {
        at = read_number(at, type->dtype, to + (size_t)i++ * bytes);
        if (!at || (*at && *at != ','))
            return false;
        if (!*at)
            break;
        if (i == count)
            return false;
    }
    for (int64_t k = 1; i == 1 && k < count; k++)
        memcpy(to + (size_t)k * bytes, to, bytes);
    return i == count || i == 1;
}

static ir_value *fixed(frontend_model *m, const char *name, const char *colon, ir_type type, const ir_quant *quant)
{
    const ir_loc loc = model_loc(m);
    if (!model_charge(m, &loc, (int64_t)ir_type_bytes(&type)))
        return NULL;
    char *data = arena_alloc(m->graph->arena, ir_type_bytes(&type) + 1);
    if (!read_numbers(colon + 1, &type, data)) {
        diag_error(m->diag, &loc,
                   "input value '%s' is not one number of type %s for input '%s', or %lld of them with commas",
                   colon + 1, ir_dtype_text(type.dtype), name, (long long)ir_type_elements(&type));
        return NULL;
    }
    return model_constant(m, &loc, name, type, quant, data);
}

ir_value *model_input(frontend_model *m, const char *name, const char *other_name, ir_type type, const ir_quant *quant)
{
    const char *colon = value_for(m, name, other_name);
    if (!colon)
        return ir_input_new(m->graph, type, quant, name);
    for (frontend_input *in = m->fed; in; in = in->next)
        in->fixed |= strcmp(in->name, name) == 0;
    return fixed(m, name, colon, type, quant);
}

bool model_input_values_used(frontend_model *m)
{
    const ir_loc loc = model_loc(m);
    for (int i = 0; i < m->options->input_value_count; i++) {
        if (m->values_used[i])
            continue;
        diag_error(m->diag, &loc, "input value '%s': the model has no such input", m->options->input_values[i]);
        if (!model_goes_on(m))
            return false;
    }
    return true;
}
