/* header.c: graph -> C header.
 *
 *     extern const qcc_model mobilenet;
 *     #define MOBILENET_TARGETS "avx2,generic"
 *     #define MOBILENET_WORKSPACE_BYTES 1204224
 *     #define MOBILENET_INPUT_COUNT 1
 *     // input 0: "image", u8 1x224x224x3, real = 0.0078125 * (q - 128)
 *     #define MOBILENET_INPUT_0_BYTES 150528
 *     #define MOBILENET_INPUT_0_TYPE uint8_t
 *     #define MOBILENET_INPUT_0_DIM_1 224
 *     #define MOBILENET_INPUT_0_SCALE 0.0078125f … */
#include "compiler/output/header.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct text {
    arena *arena;
    char *at;
    size_t length, room;
} text;

static void append(text *t, const char *piece)
{
    const size_t length = strlen(piece);
    if (t->length + length + 1 > t->room) {
        const size_t room = (t->room + length + 1) * 2;
        char *more = arena_alloc(t->arena, room);
        if (t->length)
            memcpy(more, t->at, t->length);
        t->at = more;
        t->room = room;
    }
    memcpy(t->at + t->length, piece, length + 1);
    t->length += length;
}

/* Names come from the model file: inside a comment, nothing of them may end it. */
static const char *comment_safe(arena *a, const char *name)
{
    char *copy = arena_string(a, name, strlen(name));
    for (char *c = copy; *c; c++)
        if (*c == '*' || *c == '\\' || (unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return copy;
}

static const char *shape_text(arena *a, const ir_type *type)
{
    const char *s = type->rank == 0 ? "scalar" : "";
    for (int i = 0; i < type->rank; i++)
        s = arena_format(a, "%s%s%" PRId64, s, i ? "x" : "", type->dims[i]);
    return s;
}

/* The names of an element type in C and in qcc.h. */
static const char *c_type(ir_dtype type)
{
    static const char *const names[] = {
#define DTYPE(NAME, text, bytes, type) [IR_##NAME] = #type,
#include "ir/dtypes.def"
#undef DTYPE
    };
    return names[type];
}

static const char *dtype_name(ir_dtype type)
{
    static const char *const names[] = {
#define DTYPE(NAME, text, bytes, type) [IR_##NAME] = "QCC_" #NAME,
#include "ir/dtypes.def"
#undef DTYPE
    };
    return names[type];
}

/* "7.5e-05f", "1.0f": a float constant of C. */
static const char *float_text(arena *a, float x)
{
    const char *number = arena_format(a, "%.9g", (double)x);
    return arena_format(a, strpbrk(number, ".e") ? "%sf" : "%s.0f", number);
}

/* What a program can size and fill its arrays by, as numbers of C's preprocessor. */
static void append_macros(text *t, const char *prefix, const ir_value *v)
{
    arena *a = t->arena;
    const bool scaled = v->quant && v->quant->axis < 0;
    append(t, arena_format(a, "#define %s_BYTES %zu\n", prefix, ir_type_bytes(&v->type)));
    append(t, arena_format(a, "#define %s_ELEMENTS %" PRId64 "\n", prefix, ir_type_elements(&v->type)));
    append(t, arena_format(a, "#define %s_TYPE %s\n", prefix, c_type(v->type.dtype)));
    append(t, arena_format(a, "#define %s_DTYPE %s\n", prefix, dtype_name(v->type.dtype)));
    append(t, arena_format(a, "#define %s_RANK %d\n", prefix, v->type.rank));
    for (int i = 0; i < v->type.rank; i++)
        append(t, arena_format(a, "#define %s_DIM_%d %" PRId64 "\n", prefix, i, v->type.dims[i]));
    append(t, arena_format(a, "#define %s_SCALE %s%s\n", prefix, float_text(a, scaled ? v->quant->scale[0] : 0),
                           scaled ? "" : " /* real numbers */"));
    append(t, arena_format(a, "#define %s_ZERO_POINT %" PRId32 "\n", prefix, scaled ? v->quant->zero[0] : 0));
}

/* Whose start qcc_reset sets. */
static void append_state(text *t, const char *upper, const char *name, size_t bytes)
{
    arena *a = t->arena;
    append(t,
           bytes
               ? arena_format(a,
                              "/* Of that, what lasts from one run to the next: call qcc_reset(&%s, workspace) before "
                              "the first run. */\n",
                              name)
               : "/* Nothing of it lasts from one run to the next; qcc_reset before the first run does nothing. */\n");
    append(t, arena_format(a, "#define %s_STATE_BYTES %zu\n", upper, bytes));
}

static void append_tensor(text *t, const char *upper, const char *kind, int index, const char *name, const ir_value *v)
{
    arena *a = t->arena;
    append(t, arena_format(a, "\n/* %s %d: \"%s\", %s %s", kind, index, comment_safe(a, name),
                           ir_dtype_text(v->type.dtype), shape_text(a, &v->type)));
    if (v->quant && v->quant->axis < 0)
        append(t, arena_format(a, ", real = %.9g * (q - %" PRId32 ")", (double)v->quant->scale[0], v->quant->zero[0]));
    append(t, " */\n");
    append_macros(t, arena_format(a, "%s_%s_%d", upper, strcmp(kind, "input") == 0 ? "INPUT" : "OUTPUT", index), v);
}

/* What the object holds code for, best first. */
static void append_targets(text *t, const char *upper, const header_facts *facts)
{
    char names[TARGET_SET_TEXT];
    append(t, arena_format(
                  t->arena,
                  "/* Machines that there is code for, best first; qcc_model_target(&%s) is what this one runs. */\n",
                  facts->name));
    append(t, arena_format(t->arena, "#define %s_TARGETS \"%s\"\n", upper, target_set_text(facts->targets, names)));
}

static void append_tensors(text *t, const char *upper, const ir_graph *g)
{
    for (int i = 0; i < g->input_count; i++)
        append_tensor(t, upper, "input", i, g->input_names[i], g->inputs[i]);
    for (int i = 0; i < g->output_count; i++)
        append_tensor(t, upper, "output", i, g->output_names[i], g->outputs[i]);
}

/* The same of every shape: NAME_SHAPE_0_INPUT_0_BYTES. */
static void append_shapes(text *t, const char *upper, const ir_graph *first, const header_facts *facts)
{
    if (!facts->further_count)
        return;
    append(
        t,
        arena_format(
            t->arena,
            "\n/* The model is compiled for several shapes of its inputs: &%s is the first of them; qcc_model_shape(&%s,\n"
            " * 0 … %d) and qcc_model_with_shapes give each. */\n",
            facts->name, facts->name, facts->further_count));
    append(t, arena_format(t->arena, "#define %s_SHAPE_COUNT %d\n", upper, 1 + facts->further_count));
    for (int i = 0; i <= facts->further_count; i++)
        append_tensors(t, arena_format(t->arena, "%s_SHAPE_%d", upper, i), i ? facts->further[i - 1] : first);
}

/* One workspace serves all shapes. */
static size_t workspace_bytes(const ir_graph *first, const header_facts *facts)
{
    size_t most = first->workspace_bytes;
    for (int i = 0; i < facts->further_count; i++)
        most = facts->further[i]->workspace_bytes > most ? facts->further[i]->workspace_bytes : most;
    return most;
}

const char *header_text(const ir_graph *g, const header_facts *facts)
{
    arena *a = g->arena;
    const char *name = facts->name, *source = facts->source;
    char *upper = arena_string(a, name, strlen(name));
    for (char *c = upper; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    text t = {.arena = a};
    const char *slash = strrchr(source, '/'); /* headers travel: where the model was is not part of them */
    append(&t, arena_format(a, "/* Model `%s`, compiled by qcc %s from %s. */\n", name, QCC_VERSION,
                            comment_safe(a, slash ? slash + 1 : source)));
    append(&t, arena_format(a, "#ifndef QCC_MODEL_%s_H\n#define QCC_MODEL_%s_H\n\n#include <qcc.h>\n\n", upper, upper));
    append(&t, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    append(&t, arena_format(a, "extern const qcc_model %s;\n", name));
    append_targets(&t, upper, facts);
    if (facts->external_weights) {
        append(&t, "/* Before the first run: qcc_set_weights with the contents of the weights file, 64-byte aligned; "
                   "this pointer is then\n"
                   " * set. */\n");
        append(&t, arena_format(a, "extern const unsigned char *%s_weights;\n", name));
        append(&t, arena_format(a, "#define %s_WEIGHTS_BYTES %zu\n", upper, facts->weights_bytes));
    }
    append(&t, "\n/* Allocate this much, 64-byte aligned, for each run that may overlap with another. */\n");
    append(&t, arena_format(a, "#define %s_WORKSPACE_BYTES %zu\n", upper, workspace_bytes(g, facts)));
    append_state(&t, upper, name, g->state_bytes);
    append(&t, arena_format(a, "#define %s_INPUT_COUNT %" PRId32 "\n", upper, g->input_count));
    append(&t, arena_format(a, "#define %s_OUTPUT_COUNT %" PRId32 "\n", upper, g->output_count));
    append_tensors(&t, upper, g);
    append_shapes(&t, upper, g, facts);
    append(&t, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
    return t.at;
}
