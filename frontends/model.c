/* model.c: the model that is being imported, whatever its format: opening, budgets, shapes of its inputs.  See node.h.
 */
#include <stdlib.h>
#include <string.h>

#define FRONTEND_COMMON
#include "frontends/node/node.h"
#include "ir/size_limits.h"

bool model_open(frontend_model *m, const uint8_t *bytes, size_t size, const char *file, const frontend_options *options,
                const frontend_folding *folding, diag *d)
{
    m->file = file;
    m->options = options;
    m->folding = folding;
    m->diag = d;
    m->file_bytes = size;
    m->graph = ir_graph_new_within(ir_limits_of(size, options->max_bytes));
    m->dense_budget = m->graph->limits.bytes;
    m->shapes_used = ARENA_ARRAY(m->graph->arena, bool, options->input_shape_count + 1);
    m->values_used = ARENA_ARRAY(m->graph->arena, bool, options->input_value_count + 1);
    m->unknown = ARENA_NEW(m->graph->arena, ir_value);
    m->unknown->name = "";
    fb_open(&m->reader, bytes, size);
    return true;
}

ir_graph *model_close(frontend_model *m, bool imported)
{
    const ir_loc loc = model_loc(m);
    model_note_inputs(m);
    if (!diag_settle(m->diag, &loc) && imported)
        return m->graph;
    ir_graph_free(m->graph);
    return NULL;
}

/* The first open dimension from `from` on; the rank: none. */
static int next_open(const ir_type *type, int from)
{
    while (from < type->rank && type->dims[from] >= 0)
        from++;
    return from;
}

static const char *shape_source(const frontend_input *i)
{
    return i->shaped    ? " by --input-shape"
           : i->batched ? " with --batch, --input-shape can set another"
           : i->in_file.rank > 0 && i->in_file.dims[0] < 0
               ? " where the file leaves the batch open, --input-shape can set another"
               : " in the file, --input-shape can set another";
}

static void say_shapes(frontend_model *m, const frontend_input *i, int most)
{
    if (!i || !most)
        return;
    say_shapes(m, i->next, most - 1);
    if (!i->type.dtype || (m->shapes_fit && !i->shaped && !i->batched) || next_open(&i->type, 0) < i->type.rank)
        return;
    diag_add(m->diag, "; input '%.40s' is ", i->name);
    for (int d = 0; d < i->type.rank; d++)
        diag_add(m->diag, d ? "x%lld" : "%lld", (long long)i->type.dims[d]);
    diag_add(m->diag, "%s", shape_source(i));
}

/* Writers record the shape of some run, and users choose one: where operators don't take it, it is not they who are
 * wrong. */
bool model_goes_on(frontend_model *m)
{
    enum { MOST_INPUTS = 4 };
    if (m->misfit)
        say_shapes(m, m->fed, MOST_INPUTS);
    m->misfit = false;
    if (m->undecided)
        diag_add(m->diag, "; the inputs decide whether this branch is taken" NODE_DECIDED);
    return fb_ok(&m->reader) && diag_put_off(m->diag);
}

ir_loc model_loc(frontend_model *m) { return (ir_loc){.file = m->file, .subgraph = -1, .node = -1}; }

bool model_malformed(frontend_model *m, const ir_loc *loc)
{
    return diag_final(m->diag, loc, "malformed file: %s (byte %zu)", m->reader.error,
                      m->reader.error_at + m->reader_at);
}

const char *model_string(frontend_model *m, fb_table t, unsigned field, const char *otherwise)
{
    uint32_t length;
    const char *text = fb_string(t, field, &length);
    return text ? arena_string(m->graph->arena, text, length) : otherwise;
}

frontend_names model_names(frontend_model *m, fb_table t, unsigned field)
{
    const fb_vector v = fb_vec(t, field, 4);
    frontend_names names = {v.count, ARENA_ARRAY(m->graph->arena, const char *, v.count + 1)};
    for (uint32_t i = 0; i < v.count; i++) {
        uint32_t length;
        const char *text = fb_vec_string(v, i, &length);
        names.text[i] = text ? arena_string(m->graph->arena, text, length) : "";
    }
    return names;
}

const int64_t *model_ints(frontend_model *m, fb_table t, unsigned field, uint32_t bytes, uint32_t *out_count)
{
    const fb_vector v = fb_vec(t, field, bytes);
    int64_t *ints = ARENA_ARRAY(m->graph->arena, int64_t, v.count + 1);
    for (uint32_t i = 0; i < v.count; i++)
        ints[i] = bytes == 8 ? fb_vec_i64(v, i) : fb_vec_i32(v, i);
    *out_count = v.count;
    return ints;
}

const float *model_floats(frontend_model *m, fb_table t, unsigned field, uint32_t *out_count)
{
    const fb_vector v = fb_vec(t, field, 4);
    float *floats = ARENA_ARRAY(m->graph->arena, float, v.count + 1);
    for (uint32_t i = 0; i < v.count; i++)
        floats[i] = fb_vec_f32(v, i);
    *out_count = v.count;
    return floats;
}

bool model_charge(frontend_model *m, const ir_loc *loc, int64_t bytes)
{
    if (bytes < 0 || (size_t)bytes > m->dense_budget)
        return ir_limits_memory(m->diag, loc, ARENA_PAST_LIMIT);
    m->dense_budget -= (size_t)bytes;
    return true;
}

typedef struct model_name {
    struct model_name *next;
    const char *text;
} model_name;

/* A file counts once, however often it is named. */
static void allow_for(frontend_model *m, const char *name, size_t size)
{
    for (const model_name *n = m->files_named; n; n = n->next)
        if (strcmp(n->text, name) == 0)
            return;
    model_name *n = ARENA_NEW(m->graph->arena, model_name);
    *n = (model_name){m->files_named, arena_string(m->graph->arena, name, strlen(name))};
    m->files_named = n;
    m->file_bytes += size;
    const ir_limits limits = ir_limits_of(m->file_bytes, m->options->max_bytes);
    arena_allow(m->graph->arena, limits.bytes - m->graph->limits.bytes);
    m->dense_budget += limits.bytes - m->graph->limits.bytes;
    m->graph->limits = limits;
}

const uint8_t *model_file(frontend_model *m, const ir_loc *loc, const char *name, size_t *out_size)
{
    if (!m->options->open) {
        diag_error(m->diag, loc, "the model names the file '%.80s', and can reach no other files", name);
        return NULL;
    }
    const uint8_t *bytes = m->options->open(m->options->open_context, name, loc, out_size, m->diag);
    if (bytes)
        allow_for(m, name, *out_size);
    return bytes;
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

/* "batch:1" for the dimensions that the model calls so; false after a diagnostic. */
static bool name_extents(frontend_model *m, const char *option, const char *colon, const char *const dim_names[],
                         ir_type *type, bool *out_match)
{
    const ir_loc loc = model_loc(m);
    char *end;
    for (int i = 0; dim_names && i < type->rank; i++) {
        if (type->dims[i] >= 0 || !names(option, (size_t)(colon - option), dim_names[i]))
            continue;
        const long long extent = colon[1] >= '0' && colon[1] <= '9' ? strtoll(colon + 1, &end, 10) : 0;
        if (extent < 1 || *end)
            return diag_final(m->diag, &loc, "input shape '%s' is for a dimension, and not of the form NAME:224",
                              option);
        type->dims[i] = extent;
        *out_match = true;
    }
    return true;
}

static const char *name_of(const frontend_input *in, int dimension)
{
    return in->dim_names ? in->dim_names[dimension] : NULL;
}

static bool all_closed(frontend_model *m, const frontend_input *in)
{
    const ir_loc loc = model_loc(m);
    int i = next_open(&in->type, 0);
    if (i == in->type.rank)
        return true;
    const char *name = name_of(in, i);
    if (name)
        diag_error(m->diag, &loc, "dimension %d of input '%s', '%s', is open; --input-shape can set it, by either name",
                   i, in->name, name);
    else
        diag_error(m->diag, &loc, "dimension %d of input '%s' is open; --input-shape can set it", i, in->name);
    while ((i = next_open(&in->type, i + 1)) < in->type.rank) {
        name = name_of(in, i);
        diag_add(m->diag, "; so is dimension %d%s%s%s", i, name ? ", '" : "", name ? name : "", name ? "'" : "");
    }
    return false;
}

/* What options say of the input. */
static bool reshape_input(frontend_model *m, frontend_input *in, const char *other_name)
{
    const frontend_options *o = m->options;
    const ir_loc loc = model_loc(m);
    ir_type *type = &in->type;
    for (int i = 0; i < o->input_shape_count; i++) {
        const char *option = o->input_shapes[i], *colon = strrchr(option, ':');
        if (!colon)
            return diag_error(m->diag, &loc, "input shape '%s' is not of the form NAME:1x224x224x3", option);
        bool match = false;
        if (!name_extents(m, option, colon, in->dim_names, type, &match))
            return false;
        in->shaped |= match;
        m->shapes_used[i] |= match;
    }
    if (type->rank > 0 && (o->batch > 0 || type->dims[0] < 0))
        type->dims[0] = o->batch > 0 ? o->batch : 1;
    in->batched = type->rank > 0 && o->batch > 0;
    for (int i = 0; i < o->input_shape_count; i++) {
        const char *option = o->input_shapes[i], *colon = strrchr(option, ':');
        const size_t length = (size_t)(colon - option);
        const bool match = names(option, length, in->name) || names(option, length, other_name);
        m->shapes_used[i] |= match;
        in->shaped |= match;
        if (match && !parse_shape(m, option, colon + 1, type))
            return false;
    }
    return true;
}

bool model_input_type(frontend_model *m, const char *name, const char *other_name, const char *const dim_names[],
                      ir_type *type)
{
    const ir_loc loc = model_loc(m);
    for (int i = 0; i < type->rank; i++)
        if (type->dims[i] == 0) /* nobody means an empty input: what wrote the file did not know */
            type->dims[i] = -1;
    frontend_input *in = ARENA_NEW(m->graph->arena, frontend_input);
    *in = (frontend_input){.next = m->fed, .name = name, .dim_names = dim_names, .in_file = *type, .type = *type};
    m->fed = in;
    if (!reshape_input(m, in, other_name))
        return false;
    *type = in->type;
    if (!all_closed(m, in))
        return false;
    return ir_type_valid(type) || diag_error(m->diag, &loc, "input '%s' is too large", name);
}

bool model_input_unknown(frontend_model *m, const char *name)
{
    frontend_input *in = ARENA_NEW(m->graph->arena, frontend_input);
    *in = (frontend_input){.next = m->fed, .name = name};
    m->fed = in;
    for (int i = 0; i < m->options->input_shape_count; i++) {
        const char *option = m->options->input_shapes[i], *colon = strrchr(option, ':');
        m->shapes_used[i] |= colon && names(option, (size_t)(colon - option), name);
    }
    return false;
}

bool model_input_options_used(frontend_model *m)
{
    const ir_loc loc = model_loc(m);
    for (int i = 0; i < m->options->input_shape_count; i++) {
        if (m->shapes_used[i])
            continue;
        diag_error(m->diag, &loc, "input shape '%s': the model has no such input, or open dimension",
                   m->options->input_shapes[i]);
        if (!model_goes_on(m))
            return false;
    }
    return model_input_values_used(m);
}
