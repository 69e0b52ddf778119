/* eval_layers.c: both models are optimized, values of equal names become outputs of copies, and those are compiled. */
#include "tools/eval_layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Values with a name ---- */

typedef struct named {
    const ir_value *value;
    int order; /* in the graph */
} named;

typedef struct names {
    named *items; /* by name, the first of each */
    int count;
} names;

static bool is_comparable(const ir_value *v)
{
    const bool reals = v->type.dtype == IR_F32 || (v->quant && v->quant->axis < 0);
    return v->name && *v->name && reals && ir_type_elements(&v->type) > 0;
}

static int by_name(const void *a, const void *b)
{
    const named *x = a, *y = b;
    const int order = strcmp(x->value->name, y->value->name);
    return order ? order : x->order - y->order;
}

static bool find_names(const ir_graph *g, names *out, diag *d)
{
    int room = 0, kept = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        room += ir_op_info_of(op->code)->results;
    *out = (names){.items = calloc((size_t)room + 1, sizeof *out->items)};
    if (!out->items)
        return diag_out_of_memory(d, NULL);
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (is_comparable(op->results[i])) {
                out->items[out->count] = (named){op->results[i], out->count};
                out->count++;
            }
    qsort(out->items, (size_t)out->count, sizeof *out->items, by_name);
    for (int i = 0; i < out->count; i++) /* a conversion may carry the name of what it converts */
        if (kept == 0 || strcmp(out->items[i].value->name, out->items[kept - 1].value->name) != 0)
            out->items[kept++] = out->items[i];
    out->count = kept;
    return true;
}

static int by_name_alone(const void *a, const void *b)
{
    const named *x = a, *y = b;
    return strcmp(x->value->name, y->value->name);
}

typedef struct pair {
    named own;
    const ir_value *other;
} pair;

static int by_order(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    return x->own.order - y->own.order;
}

/* In the order of the first graph; NULL: out of memory. */
static pair *match(const names *own, const names *other, int *out_count)
{
    pair *pairs = calloc((size_t)own->count + 1, sizeof *pairs);
    *out_count = 0;
    for (int i = 0; pairs && i < own->count; i++) {
        const named *found =
            bsearch(&own->items[i], other->items, (size_t)other->count, sizeof *other->items, by_name_alone);
        if (found && ir_type_elements(&found->value->type) == ir_type_elements(&own->items[i].value->type))
            pairs[(*out_count)++] = (pair){own->items[i], found->value};
    }
    if (pairs)
        qsort(pairs, (size_t)*out_count, sizeof *pairs, by_order);
    return pairs;
}

/* ---- Sessions ---- */

/* Outputs of a copy for the values with these ids; out[i]: which output value i is. */
static ir_graph *with_outputs(const ir_graph *g, const uint32_t ids[], int count, uint32_t out[])
{
    ir_graph *copy = ir_graph_copy(g);
    ir_value **values = ARENA_ARRAY(copy->arena, ir_value *, copy->next_id);
    for (const ir_op *op = copy->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            values[op->results[i]->id] = op->results[i];
    for (int i = 0; i < count; i++) {
        ir_value *v = values[ids[i]];
        out[i] = (uint32_t)(ir_value_is_output(v) ? v->first_output : copy->output_count);
        if (!ir_value_is_output(v))
            ir_output_add(copy, v, "");
    }
    return copy;
}

static bool open_session(const driver_options *o, const ir_graph *g, const uint32_t ids[], int count, uint32_t out[],
                         unsigned threads, session *to, diag *d)
{
    driver_options again = *o; /* of what is optimized already */
    again.calibrate = NULL;
    again.quantize = PASS_QUANTIZE_AUTO;
    again.quantized_ops.count = again.keep_float.count = 0;
    return session_open_graph(to, &again, with_outputs(g, ids, count, out), threads, d);
}

static bool open_sessions(eval_layers *l, const driver_options *const options[2], const pair pairs[], int count,
                          unsigned threads, diag *d)
{
    uint32_t *ids = calloc(2 * (size_t)count + 1, sizeof *ids), *outputs = calloc(2 * (size_t)count + 1, sizeof *ids);
    l->items = calloc((size_t)count + 1, sizeof *l->items);
    bool good = (ids && outputs && l->items) || diag_out_of_memory(d, NULL);
    for (int i = 0; good && i < count; i++) {
        ids[i] = pairs[i].own.value->id;
        ids[count + i] = pairs[i].other->id;
    }
    good = good && open_session(options[0], l->modules[0].graph, ids, count, outputs, threads, &l->own, d) &&
           open_session(options[1], l->modules[1].graph, ids + count, count, outputs + count, threads, &l->other, d);
    for (int i = 0; good && i < count; i++) {
        const ir_value *v = pairs[i].own.value;
        l->items[i] = (eval_layer){v->name, ir_op_info_of(v->def->code)->text, outputs[i], outputs[count + i]};
    }
    l->count = good ? count : 0;
    free(ids);
    free(outputs);
    return good;
}

static bool open_matched(eval_layers *l, const driver_options *const options[2], unsigned threads, diag *d)
{
    names own = {0}, other = {0};
    pair *pairs = NULL;
    int count = 0;
    bool good = find_names(l->modules[0].graph, &own, d) && find_names(l->modules[1].graph, &other, d);
    good = good && ((pairs = match(&own, &other, &count)) != NULL || diag_out_of_memory(d, NULL));
    good = good && open_sessions(l, options, pairs, count, threads, d);
    free(pairs);
    free(own.items);
    free(other.items);
    return good;
}

bool eval_layers_open(eval_layers *l, const driver_options *const options[2], const char *const files[2],
                      unsigned threads, diag *d)
{
    *l = (eval_layers){.count = 0};
    bool good = true;
    for (int i = 0; good && i < 2; i++)
        good = driver_import(options[i], files[i], &l->modules[i], d) && driver_optimize(options[i], &l->modules[i], d);
    good = good && open_matched(l, options, threads, d);
    if (!good)
        eval_layers_close(l);
    return good;
}

void eval_layers_close(eval_layers *l)
{
    session_close(&l->own);
    session_close(&l->other);
    for (int i = 0; i < 2; i++)
        driver_module_free(&l->modules[i]);
    free(l->items);
    *l = (eval_layers){.count = 0};
}

/* ---- Numbers ---- */

static void add(eval_layer *layer, const session *own, const session *other)
{
    const ir_type *t = &own->output_types[layer->own];
    const int64_t channels = t->rank ? t->dims[t->rank - 1] : 1, count = ir_type_elements(t);
    for (int64_t row = 0; row < count; row += channels) {
        double most[2] = {-INFINITY, -INFINITY};
        int64_t at[2] = {0, 0};
        for (int64_t i = 0; i < channels; i++) {
            const double x[2] = {session_real(own, layer->own, row + i), session_real(other, layer->other, row + i)};
            layer->signal += x[1] * x[1];
            layer->noise += (x[0] - x[1]) * (x[0] - x[1]);
            for (int k = 0; k < 2; k++)
                if (x[k] > most[k]) {
                    most[k] = x[k];
                    at[k] = i;
                }
        }
        layer->rows++;
        layer->equal += at[0] == at[1];
    }
}

void eval_layers_add(eval_layers *l)
{
    for (int i = 0; i < l->count; i++)
        add(&l->items[i], &l->own, &l->other);
}

/* ---- Report ---- */

static double sqnr(const eval_layer *layer) { return session_sqnr(layer->signal, layer->noise); }

static double agreement(const eval_layer *layer)
{
    return layer->rows ? (double)layer->equal / (double)layer->rows : 0;
}

void eval_layers_print(const eval_layers *l)
{
    printf("%-40s %-18s %9s %10s\n", "layer", "op", "SQNR dB", "same class");
    for (int i = 0; i < l->count; i++)
        printf("%-40s %-18s %9.2f %8.2f %%\n", l->items[i].name, l->items[i].op, sqnr(&l->items[i]),
               100 * agreement(&l->items[i]));
}

json_t *eval_layers_json(const eval_layers *l)
{
    json_t *all = json_array();
    for (int i = 0; i < l->count; i++) {
        const double db = sqnr(&l->items[i]);
        json_t *layer =
            json_pack("{s:s%, s:s, s:o, s:f}", "name", l->items[i].name, strlen(l->items[i].name), "op", l->items[i].op,
                      "sqnr_db", isfinite(db) ? json_real(db) : json_null(), "agreement", agreement(&l->items[i]));
        if (!layer || json_array_append_new(all, layer) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}
