/* output_gradients.h: values of a graph over samples, and the gradient of its outputs by them.
 *
 * The gradient is that of a sum of all outputs, each with a sign drawn anew for every sample, so that the mean of the
 * squares of what it says of an error is that of the outputs' errors.  The same for any number of threads. */
#ifndef QCC_OUTPUT_GRADIENTS_H
#define QCC_OUTPUT_GRADIENTS_H

#include "compiler/quantize/weights/correct.h"
#include "compiler/run/session.h"

typedef struct output_gradient {
    const ir_value *value; /* real, in the graph */
    bool is_input;
    int32_t index, gradient; /* where the session has the value, and the gradient by it */
} output_gradient;

typedef struct output_gradients {
    const ir_graph *graph; /* at the start of PHASE(integer), or of the phase before */
    const correct_samples *samples;
    unsigned threads;
    diag *diag;
    int sample_count; /* of the samples, evenly */
    double power;     /* of all outputs that are real, over all of these */
    output_gradient *values;
    int count;
    session session;
    uint32_t signs; /* the first input that signs are; one for each output that is real */
} output_gradients;

/* How many samples are enough, of those that there are: fewer of a large model. */
int output_gradients_samples(const correct_samples *, const ir_graph *);
/* Compiles the graph with its gradients by `values`.  out_known false: an op has none.  False with a diagnostic. */
bool output_gradients_open(output_gradients *, const driver_options *, bool *out_known);
/* Called once for each sample and value, of a value in the order of samples, from several threads. */
typedef void output_gradients_look(void *context, int value, int sample, const float numbers[], const float gradient[]);
bool output_gradients_run(output_gradients *, output_gradients_look *, void *context);
void output_gradients_close(output_gradients *);

#endif
