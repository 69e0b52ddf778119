/* weight_clips.c: clamps, and sums of gradients over what they cut off. */
#include "compiler/tune/learned/weight_clips.h"

#include <math.h>
#include <string.h>

#include "passes/common/scales.h"

static const float least = 1e-6f; /* a threshold above 0, so that a channel keeps its signs */

static int64_t channel_of(const weight_clip *c, int64_t i) { return i / c->inner % c->channels; }

static float largest_of_channel(const weight_clip *c, const float numbers[], int64_t count, int64_t channel)
{
    float most = least;
    for (int64_t i = 0; i < count; i++)
        most = channel_of(c, i) == channel ? fmaxf(most, fabsf(numbers[i])) : most;
    return most;
}

static void lay_out(weight_clip *c, const ir_op *product, const ir_type *type, bool per_tensor)
{
    const int axis = per_tensor ? -1 : scales_weight_axis(product);
    c->channels = axis < 0 ? 1 : type->dims[axis];
    c->inner = 1;
    for (int k = axis + 1; axis >= 0 && k < type->rank; k++)
        c->inner *= type->dims[k];
}

static void add(weight_clips *clips, int parameter, bool per_tensor, arena *a)
{
    const simulated_parameter *p = &clips->of->parameters[parameter];
    weight_clip *c = &clips->items[clips->count++];
    double squares = 0;
    *c = (weight_clip){.parameter = parameter};
    lay_out(c, p->product, &p->value->type, per_tensor);
    c->given = ARENA_ARRAY(a, float, p->count + 1);
    c->thresholds = ARENA_ARRAY(a, float, c->channels);
    c->gradient = ARENA_ARRAY(a, float, c->channels);
    c->first = ARENA_ARRAY(a, float, c->channels);
    c->second = ARENA_ARRAY(a, float, c->channels);
    for (int64_t k = 0; k < c->channels; k++) {
        c->thresholds[k] = largest_of_channel(c, p->numbers, p->count, k);
        squares += (double)c->thresholds[k] * (double)c->thresholds[k];
    }
    c->size = (float)sqrt(squares / (double)c->channels);
    p->value->data = c->given;
}

void weight_clips_open(weight_clips *clips, const weight_clip_options *o, simulation *of, bool per_tensor, arena *a)
{
    *clips = (weight_clips){o, of, ARENA_ARRAY(a, weight_clip, of->parameter_count + 1), 0};
    for (int i = 0; o->pact && i < of->parameter_count; i++)
        if (of->parameters[i].product && of->parameters[i].count > 0)
            add(clips, i, per_tensor, a);
    weight_clips_settle(clips);
}

static void take_gradient(const weight_clips *clips, const weight_clip *c, float gradient[])
{
    const simulated_parameter *p = &clips->of->parameters[c->parameter];
    for (int64_t k = 0; k < c->channels; k++)
        c->gradient[k] = (float)clips->options->decay * c->thresholds[k];
    for (int64_t i = 0; i < p->count; i++) {
        const int64_t k = channel_of(c, i);
        const float w = p->numbers[i], a = c->thresholds[k];
        if (fabsf(w) <= a)
            continue;
        c->gradient[k] += w > 0 ? gradient[i] : -gradient[i];
        gradient[i] = 0;
    }
}

void weight_clips_take_gradient(weight_clips *clips, int parameter, float gradient[])
{
    for (int i = 0; i < clips->count; i++)
        if (clips->items[i].parameter == parameter)
            take_gradient(clips, &clips->items[i], gradient);
}

int weight_clips_blocks(weight_clips *clips, bool in_proportion, float share, optimizer_block blocks[])
{
    for (int i = 0; i < clips->count; i++) {
        const weight_clip *c = &clips->items[i];
        blocks[i] = (optimizer_block){.numbers = c->thresholds,
                                      .gradient = c->gradient,
                                      .first = c->first,
                                      .second = c->second,
                                      .count = c->channels,
                                      .share = share * (in_proportion ? c->size : 1)};
    }
    return clips->count;
}

void weight_clips_settle(weight_clips *clips)
{
    for (int i = 0; i < clips->count; i++) {
        const weight_clip *c = &clips->items[i];
        const simulated_parameter *p = &clips->of->parameters[c->parameter];
        for (int64_t k = 0; k < c->channels; k++)
            c->thresholds[k] = fmaxf(c->thresholds[k], least);
        for (int64_t k = 0; k < p->count; k++) {
            const float a = c->thresholds[channel_of(c, k)];
            c->given[k] = fminf(fmaxf(p->numbers[k], -a), a);
        }
    }
}
