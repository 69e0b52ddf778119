/* dot.c: a box for each op, an arrow for each value that is no constant, labelled with its type. */
#define _GNU_SOURCE
#include "compiler/dot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_quoted(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
    }
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

static void print_op(FILE *out, const ir_op *op)
{
    fprintf(out, "  op%" PRIu32 " [label=\"%s", op->id, ir_op_info_of(op->code)->text);
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        if (v && ir_is_const(v)) {
            fprintf(out, "\\n");
            print_type(out, v);
        }
    }
    fprintf(out, "\"];\n");
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && !ir_is_const(op->operands[i].value))
            print_edge(out, op->operands[i].value, "op", op->id);
}

char *dot_text(const ir_graph *g, size_t *out_length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, out_length);
    if (!out)
        return NULL;
    fprintf(
        out,
        "digraph model {\n  node [shape=box, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=9];\n");
    for (int i = 0; i < g->input_count; i++) {
        fprintf(out, "  in%d [shape=ellipse, label=\"", i);
        print_quoted(out, g->input_names[i]);
        fprintf(out, "\"];\n");
    }
    for (const ir_op *op = g->first; op; op = op->next)
        print_op(out, op);
    for (int i = 0; i < g->output_count; i++) {
        fprintf(out, "  out%d [shape=ellipse, label=\"", i);
        print_quoted(out, g->output_names[i]);
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
