/* bounds.h: how far real results of compiled code may be from the interpreter's, derived op by op.
 *
 * Compiled code may sum up in another order, and has elementary functions of its own.  Beside the interpreter's run
 * goes an analysis of the largest difference that this can make, for each element of each real value:
 *
 *     data movement            the same movement of the bounds
 *     sums of products         n terms of either order are within n u Σ|terms| of the exact sum (u = 2^-24); the op
 *                              itself, on magnitudes, gives Σ|terms|; on bounds, what the operands' bounds add
 *     elementary functions     some units in the last place, and 0 for what is below the smallest normal number; bounds
 *                              pass with the largest slope
 *     quotients                without a bound where the divisor's reaches 0; other functions with a pole (log, rsqrt, pow,
 *                              atan2, floor_mod, …) take exact operands only
 *     everything else          is exact, bit for bit
 *
 * A value without a bound has to be equal.  Integers always have to be: so what decides (quantize, comparisons,
 * arg_max, …) must not look at values with a bound, which bounds_accepts tells whoever draws graphs. */
#ifndef TESTS_CODEGEN_BOUNDS_H
#define TESTS_CODEGEN_BOUNDS_H

#include "ir/ref/interp.h"

typedef struct bounds bounds;

/* As ir_interpret, with bounds; NULL with a diagnostic. */
bounds *bounds_interpret(const ir_graph *, const void *const inputs[], void *const outputs[], ir_state *, diag *);
/* One number for each element, INFINITY where nothing can be said (infinities of either sign and NaN are possible, as
 * where a divisor may be 0, and go on through all that follows); NULL: exact, with the signs of zeros. */
const float *bounds_of(const bounds *, const ir_value *);
void bounds_free(bounds *);

bool bounds_accepts(ir_opcode);   /* may real operands of the op have bounds, if all of them are real? */
bool bounds_makes(const ir_op *); /* do its real results get bounds even if its operands have none? */

#endif
