/* ranges.c: how ranges follow from batches and from gradients. */
#include "compiler/tune/learned/ranges.h"

#include <math.h>

static const float least_factor = 1e-3f; /* of what a range was at the start */

static void set_range(const ranges *r, int i, float low, float high)
{
    pass_range *range = &r->by_id[r->of->ranges[i].value];
    r->items[i].now[0] = range->low = low;
    r->items[i].now[1] = range->high = high;
}

bool ranges_are_trained(const range_options *o) { return o->kind == RANGES_LSQ || o->kind == RANGES_PACT; }

/* Grids have 0 in them. */
static void widen(const ranges *r, float *low, float *high)
{
    *low = fminf(*low, 0);
    *high = fmaxf(*high, 0);
    if (r->symmetric && *low < 0)
        *low = -(*high = fmaxf(*high, -*low));
}

void ranges_open(ranges *r, const range_options *o, const simulation *of, pass_range by_id[], bool symmetric, arena *a)
{
    *r = (ranges){.options = o,
                  .of = of,
                  .by_id = by_id,
                  .symmetric = symmetric,
                  .items = ARENA_ARRAY(a, tuned_range, of->range_count + 1)};
    for (int i = 0; i < of->range_count; i++) {
        tuned_range *item = &r->items[i];
        const pass_range *range = &by_id[of->ranges[i].value];
        float low = range->low, high = range->high;
        widen(r, &low, &high);
        *item = (tuned_range){.low_sum = (double)low, .high_sum = (double)high, .weight = 1, .start = {low, high}};
        item->numbers[0] = o->kind == RANGES_LSQ ? 1 : low;
        item->numbers[1] = high;
        set_range(r, i, low, high);
    }
}

/* ---- By batches ---- */

static void see(const ranges *r, int i, float low, float high)
{
    tuned_range *item = &r->items[i];
    widen(r, &low, &high);
    if (r->options->kind == RANGES_WHOLE) {
        set_range(r, i, fminf(item->now[0], low), fmaxf(item->now[1], high));
        return;
    }
    item->low_sum = r->options->rate * item->low_sum + (double)low;
    item->high_sum = r->options->rate * item->high_sum + (double)high;
    item->weight = r->options->rate * item->weight + 1;
    set_range(r, i, (float)(item->low_sum / item->weight), (float)(item->high_sum / item->weight));
}

void ranges_see(ranges *r, void *const outputs[])
{
    for (int i = 0; i < r->of->range_count && !ranges_are_trained(r->options); i++) {
        const simulated_range *at = &r->of->ranges[i];
        see(r, i, *(const float *)outputs[at->low], *(const float *)outputs[at->high]);
    }
}

/* ---- By gradients ---- */

/* What makes steps of the factor k those of the scale s = k s0 in LSQ: its share of gradients over s0². */
static float lsq_share(double count, double start_scale, double largest)
{
    return (float)(1 / (start_scale * start_scale * sqrt(count * largest / start_scale)));
}

void ranges_take_gradient(ranges *r, int i, const float gradient[3], void *const inputs[])
{
    tuned_range *item = &r->items[i];
    const simulated_range *of = &r->of->ranges[i];
    const simulated_grid *grid = &r->of->grids[of->grid];
    const float low = *(const float *)inputs[grid->low], high = *(const float *)inputs[grid->high];
    if (r->options->kind == RANGES_LSQ) {
        const float scale = *(const float *)inputs[grid->scale], k = item->numbers[0];
        item->gradient[0] = (gradient[0] * low + gradient[1] * high + gradient[2] * scale) / k;
        if (!r->in_proportion)
            item->gradient[0] *= lsq_share((double)of->count, (double)(scale / k), (double)(fmaxf(high, -low) / k));
        return;
    }
    const bool mirrored = r->symmetric && item->start[0] < 0;
    const float pull = (float)r->options->decay;
    item->gradient[0] = !mirrored && item->start[0] < 0 ? gradient[0] + pull * item->numbers[0] : 0;
    item->gradient[1] = item->start[1] > 0 ? gradient[1] - (mirrored ? gradient[0] : 0) + pull * item->numbers[1] : 0;
}

int ranges_blocks(ranges *r, bool in_proportion, float share, optimizer_block blocks[])
{
    const bool is_factor = r->options->kind == RANGES_LSQ;
    int count = 0;
    r->in_proportion = in_proportion;
    for (int i = 0; i < r->of->range_count && ranges_are_trained(r->options); i++) {
        tuned_range *item = &r->items[i];
        const float size = fmaxf(item->start[1], -item->start[0]);
        if (r->of->ranges[i].grid >= 0)
            blocks[count++] = (optimizer_block){.numbers = item->numbers,
                                                .gradient = item->gradient,
                                                .first = item->first,
                                                .second = item->second,
                                                .count = is_factor ? 1 : 2,
                                                .share = share * (in_proportion && !is_factor ? size : 1)};
    }
    return count;
}

void ranges_settle(ranges *r)
{
    for (int i = 0; i < r->of->range_count && ranges_are_trained(r->options); i++) {
        tuned_range *item = &r->items[i];
        float *numbers = item->numbers;
        if (r->options->kind == RANGES_LSQ) {
            numbers[0] = fmaxf(numbers[0], least_factor);
            set_range(r, i, item->start[0] * numbers[0], item->start[1] * numbers[0]);
            continue;
        }
        numbers[0] = fminf(numbers[0], item->start[0] * least_factor);
        numbers[1] = fmaxf(numbers[1], item->start[1] * least_factor);
        const bool mirrored = r->symmetric && item->start[0] < 0;
        set_range(r, i, mirrored ? -numbers[1] : numbers[0], numbers[1]);
    }
}

static bool is_range(const tuned_range *item)
{
    const bool ends = isfinite(item->now[0]) && isfinite(item->now[1]) && item->now[0] <= 0 && item->now[1] >= 0;
    return ends && isfinite(item->start[0]) && isfinite(item->start[1]) && isfinite(item->numbers[0]) &&
           isfinite(item->numbers[1]) && isfinite(item->low_sum) && isfinite(item->high_sum) && item->weight >= 1;
}

bool ranges_restore(ranges *r)
{
    for (int i = 0; i < r->of->range_count; i++) {
        if (!is_range(&r->items[i]))
            return false;
        set_range(r, i, r->items[i].now[0], r->items[i].now[1]);
    }
    return true;
}
