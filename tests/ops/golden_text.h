/* golden_text.h: the cases of golden.txt, one after the other. */
#ifndef QCC_TESTS_GOLDEN_TEXT_H
#define QCC_TESTS_GOLDEN_TEXT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EDGES = 4 };

typedef struct golden {
    const char *name, *graph;
    size_t graph_length;
    int inputs, outputs;
    uint32_t seed[MAX_EDGES];
    const char *expected[MAX_EDGES]; /* hexadecimal */
} golden;

static inline char *golden_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        return NULL;
    const long size = ftell(f);
    char *text = malloc((size_t)size + 1);
    rewind(f);
    const size_t n = fread(text, 1, (size_t)size, f);
    text[n] = 0;
    fclose(f);
    return text;
}

static inline int golden_starts(const char *line, const char *with) { return strncmp(line, with, strlen(with)) == 0; }

/* Calls `each` for every case of the text, which is cut into strings; returns how many there were. */
static inline int golden_each(char *text, void (*each)(const golden *))
{
    golden t = {0};
    int cases = 0;
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        if (golden_starts(line, "case ")) {
            t = (golden){.name = line + 5, .graph = end};
        } else if (golden_starts(line, "in ") && t.inputs < MAX_EDGES) {
            t.seed[t.inputs++] = (uint32_t)strtoul(line + 3, NULL, 10);
        } else if (golden_starts(line, "out ") && t.outputs < MAX_EDGES) {
            t.expected[t.outputs++] = line + 4;
        } else if (strcmp(line, "end") == 0) {
            each(&t);
            cases++;
        } else if (t.graph && !t.graph_length) { /* inside the graph: its lines stay one text */
            if (strcmp(line, "}") == 0)
                t.graph_length = (size_t)(line - t.graph) + 1;
            if (end > line)
                end[-1] = '\n';
        }
    }
    return cases;
}

#endif
