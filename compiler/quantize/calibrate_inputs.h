/* calibrate_inputs.h: the samples of all inputs of a model. */
#ifndef QCC_CALIBRATE_INPUTS_H
#define QCC_CALIBRATE_INPUTS_H

#include "compiler/quantize/calibrate_options.h"
#include "compiler/run/samples.h"

typedef struct calibrate_inputs {
    const calibrate_options *options;
    qcc_tensor_info *infos; /* of the model's inputs */
    sample_set *sets;       /* one for each input, of equal length */
    int inputs;
    int *order, once; /* the samples to use, as numbers within the sets */
    int count;        /* with their copies, all behind the samples */
} calibrate_inputs;

/* Finds the samples.  With several inputs each has its own --calib=INPUT:PATH, or one folder has a folder or file for
 * each, called as the input.  The graph has to live longer. */
bool calibrate_inputs_open(const calibrate_options *, const ir_graph *, calibrate_inputs *out, diag *);
void calibrate_inputs_close(calibrate_inputs *);

/* Fills a buffer for each of the graph's inputs with sample `index`, one of `count`.  Threads may do so at once. */
bool calibrate_inputs_fill(const calibrate_inputs *, int index, void *const buffers[], diag *);
/* The class of each sample, `count` of them; false with a diagnostic where one has none. */
bool calibrate_inputs_labels(const calibrate_inputs *, long labels[], diag *);
/* How diagnostics call a sample; returns text. */
const char *calibrate_inputs_name(const calibrate_inputs *, int index, char text[SAMPLE_NAME_BYTES]);

#endif
