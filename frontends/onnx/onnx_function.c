/* onnx_function.c: local functions of an ONNX model.
 *
 *     y = pack.scaled<by=2>(x)            with     scaled<by>(a) => b { c = Constant<value_float=@by>(); b = Mul(a, c) }
 *
 * is read as the nodes of the function: a is x, b is y, c gets a name of its own, @by is 2. */
#define FRONTEND_COMMON
#include <string.h>

#include "frontends/onnx/onnx_file.h"

enum { MOST_INLINED_BYTES = 1 << 26 }; /* of functions read for calls; a function may call others, and more of them */

enum {
    FUNCTION_NAME = 1,
    FUNCTION_INPUT = 4,
    FUNCTION_OUTPUT,
    FUNCTION_OPSET_IMPORT = 9,
    FUNCTION_DOMAIN,
    FUNCTION_ATTRIBUTE,
    FUNCTION_OVERLOAD = 13
};

static void read_function(onnx_file *o, pb_message message, onnx_function *out)
{
    *out = (onnx_function){"",
                           "",
                           "",
                           onnx_texts(o, message, FUNCTION_INPUT),
                           onnx_texts(o, message, FUNCTION_OUTPUT),
                           message,
                           onnx_opset(o, message, FUNCTION_OPSET_IMPORT)};
    for (pb_field f; pb_next(&message, &f);)
        switch (f.number) {
        case FUNCTION_NAME: out->name = pb_text(&f, o->model->graph->arena); break;
        case FUNCTION_DOMAIN: out->domain = pb_text(&f, o->model->graph->arena); break;
        case FUNCTION_OVERLOAD: out->overload = pb_text(&f, o->model->graph->arena); break;
        default: break;
        }
}

void onnx_functions_read(onnx_file *o, pb_message model, uint32_t number)
{
    o->functions = ARENA_ARRAY(o->model->graph->arena, onnx_function, pb_count(model, number) + 1);
    for (pb_field f; pb_next(&model, &f);)
        if (f.number == number)
            read_function(o, pb_sub(&f), &o->functions[o->function_count++]);
}

const onnx_function *onnx_function_of(const onnx_file *o, const char *domain, const char *name, const char *overload)
{
    for (uint32_t i = 0; i < o->function_count; i++) {
        const onnx_function *f = &o->functions[i];
        if (strcmp(f->name, name) == 0 && strcmp(f->domain, domain) == 0 && strcmp(f->overload, overload) == 0)
            return f;
    }
    return NULL;
}

/* The outer name of a formal operand or result, "" where the call leaves it out; NULL: it is none. */
static const char *actual(const frontend_names *formal, const frontend_names *given, const char *name)
{
    for (uint32_t i = 0; i < formal->count; i++)
        if (strcmp(formal->text[i], name) == 0)
            return i < given->count ? given->text[i] : "";
    return NULL;
}

const char *onnx_name_in(onnx_file *o, const onnx_call *call, const char *name)
{
    const char *outer = actual(&call->function->inputs, &call->node->inputs, name);
    if (outer || !*name)
        return outer ? outer : name;
    outer = actual(&call->function->outputs, &call->node->outputs, name);
    return outer && *outer ? outer
                           : arena_format(o->model->graph->arena, "%s/%u/%s", call->function->name, call->number, name);
}

/* The default of a function's attribute. */
static const frontend_value *default_of(onnx_file *o, const onnx_function *function, const char *name, int depth,
                                        bool *out_good)
{
    pb_message message = function->message;
    for (pb_field f; *out_good && pb_next(&message, &f);) {
        frontend_attribute a;
        if (f.number != FUNCTION_ATTRIBUTE)
            continue;
        *out_good = onnx_attribute(o, pb_sub(&f), NULL, depth, &a);
        if (*out_good && strcmp(a.name, name) == 0)
            return a.value;
    }
    return NULL;
}

const frontend_value *onnx_referred(onnx_file *o, const onnx_call *call, const char *name, int depth, bool *out_good)
{
    const ir_loc loc = model_loc(o->model);
    if (!call) {
        *out_good =
            diag_error(o->model->diag, &loc, "an attribute stands for '%.60s' of a function, and is in none", name);
        return NULL;
    }
    for (uint32_t i = 0; i < call->node->attribute_count; i++)
        if (strcmp(call->node->attributes[i].name, name) == 0)
            return call->node->attributes[i].value;
    return default_of(o, call->function, name, depth, out_good);
}

bool onnx_call_charge(onnx_file *o, const onnx_function *f, int depth)
{
    const ir_loc loc = model_loc(o->model);
    if (depth >= ONNX_MAX_DEPTH)
        return diag_error(o->model->diag, &loc, "functions call each other more than %d deep", ONNX_MAX_DEPTH);
    o->inlined += f->message.end - f->message.at;
    return o->inlined <= MOST_INLINED_BYTES ||
           diag_error(o->model->diag, &loc, "the model's functions come to more than %d MiB", MOST_INLINED_BYTES >> 20);
}
