/* describe.c: a description as the importers leave it, and the lowered graph where there is one -> one JSON object;
 * the text is a view of the same object.
 *
 *     {"model": …, "format": "ONNX", "supported": false,
 *      "inputs": [{"name", "type", "shape": [1, 3, null], "open": [{"dimension": 2, "name", "option"}], "scale", "zero"}],
 *      "outputs": [the same], "operators": [{"name", "count", "refused", "why", "remark"}], "refusals": ["…"],
 *      "macs", "weights_bytes", "workspace_bytes", "state_bytes"}                    (where it can be compiled) */
#define _GNU_SOURCE
#include "compiler/describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "compiler/report/report.h"
#include "compiler/report/report_json.h"

typedef struct describe_facts {
    const char *file;
    const frontend_description *description;
    const diag_refusals *refusals; /* of the import */
    const char *failure;           /* of what comes after it; NULL: none */
    const ir_graph *graph;         /* lowered; NULL: refused */
} describe_facts;

/* ---- The object ---- */

static json_t *shape_json(report_builder *r, const ir_type *type)
{
    json_t *list = json_array();
    for (int i = 0; i < type->rank; i++)
        report_push(r, list, type->dims[i] < 0 ? json_null() : json_integer(type->dims[i]));
    return list;
}

/* What --input-shape would have to say. */
static json_t *open_json(report_builder *r, const frontend_described *v)
{
    json_t *list = json_array();
    for (int i = 0; i < v->in_file.rank; i++) {
        if (v->in_file.dims[i] >= 0)
            continue;
        const char *name = v->dim_names ? v->dim_names[i] : NULL;
        json_t *o = json_object();
        report_put(r, o, "dimension", json_integer(i));
        if (name)
            report_put(r, o, "name", report_string(r, name));
        const char *text = arena_format(r->memory, "--input-shape=%s:%s", v->name, v->in_file.rank == 1 ? "N" : "");
        for (int d = 0; d < v->in_file.rank && v->in_file.rank > 1; d++)
            text = v->in_file.dims[d] < 0
                       ? arena_format(r->memory, "%s%sN", text, d ? "x" : "")
                       : arena_format(r->memory, "%s%s%" PRId64, text, d ? "x" : "", v->in_file.dims[d]);
        if (name)
            text = arena_format(r->memory, "--input-shape=%s:N", name);
        report_put(r, o, "option", report_string(r, text));
        report_push(r, list, o);
    }
    return list;
}

static json_t *value_json(report_builder *r, const frontend_described *v)
{
    json_t *o = json_object();
    report_put(r, o, "name", report_string(r, v->name));
    if (v->type.dtype != IR_DTYPE_NONE) {
        report_put(r, o, "type", json_string(ir_dtype_text(v->type.dtype)));
        report_put(r, o, "shape", shape_json(r, &v->type));
    }
    if (v->is_input)
        report_put(r, o, "open", open_json(r, v));
    if (v->quantized) {
        report_put_real(r, o, "scale", (double)v->scale);
        report_put(r, o, "zero", json_integer(v->zero));
    }
    return o;
}

static json_t *operators_json(report_builder *r, const frontend_description *d)
{
    json_t *list = json_array();
    for (const frontend_operator *p = d->operators; p; p = p->next) {
        json_t *o = json_object();
        report_put(r, o, "name", report_string(r, p->name));
        report_put(r, o, "count", json_integer(p->count));
        if (p->refused) {
            report_put(r, o, "refused", json_integer(p->refused));
            report_put(r, o, "why", report_string(r, p->why));
        }
        if (p->remark)
            report_put(r, o, "remark", report_string(r, p->remark));
        report_push(r, list, o);
    }
    return list;
}

static void put_values(report_builder *r, json_t *o, const frontend_description *d)
{
    json_t *inputs = json_array(), *outputs = json_array();
    for (const frontend_described *v = d->values; v; v = v->next)
        report_push(r, v->is_input ? inputs : outputs, value_json(r, v));
    report_put(r, o, "inputs", inputs);
    report_put(r, o, "outputs", outputs);
}

static json_t *description_json(report_builder *r, const describe_facts *facts)
{
    const diag_refusals *refusals = facts->refusals;
    json_t *o = json_object(), *list = json_array();
    report_put(r, o, "model", report_string(r, facts->file));
    report_put(r, o, "format", json_string(facts->description->format));
    report_put(r, o, "supported", json_boolean(facts->graph != NULL));
    put_values(r, o, facts->description);
    report_put(r, o, "operators", operators_json(r, facts->description));
    for (int i = 0; i < refusals->count; i++)
        report_push(r, list, report_string(r, refusals->text[i]));
    if (refusals->full)
        report_push(r, list, report_string(r, refusals->summary));
    if (facts->failure)
        report_push(r, list, report_string(r, facts->failure));
    report_put(r, o, "refusals", list);
    if (!facts->graph)
        return o;
    int64_t macs, weights;
    report_totals(facts->graph, &macs, &weights);
    report_put(r, o, "macs", json_integer(macs));
    report_put(r, o, "weights_bytes", json_integer(weights));
    report_put(r, o, "workspace_bytes", json_integer((json_int_t)facts->graph->workspace_bytes));
    report_put(r, o, "state_bytes", json_integer((json_int_t)facts->graph->state_bytes));
    return o;
}

/* ---- The text ---- */

static const char *string_of(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }

static void print_value(FILE *out, const json_t *v)
{
    const char *type = string_of(v, "type");
    const json_t *shape = json_object_get(v, "shape"), *open = json_object_get(v, "open");
    size_t i;
    json_t *item;
    fprintf(out, "  %-24s %s ", string_of(v, "name"), type ? type : "not known");
    json_array_foreach(shape, i, item)
    {
        fprintf(out, "%s", i ? "x" : "");
        if (json_is_null(item))
            fprintf(out, "?");
        else
            fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
    }
    if (shape && !json_array_size(shape))
        fprintf(out, "scalar");
    if (json_object_get(v, "scale"))
        fprintf(out, ", scale %.9g, zero %" JSON_INTEGER_FORMAT, json_real_value(json_object_get(v, "scale")),
                json_integer_value(json_object_get(v, "zero")));
    fprintf(out, "\n");
    json_array_foreach(open, i, item)
        fprintf(out, "    dimension %" JSON_INTEGER_FORMAT " is open in the file: %s\n",
                json_integer_value(json_object_get(item, "dimension")), string_of(item, "option"));
}

static void print_values(FILE *out, const json_t *o, const char *key)
{
    size_t i;
    json_t *v;
    fprintf(out, "%s\n", key);
    json_array_foreach(json_object_get(o, key), i, v) print_value(out, v);
}

static void print_operators(FILE *out, const json_t *o)
{
    size_t i;
    json_t *v;
    fprintf(out, "operators\n");
    json_array_foreach(json_object_get(o, "operators"), i, v)
    {
        const int64_t refused = json_integer_value(json_object_get(v, "refused"));
        fprintf(out, "  %-32s %6" JSON_INTEGER_FORMAT, string_of(v, "name"),
                json_integer_value(json_object_get(v, "count")));
        if (refused)
            fprintf(out, "  not supported at %" PRId64 ": %s", refused, string_of(v, "why"));
        if (json_object_get(v, "remark"))
            fprintf(out, "  %s", string_of(v, "remark"));
        fprintf(out, "\n");
    }
}

static void print_total(FILE *out, const json_t *o, const char *key, const char *what)
{
    const json_t *v = json_object_get(o, key);
    if (v)
        fprintf(out, "%-16s %" JSON_INTEGER_FORMAT "\n", what, json_integer_value(v));
}

static void print_description(FILE *out, const json_t *o)
{
    const bool supported = json_is_true(json_object_get(o, "supported"));
    size_t i;
    json_t *v;
    fprintf(out, "%s: %s, %s\n", string_of(o, "model"), string_of(o, "format"),
            supported ? "can be compiled" : "can't be compiled");
    print_values(out, o, "inputs");
    print_values(out, o, "outputs");
    print_operators(out, o);
    if (!supported)
        fprintf(out, "refusals\n");
    json_array_foreach(json_object_get(o, "refusals"), i, v) fprintf(out, "  %s\n", json_string_value(v));
    print_total(out, o, "macs", "multiply-adds");
    print_total(out, o, "weights_bytes", "weights, bytes");
    print_total(out, o, "workspace_bytes", "workspace, bytes");
    print_total(out, o, "state_bytes", "state, bytes");
}

static bool print_facts(const describe_facts *facts, bool json, FILE *out)
{
    report_builder r = {.memory = facts->description->memory};
    json_t *o = description_json(&r, facts);
    bool good = !r.failed;
    if (good && !json)
        print_description(out, o);
    else if (good)
        good = json_dumpf(o, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0 && fputc('\n', out) != EOF;
    json_decref(o);
    return good;
}

bool describe_model(const driver_options *o, const char *path, bool json, FILE *out, diag *d)
{
    frontend_description description = {.memory = arena_new()};
    driver_options options = *o;
    driver_module m = {0};
    options.description = &description;
    const bool imported = driver_import(&options, path, &m, d), lowered = imported && driver_lower(&options, &m, d);
    const describe_facts facts = {.file = path,
                                  .description = &description,
                                  .refusals = d->refusals,
                                  .failure = imported && !lowered ? d->text : NULL,
                                  .graph = lowered ? m.graph : NULL};
    const bool told = lowered || (!d->final && (imported || d->refusals->count));
    const bool good = told && (print_facts(&facts, json, out) || diag_out_of_memory(d, NULL));
    driver_module_free(&m);
    arena_free(description.memory);
    return good;
}
