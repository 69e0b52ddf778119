/* calibrated_grid.c: 0…5.1 becomes u8<0.02, 0>; -0.58…2.6 u8<0.0125, 47>, or symmetric i8<0.0205, 0>. */
#include "passes/common/calibrated_grid.h"

#include <float.h>
#include <math.h>

#include "passes/common/scales.h"

static calibrated_grid symmetric_grid(double lo, double hi, int bits)
{
    const int32_t most = (1 << (bits - 1)) - 1;
    return (calibrated_grid){.dtype = bits == 16 ? IR_I16 : IR_I8,
                             .scale = fmax(hi, -lo) / most,
                             .low = -most,
                             .high = most,
                             .unused = bits == 16 ? (ir_unused){0, 0} : scales_unused(IR_I8, bits)};
}

static calibrated_grid affine_grid(double lo, double hi, int bits)
{
    const int32_t most = (1 << bits) - 1;
    const double steps = most, zero = nearbyint(-lo / (hi - lo) * steps);
    const double below = zero > 0 ? -lo / zero : 0, above = zero < steps ? hi / (steps - zero) : 0;
    return (calibrated_grid){.dtype = IR_U8,
                             .scale = fmax(below, above),
                             .zero = (int32_t)zero,
                             .high = most,
                             .unused = scales_unused(IR_U8, bits)};
}

calibrated_grid calibrated_grid_of(const pass_calibration *c, const pass_range *range)
{
    const double lo = fmin((double)range->low, 0), hi = fmax((double)range->high, 0);
    const int bits = range->bits ? range->bits : c->activation_bits;
    const bool symmetric = c->symmetric || bits == 16 || lo == -hi;
    calibrated_grid grid;
    if (fmax(hi, -lo) >= 255 * (double)FLT_MIN)
        return symmetric ? symmetric_grid(lo, hi, bits) : affine_grid(lo, hi, bits);
    grid = symmetric_grid(lo, hi, bits);
    grid.scale = 1;
    return grid;
}
