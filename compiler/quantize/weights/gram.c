/* gram.c: patches, one behind the other, and their products with themselves. */
#include "compiler/quantize/weights/gram.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES = 64 }; /* of a sample, at most */

/* ---- Shapes ---- */

static bool set_shape(gram *m, const ir_op *op)
{
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type;
    const int64_t elements = ir_type_elements(w), channels = x->rank > 0 ? x->dims[x->rank - 1] : 0;
    if (elements == 0 || ir_type_elements(x) == 0)
        return false;
    switch (op->code) {
    case IR_DEPTHWISE_CONV2D:
        m->size = w->dims[1] * w->dims[2];
        m->blocks = channels;
        m->rows = w->dims[3] / channels;
        m->stride = channels;
        m->weight_stride = w->dims[3];
        m->patch = m->size * channels;
        return m->size <= GRAM_MOST;
    case IR_CONV2D:
        if (ir_int(op, IR_ATTR_GROUPS) != 1)
            return false;
        break;
    case IR_FULLY_CONNECTED: break;
    default: return false;
    }
    m->rows = w->dims[0];
    m->patch = elements / m->rows;
    m->blocks = (m->patch + GRAM_MOST - 1) / GRAM_MOST;
    m->size = (m->patch + m->blocks - 1) / m->blocks;
    m->stride = m->weight_stride = 1;
    return true;
}

int64_t gram_terms(const ir_op *op)
{
    gram m = {.op = op};
    return !set_shape(&m, op) ? 0 : op->code == IR_DEPTHWISE_CONV2D ? m.size : m.patch;
}

bool gram_open(gram *m, const ir_op *op)
{
    *m = (gram){.op = op};
    if (!set_shape(m, op))
        return false;
    m->sums = calloc((size_t)(m->blocks * m->size), sizeof *m->sums);
    m->products = calloc((size_t)(m->blocks * m->size * m->size), sizeof *m->products);
    m->seen = malloc((size_t)m->patch * sizeof *m->seen);
    if (m->sums && m->products && m->seen)
        return true;
    gram_close(m);
    return false;
}

void gram_close(gram *m)
{
    free(m->sums);
    free(m->products);
    free(m->seen);
    *m = (gram){0};
}

int64_t gram_size(const gram *m, int64_t block)
{
    const bool cut = m->op->code != IR_DEPTHWISE_CONV2D && block == m->blocks - 1;
    return cut ? m->patch - block * m->size : m->size;
}

int64_t gram_channel(const gram *m, int64_t block, int64_t row)
{
    return m->op->code == IR_DEPTHWISE_CONV2D ? block * m->rows + row : row;
}

int64_t gram_weights(const gram *m, int64_t block, int64_t row)
{
    return m->op->code == IR_DEPTHWISE_CONV2D ? block * m->rows + row : row * m->patch + block * m->size;
}

/* ---- Patches ---- */

/* What the result at (image, y, x) reads; zeros beyond the borders. */
static void take_window(gram *m, const float *operand, int64_t image, int64_t y, int64_t x)
{
    const ir_op *op = m->op;
    const ir_type *in = &op->operands[0].value->type, *w = &op->operands[1].value->type;
    const int64_t channels = in->dims[3];
    float *to = m->seen;
    for (int64_t ky = 0; ky < w->dims[1]; ky++)
        for (int64_t kx = 0; kx < w->dims[2]; kx++, to += channels) {
            const int64_t from_y = y * ir_ints_at(op, IR_ATTR_STRIDE, 0) + ky * ir_ints_at(op, IR_ATTR_DILATION, 0) -
                                   ir_ints_at(op, IR_ATTR_PAD, 0);
            const int64_t from_x = x * ir_ints_at(op, IR_ATTR_STRIDE, 1) + kx * ir_ints_at(op, IR_ATTR_DILATION, 1) -
                                   ir_ints_at(op, IR_ATTR_PAD, 1);
            const bool inside = from_y >= 0 && from_y < in->dims[1] && from_x >= 0 && from_x < in->dims[2];
            if (inside)
                memcpy(to, operand + ((image * in->dims[1] + from_y) * in->dims[2] + from_x) * channels,
                       (size_t)channels * sizeof *to);
            else
                memset(to, 0, (size_t)channels * sizeof *to);
        }
}

static void take(gram *m, const float *operand, int64_t place)
{
    const ir_type *r = &m->op->results[0]->type;
    if (m->op->code == IR_FULLY_CONNECTED)
        memcpy(m->seen, operand + place * m->patch, (size_t)m->patch * sizeof *m->seen);
    else
        take_window(m, operand, place / (r->dims[1] * r->dims[2]), place / r->dims[2] % r->dims[1], place % r->dims[2]);
}

static void add_block(gram *m, int64_t block)
{
    double x[GRAM_MOST];
    const int64_t n = gram_size(m, block);
    const float *from = m->seen + (m->op->code == IR_DEPTHWISE_CONV2D ? block : block * m->size);
    double *sums = m->sums + block * m->size, *products = m->products + block * m->size * m->size;
    for (int64_t i = 0; i < n; i++) {
        x[i] = (double)from[i * m->stride];
        sums[i] += x[i];
        for (int64_t k = 0; x[i] != 0 && k <= i; k++)
            products[i * m->size + k] += x[i] * x[k];
    }
}

void gram_add(gram *m, const float *operand)
{
    const bool flat = m->op->code == IR_FULLY_CONNECTED;
    const ir_type *r = &m->op->results[0]->type;
    const int64_t all =
        flat ? ir_type_elements(&m->op->operands[0].value->type) / m->patch : r->dims[0] * r->dims[1] * r->dims[2];
    const int64_t places = all < PLACES ? all : PLACES;
    for (int64_t i = 0; i < places; i++) {
        take(m, operand, (2 * i + 1) * all / (2 * places));
        for (int64_t block = 0; block < m->blocks; block++)
            add_block(m, block);
    }
    m->count += places;
}

/* ---- Covariance ---- */

void gram_covariance(const gram *m, int64_t block, double *to)
{
    const int64_t n = gram_size(m, block);
    const double *sums = m->sums + block * m->size, *products = m->products + block * m->size * m->size;
    const double count = m->count > 0 ? (double)m->count : 1;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k <= i; k++)
            to[i * n + k] = to[k * n + i] = products[i * m->size + k] / count - sums[i] / count * (sums[k] / count);
}
