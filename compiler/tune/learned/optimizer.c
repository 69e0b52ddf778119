/* optimizer.c: sums are taken in double and in order, so a step is the same wherever it is made. */
#include "compiler/tune/learned/optimizer.h"

#include <math.h>
#include <string.h>

static const double first_decay = 0.9, second_decay = 0.999, epsilon = 1e-8;

float optimizer_size(const float numbers[], int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)numbers[i] * (double)numbers[i];
    return (float)fmax(sqrt(sum / (double)(count ? count : 1)), 1e-3);
}

double optimizer_rate(const optimizer_options *o, int64_t step)
{
    if (step < o->warmup)
        return o->rate * (double)(step + 1) / (double)o->warmup;
    const int64_t rest = o->steps - o->warmup;
    if (o->schedule == SCHEDULE_CONSTANT || rest < 1)
        return o->rate;
    return o->rate * 0.5 * (1 + cos(3.14159265358979323846 * (double)(step - o->warmup) / (double)rest));
}

double optimizer_norm(const optimizer_block blocks[], int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        for (int64_t k = 0; k < blocks[i].count; k++)
            sum += (double)blocks[i].gradient[k] * (double)blocks[i].gradient[k];
    return sqrt(sum);
}

bool optimizer_is_finite(const optimizer_block blocks[], int count)
{
    const int32_t infinite = 0x7f800000;
    int32_t most = 0;
    for (int i = 0; i < count; i++)
        for (int64_t k = 0; k < blocks[i].count; k++) {
            int32_t bits;
            memcpy(&bits, &blocks[i].gradient[k], sizeof bits);
            bits &= INT32_MAX; /* without its sign; larger numbers are larger */
            most = bits > most ? bits : most;
        }
    return most < infinite;
}

static void scale_gradients(optimizer_block blocks[], int count, double by)
{
    for (int i = 0; i < count; i++)
        for (int64_t k = 0; k < blocks[i].count; k++)
            blocks[i].gradient[k] = (float)(blocks[i].gradient[k] * by);
}

static void step_sgd(const optimizer_options *o, const optimizer_block *b, double rate)
{
    const float momentum = (float)o->momentum, decay = b->decay, r = (float)rate;
    for (int64_t k = 0; k < b->count; k++) {
        b->first[k] = momentum * b->first[k] + b->gradient[k];
        b->numbers[k] -= r * (b->first[k] + decay * b->numbers[k]);
    }
}

static void step_adam(const optimizer_block *b, double rate, int64_t step)
{
    const float b1 = (float)first_decay, b2 = (float)second_decay, e = (float)epsilon;
    const float c1 = (float)(1 / (1 - pow(first_decay, (double)step + 1)));
    const float c2 = (float)(1 / (1 - pow(second_decay, (double)step + 1)));
    const float decay = b->decay, r = (float)rate, *restrict gradient = b->gradient;
    float *restrict first = b->first, *restrict second = b->second, *restrict numbers = b->numbers;
    for (int64_t k = 0; k < b->count; k++) {
        const float g = gradient[k];
        first[k] = b1 * first[k] + (1 - b1) * g;
        second[k] = b2 * second[k] + (1 - b2) * g * g;
        numbers[k] -= r * (first[k] * c1 / (sqrtf(second[k] * c2) + e) + decay * numbers[k]);
    }
}

void optimizer_step(const optimizer_options *o, optimizer_block blocks[], int count, int64_t step)
{
    const double rate = optimizer_rate(o, step), norm = o->clip > 0 ? optimizer_norm(blocks, count) : 0;
    if (norm > o->clip)
        scale_gradients(blocks, count, o->clip / norm);
    for (int i = 0; i < count; i++) {
        const double own = rate * (double)blocks[i].share;
        if (o->kind == OPTIMIZER_ADAM)
            step_adam(&blocks[i], own, step);
        else
            step_sgd(o, &blocks[i], own);
    }
}
