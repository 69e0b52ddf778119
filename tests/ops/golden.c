/* golden.c protects the interpreter's bit-exactness with TFLite's reference kernels where TFLite itself is not at hand:
 * the cases of golden.txt (made by make_golden.py), as imported, and in the unsigned form that the backend sees. */
#include <errno.h>
#include <string.h>

#include "ir/interp.h"
#include "passes/pass.h"
#include "tests/unit/test.h"

enum { MAX_EDGES = 4 };

typedef struct golden {
    const char *name, *graph;
    size_t graph_length;
    int inputs, outputs;
    uint32_t seed[MAX_EDGES];
    const char *expected[MAX_EDGES]; /* hexadecimal */
} golden;

/* The model set's generator of inputs. */
static uint32_t hash32(uint32_t i, uint32_t seed)
{
    uint32_t x = i * 0x9E3779B9u + seed * 0x85EBCA77u + 1;
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ x >> 16;
}

static void fill(const ir_type *type, uint32_t seed, void *to)
{
    for (int64_t i = 0; i < ir_type_elements(type); i++) {
        const uint32_t h = hash32((uint32_t)i, seed);
        const float real = (float)(h >> 8) / 8388608.0f - 1.0f;
        const uint16_t half = (uint16_t)((h >> 16) - 32768);
        if (type->dtype == IR_F32)
            memcpy((char *)to + 4 * i, &real, 4);
        else if (type->dtype == IR_I16)
            memcpy((char *)to + 2 * i, &half, 2);
        else
            ((uint8_t *)to)[i] = (uint8_t)((h >> 24) - (type->dtype == IR_I8 ? 128 : 0));
    }
}

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static int64_t differences(const uint8_t *ours, size_t bytes, const char *hex)
{
    int64_t count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += ours[i] != (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return count;
}

static void check_graph(const golden *t, const ir_graph *g, const char *form)
{
    void *inputs[MAX_EDGES] = {0}, *outputs[MAX_EDGES] = {0};
    diag d = {0};
    for (int i = 0; i < g->input_count; i++) {
        inputs[i] = malloc(ir_type_bytes(&g->inputs[i]->type) + 1);
        fill(&g->inputs[i]->type, t->seed[i], inputs[i]);
    }
    for (int i = 0; i < g->output_count; i++)
        outputs[i] = malloc(ir_type_bytes(&g->outputs[i]->type) + 1);
    const bool ran = ir_interpret(g, (const void *const *)inputs, outputs, NULL, &d);
    CHECK(ran);
    if (!ran)
        fprintf(stderr, "%s (%s): %s\n", t->name, form, d.text);
    for (int i = 0; ran && i < g->output_count; i++) {
        const int64_t differ = differences(outputs[i], ir_type_bytes(&g->outputs[i]->type), t->expected[i]);
        CHECK(differ == 0);
        if (differ)
            fprintf(stderr, "%s (%s): %lld bytes of output %d differ\n", t->name, form, (long long)differ, i);
    }
    for (int i = 0; i < MAX_EDGES; i++) {
        free(inputs[i]);
        free(outputs[i]);
    }
}

static void check_case(const golden *t)
{
    static const char *const to_unsigned[] = {"signed_weights", "unsigned_form"};
    const pass_options options = {.lower = true, .opt_level = 3};
    diag d = {0};
    ir_graph *g = ir_parse(t->graph, t->graph_length, t->name, &d);
    const bool fits = g && g->input_count == t->inputs && g->output_count == t->outputs && ir_verify(g, &d);
    CHECK(fits);
    if (!fits) {
        fprintf(stderr, "%s: %s\n", t->name, d.text);
        return;
    }
    check_graph(t, g, "as imported");
    const bool lowered = pass_run(g, &options, NULL, to_unsigned, 2, &d);
    CHECK(lowered);
    if (lowered)
        check_graph(t, g, "unsigned form");
    else
        fprintf(stderr, "%s: %s\n", t->name, d.text);
    ir_graph_free(g);
}

static char *read_text(const char *path)
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

static bool starts(const char *line, const char *with) { return strncmp(line, with, strlen(with)) == 0; }

int main(int argc, char **argv)
{
    char *text = argc == 2 ? read_text(argv[1]) : NULL;
    golden t = {0};
    int cases = 0;
    if (!text) {
        fprintf(stderr, "golden: %s: %s\n", argc == 2 ? argv[1] : "no file", strerror(errno));
        return EXIT_FAILURE;
    }
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        if (starts(line, "case ")) {
            t = (golden){.name = line + 5, .graph = end};
        } else if (starts(line, "in ") && t.inputs < MAX_EDGES) {
            t.seed[t.inputs++] = (uint32_t)strtoul(line + 3, NULL, 10);
        } else if (starts(line, "out ") && t.outputs < MAX_EDGES) {
            t.expected[t.outputs++] = line + 4;
        } else if (strcmp(line, "end") == 0) {
            check_case(&t);
            cases++;
        } else if (t.graph && !t.graph_length) { /* inside the graph: its lines stay one text */
            if (strcmp(line, "}") == 0)
                t.graph_length = (size_t)(line - t.graph) + 1;
            if (end > line)
                end[-1] = '\n';
        }
    }
    CHECK(cases > 0);
    free(text);
    return test_end();
}
