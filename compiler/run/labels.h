/* labels.h: samples of a classifier and the class of each. */
#ifndef QCC_RUN_LABELS_H
#define QCC_RUN_LABELS_H

#include "compiler/run/samples.h"

typedef struct labelled_samples {
    sample_set set;
    long *labels; /* parallel to set.items; NULL: nobody says them */
} labelled_samples;

typedef struct label_options {
    const char *data, *labels, *label_column;
    long label_offset, limit; /* limit 0: all */
    int64_t classes;          /* of the model */
    preprocess_raw raw;       /* labels NULL: the data have them, or nobody says any */
} label_options;

/* The labels file says which of the data are samples; or the data do, with labels or without; `info`: of the model's input. */
bool labels_load(const label_options *, const qcc_tensor_info *info, labelled_samples *out, diag *);
void labels_free(labelled_samples *);

#endif
