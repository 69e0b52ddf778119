/* left_out.h: samples apart, by which is judged what was made with the others.
 *
 *     samples   0 1 2 │ 3 │ 4 5 6 │ 7 │ …      others │ judges │ others │ judges │ … */
#ifndef QCC_LEFT_OUT_H
#define QCC_LEFT_OUT_H

#include "compiler/quantize/weights/correct.h"

typedef struct left_out {
    correct_samples others, judges; /* of few samples both are all */
} left_out;

/* The samples have to outlive both. */
left_out left_out_of(const correct_samples *);

#endif
