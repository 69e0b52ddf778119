/* import.c: imports model files; for each the outcome on one line, or with -p the graph.
 *
 *     import [-p] [--batch=N] FILE...      exit 0: all imported, 1: some refused */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontends/frontend.h"

static uint8_t *read_file(const char *path, size_t *out_size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
    *out_size = fread(bytes, 1, size > 0 ? (size_t)size : 0, f);
    fclose(f);
    return bytes;
}

int main(int argc, char **argv)
{
    int refused = 0;
    bool print = false;
    frontend_options options = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-p") == 0) {
            print = true;
            continue;
        }
        if (strncmp(argv[i], "--batch=", 8) == 0) {
            options.batch = atoll(argv[i] + 8);
            continue;
        }
        size_t size;
        uint8_t *bytes = read_file(argv[i], &size);
        if (!bytes) {
            printf("%s: can't be read\n", argv[i]);
            refused++;
            continue;
        }
        diag d = {0};
        const char *slash = strrchr(argv[i], '/');
        ir_graph *g = frontend_import(bytes, size, slash ? slash + 1 : argv[i], &options, &d);
        if (g && !ir_verify(g, &d)) {
            printf("%s: imported, but does not verify: %s\n", argv[i], d.text);
            refused++;
        } else if (!g) {
            printf("%s\n", d.failed ? d.text : "refused without a diagnostic");
            refused++;
        } else if (print) {
            char *text;
            size_t length;
            if (ir_print(g, &text, &length))
                fwrite(text, 1, length, stdout);
            free(text);
        } else {
            int ops = 0;
            for (ir_op *op = g->first; op; op = op->next)
                ops++;
            printf("%s: imported, %d ops, %d inputs, %d outputs\n", argv[i], ops, g->input_count, g->output_count);
        }
        ir_graph_free(g);
        free(bytes);
    }
    return refused > 0;
}
