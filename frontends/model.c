/* model.c: the model that is being imported, whatever its format: opening, budgets, shapes of its inputs.  See node.h.
 */
#include <stdlib.h>
#include <string.h>

#define FRONTEND_COMMON
#include "frontends/node.h"
#include "ir/size_limits.h"

bool model_open(frontend_model *m, const uint8_t *bytes, size_t size, const char *file, const frontend_options *options,
                const frontend_folding *folding, diag *d)
{
    m->file = file;
    m->options = options;
    m->folding = folding;
    m->diag = d;
    m->graph = ir_graph_new_within(ir_limits_of(size, options->max_bytes));
    m->dense_budget = m->graph->limits.bytes;
    m->shapes_used = ARENA_ARRAY(m->graph->arena, bool, options->input_shape_count + 1);
    fb_open(&m->reader, bytes, size);
    return true;
}

ir_graph *model_close(frontend_model *m, bool imported)
{
    if (imported)
        return m->graph;
    ir_graph_free(m->graph);
    return NULL;
}

ir_loc model_loc(frontend_model *m) { return (ir_loc){.file = m->file, .subgraph = -1, .node = -1}; }

bool model_malformed(frontend_model *m, const ir_loc *loc)
{
    return diag_error(m->diag, loc, "malformed file: %s (byte %zu)", m->reader.error,
                      m->reader.error_at + m->reader_at);
}

const char *model_string(frontend_model *m, fb_table t, unsigned field, const char *otherwise)
{
    uint32_t length;
    const char *text = fb_string(t, field, &length);
    return text ? arena_string(m->graph->arena, text, length) : otherwise;
}

bool model_charge(frontend_model *m, const ir_loc *loc, int64_t bytes)
{
    if (bytes < 0 || (size_t)bytes > m->dense_budget)
        return ir_limits_memory(m->diag, loc, ARENA_PAST_LIMIT);
    m->dense_budget -= (size_t)bytes;
    return true;
}

/* What is looked through is charged: many names may stand for the same bytes. */
ir_value *model_constant(frontend_model *m, const ir_loc *loc, const char *name, ir_type type, const ir_quant *quant,
                         const void *data)
{
    const bool looked_through = type.dtype == IR_BOOL || ir_dtype_is_float(type.dtype);
    if (looked_through && !model_charge(m, loc, (int64_t)ir_type_bytes(&type)))
        return NULL;
    for (int64_t i = 0; type.dtype == IR_BOOL && i < ir_type_elements(&type); i++)
        if (((const uint8_t *)data)[i] > 1) {
            diag_error(m->diag, loc, "constant '%s' has a boolean that is neither 0 nor 1", name);
            return NULL;
        }
    const int64_t nan = ir_first_nan(&type, data);
    if (nan >= 0) {
        diag_error(m->diag, loc, "constant '%s' is not a number at element %lld", name, (long long)nan);
        return NULL;
    }
    ir_value *v = ir_const_new(m->graph, type, quant, data);
    v->name = name;
    return v;
}

/* ---- Shapes of inputs ---- */

/* "1x224x224x3" against the type: the dimensions replace the type's. */
static bool parse_shape(frontend_model *m, const char *option, const char *text, ir_type *type)
{
    const ir_loc loc = model_loc(m);
    int rank = 0;
    for (const char *c = text; *c || rank == 0;) {
        char *end;
        if (*c < '0' || *c > '9' || rank == IR_MAX_RANK)
            return diag_error(m->diag, &loc, "input shape '%s' is not of the form NAME:1x224x224x3", option);
        type->dims[rank++] = strtoll(c, &end, 10);
        c = *end == 'x' && end[1] ? end + 1 : end;
        if (*end && *end != 'x')
            return diag_error(m->diag, &loc, "input shape '%s' is not of the form NAME:1x224x224x3", option);
    }
    if (rank != type->rank)
        return diag_error(m->diag, &loc, "input shape '%s' has %d dimensions, the input has %d", option, rank,
                          type->rank);
    return ir_type_valid(type) || diag_error(m->diag, &loc, "input shape '%s' is too large", option);
}

static bool names(const char *option, size_t length, const char *name)
{
    return name && strlen(name) == length && memcmp(name, option, length) == 0;
}

bool model_input_type(frontend_model *m, const char *name, const char *other_name, ir_type *type)
{
    const frontend_options *o = m->options;
    const ir_loc loc = model_loc(m);
    for (int i = 0; i < type->rank; i++)
        if (type->dims[i] == 0) /* nobody means an empty input: what wrote the file did not know */
            type->dims[i] = -1;
    if (type->rank > 0 && (o->batch > 0 || type->dims[0] < 0))
        type->dims[0] = o->batch > 0 ? o->batch : 1;
    for (int i = 0; i < o->input_shape_count; i++) {
        const char *option = o->input_shapes[i], *colon = strrchr(option, ':');
        if (!colon)
            return diag_error(m->diag, &loc, "input shape '%s' is not of the form NAME:1x224x224x3", option);
        size_t length = (size_t)(colon - option);
        bool match = names(option, length, name) || names(option, length, other_name);
        if (match && !parse_shape(m, option, colon + 1, type))
            return false;
        m->shapes_used[i] |= match;
    }
    for (int i = 0; i < type->rank; i++)
        if (type->dims[i] < 0)
            return diag_error(m->diag, &loc, "dimension %d of input '%s' is open; --input-shape can set it", i, name);
    return ir_type_valid(type) || diag_error(m->diag, &loc, "input '%s' is too large", name);
}

bool model_input_shapes_used(frontend_model *m)
{
    const ir_loc loc = model_loc(m);
    for (int i = 0; i < m->options->input_shape_count; i++)
        if (!m->shapes_used[i])
            return diag_error(m->diag, &loc, "input shape '%s': the model has no such input",
                              m->options->input_shapes[i]);
    return true;
}
