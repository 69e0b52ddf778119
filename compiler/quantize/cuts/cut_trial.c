/* cut_trial.c: two ways to the same model.
 *
 *     ranges as they are    13.1 dB   ◀── nothing is cut
 *     cut                   11.4 dB          (by the estimate 16) */
#include "compiler/quantize/cuts/cut_trial.h"

#include <string.h>

#include "compiler/quantize/compare.h"
#include "compiler/quantize/correction.h"

typedef struct trial {
    const driver_options *options;
    const correct_samples *others;
    const cut_share *shares;
    unsigned threads;
} trial;

enum { AS_THEY_ARE, CUT, WAYS };

static bool prepare(const void *context, int way, ir_graph *copy, pass_calibration *out, diag *d)
{
    static const bool nothing[PASS_STEPS];
    const trial *t = context;
    const pass_calibration *given = t->options->calibration;
    pass_range *ranges = ARENA_ARRAY(copy->arena, pass_range, given->count);
    memcpy(ranges, given->ranges, given->count * sizeof *ranges);
    for (uint32_t i = 0; way == CUT && i < given->count; i++)
        cuts_apply(t->shares[i], &ranges[i]);
    *out = *given;
    out->ranges = ranges;
    const correction how = correction_make(1, nothing, t->options, out, t->others, t->threads);
    return correction_apply(&how, copy, d);
}

bool cut_trial(const ir_graph *g, const driver_options *o, const left_out *samples, const cut_share shares[],
               unsigned threads, bool *out_gains, diag *d)
{
    const trial t = {o, &samples->others, shares, threads};
    int way = AS_THEY_ARE;
    const bool good = compare_ways(g, o, prepare, &t, WAYS, &samples->judges, threads, &way, d);
    *out_gains = way == CUT;
    return good;
}
