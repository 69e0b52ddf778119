/* report_html.c: the report as one page.  Its first screen says what the model computes on, what is not int8 and why, how
 * much memory it takes and how long; then the ten slowest ops, the workspace, all facts, and the table (report_table.c).
 * Pictures are SVG inside; style and script are report_page.css and report_page.js. */
#include "compiler/report/report_html.h"

#include <math.h>
#include <string.h>

#include "compiler/report/report_arithmetic.h"
#include "compiler/report/report_format.h"

enum { REASONS_SHOWN = 4 };

static const char *const kinds[] = {"int8", "mixed", "float", "data"};
enum { KINDS = sizeof kinds / sizeof *kinds };

void report_print_escaped(FILE *out, const char *text)
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

void report_print_name(FILE *out, const char *name)
{
    for (const char *end; *name; name = end) {
        char part[64];
        end = name + strcspn(name, "/;");
        end += strspn(end, "/;");
        if ((size_t)(end - name) >= sizeof part)
            end = name + sizeof part - 1;
        memcpy(part, name, (size_t)(end - name));
        part[end - name] = '\0';
        report_print_escaped(out, part);
        if (*end)
            fputs("<wbr>", out);
    }
}

static bool is_measured(const json_t *report) { return json_object_get(report, "seconds") != NULL; }

/* ---- Is it int8, what not and why ---- */

static void print_shares(FILE *out, const json_t *report)
{
    fputs("<div class=\"shares\">", out);
    for (size_t i = 0; i < KINDS; i++) {
        const double share = 100 * report_share(report, kinds[i]);
        if (share >= 8)
            fprintf(out, "<span class=\"%s\" style=\"width:%.3f%%\">%s %.1f %%</span>", kinds[i], share, kinds[i],
                    floor(share * 10) / 10); /* as the verdict has it: 99.97 % are not 100 % */
        else if (share > 0)
            fprintf(out, "<span class=\"%s thin\" style=\"width:%.3f%%\" title=\"%s %.2f %%\"></span>", kinds[i], share,
                    kinds[i], share);
    }
    fprintf(out, "</div><p class=\"faint\">%s by arithmetic; ops: ",
            report_number(report, "macs") > 0 ? "Multiply-adds" : "Ops");
    const char *before = "";
    for (size_t i = 0; i < KINDS; i++) {
        char key[16];
        snprintf(key, sizeof key, "ops_%s", kinds[i]);
        if (!report_integer(report, key))
            continue;
        fprintf(out, "%s%" PRId64 " %s", before, report_integer(report, key), kinds[i]);
        before = ", ";
    }
    fputs("</p>", out);
}

static void print_reason(FILE *out, const json_t *report, const json_t *reason)
{
    char text[REPORT_NUMBER];
    const int64_t ops = report_integer(reason, "ops"), first = report_integer(reason, "first");
    const json_t *op = json_array_get(json_object_get(report, "ops"), (size_t)first);
    fprintf(out, "<li><b class=\"kind %s\">%s</b>, %" PRId64 " op%s", report_member(reason, "arithmetic"),
            report_member(reason, "arithmetic"), ops, ops == 1 ? "" : "s");
    if (report_number(reason, "macs") > 0)
        fprintf(out, " with %s multiply-adds", report_count(report_number(reason, "macs"), text));
    fputs(": ", out);
    report_print_escaped(out, report_member(reason, "why"));
    fprintf(out, " <small>(%s<a href=\"#op%" PRId64 "\">%s</a>)</small></li>\n", ops > 1 ? "first " : "", first,
            report_member(op, "op"));
}

/* A model of real numbers whose user may not know that it can be another. */
static void print_next_step(FILE *out, const json_t *report)
{
    fputs(
        "<p>With about 100 samples of what it will see (pictures, arrays) it becomes a model of 8-bit integers, a quarter of "
        "the size and mostly two to four times as fast; docs/calibration.md has the rest:</p><pre><code>qcc ",
        out);
    report_print_escaped(out, report_member(report, "source"));
    fputs(" <span class=\"whole\">--calib=SAMPLES</span> -o ", out);
    report_print_escaped(out, report_member(report, "model"));
    fputs(".o</code></pre>\n", out);
}

static void print_answer(FILE *out, const json_t *report)
{
    char text[REPORT_VERDICT];
    const char *arithmetic;
    const char *verdict = report_verdict(report, text, &arithmetic);
    const json_t *reasons = json_object_get(report, "not_int8");
    const size_t count = json_array_size(reasons);
    fprintf(out, "<section class=\"answer %s\">\n<p class=\"verdict\">%s</p>\n", arithmetic, verdict);
    const bool asked = json_is_true(json_object_get(report, "float_is_asked_for"));
    const double quantized = report_number(report, "ops_int8") + report_number(report, "ops_mixed");
    if (*arithmetic == 'f' && !asked && quantized == 0)
        print_next_step(out, report);
    else if (*arithmetic == 'f' && asked)
        fputs("<p>That is what the options ask for, or all that the samples could make of it.</p>\n", out);
    print_shares(out, report);
    fputs(count ? "<ul>\n" : "", out);
    for (size_t i = 0; i < count && i < REASONS_SHOWN; i++)
        print_reason(out, report, json_array_get(reasons, i));
    if (count > REASONS_SHOWN) {
        fprintf(out, "<li><details><summary>%zu more reasons</summary><ul>\n", count - REASONS_SHOWN);
        for (size_t i = REASONS_SHOWN; i < count; i++)
            print_reason(out, report, json_array_get(reasons, i));
        fputs("</ul></details></li>\n", out);
    }
    fputs(count ? "</ul>\n</section>\n" : "</section>\n", out);
}

/* ---- How much, how long ---- */

static void print_tile(FILE *out, const char *what, const char *number, const char *note)
{
    fprintf(out, "<div class=\"tile\">%s<b>%s</b><small>", what, number);
    report_print_escaped(out, note);
    fputs("</small></div>\n", out);
}

static void print_tiles(FILE *out, const json_t *report)
{
    char text[REPORT_NUMBER], more[REPORT_NUMBER + sizeof "about "], note[256];
    const double workspace = report_number(report, "workspace_bytes"), weights = report_number(report, "weights_bytes");
    const int64_t threads = report_integer(report, "threads");
    fputs("<div class=\"tiles\">\n", out);
    if (is_measured(report))
        snprintf(note, sizeof note, "one run, measured: %s, %" PRId64 " thread%s", report_member(report, "target"),
                 threads, threads == 1 ? "" : "s");
    else
        snprintf(note, sizeof note, "one run, only estimated: %s, a core of 3 GHz",
                 report_member(report, "estimated_for"));
    report_time(report_seconds(report, report), text);
    snprintf(more, sizeof more, "%s%s", is_measured(report) ? "" : "about ", text);
    print_tile(out, "Time", more, note);
    snprintf(note, sizeof note, "workspace %s, which the program gives, and weights %s", report_bytes(workspace, text),
             report_bytes(weights, more));
    print_tile(out, "Memory", report_bytes(workspace + weights, text), note);
    print_tile(out, "Work", report_count(report_number(report, "macs"), text), "multiply-adds a run");
    if (report_number(report, "object_bytes") > 0)
        print_tile(out, "Object", report_bytes(report_number(report, "object_bytes"), text),
                   "code and weights on disk");
    fputs("</div>\n", out);
}

/* ---- The slowest ---- */

static void print_slowest(FILE *out, const json_t *report)
{
    const json_t *ops = json_object_get(report, "ops"), *slowest = json_object_get(report, "slowest");
    const size_t count = json_array_size(slowest);
    const double all = report_seconds(report, report);
    char text[REPORT_NUMBER];
    double most = 0;
    if (!count)
        return;
    fprintf(
        out, "<h2>%s ops</h2>\n<p class=\"faint\">%s</p>\n<ol class=\"slow\">\n",
        count < 10 ? "The slowest" : "The ten slowest",
        is_measured(report)
            ? "Measured: the median of a run's time in each."
            : "Estimated from multiply-adds and bytes moved, since nobody has run it: good for the order, not for the "
              "numbers. <code>qcc-run MODEL <span class=\"whole\">--report=FILE.html</span></code> measures them.");
    for (size_t i = 0; i < count; i++) {
        const int64_t position = json_integer_value(json_array_get(slowest, i));
        const json_t *op = json_array_get(ops, (size_t)position);
        const double seconds = report_seconds(report, op);
        most = i ? most : seconds;
        fprintf(out, "<li class=\"%s\"><span><a href=\"#op%" PRId64 "\" title=\"", report_member(op, "arithmetic"),
                position);
        report_print_escaped(out, report_member(op, "name"));
        fputs("\">", out);
        report_print_name(out, report_member(op, "name"));
        fprintf(
            out,
            "</a><small>%s</small></span><span class=\"bar-cell\"><span class=\"bar\" style=\"width:%.1f%%\"></span>"
            "</span><span class=\"n\">%s <small>%.1f %%</small></span></li>\n",
            report_member(op, "op"), 100 * seconds / most, report_time(seconds, text), 100 * seconds / all);
    }
    fputs("</ol>\n", out);
}

/* ---- The workspace ---- */

static void print_box(FILE *out, const json_t *v)
{
    char bytes[REPORT_NUMBER], at[REPORT_NUMBER];
    const int64_t first = report_integer(v, "first"), last = report_integer(v, "last");
    const char *kind = report_member(v, "kind");
    fprintf(out,
            "<rect class=\"%s\" vector-effect=\"non-scaling-stroke\" x=\"%" PRId64 "\" y=\"%" PRId64
            "\" width=\"%" PRId64 "\" height=\"%" PRId64 "\"><title>%s",
            kind, first, report_integer(v, "offset"), last - first + 1, report_integer(v, "bytes"),
            *kind == 's' && kind[1] == 'c' ? "scratch of " : "");
    report_print_escaped(out, report_member(v, "value"));
    fprintf(out, ": %s at %s, op", report_bytes(report_number(v, "bytes"), bytes),
            report_bytes(report_number(v, "offset"), at));
    fprintf(out, first == last ? " %" PRId64 : "s %" PRId64 " to %" PRId64, first, last);
    fputs("</title></rect>\n", out);
}

/* Time goes to the right, addresses go down; a box is a value. */
static void print_memory(FILE *out, const json_t *report)
{
    static const char *const legend[][2] = {{"int8", "integers with a scale"},
                                            {"float", "real numbers"},
                                            {"data", "plain integers"},
                                            {"scratch", "scratch of a kernel"},
                                            {"state", "state, kept from run to run"}};
    const json_t *values = json_object_get(report, "memory"), *lowest = NULL;
    const double bytes = report_number(report, "workspace_bytes");
    const double ops = (double)json_array_size(json_object_get(report, "ops"));
    char text[REPORT_NUMBER];
    double end = 0;
    if (json_array_size(values) == 0 || bytes <= 0)
        return;
    fputs("<h2>Workspace</h2>\n<div class=\"legend\">", out);
    for (size_t i = 0; i < sizeof legend / sizeof *legend; i++)
        fprintf(out, "<span class=\"%s\"><i></i>%s</span>", legend[i][0], legend[i][1]);
    fprintf(out,
            "</div>\n<svg class=\"map\" viewBox=\"0 0 %.0f %.0f\" preserveAspectRatio=\"none\" role=\"img\" "
            "aria-label=\"Values in the workspace over time\">\n",
            ops, bytes);
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *v = json_array_get(values, i);
        const double to = report_number(v, "offset") + report_number(v, "bytes");
        lowest = to > end ? v : lowest;
        end = to > end ? to : end;
        print_box(out, v);
    }
    fprintf(
        out,
        "</svg>\n<p class=\"faint\">A box is a value. To the right: ops in order, 0 to %.0f, in which it is needed. Down: its "
        "addresses, 0 to %s. As much as that is needed at op <a href=\"#op%" PRId64 "\">%" PRId64 "</a>, for ",
        ops - 1, report_bytes(bytes, text), report_integer(lowest, "first"), report_integer(lowest, "first"));
    report_print_escaped(out, report_member(lowest, "value"));
    fputs(".</p>\n<p id=\"told\" role=\"status\"></p>\n", out);
}

/* ---- All facts ---- */

static void print_fact(FILE *out, const char *key, const json_t *value)
{
    char text[REPORT_NUMBER];
    for (size_t i = 0; i < json_array_size(value); i++)
        fprintf(out, "%s%s", i ? ", " : "", json_string_value(json_array_get(value, i)));
    if (json_is_string(value))
        report_print_escaped(out, json_string_value(value));
    if (!json_is_integer(value))
        return;
    const json_int_t n = json_integer_value(value);
    const char *tail = strstr(key, "_bytes");
    if (tail && n >= 1024)
        fprintf(out, "%s <small>(%" JSON_INTEGER_FORMAT " bytes)</small>", report_bytes((double)n, text), n);
    else
        fprintf(out, "%" JSON_INTEGER_FORMAT "%s", n, tail ? " bytes" : "");
}

static void print_facts(FILE *out, const json_t *report)
{
    static const char *const facts[][2] = {
        {"source", "Model file"},
        {"qcc", "Version of qcc"},
        {"targets", "Targets"},
        {"target", "Target that ran"},
        {"workspace_bytes", "Workspace"},
        {"workspace_remark", "Remark"},
        {"state_bytes", "State, part of the workspace"},
        {"weights_bytes", "Weights"},
        {"object_bytes", "Object"},
        {"macs", "Multiply-adds"},
        {"ops_int8", "Ops in int8"},
        {"ops_float", "Ops in float"},
        {"ops_mixed", "Ops between the two"},
        {"ops_data", "Ops on plain integers"},
        {"ops_inferred", "Ops with scales that are not the file's"},
    };
    fputs("<h2>Facts</h2>\n<table class=\"facts\">\n", out);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        const json_t *value = json_object_get(report, facts[i][0]);
        if (!value)
            continue;
        fprintf(out, "<tr><th>%s</th><td>", facts[i][1]);
        print_fact(out, facts[i][0], value);
        fputs("</td></tr>\n", out);
    }
    fputs("</table>\n", out);
}

void report_print_html(FILE *out, const json_t *report)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width, initial-scale=1\"><title>qcc: ",
          out);
    report_print_escaped(out, report_member(report, "model"));
    fputs("</title><style>\n:root {", out);
    for (size_t i = 0; i < KINDS; i++)
        fprintf(out, " --%s: %s; --%s-soft: %s;", report_arithmetic_names[i], report_arithmetic_colours[i].strong,
                report_arithmetic_names[i], report_arithmetic_colours[i].soft);
    fprintf(out, " }\n%s</style></head><body>\n<h1>", report_page_style);
    report_print_escaped(out, report_member(report, "model"));
    fputs("</h1>\n<p class=\"faint\">", out);
    report_print_escaped(out, report_member(report, "source"));
    fputs(", compiled for ", out);
    print_fact(out, "targets", json_object_get(report, "targets"));
    fputs("</p>\n", out);
    print_answer(out, report);
    print_tiles(out, report);
    print_slowest(out, report);
    print_memory(out, report);
    report_print_table(out, report);
    print_facts(out, report);
    fprintf(out, "<script>\n%s</script>\n</body></html>\n", report_page_script);
}
