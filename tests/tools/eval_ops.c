/* eval_ops.c: compares the interpreter with a framework op by op, so that no op inherits another's difference.
 *
 *     eval_ops MODEL DIR [--rounding=fp32|tflite|once] [--chain] [--passes] [--input-shape=NAME:1x8 ...]
 *
 * DIR holds the framework's values: names.txt has lines "NNNN<tab>name", tNNNN.bin the bytes of that tensor; the
 * graph's inputs are in0.bin, in1.bin, …  A line may end in a third field, the shape "1x3x8x8" in a framework that
 * has channels second: our value has that shape, or the one with channels last.  Every op is evaluated with the
 * framework's values as operands, where it has them (by name), or our own for values that exist only in the IR; with
 * --chain only the graph's inputs come from the framework.  --passes: after the passes that make integers of
 * fake-quantized graphs, but without fusion.  A line for each result that the framework has too, separated by tabs:
 *
 *     node, operator, op, result's name, type, elements, how many differ, largest difference, largest magnitude of the
 *     framework's, index of the first difference, ours there, theirs there
 *
 * Exit 0 when everything could be evaluated, whatever differs; 1 otherwise, with a diagnostic. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/model_files.h"
#include "frontends/frontend.h"
#include "ir/ref/interp.h"
#include "passes/pass.h"

enum { MOST_SHAPES = 16 };

typedef struct slot { /* of a value, by its id */
    void *ours;
    void *theirs;
    void *theirs_moved; /* when the shape does not tell the layouts apart: the other reading */
} slot;

typedef struct tensor_name {
    int index;
    char *name;
    ir_type shape; /* rank -1: not said */
} tensor_name;

typedef struct session {
    const char *dir;
    char *name_text; /* what the names point into */
    tensor_name *names;
    size_t name_count;
    slot *slots;
    size_t slot_count;
    bool chain;
} session;

static void *read_file(const char *path, size_t *out_size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    size_t size = 0, room = 1 << 16;
    char *bytes = malloc(room + 1);
    for (size_t n; bytes && (n = fread(bytes + size, 1, room - size, f)) > 0;) {
        size += n;
        if (size == room)
            bytes = realloc(bytes, (room *= 2) + 1);
    }
    fclose(f);
    if (bytes)
        bytes[size] = 0;
    *out_size = size;
    return bytes;
}

/* "1x3x8x8" */
static ir_type read_shape(const char *text)
{
    ir_type shape = {.rank = text ? 0 : -1};
    while (text && *text && shape.rank < IR_MAX_RANK) {
        char *end;
        shape.dims[shape.rank++] = strtoll(text, &end, 10);
        text = *end ? end + 1 : end;
    }
    return shape;
}

static bool read_names(session *s)
{
    char path[4096];
    size_t size;
    snprintf(path, sizeof path, "%s/names.txt", s->dir);
    char *text = s->name_text = read_file(path, &size);
    if (!text)
        return false;
    for (char *line = text; *line;) {
        char *end = line + strcspn(line, "\n"), *tab = memchr(line, '\t', (size_t)(end - line));
        const bool last = !*end;
        *end = 0;
        if (tab) {
            s->names = realloc(s->names, (s->name_count + 1) * sizeof *s->names);
            char *shape = strchr(tab + 1, '\t');
            if (shape)
                *shape++ = 0;
            s->names[s->name_count++] = (tensor_name){atoi(line), tab + 1, read_shape(shape)};
        }
        line = last ? end : end + 1;
    }
    return true;
}

static void *load(const session *s, const ir_value *v, const char *prefix, int index)
{
    char path[4096];
    size_t size;
    snprintf(path, sizeof path, *prefix == 't' ? "%s/%s%04d.bin" : "%s/%s%d.bin", s->dir, prefix, index);
    void *bytes = read_file(path, &size);
    if (bytes && size == ir_type_bytes(&v->type))
        return bytes;
    free(bytes);
    return NULL;
}

static bool has_shape(const ir_type *t, const ir_type *shape, bool channels_last)
{
    if (t->rank != shape->rank)
        return false;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] != shape->dims[!channels_last || i == 0 ? i : i == t->rank - 1 ? 1 : i + 1])
            return false;
    return true;
}

/* Bytes with channels second as bytes with channels last, of type t. */
static void *channels_last(const ir_type *t, const char *from)
{
    size_t bytes = ir_dtype_bytes(t->dtype);
    int64_t channels = t->dims[t->rank - 1], images = t->dims[0], pixels = 1;
    char *to = malloc(ir_type_bytes(t) + 1);
    for (int i = 1; i < t->rank - 1; i++)
        pixels *= t->dims[i];
    for (int64_t n = 0; n < images; n++)
        for (int64_t p = 0; p < pixels; p++)
            for (int64_t c = 0; c < channels; c++)
                memcpy(to + ((n * pixels + p) * channels + c) * (int64_t)bytes,
                       from + ((n * channels + c) * pixels + p) * (int64_t)bytes, bytes);
    return to;
}

/* The framework's bytes of a value; none: no such name, or a different size. */
static slot load_theirs(const session *s, const ir_value *v)
{
    slot at = {0};
    size_t i = 0;
    if (v->is_input)
        return (slot){.theirs = load(s, v, "in", v->result)};
    if (v->def && v->def->loc.subgraph > 0) /* names are unique only in the main subgraph */
        return at;
    while (i < s->name_count && (!v->name || strcmp(s->names[i].name, v->name) != 0))
        i++;
    if (i == s->name_count || !(at.theirs = load(s, v, "t", s->names[i].index)) || s->names[i].shape.rank < 3)
        return at;
    bool plain = has_shape(&v->type, &s->names[i].shape, false), moved = has_shape(&v->type, &s->names[i].shape, true);
    void *other = moved ? channels_last(&v->type, at.theirs) : NULL;
    if (plain)
        return (slot){.theirs = at.theirs, .theirs_moved = other};
    free(at.theirs);
    return (slot){.theirs = other};
}

static double element(ir_dtype dtype, const void *data, int64_t i)
{
    switch (dtype) {
    /* clang-format off */
    case IR_F32: { float v; memcpy(&v, (const char *)data + 4 * i, 4); return v; }
    case IR_F64: { double v; memcpy(&v, (const char *)data + 8 * i, 8); return v; }
    case IR_I64: { int64_t v; memcpy(&v, (const char *)data + 8 * i, 8); return (double)v; }
    case IR_I32: { int32_t v; memcpy(&v, (const char *)data + 4 * i, 4); return v; }
    case IR_U32: { uint32_t v; memcpy(&v, (const char *)data + 4 * i, 4); return v; }
    case IR_I16: { int16_t v; memcpy(&v, (const char *)data + 2 * i, 2); return v; }
    case IR_U16: { uint16_t v; memcpy(&v, (const char *)data + 2 * i, 2); return v; }
    case IR_F16: { uint16_t v; memcpy(&v, (const char *)data + 2 * i, 2); return ir_f16_to_f32(v); }
    /* clang-format on */
    case IR_I8: return ((const int8_t *)data)[i];
    default: return ((const uint8_t *)data)[i];
    }
}

static double distance(const ir_value *v, const void *ours, const void *theirs)
{
    double sum = 0;
    for (int64_t i = 0; i < ir_type_elements(&v->type); i++)
        sum += fabs(element(v->type.dtype, ours, i) - element(v->type.dtype, theirs, i));
    return sum;
}

/* Of two readings of the framework's bytes the right one is the one that resembles ours. */
static void choose_layout(const ir_value *v, slot *s)
{
    if (s->theirs_moved && distance(v, s->ours, s->theirs_moved) < distance(v, s->ours, s->theirs)) {
        void *plain = s->theirs;
        s->theirs = s->theirs_moved;
        s->theirs_moved = plain;
    }
}

static void report(const ir_op *op, const ir_value *v, const slot *s)
{
    const int64_t count = ir_type_elements(&v->type);
    int64_t differ = 0, first = -1;
    double largest = 0, magnitude = 0;
    for (int64_t i = 0; i < count; i++) {
        const double a = element(v->type.dtype, s->ours, i), b = element(v->type.dtype, s->theirs, i);
        if (isfinite(b))
            magnitude = fmax(magnitude, fabs(b));
        if (a == b || (isnan(a) && isnan(b)))
            continue;
        const double difference = fabs(a - b);
        differ++;
        first = first < 0 ? i : first;
        largest = isnan(difference) ? INFINITY : fmax(largest, difference);
    }
    printf("%d\t%s\t%s\t%s\t%s\t%lld\t%lld\t%.9g\t%.9g\t%lld\t%.9g\t%.9g\n", (int)op->loc.node,
           op->loc.kind ? op->loc.kind : "-", ir_op_info_of(op->code)->text, v->name, ir_dtype_text(v->type.dtype),
           (long long)count, (long long)differ, largest, magnitude, (long long)first,
           first < 0 ? 0 : element(v->type.dtype, s->ours, first),
           first < 0 ? 0 : element(v->type.dtype, s->theirs, first));
}

static const void *operand_bytes(const session *s, const ir_value *v)
{
    if (!v)
        return NULL;
    if (ir_is_const(v))
        return v->data;
    const slot *at = &s->slots[v->id];
    return at->theirs && (!s->chain || v->is_input || !at->ours) ? at->theirs : at->ours;
}

static void session_free(session *s)
{
    for (size_t i = 0; i < s->slot_count; i++) {
        free(s->slots[i].ours);
        free(s->slots[i].theirs);
        free(s->slots[i].theirs_moved);
    }
    free(s->slots);
    free(s->names);
    free(s->name_text);
}

static bool evaluate_into(session *s, const ir_op *op, const void **operands, diag *d)
{
    void *results[8] = {0};
    const int result_count = ir_op_info_of(op->code)->results;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        operands[i] = operand_bytes(s, v);
        if (v && !operands[i])
            return diag_error(d, &op->loc, "no data of operand '%s'", v->name ? v->name : "?");
    }
    for (int i = 0; i < result_count; i++) {
        const ir_value *v = op->results[i];
        results[i] = malloc(ir_type_bytes(&v->type) + 1);
        s->slots[v->id] = load_theirs(s, v);
        s->slots[v->id].ours = results[i];
    }
    if (op->code == IR_WRITE_VARIABLE)
        return true;
    if (op->code == IR_READ_VARIABLE) { /* the framework's value, or the variable's start: the real value 0 */
        const ir_value *v = op->results[0];
        if (!s->slots[v->id].theirs)
            return diag_error(d, &op->loc, "the framework's state '%s' is not known", v->name ? v->name : "?");
        memcpy(results[0], s->slots[v->id].theirs, ir_type_bytes(&v->type));
        return true;
    }
    if (!ir_eval_op(op, operands, results, d))
        return false;
    for (int i = 0; i < result_count; i++) {
        slot *at = &s->slots[op->results[i]->id];
        if (!at->theirs)
            continue;
        choose_layout(op->results[i], at);
        report(op, op->results[i], at);
    }
    return true;
}

static bool evaluate(session *s, const ir_op *op, diag *d)
{
    const void **operands = calloc((size_t)op->operand_count + 1, sizeof *operands);
    const bool fine = evaluate_into(s, op, operands, d);
    free(operands);
    return fine;
}

static void set_rounding(ir_graph *g, ir_enum_ROUNDING rounding)
{
    for (ir_op *op = g->first; op; op = op->next)
        ir_set_rounding(op, rounding);
}

static void warn(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

typedef struct arguments {
    const char *model;
    const char *shapes[MOST_SHAPES];
    int shape_count;
    ir_enum_ROUNDING rounding;
    bool passes;
} arguments;

static bool parse_arguments(int argc, char **argv, arguments *a, session *s)
{
    *a = (arguments){.rounding = IR_ROUNDING_EVEN_F32};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--chain") == 0)
            s->chain = true;
        else if (strcmp(argv[i], "--passes") == 0)
            a->passes = true;
        else if (strncmp(argv[i], "--input-shape=", 14) == 0 && a->shape_count < MOST_SHAPES)
            a->shapes[a->shape_count++] = argv[i] + 14;
        else if (strcmp(argv[i], "--rounding=tflite") == 0)
            a->rounding = IR_ROUNDING_FIXED_TWICE;
        else if (strcmp(argv[i], "--rounding=once") == 0)
            a->rounding = IR_ROUNDING_FIXED_ONCE;
        else if (strcmp(argv[i], "--rounding=fp32") == 0)
            a->rounding = IR_ROUNDING_EVEN_F32;
        else if (!a->model)
            a->model = argv[i];
        else
            s->dir = argv[i];
    }
    return a->model && s->dir;
}

static bool evaluate_all(session *s, const ir_graph *g, diag *d)
{
    s->slot_count = (size_t)g->next_id + 1;
    s->slots = calloc(s->slot_count, sizeof *s->slots);
    for (int i = 0; i < g->input_count; i++)
        s->slots[g->inputs[i]->id] = load_theirs(s, g->inputs[i]);
    for (const ir_op *op = g->first; op; op = op->next)
        if (!evaluate(s, op, d))
            return false;
    return true;
}

/* Imports the model, of these bytes, and evaluates it. */
static bool run(session *s, const arguments *a, const uint8_t *bytes, size_t size, diag *d)
{
    model_files beside = {.model = a->model};
    const frontend_options options = {.input_shapes = a->shapes,
                                      .input_shape_count = a->shape_count,
                                      .open = model_files_open,
                                      .open_context = &beside};
    const pass_options unfused = {.keep_unfused = true, .opt_level = 1};
    ir_graph *g = frontend_import(bytes, size, a->model, &options, d);
    bool fine = g && (!a->passes || pass_run(g, &unfused, NULL, NULL, 0, d));
    if (fine) {
        set_rounding(g, a->rounding);
        fine = evaluate_all(s, g, d);
    }
    ir_graph_free(g);
    model_files_free(&beside);
    return fine;
}

int main(int argc, char **argv)
{
    session s = {0};
    arguments a;
    if (!parse_arguments(argc, argv, &a, &s)) {
        fprintf(
            stderr,
            "usage: eval_ops MODEL DIR [--rounding=fp32|tflite|once] [--chain] [--passes] [--input-shape=NAME:1x8 ...]\n");
        return 2;
    }
    size_t size = 0;
    uint8_t *bytes = read_file(a.model, &size);
    if (!bytes || !read_names(&s)) {
        fprintf(stderr, "eval_ops: can't read %s or %s/names.txt: %s\n", a.model, s.dir, strerror(errno));
        return 1;
    }
    diag d = {.warn = warn};
    const bool fine = run(&s, &a, bytes, size, &d);
    if (!fine)
        fprintf(stderr, "%s\n", d.text);
    session_free(&s);
    free(bytes);
    return fine ? 0 : 1;
}
