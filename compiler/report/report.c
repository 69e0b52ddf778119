/* report.c: lowered graph -> one JSON object; the page (report_html.c) and the text (report_terminal.c) are views of it.
 *
 *     {"model": …, "targets": ["avx2", "generic"], "target": "avx2", "threads": …, "workspace_bytes": …, "weights_bytes": …,
 *      "macs": …, "seconds": …, "estimated_for": "avx2", "estimated_seconds": …,
 *      "ops": [{"name", "op", "source", "arithmetic": "int8" | "float" | "mixed" | "data", "why", "fused": […], "kernels": […],
 *               "operands": [{"type", "shape", "scale", "zero", "scale_from", "scale_note", "histogram", "difference",
 *                             "observed"}],
 *               "results": […],
 *               "parts", "macs", "weights_bytes", "seconds", "estimated_seconds"}],
 *      "not_int8": …, "slowest_by": …, "slowest": …,                          (report_summary.c)
 *      "memory": [{"value", "kind": "int8" | "float" | "data" | "scratch" | "state", "offset", "bytes", "first", "last"}]}
 *
 * The target that ran, times, activations' histograms and differences from the file's graph are there when a run made
 * them (qcc-run --report), weights' histograms always. */
#define _GNU_SOURCE
#include "compiler/report/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/codegen/object/cost.h"
#include "compiler/report/report_arithmetic.h"
#include "compiler/report/report_html.h"
#include "compiler/report/report_json.h"
#include "compiler/report/report_rows.h"
#include "compiler/report/report_summary.h"
#include "ir/ref/interp.h"
#include "ir/size_limits.h"

static const char *shape_text(const ir_graph *g, const ir_type *type)
{
    const char *s = type->rank ? "" : "scalar";
    for (int i = 0; i < type->rank; i++)
        s = arena_format(g->arena, "%s%s%" PRId64, s, i ? "x" : "", type->dims[i]);
    return s;
}

static json_t *histogram_json(report_builder *r, const histogram *h)
{
    json_t *o = json_object(), *counts = json_array();
    report_put_real(r, o, "low", h->low);
    report_put_real(r, o, "high", h->high);
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        report_push(r, counts, json_integer((json_int_t)h->counts[i]));
    report_put(r, o, "counts", counts);
    report_put(r, o, "elements", json_integer((json_int_t)h->elements));
    report_put(r, o, "at_low", json_integer((json_int_t)h->at_low));
    report_put(r, o, "at_high", json_integer((json_int_t)h->at_high));
    return o;
}

/* Distribution of a constant's elements, or of those that a run has seen, where known. */
static void put_distribution(report_builder *r, json_t *o, const ir_value *v)
{
    const histogram *seen = r->facts->activations ? &r->facts->activations[v->id] : NULL;
    histogram h;
    if (ir_is_const(v) && histogram_make(v, v->data, &h))
        report_put(r, o, "histogram", histogram_json(r, &h));
    else if (!ir_is_const(v) && seen && seen->elements)
        report_put(r, o, "histogram", histogram_json(r, seen));
}

static json_t *difference_json(report_builder *r, const ir_value *v, const report_difference *difference)
{
    json_t *o = json_object();
    report_put(r, o, "unit", json_string(v->quant ? "step" : "largest magnitude"));
    report_put_real(r, o, "max", difference->max);
    report_put_real(r, o, "mean", difference->mean);
    report_put_real(r, o, "sqnr_db", difference->sqnr_db);
    if (difference->alone_known) {
        report_put_real(r, o, "alone_max", difference->alone_max);
        report_put_real(r, o, "alone_mean", difference->alone_mean);
        report_put_real(r, o, "alone_sqnr_db", difference->alone_sqnr_db);
    }
    return o;
}

static json_t *observed_json(report_builder *r, const ir_observed *seen)
{
    json_t *o = json_object(), *counts = json_array();
    report_put(r, o, "algorithm", report_string(r, seen->algorithm));
    report_put_real(r, o, "range_low", seen->range_low);
    report_put_real(r, o, "range_high", seen->range_high);
    report_put_real(r, o, "low", seen->low);
    report_put_real(r, o, "high", seen->high);
    report_put(r, o, "elements", json_integer((json_int_t)seen->elements));
    report_put_real(r, o, "clipped", (double)seen->clipped / (double)seen->elements);
    for (int i = 0; i < IR_OBSERVED_BINS; i++)
        report_push(r, counts, json_integer((json_int_t)seen->counts[i]));
    report_put(r, o, "counts", counts);
    return o;
}

static json_t *value_json(report_builder *r, const ir_value *v)
{
    json_t *o = json_object();
    if (v->name)
        report_put(r, o, "name", report_string(r, v->name));
    put_distribution(r, o, v);
    if (r->facts->differences && !ir_is_const(v) && r->facts->differences[v->id].known)
        report_put(r, o, "difference", difference_json(r, v, &r->facts->differences[v->id]));
    report_put(r, o, "type", json_string(ir_dtype_text(v->type.dtype)));
    report_put(r, o, "shape", json_string(shape_text(r->g, &v->type)));
    report_put(r, o, "bytes", json_integer((json_int_t)ir_type_bytes(&v->type)));
    if (ir_is_const(v))
        report_put(r, o, "constant", json_true());
    if (!v->quant)
        return o;
    const ir_quant *q = v->quant;
    float low = q->scale[0], high = q->scale[0];
    for (int32_t i = 1; i < q->count; i++) {
        low = q->scale[i] < low ? q->scale[i] : low;
        high = q->scale[i] > high ? q->scale[i] : high;
    }
    report_put_real(r, o, "scale", (double)low);
    if (q->axis >= 0) {
        report_put_real(r, o, "scale_max", (double)high);
        report_put(r, o, "axis", json_integer(q->axis));
    }
    report_put(r, o, "zero", json_integer(q->zero[0]));
    if (ir_unused_any(q->unused)) {
        int32_t least, most;
        ir_quant_range(v->type.dtype, q, &least, &most);
        report_put(r, o, "least", json_integer(least));
        report_put(r, o, "most", json_integer(most));
    }
    report_put(r, o, "scale_from", json_string(ir_enum_text(IR_KIND_ENUM_SCALE, v->scale_from.source)));
    if (v->scale_from.note)
        report_put(r, o, "scale_note", report_string(r, v->scale_from.note));
    if (v->scale_from.observed)
        report_put(r, o, "observed", observed_json(r, v->scale_from.observed));
    return o;
}

/* ---- Facts about one op ---- */

static json_t *fused_json(report_builder *r, const ir_op *op)
{
    json_t *list = json_array();
    const ir_enum_ACT act = ir_has_attr(op, IR_ATTR_ACT) ? (ir_enum_ACT)ir_int(op, IR_ATTR_ACT) : IR_ACT_NONE;
    if (act != IR_ACT_NONE && op->code != IR_RELU)
        report_push(r, list, json_string(ir_enum_text(IR_KIND_ENUM_ACT, act)));
    if (!ir_has_attr(op, IR_ATTR_ADD_ACT) || !ir_operand_value(op, 3))
        return list;
    report_push(r, list, json_string("add"));
    const int64_t add_act = ir_int(op, IR_ATTR_ADD_ACT);
    if (add_act != IR_ACT_NONE)
        report_push(r, list, json_string(ir_enum_text(IR_KIND_ENUM_ACT, add_act)));
    return list;
}

/* One for all targets, or one for each. */
static json_t *kernels_json(report_builder *r, const ir_op *op)
{
    json_t *list = json_array();
    for (const char *at = op->kernel.name; at;) {
        const char *comma = strstr(at, ", ");
        const size_t length = comma ? (size_t)(comma - at) : strlen(at);
        report_push(r, list, report_string(r, arena_string(r->g->arena, at, length)));
        at = comma ? comma + 2 : NULL;
    }
    return list;
}

static json_t *op_json(report_builder *r, const ir_op *op, const report_row *row)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    const char *why;
    const report_arithmetic kind = report_arithmetic_of(r->g, op, &why);
    json_t *o = json_object(), *operands = json_array(), *results = json_array();
    report_put(r, o, "name", report_string(r, report_op_name(op)));
    report_put(r, o, "op", json_string(info->text));
    if (op->loc.file && op->loc.node >= 0)
        report_put(r, o, "source",
                   report_string(r, arena_format(r->g->arena, "subgraph %d, node %d%s%s%s", op->loc.subgraph,
                                                 op->loc.node, op->loc.kind ? " (" : "",
                                                 op->loc.kind ? op->loc.kind : "", op->loc.kind ? ")" : "")));
    report_put(r, o, "arithmetic", json_string(report_arithmetic_names[kind]));
    report_put(r, o, "why", json_string(why));
    if (ir_has_attr(op, IR_ATTR_ROUNDING) && kind == REPORT_INTEGER && !ir_mac_is_dynamic(op))
        report_put(r, o, "rounding", json_string(ir_enum_text(IR_KIND_ENUM_ROUNDING, ir_int(op, IR_ATTR_ROUNDING))));
    report_put(r, o, "fused", fused_json(r, op));
    report_put(r, o, "kernels", kernels_json(r, op));
    for (int i = 0; i < op->operand_count; i++)
        report_push(r, operands, op->operands[i].value ? value_json(r, op->operands[i].value) : json_null());
    for (int i = 0; i < info->results; i++)
        report_push(r, results, value_json(r, op->results[i]));
    report_put(r, o, "operands", operands);
    report_put(r, o, "results", results);
    if (row->parts > 1)
        report_put(r, o, "parts", json_integer(row->parts));
    report_put(r, o, "macs", json_integer(row->macs));
    report_put(r, o, "weights_bytes", json_integer(report_constant_bytes(op)));
    if (row->seconds >= 0)
        report_put_real(r, o, "seconds", row->seconds);
    report_put_real(r, o, "estimated_seconds", row->estimated_seconds);
    return o;
}

/* ---- Memory: where in the workspace a value is, and between which ops it lives ---- */

/* Row of the op that uses each value last, by id. */
static int64_t *last_uses(const ir_graph *g, const report_rows *rows)
{
    int64_t *last = calloc((size_t)g->next_id + 1, sizeof *last);
    for (const ir_op *op = g->first; last && op; op = op->next)
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value)
                last[op->operands[i].value->id] = rows->of_op[op->id];
    return last;
}

static json_t *place_json(report_builder *r, const char *name, const char *kind, int64_t offset, size_t bytes)
{
    json_t *o = json_object();
    report_put(r, o, "value", report_string(r, name));
    report_put(r, o, "kind", json_string(kind));
    report_put(r, o, "offset", json_integer(offset));
    report_put(r, o, "bytes", json_integer((json_int_t)bytes));
    return o;
}

static void push_lifetime(report_builder *r, json_t *list, json_t *place, int64_t first, int64_t last)
{
    report_put(r, place, "first", json_integer(first));
    report_put(r, place, "last", json_integer(last > first ? last : first));
    report_push(r, list, place);
}

static void push_results(report_builder *r, json_t *list, const ir_op *op, int64_t index, const int64_t last[])
{
    const char *op_name = ir_op_info_of(op->code)->text;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
        const ir_value *v = op->results[i];
        if (v->place.space != IR_SPACE_WORKSPACE)
            continue;
        const char *kind = v->quant ? "int8" : ir_dtype_is_float(v->type.dtype) ? "float" : "data";
        json_t *o = place_json(r, v->name ? v->name : op_name, kind, v->place.offset, ir_type_bytes(&v->type));
        push_lifetime(r, list, o, index, last[v->id]);
    }
    if (op->kernel.scratch_bytes > 0)
        push_lifetime(r, list,
                      place_json(r, op->name ? op->name : op_name, "scratch", op->kernel.scratch_offset,
                                 (size_t)op->kernel.scratch_bytes),
                      index, index);
}

static json_t *memory_json(report_builder *r, const report_rows *rows)
{
    json_t *list = json_array();
    int64_t *last = last_uses(r->g, rows);
    r->failed |= !last;
    for (const ir_op *op = r->g->first; last && op; op = op->next)
        if (!op->repeats)
            push_results(r, list, op, rows->of_op[op->id], last);
    if (r->g->state_bytes)
        push_lifetime(r, list, place_json(r, "state", "state", (int64_t)r->g->state_offset, r->g->state_bytes), 0,
                      rows->count - 1);
    free(last);
    return list;
}

/* ---- The whole ---- */

static bool is_inferred(const ir_value *v)
{
    const ir_enum_SCALE source = v->scale_from.source;
    return v->quant && (source == IR_SCALE_CALIBRATED || source == IR_SCALE_ABSMAX || source == IR_SCALE_MSE ||
                        source == IR_SCALE_FOUND || source == IR_SCALE_PROPAGATED || source == IR_SCALE_KNOWN);
}

/* Has the op a result or a constant whose scale is not the file's? */
static bool has_inferred_scale(const ir_op *op)
{
    bool any = false;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        any = any || is_inferred(op->results[i]);
    for (int i = 0; i < op->operand_count; i++)
        any =
            any || (op->operands[i].value && ir_is_const(op->operands[i].value) && is_inferred(op->operands[i].value));
    return any;
}

static json_t *targets_json(report_builder *r)
{
    json_t *list = json_array();
    for (target_set left = r->facts->targets; left; left = target_set_rest(left))
        report_push(r, list, json_string(target_set_best(left)->name));
    return list;
}

void report_totals(const ir_graph *g, int64_t *out_macs, int64_t *out_weights_bytes)
{
    *out_macs = *out_weights_bytes = 0;
    for (const ir_op *op = g->first; op; op = op->next) {
        *out_macs += cg_multiply_adds(op);
        *out_weights_bytes += op->repeats ? 0 : report_constant_bytes(op);
    }
}

static json_t *graph_json(report_builder *r)
{
    const ir_graph *g = r->g;
    const report_facts *facts = r->facts;
    json_t *o = json_object(), *ops = json_array();
    const report_rows rows = report_rows_make(g, facts->seconds, r->estimated_for, g->arena);
    int64_t macs[4] = {0}, weights = 0;
    int counts[4] = {0}, inferred = 0;
    double seconds = 0, estimated = 0;
    const char *why;
    for (const ir_op *op = g->first; op; op = op->next) {
        if (op->repeats)
            continue;
        const report_row *row = &rows.row[rows.of_op[op->id]];
        const report_arithmetic kind = report_arithmetic_of(g, op, &why);
        report_push(r, ops, op_json(r, op, row));
        macs[kind] += row->macs;
        weights += report_constant_bytes(op);
        counts[kind]++;
        inferred += has_inferred_scale(op);
        estimated += row->estimated_seconds;
        seconds += row->seconds > 0 ? row->seconds : 0;
    }
    report_put(r, o, "model", report_string(r, facts->name));
    const char *slash = strrchr(facts->source, '/'); /* reports travel: where the model was is not part of them */
    report_put(r, o, "source", report_string(r, slash ? slash + 1 : facts->source));
    report_put(r, o, "targets", targets_json(r));
    if (facts->target)
        report_put(r, o, "target", json_string(facts->target));
    if (facts->threads)
        report_put(r, o, "threads", json_integer(facts->threads));
    report_put(r, o, "qcc", json_string(QCC_VERSION));
    report_put(r, o, "workspace_bytes", json_integer((json_int_t)g->workspace_bytes));
    const char *remark = ir_limits_remark(g);
    if (remark)
        report_put(r, o, "workspace_remark", json_string(remark));
    report_put(r, o, "state_bytes", json_integer((json_int_t)g->state_bytes));
    report_put(r, o, "weights_bytes", json_integer(weights));
    if (facts->object_bytes)
        report_put(r, o, "object_bytes", json_integer((json_int_t)facts->object_bytes));
    report_put(r, o, "macs",
               json_integer(macs[REPORT_INTEGER] + macs[REPORT_FLOAT] + macs[REPORT_MIXED] + macs[REPORT_DATA]));
    for (int i = 0; i < 4; i++) {
        report_put(r, o, arena_format(g->arena, "ops_%s", report_arithmetic_names[i]), json_integer(counts[i]));
        report_put(r, o, arena_format(g->arena, "macs_%s", report_arithmetic_names[i]), json_integer(macs[i]));
    }
    report_put(r, o, "ops_inferred", json_integer(inferred));
    if (facts->seconds)
        report_put_real(r, o, "seconds", seconds);
    report_put(r, o, "estimated_for", json_string(r->estimated_for->name));
    report_put_real(r, o, "estimated_seconds", estimated);
    report_put(r, o, "float_is_asked_for", json_boolean(facts->float_is_asked_for));
    report_put_summary(r, o, ops);
    report_put(r, o, "ops", ops);
    report_put(r, o, "memory", memory_json(r, &rows));
    return o;
}

bool report_is_html(const char *path) { return strcmp(strrchr(path, '.'), ".html") == 0; }

char *report_text(const ir_graph *g, const report_facts *facts, bool html, size_t *out_length)
{
    char *text = NULL;
    report_builder r = {.memory = g->arena,
                        .g = g,
                        .facts = facts,
                        .estimated_for = facts->target ? target_find(facts->target) : target_set_best(facts->targets)};
    json_t *o = graph_json(&r);
    FILE *out = open_memstream(&text, out_length);
    bool good = !r.failed && out;
    if (good && html)
        report_print_html(out, o);
    else if (good)
        good = json_dumpf(o, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0 && fputc('\n', out) != EOF;
    good = good && !ferror(out);
    good = out && fclose(out) == 0 && good;
    json_decref(o);
    if (good)
        return text;
    free(text);
    return NULL;
}
