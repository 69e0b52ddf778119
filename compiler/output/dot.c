/* dot.c: a box for each op, with its layer's name, in the colour that the report has for what it computes on; an arrow for
 * each value that is no constant, labelled with its type. */
#define _GNU_SOURCE
#include "compiler/output/dot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/report/report_arithmetic.h"
#include "compiler/report/report_json.h"

enum { NAME_LETTERS = 40 };

static void print_quoted(FILE *out, const ir_graph *g, const char *text)
{
    for (text = report_utf8(g->arena, text); *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
    }
}

/* A name as its end: frameworks put the path to a layer in front. */
static void print_name(FILE *out, const ir_graph *g, const char *name)
{
    name = report_utf8(g->arena, name);
    const char *rest = name + strlen(name);
    for (int letters = 0; rest > name && letters < NAME_LETTERS; letters += ((unsigned char)*rest & 0xc0) != 0x80)
        rest--;
    while (((unsigned char)*rest & 0xc0) == 0x80) /* not from the middle of a character */
        rest--;
    fputs(rest > name ? "…" : "", out);
    print_quoted(out, g, rest);
}

static void print_type(FILE *out, const ir_value *v)
{
    fprintf(out, "%s", ir_dtype_text(v->type.dtype));
    for (int i = 0; i < v->type.rank; i++)
        fprintf(out, "%c%" PRId64, i ? 'x' : ' ', v->type.dims[i]);
}

static void print_edge(FILE *out, const ir_value *v, const char *to_kind, uint32_t to)
{
    if (v->def)
        fprintf(out, "  op%" PRIu32, v->def->id);
    else
        fprintf(out, "  in%d", (int)v->result);
    fprintf(out, " -> %s%" PRIu32 " [label=\"", to_kind, to);
    print_type(out, v);
    fprintf(out, "\"];\n");
}

static void print_colour(FILE *out, report_arithmetic kind)
{
    const report_colour *c = &report_arithmetic_colours[kind];
    fprintf(out, ", color=\"%s\", fillcolor=\"%s\"];\n", c->strong, c->soft);
}

static void print_op(FILE *out, const ir_graph *g, const ir_op *op)
{
    const char *why;
    const report_arithmetic kind = report_arithmetic_of(g, op, &why);
    const char *text = ir_op_info_of(op->code)->text, *name = report_op_name(op);
    fprintf(out, "  op%" PRIu32 " [label=\"%s", op->id, text);
    if (strcmp(name, text) != 0) {
        fputs("\\n", out);
        print_name(out, g, name);
    }
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && ir_is_const(v)) {
            fprintf(out, "\\n");
            print_type(out, v);
        }
    }
    fprintf(out, "\", tooltip=\"");
    print_quoted(out, g, why);
    fputc('"', out);
    print_colour(out, kind);
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && !ir_is_const(op->operands[i].value))
            print_edge(out, op->operands[i].value, "op", op->id);
}

static void print_legend(FILE *out)
{
    static const char *const means[] = {"on integers with a scale", "on real numbers", "between the two",
                                        "on plain integers"};
    for (int i = 0; i < REPORT_ARITHMETICS; i++) {
        fprintf(out, "  %s [label=\"%s: %s\"", report_arithmetic_names[i], report_arithmetic_names[i], means[i]);
        print_colour(out, (report_arithmetic)i);
        if (i)
            fprintf(out, "  %s -> %s [style=invis];\n", report_arithmetic_names[i - 1], report_arithmetic_names[i]);
    }
}

char *dot_text(const ir_graph *g, size_t *out_length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, out_length);
    if (!out)
        return NULL;
    fputs("digraph model {\n"
          "  node [shape=box, style=\"filled,rounded\", fillcolor=white, penwidth=2, fontname=\"sans-serif\"];\n"
          "  edge [fontname=\"sans-serif\", fontsize=9];\n",
          out);
    print_legend(out);
    for (int i = 0; i < g->input_count; i++) {
        fprintf(out, "  in%d [shape=ellipse, label=\"", i);
        print_quoted(out, g, g->input_names[i]);
        fprintf(out, "\"];\n");
    }
    for (const ir_op *op = g->first; op; op = op->next)
        print_op(out, g, op);
    for (int i = 0; i < g->output_count; i++) {
        fprintf(out, "  out%d [shape=ellipse, label=\"", i);
        print_quoted(out, g, g->output_names[i]);
        fprintf(out, "\"];\n");
        if (!ir_is_const(g->outputs[i]))
            print_edge(out, g->outputs[i], "out", (uint32_t)i);
    }
    fprintf(out, "}\n");
    const bool good = !ferror(out);
    if (fclose(out) == 0 && good)
        return text;
    free(text);
    return NULL;
}
