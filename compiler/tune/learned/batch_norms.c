/* batch_norms.c: numbers of batch norms: what they are at the start, follow from, and learn. */
#include "compiler/tune/learned/batch_norms.h"

#include <math.h>
#include <string.h>

#include "passes/common/util.h"

static const float least_gamma = 1e-3f; /* of what it was at the start: signs are those of the weights */

/* ---- Finding them ---- */

/* The parameter that op `id` alone reads, as operand `slot`; -1: none. */
static int own_parameter(const simulation *s, uint32_t id, int slot)
{
    int found = -1;
    for (int i = 0; i < s->use_count; i++)
        if (s->uses[i].op == id && s->uses[i].slot == slot)
            found = s->uses[i].parameter;
    for (int i = 0; i < s->use_count && found >= 0; i++)
        if (s->uses[i].parameter == found && s->uses[i].op != id)
            found = -1;
    return found;
}

static float *copied(arena *a, const float *numbers, int64_t count)
{
    return arena_copy(a, numbers, (size_t)count * sizeof *numbers);
}

/* Statistics are those that the file has folded: beta - mean is the bias, gamma² the variance and epsilon. */
static void start(batch_norm *n, const ir_norm *norm, const simulation *s, arena *a)
{
    const simulated_parameter *w = &s->parameters[n->weights_parameter], *b = &s->parameters[n->bias_parameter];
    n->weights = copied(a, w->numbers, w->count);
    n->beta = copied(a, norm->beta, n->channels);
    n->gamma = copied(a, norm->gamma, n->channels);
    n->epsilon = copied(a, norm->epsilon, n->channels);
    n->gamma_gradient = ARENA_ARRAY(a, float, n->channels);
    n->gamma_first = ARENA_ARRAY(a, float, n->channels);
    n->gamma_second = ARENA_ARRAY(a, float, n->channels);
    n->least = ARENA_ARRAY(a, float, n->channels);
    n->k = ARENA_ARRAY(a, float, n->channels);
    n->shift = ARENA_ARRAY(a, float, n->channels);
    n->mean_sum = ARENA_ARRAY(a, double, n->channels);
    n->variance_sum = ARENA_ARRAY(a, double, n->channels);
    n->sum_weight = 1;
    for (int64_t c = 0; c < n->channels; c++) {
        n->least[c] = n->gamma[c] * least_gamma;
        n->k[c] = 1;
        n->shift[c] = n->beta[c] - b->numbers[c];
        n->mean_sum[c] = (double)n->shift[c];
        n->variance_sum[c] = fmax((double)n->gamma[c] * (double)n->gamma[c] - (double)n->epsilon[c], 0);
    }
}

static bool add(batch_norms *n, const ir_op *op, const ir_norm *norm, arena *a)
{
    const int axis = pass_channel_axis(op);
    const int w = own_parameter(n->of, op->id, 1), b = own_parameter(n->of, op->id, 2);
    if (axis < 0 || w < 0 || b < 0 || n->of->parameters[b].count != norm->channels)
        return false;
    batch_norm *item = &n->items[n->count++];
    *item = (batch_norm){.op = op->id,
                         .weights_parameter = w,
                         .bias_parameter = b,
                         .channels = norm->channels,
                         .inner = axis == 0 ? n->of->parameters[w].count / norm->channels : 1};
    start(item, norm, n->of, a);
    return true;
}

/* ---- Opening ---- */

static void fold(batch_norms *n)
{
    for (int i = 0; i < n->count; i++) {
        batch_norm *item = &n->items[i];
        const simulated_parameter *w = &n->of->parameters[item->weights_parameter];
        float *bias = n->of->parameters[item->bias_parameter].numbers;
        for (int64_t c = 0; c < item->channels; c++) {
            const double mean = item->mean_sum[c] / item->sum_weight,
                         variance = item->variance_sum[c] / item->sum_weight;
            const double k =
                item->least[c] > 0 ? (double)item->gamma[c] / sqrt(variance + (double)item->epsilon[c]) : 1;
            item->k[c] = (float)k;
            item->shift[c] = (float)(k * mean);
            bias[c] = item->beta[c] - item->shift[c];
        }
        for (int64_t x = 0; x < w->count; x++)
            w->numbers[x] = item->k[x / item->inner % item->channels] * item->weights[x];
    }
}

bool batch_norms_open(batch_norms *n, const batch_norm_options *o, const simulation *of, const wide *w, diag *d)
{
    const ir_graph *g = of->of;
    const ir_loc loc = ir_graph_loc(g);
    int left = 0;
    const ir_op *first_left = NULL;
    *n = (batch_norms){.options = o, .of = of, .items = ARENA_ARRAY(g->arena, batch_norm, of->use_count + 1)};
    if (o->kind == BATCH_NORMS_FROZEN)
        return true;
    for (const ir_op *op = g->first; op; op = op->next) {
        const ir_norm *norm = wide_narrow_op(w, op->id)->norm;
        if (!norm || norm->channels == 0 || add(n, op, norm, g->arena))
            continue;
        first_left = left++ ? first_left : op;
    }
    if (first_left && n->count)
        diag_warn(d, &first_left->loc,
                  "%d batch norm%s part of no product that is trained, and stay%s as the file has %s", left,
                  left == 1 ? " is" : "s are", left == 1 ? "s" : "", left == 1 ? "it" : "them");
    fold(n);
    return n->count ||
           diag_error(d, &loc,
                      "--batch-norms: the file has no batch norm behind a convolution or a matrix product that is "
                      "trained: where weights have taken them in already, nobody knows their statistics");
}

void batch_norms_inputs(const batch_norms *n, void *const inputs[])
{
    for (int i = 0; i < n->count && n->options->kind == BATCH_NORMS_TRAIN; i++) {
        const batch_norm *item = &n->items[i];
        float *epsilon = inputs[item->epsilon_input];
        memcpy(inputs[item->gamma_input], item->gamma, (size_t)item->channels * sizeof(float));
        memcpy(inputs[item->shift_input], item->shift, (size_t)item->channels * sizeof(float));
        for (int64_t c = 0; c < item->channels; c++)
            epsilon[c] = item->least[c] > 0 ? item->epsilon[c] * item->k[c] * item->k[c] : 1;
    }
}

/* ---- What a step has shown ---- */

/* Of U x: what was seen is of k U x. */
static void see(batch_norm *n, double rate, const float mean[], const float variance[])
{
    for (int64_t c = 0; c < n->channels; c++) {
        const double k = (double)n->k[c];
        n->mean_sum[c] = rate * n->mean_sum[c] + (double)mean[c] / k;
        n->variance_sum[c] = rate * n->variance_sum[c] + (double)variance[c] / (k * k);
    }
    n->sum_weight = rate * n->sum_weight + 1;
}

void batch_norms_see(batch_norms *n, void *const outputs[])
{
    for (int i = 0; i < n->count; i++)
        see(&n->items[i], n->options->rate, outputs[n->items[i].mean], outputs[n->items[i].variance]);
}

/* With constants for statistics k = gamma / deviation: Σ dL/dw U / deviation - dL/db mean / deviation. */
static void gamma_gradient(batch_norm *n, const float by_weights[], int64_t count, const float by_bias[])
{
    for (int64_t c = 0; c < n->channels; c++)
        n->gamma_gradient[c] = -by_bias[c] * n->shift[c];
    for (int64_t x = 0; x < count; x++) {
        const int64_t c = x / n->inner % n->channels;
        n->gamma_gradient[c] += by_weights[x] * n->k[c] * n->weights[x];
    }
    for (int64_t c = 0; c < n->channels; c++)
        n->gamma_gradient[c] = n->least[c] > 0 ? n->gamma_gradient[c] / n->gamma[c] : 0;
}

void batch_norms_take_gradients(batch_norms *n, optimizer_block blocks[], void *const outputs[])
{
    for (int i = 0; i < n->count; i++) {
        batch_norm *item = &n->items[i];
        const optimizer_block *w = &blocks[item->weights_parameter];
        if (n->options->kind == BATCH_NORMS_TRAIN)
            memcpy(item->gamma_gradient, outputs[item->gamma_output], (size_t)item->channels * sizeof(float));
        else
            gamma_gradient(item, w->gradient, w->count, blocks[item->bias_parameter].gradient);
        for (int64_t x = 0; x < w->count; x++)
            w->gradient[x] *= item->k[x / item->inner % item->channels];
    }
}

/* ---- What is trained ---- */

int batch_norms_blocks(batch_norms *n, bool in_proportion, optimizer_block blocks[], int count)
{
    for (int i = 0; i < n->count; i++) {
        batch_norm *item = &n->items[i];
        const float size = in_proportion ? optimizer_size(item->gamma, item->channels) : 1;
        blocks[item->weights_parameter].numbers = item->weights;
        blocks[item->bias_parameter].numbers = item->beta;
        blocks[item->bias_parameter].share = size;
        blocks[count + i] = (optimizer_block){.numbers = item->gamma,
                                              .gradient = item->gamma_gradient,
                                              .first = item->gamma_first,
                                              .second = item->gamma_second,
                                              .count = item->channels,
                                              .share = size};
    }
    return n->count;
}

void batch_norms_settle(batch_norms *n)
{
    for (int i = 0; i < n->count; i++)
        for (int64_t c = 0; c < n->items[i].channels; c++)
            n->items[i].gamma[c] = fmaxf(n->items[i].gamma[c], n->items[i].least[c]);
    fold(n);
}

static bool is_state(const batch_norm *n)
{
    bool good = isfinite(n->sum_weight) && n->sum_weight >= 1;
    for (int64_t c = 0; c < n->channels; c++)
        good = good && isfinite(n->gamma[c]) && isfinite(n->gamma_first[c]) && n->gamma_second[c] >= 0 &&
               isfinite(n->gamma_second[c]) && isfinite(n->mean_sum[c]) && n->variance_sum[c] >= 0 &&
               isfinite(n->variance_sum[c]);
    return good;
}

bool batch_norms_restore(batch_norms *n)
{
    bool good = true;
    for (int i = 0; i < n->count; i++)
        good = good && is_state(&n->items[i]);
    if (good)
        batch_norms_settle(n);
    return good;
}

void batch_norms_states(batch_norms *n, checkpoint_block blocks[])
{
    for (int i = 0; i < n->count; i++) {
        batch_norm *item = &n->items[i];
        const size_t channels = (size_t)item->channels;
        *blocks++ = (checkpoint_block){item->gamma, channels * sizeof(float)};
        *blocks++ = (checkpoint_block){item->gamma_first, channels * sizeof(float)};
        *blocks++ = (checkpoint_block){item->gamma_second, channels * sizeof(float)};
        *blocks++ = (checkpoint_block){item->mean_sum, channels * sizeof(double)};
        *blocks++ = (checkpoint_block){item->variance_sum, channels * sizeof(double)};
        *blocks++ = (checkpoint_block){&item->sum_weight, sizeof item->sum_weight};
    }
}
