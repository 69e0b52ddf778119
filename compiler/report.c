/* report.c: lowered graph -> one JSON object; the HTML page (report_html.c) is a view of the same object.
 *
 *     {"model": …, "target": …, "workspace_bytes": …, "weights_bytes": …, "macs": …, "seconds": …,
 *      "ops": [{"name", "op", "source", "arithmetic": "int8" | "float" | "mixed" | "data", "why", "fused": […],
 *               "operands": [{"type", "shape", "scale", "zero", "scale_from", "scale_note", "histogram", "difference"}], "results": […],
 *               "macs", "weights_bytes", "seconds"}],
 *      "memory": [{"value", "offset", "bytes", "first", "last"}]}
 *
 * Times, activations' histograms and differences from the file's graph are there when a run made them (qcc-run --report), weights' histograms always. */
#define _GNU_SOURCE
#include "compiler/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/report_html.h"
#include "ir/interp.h"

/* Names come from files and need not be UTF-8. */
static json_t *text_json(const char *text)
{
    json_t *value = json_string(text ? text : "");
    return value ? value : json_string("(not UTF-8)");
}

static const char *shape_text(const ir_graph *g, const ir_type *type)
{
    const char *s = type->rank ? "" : "scalar";
    for (int i = 0; i < type->rank; i++)
        s = arena_format(g->arena, "%s%s%" PRId64, s, i ? "x" : "", type->dims[i]);
    return s;
}

static json_t *histogram_json(const histogram *h)
{
    json_t *o = json_object(), *counts = json_array();
    json_object_set_new(o, "low", json_real(h->low));
    json_object_set_new(o, "high", json_real(h->high));
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        json_array_append_new(counts, json_integer((json_int_t)h->counts[i]));
    json_object_set_new(o, "counts", counts);
    json_object_set_new(o, "elements", json_integer((json_int_t)h->elements));
    json_object_set_new(o, "at_low", json_integer((json_int_t)h->at_low));
    json_object_set_new(o, "at_high", json_integer((json_int_t)h->at_high));
    return o;
}

/* Distribution of a constant's elements, or of those that a run has seen; NULL: unknown. */
static json_t *distribution(const ir_value *v, const report_facts *facts)
{
    histogram h;
    if (ir_is_const(v))
        return histogram_make(v, v->data, &h) ? histogram_json(&h) : NULL;
    return facts->activations && facts->activations[v->id].elements ? histogram_json(&facts->activations[v->id]) : NULL;
}

static json_t *difference_json(const ir_value *v, const report_difference *difference)
{
    json_t *o = json_object();
    json_object_set_new(o, "unit", json_string(v->quant ? "step" : "largest magnitude"));
    json_object_set_new(o, "max", json_real(difference->max));
    json_object_set_new(o, "mean", json_real(difference->mean));
    if (isfinite(difference->sqnr_db))
        json_object_set_new(o, "sqnr_db", json_real(difference->sqnr_db));
    if (difference->alone_known) {
        json_object_set_new(o, "alone_max", json_real(difference->alone_max));
        json_object_set_new(o, "alone_mean", json_real(difference->alone_mean));
    }
    return o;
}

static json_t *value_json(const ir_graph *g, const ir_value *v, const report_facts *facts)
{
    json_t *o = json_object(), *numbers = distribution(v, facts);
    if (v->name)
        json_object_set_new(o, "name", text_json(v->name));
    if (numbers)
        json_object_set_new(o, "histogram", numbers);
    if (facts->differences && !ir_is_const(v) && facts->differences[v->id].known)
        json_object_set_new(o, "difference", difference_json(v, &facts->differences[v->id]));
    json_object_set_new(o, "type", json_string(ir_dtype_text(v->type.dtype)));
    json_object_set_new(o, "shape", json_string(shape_text(g, &v->type)));
    json_object_set_new(o, "bytes", json_integer((json_int_t)ir_type_bytes(&v->type)));
    if (ir_is_const(v))
        json_object_set_new(o, "constant", json_true());
    if (!v->quant)
        return o;
    const ir_quant *q = v->quant;
    float low = q->scale[0], high = q->scale[0];
    for (int32_t i = 1; i < q->count; i++) {
        low = q->scale[i] < low ? q->scale[i] : low;
        high = q->scale[i] > high ? q->scale[i] : high;
    }
    json_object_set_new(o, "scale", json_real((double)low));
    if (q->axis >= 0) {
        json_object_set_new(o, "scale_max", json_real((double)high));
        json_object_set_new(o, "axis", json_integer(q->axis));
    }
    json_object_set_new(o, "zero", json_integer(q->zero[0]));
    json_object_set_new(o, "scale_from", json_string(ir_enum_text(IR_KIND_ENUM_SCALE, v->scale_from.source)));
    if (v->scale_from.note)
        json_object_set_new(o, "scale_note", text_json(v->scale_from.note));
    return o;
}

/* ---- Facts about one op ---- */

static int64_t macs_of(const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *w = ir_operand_value(op, 1);
    if (op->code == IR_BATCH_MATMUL) {
        const ir_type *a = &x->type;
        return ir_type_elements(&op->results[0]->type) * a->dims[a->rank - (ir_int(op, IR_ATTR_ADJ_A) ? 2 : 1)];
    }
    if (!(ir_op_info_of(op->code)->flags & IR_MAC) || !w)
        return 0;
    const int64_t results = ir_type_elements(&op->results[0]->type), weights = ir_type_elements(&w->type);
    if (op->code == IR_DEPTHWISE_CONV2D)
        return results * w->type.dims[1] * w->type.dims[2];
    if (w->type.dims[0] == 0)
        return 0;
    if (op->code == IR_TRANSPOSE_CONV2D)
        return ir_type_elements(&x->type) * (w->type.dims[3] ? weights / w->type.dims[3] : 0);
    return results * (weights / w->type.dims[0]);
}

typedef enum arithmetic { INTEGER, FLOAT, MIXED, DATA } arithmetic;
static const char *const arithmetic_names[] = {"int8", "float", "mixed", "data"};

static void count_value(const ir_value *v, int *quantized, int *real)
{
    if (!v || ir_is_const(v)) /* what a constant is, the compiler chooses */
        return;
    *quantized += v->quant != NULL;
    *real += !v->quant && ir_dtype_is_float(v->type.dtype);
}

static bool has_scale(const ir_value *v)
{
    return v->quant || (v->def && v->def->code == IR_DEQUANTIZE);
}

/* Why an op beside dequantize or quantize is computed in float: the scale that is missing. */
static const char *missing_scale(const ir_graph *g, const ir_op *op)
{
    bool beside = false, quantized = false, other = op->results[0]->uses == NULL;
    int without = -1;
    for (int i = op->operand_count < 2 ? op->operand_count - 1 : 1; i >= 0; i--) { /* biases need none */
        const ir_value *v = op->operands[i].value;
        beside = beside || (v && has_scale(v));
        if (v && v->type.dtype == IR_F32 && !has_scale(v))
            without = i;
    }
    for (const ir_operand *use = op->results[0]->uses; use; use = use->next_use)
        *(use->user->code == IR_QUANTIZE ? &quantized : &other) = true;
    if (!beside && !quantized)
        return "the file gives no quantization for it";
    if (other || ir_value_is_output(g, op->results[0]))
        return quantized ? "its real result is used, too" : "its result has no scale";
    if (without >= 0)
        return arena_format(g->arena, "operand %d has no scale", without);
    return "has scales, but no integer form";
}

static bool is_quantized(const ir_value *v) { return v && v->quant; }

/* A product is what its factors are: biases may be real beside integers, and so may the result. */
static arithmetic product_arithmetic(const ir_graph *g, const ir_op *op, const char **out_why)
{
    const bool x = is_quantized(op->operands[0].value), w = is_quantized(op->operands[1].value);
    if (ir_mac_is_dynamic(op)) {
        *out_why = "int8, quantized at run time";
        return INTEGER;
    }
    if (x && w) {
        *out_why = is_quantized(op->results[0]) ? "operands and result are quantized"
                                                : "operands are quantized; nothing quantizes the result, so its sums become real";
        return INTEGER;
    }
    *out_why = op->why_float ? op->why_float
               : w           ? "the file quantizes the weights, and keeps the activations real-valued"
                             : missing_scale(g, op);
    return FLOAT;
}

static arithmetic arithmetic_of(const ir_graph *g, const ir_op *op, const char **out_why)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    int quantized = 0, real = 0;
    if ((info->flags & IR_MAC) || op->code == IR_BATCH_MATMUL)
        return product_arithmetic(g, op, out_why);
    for (int i = 0; i < op->operand_count; i++)
        count_value(op->operands[i].value, &quantized, &real);
    for (int i = 0; i < info->results; i++)
        count_value(op->results[i], &quantized, &real);
    switch (op->code) {
    case IR_QUANTIZE:
    case IR_DEQUANTIZE: *out_why = "converts between real and quantized values"; return MIXED;
    case IR_DYNAMIC_QUANTIZE: *out_why = "quantizes real values at run time"; return MIXED;
    case IR_REQUANTIZE: *out_why = "converts between two quantizations"; return INTEGER;
    default: break;
    }
    if (quantized && real) {
        *out_why = "some of its operands and results are quantized, others real";
        return MIXED;
    }
    if (quantized) {
        *out_why = info->flags & IR_SAME_QUANT ? "moves or compares quantized values" : "operands and results are quantized";
        return INTEGER;
    }
    if (!real) {
        *out_why = "works on plain integers or booleans";
        return DATA;
    }
    *out_why = op->why_float ? op->why_float : info->results > 0 ? missing_scale(g, op) : "keeps real values";
    return FLOAT;
}

static json_t *fused_json(const ir_op *op)
{
    json_t *list = json_array();
    const ir_enum_ACT act = ir_has_attr(op, IR_ATTR_ACT) ? (ir_enum_ACT)ir_int(op, IR_ATTR_ACT) : IR_ACT_NONE;
    if (act != IR_ACT_NONE && op->code != IR_RELU)
        json_array_append_new(list, json_string(ir_enum_text(IR_KIND_ENUM_ACT, act)));
    if (!ir_has_attr(op, IR_ATTR_ADD_ACT) || !ir_operand_value(op, 3))
        return list;
    json_array_append_new(list, json_string("add"));
    const int64_t add_act = ir_int(op, IR_ATTR_ADD_ACT);
    if (add_act != IR_ACT_NONE)
        json_array_append_new(list, json_string(ir_enum_text(IR_KIND_ENUM_ACT, add_act)));
    return list;
}

static int64_t constant_bytes(const ir_op *op)
{
    int64_t bytes = 0;
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && ir_is_const(op->operands[i].value))
            bytes += (int64_t)ir_type_bytes(&op->operands[i].value->type);
    return bytes;
}

static json_t *op_json(const ir_graph *g, const ir_op *op, int64_t index, const report_facts *facts)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    const char *name = op->name, *why;
    if (!name && info->results > 0)
        name = op->results[0]->name;
    const arithmetic kind = arithmetic_of(g, op, &why);
    json_t *o = json_object(), *operands = json_array(), *results = json_array();
    json_object_set_new(o, "name", text_json(name ? name : info->text));
    json_object_set_new(o, "op", json_string(info->text));
    if (op->loc.file && op->loc.node >= 0)
        json_object_set_new(o, "source", text_json(arena_format(g->arena, "subgraph %d, node %d%s%s%s", op->loc.subgraph,
            op->loc.node, op->loc.kind ? " (" : "", op->loc.kind ? op->loc.kind : "", op->loc.kind ? ")" : "")));
    json_object_set_new(o, "arithmetic", json_string(arithmetic_names[kind]));
    json_object_set_new(o, "why", json_string(why));
    if (ir_has_attr(op, IR_ATTR_ROUNDING) && kind == INTEGER && !ir_mac_is_dynamic(op))
        json_object_set_new(o, "rounding", json_string(ir_enum_text(IR_KIND_ENUM_ROUNDING, ir_int(op, IR_ATTR_ROUNDING))));
    json_object_set_new(o, "fused", fused_json(op));
    for (int i = 0; i < op->operand_count; i++)
        json_array_append_new(operands, op->operands[i].value ? value_json(g, op->operands[i].value, facts) : json_null());
    for (int i = 0; i < info->results; i++)
        json_array_append_new(results, value_json(g, op->results[i], facts));
    json_object_set_new(o, "operands", operands);
    json_object_set_new(o, "results", results);
    json_object_set_new(o, "macs", json_integer(macs_of(op)));
    json_object_set_new(o, "weights_bytes", json_integer(constant_bytes(op)));
    if (facts->seconds && facts->seconds[index] >= 0)
        json_object_set_new(o, "seconds", json_real(facts->seconds[index]));
    return o;
}

/* ---- Memory: where in the workspace a value is, and between which ops it lives ---- */

/* Position of the op that uses each value last, by id. */
static int64_t *last_uses(const ir_graph *g)
{
    int64_t *last = calloc((size_t)g->next_id + 1, sizeof *last), index = 0;
    for (const ir_op *op = g->first; last && op; op = op->next, index++)
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value)
                last[op->operands[i].value->id] = index;
    return last;
}

static json_t *memory_json(const ir_graph *g)
{
    json_t *list = json_array();
    int64_t *last = last_uses(g), index = 0;
    for (const ir_op *op = g->first; last && op; op = op->next, index++)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
            const ir_value *v = op->results[i];
            if (v->place.space != IR_SPACE_WORKSPACE)
                continue;
            json_t *o = json_object();
            json_object_set_new(o, "value", text_json(v->name ? v->name : ir_op_info_of(op->code)->text));
            json_object_set_new(o, "offset", json_integer(v->place.offset));
            json_object_set_new(o, "bytes", json_integer((json_int_t)ir_type_bytes(&v->type)));
            json_object_set_new(o, "first", json_integer(index));
            json_object_set_new(o, "last", json_integer(last[v->id] > index ? last[v->id] : index));
            json_array_append_new(list, o);
        }
    free(last);
    return list;
}

/* ---- The whole ---- */

static json_t *graph_json(const ir_graph *g, const report_facts *facts)
{
    json_t *o = json_object(), *ops = json_array();
    int64_t macs[4] = {0}, weights = 0, index = 0;
    int counts[4] = {0};
    double seconds = 0;
    const char *why;
    for (const ir_op *op = g->first; op; op = op->next, index++) {
        const arithmetic kind = arithmetic_of(g, op, &why);
        json_array_append_new(ops, op_json(g, op, index, facts));
        macs[kind] += macs_of(op);
        weights += constant_bytes(op);
        counts[kind]++;
        seconds += facts->seconds && facts->seconds[index] > 0 ? facts->seconds[index] : 0;
    }
    json_object_set_new(o, "model", text_json(facts->name));
    json_object_set_new(o, "source", text_json(facts->source));
    json_object_set_new(o, "target", json_string(facts->target));
    json_object_set_new(o, "qcc", json_string(QCC_VERSION));
    json_object_set_new(o, "workspace_bytes", json_integer((json_int_t)g->workspace_bytes));
    json_object_set_new(o, "state_bytes", json_integer((json_int_t)g->state_bytes));
    json_object_set_new(o, "weights_bytes", json_integer(weights));
    if (facts->object_bytes)
        json_object_set_new(o, "object_bytes", json_integer((json_int_t)facts->object_bytes));
    json_object_set_new(o, "macs", json_integer(macs[INTEGER] + macs[FLOAT] + macs[MIXED] + macs[DATA]));
    for (int i = 0; i < 4; i++) {
        json_object_set_new(o, arena_format(g->arena, "ops_%s", arithmetic_names[i]), json_integer(counts[i]));
        json_object_set_new(o, arena_format(g->arena, "macs_%s", arithmetic_names[i]), json_integer(macs[i]));
    }
    if (facts->seconds)
        json_object_set_new(o, "seconds", json_real(seconds));
    json_object_set_new(o, "ops", ops);
    json_object_set_new(o, "memory", memory_json(g));
    return o;
}

char *report_text(const ir_graph *g, const report_facts *facts, bool html, size_t *out_length)
{
    char *text = NULL;
    json_t *o = graph_json(g, facts);
    FILE *out = open_memstream(&text, out_length);
    bool good = o && out;
    if (good && html)
        report_print_html(out, o);
    else if (good)
        good = json_dumpf(o, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0 && fputc('\n', out) != EOF;
    good = out && fclose(out) == 0 && good;
    json_decref(o);
    if (good)
        return text;
    free(text);
    return NULL;
}
