/* observed.c: the 4096 bins of an observer, which go to powers of two on both sides of 0, as 64 between what was seen:
 *
 *     -2^e    low                0                          high  2^e
 *      |......|##|###|####|######|########|####|##|#|..|.|#|......|
 *                    ^ range_low                 ^ range_high         left and right of these: clipped */
#include "compiler/quantize/observed.h"

static int place(const ir_observed *o, double x)
{
    const int bin = o->high > o->low ? (int)((x - o->low) / (o->high - o->low) * IR_OBSERVED_BINS) : 0;
    return bin < IR_OBSERVED_BINS ? bin : IR_OBSERVED_BINS - 1;
}

const ir_observed *observed_make(arena *a, const observer *seen, const char *algorithm, double range_low,
                                 double range_high)
{
    ir_observed *o = ARENA_NEW(a, ir_observed);
    *o = (ir_observed){.algorithm = algorithm,
                       .range_low = range_low,
                       .range_high = range_high,
                       .low = fmin((double)seen->low, 0),
                       .high = fmax((double)seen->high, 0),
                       .elements = seen->count};
    for (int i = 0; i < 2 * OBSERVER_BINS; i++) {
        const uint64_t zeros = i == OBSERVER_BINS ? seen->zeros : 0, count = seen->bins[i] - zeros;
        const double middle = observer_bin_start(seen, i) + observer_width(seen) / 2;
        const double x = fmax(fmin(middle, o->high), o->low);
        o->counts[place(o, 0)] += zeros;
        o->counts[place(o, x)] += count;
        o->clipped += x < range_low || x > range_high ? count : 0;
    }
    return o;
}
