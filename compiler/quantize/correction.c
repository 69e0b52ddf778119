/* correction.c: weights, then biases; and how much of it. */
#include "compiler/quantize/correction.h"

#include "compiler/quantize/compare.h"
#include "compiler/quantize/left_out.h"
#include "compiler/quantize/weights/round.h"

correction correction_make(int effort, const bool skipped[PASS_STEPS], const driver_options *o,
                           const pass_calibration *ranges, const correct_samples *samples, unsigned threads)
{
    correction c = {.effort = effort,
                    .longest = skipped[PASS_STEP_round_weights] ? 0
                               : effort < 2                     ? ROUND_SHORT
                                                                : ROUND_ALL,
                    .biases = !skipped[PASS_STEP_correct_biases],
                    .calibrated = *o,
                    .samples = *samples,
                    .threads = threads};
    c.calibrated.calibrate = NULL;
    c.calibrated.quantize = PASS_QUANTIZE_AUTO; /* also of a copy in which no layer is left for integers */
    c.calibrated.calibration = ranges;
    c.calibrated.shown = NULL;
    return c;
}

static bool round_step(const correction *c, ir_graph *g, diag *d)
{
    return c->longest == 0 || (pass_show_before(g, c->shown, "round_weights", d) &&
                               round_weights(g, &c->calibrated, &c->samples, c->longest, c->threads, d) &&
                               pass_show_after(g, c->shown, "round_weights", d));
}

static bool bias_step(const correction *c, const ir_graph *real, ir_graph *g, diag *d)
{
    return !c->biases || (pass_show_before(g, c->shown, "correct_biases", d) &&
                          correct_biases_to(real, g, &c->calibrated, &c->samples, c->threads, d) &&
                          pass_show_after(g, c->shown, "correct_biases", d));
}

/* Biases are corrected by what they were with weights that have not been rounded. */
bool correction_apply(const void *context, ir_graph *g, diag *d)
{
    const correction *c = context;
    if (c->effort == 0 || c->samples.count == 0)
        return true;
    ir_graph *real = ir_graph_copy(g);
    const bool good = round_step(c, g, d) && bias_step(c, real, g, d);
    ir_graph_free(real);
    return good;
}

/* ---- How much ---- */

static const int32_t lengths[] = {ROUND_SHORT, ROUND_ALL}; /* by way */
enum { WAYS = sizeof lengths / sizeof *lengths };

static bool prepare(const void *context, int way, ir_graph *copy, pass_calibration *out, diag *d)
{
    const correction *c = context;
    correction with = *c;
    with.samples = left_out_of(&c->samples).others;
    with.longest = lengths[way];
    *out = *c->calibrated.calibration;
    return correction_apply(&with, copy, d);
}

bool correction_choose(correction *c, const ir_graph *g, diag *d)
{
    int way = WAYS - 1;
    if (c->effort < 2 || c->longest == 0 || c->samples.count == 0)
        return true;
    const correct_samples judges = left_out_of(&c->samples).judges;
    if (!compare_ways(g, &c->calibrated, prepare, c, WAYS, &judges, c->threads, &way, d))
        return false;
    c->longest = lengths[way];
    return true;
}
