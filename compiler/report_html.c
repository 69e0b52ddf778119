/* report_html.c: the report as one page: facts, arithmetic, the memory plan, and a row an op.  Pictures are SVG
 * inside. */
#include "compiler/report_html.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MAP_WIDTH = 960, MAP_HEIGHT = 240, SPARK_WIDTH = 96, SPARK_HEIGHT = 24 };

static const char style[] =
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em;color:#222}table{border-collapse:collapse;margin:1em 0}"
    "td,th{border-bottom:1px solid #ddd;padding:.3em .6em;text-align:left;vertical-align:top}"
    "thead th{position:sticky;top:0;background:#fff}.n{text-align:right;font-variant-numeric:tabular-nums}"
    "small{color:#666}tr.float{background:#fff1e0}tr.mixed{background:#fffbe6}"
    ".bar{display:flex;height:1.4em;max-width:60em;border-radius:3px;overflow:hidden}"
    ".bar span{color:#fff;padding-left:.4em;overflow:hidden;"
    "white-space:nowrap}span.int8{background:#2a7f62}span.float{background:#c8662b}"
    "span.mixed{background:#b59a26}span.data{background:#888}"
    "svg{display:block}svg.map{background:#f6f6f6}svg.map rect{fill:#5b8db8;fill-opacity:.7;stroke:#fff;stroke-width:.5}"
    "svg.spark{background:#f3f3f3}svg.spark path{fill:#7a5ca0}";

/* ---- Text and members ---- */

static void print_escaped(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text, out);
        }
}

static const char *member(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

static int64_t integer(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

static void print_cell(FILE *out, const char *text)
{
    fputs("<td>", out);
    print_escaped(out, text);
    fputs("</td>", out);
}

/* ---- Pictures ---- */

/* A histogram as a curve, as high as its largest bin; its title has the numbers.  Heights are square roots: one bin of
 * zeros would flatten the rest. */
static void print_histogram(FILE *out, const json_t *h)
{
    const json_t *counts = json_object_get(h, "counts");
    const size_t bins = json_array_size(counts);
    json_int_t most = 1;
    for (size_t i = 0; i < bins; i++) {
        const json_int_t n = json_integer_value(json_array_get(counts, i));
        most = n > most ? n : most;
    }
    fprintf(out,
            "<svg class=\"spark\" width=\"%d\" height=\"%d\"><title>%" PRId64 " elements from %.5g to %.5g; %" PRId64
            " at the low end, %" PRId64 " at the high end</title><path d=\"M0 %d",
            SPARK_WIDTH, SPARK_HEIGHT, integer(h, "elements"), number(h, "low"), number(h, "high"),
            integer(h, "at_low"), integer(h, "at_high"), SPARK_HEIGHT);
    for (size_t i = 0; i < bins; i++) {
        const double share = sqrt((double)json_integer_value(json_array_get(counts, i)) / (double)most);
        fprintf(out, "V%.1fh%.2f", SPARK_HEIGHT * (1 - share), (double)SPARK_WIDTH / (double)bins);
    }
    fprintf(out, "V%dZ\"/></svg>", SPARK_HEIGHT);
}

/* Which arithmetic the multiply-adds take. */
static void print_arithmetic(FILE *out, const json_t *o)
{
    static const char *const kinds[] = {"int8", "mixed", "float", "data"};
    const double all = number(o, "macs");
    if (all <= 0)
        return;
    fputs("<h2>Multiply-adds by arithmetic</h2>\n<div class=\"bar\">", out);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char key[16];
        snprintf(key, sizeof key, "macs_%s", kinds[i]);
        const double share = 100 * number(o, key) / all;
        if (share > 0)
            fprintf(out, "<span class=\"%s\" style=\"width:%.3f%%\">%s %.1f %%</span>", kinds[i], share, kinds[i],
                    share);
    }
    fputs("</div>\n", out);
}

/* Time goes to the right, addresses go down; a box is a value. */
static void print_memory(FILE *out, const json_t *o)
{
    const json_t *values = json_object_get(o, "memory");
    const double bytes = number(o, "workspace_bytes"), ops = (double)json_array_size(json_object_get(o, "ops"));
    if (json_array_size(values) == 0 || bytes <= 0)
        return;
    fprintf(out,
            "<h2>Workspace</h2>\n<p>To the right: ops in order. Down: addresses, %.0f bytes in all.</p>\n"
            "<svg class=\"map\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %.0f %.0f\" preserveAspectRatio=\"none\">\n",
            bytes, MAP_WIDTH, MAP_HEIGHT, ops, bytes);
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *v = json_array_get(values, i);
        const int64_t first = integer(v, "first"), last = integer(v, "last");
        fprintf(out,
                "<rect vector-effect=\"non-scaling-stroke\" x=\"%" PRId64 "\" y=\"%" PRId64 "\" width=\"%" PRId64
                "\" height=\"%" PRId64 "\"><title>",
                first, integer(v, "offset"), last - first + 1, integer(v, "bytes"));
        print_escaped(out, member(v, "value"));
        fprintf(out, ": %" PRId64 " bytes at %" PRId64 ", ops %" PRId64 " to %" PRId64 "</title></rect>\n",
                integer(v, "bytes"), integer(v, "offset"), first, last);
    }
    fputs("</svg>\n", out);
}

/* ---- The table ---- */

static void print_scale(FILE *out, const json_t *v)
{
    if (!json_object_get(v, "scale"))
        return;
    if (json_object_get(v, "scale_max"))
        fprintf(out, " <small>scale %.3g&hellip;%.3g", number(v, "scale"), number(v, "scale_max"));
    else
        fprintf(out, " <small>scale %.4g, zero %" PRId64, number(v, "scale"), integer(v, "zero"));
    fputs("; from ", out);
    print_escaped(out, member(v, "scale_from"));
    if (json_object_get(v, "scale_note")) {
        fputs(": ", out);
        print_escaped(out, member(v, "scale_note"));
    }
    fputs("</small>", out);
}

static void print_difference(FILE *out, const json_t *difference)
{
    if (!difference)
        return;
    fprintf(out, "<small title=\"largest difference from the file's graph, in units of one %s\">&Delta; %.3g",
            member(difference, "unit"), number(difference, "max"));
    if (json_object_get(difference, "alone_max"))
        fprintf(out, ", this op alone %.3g", number(difference, "alone_max"));
    if (json_object_get(difference, "sqnr_db"))
        fprintf(out, ", %.1f dB", number(difference, "sqnr_db"));
    fputs("</small>", out);
}

static void print_values(FILE *out, const json_t *values)
{
    fputs("<td>", out);
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *v = json_array_get(values, i), *h = json_object_get(v, "histogram");
        if (json_is_null(v))
            continue;
        fprintf(out, "<div>%s %s", member(v, "type"), member(v, "shape"));
        print_scale(out, v);
        fputs("</div>", out);
        if (h && number(h, "elements") > 1)
            print_histogram(out, h);
        print_difference(out, json_object_get(v, "difference"));
    }
    fputs("</td>", out);
}

static void print_row(FILE *out, size_t index, const json_t *op, double all_seconds)
{
    fprintf(out, "<tr class=\"%s\"><td>%zu</td>", member(op, "arithmetic"), index);
    print_cell(out, member(op, "name"));
    fputs("<td>", out);
    print_escaped(out, member(op, "op"));
    const json_t *fused = json_object_get(op, "fused");
    for (size_t i = 0; i < json_array_size(fused); i++)
        fprintf(out, " + %s", json_string_value(json_array_get(fused, i)));
    const json_t *kernels = json_object_get(op, "kernels");
    for (size_t i = 0; i < json_array_size(kernels); i++)
        fprintf(out, "%s%s", i ? ", " : "<div><small>", json_string_value(json_array_get(kernels, i)));
    fprintf(out, "%s</td><td><b>%s</b>: ", json_array_size(kernels) ? "</small></div>" : "", member(op, "arithmetic"));
    print_escaped(out, member(op, "why"));
    fputs("</td>", out);
    print_values(out, json_object_get(op, "operands"));
    print_values(out, json_object_get(op, "results"));
    fprintf(out, "<td class=\"n\">%" PRId64 "</td><td class=\"n\">%" PRId64 "</td>", integer(op, "macs"),
            integer(op, "weights_bytes"));
    if (all_seconds > 0 && json_object_get(op, "seconds"))
        fprintf(out, "<td class=\"n\">%.2f</td><td class=\"n\">%.1f %%</td>", number(op, "seconds") * 1e6,
                100 * number(op, "seconds") / all_seconds);
    else if (all_seconds > 0)
        fputs("<td></td><td></td>", out);
    fputs("</tr>\n", out);
}

static void print_ops(FILE *out, const json_t *o)
{
    const double seconds = number(o, "seconds");
    const json_t *ops = json_object_get(o, "ops");
    fprintf(out,
            "<h2>Ops</h2>\n<table>\n<thead><tr><th></th><th>Layer</th><th>Op</th><th>Arithmetic</th><th>Operands</th>"
            "<th>Results</th><th>Multiply-adds</th><th>Weights, bytes</th>%s</tr></thead>\n",
            seconds > 0 ? "<th>&micro;s</th><th>Share</th>" : "");
    for (size_t i = 0; i < json_array_size(ops); i++)
        print_row(out, i, json_array_get(ops, i), seconds);
    fputs("</table>\n", out);
}

static void print_facts(FILE *out, const json_t *o)
{
    static const char *const facts[][2] = {
        {"source", "Model file"},
        {"targets", "Targets"},
        {"target", "Target that ran"},
        {"workspace_bytes", "Workspace, bytes"},
        {"workspace_remark", "Remark"},
        {"state_bytes", "State, bytes"},
        {"weights_bytes", "Weights, bytes"},
        {"object_bytes", "Object, bytes"},
        {"macs", "Multiply-adds"},
        {"ops_int8", "Ops in int8"},
        {"ops_float", "Ops in float"},
        {"ops_mixed", "Ops between the two"},
        {"ops_inferred", "Ops with scales that are not the file's"},
    };
    fputs("<table>\n", out);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        const json_t *value = json_object_get(o, facts[i][0]);
        if (!value)
            continue;
        fprintf(out, "<tr><th>%s</th><td class=\"n\">", facts[i][1]);
        for (size_t k = 0; k < json_array_size(value); k++)
            fprintf(out, "%s%s", k ? ", " : "", json_string_value(json_array_get(value, k)));
        if (json_is_string(value))
            print_escaped(out, json_string_value(value));
        if (json_is_integer(value))
            fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        fputs("</td></tr>\n", out);
    }
    if (json_object_get(o, "seconds"))
        fprintf(out, "<tr><th>One run, all ops, ms</th><td class=\"n\">%.3f</td></tr>\n", number(o, "seconds") * 1e3);
    fputs("</table>\n", out);
}

void report_print_html(FILE *out, const json_t *o)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>qcc: ", out);
    print_escaped(out, member(o, "model"));
    fprintf(out, "</title><style>%s</style></head><body>\n<h1>", style);
    print_escaped(out, member(o, "model"));
    fputs("</h1>\n", out);
    print_facts(out, o);
    print_arithmetic(out, o);
    print_memory(out, o);
    print_ops(out, o);
    fputs("</body></html>\n", out);
}
