/* fake_random.c: protects the pipeline on fake-quantized graphs that nobody has thought of: random ones, of products,
 * sums, pools, concats and data movement, some values with a grid and some without, under each of the options.  Every
 * pass keeps them well-formed and printable, the integers give what the rounded floats give but for a few steps,
 * --quantize=none leaves no integers, and what is kept in float has none. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ref/interp.h"
#include "passes/pass.h"

enum { GRAPHS = 120, OPS = 14, ELEMENTS = 4 * 4 * 8, TEXT = 1 << 16 };
#define STEP (8.0 / 255) /* of most grids */

static int failures;

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- Graphs ---- */

typedef struct writer {
    char text[TEXT];
    int length, next; /* number of the next value */
    uint32_t random;
    int values[OPS * 2 + 2], count; /* those of shape 1x4x4x8, all within a few units of 0 */
} writer;

__attribute__((format(printf, 2, 3))) static void put(writer *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    w->length += vsnprintf(w->text + w->length, (size_t)(TEXT - w->length), format, arguments);
    va_end(arguments);
}

static uint32_t below(writer *w, uint32_t limit) { return next_random(&w->random) % limit; }
static int some_value(writer *w) { return w->values[below(w, (uint32_t)w->count)]; }

static int put_weights(writer *w, int count, const char *shape)
{
    int id = w->next++;
    put(w, "  const %%%d:f32<%s> = dense<0x", id, shape);
    for (int i = 0; i < count; i++) {
        float f = (float)((double)below(w, 2001) / 1000 - 1) * 0.35f;
        unsigned char bytes[4];
        memcpy(bytes, &f, 4);
        put(w, "%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
    }
    put(w, ">\n  %%%d:f32<%s> = fake_quant %%%d {min = -0.36, max = 0.36, narrow = 1}\n", w->next, shape, id);
    return w->next++;
}

#define SHAPE "f32<1x4x4x8>"

/* One op, or two that undo each other's shape; returns its result. */
static int put_op(writer *w)
{
    static const char *const acts[] = {"none", "relu", "relu6"};
    int x = some_value(w), y = some_value(w), k, r;
    const char *act = acts[below(w, 3)];
    switch (below(w, 12)) {
    case 0:
    case 1:
        k = put_weights(w, 64, "8x1x1x8");
        put(w, "  %%%d:" SHAPE " \"l%d\" = conv2d %%%d, %%%d {act = %s}\n", w->next, w->next, x, k, act);
        return w->next++;
    case 2:
        k = put_weights(w, 72, "1x3x3x8");
        put(w, "  %%%d:" SHAPE " \"l%d\" = depthwise_conv2d %%%d, %%%d {pad = [1, 1, 1, 1], act = %s}\n", w->next,
            w->next, x, k, act);
        return w->next++;
    case 3:
        put(w, "  %%%d:" SHAPE " \"l%d\" = add %%%d, %%%d {act = %s}\n", w->next, w->next, x, y, act);
        return w->next++;
    case 4: put(w, "  %%%d:" SHAPE " \"l%d\" = logistic %%%d\n", w->next, w->next, x); return w->next++;
    case 5:
        put(w, "  %%%d:" SHAPE " \"l%d\" = max_pool2d %%%d {kernel = [3, 3], pad = [1, 1, 1, 1]}\n", w->next, w->next,
            x);
        return w->next++;
    case 6:
        put(w, "  %%%d:" SHAPE " \"l%d\" = avg_pool2d %%%d {kernel = [3, 3], pad = [1, 1, 1, 1]}\n", w->next, w->next,
            x);
        return w->next++;
    case 7:
        put(w, "  %%%d:f32<1x4x4x16> = concat %%%d, %%%d {axis = 3}\n", w->next, x, y);
        r = w->next++;
        put(w, "  %%%d:" SHAPE " \"l%d\" = slice %%%d {begin = [0, 0, 0, %u], step = [1, 1, 1, 1]}\n", w->next, w->next,
            r, below(w, 9));
        return w->next++;
    case 8:
        put(w, "  %%%d:f32<16x8> = reshape %%%d\n", w->next, x);
        r = w->next++;
        k = put_weights(w, 64, "8x8");
        put(w, "  %%%d:f32<16x8> \"l%d\" = fully_connected %%%d, %%%d\n", w->next, w->next, r, k);
        r = w->next++;
        put(w, "  %%%d:" SHAPE " = reshape %%%d\n", w->next, r);
        return w->next++;
    case 9:
        k = w->next++;
        put(w, "  const %%%d:f32<> = [%s]\n  %%%d:" SHAPE " \"l%d\" = mul %%%d, %%%d\n", k,
            below(w, 2) ? "-0.75" : "1.25", w->next, w->next, x, k);
        return w->next++;
    case 10: put(w, "  %%%d:" SHAPE " \"l%d\" = relu %%%d {act = relu}\n", w->next, w->next, x); return w->next++;
    default:
        put(w, "  %%%d:f32<1x8x4x4> = transpose %%%d {perm = [0, 3, 1, 2]}\n", w->next, x);
        r = w->next++;
        put(w, "  %%%d:" SHAPE " \"l%d\" = transpose %%%d {perm = [0, 2, 3, 1]}\n", w->next, w->next, r);
        return w->next++;
    }
}

static int put_fake(writer *w, int v)
{
    static const char *const ranges[] = {"min = -4, max = 4", "min = 0, max = 6", "min = -4, max = 4, narrow = 1"};
    const char *op = below(w, 5) == 0 ? "observe" : "fake_quant"; /* what is observed has to be true */
    const char *range = op[0] == 'o' ? "min = -13, max = 13" : ranges[below(w, 3)];
    const unsigned bits = op[0] == 'f' && below(w, 4) == 0 ? 4 + below(w, 4) : 8;
    put(w, "  %%%d:" SHAPE " = %s %%%d {%s", w->next, op, v, range);
    if (bits < 8)
        put(w, ", bits = %u", bits);
    put(w, "}\n");
    return w->next++;
}

static void make_graph(writer *w, uint32_t seed)
{
    *w = (writer){.random = seed * 2654435761u + 1};
    put(w, "graph \"random\" {\n  input %%0:" SHAPE " \"x\"\n");
    w->next = 1;
    w->values[w->count++] = put_fake(w, 0);
    for (int i = 0; i < OPS; i++) {
        int v = put_op(w);
        w->values[w->count++] = below(w, 4) ? put_fake(w, v) : v;
    }
    for (int i = 1; i <= 3; i++)
        put(w, "  output %%%d\n", w->values[w->count - i]);
    put(w, "}\n");
}

/* ---- Running ---- */

typedef float outputs[3][ELEMENTS];

static bool interpret(const ir_graph *g, outputs out, diag *d)
{
    static float in[ELEMENTS];
    uint32_t state = 5;
    for (int i = 0; i < ELEMENTS; i++)
        in[i] = (float)((double)next_random(&state) * 0x1p-23 - 1) * 3;
    return ir_interpret(g, (const void *[]){in}, (void *[]){out[0], out[1], out[2]}, NULL, d);
}

static double mean_distance(outputs a, outputs b)
{
    double sum = 0;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < ELEMENTS; i++)
            sum += fabs((double)a[k][i] - (double)b[k][i]);
    return sum / (3 * ELEMENTS);
}

static int integer_ops(const ir_graph *g, const char *name)
{
    int count = 0;
    for (const ir_op *op = g->first; op; op = op->next) {
        const ir_value *r = ir_op_info_of(op->code)->results ? op->results[0] : NULL;
        const ir_value *x = op->operand_count ? op->operands[0].value : NULL;
        if (x && x->type.dtype == IR_F32)
            continue; /* a quantize, or what has taken one in */
        bool named = !name || (r && r->name && strcmp(r->name, name) == 0);
        bool converts = op->code == IR_QUANTIZE || op->code == IR_DEQUANTIZE || op->code == IR_REQUANTIZE;
        count += named && !converts && ((r && r->quant) || (x && x->quant));
    }
    return count;
}

static void complain(uint32_t seed, const char *what, const char *text, double number)
{
    failures++;
    fprintf(stderr, "graph %u: %s (%g)\n%s\n", seed, what, number, text);
}

/* Runs the pipeline with these options; false when something broke. */
static bool transform(const writer *w, const pass_options *options, ir_graph **out_graph, outputs out, diag *d)
{
    const pass_debug debug = {.verify_each = true, .round_trip_each = true};
    *out_graph = ir_parse(w->text, (size_t)w->length, "random", d);
    return *out_graph && ir_verify(*out_graph, d) && pass_run(*out_graph, options, &debug, NULL, 0, d) &&
           interpret(*out_graph, out, d);
}

static int check_graph(uint32_t seed)
{
    static writer w;
    static outputs before, after;
    char layer[16];
    const char *item = layer;
    diag d = {0};
    int integers = 0;
    make_graph(&w, seed);
    snprintf(layer, sizeof layer, "l%d", w.values[w.count - 1] - 1);
    const bool has_layer = strstr(w.text, layer) != NULL && strchr(strstr(w.text, layer), '"') != NULL;
    ir_graph *g = ir_parse(w.text, (size_t)w.length, "random", &d);
    bool fine = g && ir_verify(g, &d) && interpret(g, before, &d);
    ir_graph_free(g);
    for (int k = 0; fine && k < 4; k++) {
        pass_options options = {.opt_level = k == 1 ? 0 : 3, .lower = k == 1};
        if (k == 2)
            options.quantize = PASS_QUANTIZE_NONE;
        if (k == 3 && has_layer)
            options.keep_float = (pass_names){&item, 1};
        fine = transform(&w, &options, &g, after, &d);
        const double far = fine ? mean_distance(before, after) : 0;
        if (fine && k != 2 && far > 1.5 * STEP) /* floats do not saturate */
            complain(seed, "the outputs are far from those of the floats", w.text, far / STEP);
        if (fine && k == 0)
            integers = integer_ops(g, NULL);
        if (fine && k == 2 && integer_ops(g, NULL) > 0)
            complain(seed, "integers under --quantize=none", w.text, integer_ops(g, NULL));
        if (fine && k == 3 && has_layer && integer_ops(g, layer) > 0)
            complain(seed, "integers in a layer that is kept in float", w.text, integer_ops(g, layer));
        ir_graph_free(g);
    }
    if (!fine)
        complain(seed, d.text, w.text, 0);
    return integers;
}

int main(int argc, char **argv)
{
    int integers = 0;
    if (argc > 1)
        return check_graph((uint32_t)atoi(argv[1])) < 0 || failures > 0;
    for (uint32_t seed = 0; seed < GRAPHS && failures == 0; seed++)
        integers += check_graph(seed);
    if (integers < GRAPHS * OPS / 2) {
        fprintf(stderr, "only %d ops on integers\n", integers);
        failures++;
    }
    return failures != 0;
}
