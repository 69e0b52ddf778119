/* report_table.c: the table of ops, a row each.  A cell that is sorted by a number has it in data-v; on narrow screens
 * rows become cards, whose entries are named by data-label (report_page.css). */
#include <math.h>

#include "compiler/report/report_format.h"
#include "compiler/report/report_html.h"

enum { SPARK_WIDTH = 96, SPARK_HEIGHT = 24 };

/* Counts as a curve, as high as the largest of them.  Heights are square roots: one bin of zeros would flatten the
 * rest. */
static void print_curve(FILE *out, const json_t *counts)
{
    const size_t bins = json_array_size(counts);
    json_int_t most = 1;
    for (size_t i = 0; i < bins; i++) {
        const json_int_t n = json_integer_value(json_array_get(counts, i));
        most = n > most ? n : most;
    }
    fprintf(out, "<path d=\"M0 %d", SPARK_HEIGHT);
    for (size_t i = 0; i < bins; i++) {
        const double share = sqrt((double)json_integer_value(json_array_get(counts, i)) / (double)most);
        fprintf(out, "V%.1fh%.2f", SPARK_HEIGHT * (1 - share), (double)SPARK_WIDTH / (double)bins);
    }
    fprintf(out, "V%dZ\"/>", SPARK_HEIGHT);
}

static void open_picture(FILE *out)
{
    fprintf(out, "<svg class=\"spark\" width=\"%d\" height=\"%d\">", SPARK_WIDTH, SPARK_HEIGHT);
}

/* The title has the numbers. */
static void print_histogram(FILE *out, const json_t *h)
{
    open_picture(out);
    fprintf(out,
            "<title>%" PRId64 " elements from %.5g to %.5g; %" PRId64 " at the low end, %" PRId64
            " at the high end</title>",
            report_integer(h, "elements"), report_number(h, "low"), report_number(h, "high"),
            report_integer(h, "at_low"), report_integer(h, "at_high"));
    print_curve(out, json_object_get(h, "counts"));
    fputs("</svg>", out);
}

/* ---- What samples have shown ---- */

/* An end of the range, where it lies between what was seen. */
static void print_threshold(FILE *out, const json_t *observed, const char *end)
{
    const double low = report_number(observed, "low"), high = report_number(observed, "high");
    const double at = high > low ? (report_number(observed, end) - low) / (high - low) : -1;
    if (at >= 0 && at <= 1)
        fprintf(out, "<line class=\"threshold\" x1=\"%.1f\" x2=\"%.1f\" y2=\"%d\"/>", at * SPARK_WIDTH,
                at * SPARK_WIDTH, SPARK_HEIGHT);
}

static void print_observed(FILE *out, const json_t *observed)
{
    if (!observed)
        return;
    fputs(" <small>samples: ", out);
    report_print_escaped(out, report_member(observed, "algorithm"));
    fprintf(out, " %.4g&hellip;%.4g, %.3g %% clipped</small>", report_number(observed, "range_low"),
            report_number(observed, "range_high"), 100 * report_number(observed, "clipped"));
    open_picture(out);
    fprintf(out, "<title>%" PRId64 " numbers from %.5g to %.5g; lines: the ends of the range</title>",
            report_integer(observed, "elements"), report_number(observed, "low"), report_number(observed, "high"));
    print_curve(out, json_object_get(observed, "counts"));
    print_threshold(out, observed, "range_low");
    print_threshold(out, observed, "range_high");
    fputs("</svg>", out);
}

/* ---- Values ---- */

static void print_scale(FILE *out, const json_t *v)
{
    if (!json_object_get(v, "scale"))
        return;
    if (json_object_get(v, "scale_max"))
        fprintf(out, " <small>scale %.3g&hellip;%.3g", report_number(v, "scale"), report_number(v, "scale_max"));
    else
        fprintf(out, " <small>scale %.4g, zero %" PRId64, report_number(v, "scale"), report_integer(v, "zero"));
    if (json_object_get(v, "most"))
        fprintf(out, ", %" PRId64 " to %" PRId64, report_integer(v, "least"), report_integer(v, "most"));
    fputs("; from ", out);
    report_print_escaped(out, report_member(v, "scale_from"));
    if (json_object_get(v, "scale_note")) {
        fputs(": ", out);
        report_print_escaped(out, report_member(v, "scale_note"));
    }
    fputs("</small>", out);
}

static void print_difference(FILE *out, const json_t *difference)
{
    if (!difference)
        return;
    fprintf(out, " <small>&Delta; %.3g", report_number(difference, "max"));
    if (json_object_get(difference, "alone_max"))
        fprintf(out, ", this op alone %.3g", report_number(difference, "alone_max"));
    if (json_object_get(difference, "sqnr_db"))
        fprintf(out, ", %.1f dB", report_number(difference, "sqnr_db"));
    if (json_object_get(difference, "alone_sqnr_db"))
        fprintf(out, ", alone %.1f dB", report_number(difference, "alone_sqnr_db"));
    fputs("</small>", out);
}

static void print_type(FILE *out, const json_t *v)
{
    fprintf(out, "%s %s", report_member(v, "type"), report_member(v, "shape"));
}

static void print_values(FILE *out, const char *what, const json_t *values)
{
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *v = json_array_get(values, i), *h = json_object_get(v, "histogram");
        if (json_is_null(v))
            continue;
        fprintf(out, "<div>%s: ", json_is_true(json_object_get(v, "constant")) ? "constant" : what);
        print_type(out, v);
        print_scale(out, v);
        print_difference(out, json_object_get(v, "difference"));
        print_observed(out, json_object_get(v, "observed"));
        if (h && report_number(h, "elements") > 1)
            print_histogram(out, h);
        fputs("</div>", out);
    }
}

/* Types and shapes of the results; with a click the rest. */
static void print_values_cell(FILE *out, const json_t *op)
{
    const json_t *results = json_object_get(op, "results");
    fputs("<td><details><summary>", out);
    for (size_t i = 0; i < json_array_size(results); i++) {
        fputs(i ? ", " : "", out);
        print_type(out, json_array_get(results, i));
    }
    fputs(json_array_size(results) ? "</summary>" : "no result</summary>", out);
    print_values(out, "operand", json_object_get(op, "operands"));
    print_values(out, "result", results);
    fputs("</details></td>", out);
}

/* ---- Rows ---- */

static void print_op_cell(FILE *out, const json_t *op)
{
    const json_t *fused = json_object_get(op, "fused"), *kernels = json_object_get(op, "kernels");
    fputs("<td>", out);
    report_print_escaped(out, report_member(op, "op"));
    for (size_t i = 0; i < json_array_size(fused); i++)
        fprintf(out, " + %s", json_string_value(json_array_get(fused, i)));
    for (size_t i = 0; i < json_array_size(kernels); i++)
        fprintf(out, "%s%s", i ? ", " : "<div><small>", json_string_value(json_array_get(kernels, i)));
    fprintf(out, "%s</td>", json_array_size(kernels) ? "</small></div>" : "");
}

static double largest_difference(const json_t *op)
{
    double largest = -1;
    const json_t *results = json_object_get(op, "results");
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *d = json_object_get(json_array_get(results, i), "difference");
        largest = d ? fmax(largest, report_number(d, "max")) : largest;
    }
    return largest;
}

static void print_numbers(FILE *out, const json_t *op)
{
    char text[REPORT_NUMBER];
    const double macs = report_number(op, "macs"), weights = report_number(op, "weights_bytes");
    fprintf(out, "<td class=\"n\" data-label=\"multiply-adds\" data-v=\"%.0f\">%s</td>", macs,
            macs > 0 ? report_count(macs, text) : "");
    fprintf(out, "<td class=\"n\" data-label=\"weights\" data-v=\"%.0f\">%s</td>", weights,
            weights > 0 ? report_bytes(weights, text) : "");
}

/* `most`: of the slowest op, whose bar is as wide as the column. */
static void print_row(FILE *out, size_t index, const json_t *report, const json_t *op, double all, double most)
{
    char text[REPORT_NUMBER];
    const double seconds = report_seconds(report, op), difference = largest_difference(op);
    fprintf(out, "<tr id=\"op%zu\" class=\"%s\"><td class=\"n\" data-v=\"%zu\">%zu</td><td>", index,
            report_member(op, "arithmetic"), index, index);
    report_print_name(out, report_member(op, "name"));
    fputs("</td>", out);
    print_op_cell(out, op);
    fprintf(out, "<td><span class=\"kind\">%s</span>: ", report_member(op, "arithmetic"));
    report_print_escaped(out, report_member(op, "why"));
    fputs("</td>", out);
    print_values_cell(out, op);
    if (json_object_get(report, "seconds")) {
        fprintf(out, "<td class=\"n\" data-label=\"&Delta;\" data-v=\"%.6g\">", difference);
        if (difference >= 0)
            fprintf(out, "%.3g", difference);
        fputs("</td>", out);
    }
    print_numbers(out, op);
    fprintf(out, "<td class=\"n time\" data-v=\"%.9g\">", seconds);
    if (seconds > 0)
        fprintf(out, "%s <small>%.1f %%</small><span class=\"bar\" style=\"width:%.1f%%\"></span>",
                report_time(seconds, text), all > 0 ? 100 * seconds / all : 0.0, most > 0 ? 100 * seconds / most : 0.0);
    fputs("</td></tr>\n", out);
}

static void print_tools(FILE *out)
{
    fputs(
        "<div class=\"tools\"><input id=\"words\" type=\"search\" placeholder=\"Show ops with these words\" "
        "aria-label=\"Words that an op has to have\"><select id=\"kind\" aria-label=\"Arithmetic\"><option value=\"\">"
        "all arithmetic</option><option>int8</option><option>mixed</option><option>float</option><option>data</option>"
        "</select><label class=\"order\">in order of <select id=\"order\"></select></label> <span id=\"shown\" "
        "class=\"faint\"></span></div>\n",
        out);
}

static void print_legend(FILE *out, const json_t *report)
{
    fputs(
        "<p class=\"faint\">int8 is arithmetic on integers of 8 or 16 bits with a scale; mixed converts between these "
        "and real numbers; data is plain integers and booleans. A click on a shape opens the op's operands and results: "
        "scales, where they are from, and how the numbers are distributed (heights are square roots).</p>\n",
        out);
    if (json_object_get(report, "seconds"))
        fputs(
            "<p class=\"faint\">&Delta; is the largest difference of a result from the same value in the graph as the "
            "file has it, in steps of its scale (without one: as a part of the largest magnitude), all ops in front of it "
            "computed as compiled. &ldquo;This op alone&rdquo; is what it adds itself: up to 1 is rounding.</p>\n",
            out);
}

void report_print_table(FILE *out, const json_t *report)
{
    const json_t *ops = json_object_get(report, "ops"), *slowest = json_object_get(report, "slowest");
    const bool measured = json_object_get(report, "seconds") != NULL;
    const json_t *first = json_array_get(ops, (size_t)json_integer_value(json_array_get(slowest, 0)));
    const double most = report_seconds(report, first), all = report_seconds(report, report);
    fputs("<h2>Ops</h2>\n", out);
    print_legend(out, report);
    print_tools(out);
    fprintf(
        out,
        "<table class=\"ops\">\n<thead><tr><th class=\"n\">#</th><th>Layer</th><th>Op</th><th>Arithmetic</th>"
        "<th>Result</th>%s<th class=\"n\">Multiply-adds</th><th class=\"n\">Weights</th><th class=\"n\">%s</th></tr>"
        "</thead>\n<tbody>\n",
        measured ? "<th class=\"n\">&Delta;</th>" : "", measured ? "Time" : "Time, estimated");
    for (size_t i = 0; i < json_array_size(ops); i++)
        print_row(out, i, report, json_array_get(ops, i), all, most);
    fputs("</tbody></table>\n", out);
}
