/* histogram.c: counts the elements of a tensor. */
#include "compiler/report/histogram.h"

#include <math.h>
#include <string.h>

#include "ir/ref/interp.h"

static void count(histogram *h, double x)
{
    int bin = (int)((x - h->low) / (h->high - h->low) * HISTOGRAM_BINS);
    h->counts[bin < 0 ? 0 : bin >= HISTOGRAM_BINS ? HISTOGRAM_BINS - 1 : bin]++;
}

/* Bytes are counted one by one first: models have many millions of them. */
static void count_bytes(histogram *h, const ir_value *v, const unsigned char *bytes, int64_t elements)
{
    const ir_unused unused = v->quant->unused;
    uint64_t of[256] = {0};
    for (int64_t i = 0; i < elements; i++)
        of[bytes[i] ^ (v->type.dtype == IR_I8 ? 0x80 : 0)]++;
    const int first = unused.below, integers = 256 - first - unused.above;
    for (int i = 0; i < integers; i++)
        h->counts[i * HISTOGRAM_BINS / integers] += of[first + i];
    h->at_low = of[unused.below];
    h->at_high = of[255 - unused.above];
}

static void count_words(histogram *h, const void *data, int64_t elements)
{
    const unsigned char *at = data;
    for (int64_t i = 0; i < elements; i++, at += sizeof(int16_t)) {
        int16_t q;
        memcpy(&q, at, sizeof q);
        count(h, q);
        h->at_low += q == INT16_MIN;
        h->at_high += q == INT16_MAX;
    }
}

static void count_reals(histogram *h, const void *data, int64_t elements)
{
    const unsigned char *at = data;
    float x;
    h->low = INFINITY;
    h->high = -INFINITY;
    for (int64_t i = 0; i < elements; i++) {
        memcpy(&x, at + (size_t)i * sizeof x, sizeof x);
        if (!isfinite(x))
            continue;
        h->low = fmin(h->low, (double)x);
        h->high = fmax(h->high, (double)x);
    }
    if (!(h->low < h->high)) { /* all alike, or none */
        const double middle = isfinite(h->low) ? h->low : 0.5, half = fmax(0.5, fabs(middle) * 0x1p-20);
        h->low = middle - half;
        h->high = middle + half;
    }
    for (int64_t i = 0; i < elements; i++) {
        memcpy(&x, at + (size_t)i * sizeof x, sizeof x);
        if (isfinite(x))
            count(h, (double)x);
    }
}

bool histogram_make(const ir_value *v, const void *data, histogram *out)
{
    const ir_dtype t = v->type.dtype;
    const bool integer = v->quant && (t == IR_I8 || t == IR_U8 || t == IR_I16);
    *out = (histogram){.elements = (uint64_t)ir_type_elements(&v->type)};
    if (out->elements == 0 || !data || (!integer && t != IR_F32))
        return false;
    if (!integer) {
        count_reals(out, data, (int64_t)out->elements);
        return true;
    }
    int32_t min, max;
    ir_quant_range(t, v->quant, &min, &max);
    out->low = min;
    out->high = (double)max + 1;
    if (t == IR_I16)
        count_words(out, data, (int64_t)out->elements);
    else
        count_bytes(out, v, data, (int64_t)out->elements);
    return true;
}
