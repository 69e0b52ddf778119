/* tune_progress.c: lines on stderr.
 *
 *     step 90 of 900, epoch 2: loss 0.0917, right 97.81 %, 5120 samples/s, 12 s left         on a terminal, until the next
 *     step 100 of 900: loss 0.0891, right 97.9 %; validation: loss 0.0702, right 98.12 %, the best so far */
#include "tools/tune_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "compiler/progress.h"

static void print_score(const trainer_score *s, bool taught)
{
    const double samples = s->samples ? (double)s->samples : 1;
    fprintf(stderr, "loss %.6g, %s %.2f %%", s->loss / samples, taught ? "alike" : "right",
            100 * (double)s->right / samples);
}

static void print_validation(const tune_report *r)
{
    fprintf(stderr, "step %" PRId64 " of %" PRId64, r->step, r->steps);
    if (r->recent.samples) {
        fprintf(stderr, ": ");
        print_score(&r->recent, r->taught);
    }
    if (r->validation->samples) {
        fprintf(stderr, "%s validation: ", r->recent.samples ? ";" : ":");
        print_score(r->validation, r->taught);
        fprintf(stderr, "%s", r->best ? ", the best so far" : "");
    }
    fputc('\n', stderr);
}

void tune_progress_show(void *unused, const tune_report *r)
{
    (void)unused;
    const bool terminal = isatty(STDERR_FILENO);
    if (terminal)
        fprintf(stderr, "\r\x1b[K");
    if (r->validation)
        print_validation(r);
    if (!terminal || r->step == r->steps || r->samples_per_second <= 0 || r->validation)
        return;
    fprintf(stderr, "step %" PRId64 " of %" PRId64 ", epoch %" PRId64 ": ", r->step, r->steps,
            (r->step - 1) / r->steps_per_epoch + 1);
    print_score(&r->recent, r->taught);
    fprintf(stderr, ", %.*f samples/s, %.0f s left", progress_decimals(r->samples_per_second), r->samples_per_second,
            r->seconds_left);
    fflush(stderr);
}
