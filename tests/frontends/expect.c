/* expect.c: what models come to, against a text file.
 *
 *     expect [--update] EXPECTED.txt FOLDER
 *
 * Protects: the importer builds the graph it built when somebody last read it, and a model that can't be imported
 * gives the diagnostic that says why, or those for all that is refused.  For each model of the folder that is tested
 * the file has a line `== name` and then the graph or the diagnostic; --update rewrites what follows these lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontends/frontend.h"

typedef struct text {
    char *bytes;
    size_t length;
} text;

static void append(text *t, const char *bytes, size_t length)
{
    t->bytes = realloc(t->bytes, t->length + length + 1);
    if (!t->bytes)
        abort();
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = 0;
}

static void append_line(text *t, const char *line)
{
    append(t, line, strlen(line));
    append(t, "\n", 1);
}

static text read_file(const char *path)
{
    text t = {0};
    char part[4096];
    FILE *f = fopen(path, "rb");
    append(&t, "", 0);
    for (size_t n; f && (n = fread(part, 1, sizeof part, f)) > 0;)
        append(&t, part, n);
    if (f)
        fclose(f);
    return t;
}

static void outcome(const char *folder, const char *name, text *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    text file = read_file(path);
    diag_refusals refusals = {0};
    diag d = {.refusals = &refusals};
    append(out, "== ", 3);
    append(out, name, strlen(name));
    append(out, "\n", 1);
    ir_graph *g = frontend_import((const uint8_t *)file.bytes, file.length, name, NULL, &d);
    char *printed = NULL;
    size_t length = 0;
    if (g && ir_verify(g, &d) && ir_print(g, &printed, &length)) {
        append(out, printed, length);
    } else {
        for (int i = 0; i < refusals.count; i++)
            append_line(out, refusals.text[i]);
        if (!refusals.count || d.final)
            append_line(out, d.text);
        if (*refusals.summary)
            append_line(out, refusals.summary);
    }
    free(printed);
    ir_graph_free(g);
    free(file.bytes);
}

/* Shows the first line that differs. */
static bool same(const char *path, const text *expected, const text *found)
{
    const char *a = expected->bytes, *b = found->bytes;
    for (int line = 1;; line++) {
        size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");
        if (la != lb || memcmp(a, b, la) != 0) {
            fprintf(stderr, "%s:%d:\n  expected: %.*s\n  found:    %.*s\n", path, line, (int)la, a, (int)lb, b);
            return false;
        }
        if (!a[la] || !b[lb]) {
            if (a[la] == b[lb])
                return true;
            fprintf(stderr, "%s:%d: more was %s\n", path, line, a[la] ? "expected" : "found");
            return false;
        }
        a += la + 1;
        b += lb + 1;
    }
}

int main(int argc, char **argv)
{
    bool update = argc == 4 && strcmp(argv[1], "--update") == 0, ok = true;
    if (argc != 3 && !update) {
        fprintf(stderr, "usage: expect [--update] EXPECTED.txt FOLDER\n");
        return 2;
    }
    const char *path = argv[argc - 2], *folder = argv[argc - 1];
    text expected = read_file(path), found = {0};
    append(&found, "", 0);
    for (const char *line = expected.bytes; line && *line; line = strchr(line, '\n')) {
        char name[256];
        line += *line == '\n';
        if (sscanf(line, "== %255s", name) == 1)
            outcome(folder, name, &found);
    }
    if (!found.length) {
        fprintf(stderr, "%s: names no model\n", path);
        ok = false;
    } else if (update) {
        FILE *f = fopen(path, "wb");
        ok = f && fwrite(found.bytes, 1, found.length, f) == found.length && fclose(f) == 0;
    } else {
        ok = same(path, &expected, &found);
    }
    free(expected.bytes);
    free(found.bytes);
    return ok ? 0 : 1;
}
