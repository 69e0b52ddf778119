/* compare.h: two contents of a value. */
#ifndef TESTS_CODEGEN_COMPARE_H
#define TESTS_CODEGEN_COMPARE_H

#include "ir/ir.h"

typedef struct compare_limits {
    double tolerance; /* of floats, relative to 1 + magnitude of the element … */
    bool sums;        /* … of the largest element */
    /* Absolute, an element each, instead; NULL: none.  INFINITY: anything, NaN and infinities of both signs, too. */
    const float *bound;
    bool bits; /* nothing may differ but which NaN it is: not even the sign of a zero */
} compare_limits;

/* Index of the first element that differs, -1: none.  NaN equals NaN; all but floats have to be equal. */
int64_t compare_values(const ir_value *, const void *got, const void *want, const compare_limits *);
double compare_element(const ir_value *, const void *data, int64_t index); /* for messages */

#endif
