/* fill.h: contents for buffers: random ones, and such that hit the edges of kernels. */
#ifndef TESTS_CODEGEN_FILL_H
#define TESTS_CODEGEN_FILL_H

#include "ir/ir.h"

/* Kinds by number, as rounds of a test count up: 0 random, 1 random with edge values mixed in, 2 all smallest,
 * 3 all largest, 4 wide range, 5 small integers; then again from 0 with another seed.
 *
 * FILL_EDGES and the next ones: what arithmetic has no good answer to.  Reals: NaN of both signs, infinities, the
 * largest and the smallest, zeros of both signs, numbers about the limits of integers; integers: the ends of their
 * type, and beyond all extents.  + 0 nothing else, + 1 a few among random ones, + 2 one value everywhere, + 3 no NaN.
 * FILL_SUM_EDGES likewise, without finite numbers whose sums or products depend on the order in which they overflow. */
enum { FILL_KINDS = 6, FILL_CONSTANT = -1, FILL_EDGES = -8, FILL_SUM_EDGES = -16, FILL_EDGE_KINDS = 4 };

uint64_t fill_random(uint64_t *state); /* the next number of a sequence that `state` alone decides */
void fill_value(void *to, const ir_value *, uint64_t seed, int kind);

#endif
