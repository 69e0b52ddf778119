/* gradient_graph.c: a graph with its gradients, as text.
 *
 *     gradient-graph IN.qir OUT.qir
 *
 * The first output is the loss; OUT has it, and behind it its gradient by every real input, in order, as outputs.  Inputs
 * whose names begin with "fixed" have none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "passes/gradients/gradients.h"
#include "tests/tools/read_all.h"

static bool wants(const ir_value *v)
{
    return v->type.dtype == IR_F32 && !(v->name && strncmp(v->name, "fixed", 5) == 0);
}

static bool extend(ir_graph *g, diag *d)
{
    ir_value **wrt = ARENA_ARRAY(g->arena, ir_value *, g->input_count + 1);
    ir_value **by = ARENA_ARRAY(g->arena, ir_value *, g->input_count + 1);
    size_t count = 0;
    for (int32_t i = 0; i < g->input_count; i++)
        if (wants(g->inputs[i]))
            wrt[count++] = g->inputs[i];
    if (g->output_count == 0)
        return diag_error(d, NULL, "there is no output");
    if (!pass_gradients(g, g->outputs[0], wrt, count, by, d))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!ir_type_equal(&by[i]->type, &wrt[i]->type))
            return diag_error(d, NULL, "gradient %zu has another type than its value", i);
        ir_output_add(g, by[i], NULL);
    }
    return ir_verify(g, d);
}

static bool write_graph(const ir_graph *g, const char *path)
{
    char *text;
    size_t length;
    if (!ir_print(g, &text, &length))
        return false;
    FILE *f = fopen(path, "wb");
    bool good = f && fwrite(text, 1, length, f) == length;
    good = f && fclose(f) == 0 && good;
    free(text);
    return good;
}

int main(int argc, char **argv)
{
    diag d = {0};
    size_t size;
    char *text = argc == 3 ? (char *)read_all(argv[1], &size) : NULL;
    if (!text) {
        fprintf(stderr, "usage: gradient-graph IN.qir OUT.qir\n");
        return 2;
    }
    ir_graph *g = ir_parse(text, size, argv[1], &d);
    bool good = g && extend(g, &d);
    if (!good)
        fprintf(stderr, "%s\n", d.text);
    else if (!write_graph(g, argv[2])) {
        fprintf(stderr, "%s: can't be written\n", argv[2]);
        good = false;
    }
    ir_graph_free(g);
    free(text);
    return good ? 0 : 1;
}
