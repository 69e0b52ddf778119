/* threshold.h: from what an observer has seen of a value to the range that its integers stand for. */
#ifndef QCC_THRESHOLD_H
#define QCC_THRESHOLD_H

#include "compiler/quantize/statistics/observer.h"

typedef enum threshold_algo {
#define THRESHOLD(ID, name, synonyms, doc) THRESHOLD_##ID,
#include "compiler/quantize/statistics/thresholds.def"
#undef THRESHOLD
    THRESHOLD_COUNT
} threshold_algo;

typedef struct threshold_options {
    double percentile; /* of THRESHOLD_HIST: 0…1; 0: 0.99999 */
    bool symmetric;    /* the range ends at the same distance from 0 on both sides */
    int bits;          /* of the integers, 2 to 8, or 16; with 16 the searches keep everything */
} threshold_options;

const char *threshold_name(threshold_algo);
const char *threshold_doc(threshold_algo);
/* By name or synonym; case, '-' and '_' don't count. */
bool threshold_find(const char *name, threshold_algo *out);

/* A range with 0 in it; of THRESHOLD_AUTO, which the outputs decide on (cuts.h), that of minmax.  False: no numbers have been
 * seen. */
bool threshold_choose(threshold_algo, const observer *, const threshold_options *, float *out_low, float *out_high);

#endif
