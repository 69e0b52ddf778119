/* hostile.c protects the promise that whatever the verifier and ir_op_supported let through can be evaluated: the
 * graphs of golden.txt with numbers, types and bytes changed at random are parsed, verified and run.  Results don't
 * matter; built with sanitizers this finds every read or write outside a buffer and every undefined operation. */
#include <errno.h>
#include <string.h>

#include "ir/ref/interp.h"
#include "tests/ops/golden_text.h"
#include "tests/unit/test.h"

enum { CHANGED = 400, MAX_BYTES = 1 << 16 };

static uint64_t state = 1;
static int accepted;

static uint32_t next_random(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static const char *number(void)
{
    /* clang-format off */
    static const char *const numbers[] = {"0", "1", "2", "3", "4", "7", "8", "16", "127", "128", "255", "-1", "-2", "-128",
                                          "32767", "65536", "2147483647", "-2147483648", "9223372036854775807", "1e-30",
                                          "1e30", "0.5", "3e-45"};
    /* clang-format on */
    return numbers[next_random() % (sizeof numbers / sizeof *numbers)];
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Copies the graph; of its numbers outside of constants' bytes, one in `rate` becomes another one. */
static size_t mutate(const golden *t, char *to, size_t room, unsigned rate)
{
    static const char *const types[] = {"i8", "u8", "i16", "i32", "f32"};
    size_t n = 0;
    for (size_t i = 0; i < t->graph_length && n + 64 < room;) {
        const char *at = t->graph + i;
        const bool fresh = i == 0 || strchr(" <,;[:x", at[-1]);
        if (fresh && is_digit(*at) && next_random() % rate == 0) {
            n += (size_t)snprintf(to + n, room - n, "%s", number());
            for (i++; i < t->graph_length && (is_digit(t->graph[i]) || t->graph[i] == '.'); i++)
                continue;
        } else if (i && at[-1] == ':' && strchr("iuf", *at) && next_random() % rate == 0) {
            n += (size_t)snprintf(to + n, room - n, "%s", types[next_random() % 5]);
            i += strcspn(at, "<");
        } else {
            to[n++] = *at;
            i++;
        }
    }
    return n;
}

static bool small_enough(const ir_graph *g)
{
    bool small = true;
    for (int i = 0; i < g->input_count; i++)
        small &= ir_type_bytes(&g->inputs[i]->type) <= MAX_BYTES;
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            small &= ir_type_bytes(&op->results[i]->type) <= MAX_BYTES;
    return small;
}

static void run(const ir_graph *g)
{
    void *inputs[16] = {0}, *outputs[16] = {0};
    diag d = {0};
    if (g->input_count > 16 || g->output_count > 16 || !small_enough(g))
        return;
    for (int i = 0; i < g->input_count; i++) {
        const size_t bytes = ir_type_bytes(&g->inputs[i]->type);
        inputs[i] = malloc(bytes ? bytes : 1);
        for (size_t b = 0; b < bytes; b++)
            ((uint8_t *)inputs[i])[b] = (uint8_t)next_random();
    }
    for (int i = 0; i < g->output_count; i++)
        outputs[i] = malloc(ir_type_bytes(&g->outputs[i]->type) + 1);
    const bool fine = ir_interpret(g, (const void *const *)inputs, outputs, NULL, &d);
    CHECK(fine != d.failed); /* exactly one diagnostic, or none */
    accepted += fine;
    for (int i = 0; i < 16; i++) {
        free(inputs[i]);
        free(outputs[i]);
    }
}

static void attack(const golden *t)
{
    const size_t room = 2 * t->graph_length + 256;
    char *text = malloc(room);
    for (int i = 0; i < CHANGED; i++) {
        diag d = {0};
        const size_t n = mutate(t, text, room, 2 + next_random() % 30);
        ir_graph *g = ir_parse(text, n, t->name, &d);
        CHECK((g != NULL) != d.failed);
        if (g && ir_verify(g, &d))
            run(g);
        if (g)
            ir_graph_free(g);
    }
    free(text);
}

int main(int argc, char **argv)
{
    char *text = argc == 2 ? golden_read(argv[1]) : NULL;
    if (!text) {
        fprintf(stderr, "hostile: %s: %s\n", argc == 2 ? argv[1] : "no file", strerror(errno));
        return EXIT_FAILURE;
    }
    CHECK(golden_each(text, attack) > 0);
    CHECK(accepted > 100); /* else the changes are too wild to test anything */
    free(text);
    return test_end();
}
