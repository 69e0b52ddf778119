/* thresholds.c: prints the ranges that all algorithms choose for the floats on stdin, a line each; thresholds.py
 * checks them.
 *
 *     thresholds BATCH        numbers a batch */
#include <stdio.h>
#include <stdlib.h>

#include "compiler/quantize/statistics/threshold.h"

int main(int argc, char **argv)
{
    const long batch = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    float *numbers = calloc((size_t)batch, sizeof *numbers);
    observer o;
    size_t count;
    if (!numbers || !observer_init(&o))
        return EXIT_FAILURE;
    while ((count = fread(numbers, sizeof *numbers, (size_t)batch, stdin)) > 0) {
        observer_ends ends = OBSERVER_NO_ENDS;
        if (observer_see(&o, numbers, (int64_t)count, &ends) >= 0 || !observer_end_batch(&o, ends))
            return EXIT_FAILURE;
    }
    for (int i = 0; i < THRESHOLD_COUNT * 4; i++) {
        const threshold_algo algo = (threshold_algo)(i / 4);
        const threshold_options options = {.percentile = 0.999, .symmetric = i % 2, .bits = i % 4 / 2 ? 4 : 8};
        float low, high;
        if (threshold_choose(algo, &o, &options, &low, &high))
            printf("%s %s %d %.9g %.9g\n", threshold_name(algo), options.symmetric ? "symmetric" : "affine",
                   options.bits, (double)low, (double)high);
    }
    observer_free(&o);
    free(numbers);
    return EXIT_SUCCESS;
}
