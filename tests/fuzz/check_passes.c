/* check_passes.c: the pipeline on a graph from untrusted bytes: every pass keeps it well-formed, and, where the graph
 * is small enough to interpret, the outputs are those it had before, bit for bit, before and after lowering. */
#include <stdlib.h>
#include <string.h>

#include "check_import.h"
#include "ir/ref/interp.h"
#include "passes/pass.h"

enum { MOST_BYTES = 1 << 16, MOST_WORK = 1 << 22 };

/* Nothing large, neither in memory nor in multiplications. */
static bool is_small(const ir_graph *g)
{
    int64_t work = 0;
    for (const ir_op *op = g->first; op; op = op->next) {
        int64_t inner = 1;
        for (int i = 0; i < op->operand_count; i++) {
            const ir_value *v = op->operands[i].value;
            if (v && (ir_type_bytes(&v->type) > MOST_BYTES))
                return false;
            if (v && i == 1)
                inner = ir_type_elements(&v->type) + 1;
        }
        if (ir_has_attr(op, IR_ATTR_KERNEL)) {
            int64_t h = ir_ints_at(op, IR_ATTR_KERNEL, 0), w = ir_ints_at(op, IR_ATTR_KERNEL, 1);
            inner = h > MOST_WORK || w > MOST_WORK ? MOST_WORK : h * w;
        }
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
            size_t bytes = ir_type_bytes(&op->results[i]->type);
            if (bytes > MOST_BYTES || (work += (int64_t)bytes * inner) > MOST_WORK)
                return false;
        }
    }
    for (int32_t i = 0; i < g->input_count; i++)
        if (ir_type_bytes(&g->inputs[i]->type) > MOST_BYTES)
            return false;
    return g->input_count < 64 && g->output_count < 64;
}

typedef struct buffers {
    void *in[64], *out[64];
} buffers;

static void fill(uint8_t *bytes, size_t size, ir_dtype t, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    if (t == IR_BOOL)
        for (size_t i = 0; i < size; i++)
            bytes[i] &= 1;
    if (t == IR_F32) /* finite and not large */
        for (size_t i = 0; i + 4 <= size; i += 4) {
            float f = (float)(int8_t)bytes[i] / 16;
            memcpy(bytes + i, &f, 4);
        }
}

static void make_buffers(const ir_graph *g, buffers *b)
{
    for (int32_t i = 0; i < g->input_count; i++) {
        size_t size = ir_type_bytes(&g->inputs[i]->type);
        b->in[i] = malloc(size + 1);
        fill(b->in[i], size, g->inputs[i]->type.dtype, (uint32_t)i + 1);
    }
    for (int32_t i = 0; i < g->output_count; i++)
        b->out[i] = calloc(ir_type_bytes(&g->outputs[i]->type) + 1, 1);
}

static void free_buffers(const ir_graph *g, buffers *b)
{
    for (int32_t i = 0; i < g->input_count; i++)
        free(b->in[i]);
    for (int32_t i = 0; i < g->output_count; i++)
        free(b->out[i]);
}

static bool interpret(const ir_graph *g, buffers *b, diag *d)
{
    make_buffers(g, b);
    ir_state *state = ir_state_new(g);
    bool ok = ir_interpret(g, (const void *const *)b->in, b->out, state, d);
    ir_state_free(state);
    return ok;
}

static bool has_floats(const ir_graph *g)
{
    for (int32_t i = 0; i < g->output_count; i++)
        if (ir_dtype_is_float(g->outputs[i]->type.dtype))
            return true;
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value && ir_dtype_is_float(op->operands[i].value->type.dtype))
                return true;
    return false;
}

/* Of the options that the passes know; the same ones for the same bytes. */
static pass_options draw_options(const uint8_t *bytes, size_t size)
{
    const uint64_t draw = ir_hash_bytes(bytes, size, 1);
    return (pass_options){.quantize = draw % 8 == 0 ? PASS_QUANTIZE_NONE : PASS_QUANTIZE_AUTO,
                          .infer_scales = draw >> 3 & 1,
                          .rounding = (ir_enum_ROUNDING)((draw >> 4) % IR_ROUNDING_COUNT),
                          .rounding_given = (draw >> 8) % 4 == 0,
                          .keep_unfused = (draw >> 10) % 16 == 0,
                          .opt_level = (draw >> 14) % 4 == 0 ? 0 : 2};
}

/* Values that have scales along a dimension without being constant: the passes may make conversions of them, for
 * which there is no code. */
static bool has_axis_values(const ir_graph *g)
{
    for (int32_t i = 0; i < g->input_count; i++)
        if (g->inputs[i]->quant && g->inputs[i]->quant->axis >= 0)
            return true;
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (op->results[i]->quant && op->results[i]->quant->axis >= 0)
                return true;
    return false;
}

/* Integers are what they were before the passes. */
static void check_outputs(const ir_graph *g, bool refusable, const buffers *before)
{
    diag d = {0};
    buffers after = {{0}};
    if (!is_small(g))
        return;
    const bool ran = interpret(g, &after, &d);
    if (!ran && !refusable)
        check_fail("the optimized graph can't be interpreted", d.text);
    if (!ran)
        check_diagnostic(&d);
    for (int32_t i = 0; before && i < g->output_count; i++)
        if (memcmp(before->out[i], after.out[i], ir_type_bytes(&g->outputs[i]->type)) != 0)
            check_fail("the passes changed an output", g->output_names[i]);
    free_buffers(g, &after);
}

void check_passes(ir_graph *g, const uint8_t *bytes, size_t size)
{
    diag d = {0};
    const pass_debug debug = {.verify_each = true};
    pass_options options = draw_options(bytes, size);
    buffers before = {{0}};
    /* What is asked to change values does; sums of floats may change their order. */
    const bool compare = !options.rounding_given && options.quantize == PASS_QUANTIZE_AUTO && !has_floats(g);
    const bool ran = is_small(g) && interpret(g, &before, &d);
    if (d.failed)
        check_fail("an imported graph can't be interpreted", d.text);
    const bool refusable =
        options.quantize == PASS_QUANTIZE_NONE || has_axis_values(g); /* some conversions have no code */
    for (int lower = 0; lower <= !options.keep_unfused && !d.failed; lower++) {
        options.lower = lower;
        if (!pass_run(g, &options, &debug, NULL, 0, &d))
            check_diagnostic(&d);
        else if (ran)
            check_outputs(g, refusable, compare ? &before : NULL);
    }
    if (ran)
        free_buffers(g, &before);
}
