/* picture_bytes.c: few different numbers, as far apart as bytes are, in samples; ops in front of the convolution. */
#include "compiler/quantize/picture_bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/common/scales.h"
#include "passes/common/util.h"

enum { BYTES = 256, LEAST_DIFFERENT = 32, MOST_SAMPLES = 64 };
static const double TOLERANCE = 1e-2;  /* of a step: of numbers that were floats */
static const double DIFFERENCE = 1e-4; /* of steps that one grid can't have */

static const char reason[] = "gives the bytes of pictures back, which are integers already";

/* ---- The graph ---- */

/* The value that the convolution reads: the input, or, where its channels come first, the input transposed. */
static ir_value *pictures_of(const ir_graph *g)
{
    static const int64_t last[] = {0, 2, 3, 1};
    ir_value *v = g->input_count == 1 ? g->inputs[0] : NULL;
    ir_op *op = v ? pass_single_user(v) : NULL;
    if (!op || v->type.rank != 4 || v->type.dtype != IR_F32)
        return NULL;
    if (op->code != IR_TRANSPOSE)
        return v;
    for (int i = 0; i < 4; i++)
        if (ir_ints_at(op, IR_ATTR_PERM, i) != last[i])
            return NULL;
    return op->results[0];
}

static ir_op *convolution_of(const ir_value *v)
{
    ir_op *op = v ? pass_single_user(v) : NULL;
    const int64_t channels = v ? v->type.dims[3] : 0;
    if (!op || op->code != IR_CONV2D || op->keep_float || op->operands[0].value != v || op->operand_count > 3 ||
        channels < 2 || channels > PICTURE_CHANNELS || ir_int(op, IR_ATTR_GROUPS) != 1)
        return NULL;
    const ir_value *bias = ir_operand_value(op, 2);
    return pass_is_real_constant(op->operands[1].value) && (!bias || pass_is_real_constant(bias)) ? op : NULL;
}

static bool is_padded(const ir_op *conv)
{
    bool any = false;
    for (int i = 0; i < 4; i++)
        any |= ir_ints_at(conv, IR_ATTR_PAD, i) != 0;
    return any;
}

/* ---- The samples ---- */

/* Different numbers, in order. */
typedef struct numbers {
    float item[BYTES];
    int count; /* BYTES + 1: too many */
} numbers;

static void add_number(numbers *n, float x)
{
    int low = 0, high = n->count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (n->item[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < n->count && n->item[low] <= x)
        return;
    if (n->count == BYTES || !isfinite(x)) {
        n->count = BYTES + 1;
        return;
    }
    memmove(&n->item[low + 1], &n->item[low], (size_t)(n->count - low) * sizeof *n->item);
    n->item[low] = x;
    n->count++;
}

/* Of one sample; false: these are no bytes. */
static bool look_at(const ir_value *input, bool channels_first, const float *from, int channels, numbers seen[])
{
    const int64_t count = ir_type_elements(&input->type), plane = input->type.dims[2] * input->type.dims[3];
    for (int64_t i = 0; i < count; i++) {
        numbers *n = &seen[(channels_first ? i / plane : i) % channels];
        add_number(n, from[i]);
        if (n->count > BYTES)
            return false;
    }
    return true;
}

static bool find_step(const numbers *n, double *out_first, double *out_step)
{
    double least = INFINITY;
    if (n->count < LEAST_DIFFERENT)
        return false;
    for (int i = 1; i < n->count; i++)
        least = fmin(least, (double)n->item[i] - (double)n->item[i - 1]);
    const double low = (double)n->item[0], span = (double)n->item[n->count - 1] - low, steps = round(span / least);
    if (steps > BYTES - 1)
        return false;
    const double step = span / steps;
    for (int i = 0; i < n->count; i++) {
        const double at = ((double)n->item[i] - low) / step;
        if (fabs(at - round(at)) > TOLERANCE)
            return false;
    }
    *out_step = step;
    *out_first = low - floor((BYTES - 1 - steps) / 2) * step; /* where not all were seen: as much on either side */
    return true;
}

/* Can one grid not hold them all as they are, and the border, which is 0? */
static bool is_worth_it(const picture_bytes *p, bool padded)
{
    bool different = false;
    for (int i = 0; i < p->channels; i++) {
        different |= fabs(p->step[i] - p->step[0]) > DIFFERENCE * p->step[0];
        different |= fabs(p->first[i] - p->first[0]) > TOLERANCE * p->step[0];
        if (padded && (p->first[i] > 0 || p->first[i] + (BYTES - 1) * p->step[i] < 0))
            return false;
    }
    return different;
}

static bool look_at_all(const ir_graph *g, const calibrate_inputs *inputs, int channels, numbers seen[],
                        bool *out_bytes, diag *d)
{
    const ir_value *input = g->inputs[0];
    float *pixels = malloc(ir_type_bytes(&input->type) + 1);
    void *const buffers[] = {pixels};
    bool good = pixels || diag_out_of_memory(d, NULL);
    *out_bytes = inputs->count > 0;
    for (int i = 0; good && *out_bytes && i < inputs->count && i < MOST_SAMPLES; i++) {
        good = calibrate_inputs_fill(inputs, i, buffers, d);
        *out_bytes = good && look_at(input, pictures_of(g) != input, pixels, channels, seen);
    }
    free(pixels);
    return good;
}

bool picture_bytes_find(const ir_graph *g, const calibrate_inputs *inputs, picture_bytes *out, diag *d)
{
    const ir_value *v = pictures_of(g);
    const ir_op *conv = convolution_of(v);
    numbers seen[PICTURE_CHANNELS] = {{.count = 0}};
    picture_bytes found = {.channels = conv ? (int)v->type.dims[3] : 0};
    bool bytes;
    *out = (picture_bytes){.channels = 0};
    if (!conv)
        return true;
    if (!look_at_all(g, inputs, found.channels, seen, &bytes, d))
        return false;
    for (int i = 0; bytes && i < found.channels; i++)
        bytes = find_step(&seen[i], &found.first[i], &found.step[i]);
    if (bytes && is_worth_it(&found, is_padded(conv)))
        *out = found;
    return true;
}

/* ---- Into the graph ---- */

/* A line of them: such rows are read faster than a few channels over and over. */
static ir_value *line_of(ir_graph *g, const picture_bytes *p, const ir_value *pictures, const double of_channel[])
{
    const int64_t dims[] = {pictures->type.dims[2], p->channels}, count = dims[0] * dims[1];
    float *to = ARENA_ARRAY(g->arena, float, count);
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)of_channel[i % p->channels];
    return ir_const_new(g, ir_type_make(IR_F32, 2, dims), NULL, to);
}

static ir_value *add_op(ir_graph *g, ir_op *before, ir_opcode code, ir_value *a, ir_value *b, ir_type type)
{
    ir_value *operands[] = {a, b};
    ir_value *r = pass_op1(g, code, before, before, b ? 2 : 1, operands, type, NULL);
    r->def->keep_float = true;
    r->def->why_float = reason;
    return r;
}

static ir_value *pad(ir_graph *g, ir_op *conv, ir_value *v)
{
    static const int64_t none[] = {0, 0, 0, 0};
    int64_t p[4], dims[4];
    if (!is_padded(conv))
        return v;
    for (int i = 0; i < 4; i++)
        p[i] = ir_ints_at(conv, IR_ATTR_PAD, i);
    const int64_t before[] = {0, p[0], p[1], 0}, after[] = {0, p[2], p[3], 0};
    for (int i = 0; i < 4; i++)
        dims[i] = v->type.dims[i] + before[i] + after[i];
    ir_value *r = add_op(g, conv, IR_PAD, v, NULL, ir_type_make(IR_F32, 4, dims));
    ir_set_ints(r->def, IR_ATTR_BEFORE, 4, before);
    ir_set_ints(r->def, IR_ATTR_AFTER, 4, after);
    ir_set_ints(conv, IR_ATTR_PAD, 4, none);
    return r;
}

/* w * step, and b + w first. */
static void take_in(ir_graph *g, ir_op *conv, const picture_bytes *p)
{
    const ir_value *w = conv->operands[1].value, *b = ir_operand_value(conv, 2);
    const int64_t count = ir_type_elements(&w->type), rows = w->type.dims[0];
    float *weights = ARENA_ARRAY(g->arena, float, count), *bias = ARENA_ARRAY(g->arena, float, rows);
    for (int64_t row = 0, i = 0; row < rows; row++) {
        double sum = b ? ir_const_real(b, row) : 0;
        for (; i < (row + 1) * (count / rows); i++) {
            const double weight = ir_const_real(w, i);
            weights[i] = (float)(weight * p->step[i % p->channels]);
            sum += weight * p->first[i % p->channels];
        }
        bias[row] = (float)sum;
    }
    ir_value *by = ir_const_new(g, w->type, NULL, weights),
             *plus = ir_const_new(g, ir_type_make(IR_F32, 1, &rows), NULL, bias);
    by->name = w->name;
    plus->name = b ? b->name : NULL;
    ir_set_operand(conv, 1, by);
    ir_set_operand(conv, 2, plus);
}

void picture_bytes_give(ir_graph *g, const picture_bytes *p)
{
    ir_value *v = pictures_of(g);
    ir_op *conv = convolution_of(v);
    double by[PICTURE_CHANNELS], plus[PICTURE_CHANNELS];
    if (!conv || p->channels != v->type.dims[3])
        return;
    for (int i = 0; i < p->channels; i++) {
        by[i] = 1 / p->step[i];
        plus[i] = -p->first[i] / p->step[i];
    }
    v = pad(g, conv, v);
    v = add_op(g, conv, IR_MUL, v, line_of(g, p, v, by), v->type);
    v = add_op(g, conv, IR_ADD, v, line_of(g, p, v, plus), v->type);
    ir_set_operand(conv, 0, v);
    take_in(g, conv, p);
}

const ir_value *picture_bytes_value(const ir_graph *g, picture_bytes *out)
{
    const ir_op *op = g->first;
    while (op && !(op->code == IR_ADD && op->why_float == reason))
        op = op->next;
    if (!op)
        return NULL;
    const ir_value *by = op->operands[0].value->def->operands[1].value, *plus = op->operands[1].value;
    out->channels = (int)plus->type.dims[1];
    for (int i = 0; i < out->channels; i++) {
        out->step[i] = 1 / ir_const_real(by, i);
        out->first[i] = -ir_const_real(plus, i) * out->step[i];
    }
    return op->results[0];
}
